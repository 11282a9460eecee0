//! What is refused, where the error points, and what is not refused.

use crate::error::ParseErrorKind as Kind;

#[test]
fn errors_point_at_the_place() {
    for (sql, kind, line, column, at) in [
        ("SELECT 1;\n  SELEC 2;", Kind::Syntax, 2, 3, "SELEC"),
        ("-- é\nSELECT 'é' FROM x y z", Kind::Syntax, 2, 21, "z"),
        ("SELECT (1", Kind::Syntax, 1, 10, ""),
        ("SELECT 'a", Kind::Syntax, 1, 8, "'"),
        ("SELECT $a$ x", Kind::Syntax, 1, 8, "$"),
        ("/* open", Kind::Syntax, 1, 1, "/"),
        ("SELECT 1\0", Kind::Syntax, 1, 9, "\0"),
        ("\u{feff}SELEC 1", Kind::Syntax, 1, 2, "SELEC"),
        ("SELECT 1;\n\\c other\n", Kind::MetaCommand, 2, 1, "\\c"),
        ("\\set ON_ERROR_STOP on", Kind::MetaCommand, 1, 1, "\\set"),
        (
            "CREATE TABLE t (a int);\n\\i it's.sql\nSELECT 1;",
            Kind::MetaCommand,
            2,
            1,
            "\\i",
        ),
        ("SELECT 1 \\gset", Kind::MetaCommand, 1, 10, "\\gset"),
        ("COPY t FROM stdin", Kind::CopyFromStdin, 1, 1, "COPY t FROM stdin"),
        (
            "SELECT 1;\nCOPY t (a) FROM STDIN;\n1\t;x\n\\.\nSELECT 2;",
            Kind::CopyFromStdin,
            2,
            1,
            "COPY t (a) FROM STDIN",
        ),
        (
            "CREATE TABLE t (a int);\nBEGIN;\nDROP TABLE t",
            Kind::UnbalancedTransaction,
            2,
            1,
            "BEGIN",
        ),
        (
            "BEGIN; COMMIT AND CHAIN",
            Kind::UnbalancedTransaction,
            1,
            8,
            "COMMIT AND CHAIN",
        ),
        (
            "START TRANSACTION; SAVEPOINT a; ROLLBACK TO a",
            Kind::UnbalancedTransaction,
            1,
            1,
            "START TRANSACTION",
        ),
        (
            "BEGIN; PREPARE TRANSACTION 'a'; BEGIN; PREPARE TRANSACTION 'b';\nCOMMIT PREPARED 'a';",
            Kind::UnbalancedTransaction,
            1,
            40,
            "PREPARE TRANSACTION 'b'",
        ),
    ] {
        let error = crate::parse(crate::Dialect::Postgres, sql)
            .err()
            .unwrap_or_else(|| panic!("accepted: {sql}"));
        assert_eq!(
            (
                error.kind,
                error.position.line,
                error.position.column,
                error.span.of(sql)
            ),
            (kind, line, column, at),
            "{sql}: {error}"
        );
        assert_eq!(error.help.is_some(), kind != Kind::Syntax, "{sql}");
    }
}

#[test]
fn what_the_server_accepts_is_accepted() {
    let many = format!("SELECT {}1", "1 + ".repeat(3_000));
    let deep = format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000));
    let concatenated = format!("INSERT INTO t VALUES ('a'{})", " || 'b'".repeat(2_000));
    let blocks = (0..500).fold("SELECT 1".to_owned(), |inner, level| {
        format!("DO $a{level}$ BEGIN {inner}; END $a{level}$")
    });
    for sql in [
        "",
        ";;",
        "-- only a comment",
        "\u{feff}",
        "SELECT 1; COMMIT;",
        "ROLLBACK",
        "BEGIN; BEGIN; COMMIT",
        "BEGIN; PREPARE TRANSACTION 'a'; COMMIT PREPARED 'a'",
        "ROLLBACK PREPARED 'of somebody else'",
        "SELECT '\\c'; -- \\i x\n/* \\d */ SELECT $$\\q$$",
        "SELECT E'\\'' || U&'\\0041' || B'01'",
        "COPY t FROM '/file'; COPY t TO STDOUT",
        "DO $$ BEGIN COMMIT; END $$",
        many.as_str(),
        deep.as_str(),
        concatenated.as_str(),
        blocks.as_str(),
    ] {
        let result = crate::parse(crate::Dialect::Postgres, sql);
        assert!(result.is_ok(), "{:?}: {sql:.60}", result.err());
    }
}

#[test]
fn what_is_certain_to_be_definitions_parses_and_runs_nothing() {
    let certain = [
        "ALTER TABLE a ADD COLUMN b text DEFAULT 'x;y'",
        "CREATE TABLE a (b integer);\n  CREATE UNIQUE INDEX ON a (b);",
        "DROP TYPE \"T\"; COMMENT ON TABLE a IS 'BEGIN; COMMIT'",
    ];
    for sql in certain {
        assert!(super::super::defines(sql), "{sql}");
        assert!(!super::read(sql).statements.is_empty(), "{sql}");
    }
    let others = [
        "",
        ";",
        "-- nothing",
        "BEGIN",
        "DROP TABLE a; COMMIT",
        "DROP TABLE a; /*",
        "DROP TABLE 'a'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP TABLE a\0",
        "drop table a",
    ];
    for sql in others {
        assert!(!super::super::defines(sql), "{sql}");
    }
    assert!(!super::super::defines(&format!("DROP TABLE a{}", ", a".repeat(1_000))));
}
