//! Resolve: telling the ledger what a person knows.

use insta::assert_snapshot;

use crate::session::{blog, both, checksum, insert_row, ledger, session};

#[test]
fn a_database_made_before_tollgate_is_recorded() {
    let seen = both(|project, database| {
        blog(project);
        database.run("CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL);");
        let seen = session(project, &["deploy", "resolve --applied 1_users", "deploy", "status"]);
        seen + &ledger(database)
    });
    assert_snapshot!(seen, @"
    $ tollgate deploy
    status: 5
    -- stderr
    database-not-empty

      × the database is not empty and has no migrations ledger
      help: if it was made by the folder's first migrations, or is what they make, `tollgate baseline`
            records them; otherwise use an empty database
      the database now: nothing was changed


    $ tollgate resolve --applied 1_users
    status: 0
    -- stdout
    1_users is recorded as applied

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

    1_users applied 0
    2_posts applied 1
    3_views applied 1
    ");
}

#[test]
fn resolving_what_is_not_so_is_refused() {
    let seen = both(|project, database| {
        blog(project);
        project.succeed(&["deploy", "--to", "1_users"]);
        let wrong = session(
            project,
            &[
                "resolve",
                "resolve --applied 1_users --rolled-back 1_users",
                "resolve --applied 1_users",
                "resolve --rolled-back 1_users",
                "resolve --rolled-back 2_posts",
                "resolve --applied 2_post",
            ],
        );
        insert_row(database, "2_posts", &checksum("something"), false);
        database.run("CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL, title text);");
        wrong + &session(project, &["resolve --applied 2_posts", "status"]) + &ledger(database)
    });
    assert_snapshot!(seen, @r#"
    $ tollgate resolve
    status: 0
    -- stdout
    nothing to resolve: no migration failed

    $ tollgate resolve --applied 1_users --rolled-back 1_users
    status: 2
    -- stderr
    error: the argument '--applied <NAME>...' cannot be used with '--rolled-back <NAME>...'

    Usage: tollgate resolve --applied <NAME>... [NAME]...

    For more information, try '--help'.

    $ tollgate resolve --applied 1_users
    status: 5
    -- stderr
    resolve

      × migration "1_users" is already recorded as applied
      the database now: nothing was changed


    $ tollgate resolve --rolled-back 1_users
    status: 5
    -- stderr
    resolve

      × migration "1_users" cannot be marked as rolled back because it is not in a failed state
      help: use rollback to take back a migration that is applied
      the database now: nothing was changed


    $ tollgate resolve --rolled-back 2_posts
    status: 5
    -- stderr
    resolve

      × migration "2_posts" cannot be rolled back because it was never applied
      help: give the whole name of the migration's folder; what is pending has no attempt to give up
      the database now: nothing was changed


    $ tollgate resolve --applied 2_post
    status: 2
    -- stderr
    not-found

      × there is no migration 2_post in the folder
      help: did you mean 2_posts? Give the whole folder name
      the database now: nothing was changed


    $ tollgate resolve --applied 2_posts
    status: 5
    -- stderr
    contradicted

      × 2_posts is not applied: line 2 is not in (CREATE INDEX posts_author ON posts (author))
      help: `tollgate resolve 2_posts` shows statement by statement what is in; --force records it as
            applied all the same
      the database now: nothing was changed


    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    applied     1_users
    unfinished  2_posts  another program started it and did not say how it ended
    pending     3_views
    3 migrations: 1 applied, 1 unfinished, 1 pending; next: `tollgate resolve 2_posts` looks what of it is in the database

    1_users applied 1
    2_posts unfinished 0
    "#);
}

#[test]
fn a_folder_that_is_gone_can_still_be_rolled_back_in_the_ledger() {
    let seen = both(|project, database| {
        blog(project);
        insert_row(database, "0_gone", &checksum("something"), false);
        session(
            project,
            &[
                "deploy",
                "resolve --rolled-back 0_gone",
                "resolve --rolled-back 0_gone",
                "status",
            ],
        )
    });
    assert_snapshot!(seen, @"
    $ tollgate deploy
    status: 5
    -- stderr
    unresolved-migration

      × 1 migration failed earlier and must be resolved first: 0_gone
      help: `tollgate resolve 0_gone` looks what of it is in the database and says what to record;
            where a deploy stopped in the middle of it, `tollgate deploy --resume` goes on
      the database now: nothing was changed


    $ tollgate resolve --rolled-back 0_gone
    status: 0
    -- stdout
    0_gone is recorded as rolled back

    $ tollgate resolve --rolled-back 0_gone
    status: 0
    -- stdout
    0_gone is recorded as rolled back

    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    rolled back 0_gone  not in the folder; not finished when it was last tried
    pending     1_users
    pending     2_posts
    pending     3_views
    4 migrations: 0 applied, 3 pending, 1 rolled back; next: `tollgate deploy`
    ");
}
