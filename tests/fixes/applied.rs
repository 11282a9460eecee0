//! What has been applied stays as it is.

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;

use crate::support::{CHANGE, deployed, fix, project, scripts};

const INDEX: &str = "CREATE INDEX users_email_idx ON users (email);\n";
const FIXED: &str = "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_idx ON users (email);\n";
const LATER: &str = "20260902120000_index_orders";

#[test]
fn an_applied_migration_is_not_touched() {
    let (project, _database) = deployed(INDEX);
    project.succeed(&["deploy"]);
    project.migration(LATER, "CREATE INDEX orders_user_idx ON orders (user_id);\n");
    fix(&project, &["check", "--fix"]);
    assert_eq!(scripts(&project)[CHANGE], INDEX);
    assert_eq!(
        scripts(&project)[LATER],
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_user_idx ON orders (user_id);\n"
    );
    assert_snapshot!(fix(&project, &["check", "--fix", CHANGE]), @"
    $ tollgate check --fix 20260901120000_change_users
    status: 2
    fix::applied
      × 20260901120000_change_users is applied, so it cannot be changed any more
      help: make a new migration that mends it, with `tollgate new`; on a database of your own,
            `tollgate rollback` takes it back first
      the database now: not changed
    ");
    assert_snapshot!(fix(&project, &["check", "--fix", "--assume-unapplied", CHANGE]), @"
    $ tollgate check --fix --assume-unapplied 20260901120000_change_users
    status: 2
    fix::applied
      × 20260901120000_change_users is applied, so it cannot be changed any more
      help: make a new migration that mends it, with `tollgate new`; on a database of your own,
            `tollgate rollback` takes it back first
      the database now: not changed
    ");
    assert_eq!(scripts(&project)[CHANGE], INDEX);
    project.succeed(&["deploy"]);
}

#[test]
fn a_migration_that_failed_in_the_middle_is_not_touched() {
    let (project, database) = deployed(INDEX);
    database.psql(&format!(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, logs, started_at, applied_steps_count)
         VALUES ('00000000-0000-4000-8000-000000000000', 'x', '{CHANGE}', 'it failed', now(), 0)"
    ));
    fix(&project, &["check", "--fix"]);
    assert_eq!(scripts(&project)[CHANGE], INDEX);
}

#[test]
fn without_a_database_somebody_has_to_say_what_is_new() {
    let project = project(INDEX);
    assert_snapshot!(fix(&project, &["check", "--fix"]), @"
    $ tollgate check --fix
    status: 2
    fix::unknown
      × it is not known which migrations may still be changed: no database is configured
      help: say what is new: `tollgate check --fix --since main`, the names of the migrations, or
            --assume-unapplied for all; or configure the database that knows
    ");
    assert_eq!(scripts(&project)[CHANGE], INDEX);
    let by_name = fix(&project, &["check", "--fix", CHANGE]);
    assert!(by_name.contains("1 fix in migrations/"), "{by_name}");
    assert_eq!(scripts(&project)[CHANGE], FIXED);
}

#[test]
fn an_empty_database_knows_nothing() {
    let mut project = project(INDEX);
    let database = cluster().database();
    project.set("DATABASE_URL", &database.url());
    assert_snapshot!(fix(&project, &["check", "--fix"]), @"
    $ tollgate check --fix
    status: 2
    fix::unknown
      × it is not known which migrations may still be changed: nothing is applied to the configured
      │ database, so it cannot tell
      help: say what is new: `tollgate check --fix --since main`, the names of the migrations, or
            --assume-unapplied for all; or configure the database that knows
    ");
    assert_eq!(scripts(&project)[CHANGE], INDEX);
    fix(&project, &["check", "--fix", "--assume-unapplied"]);
    assert_eq!(scripts(&project)[CHANGE], FIXED);
}

#[test]
fn a_database_that_cannot_be_reached_knows_nothing() {
    let mut project = project(INDEX);
    project.set(
        "DATABASE_URL",
        "postgresql://tollgate@127.0.0.1:1/gone?connect_timeout=2",
    );
    let refused = fix(&project, &["check", "--fix"]);
    assert!(refused.contains("status: 2"), "{refused}");
    assert!(refused.contains("the configured database cannot be asked"), "{refused}");
    assert_eq!(scripts(&project)[CHANGE], INDEX);
    fix(&project, &["check", "--fix", CHANGE]);
    assert_eq!(scripts(&project)[CHANGE], FIXED);
}

#[test]
fn a_branch_fixes_what_it_adds() {
    let project = project(INDEX);
    let git = |arguments: &[&str]| {
        let status = std::process::Command::new("git")
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.com",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(project.path())
            .env("HOME", project.path().join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(status.status.success(), "{arguments:?}: {status:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "migrations"]);
    git(&["commit", "-q", "-m", "before"]);
    git(&["checkout", "-q", "-b", "work"]);
    project.migration(
        LATER,
        "ALTER TABLE orders ADD note text;\nCREATE INDEX orders_user_idx ON orders (user_id);\n",
    );
    git(&["add", "migrations"]);
    git(&["commit", "-q", "-m", "after"]);
    assert_snapshot!(fix(&project, &["check", "--fix", "--since", "main"]), @"
    $ tollgate check --fix --since main
    status: 0
    2 fixes in migrations/20260902120000_index_orders/migration.sql
      safety::index-not-concurrent: build it CONCURRENTLY
      safety::concurrent-with-other-statements: move the rest to a following migration
    --- migrations/20260902120000_index_orders/migration.sql
    +++ migrations/20260902120000_index_orders/migration.sql
    @@ -1,2 +1 @@
     ALTER TABLE orders ADD note text;
    -CREATE INDEX orders_user_idx ON orders (user_id);
    made migrations/20260902120001_create_orders_user_idx/migration.sql
    +CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_user_idx ON orders (user_id);
    ");
    assert_eq!(scripts(&project)[CHANGE], INDEX);
}

#[test]
fn files_outside_of_the_folder_are_not_fixed() {
    let project = project(INDEX);
    project.file("loose.sql", INDEX);
    assert_snapshot!(fix(&project, &["check", "--fix", "loose.sql"]), @"
    $ tollgate check --fix loose.sql
    status: 2
    fix::file
      × --fix is for the migrations of the folder
      help: leave out the files outside of it, and standard input
    ");
    assert_eq!(
        std::fs::read_to_string(project.path().join("loose.sql")).unwrap(),
        INDEX
    );
}

/// What is known counts only while the file stays as it is.
#[test]
fn migrations_with_known_findings_are_left_alone() {
    let project = project(INDEX);
    project.run(&["check", "--write-baseline"]);
    project.migration(LATER, "CREATE INDEX orders_user_idx ON orders (user_id);\n");
    fix(&project, &["check", "--fix", "--baseline", "--assume-unapplied"]);
    assert_eq!(scripts(&project)[CHANGE], INDEX);
    assert!(scripts(&project)[LATER].contains("CONCURRENTLY"));
    fix(&project, &["check", "--fix", "--baseline", CHANGE]);
    assert_eq!(scripts(&project)[CHANGE], FIXED, "whoever names it means it");
}
