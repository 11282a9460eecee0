//! The connection is lost: what is in the database is found out, and where that is certain the deploy goes on.

use insta::assert_snapshot;
use regex::Regex;
use tollgate_testing::postgres::{Cluster, Setup, TestDatabase, cluster};
use tollgate_testing::proxy::Proxy;
use tollgate_testing::restart::restart;
use tollgate_tests::{Outcome, Project};

use crate::{ALONE, postgres, until};

/// The session that sleeps.
const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tollgate' AND \
                        datname = current_database() AND state = 'active' AND wait_event = 'PgSleep'";

fn end(database: &TestDatabase<'_>, which: &str) {
    database.psql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tollgate' AND \
         datname = current_database() AND {which}"
    ));
}

/// What a run said. Whether the server's last word arrives, or only that nobody is there any more, is a matter of luck.
fn said(outcome: &Outcome) -> String {
    let why = Regex::new(
        r"terminating\s+connection\s+due\s+to\s+administrator\s+(│\s+)?command|connection closed|error communicating[^\n;]*",
    );
    let code = Regex::new(r"SQLSTATE: 57P01\n *").unwrap();
    let text = code.replace(&outcome.to_string(), "").into_owned();
    why.unwrap().replace_all(&text, "[why]").into_owned()
}

/// Deploys, and does something as soon as a statement sleeps.
fn disturbed(project: &Project, database: &TestDatabase<'_>, disturb: impl FnOnce()) -> Outcome {
    std::thread::scope(|scope| {
        let deploy = scope.spawn(|| project.run(&["deploy"]));
        until("it sleeps", || database.psql(SLEEPING).trim() == "1");
        disturb();
        deploy.join().unwrap()
    })
}

/// Sleeps only when it runs for the first time: the sequence is outside of every transaction.
const SLEEPS_ONCE: &str = "SELECT pg_sleep(CASE WHEN nextval('times') = 1 THEN 60 ELSE 0 END);\n";

#[test]
fn a_session_that_was_ended_is_replaced_and_the_deploy_goes_on() {
    let (project, database) = postgres();
    project.migration("0_init", "CREATE SEQUENCE times;\n");
    project.succeed(&["deploy"]);
    project.migration(
        "1_a",
        &format!("CREATE TABLE a (id int);\n{SLEEPS_ONCE}INSERT INTO a VALUES (1);\n"),
    );
    let outcome = disturbed(&project, &database, || end(&database, "wait_event = 'PgSleep'"));
    assert_snapshot!(said(&outcome), @"
    status: 0
    -- stdout
    applied 1_a [duration]
    1 migration applied in [duration]
    -- stderr
    1_a: the connection was lost: [why]; attempt 2 in [duration]
    ");
    assert_eq!(database.psql("SELECT count(*) FROM a").trim(), "1");
    let rows = "SELECT count(*) FROM _prisma_migrations WHERE migration_name = '1_a' AND finished_at IS NOT NULL";
    assert_eq!(database.psql(rows).trim(), "1");
}

#[test]
fn the_deploy_goes_on_in_the_middle_where_the_middle_is_certain() {
    let (project, database) = postgres();
    project.migration("0_init", "CREATE SEQUENCE times;\n");
    project.succeed(&["deploy"]);
    project.migration(
        "1_a",
        &format!("-- tollgate:transaction off\nCREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\n{SLEEPS_ONCE}INSERT INTO a VALUES (2);\n"),
    );
    let outcome = disturbed(&project, &database, || end(&database, "wait_event = 'PgSleep'"));
    assert_snapshot!(said(&outcome), @"
    status: 0
    -- stdout
    applied 1_a [duration]
    1 migration applied in [duration]
    -- stderr
    1_a: the connection was lost: [why]; attempt 2 in [duration]
    1_a: goes on after 2 statements of an earlier attempt
    ");
    assert_eq!(database.psql("SELECT id FROM a ORDER BY 1"), "1\n2\n");
}

/// Without the lock nobody may go on: somebody else could have begun.
#[test]
fn without_the_lock_it_stops_and_says_what_is_true() {
    let (project, database) = postgres();
    project.migration("0_init", "CREATE SEQUENCE times;\n");
    project.succeed(&["deploy"]);
    project.migration("1_a", &format!("CREATE TABLE a (id int);\n{SLEEPS_ONCE}"));
    let outcome = disturbed(&project, &database, || end(&database, "true"));
    assert_snapshot!(said(&outcome), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: the connection was lost: [why]
       ╭─[migrations/1_a/migration.sql:2:1]
     1 │ CREATE TABLE a (id int);
     2 │ SELECT pg_sleep(CASE WHEN nextval('times') = 1 THEN 60 ELSE 0 END);
       · ─────────────────────────────────┬────────────────────────────────
       ·                                  ╰── the connection was lost: [why]
       ╰────
      help: wait until the server answers, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    assert_snapshot!(said(&project.run(&["deploy"])), @"
    status: 0
    -- stdout
    applied 1_a [duration]
    1 migration applied in [duration]
    ");
}

#[test]
fn a_statement_that_ends_its_session_each_time_is_given_up() {
    let (project, database) = postgres();
    project.file("tollgate.toml", &format!("[deploy]\nretries = 1\n{ALONE}"));
    project.migration(
        "1_a",
        "CREATE TABLE a (id int);\nSELECT pg_terminate_backend(pg_backend_pid());\n",
    );
    assert_snapshot!(said(&project.run(&["deploy"])), @r#"
    status: 1
    -- stderr
    1_a: the connection was lost: [why]; attempt 2 in [duration]
    migration-failed

      × migration "1_a" failed: the connection was lost: [why]
       ╭─[migrations/1_a/migration.sql:2:1]
     1 │ CREATE TABLE a (id int);
     2 │ SELECT pg_terminate_backend(pg_backend_pid());
       · ──────────────────────┬──────────────────────
       ·                       ╰── the connection was lost: [why]
       ╰────
      help: wait until the server answers, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    assert_eq!(database.psql("SELECT to_regclass('a') IS NULL").trim(), "t");
    let left = "SELECT count(*) FROM _prisma_migrations WHERE rolled_back_at IS NULL";
    assert_eq!(database.psql(left).trim(), "0", "Prisma need not stop at any of it");
}

/// The script has the server speak another encoding: what it says of the rows cannot be read, and it goes on and commits.
#[test]
fn an_answer_that_cannot_be_read_is_no_failed_statement() {
    let (project, database) = postgres();
    project.migration(
        "1_a",
        "CREATE TABLE a (\"é\" int);\nSET client_encoding = 'LATIN1';\nSELECT * FROM a;\n",
    );
    let outcome = project.run(&["deploy"]);
    let there = database.psql("SELECT to_regclass('a') IS NOT NULL");
    let applied =
        "SELECT count(*) = 1 FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL";
    assert_eq!(database.psql(applied), there, "{outcome}");
    assert_eq!(outcome.status == Some(0), there == "t\n", "{outcome}");
}

#[test]
fn a_server_that_restarts_is_waited_for() {
    let cluster = Cluster::start(&Setup::default()).unwrap();
    let database = cluster.database();
    let mut project = Project::new();
    project
        .set("DATABASE_URL", &database.url())
        .file("tollgate.toml", ALONE);
    project.migration("0_init", "CREATE SEQUENCE times;\n");
    project.succeed(&["deploy"]);
    project.migration("1_a", &format!("CREATE TABLE a (id int);\n{SLEEPS_ONCE}"));
    let outcome = disturbed(&project, &database, || restart(&cluster).unwrap());
    assert_snapshot!(said(&outcome), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: the connection was lost: [why]
       ╭─[migrations/1_a/migration.sql:2:1]
     1 │ CREATE TABLE a (id int);
     2 │ SELECT pg_sleep(CASE WHEN nextval('times') = 1 THEN 60 ELSE 0 END);
       · ─────────────────────────────────┬────────────────────────────────
       ·                                  ╰── the connection was lost: [why]
       ╰────
      help: wait until the server answers, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    project.succeed(&["deploy"]);
}

#[test]
fn a_server_that_is_gone_leaves_it_open() {
    let (mut project, database) = postgres();
    let proxy = Proxy::start(cluster().port().unwrap()).unwrap();
    project.set("DATABASE_URL", &proxy.url(&database.url()));
    project.migration("1_a", "CREATE TABLE a (id int);\nSELECT pg_sleep(60);\n");
    let outcome = disturbed(&project, &database, || {
        proxy.refuse(true);
        proxy.cut();
    });
    assert_snapshot!(said(&outcome), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: the connection was lost: [why]
       ╭─[migrations/1_a/migration.sql:2:1]
     1 │ CREATE TABLE a (id int);
     2 │ SELECT pg_sleep(60);
       · ─────────┬─────────
       ·          ╰── the connection was lost: [why]
       ╰────
      help: run `tollgate deploy` once the server answers: it reads the ledger, finds out what is in
            the database and goes on from there
      the database now: the connection was lost, and whether it is in the database cannot be known now
    "#);
}
