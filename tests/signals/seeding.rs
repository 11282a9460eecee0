//! In the middle of a seed: each of its files is in as a whole, or not at all.

use insta::assert_snapshot;
use rustix::process::Signal;
use tollgate_tests::Outcome;

use crate::support::{Running, Stage, WAIT};

fn stage() -> Stage {
    let stage = Stage::new();
    stage
        .project
        .file("tollgate.toml", "[seed]\nfiles = [\"seed/*.sql\"]\n")
        .file("seed/1.sql", "INSERT INTO a VALUES (1);\n")
        .file(
            "seed/2.sql",
            &format!("{WAIT}INSERT INTO a VALUES (2);\nDROP TABLE b;\n"),
        );
    stage.project.succeed(&["deploy"]);
    stage
}

#[track_caller]
fn keeps_the_first_file(stage: &Stage, outcome: &Outcome) -> String {
    assert_eq!(stage.database.psql("SELECT id FROM a").trim(), "1", "{outcome}");
    assert_eq!(stage.tables(), "a", "{outcome}");
    stage.lock_is_free();
    outcome.to_string()
}

#[test]
fn asked_once_it_stops_after_the_statement() {
    let stage = stage();
    let [first, second] = stage.hold();
    let seed = Running::start(&stage.project, &["seed", "--force"]);
    stage.waits();
    seed.ask(Signal::TERM);
    stage.waits();
    first.end();
    assert_snapshot!(keeps_the_first_file(&stage, &seed.end(&stage.project)), @"
    status: 143
    -- stdout
    seeded seed/1.sql [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × seed/2.sql: interrupted
      help: run the command again: it runs all files
      the database now: the file before it is in; nothing of this file was kept
    ");
    second.end();
    stage.project.succeed(&["seed", "--force"]);
    stage.goes_on();
}

#[test]
fn asked_twice_the_statement_is_cancelled() {
    let stage = stage();
    let [first, second] = stage.hold();
    let seed = Running::start(&stage.project, &["seed", "--force"]);
    stage.waits();
    seed.ask(Signal::INT);
    seed.ask_again("cancelling");
    assert_snapshot!(keeps_the_first_file(&stage, &seed.end(&stage.project)), @"
    status: 130
    -- stdout
    seeded seed/1.sql [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    interrupted

      × seed/2.sql: interrupted: statement 1 was cancelled
      help: run the command again: it runs all files
      the database now: the file before it is in; nothing of this file was kept
    ");
    first.end();
    second.end();
    stage.project.succeed(&["seed", "--force"]);
    stage.goes_on();
}

#[test]
fn asked_at_the_last_statement_of_all_everything_is_in_and_it_says_so() {
    let stage = stage();
    stage
        .project
        .file("seed/2.sql", "SELECT pg_advisory_xact_lock(4711);\n");
    let [first, _second] = stage.hold();
    let seed = Running::start(&stage.project, &["seed", "--force"]);
    stage.waits();
    seed.ask(Signal::TERM);
    first.end();
    assert_snapshot!(keeps_the_first_file(&stage, &seed.end(&stage.project)), @"
    status: 143
    -- stdout
    seeded seed/1.sql [duration]
    seeded seed/2.sql [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × interrupted when everything was done
      the database now: the 2 seed files are in
    ");
}

/// What is left then is the command.
#[test]
fn asked_at_the_last_file_the_command_does_not_begin() {
    let stage = stage();
    let seed = "[seed]\nfiles = [\"seed/*.sql\"]\ncommand = \"touch begun\"\n";
    stage
        .project
        .file("tollgate.toml", seed)
        .file("seed/2.sql", "SELECT pg_advisory_xact_lock(4711);\n");
    let [first, _second] = stage.hold();
    let seed = Running::start(&stage.project, &["seed", "--force"]);
    stage.waits();
    seed.ask(Signal::INT);
    first.end();
    let outcome = seed.end(&stage.project);
    assert_eq!(outcome.status, Some(130), "{outcome}");
    assert!(
        outcome.stderr.contains("the seed command touch begun was started"),
        "{outcome}"
    );
    assert!(
        outcome.stderr.contains("the database now: the 2 seed files are in\n"),
        "{outcome}"
    );
    assert!(!stage.project.path().join("begun").exists(), "{outcome}");
}
