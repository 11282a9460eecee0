//! Check and deploy: what one does every day.

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{DROP, ROWS, blog, both, ledger, on, session, tables};

#[test]
fn migrations_are_checked_planned_and_applied() {
    let seen = both(|project, database| {
        blog(project);
        let planned = session(project, &["check", "deploy --dry-run"]);
        assert_eq!(tables(database), "", "a dry run changes nothing");
        let half = session(project, &["deploy --to 1_users", "status"]);
        assert_eq!(tables(database), "users");
        let whole = session(project, &["deploy", "status", "deploy", "status --all"]);
        assert_eq!(tables(database), "posts users");
        planned + &half + &whole + &ledger(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate check
    status: 0
    -- stdout
    3 migrations checked: 3 notes
    -- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_posts/migration.sql: the name 2_posts could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    conventions::migration-name

      ☞ migrations/3_views/migration.sql: the name 3_views could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users


    $ tollgate deploy --dry-run
    status: 0
    -- stdout
    1. 1_users 1 statement
       taken back: lossy: the rows written to users since
    2. 2_posts 2 statements
       taken back: lossy: the rows written to posts since
    3. 3_views 1 statement
       taken back: lossless
    3 migrations checked: 3 notes
    3 migrations to deploy; nothing was changed
    -- stderr
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_posts/migration.sql: the name 2_posts could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    conventions::migration-name

      ☞ migrations/3_views/migration.sql: the name 3_views could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]

    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`

    $ tollgate deploy
    status: 0
    -- stdout
    applied 2_posts [duration]
    applied 3_views [duration]
    2 migrations checked: 2 notes
    2 migrations applied in [duration]

    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    $ tollgate deploy
    status: 0
    -- stdout
    nothing to deploy: the database is up to date

    $ tollgate status --all
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    1_users applied 1
    2_posts applied 1
    3_views applied 1
    ");
}

#[test]
fn what_destroys_blocks_everything() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy", "--to", "2_posts"]);
        database.run(ROWS);
        project.migration("4_drop", DROP);
        let seen = session(project, &["check 4_drop", "deploy --dry-run", "deploy"]);
        assert_eq!(tables(database), "posts users");
        assert_eq!(
            ledger(database),
            "1_users applied 1\n2_posts applied 1\n",
            "3_views is harmless, and waits too"
        );
        seen
    });
    assert_snapshot!(seen, @r#"
    $ tollgate check 4_drop
    status: 3
    -- stdout
    1 migration checked: 1 blocking, 2 warnings, 1 note
    -- stderr
    conventions::migration-name

      ☞ migrations/4_drop/migration.sql: the name 4_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name posts, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    destructive::drop-view

      ⚠ drops the view titles
       ╭─[migrations/4_drop/migration.sql:2:1]
     1 │ -- Nobody reads it.
     2 │ DROP VIEW titles;
       · ────────┬───────
       ·         ╰── medium
     3 │ DROP TABLE posts;
       ╰────
      help: change it with CREATE OR REPLACE VIEW, or stop reading it first

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


    $ tollgate deploy --dry-run
    status: 3
    -- stdout
    1. 3_views 1 statement
       taken back: lossless
    2. 4_drop 2 statements
       taken back: lossy: the rows of posts
    2 migrations checked: 1 blocking, 2 warnings, 2 notes
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    a deploy would be blocked; nothing was changed
    -- stderr
    conventions::migration-name

      ☞ migrations/3_views/migration.sql: the name 3_views could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    conventions::migration-name

      ☞ migrations/4_drop/migration.sql: the name 4_drop could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name posts, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    destructive::drop-view

      ⚠ drops the view titles
       ╭─[migrations/4_drop/migration.sql:2:1]
     1 │ -- Nobody reads it.
     2 │ DROP VIEW titles;
       · ────────┬───────
       ·         ╰── medium
     3 │ DROP TABLE posts;
       ╰────
      help: change it with CREATE OR REPLACE VIEW, or stop reading it first

    destructive::drop-table

      × drops the table posts with its 1 row
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


    $ tollgate deploy
    status: 3
    -- stdout
    2 migrations checked: 1 blocking, 2 warnings, 2 notes
    what is meant can be approved, to be reviewed with the migration:
      tollgate approve 4_drop --rule destructive/drop-table --statement 2 --reason "…"
    blocked; nothing was applied
    -- stderr
    destructive::drop-view

      ⚠ drops the view titles
       ╭─[migrations/4_drop/migration.sql:2:1]
     1 │ -- Nobody reads it.
     2 │ DROP VIEW titles;
       · ────────┬───────
       ·         ╰── medium
     3 │ DROP TABLE posts;
       ╰────
      help: change it with CREATE OR REPLACE VIEW, or stop reading it first

    destructive::drop-table

      × drops the table posts with its 1 row
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
    "#);
}

#[test]
fn to_names_a_migration() {
    let seen = both(|project, _| {
        blog(project);
        let wrong = session(project, &["deploy --to 2_post", "deploy --to nonsense"]);
        project.succeed(&["deploy"]);
        wrong + &session(project, &["deploy --to 1_users"])
    });
    assert_snapshot!(seen, @"
    $ tollgate deploy --to 2_post
    status: 2
    -- stderr
    not-found

      × there is no migration 2_post in the folder
      help: did you mean 2_posts? Give the whole folder name
      the database now: nothing was changed


    $ tollgate deploy --to nonsense
    status: 2
    -- stderr
    not-found

      × there is no migration nonsense in the folder
      help: `tollgate status` lists the names; give the whole folder name
      the database now: nothing was changed


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    nothing to deploy: the database is up to date
    ");
}

#[test]
fn statements_outside_a_transaction_are_pointed_out() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy"]);
    project.migration(
        "4_index",
        "CREATE INDEX CONCURRENTLY posts_title ON posts (title);\nANALYZE posts;\n",
    );
    assert_snapshot!(session(&project, &["deploy --dry-run", "deploy"]), @"
    $ tollgate deploy --dry-run
    status: 0
    -- stdout
    1. 4_index 2 statements
       line 1 outside a transaction: CREATE INDEX CONCURRENTLY posts_title ON posts (title)
       taken back: lossless
    1 migration checked: 3 notes
    1 migration to deploy; nothing was changed
    -- stderr
    conventions::migration-name

      ☞ migrations/4_index/migration.sql: the name 4_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name posts, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            20260901120000_add_email_to_users

    safety::concurrent-with-other-statements

      ☞ runs CREATE INDEX CONCURRENTLY in a file with another statement, which is then applied in
      │ parts and not at all by Prisma Migrate
       ╭─[migrations/4_index/migration.sql:1:1]
     1 │ CREATE INDEX CONCURRENTLY posts_title ON posts (title);
       · ───────────────────────────┬──────────────────────────
       ·                            ╰── low
     2 │ ANALYZE posts;
       ╰────
      help: give it a migration of its own
            fix: move the rest to a following migration

    safety::not-idempotent-outside-transaction

      ☞ builds the index posts_title of posts outside of a transaction without IF NOT EXISTS: run
      │ again, the file fails at it
       ╭─[migrations/4_index/migration.sql:1:1]
     1 │ CREATE INDEX CONCURRENTLY posts_title ON posts (title);
       · ───────────────────────────┬──────────────────────────
       ·                            ╰── low
     2 │ ANALYZE posts;
       ╰────
      help: write IF NOT EXISTS, and above it DROP INDEX CONCURRENTLY IF EXISTS posts_title, for one
            that a failed build has left
            fix: add IF NOT EXISTS


    $ tollgate deploy
    status: 0
    -- stdout
    applied 4_index [duration]
    1 migration checked: 3 notes
    1 migration applied in [duration]
    ");
}
