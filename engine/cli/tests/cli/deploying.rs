//! Deploy, status, rollback and resolve on `SQLite`, with the bundled plugins.

use insta::assert_snapshot;

use crate::output::valid;
use crate::support::{project, timeless};

#[test]
fn migrations_are_deployed_and_taken_back() {
    let project = project();
    assert_snapshot!(timeless(&project.run(&["status"])), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    the database does not exist yet; `tollgate deploy` creates it
    pending     1_users
    pending     2_index
    2 migrations: 0 applied, 2 pending; next: `tollgate deploy`
    ");
    assert_snapshot!(timeless(&project.run(&["deploy", "--dry-run"])), @"
    exit status 0
    --- stdout
    1. 1_users 1 statement
       taken back: lossy: the rows written to users since
    2. 2_index 1 statement
       taken back: lossless
    2 migrations checked: 2 notes
    2 migrations to deploy; nothing was changed
    --- stderr
    warning: the database does not exist yet; a deploy creates it
    conventions::migration-name

      ☞ migrations/1_users/migration.sql: the name 1_users could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not begin with what is done (add, drop, rename, …)
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users

    conventions::migration-name

      ☞ migrations/2_index/migration.sql: the name 2_index could say more: it does not begin with the
      │ time as YYYYMMDDHHMMSS_; it does not name users, all that it changes
      help: rename the folder before it is deployed anywhere, for example as
            [time]_add_email_to_users
    ");
    assert!(!project.root().join("dev.db").exists(), "a dry run makes no database");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 0
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    2 migrations checked: 2 notes
    2 migrations applied in [n] ms
    ");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 0
    --- stdout
    nothing to deploy: the database is up to date
    ");
    assert_snapshot!(timeless(&project.run(&["status"])), @"
    exit status 0
    --- stdout
    SQLite database dev.db
    applied     1_users
    applied     2_index
    2 migrations: 2 applied; the database is up to date
    ");
    assert_snapshot!(timeless(&project.run(&["status", "--all"])), @"
    exit status 0
    --- stdout
    SQLite database dev.db
    applied     1_users
    applied     2_index
    2 migrations: 2 applied; the database is up to date
    ");
    assert_snapshot!(timeless(&project.run(&["rollback", "--dry-run", "--steps", "2"])), @r#"
    exit status 0
    --- stdout
    2_index (planned when it was deployed) lossless
        DROP INDEX "users_email";
    1_users (planned when it was deployed) lossy: the rows written to users since
        DROP TABLE "users";
    2 migrations to take back; nothing was changed
    "#);
    assert_snapshot!(timeless(&project.run(&["rollback"])), @r#"
    exit status 2
    --- stdout
    2_index (planned when it was deployed) lossless
        DROP INDEX "users_email";
    --- stderr
    rollback::unconfirmed

      × there is nobody here to ask whether to take it back
      help: look at the plan with --dry-run, then run it with --force
      the database now: nothing was changed
    "#);
    assert_snapshot!(timeless(&project.run(&["rollback", "--force"])), @"
    exit status 0
    --- stdout
    taken back 2_index [n] ms
    1 migration taken back
    ");
    assert_snapshot!(timeless(&project.run(&["status"])), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    applied     1_users
    rolled back 2_index
    2 migrations: 1 applied, 1 rolled back; next: `tollgate deploy`
    ");
    assert_snapshot!(timeless(&project.run(&["rollback", "--target", "1_user"])), @"
    exit status 5
    --- stderr
    not-applied

      × 1_user is not applied: neither the folder nor the ledger knows it
      help: did you mean 1_users? Give the whole folder name
      the database now: nothing was changed
    ");
}

#[test]
fn a_failing_migration_is_shown_where_it_fails() {
    let project = project();
    project.write(
        "migrations/3_bad/migration.sql",
        "CREATE TABLE a (id int);\nINSERT INTO nowhere VALUES (1);\n",
    );
    assert_snapshot!(timeless(&project.run(&["deploy"])), @r#"
    exit status 1
    --- stdout
    applied 1_users [n] ms
    applied 2_index [n] ms
    --- stderr
    migration-failed

      × migration "3_bad" failed: no such table: nowhere
       ╭─[migrations/3_bad/migration.sql:2:13]
     1 │ CREATE TABLE a (id int);
     2 │ INSERT INTO nowhere VALUES (1);
       ·             ───┬───
       ·                ╰── no such table: nowhere
       ╰────
      help: mend the file, then run `tollgate deploy`
      the database now: 2 migrations of this run are in and recorded; nothing of it is in the database
    "#);
    project.write("migrations/3_bad/migration.sql", "CREATE TABLE a (id int;\n");
    assert_snapshot!(timeless(&project.run(&["deploy"])), @"
    exit status 1
    --- stderr
    script::syntax

      × 3_bad cannot be read
       ╭─[migrations/3_bad/migration.sql:1:23]
     1 │ CREATE TABLE a (id int;
       ·                       ┬
       ·                       ╰── syntax error near ';'
       ╰────
      the database now: nothing was changed
    ");
}

#[test]
fn a_migration_can_be_recorded() {
    let project = project();
    assert_eq!(project.run(&["deploy"]).status, 0);
    assert_snapshot!(timeless(&project.run(&["resolve", "--applied", "1_users"])), @r#"
    exit status 5
    --- stderr
    resolve

      × migration "1_users" is already recorded as applied
      the database now: nothing was changed
    "#);
    assert_snapshot!(timeless(&project.run(&["resolve", "--rolled-back", "9_never"])), @r#"
    exit status 5
    --- stderr
    resolve

      × migration "9_never" cannot be rolled back because it was never applied
      help: give the whole name of the migration's folder; what is pending has no attempt to give up
      the database now: nothing was changed
    "#);
    project.write("migrations/3_done/migration.sql", "CREATE TABLE done (id int);\n");
    assert_snapshot!(timeless(&project.run(&["resolve", "--applied", "3_done"])), @"
    exit status 5
    --- stderr
    contradicted

      × 3_done is not applied: line 1 is not in (CREATE TABLE done (id int))
      help: `tollgate resolve 3_done` shows statement by statement what is in; --force records it as
            applied all the same
      the database now: nothing was changed
    ");
    assert_snapshot!(timeless(&project.run(&["resolve", "--applied", "3_done", "--force"])), @"
    exit status 0
    --- stdout
    3_done is recorded as applied
    --- stderr
    warning: 3_done is not applied: line 1 is not in (CREATE TABLE done (id int))
    ");
}

#[test]
fn what_to_do_next_is_for_the_same_environment() {
    let project = project();
    project.write(
        "tollgate.toml",
        "[environments.staging]\ndatabase.url = \"env:STAGING_URL\"\n",
    );
    project.write(".env", "STAGING_URL=file:./staging.db\n");
    assert_snapshot!(project.run(&["-e", "staging", "status"]), @"
    exit status 5
    --- stdout
    SQLite database staging.db
    the database does not exist yet; `tollgate -e staging deploy` creates it
    pending     1_users
    pending     2_index
    2 migrations: 0 applied, 2 pending; next: `tollgate -e staging deploy`
    ");
}

#[test]
fn a_migration_that_failed_and_left_nothing_was_not_taken_back_by_anybody() {
    let project = project();
    project.write("migrations/2_index/migration.sql", "CREATE INDEX i ON elsewhere (a);");
    project.run(&["deploy"]);
    assert_snapshot!(project.run(&["status"]), @"
    exit status 5
    --- stdout
    SQLite database dev.db
    applied     1_users
    rolled back 2_index  failed when it was last tried
        Database error:
        ERROR: no such table: main.elsewhere
        Statement 1 at line 1, column 1
    2 migrations: 1 applied, 1 rolled back; next: `tollgate deploy`
    ");
}

#[test]
fn a_rollback_that_fails_says_that_the_migration_is_still_applied() {
    let project = project();
    project.write("migrations/1_users/down.sql", "DROP TABLE elsewhere;");
    project.run(&["deploy"]);
    assert_snapshot!(timeless(&project.run(&["rollback", "--force", "--steps", "2"])), @"
    exit status 1
    --- stdout
    taken back 2_index [n] ms
    --- stderr
    migration-failed

      × taking 1_users back failed: no such table: elsewhere
       ╭─[migrations/1_users/down.sql:1:12]
     1 │ DROP TABLE elsewhere;
       ·            ────┬────
       ·                ╰── no such table: elsewhere
       ╰────
      help: mend the cause, then run the command again; `--steps` counts from what is applied now:
            give 1 less
      the database now: 1 migration was taken back before; 1_users is applied as it was; nothing of its rollback was kept
    ");
}

#[test]
fn settings_without_effect_are_mentioned() {
    let project = project();
    let ended = project.command(&["deploy"]).env("FORCE_RELEASE", "true").run();
    assert_snapshot!(ended.stderr, @"");
}

#[test]
fn documents_of_runs_follow_their_schemas() {
    let project = project();
    let cases: &[(&[&str], &str)] = &[
        (&["check"], "check"),
        (&["status"], "status"),
        (&["deploy", "--dry-run"], "deploy"),
        (&["deploy"], "deploy"),
        (&["status"], "status"),
        (&["rollback", "--dry-run"], "rollback"),
        (&["rollback"], "error"),
        (&["rollback", "--force"], "rollback"),
        (&["resolve", "1_users", "2_index"], "resolve"),
        (&["resolve", "--applied", "2_index"], "error"),
        (&["resolve", "--applied", "2_index", "--force"], "resolve"),
        (&["baseline", "--yes"], "error"),
        (&["reset", "--force"], "error"),
        (&["seed", "--force"], "error"),
        (&["resolve", "--applied", "9_never"], "error"),
        (&["plugin", "list"], "plugin-list"),
    ];
    for (args, schema) in cases {
        valid(&project.json(args), schema);
    }
}

#[test]
fn documents_of_beginning_follow_their_schemas() {
    let project = project();
    project.write(
        "tollgate.toml",
        "development = true\n[seed]\nfiles = [\"rows.sql\"]\ncommand = [\"/bin/sh\", \"-c\", \"exit 0\"]\n",
    );
    project.write("rows.sql", "SELECT 1;\n");
    let cases: &[(&[&str], &str)] = &[
        (&["reset", "--dry-run"], "reset"),
        (&["reset", "--force"], "reset"),
        (&["seed"], "seed"),
        (&["baseline", "--dry-run"], "error"),
    ];
    for (args, schema) in cases {
        valid(&project.json(args), schema);
    }
}
