//! Configuration, servers and passwords.

use insta::assert_snapshot;
use tollgate_testing::postgres::{PASSWORD, PASSWORD_ROLE, cluster};
use tollgate_tests::Project;

use crate::session::{blog, session, sqlite};

#[test]
fn an_unknown_key_is_pointed_at() {
    let project = sqlite();
    blog(&project);
    project.file(
        "tollgate.toml",
        "[deploy]\nlock_timout_ms = 1\n\n[plugin.destructive]\nenabled = false\n",
    );
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 2
    -- stderr
    config::unknown-key

      × unknown key `lock_timout_ms` in [deploy]
       ╭─[tollgate.toml:2:1]
     1 │ [deploy]
     2 │ lock_timout_ms = 1
       · ───────┬──────
       ·        ╰── not a key of Tollgate's
     3 │ 
       ╰────
      help: did you mean `lock_timeout_ms`?

    config::unknown-key

      × unknown key `plugin` at the top of the file
       ╭─[tollgate.toml:4:2]
     3 │ 
     4 │ [plugin.destructive]
       ·  ───┬──
       ·     ╰── not a key of Tollgate's
     5 │ enabled = false
       ╰────
      help: did you mean `plugins`?

    2 errors
    ");
}

#[test]
fn no_database_is_named() {
    let project = Project::new();
    blog(&project);
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 2
    -- stderr
    config::no-database

      × no database is configured
      help: set DATABASE_URL (also in .env), pass --database-url, or write `url` under [database] in
            tollgate.toml
    ");
}

#[test]
fn an_unreachable_server() {
    let mut project = Project::new();
    blog(&project);
    project.set("DATABASE_URL", "postgresql://app:hidden-password@127.0.0.1:1/shop");
    assert_snapshot!(session(&project, &["status", "deploy", "rollback --force", "resolve --applied 1_users"]), @r#"
    $ tollgate status
    status: 1
    -- stderr
    database

      × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:[port]: error connecting to
      │ server: Connection refused (os error 111)
      help: check that the server runs and that host and port are right
      the database now: nothing was changed


    $ tollgate deploy
    status: 1
    -- stderr
    database

      × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:[port]: error connecting to
      │ server: Connection refused (os error 111)
      help: check that the server runs and that host and port are right
      the database now: nothing was changed


    $ tollgate rollback --force
    status: 1
    -- stderr
    database

      × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:[port]: error connecting to
      │ server: Connection refused (os error 111)
      help: check that the server runs and that host and port are right
      the database now: nothing was changed


    $ tollgate resolve --applied 1_users
    status: 1
    -- stderr
    database

      × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:[port]: error connecting to
      │ server: Connection refused (os error 111)
      help: check that the server runs and that host and port are right
      the database now: nothing was changed
    "#);
    project.set(
        "DATABASE_URL",
        "postgresql://app:hidden-password@no-such-host.invalid/shop",
    );
    let refused = project.run(&["deploy"]);
    assert_eq!(refused.status, Some(1));
    assert!(refused.stderr.contains("cannot reach PostgreSQL database"), "{refused}");
}

#[test]
fn a_wrong_password() {
    let database = cluster().database();
    let mut project = Project::new();
    blog(&project);
    project.set(
        "DATABASE_URL",
        &database.url_as(PASSWORD_ROLE, Some("not the password")),
    );
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] refused the
      │ login: password authentication failed for user "tollgate_password"
      help: check user and password in the URL; characters such as @ : / ? # % have to be
            percent-encoded there
      the database now: nothing was changed
    "#);
    project.set("DATABASE_URL", &database.url_as(PASSWORD_ROLE, None));
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] refused the
      │ login: invalid configuration: password missing
      help: check user and password in the URL; characters such as @ : / ? # % have to be
            percent-encoded there
      the database now: nothing was changed
    "#);
    assert_eq!(
        project
            .set("DATABASE_URL", &database.url_as(PASSWORD_ROLE, Some(PASSWORD)))
            .run(&["status"])
            .status,
        Some(5)
    );
}

#[test]
fn a_role_that_may_not_create_anything() {
    let database = cluster().database();
    let mut project = Project::new();
    blog(&project);
    project.set("DATABASE_URL", &database.url_with_password());
    database.psql(
        "REVOKE ALL ON SCHEMA public FROM PUBLIC; REVOKE ALL ON DATABASE current FROM PUBLIC;"
            .replace("current", &database.name)
            .as_str(),
    );
    database.psql(&format!(
        "GRANT CONNECT ON DATABASE {} TO {PASSWORD_ROLE}; GRANT USAGE ON SCHEMA public TO {PASSWORD_ROLE};",
        database.name
    ));
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × failed to create the migration ledger: permission denied for schema public
      help: give that right to the role in the URL, or use a role that has it
      the database now: nothing was changed
    ");
    database.psql(&format!("GRANT CREATE ON SCHEMA public TO {PASSWORD_ROLE};"));
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × cannot prepare Tollgate's own tables in schema "tollgate": permission denied for database
      │ [database]
      help: let an administrator run: CREATE SCHEMA tollgate AUTHORIZATION the_role_that_deploys
      the database now: nothing was changed
    "#);
    database.psql(&format!(
        "GRANT CREATE ON DATABASE {} TO {PASSWORD_ROLE};",
        database.name
    ));
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
fn a_missing_database_is_created_by_deploy_alone() {
    let database = cluster().database();
    let mut project = Project::new();
    blog(&project);
    project.set("DATABASE_URL", &database.url());
    cluster().admin(&format!("DROP DATABASE {}", database.name)).unwrap();
    assert_snapshot!(session(&project, &["status", "deploy --dry-run", "rollback --force", "resolve --applied 1_users", "deploy --to 1_users", "status"]), @r#"
    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    the database does not exist yet; `tollgate deploy` creates it
    pending     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 3 pending; next: `tollgate deploy`

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
    warning: the database does not exist yet; a deploy creates it
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


    $ tollgate rollback --force
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] does not exist
      help: deploy creates it, or create it yourself
      the database now: nothing was changed


    $ tollgate resolve --applied 1_users
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] does not exist
      help: deploy creates it, or create it yourself
      the database now: nothing was changed


    $ tollgate deploy --to 1_users
    status: 0
    -- stdout
    applied 1_users [duration]
    1 migration checked: 1 note
    1 migration applied in [duration]

    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`
    "#);
}

#[test]
fn a_role_that_may_not_create_the_database() {
    let database = cluster().database();
    let mut project = Project::new();
    blog(&project);
    let url = database.url_with_password();
    project.set("DATABASE_URL", &url);
    cluster().admin(&format!("DROP DATABASE {}", database.name)).unwrap();
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × cannot create PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]:
      │ permission denied to create database
      help: create it yourself, or use a role that may
      the database now: nothing was changed
    "#);
}

#[test]
fn a_folder_that_cannot_be_written() {
    let mut project = Project::new();
    blog(&project);
    project.file("plain", "a file");
    project.set("DATABASE_URL", "file:./plain/app.db");
    assert_snapshot!(session(&project, &["deploy", "status"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × cannot open SQLite database plain/app.db: cannot make the folder plain: File exists (os error
      │ 17)
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed


    $ tollgate status
    status: 5
    -- stdout
    SQLite database plain/app.db
    the database does not exist yet; `tollgate deploy` creates it
    pending     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 3 pending; next: `tollgate deploy`
    ");
    project.set("DATABASE_URL", "file:/proc/app.db");
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × cannot open SQLite database /proc/app.db: unable to open database file
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed
    ");
}

#[test]
fn a_file_that_is_no_database() {
    let project = sqlite();
    blog(&project);
    let text = "These are somebody's notes and not a database, however long they may be.\n";
    project.file("app.db", text);
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × cannot open SQLite database app.db: file is not a database
      help: the file holds something else: name another one in the URL
      the database now: nothing was changed
    ");
    assert_eq!(std::fs::read_to_string(project.path().join("app.db")).unwrap(), text);
}
