//! What holds for any text at all.

use proptest::prelude::*;

use crate::mysql::parse;

/// Pieces that mean something to the scanner, and some that do not.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "'",
        "\"",
        "`",
        "\\",
        "''",
        "--",
        "-- ",
        "#",
        "/*",
        "*/",
        "/*!",
        "/*!50701",
        "/*M!",
        "\n",
        ";",
        "(",
        ")",
        ",",
        ".",
        "@",
        ":",
        "BEGIN",
        "END",
        "IF",
        "THEN",
        "CASE",
        "LOOP",
        "WHILE",
        "DO",
        "CREATE",
        "PROCEDURE",
        "p",
        "TRIGGER",
        "FOR",
        "EACH",
        "ROW",
        "EVENT",
        "TABLE",
        "t",
        "ALTER",
        "ADD",
        "COLUMN",
        "INT",
        "DEFAULT",
        "KEY",
        "REFERENCES",
        "WITH",
        "AS",
        "SELECT",
        "FROM",
        "JOIN",
        "DELETE",
        "UPDATE",
        "SET",
        "STATEMENT",
        "CHANGE",
        "MODIFY",
        "DROP",
        "PARTITION",
        "CONSTRAINT",
        "CHECK",
        "UNIQUE",
        "RENAME",
        "TO",
        "ü",
        "5",
        "1e",
        "0x",
        "NOT",
        "ATOMIC",
        "HANDLER",
        "EXIT",
        "UNTIL",
        "INSERT",
        "INTO",
        "VALUES",
        "DEFINER",
        "=",
        "ENUM",
        "TRUNCATE",
        "INDEX",
        "ON",
    ];
    prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(|letter| letter.to_string()),
        2 => Just(" ".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn statements_and_what_lies_between_them_are_the_text(pieces in prop::collection::vec(piece(), 0..60), spaced in any::<bool>()) {
        let text = pieces.join(if spaced { " " } else { "" });
        match parse(&text) {
            Ok(script) => {
                let mut joined = String::new();
                let mut at = 0;
                for (index, statement) in script.statements.iter().enumerate() {
                    prop_assert_eq!(statement.index, index);
                    prop_assert!(statement.span.start >= at && statement.span.end > statement.span.start);
                    joined.push_str(&text[at..statement.span.start]);
                    joined.push_str(statement.span.of(&text));
                    at = statement.span.end;
                    for effect in &statement.effects {
                        prop_assert!(text.is_char_boundary(effect.span.start) && text.is_char_boundary(effect.span.end));
                        prop_assert!(effect.span.start >= statement.span.start && effect.span.end <= statement.span.end);
                    }
                }
                joined.push_str(&text[at..]);
                prop_assert_eq!(joined, text);
            }
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end));
                prop_assert!(error.span.start <= error.span.end);
            }
        }
    }

    #[test]
    fn a_statement_read_alone_does_the_same(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.join(" ");
        if let Ok(script) = parse(&text) {
            for statement in &script.statements {
                let alone = statement.span.of(&text);
                // One that only opens a transaction is refused alone.
                if let Ok(again) = parse(alone)
                    && !alone.starts_with('\u{feff}')
                {
                    prop_assert_eq!(again.statements.len(), 1, "{}", alone);
                    let operations = |effects: &[crate::Effect]| effects.iter().map(|effect| effect.operation.clone()).collect::<Vec<_>>();
                    prop_assert_eq!(operations(&again.statements[0].effects), operations(&statement.effects));
                }
            }
        }
    }
}
