//! Statements that the server refuses in the middle of a deploy.

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{NO_POLICY, blog, both, ledger, on, session, tables};

const TWINS: &str = "INSERT INTO users (id, email) VALUES (1, 'a@example.com'), (2, 'a@example.com');\n";

#[test]
fn a_refused_statement_leaves_nothing_and_the_mended_file_is_deployed() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.file("tollgate.toml", NO_POLICY);
    project.migration(
        "4_unique",
        "CREATE TABLE tags (id integer);\nCREATE UNIQUE INDEX users_email ON users (email);\n",
    );
    project.migration("5_later", "CREATE TABLE later (id integer);\n");
    project.succeed(&["deploy", "--to", "1_users"]);
    database.run(TWINS);
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stdout
    applied 2_posts [duration]
    applied 3_views [duration]
    -- stderr
    migration-failed

      × migration "4_unique" failed: could not create unique index "users_email"
       ╭─[migrations/4_unique/migration.sql:2:21]
     1 │ CREATE TABLE tags (id integer);
     2 │ CREATE UNIQUE INDEX users_email ON users (email);
       ·                     ─────┬─────
       ·                          ╰── could not create unique index "users_email"
       ╰────
      help: SQLSTATE: 23505
            detail: Key (email)=(a@example.com) is duplicated.
            mend the data or the file, then run `tollgate deploy`
      the database now: 2 migrations of this run are in and recorded; nothing of it is in the database
    "#);
    assert_eq!(tables(&database), "posts users");
    assert_snapshot!(session(&project, &["status", "deploy"]), @r#"
    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    rolled back 4_unique  failed when it was last tried
        Database error code: 23505
        Database error:
        ERROR: could not create unique index "users_email"
        DETAIL: Key (email)=(a@example.com) is duplicated.
        Statement 2 at line 2, column 21
    pending     5_later
    5 migrations: 3 applied, 1 pending, 1 rolled back; next: `tollgate deploy`

    $ tollgate deploy
    status: 1
    -- stderr
    migration-failed

      × migration "4_unique" failed: could not create unique index "users_email"
       ╭─[migrations/4_unique/migration.sql:2:21]
     1 │ CREATE TABLE tags (id integer);
     2 │ CREATE UNIQUE INDEX users_email ON users (email);
       ·                     ─────┬─────
       ·                          ╰── could not create unique index "users_email"
       ╰────
      help: SQLSTATE: 23505
            detail: Key (email)=(a@example.com) is duplicated.
            mend the data or the file, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    project.migration(
        "4_unique",
        "CREATE TABLE tags (id integer);\nCREATE INDEX users_email ON users (email);\n",
    );
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 4_unique [duration]
    applied 5_later [duration]
    2 migrations applied in [duration]

    $ tollgate status
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    applied     4_unique
    applied     5_later
    5 migrations: 5 applied; the database is up to date
    "#);
    assert_eq!(tables(&database), "later posts tags users");
    assert_snapshot!(ledger(&database), @"
    1_users applied 1
    2_posts applied 1
    3_views applied 1
    4_unique rolled back 0
    4_unique rolled back 0
    4_unique applied 1
    5_later applied 1
    ");
}

#[test]
fn the_same_on_sqlite() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    project.file("tollgate.toml", NO_POLICY);
    project.migration(
        "4_unique",
        "CREATE TABLE tags (id integer);\nCREATE UNIQUE INDEX users_email ON users (email);\n",
    );
    project.succeed(&["deploy", "--to", "1_users"]);
    database.run(TWINS);
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stdout
    applied 2_posts [duration]
    applied 3_views [duration]
    -- stderr
    migration-failed

      × migration "4_unique" failed: UNIQUE constraint failed: users.email
       ╭─[migrations/4_unique/migration.sql:2:1]
     1 │ CREATE TABLE tags (id integer);
     2 │ CREATE UNIQUE INDEX users_email ON users (email);
       · ────────────────────────┬───────────────────────
       ·                         ╰── UNIQUE constraint failed: users.email
       ╰────
      help: mend the data or the file, then run `tollgate deploy`
      the database now: 2 migrations of this run are in and recorded; nothing of it is in the database


    $ tollgate status
    status: 5
    -- stdout
    SQLite database [folder]/test.db
    applied     1_users
    applied     2_posts
    applied     3_views
    rolled back 4_unique  failed when it was last tried
        Database error:
        ERROR: UNIQUE constraint failed: users.email
        Statement 2 at line 2, column 1
    4 migrations: 3 applied, 1 rolled back; next: `tollgate deploy`
    "#);
    assert_eq!(tables(&database), "posts users");
    project.migration(
        "4_unique",
        "CREATE TABLE tags (id integer);\nCREATE INDEX users_email ON users (email);\n",
    );
    project.succeed(&["deploy"]);
    assert_eq!(tables(&database), "posts tags users");
}

#[test]
fn a_hint_of_the_server_is_passed_on() {
    let database = Database::postgres();
    let project = on(&database);
    project.migration(
        "1_function",
        "CREATE TABLE t (id integer);\nINSERT INTO t SELECT lenght('x');\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    migration-failed

      × migration "1_function" failed: function lenght(unknown) does not exist
       ╭─[migrations/1_function/migration.sql:2:22]
     1 │ CREATE TABLE t (id integer);
     2 │ INSERT INTO t SELECT lenght('x');
       ·                      ───┬──
       ·                         ╰── function lenght(unknown) does not exist
       ╰────
      help: SQLSTATE: 42883
            hint: No function matches the given name and argument types. You might need to add
            explicit type casts.
            mend the file, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
}

#[test]
fn an_error_inside_a_function_says_where() {
    let database = Database::postgres();
    let project = on(&database);
    project.migration(
        "1_block",
        "DO $$\nBEGIN\n  RAISE EXCEPTION 'no %', 'entry' USING ERRCODE = 'P0042', DETAIL = 'a detail', HINT = 'a hint';\nEND $$;\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    migration-failed

      × migration "1_block" failed: no entry
       ╭─[migrations/1_block/migration.sql:1:1]
     1 │ ╭─▶ DO $$
     2 │ │   BEGIN
     3 │ │     RAISE EXCEPTION 'no %', 'entry' USING ERRCODE = 'P0042', DETAIL = 'a detail', HINT = 'a hint';
     4 │ ├─▶ END $$;
       · ╰──── no entry
       ╰────
      help: SQLSTATE: P0042
            detail: a detail
            hint: a hint
            context: PL/pgSQL function inline_code_block line 3 at RAISE
            mend the file, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
}

#[test]
fn outside_a_transaction_what_ran_stays_and_is_said() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    project.succeed(&["deploy", "--to", "1_users"]);
    database.run(TWINS);
    project.file("tollgate.toml", NO_POLICY);
    project.migration(
        "1_unique",
        "CREATE TABLE tags (id integer);\nCREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);\nCREATE TABLE more (id integer);\n",
    );
    assert_snapshot!(session(&project, &["deploy", "status", "deploy", "deploy --resume"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    warning: 1 migration is pending although later ones are applied: 1_unique
    1_unique: dropped the invalid index public.users_email that a failed attempt left
    migration-failed

      × migration "1_unique" failed: could not create unique index "users_email"
       ╭─[migrations/1_unique/migration.sql:2:34]
     1 │ CREATE TABLE tags (id integer);
     2 │ CREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);
       ·                                  ─────┬─────
       ·                                       ╰── could not create unique index "users_email"
     3 │ CREATE TABLE more (id integer);
       ╰────
      help: SQLSTATE: 23505
            detail: Key (email)=(a@example.com) is duplicated.
            mend the data or the file (what stands up to line 1 must stay as it is) and go on with
            `tollgate deploy --resume`; or finish or undo it by hand and record that with `tollgate
            resolve --applied 1_unique` or `tollgate resolve --rolled-back 1_unique`
      the database now: the first of 3 statements is in, up to line 1


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    failed      1_unique  1 of 3 statements is in; line 2 comes next
        Database error code: 23505
        Database error:
        ERROR: could not create unique index "users_email"
        DETAIL: Key (email)=(a@example.com) is duplicated.
        Statement 2 at line 2, column 34
    applied     1_users
    pending     2_posts
    pending     3_views
    4 migrations: 1 applied, 2 pending, 1 failed; next: mend the cause and go on with `tollgate deploy --resume`

    $ tollgate deploy
    status: 5
    -- stderr
    unresolved-migration

      × 1 migration failed earlier and must be resolved first: 1_unique
      help: `tollgate resolve 1_unique` looks what of it is in the database and says what to record;
            where a deploy stopped in the middle of it, `tollgate deploy --resume` goes on
      the database now: nothing was changed


    $ tollgate deploy --resume
    status: 1
    -- stderr
    1_unique: goes on after 1 statement of an earlier attempt
    1_unique: dropped the invalid index public.users_email that a failed attempt left
    migration-failed

      × migration "1_unique" failed: could not create unique index "users_email"
       ╭─[migrations/1_unique/migration.sql:2:34]
     1 │ CREATE TABLE tags (id integer);
     2 │ CREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);
       ·                                  ─────┬─────
       ·                                       ╰── could not create unique index "users_email"
     3 │ CREATE TABLE more (id integer);
       ╰────
      help: SQLSTATE: 23505
            detail: Key (email)=(a@example.com) is duplicated.
            mend the data or the file (what stands up to line 1 must stay as it is) and go on with
            `tollgate deploy --resume`; or finish or undo it by hand and record that with `tollgate
            resolve --applied 1_unique` or `tollgate resolve --rolled-back 1_unique`
      the database now: the first of 3 statements is in, up to line 1
    "#);
    assert_eq!(tables(&database), "tags users");
    database.run("DELETE FROM users WHERE id = 2;");
    assert_snapshot!(session(&project, &["deploy --resume", "status"]), @r#"
    $ tollgate deploy --resume
    status: 0
    -- stdout
    applied 1_unique [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    3 migrations applied in [duration]
    -- stderr
    1_unique: goes on after 1 statement of an earlier attempt

    $ tollgate status
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_unique
    applied     1_users
    applied     2_posts
    applied     3_views
    4 migrations: 4 applied; the database is up to date
    "#);
    assert_eq!(tables(&database), "more posts tags users");
    assert!(database.schema().contains("CREATE UNIQUE INDEX users_email"));
}

#[test]
fn what_ran_outside_a_transaction_can_be_undone_by_hand() {
    let database = Database::postgres();
    let project = on(&database);
    project.migration(
        "1_index",
        "CREATE TABLE tags (id integer);\nCREATE INDEX CONCURRENTLY tags_name ON tags (name);\n",
    );
    assert_eq!(project.run(&["deploy"]).status, Some(1));
    assert_eq!(tables(&database), "tags");
    database.run("DROP TABLE tags;");
    project.migration(
        "1_index",
        "CREATE TABLE tags (id integer, name text);\nCREATE INDEX CONCURRENTLY tags_name ON tags (name);\n",
    );
    assert_snapshot!(session(&project, &["deploy --resume", "resolve --rolled-back 1_index", "deploy"]), @r#"
    $ tollgate deploy --resume
    status: 1
    -- stderr
    safety::concurrent-with-other-statements

      ⚠ runs CREATE INDEX CONCURRENTLY in a file with another statement, which is then applied in
      │ parts and not at all by Prisma Migrate
       ╭─[migrations/1_index/migration.sql:2:1]
     1 │ CREATE TABLE tags (id integer, name text);
     2 │ CREATE INDEX CONCURRENTLY tags_name ON tags (name);
       · ─────────────────────────┬────────────────────────
       ·                          ╰── medium
       ╰────
      help: give it a migration of its own
            fix: move the rest to a following migration

    migration-failed

      × migration "1_index" failed: its first statement is in the database and changed in the file
      │ since
       ╭─[migrations/1_index/migration.sql:1:1]
     1 │ CREATE TABLE tags (id integer, name text);
       · ────────────────────┬────────────────────
       ·                     ╰── this was something else when it was run
     2 │ CREATE INDEX CONCURRENTLY tags_name ON tags (name);
       ╰────
      help: put that part of the file back as it was and go on with `tollgate deploy --resume`; or
            finish or undo it by hand and record that with `tollgate resolve --applied 1_index` or
            `tollgate resolve --rolled-back 1_index`
      the database now: the first of 2 statements is in, up to line 1


    $ tollgate resolve --rolled-back 1_index
    status: 0
    -- stdout
    1_index is recorded as rolled back

    $ tollgate deploy
    status: 0
    -- stdout
    applied 1_index [duration]
    1 migration checked: 1 warning, 2 notes
    1 migration applied in [duration]
    -- stderr
    safety::concurrent-with-other-statements

      ⚠ runs CREATE INDEX CONCURRENTLY in a file with another statement, which is then applied in
      │ parts and not at all by Prisma Migrate
       ╭─[migrations/1_index/migration.sql:2:1]
     1 │ CREATE TABLE tags (id integer, name text);
     2 │ CREATE INDEX CONCURRENTLY tags_name ON tags (name);
       · ─────────────────────────┬────────────────────────
       ·                          ╰── medium
       ╰────
      help: give it a migration of its own
            fix: move the rest to a following migration
    "#);
    assert_snapshot!(ledger(&database), @"
    1_index rolled back 1
    1_index applied 1
    ");
}

#[test]
fn a_deferred_constraint_fails_at_commit() {
    let database = Database::postgres();
    let project = on(&database);
    project.migration(
        "1_deferred",
        "CREATE TABLE a (id integer PRIMARY KEY);\n\
         CREATE TABLE b (a integer REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO b VALUES (7);\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    migration-failed

      × migration "1_deferred" failed: the transaction could not be committed: insert or update on
      │ table "b" violates foreign key constraint "b_a_fkey"
      help: SQLSTATE: 23503
            detail: Key (a)=(7) is not present in table "a".
            mend the cause, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    assert_eq!(tables(&database), "");
}

#[test]
fn the_failure_of_one_migration_keeps_those_before_it() {
    let seen = both(|project, database| {
        blog(project);
        project.migration("4_bad", "INSERT INTO users (id) VALUES (1);\n");
        let failed = project.run(&["deploy", "--quiet"]);
        assert_eq!(failed.status, Some(1), "{failed}");
        assert_eq!(tables(database), "posts users");
        ledger(database)
    });
    assert_snapshot!(seen, @"
    1_users applied 1
    2_posts applied 1
    3_views applied 1
    4_bad rolled back 0
    ");
}
