//! What a policy sees: every operation, and the schema around it, through the component and back.

use tollgate_sql::Dialect;

use crate::support::{call, messages, policy};

fn seen(mode: &str, dialect: Dialect, earlier: &str, text: &str) -> String {
    messages(&policy(mode).unwrap().check(&call(dialect, earlier, text)).unwrap())
}

#[test]
fn the_call_itself() {
    insta::assert_snapshot!(seen("witness", Dialect::Sqlite, "", "SELECT 1;"), @r#"
    Request { server: Server { dialect: Dialect::Sqlite, version: Some((15, 4, 0)) }, rules: [0], environment: Some("production"), lock-timeout-ms: Some(5000), statement-timeout-ms: None }
    20260101000000_test c0ffee down: Some("-- by hand")
    complete: true true
    "#);
}

#[test]
fn spans_point_at_the_clause() {
    let text = "/* é */ ALTER TABLE t ADD COLUMN b integer;";
    let call = call(Dialect::Postgres, "CREATE TABLE t (a integer);", text);
    let findings = policy("witness").unwrap().check(&call).unwrap();
    let spans: Vec<_> = findings
        .iter()
        .filter_map(|finding| finding.span)
        .map(|span| span.of(text))
        .collect();
    assert_eq!(spans.len(), 1);
    assert!(spans[0].ends_with("ADD COLUMN b integer"), "{spans:?}");
    assert_eq!(findings.last().unwrap().statement, Some(0));
}

#[test]
fn operations_of_postgresql() {
    let earlier = "CREATE TABLE t (id serial PRIMARY KEY, a integer, b text, c varchar(10));\n\
                   CREATE TABLE p (id bigint PRIMARY KEY, tenant uuid);\n\
                   CREATE TYPE mood AS ENUM ('sad', 'happy');";
    let text = include_str!("operations.sql");
    insta::assert_snapshot!(seen("witness", Dialect::Postgres, earlier, text));
}

#[test]
fn a_table_rebuild_is_one_change() {
    let earlier = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT);";
    let text = "PRAGMA foreign_keys=OFF;\n\
                CREATE TABLE \"new_t\" (\"id\" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, \"a\" TEXT NOT NULL);\n\
                INSERT INTO \"new_t\" (\"a\", \"id\") SELECT \"a\", \"id\" FROM \"t\";\n\
                DROP TABLE \"t\";\n\
                ALTER TABLE \"new_t\" RENAME TO \"t\";\n\
                PRAGMA foreign_keys=ON;";
    insta::assert_snapshot!(seen("witness", Dialect::Sqlite, earlier, text));
}

#[test]
fn the_schema_before_and_after() {
    let earlier = "CREATE TYPE mood AS ENUM ('sad', 'happy');\n\
                   CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a varchar(10) DEFAULT 'x' NOT NULL, \
                   m mood, d integer GENERATED ALWAYS AS (1 + 1) STORED, CONSTRAINT positive CHECK (id > 0));\n\
                   CREATE UNIQUE INDEX t_a ON t (a) WHERE m IS NOT NULL;";
    let text = "CREATE TABLE u (id bigint REFERENCES t (id), at timestamp(3) with time zone);\n\
                CREATE INDEX u_lower ON u USING hash (lower(id::text));\n\
                ALTER TYPE mood ADD VALUE 'ok';\n\
                INSERT INTO t (a) VALUES ('y');";
    insta::assert_snapshot!(seen("names", Dialect::Postgres, earlier, text));
}

#[test]
fn ddl_of_what_was() {
    let earlier = "CREATE TABLE t (id integer PRIMARY KEY, a text NOT NULL);";
    let text = "ALTER TABLE t DROP COLUMN a;";
    let seen = seen("ddl", Dialect::Postgres, earlier, text);
    let lines: Vec<&str> = seen.lines().collect();
    // How the SQL is laid out is the schema crate's business.
    let beginnings = [
        "ddl: Some([\"CREATE TABLE public.t (",
        "id: Some([\"ALTER TABLE public.t ADD COLUMN id integer",
        "a: Some([\"ALTER TABLE public.t ADD COLUMN a text",
        "restore: Some([\"ALTER TABLE public.t ADD COLUMN a text",
    ];
    assert_eq!(lines.len(), beginnings.len(), "{seen}");
    for (line, beginning) in lines.iter().zip(beginnings) {
        assert!(line.starts_with(beginning), "{line}");
    }
}
