//! What a preview says of migrations that go through, and of those that do not.

use insta::assert_snapshot;

use super::{Stage, preview};

#[test]
fn everything_goes_through_and_back() {
    let stage = Stage::new();
    stage.project.migration(
        "1_users",
        "CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL);\n",
    );
    stage
        .project
        .migration("2_index", "CREATE INDEX CONCURRENTLY users_email ON users (email);\n");
    stage.project.migration(
        "3_name",
        "ALTER TABLE users ADD COLUMN name text;\nCREATE VIEW names AS SELECT name FROM users;\n",
    );
    assert_snapshot!(preview(&stage.project, &[]), @"
    status: 0
    -- stdout
    applied 1_users [duration], taken back [duration] (loses the rows written to users since)
    applied 2_index [duration], taken back [duration]
    applied 3_name [duration], taken back [duration] (loses what was written to users.name since)
    3 migrations checked: nothing found
    3 migrations went through in [duration]
    ");
    assert_eq!(stage.seen(), "");
    // Again with a report, and without taking anything back.
    assert_snapshot!(preview(&stage.project, &["--skip-rollbacks", "--report", "markdown"]), @"
    status: 0
    -- stdout
    ### Preview: everything went through

    | migration | applied | taken back | |
    | --- | ---: | ---: | --- |
    | `1_users` | [duration] | - |  |
    | `2_index` | [duration] | - |  |
    | `3_name` | [duration] | - |  |
    -- stderr
    applied 1_users [duration]
    applied 2_index [duration]
    applied 3_name [duration]
    3 migrations checked: nothing found
    3 migrations went through in [duration]
    ");
}

#[test]
fn so_it_is_on_sqlite() {
    let mut project = super::project("");
    project.set("DATABASE_URL", "file:./app.db");
    project.migration(
        "1_users",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n",
    );
    project.migration("2_rows", "INSERT INTO users (email) VALUES ('a@example.com');\n");
    project.migration(
        "3_drop",
        "-- tollgate:allow drop-table -- it is not used\nDROP TABLE users;\n",
    );
    assert_snapshot!(preview(&project, &[]), @"
    status: 0
    -- stdout
    applied 1_users [duration], taken back [duration] (loses the rows written to users since)
    applied 2_rows [duration], taken back [duration] (loses the rows inserted into users are not taken out)
    applied 3_drop [duration], taken back [duration] (loses the rows of users)
    3 migrations checked: 1 warning, 1 allowed by comments
    3 migrations went through in [duration]
    -- stderr
    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of users
       ╭─[migrations/3_drop/migration.sql:2:1]
     1 │ -- tollgate:allow drop-table -- it is not used
     2 │ DROP TABLE users;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
    assert!(!project.path().join("app.db").exists());
}

#[test]
fn a_migration_that_fails_is_shown_and_the_rest_not_tried() {
    let stage = Stage::new();
    stage.project.migration("1_a", "CREATE TABLE a (id integer);\n");
    stage
        .project
        .migration("2_b", "CREATE TABLE b (id integer);\nCREATE TABLE a (id integer);\n");
    stage.project.migration("3_c", "CREATE TABLE c (id integer);\n");
    assert_snapshot!(preview(&stage.project, &[]), @r#"
    status: 1
    -- stdout
    applied 1_a [duration], taken back [duration] (loses the rows written to a since)
    failed 2_b
    3 migrations checked: nothing found
    1 migration not tried: 3_c
    the preview failed
    -- stderr
    migration-failed

      × migration "2_b" failed: relation "a" already exists
       ╭─[migrations/2_b/migration.sql:2:14]
     1 │ CREATE TABLE b (id integer);
     2 │ CREATE TABLE a (id integer);
       ·              ┬
       ·              ╰── relation "a" already exists
       ╰────
      help: SQLSTATE: 42P07
            mend the file, then run `tollgate preview`
      the database now: only the scratch database was changed
    "#);
    assert_snapshot!(preview(&stage.project, &["--report", "markdown"]), @r#"
    status: 1
    -- stdout
    ### Preview: failed

    | migration | applied | taken back | |
    | --- | ---: | ---: | --- |
    | `1_a` | [duration] | [duration] | the schema as before; lossy: the rows written to a since |
    | `2_b` | - | - | **failed** |

    Not tried: `3_c`

    #### `2_b`

    migration "2_b" failed: relation "a" already exists  
    `migrations/2_b/migration.sql:2`

    > SQLSTATE: 42P07
    > mend the file, then run `tollgate preview`
    -- stderr
    applied 1_a [duration], taken back [duration] (loses the rows written to a since)
    failed 2_b
    migration-failed

      × migration "2_b" failed: relation "a" already exists
       ╭─[migrations/2_b/migration.sql:2:14]
     1 │ CREATE TABLE b (id integer);
     2 │ CREATE TABLE a (id integer);
       ·              ┬
       ·              ╰── relation "a" already exists
       ╰────
      help: SQLSTATE: 42P07
            mend the file, then run `tollgate preview`
      the database now: only the scratch database was changed

    3 migrations checked: nothing found
    1 migration not tried: 3_c
    the preview failed
    "#);
}

#[test]
fn a_rollback_that_fails_is_shown() {
    let stage = Stage::new();
    stage.project.migration("1_a", "CREATE TABLE a (id integer);\n");
    stage.project.file("migrations/1_a/down.sql", "DROP TABLE b;\n");
    stage.project.migration("2_b", "CREATE TABLE b (id integer);\n");
    assert_snapshot!(preview(&stage.project, &[]), @r#"
    status: 1
    -- stdout
    applied 1_a [duration], taking it back failed
    applied 2_b [duration], taken back [duration] (loses the rows written to b since)
    2 migrations checked: nothing found
    the preview failed
    -- stderr
    migration-failed

      × taking 1_a back failed: table "b" does not exist
       ╭─[migrations/1_a/down.sql:1:12]
     1 │ DROP TABLE b;
       ·            ┬
       ·            ╰── table "b" does not exist
       ╰────
      help: SQLSTATE: 42P01
            mend the cause, then run the command again
      the database now: only the scratch database was changed
    "#);
}

#[test]
fn a_rollback_that_leaves_something_is_shown() {
    let stage = Stage::new();
    stage
        .project
        .migration("1_a", "CREATE TABLE a (id integer);\nCREATE INDEX a_id ON a (id);\n");
    stage
        .project
        .migration("2_b", "CREATE TABLE b (id integer);\nDROP INDEX a_id;\n");
    stage.project.file(
        "migrations/2_b/down.sql",
        "DROP TABLE b;\nALTER TABLE a ADD COLUMN more text;\n",
    );
    assert_snapshot!(preview(&stage.project, &[]), @"
    status: 1
    -- stdout
    applied 1_a [duration], taken back [duration] (loses the rows written to a since)
    applied 2_b [duration], taken back, but something is not what it was before
    2 migrations checked: 1 warning
    the preview failed
    -- stderr
    destructive::drop-index

      ⚠ drops the index a_id of a
       ╭─[migrations/2_b/migration.sql:2:1]
     1 │ CREATE TABLE b (id integer);
     2 │ DROP INDEX a_id;
       · ───────┬───────
       ·        ╰── medium
       ╰────
      help: make the index that takes its place first, and check that no query needs this one

    preview::not-restored

      × 2_b is taken back, and something is not what it was before
      help: table public.a: column more: only in the schema after taking it back
            table public.a: index a_id: only in the schema before
    ");
    assert_snapshot!(preview(&stage.project, &["--report", "markdown"]), @"
    status: 1
    -- stdout
    ### Preview: failed

    | migration | applied | taken back | |
    | --- | ---: | ---: | --- |
    | `1_a` | [duration] | [duration] | the schema as before; lossy: the rows written to a since |
    | `2_b` | [duration] | [duration] | **something is not what it was before** |

    #### `2_b`
    - table public.a: column more: only in the schema after taking it back
    - table public.a: index a_id: only in the schema before

    Findings: 0 blocking, 1 warning, 0 notes.
    -- stderr
    destructive::drop-index

      ⚠ drops the index a_id of a
       ╭─[migrations/2_b/migration.sql:2:1]
     1 │ CREATE TABLE b (id integer);
     2 │ DROP INDEX a_id;
       · ───────┬───────
       ·        ╰── medium
       ╰────
      help: make the index that takes its place first, and check that no query needs this one

    applied 1_a [duration], taken back [duration] (loses the rows written to a since)
    applied 2_b [duration], taken back, but something is not what it was before
    preview::not-restored

      × 2_b is taken back, and something is not what it was before
      help: table public.a: column more: only in the schema after taking it back
            table public.a: index a_id: only in the schema before

    2 migrations checked: 1 warning
    the preview failed
    ");
}

#[test]
fn what_a_plan_says_itself_is_no_failure_and_what_comes_next_is_tried() {
    let stage = Stage::new();
    stage
        .project
        .migration("1_a", "CREATE TABLE a (id integer PRIMARY KEY, b text NOT NULL);\n");
    stage.project.migration("2_rows", "INSERT INTO a VALUES (1, 'x');\n");
    stage.project.migration(
        "3_drop",
        "-- tollgate:allow drop-column -- it is not used\nALTER TABLE a DROP COLUMN b;\n",
    );
    stage
        .project
        .migration("4_more", "CREATE TABLE c (a integer REFERENCES a (id));\n");
    let outcome = stage.project.run(&["preview"]);
    assert_snapshot!(super::text(&outcome), @r#"
    status: 0
    -- stdout
    applied 1_a [duration], taken back [duration] (loses the rows written to a since)
    applied 2_rows [duration], taken back, and then it could not be applied again
    applied 3_drop [duration], taken back, but something is not what it was before
    applied 4_more [duration], taken back [duration] (loses the rows written to c since)
    4 migrations checked: 1 warning, 1 allowed by comments
    4 migrations went through in [duration]
    -- stderr
    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-column reports: there is no down.sql, and the
      │ generated rollback does not bring back the values of a.b, which comes back without NOT NULL
       ╭─[migrations/3_drop/migration.sql:2:15]
     1 │ -- tollgate:allow drop-column -- it is not used
     2 │ ALTER TABLE a DROP COLUMN b;
       ·               ──────┬──────
       ·                     ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`

    migration-failed

      ⚠ migration "2_rows" failed: duplicate key value violates unique constraint "a_pkey"
       ╭─[migrations/2_rows/migration.sql:1:1]
     1 │ INSERT INTO a VALUES (1, 'x');
       · ──────────────┬──────────────
       ·               ╰── duplicate key value violates unique constraint "a_pkey"
       ╰────
      help: SQLSTATE: 23505
            detail: Key (id)=(1) already exists.
            mend the data or the file, then run `tollgate preview`
      the database now: only the scratch database was changed

    preview::not-restored

      ⚠ 3_drop is taken back, and something is not what it was before
      help: table public.a: column b: not null: yes in the schema before, no in the schema after
            taking it back
    "#);
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn what_would_be_blocked_is_tried_all_the_same() {
    let stage = Stage::new();
    stage.project.migration("1_a", "CREATE TABLE a (id integer);\n");
    stage.project.migration("2_drop", "DROP TABLE a;\n");
    assert_snapshot!(preview(&stage.project, &[]), @"
    status: 3
    -- stdout
    applied 1_a [duration], taken back [duration] (loses the rows written to a since)
    applied 2_drop [duration], taken back [duration] (loses the rows of a)
    2 migrations checked: 1 blocking, 1 warning
    went through; a deploy would be blocked
    -- stderr
    destructive::drop-table

      × drops the table a with all its rows
       ╭─[migrations/2_drop/migration.sql:1:1]
     1 │ DROP TABLE a;
       · ──────┬─────
       ·       ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of a
       ╭─[migrations/2_drop/migration.sql:1:1]
     1 │ DROP TABLE a;
       · ──────┬─────
       ·       ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
}

#[test]
fn the_document_says_everything() {
    let stage = Stage::new();
    stage.project.migration("1_a", "CREATE TABLE a (id integer);\n");
    let outcome = stage.project.run(&["preview", "--format", "json"]);
    let document = outcome.json();
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert_eq!(document["outcome"], "succeeded");
    assert_eq!(document["migrations"][0]["name"], "1_a");
    assert_eq!(document["migrations"][0]["rollback"]["result"], "restored");
    assert_eq!(document["migrations"][0]["rollback"]["promise"], "lossy");
    let path = tollgate_tests::repository().join("engine/cli/schemas/preview.json");
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_script_that_cannot_be_read_needs_no_database() {
    let stage = Stage::new();
    stage.project.migration("1_a", "CREATE TABL a (id integer);\n");
    assert_snapshot!(preview(&stage.project, &[]), @r#"
    status: 1
    -- stderr
    script::syntax

      × 1_a cannot be read
       ╭─[migrations/1_a/migration.sql:1:8]
     1 │ CREATE TABL a (id integer);
       ·        ──┬─
       ·          ╰── syntax error at or near "TABL"
       ╰────
      the database now: nothing was changed
    "#);
}

/// Another file is not the scratch database: it may be a real one, and stays as it is.
#[test]
fn no_other_file_is_touched_on_sqlite() {
    let mut project = super::project("");
    project.set("DATABASE_URL", "file:./app.db");
    let other = project.path().join("other.db");
    let copied = project.path().join("copied.db");
    project.migration(
        "1_a",
        "ATTACH ':memory:' AS m;\nDETACH m;\nCREATE TABLE a (id integer);\n",
    );
    let quiet = |arguments: &[&str]| {
        let outcome = preview(&project, arguments);
        outcome.replace(&project.path().display().to_string(), "[project]")
    };
    for (sql, file) in [
        (
            format!(
                "ATTACH '{}' AS other;\nCREATE TABLE other.b (id integer);\n",
                other.display()
            ),
            &other,
        ),
        ("VACUUM INTO 'copied.db';\n".to_owned(), &copied),
    ] {
        project.migration("2_b", &sql);
        let empty = quiet(&[]);
        assert!(empty.contains("the other file may be a real database"), "{empty}");
        assert!(empty.contains("applied 1_a"), "{empty}");
        assert!(!file.exists(), "{sql}");
    }
    assert_snapshot!(quiet(&["--skip-rollbacks"]), @r#"
    status: 1
    -- stdout
    applied 1_a [duration]
    failed 2_b
    2 migrations checked: nothing found
    the preview failed
    -- stderr
    migration-failed

      × migration "2_b" failed: VACUUM INTO is not tried: the other file may be a real database
       ╭─[migrations/2_b/migration.sql:1:1]
     1 │ VACUUM INTO 'copied.db';
       · ───────────┬───────────
       ·            ╰── VACUUM INTO is not tried: the other file may be a real database
       ╰────
      help: mend the file, then run `tollgate preview`
      the database now: only the scratch database was changed
    "#);
    project.succeed(&["deploy"]);
    assert!(copied.exists());
    project.migration(
        "3_c",
        &format!("ATTACH '{}' AS c;\nDROP TABLE c.a;\n", copied.display()),
    );
    let before = std::fs::read(&copied).unwrap();
    assert!(quiet(&["--copy"]).contains("failed 3_c"));
    assert!(std::fs::read(&copied).unwrap() == before);
}
