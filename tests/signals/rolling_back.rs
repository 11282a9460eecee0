//! In the middle of a rollback.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::support::{Running, Stage, WAIT};

fn stage() -> Stage {
    let stage = Stage::new();
    stage
        .project
        .migration("2_b", "CREATE TABLE c (id integer);\nCREATE TABLE e (id integer);\n")
        .file(
            "migrations/2_b/down.sql",
            &format!("{WAIT}DROP TABLE b;\nDROP TABLE c;\nDROP TABLE e;\n"),
        )
        .migration("3_d", "CREATE TABLE d (id integer);\n")
        .file("migrations/3_d/down.sql", "DROP TABLE d;\n");
    stage.project.succeed(&["deploy"]);
    stage
}

const BACK: [&str; 4] = ["rollback", "--steps", "2", "--force"];

/// What is left is taken back by the same command, and can be applied again.
#[track_caller]
fn goes_back(stage: &Stage) {
    stage.lock_is_free();
    stage.project.succeed(&["rollback", "--force"]);
    assert_eq!(stage.tables(), "a");
    stage.goes_on();
    assert_eq!(stage.tables(), "a c d e");
}

#[test]
fn asked_once_it_is_as_it_was_after_the_statement() {
    let stage = stage();
    let [first, second] = stage.hold();
    let rollback = Running::start(&stage.project, &BACK);
    stage.waits();
    rollback.ask(Signal::INT);
    stage.waits();
    first.end();
    assert_snapshot!(rollback.end(&stage.project), @"
    status: 130
    -- stdout
    taken back 3_d [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × 2_b: taking it back was interrupted: statement 2 was cancelled
      help: run the command again: it does the rest; `--steps` counts from what is applied now: give 1
            less
      the database now: 1 migration was taken back before; 2_b is applied as it was; nothing of its rollback was kept
    ");
    assert_eq!(stage.tables(), "a c e");
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: applied, steps 1
    3_d: rolled back, steps 1
    deploy: succeeded
    rollback: interrupted
    ");
    second.end();
    goes_back(&stage);
}

#[test]
fn asked_twice_the_statement_is_cancelled() {
    let stage = stage();
    let [first, second] = stage.hold();
    let rollback = Running::start(&stage.project, &BACK);
    stage.waits();
    rollback.ask(Signal::TERM);
    rollback.ask_again("cancelling");
    assert_snapshot!(rollback.end(&stage.project), @"
    status: 143
    -- stdout
    taken back 3_d [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    interrupted

      × 2_b: taking it back was interrupted: statement 1 was cancelled
      help: run the command again: it does the rest; `--steps` counts from what is applied now: give 1
            less
      the database now: 1 migration was taken back before; 2_b is applied as it was; nothing of its rollback was kept
    ");
    assert_eq!(stage.tables(), "a c e");
    assert_snapshot!(stage.recorded(), @"
    1_a: applied, steps 1
    2_b: applied, steps 1
    3_d: rolled back, steps 1
    deploy: succeeded
    rollback: interrupted
    ");
    first.end();
    second.end();
    goes_back(&stage);
}
