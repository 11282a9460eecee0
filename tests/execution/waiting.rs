//! What is said while something waits for others, and how long our own questions do.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use tollgate_testing::postgres::TestDatabase;
use tollgate_tests::Project;

use crate::blockers::in_a_line;
use crate::support::Running;
use crate::{ALONE, postgres, said, until};

/// A project whose database has a table, and what its configuration says besides.
fn with_a_table(settings: &str) -> (Project, TestDatabase<'static>) {
    let (project, database) = postgres();
    project.file("tollgate.toml", &format!("{settings}{ALONE}"));
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    (project, database)
}

/// A line of what was said.
fn line<'a>(said: &'a str, words: &str) -> &'a str {
    said.lines().find(|line| line.contains(words)).unwrap_or_default()
}

#[test]
fn a_concurrent_statement_says_whom_it_waits_for() {
    let (project, database) = with_a_table("");
    project.migration(
        "2_b",
        "CREATE INDEX CONCURRENTLY a_id ON a (id);\nREINDEX INDEX CONCURRENTLY a_id;\n",
    );
    let mut others = ["first", "second"].map(|name| database.session(name));
    for other in &mut others {
        other.run("BEGIN; INSERT INTO a VALUES (1);");
    }
    let deploy = Running::start(&project, &["deploy"]);
    // One after the other, in an order of its own.
    let blocking = "SELECT application_name FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids((SELECT pid FROM \
                    pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX%')))";
    let mut left = vec!["first", "second"];
    while !left.is_empty() {
        let mut waits_for = String::new();
        until("it waits", || {
            waits_for = database.psql(blocking).trim().to_owned();
            left.contains(&waits_for.as_str())
        });
        deploy.says(&format!("application {waits_for}"));
        others[usize::from(waits_for == "second")].run("COMMIT;");
        left.retain(|name| *name != waits_for);
    }
    let outcome = deploy.end(&project);
    assert_eq!(outcome.status, Some(0), "{outcome}");
    let said = said(&outcome);
    assert_snapshot!(line(&said, "first"), @r#"2_b: waits for session [number] (user postgres, application first, idle in transaction, open for [duration], last query [duration] ago: "SELECT ?;")"#);
    for name in ["first", "second"] {
        assert_eq!(said.matches(&format!("application {name}")).count(), 1, "{said}");
    }
    assert_eq!(
        database
            .psql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass")
            .trim(),
        "t"
    );
}

#[test]
fn a_statement_without_a_limit_says_whom_it_waits_for() {
    let (project, database) = with_a_table("[deploy]\nstatement_lock_timeout_ms = 0\n");
    project.migration("2_b", "CREATE TABLE b (id int);\nALTER TABLE a ADD COLUMN note text;\n");
    let mut other = database.session("reports");
    other.run("BEGIN; SELECT * FROM a;");
    let deploy = Running::start(&project, &["deploy"]);
    deploy.says("2_b: waits for session ");
    other.run("COMMIT;");
    let outcome = deploy.end(&project);
    assert_eq!(outcome.status, Some(0), "{outcome}");
}

/// What a loop says of how far it is would be of no use at its end.
#[test]
fn what_a_statement_says_is_shown_while_it_runs() {
    let (project, database) = with_a_table("[deploy]\nstatement_lock_timeout_ms = 0\n");
    let block = |words: &str| {
        format!(
            "DO $$ BEGIN RAISE NOTICE '{words}'; PERFORM pg_advisory_xact_lock(4711); RAISE NOTICE 'done'; END $$;\n"
        )
    };
    for (name, sql) in [
        ("2_together", format!("SELECT 1;\n{}SELECT 2;\n", block("half way"))),
        ("3_own", format!("BEGIN;\n{}COMMIT;\n", block("half of it"))),
        (
            "4_alone",
            format!("-- tollgate:transaction off\n{}", block("half of that")),
        ),
    ] {
        project.migration(name, &sql);
        let mut other = database.session("other");
        other.run("SELECT pg_advisory_lock(4711);");
        let deploy = Running::start(&project, &["deploy"]);
        deploy.says(&format!("{name}: NOTICE: half "));
        other.run("SELECT pg_advisory_unlock(4711);");
        let outcome = deploy.end(&project);
        assert_eq!(outcome.status, Some(0), "{outcome}");
        assert_eq!(outcome.stderr.matches("NOTICE").count(), 2, "{outcome}");
    }
    let logs = "SELECT string_agg(logs, '' ORDER BY migration_name) FROM _prisma_migrations";
    assert_snapshot!(database.psql(logs), @"
    NOTICE at line 2: half way
    NOTICE at line 2: done
    NOTICE at line 2: half of it
    NOTICE at line 2: done
    NOTICE at line 2: half of that
    NOTICE at line 2: done
    ");
}

/// What commands say while somebody has locked a table, which has to be the same for all of them.
#[track_caller]
fn kept_from(table: &str, commands: &[&[&str]]) -> String {
    let kept = |arguments: &[&str]| {
        let (project, database) = with_a_table("");
        project.migration("2_b", "CREATE TABLE b (id int);\n");
        let mut other = database.session("vacuum");
        other.run(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;"));
        let outcome = project.run(arguments);
        other.run("ROLLBACK;");
        assert_eq!(database.psql("SELECT to_regclass('b') IS NULL").trim(), "t");
        project.succeed(&["deploy"]);
        in_a_line(&said(&outcome))
    };
    let said: BTreeSet<String> = std::thread::scope(|scope| {
        let running: Vec<_> = commands.iter().map(|one| scope.spawn(|| kept(one))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    said.into_iter().collect::<Vec<_>>().join("\n")
}

#[test]
fn who_has_locked_the_ledger_is_named() {
    let commands: [&[&str]; 5] = [
        &["status"],
        &["deploy"],
        &["deploy", "--dry-run"],
        &["rollback", "--force"],
        &["resolve", "--applied", "2_b"],
    ];
    assert_snapshot!(kept_from("_prisma_migrations", &commands), @r#"status: 1 -- stderr database × failed to read the migration ledger: kept waiting for [duration] by session [number] help: wait until session [number] (user postgres, application vacuum, idle in transaction, open for [duration], last query [duration] ago: "SELECT ?;") is done, or end it with SELECT pg_terminate_backend([number]), then run the command again the database now: nothing was changed"#);
}

#[test]
fn who_has_locked_our_own_tables_is_named() {
    let commands: [&[&str]; 3] = [&["status"], &["deploy"], &["rollback", "--force"]];
    assert_snapshot!(kept_from("tollgate.__diesel_schema_migrations", &commands), @r#"status: 1 -- stderr database × failed to look for Tollgate's own tables: kept waiting for [duration] by session [number] help: wait until session [number] (user postgres, application vacuum, idle in transaction, open for [duration], last query [duration] ago: "SELECT ?;") is done, or end it with SELECT pg_terminate_backend([number]), then run the command again the database now: nothing was changed"#);
}
