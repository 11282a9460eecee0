//! A server that only reads, one that is not up yet, and one that lets nobody in.

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;
use tollgate_testing::standby::{Mode, Standby, primary};

use crate::session::{APPLIED, BLOG_APPLIED, blog, on, session};

#[test]
fn a_standby_is_read_and_never_written() {
    let primary = primary().unwrap();
    let database = primary.database();
    let mut project = on(&database.url());
    blog(&project);
    project.succeed(&["deploy", "--to", "1_users"]);
    let standby = Standby::start(&primary, Mode::Following).unwrap();
    standby.catch_up(&primary).unwrap();
    project.set("DATABASE_URL", &standby.url_of(&database.name));
    assert_snapshot!(
        session(&project, &["status", "deploy --dry-run", "deploy", "resolve --applied 2_posts", "rollback --force"]),
        @r#"
    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`

    $ tollgate deploy --dry-run
    status: 0
    -- stdout
    1. 2_posts 2 statements
       taken back: lossy: the rows written to posts since
    2. 3_views 1 statement
       taken back: lossless
    2 migrations checked: 2 notes
    2 migrations to deploy; nothing was changed
    -- stderr
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


    $ tollgate deploy
    status: 1
    -- stderr
    database

      × failed to record the run: cannot execute INSERT in a read-only transaction
      help: give the URL of the primary server, which takes writes; where this is one, look at
            default_transaction_read_only of the role and the database
      the database now: nothing was changed


    $ tollgate resolve --applied 2_posts
    status: 5
    -- stderr
    contradicted

      × 2_posts is not applied: line 1 is not in (CREATE TABLE posts (id integer PRIMARY KEY, author
      │ integer NOT NULL REFERENCES …); line 2 is not in (CREATE INDEX posts_author ON posts (author))
      help: `tollgate resolve 2_posts` shows statement by statement what is in; --force records it as
            applied all the same
      the database now: nothing was changed


    $ tollgate rollback --force
    status: 1
    -- stderr
    database

      × failed to record the run: cannot execute INSERT in a read-only transaction
      help: give the URL of the primary server, which takes writes; where this is one, look at
            default_transaction_read_only of the role and the database
      the database now: nothing was changed
    "#
    );
    // What the message names: the primary server.
    project.set("DATABASE_URL", &database.url());
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
    standby.catch_up(&primary).unwrap();
    project.set("DATABASE_URL", &standby.url_of(&database.name));
    assert_snapshot!(session(&project, &["status", "deploy"]), @r#"
    $ tollgate status
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date

    $ tollgate deploy
    status: 0
    -- stdout
    nothing to deploy: the database is up to date
    "#);
}

#[test]
fn a_standby_that_becomes_the_primary_takes_the_rest() {
    let primary = primary().unwrap();
    let database = primary.database();
    let mut project = on(&database.url());
    blog(&project);
    project.succeed(&["deploy", "--to", "2_posts"]);
    let standby = Standby::start(&primary, Mode::Following).unwrap();
    standby.catch_up(&primary).unwrap();
    project.set("DATABASE_URL", &standby.url_of(&database.name));
    assert_eq!(project.run(&["deploy"]).status, Some(1));
    standby.promote().unwrap();
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 3_views [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]

    $ tollgate status
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date
    "#);
}

#[test]
fn a_new_database_is_not_made_on_a_standby() {
    let primary = primary().unwrap();
    let standby = Standby::start(&primary, Mode::Following).unwrap();
    let project = on(&standby.url_of("not_there_yet"));
    blog(&project);
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × cannot create PostgreSQL database "not_there_yet", schema "public" at 127.0.0.1:[port]: cannot
      │ execute CREATE DATABASE in a read-only transaction
      help: give the URL of the primary server, which takes writes; where this is one, look at
            default_transaction_read_only of the role and the database
      the database now: nothing was changed


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "not_there_yet", schema "public" at 127.0.0.1:[port]
    the database does not exist yet; `tollgate deploy` creates it
    pending     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 3 pending; next: `tollgate deploy`
    "#);
}

#[test]
fn a_database_that_is_set_to_read_only() {
    let database = cluster().database();
    let project = on(&database.url());
    blog(&project);
    project.succeed(&["deploy", "--to", "1_users"]);
    let set = |what: &str| {
        let sql = format!("ALTER DATABASE {} {what}", database.name);
        cluster().admin(&sql).unwrap();
    };
    set("SET default_transaction_read_only = on");
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × failed to record the run: cannot execute INSERT in a read-only transaction
      help: give the URL of the primary server, which takes writes; where this is one, look at
            default_transaction_read_only of the role and the database
      the database now: nothing was changed


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`
    "#);
    set("RESET default_transaction_read_only");
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}

#[test]
fn a_server_that_is_starting_up() {
    let primary = primary().unwrap();
    let database = primary.database();
    let server = Standby::start(&primary, Mode::Recovering).unwrap();
    server.wait_until_it_answers().unwrap();
    let project = on(&server.url_of(&database.name));
    blog(&project);
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] accepts no
      │ connection: the database system is starting up
      help: wait until the server accepts connections, and run the command again; a standby that lets
            nobody in never will: give the URL of the primary server
      the database now: nothing was changed


    $ tollgate status
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] accepts no
      │ connection: the database system is starting up
      help: wait until the server accepts connections, and run the command again; a standby that lets
            nobody in never will: give the URL of the primary server
      the database now: nothing was changed
    "#);
    server.release().unwrap();
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    3 migrations checked: 3 notes
    3 migrations applied in [duration]

    $ tollgate status
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    3 migrations: 3 applied; the database is up to date
    "#);
}

#[test]
fn a_standby_that_lets_nobody_in() {
    let primary = primary().unwrap();
    let server = Standby::start(&primary, Mode::FollowingInSilence).unwrap();
    server.wait_until_it_answers().unwrap();
    let project = on(&server.url_of("postgres"));
    blog(&project);
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "postgres", schema "public" at 127.0.0.1:[port] accepts no connection: the
      │ database system is not accepting connections: Hot standby mode is disabled.
      help: wait until the server accepts connections, and run the command again; a standby that lets
            nobody in never will: give the URL of the primary server
      the database now: nothing was changed
    "#);
    server.promote().unwrap();
    project.succeed(&["deploy"]);
}
