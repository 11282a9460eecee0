//! What a reviewer allows in a script.

use insta::assert_snapshot;

use crate::session::{DROP, ROWS, blog, both, session, sqlite, tables};

#[test]
fn a_reviewer_can_allow_it() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        database.run(ROWS);
        project.migration(
            "4_drop",
            &DROP.replace("DROP TABLE", "-- tollgate:allow drop-table -- archived\nDROP TABLE"),
        );
        let seen = session(project, &["deploy"]);
        assert_eq!(tables(database), "users");
        seen
    });
    assert_snapshot!(seen, @"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 4_drop [duration]
    1 migration checked: 2 warnings, 1 note, 1 allowed by comments
    1 migration applied in [duration]
    -- stderr
    destructive::drop-view

      ⚠ drops the view titles
       ╭─[migrations/4_drop/migration.sql:2:1]
     1 │ -- Nobody reads it.
     2 │ DROP VIEW titles;
       · ────────┬───────
       ·         ╰── medium
     3 │ -- tollgate:allow drop-table -- archived
       ╰────
      help: change it with CREATE OR REPLACE VIEW, or stop reading it first

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of posts
       ╭─[migrations/4_drop/migration.sql:4:1]
     3 │ -- tollgate:allow drop-table -- archived
     4 │ DROP TABLE posts;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
}

#[test]
fn an_allowance_without_a_reason_is_a_mistake() {
    let seen = both(|project, database| {
        blog(project);
        project.migration(
            "4_drop",
            &DROP.replace("DROP TABLE", "  -- tollgate:allow drop-table\nDROP TABLE"),
        );
        let seen = session(project, &["check", "deploy"]);
        assert_eq!(tables(database), "");
        seen
    });
    assert_snapshot!(seen, @"
    $ tollgate check
    status: 1
    -- stderr
    script::suppression

      × 4_drop cannot be read
       ╭─[migrations/4_drop/migration.sql:3:3]
     2 │ DROP VIEW titles;
     3 │   -- tollgate:allow drop-table
       ·   ──────────────┬─────────────
       ·                 ╰── a suppression needs a reason: `-- tollgate:allow RULE -- why this is meant`
     4 │ DROP TABLE posts;
       ╰────
      help: write `-- tollgate:allow RULE -- reason`
      the database now: nothing was changed


    $ tollgate deploy
    status: 1
    -- stderr
    script::suppression

      × 4_drop cannot be read
       ╭─[migrations/4_drop/migration.sql:3:3]
     2 │ DROP VIEW titles;
     3 │   -- tollgate:allow drop-table
       ·   ──────────────┬─────────────
       ·                 ╰── a suppression needs a reason: `-- tollgate:allow RULE -- why this is meant`
     4 │ DROP TABLE posts;
       ╰────
      help: write `-- tollgate:allow RULE -- reason`
      the database now: nothing was changed
    ");
}

#[test]
fn an_allowance_for_another_rule_or_statement_allows_nothing() {
    let project = sqlite();
    blog(&project);
    project.migration(
        "4_drop",
        "-- tollgate:allow drop-column, drop-view -- not this one\nDROP VIEW titles;\nDROP TABLE posts;\n",
    );
    assert_snapshot!(session(&project, &["check 4_drop"]), @"
    $ tollgate check 4_drop
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 1 warning, 2 notes, 1 allowed by comments
    -- stderr
    conventions::migration-name

      ☞ migrations/4_drop/migration.sql: the name 4_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name posts, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    tollgate::unused-suppression

      ☞ allows drop-column at a statement where nothing of that is found
       ╭─[migrations/4_drop/migration.sql:1:19]
     1 │ -- tollgate:allow drop-column, drop-view -- not this one
       ·                   ─────┬─────
       ·                        ╰── low
     2 │ DROP VIEW titles;
       ╰────
      help: remove it, or move it above the statement that it is for

    destructive::drop-table

      × drops the table posts with all its rows
       ╭─[migrations/4_drop/migration.sql:3:1]
     2 │ DROP VIEW titles;
     3 │ DROP TABLE posts;
       · ────────┬───────
       ·         ╰── high: blocks a deploy
       ╰────
      help: rename the table first and drop it later, or keep a copy of its rows

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of posts
       ╭─[migrations/4_drop/migration.sql:3:1]
     2 │ DROP VIEW titles;
     3 │ DROP TABLE posts;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
    project.migration(
        "4_drop",
        "-- tollgate:allow drop-table, drop-view -- the whole file\n\nDROP VIEW titles;\nDROP TABLE posts;\n",
    );
    assert_snapshot!(session(&project, &["check 4_drop"]), @"
    $ tollgate check 4_drop
    status: 0
    -- stdout
    1 migration checked: 1 warning, 1 note, 2 allowed by comments
    -- stderr
    conventions::migration-name

      ☞ migrations/4_drop/migration.sql: the name 4_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name posts, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    tollgate::rollback-procedure

      ⚠ has no way back from what destructive/drop-table reports: there is no down.sql, and the
      │ generated rollback does not bring back the rows of posts
       ╭─[migrations/4_drop/migration.sql:4:1]
     3 │ DROP VIEW titles;
     4 │ DROP TABLE posts;
       · ────────┬───────
       ·         ╰── medium
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`
    ");
}
