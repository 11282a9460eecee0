//! Running migrations on PostgreSQL.

use std::time::Duration;

use insta::assert_snapshot;
use tollgate_database::{DatabaseState, Doing, ExecuteEvent, ExecuteOptions, Problem};

use crate::support::{connect, explain, postgres};

#[test]
fn all_or_nothing_together_with_the_ledger() {
    let mut fixture = postgres();
    let applied = fixture
        .apply("1_a", "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);")
        .unwrap();
    assert!(applied.atomic);
    assert_eq!(applied.statements, 2);
    assert_eq!(fixture.ask("SELECT id FROM a"), "1");

    let error = fixture
        .apply(
            "2_b",
            "CREATE TABLE b (id int);\n\nINSERT INTO b\n  SELECT nope FROM b;",
        )
        .unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "2_b" failed: column "nope" does not exist
    statement: Some(1), span: Some("49..53"), sqlstate: Some("42703")
    detail: None
    hint: None
    state: Unchanged
    help: nothing of it is in the database: mend the cause and run the command again
    "#);
    assert_eq!(
        fixture.ask("SELECT to_regclass('b') IS NULL"),
        "t",
        "nothing of it is left"
    );
    assert_snapshot!(fixture.ledger(), @"
    1_a finished=yes rolled_back=no steps=1 logs=no
    2_b finished=no rolled_back=yes steps=0 logs=yes
    ");
    assert_snapshot!(fixture.ask("SELECT logs FROM _prisma_migrations WHERE migration_name = '2_b'"), @r#"
    A migration failed to apply. New migrations cannot be applied before the error is recovered from. Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve

    Migration name: 2_b

    Database error code: 42703

    Database error:
    ERROR: column "nope" does not exist

    Statement 2 at line 4, column 10
    "#);

    // The file is mended and applied again, with no resolve step.
    fixture.apply("2_b", "CREATE TABLE b (id int);").unwrap();
    assert_snapshot!(fixture.ledger(), @"
    1_a finished=yes rolled_back=no steps=1 logs=no
    2_b finished=no rolled_back=yes steps=0 logs=yes
    2_b finished=yes rolled_back=no steps=1 logs=no
    ");
    assert_eq!(
        fixture.ask("SELECT to_regclass('tollgate.statement_progress')"),
        "",
        "nothing to keep there"
    );
}

#[test]
fn an_empty_file_is_applied() {
    let mut fixture = postgres();
    fixture.apply("1_empty", "-- This is an empty migration.").unwrap();
    assert_snapshot!(fixture.ledger(), @"1_empty finished=yes rolled_back=no steps=1 logs=no");
}

#[test]
fn a_deferred_constraint_fails_at_commit() {
    let mut fixture = postgres();
    let error = fixture
        .apply(
            "1_a",
            "CREATE TABLE a (id int PRIMARY KEY, up int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\n\
             INSERT INTO a VALUES (1, 2);",
        )
        .unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "1_a" failed: the transaction could not be committed: insert or update on table "a" violates foreign key constraint "a_up_fkey"
    statement: None, span: None, sqlstate: Some("23503")
    detail: Some("Key (up)=(2) is not present in table \"a\".")
    hint: None
    state: Unchanged
    help: nothing of it is in the database: mend the cause and run the command again
    "#);
    assert_eq!(fixture.ask("SELECT to_regclass('a') IS NULL"), "t");
}

#[test]
fn the_files_own_transaction_holds_the_record() {
    let mut fixture = postgres();
    let applied = fixture
        .apply("1_a", "BEGIN;\nCREATE TABLE a (id int);\nCOMMIT;")
        .unwrap();
    assert!(applied.atomic);
    let error = fixture
        .apply("2_b", "BEGIN;\nCREATE TABLE b (id int);\nSELECT nope;\nCOMMIT;")
        .unwrap_err();
    assert_eq!(error.state, DatabaseState::Unchanged);
    assert_eq!(error.statement(), Some(2));
    // Two transactions: the first stays when the second fails.
    let error = fixture
        .apply(
            "3_c",
            "BEGIN; CREATE TABLE c (id int); COMMIT;\nBEGIN; CREATE TABLE d (id int); SELECT nope; COMMIT;",
        )
        .unwrap_err();
    assert_eq!(
        error.state,
        DatabaseState::Partly {
            done: 3,
            in_doubt: None
        }
    );
    // A transaction that the file itself throws away is not what the record may be kept in.
    fixture
        .apply("4_d", "BEGIN; CREATE TABLE e (id int); ROLLBACK;")
        .unwrap();
    assert_eq!(
        fixture.ask("SELECT to_regclass('c') IS NULL, to_regclass('d') IS NULL, to_regclass('e') IS NULL"),
        "f|t|t"
    );
    assert_snapshot!(fixture.ledger(), @"
    1_a finished=yes rolled_back=no steps=1 logs=no
    2_b finished=no rolled_back=yes steps=0 logs=yes
    3_c finished=no rolled_back=no steps=3 logs=yes
    4_d finished=yes rolled_back=no steps=1 logs=no
    ");
}

#[test]
fn statements_outside_a_transaction_are_recorded_one_by_one() {
    let mut fixture = postgres();
    let sql = "CREATE TABLE a (id int, v int);\nINSERT INTO a VALUES (1, 1), (1, 2);\n\
               CREATE INDEX CONCURRENTLY a_v ON a (v);\nCREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);\nCREATE TABLE z (id int);";
    let (result, events) = fixture.apply_with("1_a", sql, &ExecuteOptions::default());
    let error = result.unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "1_a" failed: could not create unique index "a_id"
    statement: Some(3), span: Some("142..146"), sqlstate: Some("23505")
    detail: Some("Key (id)=(1) is duplicated.")
    hint: None
    state: Partly { done: 3, in_doubt: None }
    help: 3 of its statements are in the database; mend the cause and resume, or use resolve
    "#);
    assert!(
        events.contains(&ExecuteEvent::InvalidIndexDropped {
            index: "public.a_id".to_owned()
        }),
        "{events:?}"
    );
    assert_snapshot!(fixture.ledger(), @"1_a finished=no rolled_back=no steps=3 logs=yes");
    assert_eq!(fixture.ask("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");

    let error = fixture.apply("1_a", sql).unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "1_a" failed: an earlier attempt is unfinished
    statement: None, span: None, sqlstate: None
    detail: None
    hint: None
    state: Partly { done: 3, in_doubt: None }
    help: 3 of its statements are in the database; mend the cause and resume, or use resolve
    "#);

    fixture.ask("DELETE FROM a WHERE v = 2");
    let resume = ExecuteOptions {
        resume: true,
        ..ExecuteOptions::default()
    };
    let changed = sql.replace("v int", "v bigint");
    let error = fixture.apply_with("1_a", &changed, &resume).0.unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "1_a" failed: its first 3 statements are in the database and changed in the file since
    statement: None, span: Some("0..33"), sqlstate: None
    detail: None
    hint: None
    state: Partly { done: 3, in_doubt: None }
    help: put the first 3 statements of the file back as it was and resume, or bring the database to the state you want by hand and use resolve
    "#);

    let (result, events) = fixture.apply_with("1_a", sql, &resume);
    let applied = result.unwrap();
    assert_eq!((applied.statements, applied.atomic), (2, false));
    assert!(
        events.contains(&ExecuteEvent::Started {
            statements: 5,
            already_done: 3
        }),
        "{events:?}"
    );
    assert_eq!(
        fixture.ask(
            "SELECT to_regclass('z') IS NOT NULL, count(*) FROM pg_index WHERE indisvalid AND indrelid = 'a'::regclass"
        ),
        "t|2"
    );
    assert_snapshot!(fixture.ledger(), @"1_a finished=yes rolled_back=no steps=1 logs=no");
}

#[test]
fn a_lone_concurrent_index_that_fails_leaves_nothing() {
    let mut fixture = postgres();
    fixture
        .apply("1_a", "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1);")
        .unwrap();
    let error = fixture
        .apply("2_b", "CREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);")
        .unwrap_err();
    assert_eq!(error.state, DatabaseState::Unchanged);
    assert_eq!(fixture.ask("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
    fixture.ask("DELETE FROM a");
    fixture
        .apply("2_b", "CREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);")
        .unwrap();
    assert_snapshot!(fixture.ledger(), @"
    1_a finished=yes rolled_back=no steps=1 logs=no
    2_b finished=no rolled_back=yes steps=0 logs=yes
    2_b finished=yes rolled_back=no steps=1 logs=no
    ");
}

#[test]
fn an_invalid_index_of_an_earlier_attempt_is_dropped() {
    let mut fixture = postgres();
    fixture
        .apply("1_a", "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1);")
        .unwrap();
    let sql = "CREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);";
    fixture.apply("2_b", sql).unwrap_err();
    // As a server that crashed would have left it.
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fixture.ask(sql)));
    assert!(made.is_err());
    assert_eq!(fixture.ask("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "1");
    fixture.ask("DELETE FROM a");
    let (result, events) = fixture.apply_with("2_b", sql, &ExecuteOptions::default());
    result.unwrap();
    assert!(
        events.contains(&ExecuteEvent::InvalidIndexDropped {
            index: "public.a_id".to_owned()
        }),
        "{events:?}"
    );
}

#[test]
fn what_the_server_refuses_in_a_transaction_runs_outside() {
    let mut fixture = postgres();
    fixture
        .apply(
            "1_a",
            "CREATE TABLE a (id int);\nDO $$ BEGIN FOR i IN 1..3 LOOP INSERT INTO a VALUES (i); COMMIT; END LOOP; END $$;\n\
             CREATE TYPE mood AS ENUM ('sad');",
        )
        .unwrap();
    assert_eq!(fixture.ask("SELECT count(*) FROM a"), "3");
    // A new value of an old enum cannot be used before it is committed.
    fixture
        .apply(
            "2_b",
            "ALTER TYPE mood ADD VALUE 'glad';\nCREATE TABLE b (m mood DEFAULT 'glad');\nINSERT INTO b DEFAULT VALUES;",
        )
        .unwrap();
    assert_eq!(fixture.ask("SELECT m FROM b"), "glad");
    // Only the catalog tells that these do not run inside a transaction.
    fixture
        .apply(
            "3_c",
            "CREATE TABLE p (a int) PARTITION BY LIST (a);\nCREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);\n\
             CREATE INDEX i ON p (a);\nREINDEX TABLE p;\nCLUSTER p USING i;\n\
             CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO p VALUES (1); COMMIT; END $$;\n\
             CALL fill();\nINSERT INTO p VALUES (1);",
        )
        .unwrap();
    assert_eq!(fixture.ask("SELECT count(*) FROM p"), "2");
    assert_snapshot!(fixture.ledger(), @"
    1_a finished=yes rolled_back=no steps=1 logs=no
    2_b finished=yes rolled_back=no steps=1 logs=no
    3_c finished=yes rolled_back=no steps=1 logs=no
    ");
}

#[test]
fn a_lock_timeout_is_tried_again_and_says_who() {
    let mut fixture = postgres();
    fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap();
    let url = fixture.url();
    let (ready, wait) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let mut other = connect(&url);
        crate::support::apply(
            &mut other,
            "0_other",
            "LOCK TABLE a; SELECT pg_sleep(1);",
            &ExecuteOptions::default(),
            &mut |event| {
                if event == (ExecuteEvent::Statement { index: 1 }) {
                    ready.send(()).unwrap();
                }
            },
        )
        .unwrap();
    });
    wait.recv().unwrap();
    let options = ExecuteOptions {
        lock_timeout: Some(Duration::from_millis(100)),
        retries: 20,
        ..ExecuteOptions::default()
    };
    let (result, events) = fixture.apply_with("2_b", "ALTER TABLE a ADD COLUMN b int;", &options);
    result.unwrap();
    holder.join().unwrap();
    let holders = events.iter().find_map(|event| match event {
        ExecuteEvent::Retrying {
            blockers: holders,
            reason,
            attempt: 2,
            ..
        } => Some((holders.clone(), reason.clone())),
        _ => None,
    });
    let (holders, reason) = holders.unwrap();
    assert_eq!(reason, "canceling statement due to lock timeout");
    assert_eq!(holders[0].application.as_deref(), Some("tollgate"));
    assert!(holders[0].since.is_some());
}

#[test]
fn a_statement_timeout_ends_it() {
    let mut fixture = postgres();
    let options = ExecuteOptions {
        statement_timeout: Some(Duration::from_millis(50)),
        ..ExecuteOptions::default()
    };
    let error = fixture
        .apply_with("1_a", "SELECT pg_sleep(10);", &options)
        .0
        .unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "1_a" failed: canceling statement due to statement timeout
    statement: Some(0), span: Some("0..19"), sqlstate: Some("57014")
    detail: None
    hint: None
    state: Unchanged
    help: nothing of it is in the database: mend the cause and run the command again
    "#);
}

#[test]
fn a_statement_is_cancelled_when_the_run_is_asked_twice_to_stop() {
    let mut fixture = postgres();
    let options = ExecuteOptions::default();
    let interrupt = options.interrupt.clone();
    let asking = std::thread::spawn(move || {
        // As long as nothing runs there is nothing to cancel.
        while interrupt.doing() != Doing::Statement {
            std::thread::sleep(Duration::from_millis(5));
        }
        (interrupt.ask(), interrupt.ask())
    });
    let error = fixture
        .apply_with("1_a", "SELECT pg_sleep(20);", &options)
        .0
        .unwrap_err();
    assert_eq!(asking.join().unwrap(), (1, 2));
    let cancelled = Problem::Interrupted {
        cancelled: Some(0),
        goes_on: true,
    };
    assert_eq!(*error.problem, cancelled);
    assert_eq!(error.state, DatabaseState::Unchanged);
}

#[test]
fn notices_are_events() {
    let mut fixture = postgres();
    let sql = "CREATE TABLE a (id int);\nDROP TABLE IF EXISTS nope;";
    let (_, events) = fixture.apply_with("1_a", sql, &ExecuteOptions::default());
    let notices: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ExecuteEvent::Notice { statement, notice } => {
                Some((*statement, notice.severity.clone(), notice.message.clone()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        notices,
        [(
            Some(1),
            "NOTICE".to_owned(),
            "table \"nope\" does not exist, skipping".to_owned()
        )]
    );
}

#[test]
fn a_connection_that_dies_is_replaced() {
    let mut fixture = postgres();
    let sql = "CREATE TABLE a (id int);\nSELECT pg_terminate_backend(pg_backend_pid());";
    let error = fixture.apply("1_a", sql).unwrap_err();
    assert!(error.server().unwrap().connection_lost, "{error:?}");
    assert_eq!((error.statement(), error.state), (Some(1), DatabaseState::Unchanged));
    assert_snapshot!(fixture.ledger(), @"1_a finished=no rolled_back=yes steps=0 logs=yes");
    fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap();
}

#[test]
fn a_connection_that_dies_between_two_migrations_is_replaced() {
    let mut fixture = postgres();
    fixture.apply("1_a", "CREATE TABLE a (id int);").unwrap();
    fixture.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND \
         application_name = 'tollgate'",
    );
    let error = fixture.apply("2_b", "CREATE TABLE b (id int);").unwrap_err();
    assert!(error.can_go_on(), "{error:?}");
    fixture.apply("2_b", "CREATE TABLE b (id int);").unwrap();
}

#[test]
fn positions_are_those_of_the_file() {
    let mut fixture = postgres();
    let sql = "-- äöü\nCREATE TABLE a (id int); /* 漢字 */ SELECT 'ß', wrong FROM a;";
    let error = fixture.apply("1_a", sql).unwrap_err();
    assert_eq!(error.span().unwrap().of(sql), "wrong");
}
