//! Killing the process at any moment: the next run finishes, and every migration is recorded exactly once.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tollgate_database::ExecuteOptions;

use crate::support::{Fixture, apply, connect, postgres, sqlite};

/// Set in the child process: the database it works on.
const CHILD: &str = "TOLLGATE_TEST_CRASH_URL";

/// How many times each backend's run is killed.
const MOMENTS: u32 = 25;

/// Migrations of every kind: plain, big, the file's own transaction, with statements outside of one.
fn migrations(postgres: bool) -> Vec<(String, String)> {
    let mut files = vec![("00_log".to_owned(), "CREATE TABLE log (id int, what text);".to_owned())];
    for number in 1..=12 {
        let plain = format!(
            "CREATE TABLE t{number} (id int, v int);\nINSERT INTO log VALUES ({number}, 'plain');\n\
             CREATE INDEX t{number}_v ON t{number} (v);"
        );
        let sql = match number % 4 {
            0 => format!("BEGIN;\n{plain}\nCOMMIT;"),
            1 if postgres => format!("{plain}\nCREATE INDEX CONCURRENTLY t{number}_id ON t{number} (id);"),
            1 => format!("PRAGMA foreign_keys=OFF;\n{plain}\nPRAGMA foreign_keys=ON;"),
            2 if postgres => format!(
                "{plain}\nCREATE INDEX CONCURRENTLY t{number}_id ON t{number} (id);\n\
                 INSERT INTO log VALUES ({number}, 'second');\nCREATE INDEX CONCURRENTLY t{number}_iv ON t{number} (id, v);"
            ),
            2 => format!("{plain}\nVACUUM;\nINSERT INTO log VALUES ({number}, 'second');"),
            _ => format!(
                "{plain}\n{}",
                format!("INSERT INTO t{number} VALUES (1, 1);\n").repeat(50)
            ),
        };
        files.push((format!("{number:02}_m"), sql));
    }
    files
}

/// Applies whatever is not applied yet: a deploy, as far as this crate goes.
fn deploy(url: &str) {
    let mut database = connect(url);
    // The killed run's session may take a moment to be noticed by the server.
    let _lock = database
        .lock(&tollgate_database::LockOptions::default(), &mut |_| {})
        .unwrap();
    let rows = database.ledger().unwrap().unwrap_or_default();
    for (name, sql) in migrations(url.starts_with("postgres")) {
        if !rows.iter().any(|row| row.migration_name == name && row.is_applied()) {
            apply(&mut database, &name, &sql, &ExecuteOptions::default(), &mut |_| {}).unwrap();
        }
    }
}

/// Not a test of its own: what the child process runs.
#[test]
fn child() {
    if let Ok(url) = std::env::var(CHILD) {
        deploy(&url);
    }
}

fn start(url: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(CHILD, url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn killed_at_random_moments(make: fn() -> Fixture) {
    let seed: u64 = std::env::var("TOLLGATE_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    println!("TOLLGATE_TEST_SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);

    let whole = make();
    // The faster of two: the first run of all may wait for the server to start.
    let length = run_to_the_end(&whole).min(run_to_the_end(&make()));
    let expected = picture(&whole);

    let mut interrupted = 0;
    for moment in 0..MOMENTS {
        let mut fixture = make();
        let delay = Duration::from_micros(random.random_range(0..u64::try_from(length.as_micros()).unwrap()));
        let mut child = start(&fixture.url());
        std::thread::sleep(delay);
        child.kill().unwrap();
        interrupted += u32::from(!child.wait().unwrap().success());
        deploy(&fixture.url());
        assert_eq!(picture(&fixture), expected, "moment {moment}, after {delay:?}");
        let applied = fixture.database.ledger().unwrap().unwrap();
        for (name, _) in migrations(fixture.is_postgres()) {
            let rows: Vec<_> = applied.iter().filter(|row| row.migration_name == name).collect();
            assert_eq!(
                rows.iter().filter(|row| row.is_applied()).count(),
                1,
                "{name}: {rows:?}"
            );
            assert!(!rows.iter().any(|row| row.is_failed()), "{name}: {rows:?}");
        }
    }
    assert!(
        interrupted > MOMENTS / 5,
        "only {interrupted} runs were killed before their end"
    );
}

fn run_to_the_end(fixture: &Fixture) -> Duration {
    let begin = Instant::now();
    assert!(start(&fixture.url()).wait().unwrap().success());
    begin.elapsed()
}

/// Schema and rows.
fn picture(fixture: &Fixture) -> String {
    let log = fixture.ask("SELECT id, what FROM log ORDER BY id, what");
    let schema = if fixture.is_postgres() {
        fixture.ask(
            "SELECT c.relname, i.indisvalid FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid \
             WHERE relnamespace = 'public'::regnamespace ORDER BY 1; SELECT 't3', count(*) FROM t3",
        )
    } else {
        fixture.ask("SELECT name FROM sqlite_master ORDER BY 1; SELECT 't3', count(*) FROM t3")
    };
    format!("{log}\n{schema}")
}

#[test]
fn postgres_survives_being_killed() {
    killed_at_random_moments(postgres);
}

#[test]
fn sqlite_survives_being_killed() {
    killed_at_random_moments(sqlite);
}

/// The sidecar file is written after the database: a crash between the two leaves it behind.
#[test]
fn sqlite_goes_on_with_a_rollback_whose_sidecar_is_behind() {
    let mut fixture = sqlite();
    fixture
        .apply("1_a", "CREATE TABLE counter (n int);\nINSERT INTO counter VALUES (0);")
        .unwrap();
    let sql = "BEGIN;\nUPDATE counter SET n = n + 1;\nCOMMIT;\nBEGIN;\nDELETE FROM later;\nCOMMIT;";
    let script = tollgate_sql::parse(fixture.database.server().dialect, sql).unwrap();
    let request = tollgate_database::RollbackRequest {
        name: "1_a",
        script: &script,
        pragmas: tollgate_database::Pragmas::default(),
    };
    let options = ExecuteOptions::default();
    let error = fixture.database.roll_back(&request, &options, &mut |_| {}).unwrap_err();
    assert_eq!(error.statement(), Some(4));
    fixture.ask("CREATE TABLE later (n int);");
    let sidecar = fixture.folder().join("test.db.tollgate.db");
    let behind = format!(
        "ATTACH '{}' AS state; UPDATE state.statement_progress SET done = 0, digest = '', in_flight = NULL; SELECT changes();",
        sidecar.display()
    );
    assert_eq!(fixture.ask(&behind), "1");

    let done = fixture.database.roll_back(&request, &options, &mut |_| {}).unwrap();
    assert_eq!(done.statements, 3);
    assert_eq!(fixture.ask("SELECT n FROM counter"), "1");
    assert!(fixture.ledger().starts_with("1_a finished=yes rolled_back=yes"));
}

/// A script may have the file lose its last commits when the power fails. The ledger's count is committed with the statements,
/// so it is right, and the sidecar is ahead.
#[test]
fn sqlite_goes_on_from_where_the_ledger_says_when_the_sidecar_is_ahead() {
    let mut fixture = sqlite();
    fixture
        .apply("1_a", "CREATE TABLE counter (n int);\nINSERT INTO counter VALUES (0);")
        .unwrap();
    let sql = "BEGIN;\nUPDATE counter SET n = n + 1;\nCOMMIT;\nBEGIN;\nDELETE FROM later;\nCOMMIT;";
    let lost = "UPDATE counter SET n = 0; UPDATE _prisma_migrations SET applied_steps_count = 0, logs = NULL WHERE finished_at IS";
    let sidecar = "SELECT direction || done FROM statement_progress";

    let error = fixture.apply("2_b", sql).unwrap_err();
    assert_eq!(error.statement(), Some(4));
    assert_eq!(fixture.ask_state(sidecar).trim(), "up3");
    fixture.ask(&format!("{lost} NULL; CREATE TABLE later (n int);"));
    assert_eq!(fixture.apply("2_b", sql).unwrap().statements, 6);
    assert_eq!(fixture.ask("SELECT n FROM counter"), "1");

    let script = tollgate_sql::parse(fixture.database.server().dialect, sql).unwrap();
    let request = tollgate_database::RollbackRequest {
        name: "2_b",
        script: &script,
        pragmas: tollgate_database::Pragmas::default(),
    };
    let options = ExecuteOptions::default();
    fixture.ask("DROP TABLE later; UPDATE counter SET n = 0;");
    let error = fixture.database.roll_back(&request, &options, &mut |_| {}).unwrap_err();
    assert_eq!(error.statement(), Some(4));
    let sidecar = format!("{sidecar} WHERE direction = 'down'");
    assert_eq!(fixture.ask_state(&sidecar).trim(), "down3");
    fixture.ask(&format!("{lost} NOT NULL; CREATE TABLE later (n int);"));
    let done = fixture.database.roll_back(&request, &options, &mut |_| {}).unwrap();
    assert_eq!(done.statements, 6);
    assert_eq!(fixture.ask("SELECT n FROM counter"), "1");
}
