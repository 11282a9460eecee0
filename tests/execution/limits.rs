//! Limits of time, and that a file's settings are its own.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::{ALONE, postgres, run, sqlite, until};

/// Writes down under which limits it runs.
fn asking(name: &str) -> String {
    format!(
        "CREATE TABLE {name} AS SELECT current_setting('lock_timeout') || ' ' || current_setting('statement_timeout') || ' ' || \
         current_setting('idle_in_transaction_session_timeout') AS limits;\n"
    )
}

#[test]
fn limits_are_those_of_configuration_environment_flags_and_file() {
    let (mut project, database) = postgres();
    let limits = |name: &str| database.psql(&format!("SELECT limits FROM {name}")).trim().to_owned();
    let next = |project: &Project, name: &str, sql: &str, flags: &[&str]| {
        project.migration(name, sql);
        project.succeed(&[&["deploy"], flags].concat());
    };
    next(&project, "a1", &asking("a1"), &[]);
    assert_eq!(limits("a1"), "5s 0 1min", "the defaults");

    project.file(
        "tollgate.toml",
        &format!(
            "[deploy]\nstatement_lock_timeout_ms = 1000\nstatement_timeout_ms = 2000\nidle_timeout_ms = 3000\n{ALONE}"
        ),
    );
    next(&project, "a2", &asking("a2"), &[]);
    assert_eq!(limits("a2"), "1s 2s 3s");

    project.set("TOLLGATE_DEPLOY_IDLE_TIMEOUT_MS", "4000");
    let flags = ["--statement-lock-timeout", "1500ms", "--statement-timeout", "2min"];
    next(&project, "a3", &asking("a3"), &flags);
    assert_eq!(limits("a3"), "1500ms 2min 4s");

    let pragmas = "-- tollgate:timeout 1h\n-- tollgate:lock-timeout 0\n";
    next(&project, "a4", &format!("{pragmas}{}", asking("a4")), &[]);
    assert_eq!(limits("a4"), "0 1h 4s");

    let own = "SET lock_timeout = '7s'; SET LOCAL statement_timeout = '8s'; SET idle_in_transaction_session_timeout = '9s';\n";
    next(&project, "a5", &format!("{pragmas}{own}{}", asking("a5")), &[]);
    assert_eq!(limits("a5"), "7s 8s 9s", "what the file sets itself");

    next(&project, "a6", &asking("a6"), &[]);
    assert_eq!(limits("a6"), "1s 2s 4s", "the next file knows nothing of it");
}

/// The server may have limits of its own for the role, which a person may want to have no part in.
#[test]
fn zero_is_no_limit_and_what_is_not_set_is_left_to_the_server() {
    let (mut project, database) = postgres();
    let limits = |name: &str| database.psql(&format!("SELECT limits FROM {name}")).trim().to_owned();
    database.psql(&format!(
        "ALTER DATABASE {0} SET statement_timeout = '7min'; ALTER DATABASE {0} SET lock_timeout = '8min'; \
         ALTER DATABASE {0} SET idle_in_transaction_session_timeout = '9min'",
        database.name
    ));
    project.migration("a1", &asking("a1"));
    project.succeed(&["deploy"]);
    assert_eq!(limits("a1"), "5s 7min 1min");
    project.set("TOLLGATE_DEPLOY_IDLE_TIMEOUT_MS", "0");
    project.migration("a2", &asking("a2"));
    project.succeed(&["deploy", "--statement-timeout", "0", "--statement-lock-timeout", "0"]);
    assert_eq!(limits("a2"), "0 0 0");
}

/// Where a file is busy, no limit means to wait, too.
#[test]
fn zero_is_no_limit_on_sqlite_either() {
    let (mut project, file) = sqlite();
    // What is not said otherwise is not to wait at all.
    project.set("DATABASE_URL", &format!("{}?socket_timeout=0", file.url()));
    project.file("tollgate.toml", &format!("[deploy]\nretries = 0\n{ALONE}"));
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    project.succeed(&["deploy"]);
    project.migration("2_b", "CREATE TABLE b (id integer);\n");
    let state = format!(
        "ATTACH '{}.tollgate.db' AS state; SELECT count(*) FROM state.runs",
        file.path().display()
    );
    let runs = || file.sqlite3(&state);
    let mut shell = Command::new("sqlite3");
    let shell = shell.arg(file.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut writer = shell.spawn().unwrap();
    let mut input = writer.stdin.take().unwrap();
    input.write_all(b"BEGIN IMMEDIATE; SELECT 'held';\n").unwrap();
    writer.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let deploy = |limit: &str| project.command(&["deploy", "--statement-lock-timeout", limit]);
    let refused = project.finish(&mut deploy("1ms"));
    assert!(refused.stderr.contains("database is locked"), "{refused}");
    let before = runs();
    let mut waiting = deploy("0").spawn().unwrap();
    until("the deploy has begun", || runs() != before);
    drop(input);
    assert!(waiting.wait().unwrap().success());
    writer.wait().unwrap();
    assert_eq!(file.sqlite3("SELECT count(*) FROM b").trim(), "0");
}

/// Such a number would be refused by the server, in the middle of a deploy.
#[test]
fn a_limit_that_no_server_keeps_is_refused_before_anything() {
    let (mut project, database) = postgres();
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    assert_snapshot!(run(&project, &["deploy", "--statement-timeout", "99999min"]), @"
    status: 2
    -- stderr
    config::time-limit

      × deploy.statement_timeout_ms is [duration], and servers count up to 2147483647, which is 24
      │ days
      help: 0 is no limit; it is from --statement-timeout
    ");
    let settings = format!("[deploy]\nstatement_lock_timeout_ms = 2147483648\n{ALONE}");
    project.file("tollgate.toml", &settings);
    assert_snapshot!(run(&project, &["deploy"]), @"
    status: 2
    -- stderr
    config::time-limit

      × deploy.statement_lock_timeout_ms is [duration], and servers count up to 2147483647, which
      │ is 24 days
      help: 0 is no limit; it is from tollgate.toml
    ");
    project.set("TOLLGATE_DEPLOY_STATEMENT_LOCK_TIMEOUT_MS", "2147483647");
    project.set("TOLLGATE_DEPLOY_IDLE_TIMEOUT_MS", "99999999999");
    assert_snapshot!(run(&project, &["deploy"]), @"
    status: 2
    -- stderr
    config::time-limit

      × deploy.idle_timeout_ms is [duration], and servers count up to 2147483647, which is 24 days
      help: 0 is no limit; it is from TOLLGATE_DEPLOY_IDLE_TIMEOUT_MS
    ");
    assert_eq!(database.psql("SELECT to_regclass('_prisma_migrations')").trim(), "");
    project.set("TOLLGATE_DEPLOY_IDLE_TIMEOUT_MS", "2147483647");
    project.succeed(&["deploy"]);
}

/// Outside a transaction waiting for locks has no limit but the file's own.
#[test]
fn limits_outside_transactions_are_the_files_own() {
    let (project, database) = postgres();
    project.migration(
        "1_function",
        "CREATE TABLE heard (limits text);\nCREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\n\
         CREATE FUNCTION hears(id int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN\n\
           RAISE NOTICE '%', current_setting('lock_timeout') || ' ' || current_setting('statement_timeout');\n\
           RETURN id;\n\
         END $$;\n",
    );
    let index = |name: &str| format!("CREATE INDEX CONCURRENTLY {name} ON a (hears(id));\n");
    project.migration("2_index", &index("i2"));
    project.migration(
        "3_index",
        &format!(
            "-- tollgate:timeout 30min\n-- tollgate:lock-timeout 2s\n{}SELECT hears(1);\n",
            index("i3")
        ),
    );
    project.migration("4_index", &index("i4"));
    project.succeed(&["deploy"]);
    let logs = |name: &str| {
        let query = format!("SELECT logs FROM _prisma_migrations WHERE migration_name = '{name}'");
        let mut lines: Vec<String> = database.psql(&query).lines().map(str::to_owned).collect();
        lines.dedup();
        lines.join("\n")
    };
    assert_snapshot!(logs("2_index"), @"NOTICE at line 1: 0 0");
    assert_snapshot!(logs("3_index"), @"
    NOTICE at line 3: 2s 30min
    NOTICE at line 4: 2s 30min
    ");
    assert_snapshot!(logs("4_index"), @"NOTICE at line 1: 0 0");
}

#[test]
fn a_transaction_without_an_end_is_refused() {
    let (project, database) = postgres();
    project.migration(
        "1_a",
        "CREATE TABLE a (id int);\n\n  BEGIN;\nCREATE TABLE b (id int);\n",
    );
    assert_snapshot!(run(&project, &["deploy"]), @"
    status: 1
    -- stderr
    script::syntax

      × 1_a cannot be read
       ╭─[migrations/1_a/migration.sql:3:3]
     2 │ 
     3 │   BEGIN;
       ·   ──┬──
       ·     ╰── this transaction is begun but never committed: the server would throw its changes away
     4 │ CREATE TABLE b (id int);
       ╰────
      help: add COMMIT at the end, or leave BEGIN out: a migration runs in a transaction anyway
      the database now: nothing was changed
    ");
    assert_eq!(database.psql("SELECT to_regclass('a') IS NULL").trim(), "t");
    let (project, database) = sqlite();
    project.migration(
        "1_a",
        "CREATE TABLE a (id int);\nBEGIN IMMEDIATE;\nCREATE TABLE b (id int);\n",
    );
    assert_snapshot!(run(&project, &["deploy"]), @"
    status: 1
    -- stderr
    script::syntax

      × 1_a cannot be read
       ╭─[migrations/1_a/migration.sql:2:1]
     1 │ CREATE TABLE a (id int);
     2 │ BEGIN IMMEDIATE;
       · ───────┬───────
       ·        ╰── BEGIN without a COMMIT: everything after it would be lost
     3 │ CREATE TABLE b (id int);
       ╰────
      help: end the file with COMMIT, or leave BEGIN out: the statements run in one transaction anyway
      the database now: nothing was changed
    ");
    assert_eq!(
        database
            .sqlite3("SELECT count(*) FROM sqlite_master WHERE name = 'a'")
            .trim(),
        "0"
    );
}

#[test]
fn a_file_changes_its_own_session_only() {
    let (project, database) = postgres();
    database.psql("CREATE ROLE limited NOLOGIN; CREATE SCHEMA elsewhere; GRANT ALL ON SCHEMA elsewhere TO limited");
    project.migration(
        "1_a",
        "CREATE TEMP TABLE passing (id int);\nSET statement_timeout = '7s';\nSET ROLE limited;\nSET search_path = elsewhere;\n\
         CREATE TABLE theirs (id int);\n",
    );
    project.migration(
        "2_b",
        "CREATE TABLE ours AS SELECT current_user::text AS who, current_setting('search_path') AS path, \
         current_setting('statement_timeout') AS timeout, to_regclass('pg_temp.passing')::text AS passing;\n",
    );
    project.succeed(&["deploy"]);
    assert_eq!(database.psql("SELECT * FROM public.ours").trim(), "postgres|public|0|");
    let owner = "SELECT tableowner FROM pg_tables WHERE schemaname = 'elsewhere' AND tablename = 'theirs'";
    assert_eq!(database.psql(owner).trim(), "limited");
    let ledger = "SELECT count(*) FROM public._prisma_migrations WHERE finished_at IS NOT NULL";
    assert_eq!(database.psql(ledger).trim(), "2");
    database.psql("DROP OWNED BY limited CASCADE; DROP ROLE limited");
}

/// A process that is suspended in the middle of a transaction does not keep its locks.
#[cfg(unix)]
#[test]
fn a_suspended_deploy_lets_go_of_its_locks() {
    use std::process::Stdio;

    let (project, database) = postgres();
    project.file("tollgate.toml", &format!("[deploy]\nidle_timeout_ms = 300\n{ALONE}"));
    project.migration("1_a", "CREATE TABLE a (id int);\nCREATE TABLE go_on (id int);\n");
    project.succeed(&["deploy"]);
    // Its own transaction goes to the server statement by statement.
    project.migration(
        "2_b",
        "BEGIN;\nLOCK TABLE a;\n\
         DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM go_on) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;\n\
         INSERT INTO a VALUES (1);\nCOMMIT;\n",
    );
    let child = project
        .command(&["deploy"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let locked =
        "SELECT count(*) FROM pg_locks WHERE relation = 'a'::regclass AND mode = 'AccessExclusiveLock' AND granted";
    until("the table is locked", || database.psql(locked).trim() == "1");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    database.psql("INSERT INTO go_on VALUES (1)");
    until("the table is free", || database.psql(locked).trim() == "0");
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("2_b: the connection was lost: "), "{stderr}");
    assert_eq!(database.psql("SELECT count(*) FROM a").trim(), "1");
}

/// Behind these everybody would queue; so they wait no longer than others do, and are tried again.
#[test]
fn what_locks_everybody_out_does_not_wait_long_outside_a_transaction_either() {
    let (project, database) = postgres();
    let settings = format!("[deploy]\nstatement_lock_timeout_ms = 100\nretries = 1000\n{ALONE}");
    project.file("tollgate.toml", &settings);
    project.migration("1_a", "CREATE TABLE a (id int PRIMARY KEY);\n");
    project.succeed(&["deploy"]);
    for (name, sql) in [
        ("2_vacuum", "VACUUM FULL a;\n"),
        ("3_cluster", "-- tollgate:transaction off\nVACUUM (FULL) a;\n"),
    ] {
        project.migration(name, sql);
        let mut other = database.session("reports");
        other.run("BEGIN; SELECT * FROM a;");
        let outcome = std::thread::scope(|scope| {
            let deploy = scope.spawn(|| project.run(&["deploy"]));
            let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted";
            until("it waits", || database.psql(waits).trim() == "1");
            until("it waits no longer", || database.psql(waits).trim() == "0");
            // Until then it has looked who stands in the way.
            until("it waits again", || database.psql(waits).trim() == "1");
            other.run("COMMIT;");
            deploy.join().unwrap()
        });
        assert_eq!(outcome.status, Some(0), "{outcome}");
        assert!(outcome.stderr.contains(": waits for session "), "{outcome}");
    }
}

#[test]
fn a_transaction_is_as_isolated_as_its_file_says() {
    let (project, database) = postgres();
    project.migration("1_levels", "CREATE TABLE levels (file text, level text);\n");
    let note =
        |file: &str| format!("INSERT INTO levels VALUES ('{file}', current_setting('transaction_isolation'));\n");
    for (file, before, after) in [
        ("2_set", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n", ""),
        ("3_local", "SET LOCAL transaction_isolation = 'repeatable read';\n", ""),
        ("4_begin", "BEGIN ISOLATION LEVEL SERIALIZABLE;\n", "COMMIT;\n"),
        (
            "5_own",
            "BEGIN;\nSET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\n",
            "COMMIT;\n",
        ),
        (
            "6_second",
            "VACUUM levels;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n",
            "",
        ),
        ("7_none", "", ""),
    ] {
        project.migration(file, &format!("{before}{}{after}", note(file)));
    }
    let outcome = project.succeed(&["deploy"]);
    assert_eq!(outcome.stderr, "", "{outcome}");
    assert_snapshot!(database.psql("SELECT file, level FROM levels ORDER BY file"), @"
    2_set|serializable
    3_local|repeatable read
    4_begin|serializable
    5_own|repeatable read
    6_second|serializable
    7_none|read committed
    ");
}
