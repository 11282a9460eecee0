//! PgBouncer in between.

use insta::assert_snapshot;
use tollgate_testing::pooler::{Mode, Pooler};
use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_tests::Project;

use crate::session::{APPLIED, BLOG_APPLIED, Visitor, blog, on, session};

/// A project that reaches its database through a pooler; none where the server is not ours to put one in front of.
fn behind(mode: Mode) -> Option<(TestDatabase<'static>, Pooler, Project)> {
    if cluster().port().is_none() {
        println!("skipped: a pooler is put only in front of a server that the tests started");
        return None;
    }
    let database = cluster().database();
    let pooler = Pooler::start(cluster(), mode).unwrap();
    let project = on(&pooler.url_of(&database.name));
    blog(&project);
    Some((database, pooler, project))
}

/// What only a session of one's own can do.
const CONCURRENT: &str = "CREATE INDEX CONCURRENTLY posts_title ON posts (title);\n";

#[test]
fn session_mode_works() {
    let Some((database, _pooler, project)) = behind(Mode::Session) else {
        return;
    };
    project.migration("4_index", CONCURRENT);
    assert_snapshot!(session(&project, &["deploy", "status", "rollback --force", "deploy"]), @r#"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    applied 4_index [duration]
    4 migrations applied in [duration]

    $ tollgate status
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    applied     2_posts
    applied     3_views
    applied     4_index
    4 migrations: 4 applied; the database is up to date

    $ tollgate rollback --force
    status: 0
    -- stdout
    taken back 4_index [duration]
    1 migration taken back

    $ tollgate deploy
    status: 0
    -- stdout
    applied 4_index [duration]
    1 migration applied in [duration]
    "#);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'posts_title'::regclass";
    assert_eq!(database.psql(valid), "t\n");
    assert_eq!(database.psql(APPLIED), format!("{BLOG_APPLIED}4_index 1 0\n"));
}

#[test]
fn session_mode_keeps_the_lock() {
    let Some((database, pooler, project)) = behind(Mode::Session) else {
        return;
    };
    let url = pooler.url_of(&database.name);
    // One that goes through the pooler, and one that does not.
    for url in [&url, &database.url()] {
        let holder = Visitor::new(cluster(), url, "SELECT pg_advisory_lock(72707369);");
        let refused = project.run(&["deploy", "--lock-timeout", "0"]);
        assert_eq!(refused.status, Some(4), "{refused}");
        drop(holder);
    }
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}

#[test]
fn transaction_mode_is_refused_with_the_way_out() {
    for mode in [Mode::Transaction, Mode::Statement] {
        let Some((database, _pooler, mut project)) = behind(mode) else {
            return;
        };
        insta::allow_duplicates! {
            assert_snapshot!(session(&project, &["deploy", "rollback --force", "resolve --applied 1_users"]), @"
            $ tollgate deploy
            status: 1
            -- stderr
            lock

              × the lock's connection goes through a transaction pooler, where a lock protects nothing
              help: set lock.url (or TOLLGATE_LOCK_URL) to a URL that leads to the same database directly; or
                    have all of the run use it, as database.url
              the database now: nothing was changed


            $ tollgate rollback --force
            status: 1
            -- stderr
            lock

              × the lock's connection goes through a transaction pooler, where a lock protects nothing
              help: set lock.url (or TOLLGATE_LOCK_URL) to a URL that leads to the same database directly; or
                    have all of the run use it, as database.url
              the database now: nothing was changed


            $ tollgate resolve --applied 1_users
            status: 1
            -- stderr
            lock

              × the lock's connection goes through a transaction pooler, where a lock protects nothing
              help: set lock.url (or TOLLGATE_LOCK_URL) to a URL that leads to the same database directly; or
                    have all of the run use it, as database.url
              the database now: nothing was changed
            ");
        }
        assert_eq!(database.psql("SELECT to_regclass('users')"), "\n", "{mode:?}");
        // The way out that always works: the server's own address.
        project.set("DATABASE_URL", &database.url());
        project.succeed(&["deploy"]);
        assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
    }
}

/// Other clients of the pooler must not hide it.
#[test]
fn transaction_mode_is_found_out_in_a_crowd() {
    let Some((database, pooler, project)) = behind(Mode::Transaction) else {
        return;
    };
    let url = pooler.url_of(&database.name);
    let visitors: Vec<Visitor> = (0..3)
        .map(|_| Visitor::new(cluster(), &url, "BEGIN; SELECT 1;"))
        .collect();
    let busy = Visitor::new(cluster(), &url, "SELECT 1;");
    for _ in 0..5 {
        let refused = project.run(&["deploy"]);
        assert_eq!(refused.status, Some(1), "{refused}");
        assert!(refused.stderr.contains("transaction pooler"), "{refused}");
    }
    drop((visitors, busy));
    assert_eq!(database.psql("SELECT to_regclass('users')"), "\n");
}
