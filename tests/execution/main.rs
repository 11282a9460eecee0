//! How a script runs, through the program: what files say about themselves, limits, what servers say on the side, who
//! stands in the way, failures in the middle, lost connections.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

mod blockers;
mod durability;
mod failing;
mod limits;
mod lost;
mod notices;
mod pragmas;
mod prepared;
#[path = "../signals/support.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod support;
mod waiting;

use std::time::{Duration, Instant};

use regex::Regex;
use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_testing::{SqliteFile, sqlite_file};
use tollgate_tests::{Outcome, Project};

/// Nobody judges and nobody is told: these tests are about running.
const ALONE: &str = "[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n[plugins.rollback]\nenabled = false\n";

/// A project and its database on a server.
fn postgres() -> (Project, TestDatabase<'static>) {
    let database = cluster().database();
    let mut project = Project::new();
    project
        .set("DATABASE_URL", &database.url())
        .file("tollgate.toml", ALONE);
    (project, database)
}

/// A project and its database in a file.
fn sqlite() -> (Project, SqliteFile) {
    let file = sqlite_file();
    let mut project = Project::new();
    project.set("DATABASE_URL", &file.url()).file("tollgate.toml", ALONE);
    (project, file)
}

/// What a run said, without the numbers that servers give to sessions.
fn said(outcome: &Outcome) -> String {
    let session = Regex::new(r"session \d+").unwrap();
    let end = Regex::new(r"pg_terminate_backend\(\d+\)").unwrap();
    let text = session
        .replace_all(&outcome.to_string(), "session [number]")
        .into_owned();
    end.replace_all(&text, "pg_terminate_backend([number])").into_owned()
}

/// Runs a command and gives what it said, as a person sees it.
fn run(project: &Project, arguments: &[&str]) -> String {
    said(&project.run(arguments))
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_mins(1), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
