//! Rights that are missing: of a role, and of a user of the system.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use insta::assert_snapshot;
use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_testing::users::{Somebody, somebody};
use tollgate_tests::{Outcome, Project};

use crate::session::{APPLIED, BLOG_APPLIED, LEDGER, blog, on, session, sqlite3};

/// A role of a test's own with all rights on its database, taken away at the end.
struct Role<'a> {
    database: &'a TestDatabase<'a>,
    name: &'static str,
}

impl<'a> Role<'a> {
    fn new(database: &'a TestDatabase<'a>, name: &'static str) -> Self {
        database.psql(&format!(
            "CREATE ROLE {name} LOGIN; GRANT ALL ON DATABASE {} TO {name}; GRANT ALL ON SCHEMA public TO {name};",
            database.name
        ));
        Self { database, name }
    }

    fn project(&self) -> Project {
        let project = on(&self.database.url_as(self.name, None));
        blog(&project);
        project
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let _ = self
            .database
            .try_psql(&format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0};", self.name));
    }
}

#[test]
fn a_table_that_belongs_to_somebody_else() {
    let database = cluster().database();
    let role = Role::new(&database, "tollgate_tenant");
    let project = role.project();
    project.succeed(&["deploy", "--to", "1_users"]);
    database.psql("CREATE TABLE settings (name text)");
    project.migration(
        "2_posts",
        "CREATE TABLE posts (id integer PRIMARY KEY, title text);\nALTER TABLE settings ADD COLUMN value text;\n",
    );
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    migration-failed

      × migration "2_posts" failed: must be owner of table settings
       ╭─[migrations/2_posts/migration.sql:2:1]
     1 │ CREATE TABLE posts (id integer PRIMARY KEY, title text);
     2 │ ALTER TABLE settings ADD COLUMN value text;
       · ─────────────────────┬────────────────────
       ·                      ╰── must be owner of table settings
       ╰────
      help: SQLSTATE: 42501
            give that right to the role in the URL, or use a role that has it, then run `tollgate
            deploy`
      the database now: nothing of it is in the database


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    rolled back 2_posts  failed when it was last tried
        Database error code: 42501
        Database error:
        ERROR: must be owner of table settings
        Statement 2 at line 2, column 1
    pending     3_views
    3 migrations: 1 applied, 1 pending, 1 rolled back; next: `tollgate deploy`
    "#);
    database.psql("ALTER TABLE settings OWNER TO tollgate_tenant");
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}

#[test]
fn a_ledger_that_belongs_to_somebody_else() {
    let database = cluster().database();
    let role = Role::new(&database, "tollgate_reader");
    let project = role.project();
    let owner = on(&database.url());
    blog(&owner);
    owner.succeed(&["deploy", "--to", "1_users"]);
    assert_snapshot!(session(&project, &["status", "deploy"]), @"
    $ tollgate status
    status: 1
    -- stderr
    database

      × failed to read the migration ledger: permission denied for table _prisma_migrations
      help: give that right to the role in the URL, or use a role that has it
      the database now: nothing was changed


    $ tollgate deploy
    status: 1
    -- stderr
    database

      × failed to read the migration ledger: permission denied for table _prisma_migrations
      help: give that right to the role in the URL, or use a role that has it
      the database now: nothing was changed
    ");
    database.psql("GRANT SELECT ON _prisma_migrations TO tollgate_reader");
    assert_snapshot!(session(&project, &["status", "deploy"]), @r#"
    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`
    -- stderr
    warning: this role may not read Tollgate's own tables (schema tollgate): leases, and how far an unfinished migration came, are not shown

    $ tollgate deploy
    status: 1
    -- stderr
    database

      × failed to look for Tollgate's own tables: permission denied for schema tollgate
      help: give that right to the role in the URL, or use a role that has it
      the database now: nothing was changed
    "#);
    database.psql(
        "GRANT ALL ON _prisma_migrations TO tollgate_reader; GRANT REFERENCES ON users TO tollgate_reader; \
         GRANT USAGE ON SCHEMA tollgate TO tollgate_reader;",
    );
    assert_snapshot!(session(&project, &["status", "deploy"]), @r#"
    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`
    -- stderr
    warning: this role may not read Tollgate's own tables (schema tollgate): leases, and how far an unfinished migration came, are not shown

    $ tollgate deploy
    status: 1
    -- stderr
    database

      × failed to look for Tollgate's own tables: permission denied for table
      │ __diesel_schema_migrations
      help: give that right to the role in the URL, or use a role that has it
      the database now: nothing was changed
    "#);
    database.psql(
        "GRANT ALL ON ALL TABLES IN SCHEMA tollgate TO tollgate_reader; \
         GRANT ALL ON ALL SEQUENCES IN SCHEMA tollgate TO tollgate_reader;",
    );
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}

#[test]
fn a_right_that_goes_missing_between_two_migrations() {
    let database = cluster().database();
    let role = Role::new(&database, "tollgate_loser");
    let project = role.project();
    project.succeed(&["deploy", "--to", "1_users"]);
    database.psql("REVOKE CREATE ON SCHEMA public FROM tollgate_loser, PUBLIC");
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    migration-failed

      × migration "2_posts" failed: permission denied for schema public
       ╭─[migrations/2_posts/migration.sql:1:14]
     1 │ CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES users (id), title text);
       ·              ──┬──
       ·                ╰── permission denied for schema public
     2 │ CREATE INDEX posts_author ON posts (author);
       ╰────
      help: SQLSTATE: 42501
            give that right to the role in the URL, or use a role that has it, then run `tollgate
            deploy`
      the database now: nothing of it is in the database
    "#);
    assert_snapshot!(database.psql(LEDGER), @"
    1_users applied
    2_posts rolled back
    ");
    database.psql("GRANT CREATE ON SCHEMA public TO tollgate_loser");
    project.succeed(&["deploy"]);
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}

/// A project with an `SQLite` file in the folder `data`, and somebody whom file modes bind to run it.
fn as_somebody(test: &str) -> Option<(Project, Somebody)> {
    let somebody = match somebody() {
        Ok(somebody) => somebody,
        Err(why) => {
            println!("skipped: {test}: {why}");
            return None;
        }
    };
    let project = on("file:./data/app.db");
    blog(&project);
    fs::create_dir(project.path().join("data")).unwrap();
    somebody.give(project.path()).unwrap();
    Some((project, somebody))
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs the program as them.
fn run(project: &Project, somebody: Somebody, arguments: &[&str]) -> Outcome {
    let ours = project.command(arguments);
    let program = project.program_for_everybody();
    let mut theirs = somebody.command(program.as_os_str());
    theirs.args(ours.get_args()).current_dir(project.path()).env_clear();
    // Not the folder with compiled plugins: that is ours.
    let environment = ours.get_envs().filter(|(name, _)| *name != "XDG_CACHE_HOME");
    theirs.envs(environment.filter_map(|(name, value)| Some((name, value?))));
    project.finish(theirs.stdin(std::process::Stdio::null()))
}

#[test]
fn a_file_that_may_not_be_written() {
    let Some((project, somebody)) = as_somebody("an SQLite file that may not be written") else {
        return;
    };
    let data = project.path().join("data");
    let database = data.join("app.db");
    let first = run(&project, somebody, &["deploy", "--to", "1_users"]);
    assert_eq!(first.status, Some(0), "{first}");
    let go = |arguments: &[&str]| run(&project, somebody, arguments).to_string();

    mode(&database, 0o444);
    assert_snapshot!(go(&["status"]) + &go(&["deploy"]), @r#"
    status: 5
    -- stdout
    SQLite database data/app.db
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`
    status: 1
    -- stderr
    migration-failed

      × migration "2_posts" failed: attempt to write a readonly database
       ╭─[migrations/2_posts/migration.sql:1:1]
     1 │ CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES users (id), title text);
       · ───────────────────────────────────────────────────┬──────────────────────────────────────────────────
       ·                                                    ╰── attempt to write a readonly database
     2 │ CREATE INDEX posts_author ON posts (author);
       ╰────
      help: let this user write the database's file and the .tollgate.db file beside it, or use a user
            who may, then run `tollgate deploy`
      the database now: nothing of it is in the database
    "#);
    mode(&database, 0o000);
    assert_snapshot!(go(&["status"]) + &go(&["deploy"]), @"
    status: 1
    -- stderr
    database

      × cannot open SQLite database data/app.db: unable to open database file
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed

    status: 1
    -- stderr
    database

      × cannot open SQLite database data/app.db: unable to open database file
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed
    ");
    mode(&database, 0o644);

    mode(&data.join("app.db.tollgate.db"), 0o444);
    assert_snapshot!(go(&["deploy"]), @"
    status: 1
    -- stderr
    database

      × failed to record the run: attempt to write a readonly database
      help: let this user write the database's file and the .tollgate.db file beside it, or use a user
            who may
      the database now: nothing was changed
    ");
    mode(&data.join("app.db.tollgate.db"), 0o644);

    mode(&data, 0o555);
    assert_snapshot!(go(&["status"]) + &go(&["deploy"]), @"
    status: 5
    -- stdout
    SQLite database data/app.db
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`
    status: 1
    -- stderr
    lock

      × cannot use the lock file data/app.db.tollgate.lock: Permission denied (os error 13)
      help: the lock file is made beside the database: this user has to be able to write the folder,
            and the file
      the database now: nothing was changed
    ");
    mode(&data, 0o755);

    let last = run(&project, somebody, &["deploy"]);
    assert_eq!(last.status, Some(0), "{last}");
    assert_eq!(sqlite3(&database, APPLIED), BLOG_APPLIED);
}

#[test]
fn a_folder_in_which_nothing_may_be_made() {
    let Some((project, somebody)) = as_somebody("a folder in which no SQLite file may be made") else {
        return;
    };
    let data = project.path().join("data");
    mode(&data, 0o555);
    assert_snapshot!(run(&project, somebody, &["deploy"]), @"
    status: 1
    -- stderr
    database

      × cannot open SQLite database data/app.db: unable to open database file
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed
    ");
    mode(&data, 0o000);
    // Nobody says that it is not there.
    let said = ["status", "deploy"].map(|command| run(&project, somebody, &[command]).to_string());
    assert_snapshot!(said.concat(), @"
    status: 1
    -- stderr
    database

      × cannot open SQLite database data/app.db: Permission denied (os error 13)
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed

    status: 1
    -- stderr
    database

      × cannot open SQLite database data/app.db: Permission denied (os error 13)
      help: check the path in the URL, and that this user may read and write the file and its folder
      the database now: nothing was changed
    ");
    mode(&data, 0o755);
    let last = run(&project, somebody, &["deploy"]);
    assert_eq!(last.status, Some(0), "{last}");
    assert_eq!(sqlite3(&data.join("app.db"), APPLIED), BLOG_APPLIED);
}

/// Where two users deploy, the lock file is the one's or the other's.
#[test]
fn a_lock_file_of_another_user() {
    let Some((project, somebody)) = as_somebody("an SQLite lock file of another user") else {
        return;
    };
    let path = project.path().join("data/app.db.tollgate.lock");
    let go = |arguments: &[&str]| run(&project, somebody, arguments);
    assert_eq!(go(&["deploy", "--to", "1_users"]).status, Some(0));
    let mut lock = fs::File::create(&path).unwrap();
    lock.lock().unwrap();
    lock.write_all(b"17\t\tan administrator\t\t\n").unwrap();
    mode(&path, 0o644);
    assert_snapshot!(go(&["deploy", "--lock-timeout", "0"]), @"
    status: 4
    -- stderr
    lock

      × lock already held by PID [number] (application an administrator)
      help: `tollgate lock status` shows what it does; LOCK_TIMEOUT_MS=120000 waits for it longer; if
            it hangs, `tollgate lock release --force` ends it
      the database now: nothing was changed
    ");
    // Its process was killed.
    drop(lock);
    assert!(path.exists());
    let last = go(&["deploy"]);
    assert_eq!(last.status, Some(0), "{last}");
    assert!(!path.exists());
}
