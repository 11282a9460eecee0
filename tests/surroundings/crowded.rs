//! A server that has no connection left.

use insta::assert_snapshot;
use tollgate_testing::postgres::{Cluster, Setup, TestDatabase, cluster};
use tollgate_tests::Project;

use crate::session::{APPLIED, BLOG_APPLIED, Visitor, blog, on, session, wait_until};

/// A role that may do everything in this database, and the project of somebody who uses it.
fn with_role(database: &TestDatabase<'_>, role: &str) -> Project {
    database.psql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON DATABASE {} TO {role}; GRANT ALL ON SCHEMA public TO {role};",
        database.name
    ));
    let project = on(&database.url_as(role, None));
    blog(&project);
    project
}

/// Waits until all sessions in this database have ended, and the server has stopped counting them: that is a moment after
/// they are gone from `pg_stat_activity`. Renaming a database waits for it.
fn nobody_is_in(database: &TestDatabase<'_>) {
    let sessions = format!("count(*) = 0 FROM pg_stat_activity WHERE datname = '{}'", database.name);
    wait_until(database.cluster(), &sessions);
    let (name, aside) = (&database.name, format!("{}_aside", database.name));
    for (from, to) in [(name, &aside), (&aside, name)] {
        let sql = format!("ALTER DATABASE {from} RENAME TO {to}");
        database.cluster().admin(&sql).unwrap();
    }
}

/// Takes a role away at the end, however the test ends.
struct Role<'a>(&'a TestDatabase<'a>, &'static str);

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let _ = self.0.try_psql(&format!("DROP OWNED BY {0}; DROP ROLE {0};", self.1));
    }
}

#[test]
fn a_role_with_too_few_connections() {
    let database = cluster().database();
    let role = Role(&database, "tollgate_limited");
    let project = with_role(&database, role.1);
    let mut seen = String::new();
    for limit in 0..3 {
        database.psql(&format!("ALTER ROLE {} CONNECTION LIMIT {limit}", role.1));
        nobody_is_in(&database);
        seen += &format!("-- {limit}\n{}", session(&project, &["deploy"]));
    }
    assert_snapshot!(seen, @r#"
    -- 0
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] accepts no
      │ connection: too many connections for role "tollgate_limited"
      help: a deploy takes three connections: end sessions that nobody needs, or raise the limit that
            is reached (max_connections; CONNECTION LIMIT of the role or database)
      the database now: nothing was changed


    -- 1
    $ tollgate deploy
    status: 1
    -- stderr
    lock

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] accepts no
      │ connection: too many connections for role "tollgate_limited"
      help: a deploy takes three connections: end sessions that nobody needs, or raise the limit that
            is reached (max_connections; CONNECTION LIMIT of the role or database)
      the database now: nothing was changed


    -- 2
    $ tollgate deploy
    status: 1
    -- stderr
    catalog

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] accepts no
      │ connection: too many connections for role "tollgate_limited"
      help: a deploy takes three connections: end sessions that nobody needs, or raise the limit that
            is reached (max_connections; CONNECTION LIMIT of the role or database)
      the database now: nothing was changed
    "#);
    assert_eq!(database.psql("SELECT to_regclass('users')"), "\n");
    // What the message names.
    database.psql(&format!("ALTER ROLE {} CONNECTION LIMIT 3", role.1));
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}

#[test]
fn a_database_with_too_few_connections() {
    let database = cluster().database();
    let role = Role(&database, "tollgate_guest");
    let project = with_role(&database, role.1);
    let limit = |limit: &str| {
        let sql = format!("ALTER DATABASE {} CONNECTION LIMIT {limit}", database.name);
        cluster().admin(&sql).unwrap();
    };
    limit("1");
    nobody_is_in(&database);
    let deployed = session(&project, &["deploy"]);
    nobody_is_in(&database);
    assert_snapshot!(deployed + &session(&project, &["status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    lock

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] accepts no
      │ connection: too many connections for database "[database]"
      help: a deploy takes three connections: end sessions that nobody needs, or raise the limit that
            is reached (max_connections; CONNECTION LIMIT of the role or database)
      the database now: nothing was changed


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    pending     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 3 pending; next: `tollgate deploy`
    "#);
    limit("-1");
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}

#[test]
fn a_server_without_connections_left() {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let cluster = Cluster::start(&Setup {
        settings: vec![
            setting("max_connections", "6"),
            setting("superuser_reserved_connections", "0"),
        ],
        ..Setup::default()
    })
    .unwrap();
    let database = cluster.database();
    let project = with_role(&database, "app");
    let visit = || Visitor::new(&cluster, &database.url(), "");
    let mut visitors: Vec<Visitor> = (0..6).map(|_| visit()).collect();
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] accepts no
      │ connection: sorry, too many clients already
      help: a deploy takes three connections: end sessions that nobody needs, or raise the limit that
            is reached (max_connections; CONNECTION LIMIT of the role or database)
      the database now: nothing was changed


    $ tollgate status
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] accepts no
      │ connection: sorry, too many clients already
      help: a deploy takes three connections: end sessions that nobody needs, or raise the limit that
            is reached (max_connections; CONNECTION LIMIT of the role or database)
      the database now: nothing was changed
    "#);
    // One has gone: the second connection finds no place.
    visitors.pop();
    wait_until(&cluster, "true");
    let refused = project.run(&["deploy"]);
    assert_eq!(refused.status, Some(1), "{refused}");
    assert!(refused.stderr.contains("max_connections"), "{refused}");
    drop(visitors);
    wait_until(&cluster, "true");
    assert_eq!(database.psql("SELECT to_regclass('users')"), "\n");
    nobody_is_in(&database);
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}
