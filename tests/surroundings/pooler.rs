//! PgBouncer in between.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use tollgate_testing::pooler::{Mode, Pooler};
use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_tests::Project;

use crate::session::{APPLIED, BLOG_APPLIED, Visitor, blog, on, session, words};

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
    4 migrations checked: 4 notes
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
    1 migration checked: 1 note
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

/// With two sessions that are lent out in turn, each of two connections could get the same one every second time.
#[test]
fn transaction_mode_is_found_out_where_sessions_are_lent_in_turn() {
    for sessions in 1..=3 {
        let Some((database, pooler, mut project)) = behind(Mode::InTurn) else {
            return;
        };
        let url = pooler.url_of(&database.name);
        let busy: Vec<Visitor> = (0..sessions)
            .map(|_| Visitor::new(cluster(), &url, "BEGIN; SELECT 1;"))
            .collect();
        for visitor in busy {
            visitor.tell("COMMIT;");
        }
        let refused = project.run(&["deploy"]);
        assert_eq!(refused.status, Some(1), "{sessions}: {refused}");
        assert!(refused.stderr.contains("transaction pooler"), "{sessions}: {refused}");
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database \
                    WHERE datname = current_database())";
        assert_eq!(database.psql(held), "0\n", "{sessions}");
        // The way round it is taken, too.
        project.set("TOLLGATE_LOCK_URL", &database.url());
        let sets = "SET statement_timeout = '7s';\nCREATE TABLE left_behind (id integer);\n";
        project.migration("4_sets", sets).succeed(&["deploy"]);
        assert_eq!(settings(&url).len(), 1, "{sessions}");
    }
}

/// What the URL says is believed, and who is mistaken learns what to do about it.
#[test]
fn a_url_that_speaks_of_a_pooler_is_refused_by_that_name() {
    let database = cluster().database();
    let url = database.url();
    let project = on(&format!(
        "{url}{}pgbouncer=true",
        if url.contains('?') { '&' } else { '?' }
    ));
    blog(&project);
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    lock

      × the URL of the lock's connection says pgbouncer=true, and behind a transaction pooler a lock
      │ protects nothing
      help: set lock.url (or TOLLGATE_LOCK_URL) to a URL that leads to the same database directly; or
            take pgbouncer=true out of the URL if no transaction pooler is there
      the database now: nothing was changed
    ");
}

/// Nobody waits for a lock in the wrong place.
#[test]
fn where_the_url_of_the_lock_leads_is_looked_at_before_the_lock_is_waited_for() {
    let (database, other) = (cluster().database(), cluster().database());
    let mut project = on(&database.url());
    blog(&project);
    let holder = Visitor::new(cluster(), &other.url(), "SELECT pg_advisory_lock(72707369);");
    project.set("TOLLGATE_LOCK_URL", &other.url());
    let refused = project.run(&["deploy"]);
    assert_eq!(refused.status, Some(2), "{refused}");
    assert!(
        words(&refused.stderr).contains("taken in another database"),
        "{refused}"
    );
    drop(holder);
    // One that is not there is another one, too, and no deploy makes it.
    let nowhere = other.url().replace(&other.name, &format!("{}_nowhere", other.name));
    project.set("TOLLGATE_LOCK_URL", &nowhere);
    let refused = project.run(&["deploy"]);
    assert_eq!(refused.status, Some(2), "{refused}");
    assert!(
        words(&refused.stderr).contains("taken in another database"),
        "{refused}"
    );
}

#[test]
fn a_direct_url_for_the_lock_is_the_way_out() {
    let Some((database, pooler, mut project)) = behind(Mode::Transaction) else {
        return;
    };
    project.migration("4_index", CONCURRENT);
    project.set("TOLLGATE_LOCK_URL", &database.url());
    assert_snapshot!(session(&project, &["deploy", "status", "rollback --force", "deploy"]), @r#"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 1_users [duration]
    applied 2_posts [duration]
    applied 3_views [duration]
    applied 4_index [duration]
    4 migrations checked: 4 notes
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
    1 migration checked: 1 note
    1 migration applied in [duration]
    "#);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'posts_title'::regclass";
    assert_eq!(database.psql(valid), "t\n");
    assert_eq!(database.psql(APPLIED), format!("{BLOG_APPLIED}4_index 1 0\n"));
    // The lock is the one that everybody takes.
    let holder = Visitor::new(cluster(), &database.url(), "SELECT pg_advisory_lock(72707369);");
    let refused = project.run(&["deploy", "--lock-timeout", "0"]);
    assert_eq!(refused.status, Some(4), "{refused}");
    drop(holder);
    // A URL for the lock that leads elsewhere, or through the pooler as well.
    let (other, mut seen) = (cluster().database(), String::new());
    for url in [other.url(), pooler.url_of(&database.name)] {
        project.migration("5_last", "CREATE TABLE last (id integer);\n");
        project.set("TOLLGATE_LOCK_URL", &url);
        seen += &session(&project, &["deploy"]);
    }
    assert_snapshot!(seen.replace(&other.name, "[the other]"), @r#"
    $ tollgate deploy
    status: 2
    -- stderr
    lock

      × the lock would be taken in another database than the one that is migrated: PostgreSQL database
      │ "[database]", schema "public" at 127.0.0.1:[port], not PostgreSQL database
      │ "[database]", schema "public" at 127.0.0.1:[port]
      help: lock.url has to lead to the same server and database as database.url, only not by way of
            the pooler
      the database now: nothing was changed


    $ tollgate deploy
    status: 1
    -- stderr
    lock

      × the lock's connection goes through a transaction pooler, where a lock protects nothing
      help: set lock.url (or TOLLGATE_LOCK_URL) to a URL that leads to the same database directly; or
            have all of the run use it, as database.url
      the database now: nothing was changed
    "#);
}

/// How the sessions that the pooler has are set up: those that others would get.
fn settings(url: &str) -> BTreeSet<String> {
    let sql = "BEGIN; SELECT current_setting('search_path'), current_setting('default_transaction_read_only'), \
               current_setting('client_min_messages'), current_setting('statement_timeout'), \
               current_setting('idle_session_timeout', true), current_user;";
    let visitors: Vec<Visitor> = (0..8).map(|_| Visitor::new(cluster(), url, sql)).collect();
    visitors.iter().map(|visitor| visitor.heard.clone()).collect()
}

/// Sessions change hands between transactions: what one is set to must neither be missed nor stay behind for others.
#[test]
fn sessions_that_others_get_are_left_as_they_were() {
    let Some((database, pooler, mut project)) = behind(Mode::Transaction) else {
        return;
    };
    let url = pooler.url_of(&database.name);
    let before = settings(&url);
    assert_eq!(before.len(), 1, "{before:?}");
    project.set("DATABASE_URL", &format!("{url}?schema=app"));
    for number in 1..=9 {
        project.migration(
            &format!("5_{number}"),
            &format!("CREATE TABLE t{number} (id integer);\n"),
        );
    }
    let sets = "SET search_path = public;\nSET statement_timeout = '7s';\nSET ROLE pg_monitor;\nRESET ROLE;\n";
    project.migration("6_set", &format!("{sets}CREATE TABLE elsewhere (id integer);\n"));
    project.migration("7_last", "CREATE TABLE last (id integer);\n");
    for (arguments, status) in [(&["status"][..], 5), (&["deploy"], 1), (&["lock", "status"], 0)] {
        let outcome = project.run(arguments);
        assert_eq!(outcome.status, Some(status), "{arguments:?} {outcome}");
        assert_eq!(settings(&url), before, "{arguments:?}");
    }
    project.set("TOLLGATE_LOCK_URL", &format!("{}?schema=app", database.url()));
    // Others come and go meanwhile.
    let busy: Vec<Visitor> = (0..3)
        .map(|_| Visitor::new(cluster(), &url, "BEGIN; SELECT 1;"))
        .collect();
    project.succeed(&["deploy"]);
    drop(busy);
    project.succeed(&["status"]);
    project.succeed(&["rollback", "--force"]);
    project.succeed(&["deploy"]);
    assert_eq!(settings(&url), before);
    let tables = "SELECT nspname, string_agg(relname, ' ' ORDER BY relname) FROM pg_class c JOIN pg_namespace n \
                  ON n.oid = relnamespace WHERE relkind = 'r' AND nspname IN ('app', 'public') GROUP BY 1 ORDER BY 1";
    assert_snapshot!(database.psql(tables), @"
    app|_prisma_migrations last posts t1 t2 t3 t4 t5 t6 t7 t8 t9 users
    public|elsewhere
    ");
}

#[test]
fn the_way_round_the_pooler_has_to_log_in_as_the_same_role() {
    let Some((database, _pooler, mut project)) = behind(Mode::Transaction) else {
        return;
    };
    project.set("TOLLGATE_LOCK_URL", &database.url_with_password());
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    lock

      × database.url goes through a transaction pooler, and lock.url, which leads round it, logs in as
      │ another role: tollgate_password, not postgres
      help: have lock.url log in as the same role: behind a transaction pooler the whole run goes by
            way of lock.url, and what it makes would belong to the other role
      the database now: nothing was changed
    ");
    assert_eq!(database.psql("SELECT to_regclass('users')"), "\n");
}
