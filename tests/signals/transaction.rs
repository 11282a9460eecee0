//! In the middle of a transaction.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::support::{Running, Stage, WAIT};

fn stage() -> Stage {
    let stage = Stage::new();
    stage
        .project
        .migration("2_b", &format!("{WAIT}CREATE TABLE c (id integer);\n"))
        .migration("3_d", "CREATE TABLE d (id integer);\n");
    stage
}

#[test]
fn asked_once_it_is_rolled_back_after_the_statement() {
    let stage = stage();
    let [first, second] = stage.hold();
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    deploy.ask(Signal::INT);
    // It goes on waiting.
    stage.waits();
    first.end();
    assert_snapshot!(deploy.end(&stage.project), @"
    status: 130
    -- stdout
    applied 1_a [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × 2_b: applying it was interrupted: statement 2 was cancelled
      help: run `tollgate deploy`: it does the rest
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database
    ");
    assert_eq!(stage.tables(), "a");
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: rolled back, steps 0, logs: The migration was interrupted before it was complete.  Migration name: 2_b  interrupted: statement 2 was cancelled
    deploy: interrupted
    ");
    second.end();
    stage.goes_on();
    assert_eq!(stage.tables(), "a b c d");
}

#[test]
fn asked_twice_the_statement_is_cancelled() {
    let stage = stage();
    let [first, second] = stage.hold();
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    deploy.ask(Signal::INT);
    deploy.ask_again("cancelling");
    assert_snapshot!(deploy.end(&stage.project), @"
    status: 130
    -- stdout
    applied 1_a [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    interrupted

      × 2_b: applying it was interrupted: statement 1 was cancelled
      help: run `tollgate deploy`: it does the rest
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database
    ");
    assert_eq!(stage.tables(), "a");
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: rolled back, steps 0, logs: The migration was interrupted before it was complete.  Migration name: 2_b  interrupted: statement 1 was cancelled
    deploy: interrupted
    ");
    first.end();
    second.end();
    stage.goes_on();
    assert_eq!(stage.tables(), "a b c d");
}

#[test]
fn a_program_reads_what_was_interrupted() {
    let stage = stage();
    let [first, second] = stage.hold();
    let deploy = Running::start(&stage.project, &["deploy", "--format", "json"]);
    stage.waits();
    // Nothing is said meanwhile. The first one is what ends it.
    deploy.send(Signal::TERM);
    deploy.send_again();
    assert_snapshot!(deploy.end(&stage.project), @r#"
    status: 143
    -- stdout
    {
      "version": 1,
      "command": "deploy",
      "warnings": [],
      "status": 143,
      "errors": [
        {
          "level": "error",
          "code": "interrupted",
          "message": "2_b: applying it was interrupted: statement 1 was cancelled",
          "place": null,
          "help": "run `tollgate deploy`: it does the rest",
          "database": "1 migration of this run is in and recorded; nothing of it is in the database"
        }
      ],
      "finished": [
        "1_a"
      ]
    }
    "#);
    first.end();
    second.end();
    stage.goes_on();
}

#[test]
fn a_transaction_of_the_files_own_is_rolled_back() {
    let stage = Stage::new();
    stage
        .project
        .migration("2_b", &format!("BEGIN;\n{WAIT}CREATE TABLE c (id integer);\nCOMMIT;\n"));
    let [first, second] = stage.hold();
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    deploy.ask(Signal::TERM);
    first.end();
    assert_snapshot!(deploy.end(&stage.project), @"
    status: 143
    -- stdout
    applied 1_a [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × 2_b: applying it was interrupted
      help: run `tollgate deploy`: it does the rest
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database
    ");
    assert_eq!(stage.tables(), "a");
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: rolled back, steps 0, logs: The migration was interrupted before it was complete.  Migration name: 2_b  interrupted
    deploy: interrupted
    ");
    second.end();
    stage.goes_on();
    assert_eq!(stage.tables(), "a b c");
}

#[test]
fn a_statement_that_somebody_else_cancels_has_failed() {
    let stage = stage();
    let [first, second] = stage.hold();
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.waits();
    stage
        .database
        .psql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'advisory'");
    assert_snapshot!(deploy.end(&stage.project), @r#"
    status: 1
    -- stdout
    applied 1_a [duration]
    -- stderr
    migration-failed

      × migration "2_b" failed: canceling statement due to user request
       ╭─[migrations/2_b/migration.sql:1:1]
     1 │ CREATE TABLE b AS SELECT 1 AS id FROM pg_advisory_xact_lock(4711);
       · ────────────────────────────────┬────────────────────────────────
       ·                                 ╰── canceling statement due to user request
     2 │ SELECT pg_advisory_xact_lock(4712);
       ╰────
      help: SQLSTATE: 57014
            mend the file, then run `tollgate deploy`
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database
    "#);
    first.end();
    second.end();
    stage.goes_on();
}

#[test]
fn a_retry_does_not_wait() {
    let stage = Stage::new();
    stage.project.file(
        "tollgate.toml",
        "[deploy]\nstatement_lock_timeout_ms = 50\nretries = 1000\n",
    );
    stage.project.succeed(&["deploy"]);
    stage.project.migration("2_b", "ALTER TABLE a ADD COLUMN b text;\n");
    let held = crate::support::Session::holding(&stage.database, "BEGIN; LOCK TABLE a IN ACCESS SHARE MODE;");
    let deploy = Running::start(&stage.project, &["deploy"]);
    // Later pauses last seconds.
    deploy.says("attempt 6 in");
    deploy.ask(Signal::TERM);
    let outcome = deploy.end(&stage.project);
    assert_eq!(outcome.status, Some(143), "{outcome}");
    assert!(outcome.stderr.contains("2_b: applying it was interrupted"), "{outcome}");
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: rolled back, steps 0, logs: The migration was interrupted before it was complete.  Migration name: 2_b  interrupted
    deploy: succeeded
    deploy: interrupted
    ");
    held.end();
    stage.goes_on();
}
