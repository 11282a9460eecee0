//! Two runs exclude each other, Prisma's among them, and nothing waits for ever.

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;
use tollgate_testing::proxy::Proxy;

use crate::outside::Database;
use crate::people::{databases, person, same_everywhere};
use crate::session::tables;
use crate::support::{Running, Session, Stage, until};

/// Where the lock's own session is told from others that hold it in another mode.
const LOCK_SESSION: &str = "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND objid = 72707369 \
     AND datname = current_database() AND state = 'idle'";

#[test]
fn a_deploy_and_another() {
    for database in databases() {
        let (anna, bob) = (person("anna", &database), person("bob", &database));
        // Holds the lock until its input ends.
        let mut holder = anna.command(&["lock", "run", "--", "sh", "-c", "echo held; read line || true"]);
        let mut holder = holder
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut held = [0; 5];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
        let refused = bob.run(&["deploy", "--lock-timeout", "200ms"]);
        assert_eq!(refused.status, Some(4), "{refused}");
        assert!(refused.stderr.contains("lock already held by PID "), "{refused}");
        assert!(refused.stderr.contains("application tollgate lock run"), "{refused}");
        assert_eq!(tables(&database), "");
        // It gets its turn when it waits.
        let waiting = Running::start(&bob, &["deploy"]);
        waiting.says("lock already held");
        drop(holder.stdin.take());
        assert!(holder.wait().unwrap().success());
        let outcome = waiting.end(&bob);
        assert_eq!(outcome.status, Some(0), "{outcome}");
        assert_eq!(tables(&database), "posts users");
    }
}

#[test]
fn a_deploy_in_the_middle_of_a_migration_and_another() {
    let stage = Stage::new();
    stage
        .project
        .migration("2_b", "SELECT pg_advisory_xact_lock(4711);\nCREATE TABLE b (id int);\n");
    let gate = Session::holding(&stage.database, "SELECT pg_advisory_lock(4711);");
    let first = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    let refused = stage.project.run(&["deploy", "--lock-timeout", "0"]);
    assert_eq!(refused.status, Some(4), "{refused}");
    assert!(refused.stderr.contains("application tollgate"), "{refused}");
    let second = Running::start(&stage.project, &["deploy"]);
    second.says("lock already held");
    gate.end();
    assert_eq!(first.end(&stage.project).status, Some(0));
    let second = second.end(&stage.project);
    assert_eq!(second.status, Some(0), "{second}");
    assert!(second.stdout.contains("nothing to deploy"), "{second}");
    stage.goes_on();
}

#[test]
fn prismas_lock_keeps_a_deploy_out_and_a_deploy_keeps_it_out() {
    let stage = Stage::new();
    let prisma = Session::holding(&stage.database, "SELECT pg_advisory_lock(72707369);");
    let refused = stage.project.run(&["deploy", "--lock-timeout", "100ms"]);
    assert_eq!(refused.status, Some(4), "{refused}");
    prisma.end();

    stage
        .project
        .migration("2_b", "SELECT pg_advisory_xact_lock(4711);\nCREATE TABLE b (id int);\n");
    let gate = Session::holding(&stage.database, "SELECT pg_advisory_lock(4711);");
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    let tried = stage.database.psql("SELECT pg_try_advisory_lock(72707369)");
    assert_eq!(tried.trim(), "f");
    gate.end();
    assert_eq!(deploy.end(&stage.project).status, Some(0));
    assert_eq!(stage.database.psql("SELECT pg_try_advisory_lock(72707369)").trim(), "t");
}

/// The server gives a lock that somebody waits for in its queue to nobody else, in no mode.
#[test]
fn a_deploy_goes_on_while_prisma_waits_for_it() {
    let stage = Stage::new();
    stage
        .project
        .migration("2_b", "SELECT pg_advisory_xact_lock(4711);\nCREATE TABLE b (id int);\n");
    stage.project.migration("3_c", "CREATE TABLE c (id int);\n");
    stage.project.migration("4_d", "CREATE TABLE d (id int);\n");
    let gate = Session::holding(&stage.database, "SELECT pg_advisory_lock(4711);");
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    let url = stage.database.url();
    let psql = stage.database.cluster().program("psql");
    let mut prisma = std::process::Command::new(psql)
        .args(["--no-psqlrc", "--quiet", "--dbname", &url, "--command"])
        // With the time limit that Prisma's command has.
        .arg("SET statement_timeout = '10s'; SELECT pg_advisory_lock(72707369); CREATE TABLE by_prisma AS SELECT count(*) AS tables FROM pg_tables WHERE tablename = 'd'")
        .env("PGAPPNAME", "")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    stage.somebody("query LIKE '%72707369%' AND application_name = '' AND wait_event = 'advisory'");
    gate.end();
    let outcome = deploy.end(&stage.project);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert!(prisma.wait().unwrap().success());
    // It had its turn only when all was done.
    assert_eq!(stage.database.psql("SELECT tables FROM by_prisma").trim(), "1");
}

#[test]
fn an_index_is_built_concurrently_while_others_wait_for_the_lock() {
    let stage = Stage::new();
    stage
        .project
        .migration("2_b", "SELECT pg_advisory_xact_lock(4711);\nCREATE TABLE b (id int);\n");
    stage
        .project
        .migration("3_index", "CREATE INDEX CONCURRENTLY b_id ON b (id);\n");
    let gate = Session::holding(&stage.database, "SELECT pg_advisory_lock(4711);");
    let first = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    let others: Vec<Running> = (0..2).map(|_| Running::start(&stage.project, &["deploy"])).collect();
    for other in &others {
        other.says("lock already held");
    }
    gate.end();
    for deploy in std::iter::once(first).chain(others) {
        let outcome = deploy.end(&stage.project);
        assert_eq!(outcome.status, Some(0), "{outcome}");
    }
    assert_eq!(stage.indexes(), "b_id");
    stage.goes_on();
}

#[test]
fn a_deploy_whose_lock_is_lost_stops_before_the_next_migration() {
    let stage = Stage::new();
    stage
        .project
        .migration("2_b", "SELECT pg_advisory_xact_lock(4711);\nCREATE TABLE b (id int);\n");
    stage.project.migration("3_c", "CREATE TABLE c (id int);\n");
    let gate = Session::holding(&stage.database, "SELECT pg_advisory_lock(4711);");
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    let pid = stage.database.psql(LOCK_SESSION);
    assert_eq!(pid.lines().count(), 1, "{pid}");
    stage.database.psql(&format!("SELECT pg_terminate_backend({pid})"));
    until("the session is gone", || stage.database.psql(LOCK_SESSION).is_empty());
    // What the transaction takes part in keeps others out still.
    let other = stage.project.run(&["deploy", "--lock-timeout", "0"]);
    assert_eq!(other.status, Some(4), "{other}");
    gate.end();
    let outcome = deploy.end(&stage.project);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("the migration lock was lost"), "{outcome}");
    assert!(!stage.tables().contains('c'), "{}", stage.tables());
    stage.goes_on();
}

#[test]
fn a_killed_run_leaves_the_lock_free() {
    for database in databases() {
        let anna = person("anna", &database);
        let mut holder = anna.command(&["lock", "run", "--", "sh", "-c", "echo held; read line || true"]);
        let mut holder = holder
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut held = [0; 5];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
        holder.kill().unwrap();
        holder.wait().unwrap();
        anna.succeed(&["deploy"]);
    }
}

#[test]
fn all_ways_to_an_sqlite_file_have_one_lock() {
    let database = Database::sqlite();
    let anna = person("anna", &database);
    anna.succeed(&["deploy"]);
    let path = database.url().trim_start_matches("file:").to_owned();
    let mut bob = person("bob", &database);
    std::os::unix::fs::symlink(&path, bob.path().join("link.db")).unwrap();
    bob.set("DATABASE_URL", "file:./link.db");
    let inside = anna.command(&["lock", "run", "--", "sh", "-c", "echo held; read line || true"]);
    let mut inside = inside;
    let mut holder = inside
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    let refused = bob.run(&["deploy", "--lock-timeout", "0"]);
    assert_eq!(refused.status, Some(4), "{refused}");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    anna.succeed(&["lock", "acquire"]);
    assert_eq!(bob.run(&["deploy"]).status, Some(4));
}

/// The line stays open, and nothing comes over it any more: a server that hangs, or a network that has lost the connection
/// without telling anybody.
fn through_a_proxy() -> Option<(Stage, Proxy)> {
    let Some(port) = cluster().port() else {
        println!("skipped: the server's port is not known");
        return None;
    };
    let proxy = Proxy::start(port).unwrap();
    let mut stage = Stage::new();
    stage.project.set("DATABASE_URL", &proxy.url(&stage.database.url()));
    Some((stage, proxy))
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for_longer_than_for_the_lock() {
    let Some((stage, proxy)) = through_a_proxy() else {
        return;
    };
    let holder = Session::holding(&stage.database, "SELECT pg_advisory_lock(72707369);");
    let deploy = Running::start(&stage.project, &["deploy"]);
    deploy.says("lock already held");
    proxy.stall(true);
    let outcome = deploy.end(&stage.project);
    assert_snapshot!(same_everywhere(&outcome.to_string()), @"
    status: 1
    -- stderr
    lock already held by PID [number] (user postgres, application somebody, since [time]): waiting for up to [duration]; `tollgate lock status` shows what it does
    lock

      × failed to take the migration lock: no answer within [duration]
      help: run the command again once the server answers
      the database now: nothing was changed
    ");
    proxy.stall(false);
    holder.end();
    stage.goes_on();
}

/// It lost the connection on which it works, and cannot tell the lock's session good-bye.
#[test]
fn a_deploy_whose_server_falls_silent_comes_to_its_end() {
    let Some((stage, proxy)) = through_a_proxy() else {
        return;
    };
    stage
        .project
        .migration("2_b", "SELECT pg_advisory_xact_lock(4711);\nCREATE TABLE b (id int);\n");
    let gate = Session::holding(&stage.database, "SELECT pg_advisory_lock(4711);");
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    let port =
        "SELECT client_port FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
    let port = stage.database.psql(port).trim().parse().unwrap();
    proxy.stall(true);
    assert!(proxy.cut_port(port));
    let outcome = deploy.end(&stage.project);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("cannot be known now"), "{outcome}");
    proxy.stall(false);
    gate.end();
    stage.goes_on();
}
