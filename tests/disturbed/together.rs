//! Deploys that begin at the same moment: one applies, the others find nothing left to do.

use std::process::{Command, Stdio};

use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_testing::sqlite_file;
use tollgate_tests::Project;

use crate::database::Database;
use crate::running::{Ended, Running, until};
use crate::steps::{self, Step};

/// How many begin at once.
const DEPLOYS: usize = 8;

fn project(url: &str, steps: &[Step]) -> Project {
    let mut project = Project::new();
    project.set("DATABASE_URL", url);
    steps::write(&project, steps);
    project
}

/// How many migrations a deploy says that it applied.
fn applied(ended: &Ended) -> usize {
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let outcome = document["outcome"].as_str().unwrap().to_owned();
    let applied = document["applied"].as_array().unwrap().len();
    let expected = if applied == 0 { "up-to-date" } else { "deployed" };
    assert_eq!(outcome, expected, "{}", ended.text());
    applied
}

/// One has applied everything, the others nothing.
fn assert_one_applied(mut applied: Vec<usize>, steps: &[Step]) {
    applied.sort_unstable();
    let mut expected = vec![0; applied.len() - 1];
    expected.push(steps.len());
    assert_eq!(applied, expected);
}

/// Whoever has tried to take the lock, in vain: those who ask again and again, and those who stand in line.
fn waiting_for_the_lock(database: &TestDatabase<'_>) -> usize {
    let waiting = database.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND application_name <> 'holder' AND query LIKE '%advisory%'",
    );
    waiting.trim().parse().unwrap()
}

#[test]
fn one_of_eight_deploys_to_postgres_applies() {
    let database = cluster().database();
    let steps = steps::for_postgres();
    let project = project(&database.url(), &steps);
    // Nobody begins before all are there.
    let mut holder = database.session("holder");
    holder.run("SELECT pg_advisory_lock(72707369);");
    let deploys: Vec<Running> = (0..DEPLOYS)
        .map(|_| Running::start(&project, &["deploy", "--format", "json"]))
        .collect();
    until("all wait for the lock", || waiting_for_the_lock(&database) == DEPLOYS);
    holder.run("SELECT pg_advisory_unlock(72707369);");
    let ended: Vec<Ended> = deploys.into_iter().map(Running::end).collect();
    assert_one_applied(ended.iter().map(applied).collect(), &steps);
    let database = Database::Postgres(database);
    database.seen().assert_complete(&steps, "eight at once");
}

#[test]
fn one_of_eight_deploys_applies_where_there_is_no_database_yet() {
    let database = cluster().database();
    let (url, name) = (database.url(), &database.name);
    cluster().admin(&format!("DROP DATABASE {name}")).unwrap();
    let steps = steps::for_postgres();
    let project = project(&url, &steps);
    let deploys: Vec<Running> = (0..DEPLOYS)
        .map(|_| Running::start(&project, &["deploy", "--format", "json"]))
        .collect();
    let ended: Vec<Ended> = deploys.into_iter().map(Running::end).collect();
    assert_one_applied(ended.iter().map(applied).collect(), &steps);
    let database = Database::Postgres(database);
    database.seen().assert_complete(&steps, "eight at once, no database");
}

#[test]
fn one_of_eight_deploys_to_sqlite_applies() {
    let file = sqlite_file();
    let steps = steps::for_sqlite();
    let project = project(&file.url(), &steps);
    let deploys: Vec<Running> = (0..DEPLOYS)
        .map(|_| Running::start(&project, &["deploy", "--format", "json"]))
        .collect();
    let ended: Vec<Ended> = deploys.into_iter().map(Running::end).collect();
    assert_one_applied(ended.iter().map(applied).collect(), &steps);
    Database::Sqlite(file).seen().assert_complete(&steps, "eight at once");
}

/// Starts the real Prisma where there is one: `$TOLLGATE_PRISMA DIR migrate deploy`.
fn prisma(project: &Project, url: &str) -> Option<Command> {
    let Some(program) = std::env::var_os("TOLLGATE_PRISMA") else {
        println!("skipped: TOLLGATE_PRISMA names no program that runs Prisma");
        return None;
    };
    let mut command = Command::new(program);
    command
        .arg(project.path())
        .args(["migrate", "deploy"])
        .env("DATABASE_URL", url)
        .stdin(Stdio::null());
    Some(command)
}

/// What Prisma applies as we do: it sends a file as one message, and waits for the lock in a way that holds up CREATE INDEX
/// CONCURRENTLY.
fn for_prisma() -> Vec<Step> {
    let mut steps = steps::for_postgres();
    steps.retain(|step| {
        ["first", "plain", "own", "owns", "block", "wide"]
            .iter()
            .any(|kind| step.name[3..] == **kind)
    });
    steps
}

/// Who gets to begin first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// Whoever starts fastest.
    Anybody,
    /// Those who have stood in line for the lock longest.
    InLine,
}

#[test]
fn one_of_eight_deploys_applies_with_prisma_among_them() {
    let steps = for_prisma();
    for first in [First::Anybody, First::InLine, First::Anybody, First::InLine] {
        let database = cluster().database();
        let project = project(&database.url(), &steps);
        let Some(mut command) = prisma(&project, &database.url()) else {
            return;
        };
        let mut holder = database.session("holder");
        if first == First::InLine {
            holder.run("SELECT pg_advisory_lock(72707369);");
        }
        // Theirs give up after ten seconds, so only three: they start slowly.
        let theirs: Vec<Running> = (0..3).map(|_| Running::start_command(&mut command)).collect();
        let ours: Vec<Running> = (theirs.len()..DEPLOYS)
            .map(|_| Running::start(&project, &["deploy", "--format", "json"]))
            .collect();
        if first == First::InLine {
            until("all wait for the lock", || waiting_for_the_lock(&database) == DEPLOYS);
            holder.run("SELECT pg_advisory_unlock(72707369);");
        }
        let ours: Vec<Ended> = ours.into_iter().map(Running::end).collect();
        let theirs: Vec<Ended> = theirs.into_iter().map(Running::end).collect();
        let ours = ours.iter().map(applied);
        let theirs = theirs.iter().map(|ended| applied_by_prisma(ended, steps.len()));
        let applied: Vec<usize> = ours.chain(theirs).collect();
        println!("{first:?}: five of ours and three of theirs applied {applied:?}");
        assert_one_applied(applied, &steps);
        Database::Postgres(database)
            .seen()
            .assert_complete(&steps, "with Prisma");
    }
}

/// How many migrations Prisma says that it applied, all or none.
fn applied_by_prisma(ended: &Ended, all: usize) -> usize {
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    if ended.stdout.contains("No pending migrations to apply.") {
        return 0;
    }
    assert!(
        ended.stdout.contains("All migrations have been successfully applied."),
        "{}",
        ended.text()
    );
    all
}
