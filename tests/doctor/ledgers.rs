//! Ledgers that are not as they should be.

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;

use crate::diagnosis::{Diagnosis, on};

#[test]
fn rows_that_are_not_as_they_should_be() {
    let database = cluster().database();
    let project = on(&database.url());
    project.succeed(&["deploy"]);
    database.psql(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('a', 'x', '1_users', now()), \
         ('b', 'x', '0_gone', now()); \
         INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('c', 'x', '3_failed');",
    );
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.complaints(), @"
    unfinished-migrations: bad 1 migration was begun and not finished: 3_failed
      → unless a deploy is running now: `tollgate status` says what is left of it; a deploy goes on where that is certain, otherwise `tollgate resolve --applied 3_failed` or `--rolled-back 3_failed`
    duplicate-rows: warn recorded as applied more than once: 1_users
      → find out which run was the real one, and delete the other row of _prisma_migrations by hand
    missing-migrations: warn 1 is applied and not in the folder: 0_gone
      → bring the folders back, or look whether this is the right database and the right branch
    ");
    let last = diagnosis.details("last-rows");
    assert_eq!(last.lines().count(), 5, "{last}");
}

#[test]
fn tables_without_a_ledger() {
    let database = cluster().database();
    database.psql("CREATE TABLE users (id integer);");
    let diagnosis = Diagnosis::of(&on(&database.url()));
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.says("ledger"), @"
    bad there is no ledger, and 1 table: a deploy refuses that
      → `tollgate baseline` records the migrations whose result is in the database already
    ");
}

#[test]
fn a_table_that_only_has_the_ledgers_name() {
    let database = cluster().database();
    database.psql("CREATE TABLE _prisma_migrations (id integer);");
    let diagnosis = Diagnosis::of(&on(&database.url()));
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.says("ledger"), @r#"
    bad column "id" of the migration ledger public._prisma_migrations has type int4 instead of text
      → compare the table with the one that Prisma Migrate or Tollgate creates, and put it right by hand
    "#);
}

#[test]
fn notifications_that_nobody_got() {
    let database = cluster().database();
    let project = on(&database.url());
    project.succeed(&["deploy"]);
    // As a message that could not be delivered leaves it.
    database.psql(
        "CREATE TABLE tollgate.outbox (id text, ledger text, notifier text, document text, created_at text, due_at text, \
         attempts integer, status text); INSERT INTO tollgate.outbox (id, ledger, notifier, document, created_at, due_at, attempts, status) VALUES \
         ('1', 'public', 'slack', '{}', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 3, 'due'), \
         ('2', 'public', 'slack', '{}', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 9, 'failed'), \
         ('3', 'another', 'slack', '{}', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 1, 'due'), \
         ('4', 'public', 'slack', '{}', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 1, 'done');",
    );
    let diagnosis = Diagnosis::of(&project);
    assert_snapshot!(diagnosis.says("outbox"), @"
    warn 1 notification not delivered yet, 1 given up
      → look at the notifier's endpoint; the next deploy tries again those that are not given up
    ");
    assert_snapshot!(diagnosis.details("outbox"), @"
    slack: 1 notification waiting since 2026-01-01T00:00:00.000000Z, tried up to 3 times
    slack: 1 notification given up since 2026-01-01T00:00:00.000000Z, tried up to 9 times
    ");
}

#[test]
fn a_folder_that_cannot_be_read() {
    let database = cluster().database();
    let project = on(&database.url());
    project.migration("3_typo", "CREATE TABEL x;\n");
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.status, Some(5));
    assert_snapshot!(diagnosis.says("folder"), @"
    bad 1 migration cannot be read: 3_typo
      → `tollgate check` points at what is wrong
    ");
    project.file("migrations/migration_lock.toml", "provider = \"sqlite\"\n");
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(diagnosis.finding("provider")["status"], "bad");
    std::fs::remove_dir_all(project.path().join("migrations")).unwrap();
    let diagnosis = Diagnosis::of(&project);
    assert_eq!(
        diagnosis.status,
        Some(0),
        "the database can be looked at without a folder"
    );
    assert_eq!(diagnosis.finding("folder")["status"], "warn");
}
