//! What files say about how they want to be run.

use insta::assert_snapshot;

use crate::{postgres, run, sqlite};

const OFF: &str = "-- tollgate:transaction off\n";

#[test]
fn each_statement_by_itself_on_postgres() {
    let (project, database) = postgres();
    project.migration(
        "1_a",
        &format!("{OFF}CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES ('x');\n"),
    );
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: invalid input syntax for type integer: "x"
       ╭─[migrations/1_a/migration.sql:4:23]
     3 │ INSERT INTO a VALUES (1);
     4 │ INSERT INTO a VALUES ('x');
       ·                       ┬
       ·                       ╰── invalid input syntax for type integer: "x"
       ╰────
      help: SQLSTATE: 22P02
            mend the file (what stands up to line 3 must stay as it is) and go on with `tollgate
            deploy --resume`; or finish or undo it by hand and record that with `tollgate resolve
            --applied 1_a` or `tollgate resolve --rolled-back 1_a`
      the database now: the first 2 of 3 statements are in, up to line 3
    "#);
    assert_eq!(database.psql("SELECT id FROM a").trim(), "1");
    project.migration(
        "1_a",
        &format!("{OFF}CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\n"),
    );
    project.succeed(&["deploy", "--resume"]);
    assert_eq!(database.psql("SELECT id FROM a ORDER BY 1"), "1\n2\n");
    // Each has been a transaction of its own.
    assert_eq!(database.psql("SELECT count(DISTINCT xmin::text) FROM a").trim(), "2");
}

#[test]
fn each_statement_by_itself_on_sqlite() {
    let (project, database) = sqlite();
    project.migration(
        "1_a",
        &format!("{OFF}CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\n"),
    );
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: no such table: b
       ╭─[migrations/1_a/migration.sql:4:13]
     3 │ INSERT INTO a VALUES (1);
     4 │ INSERT INTO b VALUES (1);
       ·             ┬
       ·             ╰── no such table: b
       ╰────
      help: mend the file (what stands up to line 3 must stay as it is) and go on with `tollgate
            deploy --resume`; or finish or undo it by hand and record that with `tollgate resolve
            --applied 1_a` or `tollgate resolve --rolled-back 1_a`
      the database now: the first 2 of 3 statements are in, up to line 3
    "#);
    assert_eq!(database.sqlite3("SELECT id FROM a").trim(), "1");
    project.migration(
        "1_a",
        &format!("{OFF}CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\n"),
    );
    project.succeed(&["deploy", "--resume"]);
}

/// A session that has taken the file for itself and then begun a write-ahead log cannot be told to share the file again.
#[test]
fn a_file_that_keeps_the_database_to_itself_does_so_to_its_end() {
    let (project, database) = sqlite();
    project.migration(
        "1_a",
        "PRAGMA locking_mode = EXCLUSIVE;\nPRAGMA journal_mode = WAL;\nCREATE TABLE a (id integer);\n",
    );
    project.migration("2_b", "CREATE TABLE b (id integer);\n");
    project.succeed(&["deploy"]);
    assert_eq!(database.sqlite3("PRAGMA journal_mode"), "wal\n");
    // After a failure, too.
    project.migration(
        "3_c",
        "PRAGMA locking_mode = EXCLUSIVE;\nPRAGMA journal_mode = DELETE;\nPRAGMA journal_mode = WAL;\nINSERT INTO nowhere VALUES (1);\n",
    );
    let outcome = project.run(&["deploy"]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("no such table: nowhere"), "{outcome}");
    let failed = "SELECT count(*) FROM _prisma_migrations WHERE rolled_back_at IS NOT NULL";
    assert_eq!(database.sqlite3(failed), "1\n");
    project.migration("3_c", "CREATE TABLE c (id integer);\n");
    project.succeed(&["deploy"]);
}

/// A procedure that commits needs that no transaction is around it.
#[test]
fn a_procedure_that_commits_runs_without_a_transaction() {
    let (project, database) = postgres();
    project.migration(
        "1_procedure",
        "CREATE TABLE a (id int, tx text, timeout text);\n\
         CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN\n\
           FOR i IN 1..3 LOOP INSERT INTO a VALUES (i, txid_current(), current_setting('statement_timeout')); COMMIT; END LOOP;\n\
         END $$;\n",
    );
    project.migration("2_fill", &format!("{OFF}-- tollgate:timeout 20min -- many rows\nCALL fill();\nINSERT INTO a VALUES (4, '', current_setting('statement_timeout'));\n"));
    project.succeed(&["deploy"]);
    assert_eq!(database.psql("SELECT count(DISTINCT tx) FROM a").trim(), "4");
    assert_eq!(database.psql("SELECT DISTINCT timeout FROM a").trim(), "20min");
}

#[test]
fn one_transaction_or_nothing() {
    let (project, database) = postgres();
    project.migration("1_a", "-- tollgate:transaction on\nCREATE TABLE a (id int);\n");
    project.migration(
        "2_b",
        "-- tollgate:transaction on\nCREATE TABLE b (id int);\nCREATE INDEX CONCURRENTLY b_id\n  ON b (id);\n",
    );
    assert_snapshot!(run(&project, &["check"]), @"
    status: 1
    -- stderr
    script::pragma

      × 2_b cannot be read
       ╭─[migrations/2_b/migration.sql:3:1]
     2 │ CREATE TABLE b (id int);
     3 │ CREATE INDEX CONCURRENTLY b_id
       · ───────────────┬──────────────
       ·                ╰── the file wants one transaction (tollgate:transaction on), and this statement cannot run inside one
     4 │   ON b (id);
       ╰────
      help: move the statement to a migration of its own, or take the pragma out: then what can be
            together is one transaction, and the rest is recorded statement by statement
      the database now: nothing was changed
    ");
    assert_snapshot!(run(&project, &["deploy"]), @"
    status: 1
    -- stderr
    script::pragma

      × 2_b cannot be read
       ╭─[migrations/2_b/migration.sql:3:1]
     2 │ CREATE TABLE b (id int);
     3 │ CREATE INDEX CONCURRENTLY b_id
       · ───────────────┬──────────────
       ·                ╰── the file wants one transaction (tollgate:transaction on), and this statement cannot run inside one
     4 │   ON b (id);
       ╰────
      help: move the statement to a migration of its own, or take the pragma out: then what can be
            together is one transaction, and the rest is recorded statement by statement
      the database now: nothing was changed
    ");
    assert_eq!(
        database.psql("SELECT to_regclass('a') IS NULL").trim(),
        "t",
        "nothing was run"
    );
}

#[test]
fn what_is_no_pragma_is_refused_before_anything_is_applied() {
    let (project, database) = sqlite();
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.migration(
        "2_b",
        "-- The index is large.\n-- tollgate:tiemout 30min\nCREATE TABLE b (id int);\n",
    );
    project.migration("3_c", "-- tollgate:timeout soon\nCREATE TABLE c (id int);\n");
    assert_snapshot!(run(&project, &["check"]), @r#"
    status: 1
    -- stderr
    script::pragma

      × 2_b cannot be read
       ╭─[migrations/2_b/migration.sql:2:13]
     1 │ -- The index is large.
     2 │ -- tollgate:tiemout 30min
       ·             ───┬───
       ·                ╰── there is no `tollgate:tiemout`
     3 │ CREATE TABLE b (id int);
       ╰────
      help: did you mean `tollgate:timeout`?
      the database now: nothing was changed

    script::pragma

      × 3_c cannot be read
       ╭─[migrations/3_c/migration.sql:1:21]
     1 │ -- tollgate:timeout soon
       ·                     ──┬─
       ·                       ╰── "soon" is no time
     2 │ CREATE TABLE c (id int);
       ╰────
      help: write a number with its unit: `-- tollgate:timeout [duration]`; ms, s, min and h are known, 0 is
            no limit
      the database now: nothing was changed

    2 errors
    "#);
    assert_eq!(project.run(&["deploy"]).status, Some(1));
    assert_eq!(
        database
            .sqlite3("SELECT count(*) FROM sqlite_master WHERE name = 'a'")
            .trim(),
        "0"
    );
}

#[test]
fn a_file_has_a_time_limit_of_its_own() {
    let (project, _database) = postgres();
    project.migration("1_slow", "-- tollgate:timeout 100ms\nSELECT pg_sleep(20);\n");
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_slow" failed: canceling statement due to statement timeout
       ╭─[migrations/1_slow/migration.sql:2:1]
     1 │ -- tollgate:timeout [duration]
     2 │ SELECT pg_sleep(20);
       · ─────────┬─────────
       ·          ╰── canceling statement due to statement timeout
       ╰────
      help: SQLSTATE: 57014
            give it more time, with `-- tollgate:timeout 30min` above the first statement of the file
            or with deploy.statement_timeout_ms, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    // The file's word counts for more than the run's, in both directions.
    project.migration("1_slow", "-- tollgate:timeout 1min\nSELECT pg_sleep(0.2);\n");
    project.succeed(&["deploy", "--statement-timeout", "50ms"]);
}

/// Which is what the help asks for.
#[test]
fn a_file_that_is_half_in_may_be_given_more_time() {
    let (project, database) = postgres();
    let file = |limit: &str| {
        format!(
            "-- tollgate:timeout {limit}\n{OFF}CREATE TABLE a (id int);\nSELECT pg_sleep(0.3);\nINSERT INTO a VALUES (1);\n"
        )
    };
    project.migration("1_slow", &file("100ms"));
    let outcome = project.run(&["deploy"]);
    assert!(
        outcome
            .stderr
            .contains("give it more time, with `-- tollgate:timeout 30min`"),
        "{outcome}"
    );
    project.migration("1_slow", &file("1min"));
    project.succeed(&["deploy", "--resume"]);
    assert_eq!(database.psql("SELECT id FROM a"), "1\n");
}

/// Counts up to this in `SQLite`: some ten millions a second.
fn counting(to: u32) -> String {
    format!(
        "INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {to})\n  SELECT max(i) \
         FROM n;\n"
    )
}

#[test]
fn a_time_limit_ends_statements_on_sqlite() {
    let (project, database) = sqlite();
    let long = counting(2_000_000_000);
    project.migration("1_a", &format!("CREATE TABLE a (id int);\n{long}"));
    assert_snapshot!(run(&project, &["deploy", "--statement-timeout", "100ms"]), @r#"
    status: 1
    -- stderr
    migration-failed

      × migration "1_a" failed: canceling statement due to statement timeout
       ╭─[migrations/1_a/migration.sql:2:1]
     1 │     CREATE TABLE a (id int);
     2 │ ╭─▶ INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000)
     3 │ ├─▶   SELECT max(i) FROM n;
       · ╰──── canceling statement due to statement timeout
       ╰────
      help: give it more time, with `-- tollgate:timeout 30min` above the first statement of the file
            or with deploy.statement_timeout_ms, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    assert_eq!(database.sqlite3("SELECT name FROM sqlite_master WHERE name = 'a'"), "");
    // The file's word counts for more than the run's, in both directions.
    project.migration(
        "1_a",
        &format!("-- tollgate:timeout 100ms\nCREATE TABLE a (id int);\n{long}"),
    );
    let ended = project.run(&["deploy", "--statement-timeout", "60min"]);
    assert_eq!(ended.status, Some(1), "{ended}");
    let short = counting(100_000);
    project.migration(
        "1_a",
        &format!("-- tollgate:timeout 1min\nCREATE TABLE a (id int);\n{short}"),
    );
    project.succeed(&["deploy", "--statement-timeout", "1ms"]);
    assert_eq!(database.sqlite3("SELECT id FROM a"), "100000\n");
    // Outside a transaction only the file's counts, as on a server.
    let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n";
    project.migration("2_rows", &format!("INSERT INTO a {rows};\n"));
    project.migration("3_clean", "-- tollgate:timeout 1ms\nVACUUM;\n");
    assert_snapshot!(run(&project, &["deploy"]), @r#"
    status: 1
    -- stdout
    applied 2_rows [duration]
    -- stderr
    migration-failed

      × migration "3_clean" failed: canceling statement due to statement timeout
       ╭─[migrations/3_clean/migration.sql:2:1]
     1 │ -- tollgate:timeout [duration]
     2 │ VACUUM;
       · ───┬──
       ·    ╰── canceling statement due to statement timeout
       ╰────
      help: give it more time, with `-- tollgate:timeout 30min` above the first statement of the file
            or with deploy.statement_timeout_ms, then run `tollgate deploy`
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database
    "#);
    project.migration("3_clean", "VACUUM;\n");
    project.succeed(&["deploy", "--statement-timeout", "1ms"]);
}

#[test]
fn the_way_back_obeys_pragmas_too() {
    let (project, database) = postgres();
    project.migration("1_a", "CREATE TABLE a (id int);\n");
    project.succeed(&["deploy"]);
    project.file(
        "migrations/1_a/down.sql",
        "-- tollgate:transaction on\nDROP TABLE a;\nVACUUM;\n",
    );
    let check = project.run(&["check"]);
    assert!(check.stderr.contains("migrations/1_a/down.sql:3:1"), "{check}");
    assert_snapshot!(run(&project, &["rollback", "--steps", "1", "--force"]), @"
    status: 1
    -- stderr
    rollback-script

      × the rollback SQL of 1_a cannot be read: the file wants one transaction (tollgate:transaction
      │ on), and this statement cannot run inside one (line 3, column 1)
       ╭─[migrations/1_a/down.sql:3:1]
     2 │ DROP TABLE a;
     3 │ VACUUM;
       · ───┬──
       ·    ╰── the file wants one transaction (tollgate:transaction on), and this statement cannot run inside one
       ╰────
      help: move the statement to a migration of its own, or take the pragma out: then what can be
            together is one transaction, and the rest is recorded statement by statement
      the database now: nothing was changed
    ");
    project.file(
        "migrations/1_a/down.sql",
        "-- tollgate:timeout 100ms\nSELECT pg_sleep(20);\n",
    );
    assert_snapshot!(run(&project, &["rollback", "--steps", "1", "--force"]), @"
    status: 1
    -- stderr
    migration-failed

      × taking 1_a back failed: canceling statement due to statement timeout
       ╭─[migrations/1_a/down.sql:2:1]
     1 │ -- tollgate:timeout [duration]
     2 │ SELECT pg_sleep(20);
       · ─────────┬─────────
       ·          ╰── canceling statement due to statement timeout
       ╰────
      help: SQLSTATE: 57014
            give it more time, with `-- tollgate:timeout 30min` above the first statement of the file
            or with deploy.statement_timeout_ms, then run the command again
      the database now: 1_a is applied as it was; nothing of its rollback was kept
    ");
    project.file(
        "migrations/1_a/down.sql",
        &format!(
            "{OFF}CREATE TABLE was AS SELECT txid_current();\nINSERT INTO was SELECT txid_current();\nDROP TABLE a;\n"
        ),
    );
    project.succeed(&["rollback", "--steps", "1", "--force"]);
    assert_eq!(
        database.psql("SELECT count(DISTINCT txid_current) FROM was").trim(),
        "2"
    );
}

#[test]
fn a_plan_says_what_files_say() {
    let (project, _database) = postgres();
    project.migration(
        "1_a",
        &format!("{OFF}-- tollgate:timeout 30min\nCREATE TABLE a (id int);\nVACUUM;\n"),
    );
    project.migration(
        "2_b",
        "-- tollgate:transaction on\n-- tollgate:lock-timeout 0\nCREATE TABLE b (id int);\n",
    );
    assert_snapshot!(run(&project, &["deploy", "--dry-run"]), @"
    status: 0
    -- stdout
    1. 1_a 2 statements, each committed by itself, each takes 30 min at most
       line 4 outside a transaction: VACUUM
       taken back: irreversible: no rollback generator knows how to undo every statement
    2. 2_b 1 statement, in one transaction, each waits for a lock as long as it may
       taken back: irreversible: no rollback generator knows how to undo every statement
    2 migrations checked: nothing found
    2 migrations to deploy; nothing was changed
    ");
}
