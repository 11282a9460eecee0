//! Properties that hold for any sequence of operations.

use proptest::prelude::*;
use tollgate_schema::difference::{Options, compare};
use tollgate_sql::Dialect;

use crate::{apply, replayed};

const START: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE a (id serial PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'ok', CHECK (name <> ''));
    CREATE TABLE b (id int PRIMARY KEY, a_id int CONSTRAINT b_a REFERENCES a (id) ON DELETE CASCADE, n int);
    CREATE INDEX a_name ON a (lower(name)) WHERE name IS NOT NULL;
    CREATE VIEW v AS SELECT name FROM a;
    CREATE SCHEMA side;";

/// Statements and what takes them back, on the schema above.
const PAIRS: &[(&str, &str)] = &[
    ("ALTER TABLE a RENAME TO z", "ALTER TABLE z RENAME TO a"),
    (
        "ALTER TABLE b RENAME a_id TO owner",
        "ALTER TABLE b RENAME owner TO a_id",
    ),
    (
        "ALTER TABLE a RENAME COLUMN id TO key",
        "ALTER TABLE a RENAME COLUMN key TO id",
    ),
    (
        "ALTER TABLE a RENAME COLUMN name TO title",
        "ALTER TABLE a RENAME COLUMN title TO name",
    ),
    (
        "ALTER TABLE b ADD COLUMN extra text UNIQUE DEFAULT 'x'",
        "ALTER TABLE b DROP COLUMN extra",
    ),
    ("ALTER TABLE b ADD s serial", "ALTER TABLE b DROP s"),
    ("CREATE INDEX ON b (n)", "DROP INDEX b_n_idx"),
    ("CREATE TABLE c (id int REFERENCES b)", "DROP TABLE c"),
    ("ALTER TYPE mood RENAME TO feeling", "ALTER TYPE feeling RENAME TO mood"),
    (
        "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
        "ALTER TYPE mood RENAME VALUE 'fine' TO 'ok'",
    ),
    ("ALTER TABLE a SET SCHEMA side", "ALTER TABLE side.a SET SCHEMA public"),
    (
        "ALTER TYPE mood SET SCHEMA side",
        "ALTER TYPE side.mood SET SCHEMA public",
    ),
    (
        "ALTER TABLE a RENAME CONSTRAINT a_pkey TO pk",
        "ALTER INDEX pk RENAME TO a_pkey",
    ),
    (
        "ALTER TABLE b ALTER n SET NOT NULL",
        "ALTER TABLE b ALTER n DROP NOT NULL",
    ),
    (
        "ALTER TABLE b ALTER n SET DEFAULT 3",
        "ALTER TABLE b ALTER n DROP DEFAULT",
    ),
    (
        "ALTER TABLE b ALTER n TYPE bigint",
        "ALTER TABLE b ALTER n TYPE integer",
    ),
    (
        "ALTER TABLE b ADD CHECK (n > 0)",
        "ALTER TABLE b DROP CONSTRAINT b_n_check",
    ),
    (
        "ALTER TABLE b ALTER n SET NOT NULL, ALTER n ADD GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE b ALTER n DROP IDENTITY, ALTER n DROP NOT NULL",
    ),
    ("COMMENT ON TABLE a IS 'x'", "COMMENT ON TABLE a IS NULL"),
    ("GRANT SELECT ON a TO r", "REVOKE SELECT ON a FROM r"),
    (
        "ALTER TABLE a ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE a DISABLE ROW LEVEL SECURITY",
    ),
    (
        "ALTER SEQUENCE a_id_seq RENAME TO ids",
        "ALTER SEQUENCE ids RENAME TO a_id_seq",
    ),
    ("ALTER SCHEMA side RENAME TO back", "ALTER SCHEMA back RENAME TO side"),
    (
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION f(int)",
    ),
    ("CREATE VIEW w AS SELECT * FROM v", "DROP VIEW w"),
    ("BEGIN; DROP TABLE a CASCADE; ROLLBACK", "SELECT 1"),
];

#[test]
fn each_statement_can_be_taken_back() {
    for (there, back) in PAIRS {
        let mut schema = replayed(Dialect::Postgres, START);
        let before = schema.outline().unwrap();
        apply(&mut schema, there);
        apply(&mut schema, back);
        assert_eq!(schema.outline().unwrap(), before, "{there}; {back}");
    }
}

proptest! {
    #[test]
    fn statements_taken_back_in_reverse_order_leave_no_trace(picks in proptest::collection::vec(0..PAIRS.len(), 1..6)) {
        let mut schema = replayed(Dialect::Postgres, START);
        let start = schema.clone();
        let before = start.outline().unwrap();
        // A statement whose object another one has renamed away does nothing, and its inverse must then do nothing too:
        // only those are kept that did something.
        let mut undo = Vec::new();
        for pick in picks {
            let (there, back) = PAIRS[pick];
            let outline = schema.outline().unwrap();
            let earlier = schema.clone();
            apply(&mut schema, there);
            if schema.outline().unwrap() == outline {
                continue;
            }
            let mut probe = schema.clone();
            apply(&mut probe, back);
            if probe.outline().unwrap() == outline {
                undo.push(back);
            } else {
                // Half of a statement found its objects: not a pair here.
                schema = earlier;
            }
        }
        for back in undo.iter().rev() {
            apply(&mut schema, back);
        }
        prop_assert_eq!(schema.outline().unwrap(), &before[..]);
        prop_assert!(compare(&start, &schema, &Options::default()).unwrap().is_empty());
        prop_assert_eq!(start.outline().unwrap(), before);
    }

    #[test]
    fn no_text_makes_the_scanner_fail(text in "\\PC{0,60}") {
        // Checks keep any text; a rename scans it.
        let mut schema = replayed(Dialect::Postgres, "CREATE TABLE a (id int, n int)");
        let literal = text.replace('\'', "''");
        apply(&mut schema, &format!("ALTER TABLE a ADD CHECK (n::text <> E'{}')", literal.replace('\\', "\\\\")));
        apply(&mut schema, "ALTER TABLE a RENAME n TO m");
        let table = schema.relation(&crate::name("a")).unwrap().unwrap();
        prop_assert_eq!(table.constraints[0].rule.columns(), ["m".to_owned()]);
    }
}
