//! Random tables: what is rendered replays to the same model, and any table can be turned into any other of its name.

use std::fmt::Write as _;

use proptest::prelude::*;
use tollgate_schema::{Schema, render};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use tollgate_testing::postgres::cluster;
use tollgate_testing::sqlite_file;

use super::{joined, replayed};

const NAMES: &[&str] = &["a", "b c", "select", "Ünï", "q\"q", "UPPER"];

/// A type and defaults that go with it.
type Kind = (&'static str, &'static [&'static str]);

const POSTGRES: &[Kind] = &[
    ("integer", &["1", "-5", "(1 + 2)"]),
    ("text", &["'it''s'", "lower('X'::text)"]),
    ("numeric(10,2)", &["0.5"]),
    ("timestamp(3) without time zone", &["CURRENT_TIMESTAMP"]),
    ("character varying(20)[]", &["'{}'::character varying[]"]),
    ("boolean", &["true"]),
];

const SQLITE: &[Kind] = &[
    ("INTEGER", &["1", "-5", "(1 + 2)"]),
    ("TEXT", &["'it''s'", "(lower('X'))"]),
    ("varchar(20)", &["NULL", "x'00'"]),
    ("", &["0.5"]),
    ("DATETIME", &["CURRENT_TIMESTAMP"]),
];

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
struct RandomColumn {
    name: usize,
    kind: usize,
    not_null: bool,
    default: Option<usize>,
    generated: bool,
    unique: bool,
    checked: bool,
    reference: bool,
    indexed: Option<bool>,
}

fn column() -> impl Strategy<Value = RandomColumn> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let rare = (
        prop::bool::weighted(0.2),
        prop::option::of(any::<bool>()),
        prop::option::of(0..3_usize),
    );
    (0..NAMES.len(), 0..POSTGRES.len(), flags, rare).prop_map(|(name, kind, flags, (generated, indexed, default))| {
        let (not_null, unique, checked, reference) = flags;
        RandomColumn {
            name,
            kind,
            not_null,
            default,
            generated,
            unique,
            checked,
            reference,
            indexed,
        }
    })
}

/// A table's columns, each name once; whether it has a primary key.
fn table() -> impl Strategy<Value = (Vec<RandomColumn>, bool)> {
    (prop::collection::vec(column(), 0..6), any::<bool>()).prop_map(|(mut columns, key)| {
        let mut seen = Vec::new();
        columns.retain(|column| {
            !seen.contains(&column.name) && {
                seen.push(column.name);
                true
            }
        });
        (columns, key)
    })
}

/// The script that makes the table.
fn written(dialect: Dialect, (columns, key): &(Vec<RandomColumn>, bool)) -> String {
    let kinds = if dialect == Dialect::Postgres { POSTGRES } else { SQLITE };
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let mut lines = vec![format!(
        "id integer{}",
        if *key { " CONSTRAINT the_key PRIMARY KEY" } else { "" }
    )];
    let mut after = String::new();
    for column in columns {
        let name = quoted(NAMES[column.name]);
        let (kind, defaults) = kinds[column.kind % kinds.len()];
        let number = column.name;
        if column.generated {
            lines.push(format!(
                "{name} integer GENERATED ALWAYS AS (id + {}) STORED",
                column.kind
            ));
        } else {
            let default = column
                .default
                .map(|at| format!(" DEFAULT {}", defaults[at % defaults.len()]));
            let not_null = if column.not_null { " NOT NULL" } else { "" };
            lines.push(format!("{name} {kind}{}{not_null}", default.unwrap_or_default()));
        }
        if let Some(unique) = column.indexed {
            let unique = if unique { "UNIQUE " } else { "" };
            let _ = writeln!(
                after,
                "CREATE {unique}INDEX i{number} ON t ({name}, id DESC) WHERE {name} IS NOT NULL;"
            );
        }
    }
    for column in columns {
        let (name, number) = (quoted(NAMES[column.name]), column.name);
        lines.extend(
            column
                .unique
                .then(|| format!("CONSTRAINT u{number} UNIQUE ({name}, id)")),
        );
        lines.extend(
            column
                .checked
                .then(|| format!("CONSTRAINT c{number} CHECK ({name} IS NOT NULL)")),
        );
        let is_integer = column.generated || kinds[column.kind % kinds.len()].0.eq_ignore_ascii_case("integer");
        let key = || format!("CONSTRAINT f{number} FOREIGN KEY ({name}) REFERENCES other (id) ON DELETE CASCADE");
        lines.extend((column.reference && is_integer).then(key));
    }
    format!(
        "CREATE TABLE other (id integer PRIMARY KEY);\nCREATE TABLE t ({});\n{after}",
        lines.join(", ")
    )
}

/// The table's lines of the outline. PostgreSQL adds columns at the end: there their order is no matter.
fn outline(schema: &Schema) -> Vec<String> {
    let outline = schema.outline().unwrap();
    let mut lines: Vec<String> = outline.lines().map(str::to_owned).collect();
    if schema.context().dialect == Dialect::Postgres {
        lines.sort();
    }
    lines
}

fn rendered(schema: &Schema) -> String {
    let one = |name: &str| {
        render::ddl(schema, ObjectKind::Table, &ObjectName::bare(name))
            .unwrap()
            .unwrap()
    };
    joined(&one("other")) + &joined(&one("t"))
}

/// Turns one table into another on the model and gives the scripts that make the two, and the SQL between them.
fn turned_back(
    dialect: Dialect,
    wanted: &(Vec<RandomColumn>, bool),
    current: &(Vec<RandomColumn>, bool),
) -> [String; 3] {
    let (wanted, current) = (written(dialect, wanted), written(dialect, current));
    let (before, after) = (replayed(dialect, &[&wanted]), replayed(dialect, &[&current]));
    let sql = super::restore(&before, &after, "t");
    let restored = replayed(dialect, &[&current, &sql]);
    assert_eq!(
        outline(&restored),
        outline(&before),
        "wanted\n{wanted}\nfrom\n{current}\nby\n{sql}"
    );
    assert_eq!(
        super::restore(&before, &restored, "t"),
        "",
        "nothing is left to do after\n{sql}"
    );
    [wanted, current, sql]
}

proptest! {
    #[test]
    fn rendered_tables_replay_to_themselves(table in table()) {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let text = written(dialect, &table);
            let schema = replayed(dialect, &[&text]);
            let sql = rendered(&schema);
            assert_eq!(outline(&replayed(dialect, &[&sql])), outline(&schema), "{text}\n{sql}");
        }
    }

    #[test]
    fn any_postgres_table_turns_into_any_other(wanted in table(), current in table()) {
        turned_back(Dialect::Postgres, &wanted, &current);
    }

    #[test]
    fn any_sqlite_table_turns_into_any_other(wanted in table(), current in table()) {
        turned_back(Dialect::Sqlite, &wanted, &current);
    }
}

/// Lines of a dump without the punctuation that says where a column stands.
fn sorted(dump: &str) -> Vec<String> {
    let mut lines: Vec<String> = dump.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
    lines.sort_unstable();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_postgres_server_agrees(wanted in table(), current in table()) {
        let [wanted, current, sql] = turned_back(Dialect::Postgres, &wanted, &current);
        let (expected, found) = (cluster().database(), cluster().database());
        expected.psql(&wanted);
        found.psql(&current);
        match found.try_psql(&sql) {
            Ok(_) => prop_assert_eq!(sorted(&found.schema()), sorted(&expected.schema()), "{}\n{}", current, sql),
            // Some types have no way from one to the other.
            Err(error) => prop_assert!(error.to_string().contains("cannot cast"), "{}\n{}\n{}", error, current, sql),
        }
    }

    #[test]
    fn the_sqlite_library_agrees(wanted in table(), current in table()) {
        let [wanted, current, sql] = turned_back(Dialect::Sqlite, &wanted, &current);
        let (expected, found) = (sqlite_file(), sqlite_file());
        expected.sqlite3(&wanted);
        found.sqlite3(&current);
        found.sqlite3(&sql);
        prop_assert_eq!(super::sqlite::described(&found), super::sqlite::described(&expected), "{}\n{}", current, sql);
    }
}
