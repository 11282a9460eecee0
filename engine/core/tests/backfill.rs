//! The example of a data migration under the lock, as the program that it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test should stop here")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tollgate_engine::{ConnectOptions, LockOptions, Target, connect_postgres, with_migration_lock};
use tollgate_testing::postgres::{TestDatabase, cluster};

/// Cargo builds examples before it runs tests, beside the folder that test programs are in.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/backfill");
    assert!(
        program.exists(),
        "build it first: cargo build -p tollgate-engine --examples"
    );
    program
}

fn users(database: &TestDatabase<'_>, number: u32) {
    database.psql(&format!(
        "CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL, domain text);\n\
         INSERT INTO users (email) SELECT 'user' || n || '@example.com' FROM generate_series(1, {number}) n;"
    ));
}

#[test]
fn fills_every_row_and_lets_go_of_the_lock() {
    let database = cluster().database();
    users(&database, 1_200);
    // Nothing can be filled in here, and that must not keep it at work for ever.
    database.psql("ALTER TABLE users ALTER email DROP NOT NULL; INSERT INTO users (email) VALUES (NULL);");
    for expected in ["1200 rows filled\n", "0 rows filled\n"] {
        let output = Command::new(example()).arg(database.url()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
    assert_eq!(
        database
            .psql("SELECT domain, count(*) FROM users GROUP BY 1 ORDER BY 1")
            .trim(),
        "example.com|1200\n|1"
    );
    assert_eq!(database.psql("SELECT pg_try_advisory_lock(72707369)").trim(), "t");
}

#[test]
fn waits_for_whoever_has_the_lock() {
    let database = cluster().database();
    users(&database, 3);
    let target = Target::parse(&database.url(), Path::new("/")).unwrap();
    let mut connection = connect_postgres(&target, &ConnectOptions::default()).unwrap();
    let (mut child, lines) = with_migration_lock(&mut connection, &LockOptions::default(), |_| {
        let mut child = Command::new(example())
            .arg(database.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let waiting = lines.next().unwrap()?;
        assert!(waiting.starts_with("waiting for PID "), "{waiting}");
        assert!(waiting.contains("application tollgate"), "{waiting}");
        assert_eq!(
            database
                .psql("SELECT count(*) FROM users WHERE domain IS NOT NULL")
                .trim(),
            "0"
        );
        Ok::<_, std::io::Error>((child, lines))
    })
    .unwrap();
    // It may say once more that it waits, which has to be read: else it ends there.
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{said:?}");
    assert_eq!(database.psql("SELECT count(domain) FROM users").trim(), "3");
}
