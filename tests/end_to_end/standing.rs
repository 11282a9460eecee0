//! Status, and ledgers and folders that do not agree.

use insta::assert_snapshot;

use crate::session::{applied_by_prisma, blog, both, checksum, insert_row, ledger, session, tables};

#[test]
fn status_tells_every_migration_from_every_other() {
    let seen = both(|project, database| {
        blog(project);
        let nothing = session(project, &["status"]);
        project.succeed(&["deploy"]);
        project.succeed(&["rollback", "--force"]);
        project.migration("2_posts", "CREATE TABLE posts (id integer);\n");
        project
            .migration("1_late", "SELECT 1;\n")
            .migration("5_pending", "SELECT 1;\n");
        insert_row(database, "2_gone", &checksum(""), true);
        nothing + &session(project, &["status", "status --all"])
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    pending     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 3 pending; next: `tollgate deploy`

    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    pending     1_late  later ones are applied
    applied     1_users
    applied     2_gone  not in the folder
    applied     2_posts  edited since it was applied
    rolled back 3_views
    pending     5_pending
    the last one in both folder and database is 2_posts
    6 migrations: 3 applied, 2 pending, 1 rolled back, 1 edited, 1 missing; next: put 2_posts back as it was applied

    $ tollgate status --all
    status: 5
    -- stdout
    THE DATABASE
    pending     1_late  later ones are applied
    applied     1_users
    applied     2_gone  not in the folder
    applied     2_posts  edited since it was applied
    rolled back 3_views
    pending     5_pending
    the last one in both folder and database is 2_posts
    6 migrations: 3 applied, 2 pending, 1 rolled back, 1 edited, 1 missing; next: put 2_posts back as it was applied
    ");
}

#[test]
fn a_failed_row_blocks_until_it_is_resolved() {
    let seen = both(|project, database| {
        blog(project);
        applied_by_prisma(project, database, "1_users");
        insert_row(database, "2_posts", &checksum("something"), false);
        let seen = session(
            project,
            &[
                "status",
                "deploy",
                "rollback --force",
                "resolve --rolled-back 2_posts",
                "deploy",
            ],
        );
        seen + &ledger(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    unfinished  2_posts  another program started it and did not say how it ended
    pending     3_views
    3 migrations: 1 applied, 1 unfinished, 1 pending; next: `tollgate resolve 2_posts` looks what of it is in the database

    $ tollgate deploy
    status: 5
    -- stderr
    unresolved-migration

      × 1 migration failed earlier and must be resolved first: 2_posts
      help: `tollgate resolve 2_posts` looks what of it is in the database and says what to record;
            where a deploy stopped in the middle of it, `tollgate deploy --resume` goes on
      the database now: nothing was changed


    $ tollgate rollback --force
    status: 5
    -- stderr
    unresolved-migration

      × 1 migration failed earlier and must be resolved first: 2_posts
      help: `tollgate resolve 2_posts` looks what of it is in the database and says what to record;
            where a deploy stopped in the middle of it, `tollgate deploy --resume` goes on
      the database now: nothing was changed


    $ tollgate resolve --rolled-back 2_posts
    status: 0
    -- stdout
    2_posts is recorded as rolled back

    $ tollgate deploy
    status: 0
    -- stdout
    applied 2_posts [duration]
    applied 3_views [duration]
    2 migrations checked: 2 notes
    2 migrations applied in [duration]

    1_users applied 1
    2_posts rolled back 0
    2_posts applied 1
    3_views applied 1
    ");
}

#[test]
fn irregularities_stop_a_deploy_where_the_configuration_says_so() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy", "--to", "2_posts"]);
        project.migration("1_late", "SELECT 1;\n");
        insert_row(database, "2_gone", &checksum(""), true);
        let late = "[migrations]\nout_of_order = \"error\"\n";
        let gone = "[migrations]\nmissing = \"error\"\n";
        let refused = [late, gone].map(|configuration| {
            project.file("tollgate.toml", configuration);
            session(project, &["deploy"])
        });
        project.file("tollgate.toml", "");
        refused.concat() + &session(project, &["deploy"])
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy
    status: 5
    -- stderr
    warning: 1 migration is applied but not in the folder: 2_gone
    out-of-order-migration

      × 1 migration is pending although later ones are applied: 1_late
      help: give them names that sort last, or set `migrations.out_of_order = "warn"`
      the database now: nothing was changed


    $ tollgate deploy
    status: 5
    -- stderr
    missing-migration

      × 1 migration is applied but not in the folder: 2_gone
      help: bring the folders back, or set `migrations.missing = "warn"`
      the database now: nothing was changed


    $ tollgate deploy
    status: 0
    -- stdout
    applied 1_late [duration]
    applied 3_views [duration]
    2 migrations checked: 2 notes
    2 migrations applied in [duration]
    -- stderr
    warning: 1 migration is applied but not in the folder: 2_gone
    warning: 1 migration is pending although later ones are applied: 1_late
    "#);
}

#[test]
fn edited_migrations_stop_a_deploy_unless_configured_otherwise() {
    let seen = both(|project, _| {
        blog(project);
        project.succeed(&["deploy", "--to", "2_posts"]);
        project.migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY);\n");
        let refused = session(project, &["deploy"]);
        project.file("tollgate.toml", "[migrations]\nedited = \"warn\"\n");
        refused + &session(project, &["deploy", "status"])
    });
    assert_snapshot!(seen, @r#"
    $ tollgate deploy
    status: 5
    -- stderr
    edited-migration

      × 1 migration was edited after being applied: 1_users
      help: put the files back as they were applied and write a new migration for the change;
            `migrations.edited = "warn"` lets a deploy go on
      the database now: nothing was changed


    $ tollgate deploy
    status: 0
    -- stdout
    applied 3_views [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]
    -- stderr
    warning: 1 migration was edited after being applied: 1_users

    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users  edited since it was applied
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied, 1 edited; the database is up to date
    "#);
}

#[test]
fn the_configuration_says_what_is_in_order_and_what_a_deploy_refuses() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy", "--to", "2_posts"]);
        project.migration("1_late", "SELECT 1;\n");
        project.file("tollgate.toml", "[migrations]\nout_of_order = \"error\"\n");
        let late = session(project, &["status"]);
        std::fs::remove_dir_all(project.path().join("migrations/1_late")).unwrap();
        project.succeed(&["deploy"]);
        insert_row(database, "2_gone", &checksum(""), true);
        let gone = session(project, &["status"]);
        project.file("tollgate.toml", "[migrations]\nmissing = \"allow\"\n");
        late + &gone + &session(project, &["status"])
    });
    assert_snapshot!(seen, @r#"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    pending     1_late  later ones are applied
    applied     1_users
    applied     2_posts
    pending     3_views
    4 migrations: 2 applied, 2 pending; next: give 1_late a name that sorts last

    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_gone  not in the folder
    applied     2_posts
    applied     3_views
    the last one in both folder and database is 3_views
    4 migrations: 4 applied, 1 missing; next: bring the folder 2_gone back, or set `migrations.missing = "allow"` where it is gone for good

    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_gone  not in the folder
    applied     2_posts
    applied     3_views
    4 migrations: 4 applied, 1 missing; the database is up to date
    "#);
}

#[test]
fn a_migration_that_failed_once_and_was_applied_then_has_nothing_to_give_up() {
    let seen = both(|project, database| {
        blog(project);
        project.migration(
            "2_posts",
            "CREATE TABLE posts (id integer PRIMARY KEY);\nINSERT INTO nowhere VALUES (1);\n",
        );
        let failed = project.run(&["deploy"]);
        assert_eq!(failed.status, Some(1), "{failed}");
        let again = session(project, &["resolve --rolled-back 2_posts"]);
        blog(project);
        project.succeed(&["deploy"]);
        let seen = again + &session(project, &["status", "resolve --rolled-back 2_posts", "status"]);
        project.succeed(&["rollback", "--steps", "2", "--force"]);
        seen + &session(project, &["resolve --rolled-back 2_posts"]) + &ledger(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate resolve --rolled-back 2_posts
    status: 0
    -- stdout
    2_posts is recorded as rolled back

    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    $ tollgate resolve --rolled-back 2_posts
    status: 5
    -- stderr
    resolve

      × migration "2_posts" cannot be marked as rolled back because it is not in a failed state
      help: use rollback to take back a migration that is applied
      the database now: nothing was changed


    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    $ tollgate resolve --rolled-back 2_posts
    status: 0
    -- stdout
    2_posts is recorded as rolled back

    1_users applied 1
    2_posts rolled back 0
    2_posts rolled back 1
    3_views rolled back 1
    "#);
}

#[test]
fn an_attempt_beside_an_applied_one_is_given_up_alone() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy"]);
        // As two runs of Prisma's command leave it that do not lock each other out.
        database.run(
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, logs) \
             VALUES ('twice', 'x', '1_users', 'Database error code: 42P07\n\nrelation users already exists');",
        );
        let seen = session(
            project,
            &[
                "status",
                "resolve",
                "resolve --applied 1_users",
                "resolve --rolled-back 1_users",
                "status",
            ],
        );
        seen + &database.run("SELECT count(*) FROM _prisma_migrations WHERE rolled_back_at IS NOT NULL")
    });
    assert_snapshot!(seen, @r#"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    failed      1_users  another attempt of it is recorded as applied
        Database error code: 42P07
        relation users already exists
    applied     2_posts
    applied     3_views
    3 migrations: 2 applied, 1 failed; next: `tollgate resolve 1_users` looks what of it is in the database

    $ tollgate resolve
    status: 5
    -- stdout
    1_users migrations/1_users/migration.sql
      in        line 1    CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL)
      but the file was changed since it was started
    all of it is in the database
    another attempt of it is recorded as applied; next: `tollgate resolve --rolled-back 1_users` gives up this one, and it stays applied

    $ tollgate resolve --applied 1_users
    status: 5
    -- stderr
    resolve

      × migration "1_users" is already recorded as applied
      help: another attempt of it was started and not finished: --rolled-back gives that one up, and
            it stays applied
      the database now: nothing was changed


    $ tollgate resolve --rolled-back 1_users
    status: 0
    -- stdout
    1_users is recorded as rolled back

    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    1
    "#);
}

#[test]
fn commands_that_are_printed_can_be_copied() {
    let seen = both(|project, database| {
        blog(project);
        project.migration("1 it's", "SELECT 1;\n");
        insert_row(database, "1 it''s", &checksum("something"), false);
        session(project, &["status", "resolve", "deploy"])
    });
    assert_snapshot!(seen, @r"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    unfinished  1 it's  another program started it and did not say how it ended
    pending     1_users
    pending     2_posts
    pending     3_views
    4 migrations: 0 applied, 1 unfinished, 3 pending; next: `tollgate resolve '1 it'\''s'` looks what of it is in the database

    $ tollgate resolve
    status: 5
    -- stdout
    1 it's migrations/1 it's/migration.sql
      unclear   line 1    SELECT 1
      but the file was changed since it was started
    the catalog does not show whether it is in the database
    next: look at what it changes, then `tollgate resolve --applied '1 it'\''s'` when that is as it leaves it, or `tollgate resolve --rolled-back '1 it'\''s'` when nothing was done

    $ tollgate deploy
    status: 5
    -- stderr
    unresolved-migration

      × 1 migration failed earlier and must be resolved first: 1 it's
      help: `tollgate resolve '1 it'\''s'` looks what of it is in the database and says what to
            record; where a deploy stopped in the middle of it, `tollgate deploy --resume` goes on
      the database now: nothing was changed
    ");
}

#[test]
fn what_is_recorded_twice_is_taken_back_once() {
    let seen = both(|project, database| {
        project.migration("1_users", "CREATE TABLE IF NOT EXISTS users (id integer);\n");
        project.succeed(&["deploy"]);
        insert_row(
            database,
            "1_users",
            &checksum("CREATE TABLE IF NOT EXISTS users (id integer);\n"),
            true,
        );
        let seen = session(project, &["status", "rollback --force", "status", "deploy"]);
        assert_eq!(tables(database), "users");
        seen + &ledger(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 0
    -- stdout
    THE DATABASE
    applied     1_users
    1 migration: 1 applied; the database is up to date

    $ tollgate rollback --force
    status: 0
    -- stdout
    taken back 1_users [duration]
    1 migration taken back

    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    rolled back 1_users
    1 migration: 0 applied, 1 rolled back; next: `tollgate deploy`

    $ tollgate deploy
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]

    1_users rolled back 1
    1_users rolled back 1
    1_users applied 1
    ");
}
