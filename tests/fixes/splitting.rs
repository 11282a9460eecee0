//! One migration becomes several, and they make what the one would have made.

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;

use crate::support::{CHANGE, SCHEMA, changed, deployed, fix, project, scripts};

#[test]
fn an_index_gets_a_migration_of_its_own() {
    let script = "-- Find users by their address.\nALTER TABLE users ADD COLUMN plan text;\nCREATE INDEX users_email_idx ON users (email);\n";
    let (project, database) = deployed(script);
    assert_snapshot!(fix(&project, &["check", "--fix"]), @"
    $ tollgate check --fix
    status: 0
    2 fixes in migrations/20260901120000_change_users/migration.sql
      safety::index-not-concurrent: build it CONCURRENTLY
      safety::concurrent-with-other-statements: move the rest to a following migration
    --- migrations/20260901120000_change_users/migration.sql
    +++ migrations/20260901120000_change_users/migration.sql
    @@ -1,3 +1,2 @@
     -- Find users by their address.
     ALTER TABLE users ADD COLUMN plan text;
    -CREATE INDEX users_email_idx ON users (email);
    made migrations/20260901120001_create_users_email_idx/migration.sql
    +CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_idx ON users (email);
    ");
    assert_snapshot!(changed(&project), @"
    -- 20260901120000_change_users
    -- Find users by their address.
    ALTER TABLE users ADD COLUMN plan text;
    -- 20260901120001_create_users_email_idx
    CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_idx ON users (email);
    ");
    project.succeed(&["deploy"]);
    let index = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_email_idx'::regclass";
    assert_eq!(database.psql(index).trim(), "t");
    assert_eq!(
        database
            .psql("SELECT count(*) FROM _prisma_migrations WHERE finished_at IS NOT NULL")
            .trim(),
        "3"
    );
    // There is nothing left to do.
    let again = fix(&project, &["check", "--fix"]);
    assert!(again.starts_with("$ tollgate check --fix\nstatus: 0\n"), "{again}");
    assert_eq!(scripts(&project).len(), 3);
}

#[test]
fn constraints_are_validated_later() {
    let script = "ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id);\n\
                  ALTER TABLE orders ADD CONSTRAINT orders_amount CHECK (amount > 0);\n";
    let (project, database) = deployed(script);
    assert_snapshot!(fix(&project, &["check", "--fix"]), @"
    $ tollgate check --fix
    status: 0
    2 fixes in migrations/20260901120000_change_users/migration.sql
      safety::foreign-key-validating: add it NOT VALID, and validate it in a following migration
      safety::check-validating: add it NOT VALID, and validate it in a following migration
    --- migrations/20260901120000_change_users/migration.sql
    +++ migrations/20260901120000_change_users/migration.sql
    @@ -1,2 +1,2 @@
    -ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id);
    -ALTER TABLE orders ADD CONSTRAINT orders_amount CHECK (amount > 0);
    +ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;
    +ALTER TABLE orders ADD CONSTRAINT orders_amount CHECK (amount > 0) NOT VALID;
    made migrations/20260901120001_validate_orders_user/migration.sql
    +ALTER TABLE orders VALIDATE CONSTRAINT orders_user;
    +ALTER TABLE orders VALIDATE CONSTRAINT orders_amount;
    ");
    project.succeed(&["deploy"]);
    let valid =
        "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'orders_%' AND contype IN ('f', 'c') AND convalidated";
    assert_eq!(database.psql(valid).trim(), "2");
}

/// What the fixed migrations make is what the original would have made.
#[test]
fn the_schema_is_the_same() {
    let script = "CREATE INDEX users_email_idx ON users (email);\nALTER TABLE users ADD COLUMN plan text;\n\
                  CREATE UNIQUE INDEX orders_user_idx ON orders (user_id);\n\
                  ALTER TABLE orders ADD CONSTRAINT orders_amount CHECK (amount > 0);\n";
    let (project, fixed) = deployed(script);
    let original = cluster().database();
    for text in scripts(&project).values() {
        original.psql(text);
    }
    fix(&project, &["check", "--fix"]);
    assert!(scripts(&project).len() >= 5, "{}", changed(&project));
    project.succeed(&["deploy"]);
    // There is no ledger where nobody has kept one.
    fixed.psql("DROP TABLE _prisma_migrations");
    assert_eq!(fixed.psql(SCHEMA), original.psql(SCHEMA));
}

#[test]
fn new_migrations_sort_before_the_next_one() {
    let project = project("ALTER TABLE users ADD plan text;\nCREATE INDEX users_plan_idx ON users (email);\n");
    let next = "20260901120001_clean_up";
    project.migration(next, "ALTER TABLE users DROP COLUMN plan;\n");
    fix(&project, &["check", "--fix", CHANGE]);
    let names: Vec<String> = scripts(&project).into_keys().collect();
    assert_eq!(names[1..], [CHANGE, "20260901120000_change_users_2", next]);
}

#[test]
fn a_way_back_is_not_split() {
    let script = "ALTER TABLE users ADD plan text;\nCREATE INDEX users_email_idx ON users (email);\n";
    let project = project(script);
    project.file(
        &format!("migrations/{CHANGE}/down.sql"),
        "DROP INDEX users_email_idx;\nALTER TABLE users DROP plan;\n",
    );
    assert_snapshot!(fix(&project, &["check", "--fix", CHANGE]), @"
    $ tollgate check --fix 20260901120000_change_users
    status: 1
    fix::refused
      × 20260901120000_change_users stays as it is: a part of it would have to move to a following
      │ migration, and a part of its down.sql with it: split both by hand
      help: this was tried:
            safety::index-not-concurrent: build it CONCURRENTLY
    ");
    assert_eq!(scripts(&project)[CHANGE], script);
}
