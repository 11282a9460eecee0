//! The same on `SQLite`, where the library is asked to end a statement.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;
use rustix::process::Signal;
use tollgate_testing::{SqliteFile, sqlite_file};
use tollgate_tests::Project;

use crate::support::{Running, until};

/// A project whose second migration has this to select in its first statement.
fn stage(select: &str) -> (SqliteFile, Project) {
    let file = sqlite_file();
    let mut project = Project::new();
    project.set("DATABASE_URL", &file.url());
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    second(&project, select);
    project.succeed(&["deploy", "--to", "1_a"]);
    (file, project)
}

fn second(project: &Project, select: &str) {
    let sql = format!("CREATE TABLE b AS {select};\nCREATE TABLE c (id integer);\n");
    project.migration("2_b", &sql);
}

/// Counts so far: some ten millions a second.
fn counting(count: u32) -> String {
    format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT max(i) AS id FROM n"
    )
}

/// Waits until a transaction has begun to write.
fn writes(file: &SqliteFile) {
    let journal = file.path().with_extension("db-journal");
    until("a journal is there", || journal.exists());
}

fn tables(file: &SqliteFile) -> String {
    let tables = file
        .sqlite3("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY 1");
    tables.lines().collect::<Vec<_>>().join(" ")
}

fn recorded(file: &SqliteFile) -> String {
    file.sqlite3(
        "SELECT migration_name, finished_at IS NOT NULL, rolled_back_at IS NOT NULL, replace(logs, char(10), ' ') FROM \
         _prisma_migrations ORDER BY started_at, migration_name",
    )
}

#[track_caller]
fn goes_on(file: &SqliteFile, project: &Project) {
    // Nothing of it is in, so it may be another one now.
    second(project, "SELECT 1 AS id");
    project.succeed(&["deploy"]);
    assert_eq!(tables(file), "a b c");
    let applied = file.sqlite3(
        "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY 1",
    );
    assert_eq!(applied, "1_a\n2_b\n");
    project.succeed(&["status"]);
}

/// A command that is asked twice to stop while its first statement runs.
#[track_caller]
fn asked_twice(file: &SqliteFile, project: &Project, arguments: &[&str], signal: Signal) -> Running {
    let running = Running::start(project, arguments);
    writes(file);
    running.ask(signal);
    running.ask_again("cancelling");
    running
}

#[test]
fn asked_once_it_is_rolled_back_after_the_statement() {
    let (file, project) = stage(&counting(60_000_000));
    let deploy = Running::start(&project, &["deploy"]);
    writes(&file);
    deploy.ask(Signal::INT);
    assert_snapshot!(deploy.end(&project), @"
    status: 130
    -- stderr
    stopping after the statement that runs; once more cancels it
    interrupted

      × 2_b: applying it was interrupted
      help: run `tollgate deploy`: it does the rest
      the database now: nothing of it is in the database
    ");
    assert_eq!(tables(&file), "a");
    assert_snapshot!(recorded(&file), @"
    1_a|1|0|
    2_b|0|1|The migration was interrupted before it was complete.  Migration name: 2_b  interrupted
    ");
    goes_on(&file, &project);
}

#[test]
fn asked_twice_the_statement_is_cancelled() {
    let (file, project) = stage(&counting(2_000_000_000));
    let deploy = asked_twice(&file, &project, &["deploy"], Signal::INT);
    assert_snapshot!(deploy.end(&project), @"
    status: 130
    -- stderr
    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    interrupted

      × 2_b: applying it was interrupted: statement 1 was cancelled
      help: run `tollgate deploy`: it does the rest
      the database now: nothing of it is in the database
    ");
    assert_eq!(tables(&file), "a");
    assert_snapshot!(recorded(&file), @"
    1_a|1|0|
    2_b|0|1|The migration was interrupted before it was complete.  Migration name: 2_b  interrupted: statement 1 was cancelled
    ");
    goes_on(&file, &project);
}

/// The library asks between the steps of a statement whether to go on, and these take long.
#[test]
fn asked_three_times_the_process_ends_and_nothing_is_left() {
    let (file, project) = stage(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         SELECT sum(length(randomblob(100000000))) AS id FROM n",
    );
    let deploy = asked_twice(&file, &project, &["deploy"], Signal::TERM);
    deploy.send_again();
    assert_snapshot!(deploy.end(&project), @"
    status: 143
    -- stderr
    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    ");
    assert_eq!(tables(&file), "a");
    goes_on(&file, &project);
}

#[test]
fn a_rollback_is_cancelled_too() {
    let (file, project) = stage("SELECT 1 AS id");
    let down = format!(
        "CREATE TABLE gone AS {};\nDROP TABLE gone;\nDROP TABLE c;\nDROP TABLE b;\n",
        counting(2_000_000_000)
    );
    project.file("migrations/2_b/down.sql", &down);
    project.succeed(&["deploy"]);
    let rollback = asked_twice(&file, &project, &["rollback", "--force"], Signal::INT);
    assert_snapshot!(rollback.end(&project), @"
    status: 130
    -- stderr
    stopping after the statement that runs; once more cancels it
    cancelling the statement that runs; once more ends the program at once
    interrupted

      × 2_b: taking it back was interrupted: statement 1 was cancelled
      help: run the command again: it does the rest
      the database now: 2_b is applied as it was; nothing of its rollback was kept
    ");
    assert_eq!(tables(&file), "a b c");
}

#[test]
fn a_deploy_stops_waiting_for_the_lock() {
    let (file, project) = stage("SELECT 1 AS id");
    let path = file.path().with_extension("db.tollgate.lock");
    let mut other = File::create(&path).unwrap();
    other
        .write_all(b"4711\t2026-01-01T00:00:00Z\tanother deploy\t\t\n")
        .unwrap();
    other.lock().unwrap();
    let deploy = Running::start(&project, &["deploy"]);
    deploy.says("lock already held");
    deploy.ask(Signal::INT);
    assert_snapshot!(deploy.end(&project), @"
    status: 130
    -- stderr
    lock already held by PID [number] (application another deploy, since [time]): waiting for up to [duration]; `tollgate lock status` shows what it does
    stopping
    interrupted

      × interrupted while waiting for the migration lock
      the database now: nothing was changed
    ");
    drop(other);
    goes_on(&file, &project);
}

/// A program that has begun to write to the file, and waits.
fn writer(file: &SqliteFile) -> Child {
    let mut shell = Command::new("sqlite3")
        .arg(file.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = shell.stdin.as_mut().unwrap();
    input.write_all(b"BEGIN IMMEDIATE; SELECT 'held';\n").unwrap();
    shell.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    shell
}

#[test]
fn a_deploy_stops_waiting_for_another_program() {
    let (file, mut project) = stage("SELECT 1 AS id");
    project.set("DATABASE_URL", &format!("{}?socket_timeout=1", file.url()));
    project.file(
        "tollgate.toml",
        "[deploy]\nstatement_lock_timeout_ms = 50\nretries = 1000\n",
    );
    let mut writer = writer(&file);
    let deploy = Running::start(&project, &["deploy"]);
    deploy.says("database is locked; attempt 3 in");
    deploy.ask(Signal::TERM);
    let outcome = deploy.end(&project);
    assert_eq!(outcome.status, Some(143), "{outcome}");
    assert!(outcome.stderr.contains("2_b: applying it was interrupted"), "{outcome}");
    assert!(outcome.stderr.contains("nothing of it is in the database"), "{outcome}");
    drop(writer.stdin.take());
    writer.wait().unwrap();
    goes_on(&file, &project);
}

/// However long it may wait.
#[test]
fn a_statement_that_waits_for_another_program_is_not_waited_for() {
    let (file, project) = stage("SELECT 1 AS id");
    project.file("tollgate.toml", "[deploy]\nstatement_lock_timeout_ms = 3600000\n");
    let state = file.path().with_extension("db.tollgate.db");
    let runs = || {
        let mut shell = Command::new("sqlite3");
        let counted = shell.arg(&state).arg("SELECT count(*) FROM runs").output().unwrap();
        String::from_utf8(counted.stdout).unwrap()
    };
    let before = runs();
    let mut writer = writer(&file);
    let deploy = Running::start(&project, &["deploy"]);
    until("the deploy has begun", || {
        !["", before.as_str()].contains(&runs().as_str())
    });
    deploy.ask(Signal::INT);
    assert_snapshot!(deploy.end(&project), @"
    status: 130
    -- stderr
    stopping after what runs now
    interrupted

      × 2_b: applying it was interrupted
      help: run `tollgate deploy`: it does the rest
      the database now: nothing of it is in the database
    ");
    drop(writer.stdin.take());
    writer.wait().unwrap();
    goes_on(&file, &project);
}

#[test]
fn a_first_deploy_stops_waiting_for_another_program() {
    let file = sqlite_file();
    file.sqlite3("PRAGMA user_version = 1");
    let mut project = Project::new();
    project.set("DATABASE_URL", &format!("{}?socket_timeout=3600", file.url()));
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    let lock = file.path().with_extension("db.tollgate.lock");
    let mut writer = writer(&file);
    let deploy = Running::start(&project, &["deploy"]);
    until("the deploy has its lock", || lock.exists());
    deploy.ask(Signal::TERM);
    let outcome = deploy.end(&project);
    assert_eq!(outcome.status, Some(143), "{outcome}");
    assert!(!lock.exists());
    drop(writer.stdin.take());
    writer.wait().unwrap();
    project.succeed(&["deploy"]);
}

#[test]
fn a_reset_stops_waiting_for_another_program() {
    let (file, mut project) = stage("SELECT 1 AS id");
    project.set("DATABASE_URL", &format!("{}?socket_timeout=3600", file.url()));
    project.file("tollgate.toml", "[environments.here]\ndevelopment = true\n");
    let mut writer = writer(&file);
    let reset = Running::start(&project, &["-e", "here", "reset", "--force"]);
    reset.prints("drops everything");
    reset.ask(Signal::INT);
    let outcome = reset.end(&project);
    assert_eq!(outcome.status, Some(130), "{outcome}");
    assert!(
        outcome.stderr.contains("interrupted before anything was done"),
        "{outcome}"
    );
    drop(writer.stdin.take());
    writer.wait().unwrap();
    assert_eq!(tables(&file), "a");
}

#[test]
fn a_seed_is_cancelled_too() {
    let (file, project) = stage("SELECT 1 AS id");
    project
        .file("tollgate.toml", "[seed]\nfiles = [\"seed/*.sql\"]\n")
        .file("seed/1.sql", "INSERT INTO a VALUES (1);\n")
        .file(
            "seed/2.sql",
            &format!("CREATE TABLE s AS {};\nDROP TABLE s;\n", counting(2_000_000_000)),
        );
    let seed = Running::start(&project, &["seed", "--force"]);
    seed.prints("seeded seed/1.sql");
    // As soon as the second file writes, nobody else can.
    let locked = || file.try_sqlite3("BEGIN IMMEDIATE; ROLLBACK").is_err();
    until("the second file writes", locked);
    seed.ask(Signal::TERM);
    seed.ask_again("cancelling");
    assert_snapshot!(seed.end(&project), @"
    status: 143
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
    assert_eq!(tables(&file), "a");
}
