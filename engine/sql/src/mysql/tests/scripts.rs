//! Whole scripts: where statements end, what is refused, sessions and transactions.

use insta::assert_snapshot;

use super::{refusal, script, told};
use crate::error::ParseErrorKind;

fn texts(text: &str) -> Vec<String> {
    let read = script(text);
    read.statements
        .iter()
        .map(|statement| statement.span.of(text).to_owned())
        .collect()
}

#[test]
fn comments_and_strings_hold_semicolons() {
    let text = "\u{feff}-- a; b\nSELECT ';' /* ; */; # c;\n--\nSELECT 5--1; SELECT \";\\\";\", `;```;\n--x\n/* ; */ ;; SELECT 1 -- end";
    assert_eq!(
        texts(text),
        [
            "SELECT ';'",
            "SELECT 5--1",
            "SELECT \";\\\";\", `;```",
            "--x",
            "SELECT 1"
        ]
    );
    assert_eq!(texts(""), [""; 0]);
    assert_eq!(texts("-- nothing"), [""; 0]);
}

#[test]
fn executable_comments_are_code() {
    assert_snapshot!(told("/*!40101 SET NAMES utf8 */; /*!80000 DROP TABLE a */; /*M! DROP TABLE b */;
        CREATE TABLE t (a INT /*!50700 COMMENT ';' */, b INT /*! NOT NULL */) /*!50100 ENGINE=InnoDB */;
        ALTER TABLE t DROP a, /*!80013 DROP b, */ DROP c; /*! SELECT 1; DROP TABLE c */; DROP TABLE d /* !x */"), @"
    # /*!40101 SET NAMES utf8 (may be rolled back)
      NAMES utf8 => set-parameter {name names, value utf8}
    # /*!80000 DROP TABLE a (commits)
      perhaps drop {kind table, name name a}
    # /*M! DROP TABLE b (commits)
      perhaps drop {kind table, name name b}
    # CREATE TABLE t (a (commits)
      create-table {name name t, columns [{name a, data_type name int}, {name b, data_type name int, not_null true}], options [[engine, InnoDB]]}
    # ALTER TABLE t DROP (commits)
      DROP a => drop-column {table name t, column a}
      perhaps DROP b => drop-column {table name t, column b}
      DROP c => drop-column {table name t, column c}
    # /*! SELECT 1; DROP (may be rolled back)
      dynamic text /*! SELECT 1; DROP TABLE c */
    # DROP TABLE d (commits)
      drop {kind table, name name d}
    ");
}

#[test]
fn sessions_and_transactions() {
    assert_snapshot!(told("SET foreign_key_checks = 0, @x := 5, @@session.sql_mode = '', GLOBAL a = 1; SET NAMES utf8mb4; SET TRANSACTION READ ONLY;
        SET STATEMENT a = 1 FOR DROP TABLE t; START TRANSACTION; SAVEPOINT s; ROLLBACK TO s; RELEASE SAVEPOINT s; COMMIT; BEGIN; ROLLBACK;
        LOCK TABLES a WRITE; ANALYZE LOCAL TABLE a, s.b; GRANT ALL ON *.* TO x; CALL p(1); EXECUTE IMMEDIATE 'x'; DO SLEEP(1); USE d; SHOW TABLES; SOMETHING new"), @"
    # SET foreign_key_checks = 0, (may be rolled back)
      foreign_key_checks = 0 => set-parameter {name foreign_key_checks, value 0}
      @x := 5 => set-parameter {name @x, value 5}
      @@session.sql_mode = '' => set-parameter {name sql_mode, value ''}
      GLOBAL a = 1 => set-parameter {name a, value 1}
    # SET NAMES utf8mb4 (may be rolled back)
      NAMES utf8mb4 => set-parameter {name names, value utf8mb4}
    # SET TRANSACTION READ ONLY (may be rolled back)
      other tag set-transaction
    # SET STATEMENT a = (commits)
      drop {kind table, name name t}
    # START TRANSACTION (may be rolled back)
      transaction begin
    # SAVEPOINT s (may be rolled back)
      transaction savepoint s
    # ROLLBACK TO s (may be rolled back)
      transaction rollback-to s
    # RELEASE SAVEPOINT s (may be rolled back)
      transaction release s
    # COMMIT (may be rolled back)
      transaction commit
    # BEGIN (may be rolled back)
      transaction begin
    # ROLLBACK (may be rolled back)
      transaction rollback
    # LOCK TABLES a WRITE (commits)
      other tag lock-tables
    # ANALYZE LOCAL TABLE a, (commits)
      other {tag analyze-table, objects [name a, {schema s, name b}]}
    # GRANT ALL ON *.* (commits)
      other tag grant
    # CALL p(1) (may be rolled back)
      dynamic text CALL p(1)
    # EXECUTE IMMEDIATE 'x' (may be rolled back)
      dynamic text EXECUTE IMMEDIATE 'x'
    # DO SLEEP(1) (may be rolled back)
    # USE d (may be rolled back)
      other tag use
    # SHOW TABLES (may be rolled back)
    # SOMETHING new (may be rolled back)
      dynamic text SOMETHING new
    ");
}

#[test]
fn what_no_server_can_read_is_refused_with_its_place() {
    let cases = [
        ("SELECT 'a;\n", "a string is never closed at 1:8 `'`"),
        (
            "SELECT 1;\n  SELECT `a",
            "a name in backticks is never closed at 2:10 ```",
        ),
        ("SELECT 1 /* a", "a comment (`/*`) is never closed at 1:10 `/*`"),
        (
            "/*!40101 SELECT 1;",
            "a comment that holds code (`/*!`) is never closed at 1:1 `/*!`",
        ),
        (
            "CREATE TABLE t (a INT;\nSELECT 1;",
            "a bracket is never closed at 1:16 `(`",
        ),
        (
            "CREATE TABLE t (a INT));",
            "a bracket is closed that is not open at 1:23 `)`",
        ),
        (
            "CREATE TABLE ü (a INT,\n  b INT,\n);",
            "a column or a key is expected here at 2:8 `,`",
        ),
        (
            "CREATE TABLE t (a INT,, b INT);",
            "a column or a key is expected here at 1:23 `,`",
        ),
        (
            "CREATE TABLE t ();",
            "a column or a key is expected here at 1:1 `CREATE TABLE t ()`",
        ),
        (
            "ALTER TABLE t ADD a INT,;",
            "a clause of ALTER TABLE is expected here at 1:24 `,`",
        ),
        (
            "CREATE TABLE (a INT)",
            "the name of a table is expected here at 1:14 `(`",
        ),
        (
            "SELECT 1; CREAT TABLE t (a INT)",
            "`CREAT` is no word of MySQL here at 1:11 `CREAT`",
        ),
        (
            "ALTER TABEL t ADD a INT",
            "`TABEL` is no word of MySQL here at 1:7 `TABEL`",
        ),
        (
            "SELECT 1\\G",
            "`\\G` is a command of the mysql client, not SQL at 1:9 `\\G`",
        ),
        (
            "-- x\nDELIMITER //\nCREATE",
            "`DELIMITER` is a command of the mysql client, not SQL at 2:1 `DELIMITER`",
        ),
        (
            "source x.sql",
            "`source` is a command of the mysql client, not SQL at 1:1 `source`",
        ),
        (
            "START TRANSACTION; UPDATE t SET a = 1;",
            "this transaction is begun but never committed: the server would throw its changes away at 1:1 `START TRANSACTION`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(text), expected);
    }
    let error = crate::mysql::parse("DELIMITER //").unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::MetaCommand);
    assert!(error.help.unwrap().contains("leave the DELIMITER lines out"));
}

#[test]
fn a_change_of_the_schema_ends_a_transaction() {
    script("BEGIN; CREATE TABLE t (a INT);");
    script("BEGIN; INSERT INTO t VALUES (1); COMMIT;");
    script("delimiter: BEGIN NOT ATOMIC SELECT 1; END");
    assert!(
        refusal("CREATE TABLE t (a INT); BEGIN; CREATE TEMPORARY TABLE u (a INT);").starts_with("this transaction")
    );
    assert!(refusal("BEGIN; COMMIT AND CHAIN;").starts_with("this transaction"));
}

#[test]
fn nesting_and_length_do_no_harm() {
    let deep = format!("SELECT {}1{} FROM t", "(".repeat(200_000), ")".repeat(200_000));
    assert_eq!(texts(&deep).len(), 1);
    let views = format!(
        "CREATE VIEW v AS {}SELECT 1{}",
        "WITH a AS (".repeat(50_000),
        ") SELECT 1 FROM a".repeat(50_000)
    );
    assert_eq!(texts(&views).len(), 1);
    let set = format!("{} SELECT 1", "SET STATEMENT a = 1 FOR ".repeat(50_000));
    assert_eq!(texts(&set).len(), 1);
    let blocks = format!(
        "CREATE PROCEDURE p() {} SELECT 1; {}",
        "BEGIN ".repeat(50_000),
        "END; ".repeat(50_000)
    );
    assert_eq!(texts(&blocks).len(), 1);
    let wide = format!("CREATE TABLE t (a INT{})", ", b INT DEFAULT (1 + (2))".repeat(50_000));
    assert_eq!(texts(&wide).len(), 1);
    let comments = "/*! ".repeat(100_000) + &"*/".repeat(100_000);
    assert_eq!(texts(&comments).len(), 0);
}
