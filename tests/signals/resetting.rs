//! In the middle of a reset: everything is dropped, or nothing is.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::support::{Running, Session, Stage, until};

/// A development database whose one table somebody uses.
fn stage() -> (Stage, Session) {
    let stage = Stage::new();
    stage.project.file(
        "tollgate.toml",
        "development = true\n[deploy]\nstatement_lock_timeout_ms = 0\n",
    );
    stage.project.succeed(&["deploy"]);
    stage.database.psql("INSERT INTO a VALUES (1);");
    let user = Session::holding(&stage.database, "BEGIN; SELECT * FROM a;");
    (stage, user)
}

/// A reset that waits for whoever uses the table.
fn waiting(stage: &Stage) -> Running {
    let reset = Running::start(&stage.project, &["reset", "--force"]);
    stage.somebody("wait_event_type = 'Lock' AND query LIKE 'DROP%'");
    reset
}

#[track_caller]
fn keeps_everything(stage: &Stage) {
    assert_eq!(stage.database.psql("SELECT id FROM a"), "1\n");
    let kept = stage.database.psql("SELECT count(*) FROM tollgate.runs");
    assert_eq!(kept, "1\n", "what is known of the ledger");
    stage.goes_on();
}

#[test]
fn asked_once_it_drops_nothing() {
    let (stage, user) = stage();
    let reset = waiting(&stage);
    reset.ask(Signal::TERM);
    user.end();
    assert_snapshot!(reset.end(&stage.project), @r#"
    status: 143
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 1 table or view (public.a)
    applies 1 migration
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × interrupted before anything was done
      help: run the command again: it does the rest
      the database now: nothing was changed
    "#);
    keeps_everything(&stage);
}

#[test]
fn asked_twice_it_waits_no_longer() {
    let (stage, user) = stage();
    let reset = waiting(&stage);
    reset.ask(Signal::INT);
    reset.ask_again("cancelling");
    assert_snapshot!(reset.end(&stage.project), @r#"
    status: 130
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 1 table or view (public.a)
    applies 1 migration
    -- stderr
    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    interrupted

      × interrupted before anything was done
      help: run the command again: it does the rest
      the database now: nothing was changed
    "#);
    keeps_everything(&stage);
    user.end();
}

#[test]
fn killed_it_drops_nothing() {
    let (stage, user) = stage();
    let reset = waiting(&stage);
    reset.send(Signal::KILL);
    drop(reset);
    user.end();
    // The server notices that nobody is there any more.
    until("its session is gone", || {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tollgate'";
        stage.database.psql(others) == "0\n"
    });
    keeps_everything(&stage);
    stage.project.succeed(&["reset", "--force"]);
    assert_eq!(stage.database.psql("SELECT count(*) FROM a"), "0\n");
}

/// Once everything is dropped, the rest is a deploy like any other.
#[test]
fn what_is_empty_is_filled_by_a_deploy_or_another_reset() {
    for next in ["deploy", "reset"] {
        let (stage, user) = stage();
        user.end();
        stage.project.file(
            "migrations/1_a/migration.sql",
            "CREATE TABLE a AS SELECT 1 AS id FROM pg_advisory_xact_lock(4711);\n",
        );
        let [first, second] = stage.hold();
        let reset = Running::start(&stage.project, &["reset", "--force"]);
        stage.waits();
        reset.send(Signal::KILL);
        drop(reset);
        drop(second);
        first.end();
        stage.lock_is_free();
        let arguments: &[&str] = if next == "reset" {
            &["reset", "--force"]
        } else {
            &["deploy"]
        };
        stage.project.succeed(arguments);
        assert_eq!(stage.tables(), "a");
        stage.goes_on();
    }
}

/// All migrations are applied, and that is not yet everything.
#[test]
fn asked_at_the_last_migration_it_does_not_seed() {
    let stage = Stage::new();
    let limits = "[deploy]\nstatement_lock_timeout_ms = 0\n";
    let configuration = format!("development = true\n{limits}[seed]\nfiles = [\"seed.sql\"]\n");
    stage
        .project
        .file("tollgate.toml", &configuration)
        .file("seed.sql", "INSERT INTO a VALUES (1);\n")
        .migration(
            "1_a",
            "CREATE TABLE a AS SELECT 2 AS id FROM pg_advisory_xact_lock(4711);\n",
        );
    stage.project.succeed(&["deploy"]);
    let [first, _second] = stage.hold();
    let reset = Running::start(&stage.project, &["reset", "--force"]);
    stage.waits();
    reset.ask(Signal::TERM);
    first.end();
    assert_snapshot!(reset.end(&stage.project), @r#"
    status: 143
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    drops everything: 1 table or view (public.a)
    applies 1 migration, then seeds
    dropped everything
    applied 1_a [duration]
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × interrupted before the database was seeded
      help: run `tollgate seed`: it does the rest
      the database now: everything that was there was dropped; 1 migration of this run is in and recorded
    "#);
    assert_eq!(stage.database.psql("SELECT id FROM a"), "2\n");
    stage.project.succeed(&["seed"]);
    stage.goes_on();
}
