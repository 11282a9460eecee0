//! At a statement outside a transaction: an index that is built concurrently waits for everybody who was there before.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::support::{Running, Session, Stage};

/// An index in the middle of a file, and an old transaction that it waits for.
fn stage() -> (Stage, Session) {
    let stage = Stage::new();
    stage.project.succeed(&["deploy"]);
    stage
        .project
        .migration(
            "2_b",
            "CREATE TABLE b (id integer);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nCREATE TABLE c (id integer);\n",
        )
        .migration("3_d", "CREATE TABLE d (id integer);\n");
    let old = Session::holding(
        &stage.database,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class LIMIT 1;",
    );
    (stage, old)
}

const BUILDING: &str = "wait_event_type = 'Lock' AND query LIKE '%CONCURRENTLY%'";

#[test]
fn asked_once_the_statement_is_finished_and_the_next_deploy_goes_on() {
    let (stage, old) = stage();
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.somebody(BUILDING);
    deploy.ask(Signal::INT);
    stage.somebody(BUILDING);
    old.end();
    assert_snapshot!(deploy.end(&stage.project), @"
    status: 130
    -- stderr
    safety::concurrent-with-other-statements

      ⚠ runs CREATE INDEX CONCURRENTLY in a file with 2 other statements, which is then applied in
      │ parts and not at all by Prisma Migrate
       ╭─[migrations/2_b/migration.sql:2:1]
     1 │ CREATE TABLE b (id integer);
     2 │ CREATE INDEX CONCURRENTLY a_id ON a (id);
       · ────────────────────┬───────────────────
       ·                     ╰── medium
     3 │ CREATE TABLE c (id integer);
       ╰────
      help: give it a migration of its own
            fix: move the rest to a following migration

    stopping after the statement that runs; once more cancels it
    interrupted

      × 2_b: applying it was interrupted
      help: run `tollgate deploy`: it goes on after what is in
      the database now: the first 2 of 3 statements are in, up to line 2
    ");
    assert_eq!((&*stage.tables(), &*stage.indexes()), ("a b", "a_id"));
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: unfinished, steps 2
    deploy: succeeded
    deploy: interrupted
    ");
    assert_snapshot!(stage.project.run(&["status"]), @r#"
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_a
    interrupted 2_b  its run ended in the middle; 2 of 3 statements are in; line 3 comes next
    pending     3_d
    3 migrations: 1 applied, 1 interrupted, 1 pending; next: `tollgate deploy`
    "#);
    stage.goes_on();
    assert_eq!((&*stage.tables(), &*stage.indexes()), ("a b c d", "a_id"));
}

#[test]
fn asked_twice_it_is_cancelled_and_its_index_is_gone() {
    let (stage, old) = stage();
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.somebody(BUILDING);
    deploy.ask(Signal::INT);
    deploy.ask_again("cancelling");
    assert_snapshot!(deploy.end(&stage.project), @"
    status: 130
    -- stderr
    safety::concurrent-with-other-statements

      ⚠ runs CREATE INDEX CONCURRENTLY in a file with 2 other statements, which is then applied in
      │ parts and not at all by Prisma Migrate
       ╭─[migrations/2_b/migration.sql:2:1]
     1 │ CREATE TABLE b (id integer);
     2 │ CREATE INDEX CONCURRENTLY a_id ON a (id);
       · ────────────────────┬───────────────────
       ·                     ╰── medium
     3 │ CREATE TABLE c (id integer);
       ╰────
      help: give it a migration of its own
            fix: move the rest to a following migration

    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    2_b: dropped the invalid index public.a_id that a failed attempt left
    interrupted

      × 2_b: applying it was interrupted: statement 2 was cancelled
      help: run `tollgate deploy`: it goes on after what is in
      the database now: the first of 3 statements is in, up to line 1
    ");
    assert_eq!((&*stage.tables(), &*stage.indexes()), ("a b", ""));
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: unfinished, steps 1
    deploy: succeeded
    deploy: interrupted
    ");
    old.end();
    stage.goes_on();
    assert_eq!((&*stage.tables(), &*stage.indexes()), ("a b c d", "a_id"));
}

#[test]
fn an_index_that_cannot_be_dropped_now_is_dropped_by_the_next_deploy() {
    let (stage, old) = stage();
    old.end();
    // To drop it one has to wait for those who work on its table.
    let worker = Session::holding(&stage.database, "BEGIN; INSERT INTO a VALUES (1);");
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.somebody(BUILDING);
    deploy.ask(Signal::INT);
    deploy.ask_again("cancelling");
    assert_snapshot!(deploy.end(&stage.project), @"
    status: 130
    -- stderr
    safety::concurrent-with-other-statements

      ⚠ runs CREATE INDEX CONCURRENTLY in a file with 2 other statements, which is then applied in
      │ parts and not at all by Prisma Migrate
       ╭─[migrations/2_b/migration.sql:2:1]
     1 │ CREATE TABLE b (id integer);
     2 │ CREATE INDEX CONCURRENTLY a_id ON a (id);
       · ────────────────────┬───────────────────
       ·                     ╰── medium
     3 │ CREATE TABLE c (id integer);
       ╰────
      help: give it a migration of its own
            fix: move the rest to a following migration

    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    interrupted

      × 2_b: applying it was interrupted: statement 2 was cancelled
      help: run `tollgate deploy`: it goes on after what is in
      the database now: the first of 3 statements is in, up to line 1; the one on line 2 may have left something
    ");
    assert_eq!((&*stage.tables(), &*stage.indexes()), ("a b", "a_id (invalid)"));
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: unfinished, steps 1
    deploy: succeeded
    deploy: interrupted
    ");
    worker.end();
    stage.goes_on();
    assert_eq!((&*stage.tables(), &*stage.indexes()), ("a b c d", "a_id"));
}

#[test]
fn a_migration_that_came_to_its_end_counts_and_the_next_does_not_begin() {
    let (stage, old) = stage();
    stage.project.migration(
        "2_b",
        "CREATE TABLE b (id integer);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n",
    );
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.somebody(BUILDING);
    deploy.ask(Signal::TERM);
    old.end();
    assert_snapshot!(deploy.end(&stage.project), @"
    status: 143
    -- stdout
    applied 2_b [duration]
    -- stderr
    safety::concurrent-with-other-statements

      ⚠ runs CREATE INDEX CONCURRENTLY in a file with another statement, which is then applied in
      │ parts and not at all by Prisma Migrate
       ╭─[migrations/2_b/migration.sql:2:1]
     1 │ CREATE TABLE b (id integer);
     2 │ CREATE INDEX CONCURRENTLY a_id ON a (id);
       · ────────────────────┬───────────────────
       ·                     ╰── medium
       ╰────
      help: give it a migration of its own
            fix: move the rest to a following migration

    stopping after the statement that runs; once more cancels it
    interrupted

      × interrupted before 3_d
      help: run the command again: it does the rest
      the database now: 1 migration of this run is in and recorded; nothing of 3_d is in the database
    ");
    assert_eq!((&*stage.tables(), &*stage.indexes()), ("a b", "a_id"));
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: applied, steps 1
    deploy: succeeded
    deploy: interrupted
    ");
    stage.goes_on();
}

#[test]
fn everything_was_done_when_it_was_asked() {
    let (stage, old) = stage();
    stage
        .project
        .migration("2_b", "CREATE INDEX CONCURRENTLY a_id ON a (id);\n")
        .migration("3_d", "");
    let deploy = Running::start(&stage.project, &["deploy", "--to", "2_b"]);
    stage.somebody(BUILDING);
    deploy.ask(Signal::INT);
    old.end();
    assert_snapshot!(deploy.end(&stage.project), @"
    status: 130
    -- stdout
    applied 2_b [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × interrupted when everything was done
      the database now: 1 migration of this run is in and recorded
    ");
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: applied, steps 1
    deploy: succeeded
    deploy: succeeded
    ");
    stage.goes_on();
}

#[test]
fn asked_three_times_the_process_ends_and_the_next_deploy_finds_out() {
    let (stage, old) = stage();
    // Nothing cancels a session that is already ending a transaction it cannot end: a lock on the ledger holds up the
    // record of the statement.
    let ledger = Session::holding(&stage.database, "BEGIN; LOCK TABLE _prisma_migrations IN SHARE MODE;");
    let deploy = Running::start(&stage.project, &["deploy"]);
    stage.somebody("wait_event_type = 'Lock' AND query LIKE '%\\_prisma\\_migrations%'");
    deploy.ask(Signal::INT);
    deploy.ask_again("once more ends the program at once");
    deploy.send_again();
    let outcome = deploy.end(&stage.project);
    assert_eq!(outcome.status, Some(130), "{outcome}");
    ledger.end();
    old.end();
    stage.goes_on();
    assert_eq!((&*stage.tables(), &*stage.indexes()), ("a b c d", "a_id"));
}
