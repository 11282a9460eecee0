//! Where statements begin and end, whatever lies between and inside them.

use proptest::prelude::*;

use super::read;
use crate::Script;

/// Statements as they stand in a file.
fn cut(sql: &str) -> Vec<&str> {
    read(sql)
        .statements
        .iter()
        .map(|statement| statement.span.of(sql))
        .collect()
}

#[test]
fn statements_are_cut_where_the_server_cuts_them() {
    for (sql, expected) in [
        ("\u{feff}SELECT 1", vec!["SELECT 1"]),
        ("SELECT 1;\r\n-- a;b\r\nSELECT 2", vec!["SELECT 1", "SELECT 2"]),
        (
            "/* a /* ; */ b */ SELECT ';' /* c */ ; ; SELECT 2 -- end",
            vec!["SELECT ';'", "SELECT 2"],
        ),
        (
            "SELECT $a$;$$;$a$; SELECT E'\\';'; SELECT \"a;\"\"b\"",
            vec!["SELECT $a$;$$;$a$", "SELECT E'\\';'", "SELECT \"a;\"\"b\""],
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
            vec![
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
                "SELECT 3",
            ],
        ),
        (
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 'é'",
            vec!["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 'é'"],
        ),
        (
            "SELECT 'a'\n'b'; SELECT U&'\\00e9;' UESCAPE '!'",
            vec!["SELECT 'a'\n'b'", "SELECT U&'\\00e9;' UESCAPE '!'"],
        ),
    ] {
        assert_eq!(cut(sql), expected, "{sql}");
    }
}

/// The gaps between statements hold nothing but white space, comments, semicolons and a byte order mark.
fn check(script: &Script) {
    let mut rebuilt = String::new();
    let mut end = 0;
    for (index, statement) in script.statements.iter().enumerate() {
        assert_eq!(statement.index, index);
        assert!(statement.span.start >= end && statement.span.end > statement.span.start);
        let gap = &script.text[end..statement.span.start];
        assert!(read(gap).statements.is_empty(), "a statement in the gap {gap:?}");
        rebuilt.push_str(gap);
        rebuilt.push_str(statement.span.of(&script.text));
        end = statement.span.end;
        for effect in &statement.effects {
            assert!(effect.span.start >= statement.span.start && effect.span.end <= statement.span.end);
            assert!(script.text.get(effect.span.start..effect.span.end).is_some());
        }
    }
    rebuilt.push_str(&script.text[end..]);
    assert_eq!(rebuilt, script.text);
}

fn statement() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "CREATE TABLE \"T;\" (a int DEFAULT 1, b text DEFAULT ';')",
        "ALTER TABLE t ADD COLUMN é text DEFAULT 'ü;', DROP COLUMN b, ALTER c TYPE int USING (c::int)",
        "SELECT $x$ ; $$ ; $x$, E'\\';', U&'\\0041;' , ';'",
        "DO $$ BEGIN IF true THEN DROP TABLE a; END IF; END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $f$ SELECT 1; DELETE FROM t; $f$",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "WITH d AS (DELETE FROM a RETURNING *) SELECT * FROM d",
        "CREATE INDEX ON t (lower(a), (b + 1)) WHERE c > 'x;'",
        "CREATE VIEW v AS SELECT 1 AS \"a;b\"",
        "INSERT INTO t VALUES ('日本;', $1)",
    ])
}

fn gap() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\t ",
        "-- c;\n",
        "-- it's \\d\r\n",
        "/* ; */",
        "/* a /* ' */ $$ */",
        ";",
        "/* é */",
        "\u{c}",
    ]);
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn spans_give_back_the_file(
        mark in any::<bool>(),
        lead in gap(),
        parts in prop::collection::vec((statement(), gap()), 0..8),
        closed in any::<bool>(),
        tail in prop::sample::select(vec!["", "\n", "-- end", "\r\n/* end */"]),
    ) {
        let body: Vec<String> = parts.iter().map(|(statement, gap)| format!("{statement}{gap}")).collect();
        let mark = if mark { "\u{feff}" } else { "" };
        let sql = format!("{mark}{lead}{}{}{tail}", body.join(";"), if closed { ";" } else { "" });
        let script = read(&sql);
        prop_assert_eq!(script.statements.len(), parts.len());
        for (found, (written, _)) in script.statements.iter().zip(&parts) {
            prop_assert_eq!(found.span.of(&sql), *written);
        }
        check(&script);
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        if let Ok(script) = crate::parse(crate::Dialect::Postgres, &text) {
            check(&script);
        }
    }

    #[test]
    fn no_mix_of_words_is_too_strange(words in prop::collection::vec(prop::sample::select(vec![
        "CREATE", "TABLE", "ALTER", "(", ")", ",", ";", "a", "\"b\"", "'c'", "$$", "$$;", "--", "\n", "/*", "*/", "\\d",
        "DROP", "SELECT", "1", "FROM", "COPY", "stdin", "BEGIN", "COMMIT", "é", ".", "::", "INDEX", "ON", "DO", "E'\\",
        "\u{feff}", "[", "]", "AS", "DEFAULT", "int",
    ]), 0..25)) {
        let text = words.join(" ");
        match crate::parse(crate::Dialect::Postgres, &text) {
            Ok(script) => check(&script),
            Err(error) => prop_assert!(text.get(error.span.start..error.span.end).is_some()),
        }
    }
}
