//! Previews that are stopped, and what dead ones leave.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use tollgate_testing::postgres::{Cluster, Setup, TestDatabase};
use tollgate_tests::Project;

use super::{scratch_databases, text};

/// Longer than anything here takes.
const FOR_EVER: Duration = Duration::from_mins(1);

#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < FOR_EVER, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn project(database: &TestDatabase<'_>) -> Project {
    let mut project = super::project("");
    project.set("DATABASE_URL", &database.url());
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    project.migration("2_wait", "SELECT pg_sleep(3600);\n");
    project
}

/// A preview in the middle of a statement.
fn started(project: &Project, database: &TestDatabase<'_>) -> Child {
    let mut command = project.command(&["preview", "--skip-rollbacks"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    until("it sleeps", || database.psql(query).trim() != "0");
    child
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

fn end(project: &Project, child: Child) -> String {
    text(&project.outcome(&child.wait_with_output().unwrap()))
}

#[test]
fn one_that_is_interrupted_leaves_nothing() {
    let alone = Cluster::start(&Setup::default()).unwrap();
    let database = alone.database();
    let project = project(&database);
    let mut said = String::new();
    for signal in [Signal::INT, Signal::TERM] {
        let child = started(&project, &database);
        assert_eq!(scratch_databases(&database).len(), 1);
        send(&child, signal);
        said += &end(&project, child);
        assert_eq!(scratch_databases(&database), [""; 0]);
    }
    assert_snapshot!(said, @"
    status: 130
    -- stdout
    applied 1_a [duration]
    -- stderr
    stopping
    interrupted

      × 2_wait: applying it was interrupted: statement 1 was cancelled
      the database now: the scratch database is gone; no other database was changed

    status: 143
    -- stdout
    applied 1_a [duration]
    -- stderr
    stopping
    interrupted

      × 2_wait: applying it was interrupted: statement 1 was cancelled
      the database now: the scratch database is gone; no other database was changed
    ");
}

#[test]
fn one_that_is_killed_leaves_a_database_that_the_next_removes() {
    let alone = Cluster::start(&Setup::default()).unwrap();
    let database = alone.database();
    let project = project(&database);
    let mine = "tollgate_preview_0123456789abcdef";
    database.psql(&format!("CREATE DATABASE {mine}"));
    let child = started(&project, &database);
    let both = scratch_databases(&database);
    assert_eq!(both.len(), 2);
    // One that lives is nobody's leftover.
    let second = self::project(&database);
    std::fs::remove_dir_all(second.path().join("migrations/2_wait")).unwrap();
    second.succeed(&["preview"]);
    assert_eq!(scratch_databases(&database), both);
    send(&child, Signal::KILL);
    let killed = child.wait_with_output().unwrap();
    assert_eq!(killed.status.code(), None);
    // The server notices by itself that nobody listens; the statement may go on for a while.
    let leave = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> current_database() \
                 AND application_name LIKE 'tollgate%'";
    database.psql(leave);
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    until("its sessions are over", || database.psql(locks).trim() == "0");
    assert_eq!(scratch_databases(&database), both);
    assert_snapshot!(text(&second.run(&["preview"])), @"
    status: 0
    -- stdout
    applied 1_a [duration], taken back [duration] (loses the rows written to a since)
    1 migration checked: nothing found
    1 migration went through in [duration]
    -- stderr
    removed 1 scratch database that a dead run had left
    ");
    assert_eq!(scratch_databases(&database), [mine]);
}

#[test]
fn an_sqlite_file_goes_with_an_interrupt_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut project = super::project("");
    project.set("DATABASE_URL", "file:./app.db");
    project.set("TMPDIR", &folder.path().display().to_string());
    project.migration("1_a", "CREATE TABLE a (id INTEGER);\n");
    // Long enough for a signal to come in between.
    for number in 2..400 {
        project.migration(
            &format!("{number}_t"),
            &format!("CREATE TABLE t{number} (id INTEGER);\n"),
        );
    }
    let mut command = project.command(&["preview"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let count = || std::fs::read_dir(folder.path()).unwrap().count();
    until("the file is there", || count() > 0);
    send(&child, Signal::INT);
    let mut drained = String::new();
    child.stdout.take().unwrap().read_to_string(&mut drained).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(count(), 0);
}
