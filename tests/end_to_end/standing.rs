//! Status, and ledgers and folders that do not agree.

use insta::assert_snapshot;

use crate::session::{applied_by_prisma, blog, both, checksum, insert_row, ledger, session};

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
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users  edited since it was applied
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied, 1 edited; next: find out why folder and ledger differ
    "#);
}
