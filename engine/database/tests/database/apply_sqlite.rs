//! Running migrations on `SQLite`.

use insta::assert_snapshot;
use tollgate_database::{DatabaseState, ExecuteEvent, ExecuteOptions};

use crate::support::{apply, explain, sqlite};

const TABLES: &str = "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);\n\
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);\n\
    INSERT INTO parent VALUES (1, 'a');\nINSERT INTO child VALUES (1, 1);";

/// As Prisma writes it. With foreign keys on, the DROP TABLE would delete every child.
const REBUILD: &str = "CREATE TABLE before (id INTEGER);\n-- RedefineTables\nPRAGMA defer_foreign_keys=ON;\nPRAGMA foreign_keys=OFF;\n\
    CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n\
    INSERT INTO new_parent (id, name) SELECT id, name FROM parent;\nDROP TABLE parent;\n\
    ALTER TABLE new_parent RENAME TO parent;\nPRAGMA foreign_keys=ON;\nPRAGMA defer_foreign_keys=OFF;\n\
    CREATE TABLE after (id INTEGER);";

#[test]
fn a_rebuild_keeps_the_children_and_is_one_transaction() {
    let mut fixture = sqlite();
    fixture.apply("1_tables", TABLES).unwrap();
    let applied = fixture.apply("2_rebuild", REBUILD).unwrap();
    assert!(applied.atomic);
    assert_eq!(fixture.ask("SELECT count(*) FROM child"), "1");
    // Foreign keys are on again for the next file.
    let error = fixture
        .apply("3_child", "INSERT INTO child VALUES (2, 99);")
        .unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "3_child" failed: FOREIGN KEY constraint failed
    statement: Some(0), span: Some("0..32"), sqlstate: None
    detail: None
    hint: None
    state: Unchanged
    help: nothing of it is in the database: mend the cause and run the command again
    "#);
    assert_snapshot!(fixture.ledger(), @"
    1_tables finished=yes rolled_back=no steps=1 logs=no
    2_rebuild finished=yes rolled_back=no steps=1 logs=no
    3_child finished=no rolled_back=yes steps=0 logs=yes
    ");
}

#[test]
fn a_rebuild_that_fails_leaves_nothing() {
    let mut fixture = sqlite();
    fixture.apply("1_tables", TABLES).unwrap();
    let error = fixture
        .apply("2_rebuild", &format!("{REBUILD}\nSELECT nope;"))
        .unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "2_rebuild" failed: no such column: nope
    statement: Some(10), span: Some("395..399"), sqlstate: None
    detail: None
    hint: None
    state: Unchanged
    help: nothing of it is in the database: mend the cause and run the command again
    "#);
    assert_eq!(fixture.ask("SELECT group_concat(name) FROM (SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\' AND type = 'table' ORDER BY name)"), "child,parent");
    assert_eq!(fixture.ask("SELECT count(*) FROM child"), "1");
    fixture.apply("2_rebuild", REBUILD).unwrap();
    fixture
        .apply("3_child", "INSERT INTO child VALUES (2, 99);")
        .unwrap_err();
}

#[test]
fn rows_that_need_foreign_keys_keep_the_switches_where_they_are() {
    let mut fixture = sqlite();
    fixture.apply("1_tables", TABLES).unwrap();
    // The DELETE comes while foreign keys are on: it cascades, whatever is switched later.
    let applied = fixture
        .apply(
            "2_delete",
            "DELETE FROM parent;\nPRAGMA foreign_keys=OFF;\nINSERT INTO child VALUES (7, 7);\nPRAGMA foreign_keys=ON;\nCREATE TABLE z (id INTEGER);",
        )
        .unwrap();
    assert!(!applied.atomic);
    assert_eq!(fixture.ask("SELECT group_concat(id) FROM child"), "7");
    assert_snapshot!(fixture.ledger(), @"
    1_tables finished=yes rolled_back=no steps=1 logs=no
    2_delete finished=yes rolled_back=no steps=1 logs=no
    ");
}

#[test]
fn a_failure_after_a_committed_part_is_recorded_and_resumed() {
    let mut fixture = sqlite();
    let sql = "CREATE TABLE a (id INTEGER);\nVACUUM;\nCREATE TABLE b (id INTEGER);\nINSERT INTO missing VALUES (1);";
    let error = fixture.apply("1_a", sql).unwrap_err();
    assert_snapshot!(explain(&error), @r#"
    migration "1_a" failed: no such table: missing
    statement: Some(3), span: Some("78..85"), sqlstate: None
    detail: None
    hint: None
    state: Partly { done: 2, in_doubt: None }
    help: 2 of its statements are in the database; mend the cause and resume, or use resolve
    "#);
    assert_eq!(
        error.state,
        DatabaseState::Partly {
            done: 2,
            in_doubt: None
        }
    );
    assert_snapshot!(fixture.ledger(), @"1_a finished=no rolled_back=no steps=2 logs=yes");
    fixture.ask("CREATE TABLE missing (id INTEGER)");
    let resume = ExecuteOptions {
        resume: true,
        ..ExecuteOptions::default()
    };
    let applied = fixture.apply_with("1_a", sql, &resume).0.unwrap();
    assert_eq!(applied.statements, 2);
    assert_snapshot!(fixture.ledger(), @"1_a finished=yes rolled_back=no steps=1 logs=no");
}

#[test]
fn the_files_own_transaction_holds_the_record() {
    let mut fixture = sqlite();
    let applied = fixture
        .apply("1_a", "BEGIN TRANSACTION;\nCREATE TABLE a (id INTEGER);\nCOMMIT;")
        .unwrap();
    assert!(applied.atomic);
    let error = fixture
        .apply("2_b", "BEGIN;\nCREATE TABLE b (id INTEGER);\nSELECT nope;\nCOMMIT;")
        .unwrap_err();
    assert_eq!((error.statement(), error.state), (Some(2), DatabaseState::Unchanged));
    assert_snapshot!(fixture.ledger(), @"
    1_a finished=yes rolled_back=no steps=1 logs=no
    2_b finished=no rolled_back=yes steps=0 logs=yes
    ");
}

#[test]
fn a_journal_mode_is_set_outside_the_transaction() {
    let mut fixture = sqlite();
    fixture
        .apply("1_wal", "PRAGMA journal_mode=WAL;\nCREATE TABLE a (id INTEGER);")
        .unwrap();
    assert_eq!(fixture.ask("PRAGMA journal_mode"), "wal");
    assert_snapshot!(fixture.ledger(), @"1_wal finished=yes rolled_back=no steps=1 logs=no");
}

#[test]
fn triggers_and_strings_with_semicolons_arrive_whole() {
    let mut fixture = sqlite();
    fixture
        .apply(
            "1_a",
            "CREATE TABLE a (id INTEGER, t TEXT);\n\
             CREATE TRIGGER tr AFTER INSERT ON a BEGIN UPDATE a SET t = 'x;y' WHERE id = NEW.id; DELETE FROM a WHERE id = 0; END;\n\
             INSERT INTO a VALUES (1, ''), (0, '');",
        )
        .unwrap();
    assert_eq!(fixture.ask("SELECT id || t FROM a"), "1x;y");
}

#[test]
fn one_transaction_needs_no_record_of_progress() {
    let mut fixture = sqlite();
    fixture.apply("1_tables", TABLES).unwrap();
    let sidecar = |fixture: &crate::support::Fixture| {
        std::fs::read_dir(fixture.folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().ends_with(".tollgate.db"))
            .map(|path| std::fs::read(path).unwrap())
            .unwrap()
    };
    // Every commit counts up a number in the file's header.
    let before = sidecar(&fixture);
    assert!(fixture.apply("2_rebuild", REBUILD).unwrap().atomic);
    fixture.apply("3_nothing", "-- nothing").unwrap();
    fixture.apply("4_refused", "SELECT nope").unwrap_err();
    assert!(sidecar(&fixture) == before, "the sidecar was written to");
    assert!(
        !fixture
            .apply("5_apart", "CREATE TABLE x (id INTEGER);\nVACUUM;")
            .unwrap()
            .atomic
    );
    assert!(sidecar(&fixture) != before);
    assert_snapshot!(fixture.ledger(), @"
    1_tables finished=yes rolled_back=no steps=1 logs=no
    2_rebuild finished=yes rolled_back=no steps=1 logs=no
    3_nothing finished=yes rolled_back=no steps=1 logs=no
    4_refused finished=no rolled_back=yes steps=0 logs=yes
    5_apart finished=yes rolled_back=no steps=1 logs=no
    ");
}

/// No ROLLBACK takes an ATTACH back, and while a transaction uses the file there is no DETACH.
#[test]
fn files_are_attached_outside_of_transactions() {
    let mut fixture = sqlite();
    let other = fixture.folder().join("other.db");
    let sql = |last: &str| {
        format!(
            "CREATE TABLE a (id INTEGER);\nATTACH '{}' AS other;\nCREATE TABLE other.b (id INTEGER);\nVACUUM;\n\
             INSERT INTO other.b VALUES (1);\nDETACH other;\n{last};",
            other.display()
        )
    };
    let error = fixture
        .apply("1_a", &sql("INSERT INTO nowhere VALUES (1)"))
        .unwrap_err();
    assert_eq!((error.statement(), error.state), (Some(6), partly(5)));
    // For what is left it is attached again.
    let resume = ExecuteOptions {
        resume: true,
        ..ExecuteOptions::default()
    };
    let resumed = fixture
        .apply_with("1_a", &sql("CREATE TABLE c (id INTEGER)"), &resume)
        .0;
    assert!(!resumed.unwrap().atomic);
    assert_snapshot!(fixture.ledger(), @"1_a finished=yes rolled_back=no steps=1 logs=no");
    let all = format!(
        "ATTACH '{}' AS other; SELECT count(*) FROM other.b; SELECT name FROM sqlite_master WHERE name = 'c'",
        other.display()
    );
    assert_eq!(fixture.ask(&all), "1\nc");
    // And the next file does not find it.
    fixture.apply("2_b", "INSERT INTO other.b VALUES (2);").unwrap_err();
}

fn partly(done: usize) -> DatabaseState {
    DatabaseState::Partly { done, in_doubt: None }
}

/// The next file's session is another one, which has to get in beside this one.
#[test]
fn a_file_that_was_locked_for_one_session_is_open_to_the_next() {
    let mut fixture = sqlite();
    fixture.apply("1_tables", TABLES).unwrap();
    let alone = "PRAGMA locking_mode=EXCLUSIVE;\nPRAGMA foreign_keys=OFF;\nCREATE TABLE z (id INTEGER);";
    fixture.apply("2_alone", alone).unwrap();
    fixture.ask("INSERT INTO z VALUES (1)");
    let error = fixture
        .apply("3_child", "INSERT INTO child VALUES (2, 99);")
        .unwrap_err();
    assert_eq!(error.problem.to_string(), "FOREIGN KEY constraint failed");
}

/// In a file of its own, it cannot be part of the commit.
#[test]
fn what_is_in_and_recorded_does_not_fail_for_the_note_of_its_progress() {
    let mut fixture = sqlite();
    let sql = "CREATE TABLE a (id INTEGER);\nVACUUM;\nCREATE TABLE b (id INTEGER);";
    let state = fixture.folder().join("test.db.tollgate.db");
    let mut spoil = |event| {
        if matches!(event, ExecuteEvent::Statement { index: 2 }) {
            let sql = "DROP TABLE statement_progress";
            let shell = std::process::Command::new("sqlite3").arg(&state).arg(sql).status();
            assert!(shell.unwrap().success());
        }
    };
    apply(
        &mut fixture.database,
        "1_a",
        sql,
        &ExecuteOptions::default(),
        &mut spoil,
    )
    .unwrap();
    assert_snapshot!(fixture.ledger(), @"1_a finished=yes rolled_back=no steps=1 logs=no");
}
