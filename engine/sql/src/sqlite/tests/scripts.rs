//! Scripts to statements: spans, errors, transactions.

use proptest::prelude::*;

use super::script;
use crate::error::ParseErrorKind;

/// The statements' texts.
fn cut(text: &str) -> Vec<&str> {
    script(text)
        .statements
        .iter()
        .map(|statement| statement.span.of(text))
        .collect::<Vec<_>>()
}

#[test]
fn statements_are_cut_where_the_server_cuts_them() {
    for (text, expected) in [
        ("", vec![]),
        (" ;; -- only a comment\n/* and */ ;", vec![]),
        ("\u{feff}select 1;", vec!["select 1"]),
        (
            "-- a; b\nselect ';' ; select \"a;b\", [c;d], `e;f` /* ; */ from t",
            vec!["select ';'", "select \"a;b\", [c;d], `e;f` /* ; */ from t"],
        ),
        (
            "create trigger a after insert on t begin select 1; select 2; end; select 3",
            vec![
                "create trigger a after insert on t begin select 1; select 2; end",
                "select 3",
            ],
        ),
        (
            "select 'ü' -- ö\n; select x'00' /* unclosed",
            vec!["select 'ü'", "select x'00'"],
        ),
        ("select\r\n1;\r\n", vec!["select\r\n1"]),
    ] {
        assert_eq!(cut(text), expected, "{text:?}");
    }
}

#[test]
fn refusals_say_where_and_what() {
    for (text, kind, place, message) in [
        (
            "select 1;\n  selec 2",
            ParseErrorKind::Syntax,
            (2, 3),
            "syntax error near 'selec'",
        ),
        (
            "create table t (a,);",
            ParseErrorKind::Syntax,
            (1, 19),
            "syntax error near ')'",
        ),
        (
            "-- ü\nselect 'ü' 'x' from;",
            ParseErrorKind::Syntax,
            (2, 20),
            "syntax error near ';'",
        ),
        (
            "select 1;\n.read other.sql\n",
            ParseErrorKind::MetaCommand,
            (2, 1),
            "`.read` is a command of the sqlite3 shell, not SQL",
        ),
        (
            "-- first\n  .mode csv",
            ParseErrorKind::MetaCommand,
            (2, 3),
            "`.mode` is a command of the sqlite3 shell, not SQL",
        ),
        (
            "begin;\ninsert into t values (1);",
            ParseErrorKind::UnbalancedTransaction,
            (1, 1),
            "BEGIN without a COMMIT: everything after it would be lost",
        ),
        (
            "select 1; commit",
            ParseErrorKind::UnbalancedTransaction,
            (1, 11),
            "COMMIT without a BEGIN",
        ),
        (
            "begin; commit; rollback",
            ParseErrorKind::UnbalancedTransaction,
            (1, 16),
            "ROLLBACK without a BEGIN",
        ),
        (
            "savepoint a; release a; savepoint b;",
            ParseErrorKind::UnbalancedTransaction,
            (1, 25),
            "SAVEPOINT without a RELEASE: everything after it would be lost",
        ),
        (
            "begin; begin; commit",
            ParseErrorKind::UnbalancedTransaction,
            (1, 8),
            "BEGIN inside a transaction that the file has begun already",
        ),
        (
            "select 1;\0 drop table t",
            ParseErrorKind::Syntax,
            (1, 10),
            "the script holds a NUL character, where SQLite stops reading",
        ),
    ] {
        let error = crate::sqlite::parse(text).unwrap_err();
        assert_eq!(
            (error.kind, (error.position.line, error.position.column)),
            (kind, place),
            "{text}: {error}"
        );
        assert_eq!(error.message, message, "{text}");
        assert!(text.get(error.span.start..error.span.end).is_some(), "{text}");
    }
}

#[test]
fn closed_transactions_are_fine() {
    for text in [
        "begin; select 1; commit; begin; end;",
        "savepoint a; savepoint b; release a;",
        "begin; savepoint a; rollback;",
    ] {
        script(text);
    }
}

#[test]
fn nesting_is_not_bounded_by_our_stack() {
    let depth = 20_000;
    let nested = format!(
        "create table t (a default ({}null{}))",
        "(".repeat(depth),
        ")".repeat(depth)
    );
    let collated = format!("create index i on t (a{})", " collate nocase".repeat(depth));
    let sum = format!("select 1{}", " + 1".repeat(depth));
    for text in [nested, collated, sum] {
        assert_eq!(cut(&text), [text.as_str()]);
    }
}

const PIECES: &[&str] = &[
    "CREATE TABLE t (a int, \"b;\" text default 'it''s;')",
    "insert into t values ('ü; --', x'00')",
    "create trigger x after insert on t begin select ';'; delete from t; end",
    "PRAGMA foreign_keys=OFF",
    "update t set a = 1 /* ; */ where b -- ;\n = 2",
    "alter table t drop column a",
    "select `a;` from [x;y]",
];
const GAPS: &[&str] = &["", " ", "\n", ";", "-- c; ü\n", "/* ; */", "\r\n\t", "/* '\" */"];

proptest! {
    #[test]
    fn spans_give_back_the_file(parts in prop::collection::vec((0..GAPS.len(), 0..PIECES.len(), 0..GAPS.len()), 0..12)) {
        let mut text = String::new();
        for (before, piece, after) in &parts {
            text.push_str(GAPS[*before]);
            text.push_str(PIECES[*piece]);
            text.push_str(GAPS[*after]);
            text.push(';');
        }
        let script = script(&text);
        let found: Vec<&str> = script.statements.iter().map(|statement| statement.span.of(&text)).collect();
        let expected: Vec<&str> = parts.iter().map(|(_, piece, _)| PIECES[*piece]).collect();
        prop_assert_eq!(found, expected);
        let mut joined = String::new();
        let mut end = 0;
        for (index, statement) in script.statements.iter().enumerate() {
            prop_assert_eq!(statement.index, index);
            prop_assert!(statement.span.start >= end);
            joined.push_str(&text[end..statement.span.start]);
            joined.push_str(statement.span.of(&text));
            end = statement.span.end;
            for effect in &statement.effects {
                prop_assert!(effect.span.start >= statement.span.start && effect.span.end <= statement.span.end);
            }
        }
        joined.push_str(&text[end..]);
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn no_text_is_too_strange(text in "[a-z'\"`\\[\\];.()/*ü \\n0-9,=-]{0,60}") {
        match crate::sqlite::parse(&text) {
            Ok(script) => prop_assert!(script.statements.iter().all(|statement| text.get(statement.span.start..statement.span.end).is_some())),
            Err(error) => prop_assert!(text.get(error.span.start..error.span.end).is_some()),
        }
    }
}
