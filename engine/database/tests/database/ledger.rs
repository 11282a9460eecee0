//! The ledger table: byte for byte Prisma's, and read in every form that Prisma reads.

use insta::assert_snapshot;
use tollgate_database::{DatabaseError, ResolveError};

use crate::support::{both, postgres, sqlite};

#[test]
fn is_created_as_prisma_creates_it() {
    let mut fixture = postgres();
    assert_eq!(fixture.database.ledger().unwrap(), None);
    fixture.database.create_ledger().unwrap();
    fixture.database.create_ledger().unwrap();
    assert_eq!(fixture.database.ledger().unwrap(), Some(vec![]));
    assert_snapshot!(fixture.ask("SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid) \
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum \
        WHERE attrelid = '_prisma_migrations'::regclass AND attnum > 0 ORDER BY attnum"), @"
    id|character varying(36)|t|
    checksum|character varying(64)|t|
    finished_at|timestamp with time zone|f|
    migration_name|character varying(255)|t|
    logs|text|f|
    rolled_back_at|timestamp with time zone|f|
    started_at|timestamp with time zone|t|now()
    applied_steps_count|integer|t|0
    ");

    let mut fixture = sqlite();
    fixture.database.create_ledger().unwrap();
    assert_snapshot!(fixture.ask("SELECT sql FROM sqlite_master WHERE name = '_prisma_migrations'"), @r#"
    CREATE TABLE "_prisma_migrations" (
        "id"                    TEXT PRIMARY KEY NOT NULL,
        "checksum"              TEXT NOT NULL,
        "finished_at"           DATETIME,
        "migration_name"        TEXT NOT NULL,
        "logs"                  TEXT,
        "rolled_back_at"        DATETIME,
        "started_at"            DATETIME NOT NULL DEFAULT current_timestamp,
        "applied_steps_count"   INTEGER UNSIGNED NOT NULL DEFAULT 0
    )
    "#);
}

#[test]
fn rows_are_written_as_prisma_writes_them() {
    for mut fixture in both() {
        fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap();
        let row = fixture.database.ledger().unwrap().unwrap().remove(0);
        assert_eq!(row.id.len(), 36);
        assert_eq!(row.id, row.id.to_lowercase());
        assert_eq!(row.checksum.len(), 64);
        assert_eq!((row.applied_steps_count, row.logs), (1, None));
        assert!(row.finished_at.unwrap() >= row.started_at);
        if !fixture.is_postgres() {
            assert_eq!(
                fixture.ask("SELECT typeof(started_at), typeof(finished_at) FROM _prisma_migrations"),
                "integer|integer"
            );
        }
    }
}

#[test]
fn every_form_of_time_is_read_and_others_are_refused() {
    let mut fixture = sqlite();
    fixture.database.create_ledger().unwrap();
    fixture.ask(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count) VALUES \
         ('no uuid', 'x', '1', 1700000000123, '2023-11-14T22:13:21Z', 7), ('b', 'x', '2', '2023-11-14 22:13:22', NULL, 0)",
    );
    let rows = fixture.database.ledger().unwrap().unwrap();
    assert_eq!(rows[0].started_at.to_string(), "2023-11-14T22:13:20.123Z");
    assert_eq!(rows[0].finished_at.unwrap().to_string(), "2023-11-14T22:13:21Z");
    assert_eq!(rows[0].applied_steps_count, 7);
    assert!(rows[1].is_failed());
    fixture.ask(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ('c', 'x', '3', 'yesterday')",
    );
    assert_snapshot!(fixture.database.ledger().unwrap_err().to_string(), @r#"column "started_at" of the migration ledger _prisma_migrations holds something that is no time in the row of "3""#);
}

#[test]
fn another_shape_is_an_error_that_names_the_column() {
    let mut fixture = postgres();
    fixture.database.create_ledger().unwrap();
    fixture.ask("ALTER TABLE _prisma_migrations ADD COLUMN extra int");
    fixture.database.ledger().unwrap();
    fixture.ask("ALTER TABLE _prisma_migrations ALTER started_at TYPE text");
    let error = fixture.database.ledger().unwrap_err();
    assert_snapshot!(error.to_string(), @r#"column "started_at" of the migration ledger public._prisma_migrations has type text instead of timestamp with time zone"#);
    assert_snapshot!(error.help().unwrap(), @"compare the table with the one that Prisma Migrate or Tollgate creates, and put it right by hand");
    fixture.ask("ALTER TABLE _prisma_migrations DROP COLUMN checksum");
    assert_snapshot!(fixture.database.ledger().unwrap_err().to_string(), @r#"the migration ledger public._prisma_migrations has no column "checksum""#);
    fixture.ask("DROP TABLE _prisma_migrations; CREATE VIEW _prisma_migrations AS SELECT 1 AS id");
    let mut fixture_database = crate::support::connect(&fixture.url());
    assert_snapshot!(fixture.database.ledger().unwrap_err().to_string(), @"public._prisma_migrations is a view, not the migration ledger");
    assert!(matches!(
        fixture_database.create_ledger(),
        Err(DatabaseError::Ledger(_))
    ));

    let mut fixture = sqlite();
    fixture.ask("CREATE TABLE _prisma_migrations (id TEXT, checksum TEXT)");
    assert_snapshot!(fixture.database.ledger().unwrap_err().to_string(), @r#"the migration ledger _prisma_migrations has no column "finished_at""#);
}

#[test]
fn only_tables_beside_the_ledger_count() {
    for mut fixture in both() {
        assert!(!fixture.database.has_tables().unwrap());
        fixture.database.create_ledger().unwrap();
        fixture.database.state().unwrap();
        fixture.ask("CREATE VIEW v AS SELECT 1 AS one");
        assert!(!fixture.database.has_tables().unwrap());
        fixture.ask("CREATE TABLE t (id int)");
        assert!(fixture.database.has_tables().unwrap());
    }
}

#[test]
fn resolve_marks_as_prisma_does() {
    for mut fixture in both() {
        // A baseline: the ledger is made.
        fixture.database.mark_applied(&[("1_a", "sum")]).unwrap();
        let row = fixture.database.ledger().unwrap().unwrap().remove(0);
        assert_eq!((row.applied_steps_count, row.logs.as_deref()), (0, Some("")));
        assert_eq!(row.finished_at, Some(row.started_at));
        let error = fixture.database.mark_applied(&[("1_a", "sum")]).unwrap_err();
        assert_eq!(error.prisma_code(), Some("P3008"));
        assert_eq!(error.help(), None);

        let not_failed = |name: &str| ResolveError::NotFailed {
            migration: name.to_owned(),
        };
        let error = fixture.database.mark_rolled_back(&["1_a"]).unwrap_err();
        assert_eq!(error, not_failed("1_a"));
        assert_eq!(error.prisma_code(), Some("P3012"));
        let error = fixture.database.mark_rolled_back(&["_a"]).unwrap_err();
        assert_eq!(error.prisma_code(), Some("P3011"));
        assert_eq!(error.help().unwrap(), "did you mean \"1_a\"? Give the whole name");

        fixture.ask(
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ('f', 'x', '2_b', CURRENT_TIMESTAMP)",
        );
        fixture.database.mark_rolled_back(&["2_b"]).unwrap();
        fixture.database.mark_rolled_back(&["2_b"]).unwrap();
        fixture.ask(
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ('g', 'x', '3_c', CURRENT_TIMESTAMP)",
        );
        fixture.database.mark_applied(&[("3_c", "sum")]).unwrap();
        // It failed once, and stands applied: there is nothing to give up.
        assert_eq!(
            fixture.database.mark_rolled_back(&["3_c"]).unwrap_err(),
            not_failed("3_c")
        );
        // Another attempt beside an applied one is given up, and nothing else.
        fixture.ask(
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ('h', 'x', '1_a', CURRENT_TIMESTAMP)",
        );
        let error = fixture.database.mark_applied(&[("1_a", "sum")]).unwrap_err();
        assert!(error.help().unwrap().contains("--rolled-back gives that one up"));
        fixture.database.mark_rolled_back(&["1_a"]).unwrap();
        let ledger = fixture.ledger();
        let mut lines: Vec<_> = ledger.lines().collect();
        lines.sort_unstable();
        insta::allow_duplicates! { assert_snapshot!(lines.join("\n"), @"
        1_a finished=no rolled_back=yes steps=0 logs=no
        1_a finished=yes rolled_back=no steps=0 logs=yes
        2_b finished=no rolled_back=yes steps=0 logs=no
        3_c finished=no rolled_back=yes steps=0 logs=no
        3_c finished=yes rolled_back=no steps=0 logs=yes
        "); }
    }
}

#[test]
fn an_unfinished_row_of_another_program_blocks() {
    for mut fixture in both() {
        fixture.database.create_ledger().unwrap();
        fixture.ask(
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ('f', 'x', '1_a', CURRENT_TIMESTAMP)",
        );
        let error = fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap_err();
        insta::allow_duplicates! { assert_snapshot!(crate::support::explain(&error), @r#"
        migration "1_a" failed: an earlier attempt is unfinished
        statement: None, span: None, sqlstate: None
        detail: None
        hint: None
        state: Unchanged
        help: look at what the database holds of it, then use resolve --applied or resolve --rolled-back
        "#); }
        fixture.database.mark_rolled_back(&["1_a"]).unwrap();
        fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap();
    }
}

#[test]
fn a_name_that_needs_quoting_is_recorded_as_it_is() {
    for mut fixture in both() {
        let name = "20240101 it's a \"name\" \\ with $1 {}";
        fixture.apply(name, "CREATE TABLE a (id int);").unwrap();
        assert_eq!(fixture.database.ledger().unwrap().unwrap()[0].migration_name, name);
    }
}
