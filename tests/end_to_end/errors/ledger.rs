//! Databases that are not as they should be.

use insta::assert_snapshot;

use crate::outside::Database;
use crate::session::{blog, both, checksum, insert_row, on, session, tables};

#[test]
fn tables_without_a_ledger() {
    let seen = both(|project, database| {
        blog(project);
        database.run("CREATE TABLE invoices (id integer PRIMARY KEY);");
        let seen = session(project, &["status", "deploy --dry-run", "deploy"]);
        assert_eq!(tables(database), "invoices");
        seen
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    pending     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 3 pending; next: the database has tables and no ledger: `tollgate baseline` records what is in it

    $ tollgate deploy --dry-run
    status: 5
    -- stderr
    database-not-empty

      × the database is not empty and has no migrations ledger
      help: if it was made by the folder's first migrations, or is what they make, `tollgate baseline`
            records them; otherwise use an empty database
      the database now: nothing was changed


    $ tollgate deploy
    status: 5
    -- stderr
    database-not-empty

      × the database is not empty and has no migrations ledger
      help: if it was made by the folder's first migrations, or is what they make, `tollgate baseline`
            records them; otherwise use an empty database
      the database now: nothing was changed
    ");
}

#[test]
fn a_ledger_of_another_shape() {
    let seen = both(|project, database| {
        blog(project);
        database.run("CREATE TABLE _prisma_migrations (id text PRIMARY KEY, name text);");
        let seen = session(
            project,
            &["status", "deploy", "resolve --applied 1_users", "rollback --force"],
        );
        assert_eq!(tables(database), "");
        seen
    });
    assert_snapshot!(seen, @r#"
    $ tollgate status
    status: 1
    -- stderr
    database

      × the migration ledger _prisma_migrations has no column "checksum"
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed


    $ tollgate deploy
    status: 1
    -- stderr
    database

      × the migration ledger _prisma_migrations has no column "checksum"
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed


    $ tollgate resolve --applied 1_users
    status: 1
    -- stderr
    database

      × the migration ledger _prisma_migrations has no column "checksum"
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed


    $ tollgate rollback --force
    status: 1
    -- stderr
    database

      × the migration ledger _prisma_migrations has no column "checksum"
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed
    "#);
}

#[test]
fn a_ledger_that_is_a_view() {
    let seen = both(|project, database| {
        blog(project);
        database.run("CREATE VIEW _prisma_migrations AS SELECT 1 AS id;");
        session(project, &["status", "deploy"])
    });
    assert_snapshot!(seen, @"
    $ tollgate status
    status: 1
    -- stderr
    database

      × _prisma_migrations is a view, not the migration ledger
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed


    $ tollgate deploy
    status: 1
    -- stderr
    database

      × _prisma_migrations is a view, not the migration ledger
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed
    ");
}

#[test]
fn a_ledger_with_a_column_of_another_type() {
    let database = Database::postgres();
    let project = on(&database);
    blog(&project);
    insert_row(&database, "1_users", &checksum(""), true);
    database.run("ALTER TABLE _prisma_migrations ALTER COLUMN finished_at TYPE text;");
    assert_snapshot!(session(&project, &["status"]), @r#"
    $ tollgate status
    status: 1
    -- stderr
    database

      × column "finished_at" of the migration ledger public._prisma_migrations has type text instead
      │ of timestamp with time zone
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed
    "#);
}

#[test]
fn a_ledger_with_a_value_that_is_no_time() {
    let database = Database::sqlite();
    let project = on(&database);
    blog(&project);
    insert_row(&database, "1_users", &checksum(""), true);
    database.run("UPDATE _prisma_migrations SET finished_at = 'yesterday';");
    assert_snapshot!(session(&project, &["status"]), @r#"
    $ tollgate status
    status: 1
    -- stderr
    database

      × column "finished_at" of the migration ledger _prisma_migrations holds something that is no
      │ time in the row of "1_users"
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed
    "#);
}

#[test]
fn a_ledger_of_somebody_else_that_lets_values_be_absent() {
    let seen = both(|project, database| {
        blog(project);
        let times = if matches!(database, Database::Sqlite(_)) {
            "text"
        } else {
            "timestamptz"
        };
        database.run(&format!(
            "CREATE TABLE _prisma_migrations (id text, checksum text, finished_at {times}, migration_name text, logs text, \
             rolled_back_at {times}, started_at {times}, applied_steps_count integer, note text); \
             INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) \
             VALUES ('x', 'y', '1_users', '2026-01-02T03:04:05Z');"
        ));
        let steps = session(project, &["status"]);
        database.run("UPDATE _prisma_migrations SET checksum = NULL;");
        steps + &session(project, &["status"])
    });
    assert_snapshot!(seen, @r#"
    $ tollgate status
    status: 5
    -- stdout
    THE DATABASE
    unfinished  1_users  another program started it and did not say how it ended
    pending     2_posts
    pending     3_views
    3 migrations: 0 applied, 1 unfinished, 2 pending; next: `tollgate resolve 1_users` looks what of it is in the database

    $ tollgate status
    status: 1
    -- stderr
    database

      × column "checksum" of the migration ledger _prisma_migrations holds NULL in the row of
      │ "1_users"
      help: compare the table with the one that Prisma Migrate or Tollgate creates, and put it right
            by hand
      the database now: nothing was changed
    "#);
}
