//! What somebody else holds.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{blog, both, on, session, tables};

/// Does something while another program has run this SQL and stays connected.
fn while_holding<T>(database: &Database, sql: &str, work: impl FnOnce() -> T) -> T {
    let mut command = match database {
        Database::Postgres(server) => {
            let mut command = Command::new(server.cluster().program("psql"));
            command.args([
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--dbname",
                &server.url(),
            ]);
            command.env("PGAPPNAME", "somebody");
            command
        }
        Database::Sqlite(file) => {
            let mut command = Command::new("sqlite3");
            command.arg(file.path());
            command
        }
    };
    let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(format!("{sql}\nSELECT 'held';\n").as_bytes()).unwrap();
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap() == "held"),
        "the other program could not hold it"
    );
    let result = work();
    drop(input);
    shell.wait().unwrap();
    result
}

#[test]
fn another_run() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    // What Prisma's own command does while it works.
    let seen = while_holding(&database, "SELECT pg_advisory_lock(72707369);", || {
        session(
            &project,
            &["deploy --lock-timeout 200ms", "deploy --lock-timeout 0", "status"],
        )
    });
    // Where the line is broken depends on the number of the process.
    assert_snapshot!(seen.replace("\n  │ ", " "), @r#"
    $ tollgate deploy --lock-timeout 200ms
    status: 4
    -- stderr
    lock already held by PID [number] (user postgres, application somebody, since [time]): waiting for up to [duration]; `tollgate lock status` shows what it does
    lock

      × lock already held by PID [number] (user postgres, application somebody, since [time])
      help: `tollgate lock status` shows what it does; LOCK_TIMEOUT_MS=120000 waits for it longer; if
            it hangs, `tollgate lock release --force` ends it
      the database now: nothing was changed


    $ tollgate deploy --lock-timeout 0
    status: 4
    -- stderr
    lock

      × lock already held by PID [number] (user postgres, application somebody, since [time])
      help: `tollgate lock status` shows what it does; LOCK_TIMEOUT_MS=120000 waits for it longer; if
            it hangs, `tollgate lock release --force` ends it
      the database now: nothing was changed


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    at work: PID [number] (user postgres, application somebody, since [time]) holds the lock
    pending     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 3 pending; next: wait until the run that holds the lock is done
    "#);
    assert_eq!(tables(&database), "");
    project.succeed(&["deploy"]);
}

#[test]
fn a_table() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project.migration("4_column", "ALTER TABLE posts ADD COLUMN body text;\n");
    project.file(
        "tollgate.toml",
        "[deploy]\nstatement_lock_timeout_ms = 50\nretries = 1\n",
    );
    let lock = |mode: &str| {
        let sql = format!("BEGIN; LOCK TABLE posts IN {mode} MODE;");
        while_holding(&database, &sql, || session(&project, &["deploy"]))
    };
    assert_snapshot!(lock("ACCESS SHARE"), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    4_column: waits for session [number] (user postgres, application somebody, idle in transaction, open for [duration], last query [duration] ago: "SELECT ?;"); attempt 2 in [duration]
    migration-failed

      × migration "4_column" failed: canceling statement due to lock timeout
       ╭─[migrations/4_column/migration.sql:1:1]
     1 │ ALTER TABLE posts ADD COLUMN body text;
       · ───────────────────┬──────────────────
       ·                    ╰── canceling statement due to lock timeout
       ╰────
      help: SQLSTATE: 55P03
            wait until session [number] (user postgres, application somebody, idle in transaction, open
            for [duration], last query [duration] ago: "SELECT ?;") is done, or end it with SELECT
            pg_terminate_backend([number]), then run `tollgate deploy`; this was attempt 2:
            deploy.statement_lock_timeout_ms and deploy.retries say how long it tries
      the database now: nothing of it is in the database
    "#);
    assert_snapshot!(lock("ACCESS EXCLUSIVE"), @"
    $ tollgate deploy
    status: 1
    -- stderr
    catalog

      × cannot read the catalog: canceling statement due to lock timeout
      help: another session holds a lock on one of the tables: run the command again when that is done
      the database now: nothing was changed
    ");
    project.succeed(&["deploy"]);
}

#[test]
fn the_whole_file() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy", "--to", "1_users"]);
    project.file(
        "tollgate.toml",
        "[deploy]\nstatement_lock_timeout_ms = 100\nretries = 1\n",
    );
    let refused = while_holding(&database, "BEGIN IMMEDIATE;", || session(&project, &["deploy"]));
    assert_snapshot!(refused, @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    2_posts: failed to begin a transaction: database is locked; attempt 2 in [duration]
    migration-failed

      × migration "2_posts" failed: failed to begin a transaction: database is locked
      help: another program is writing to the database: wait for its end, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    assert_eq!(tables(&database), "users");
    project.succeed(&["deploy"]);
}

#[test]
fn a_reader_holds_nothing_up() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy", "--to", "1_users"]);
        while_holding(database, "BEGIN; SELECT count(*) FROM users;", || {
            session(project, &["status"])
        })
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`
    ");
}
