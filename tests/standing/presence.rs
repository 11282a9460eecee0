//! What of a migration is in a database is told by looking, after each of its statements. The cases run statement by
//! statement in the servers' own programs, as Prisma leaves a migration behind that fails half-way.

use tollgate_tests::Project;

use crate::outside::Database;
use crate::session::{applied_by_prisma, checksum, insert_row, on};

/// A migration to look for.
struct Case {
    /// What it is about.
    about: &'static str,
    /// What was there before.
    before: &'static str,
    /// Its statements. One that begins with `?` leaves no trace in the catalog.
    statements: &'static [&'static str],
}

const fn case(about: &'static str, before: &'static str, statements: &'static [&'static str]) -> Case {
    Case {
        about,
        before,
        statements,
    }
}

/// For either database.
const BOTH: &[Case] = &[
    case(
        "tables",
        "CREATE TABLE old (id integer);",
        &[
            "CREATE TABLE a (id integer PRIMARY KEY, name text NOT NULL DEFAULT 'x')",
            "CREATE TABLE IF NOT EXISTS b (id integer)",
            "DROP TABLE old",
        ],
    ),
    case(
        "renamed and made again",
        "CREATE TABLE t (id integer, a text);",
        &[
            "ALTER TABLE t RENAME TO u",
            "CREATE TABLE t (id integer, a text, b text)",
            "ALTER TABLE u RENAME COLUMN a TO c",
            "DROP TABLE u",
        ],
    ),
    case(
        "columns",
        "CREATE TABLE t (id integer, old text, gone text);",
        &[
            "ALTER TABLE t ADD COLUMN a text",
            "ALTER TABLE t RENAME COLUMN old TO new",
            "ALTER TABLE t DROP COLUMN gone",
        ],
    ),
    case(
        "indexes",
        "CREATE TABLE t (id integer, a text); CREATE INDEX old ON t (a);",
        &[
            "CREATE INDEX t_a ON t (a)",
            "CREATE UNIQUE INDEX t_id ON t (id)",
            "DROP INDEX old",
        ],
    ),
    case(
        "views",
        "CREATE TABLE t (id integer, a text); CREATE VIEW old AS SELECT id FROM t;",
        &["CREATE VIEW v AS SELECT id, a FROM t", "DROP VIEW old"],
    ),
    case(
        "rows between",
        "CREATE TABLE t (id integer, a text);",
        &[
            "?INSERT INTO t VALUES (1, 'x')",
            "CREATE TABLE u (id integer)",
            "?UPDATE t SET a = 'y'",
            "?DELETE FROM t",
            "ALTER TABLE t ADD COLUMN b text",
            "?INSERT INTO u VALUES (1)",
        ],
    ),
];

/// For PostgreSQL.
const POSTGRES: &[Case] = &[
    case(
        "properties of columns",
        "CREATE TABLE t (id integer, a text DEFAULT 'x', b text NOT NULL, c integer, d varchar(10));",
        &[
            "ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
            "ALTER TABLE t ALTER COLUMN b DROP NOT NULL",
            "ALTER TABLE t ALTER COLUMN c SET NOT NULL",
            "ALTER TABLE t ALTER COLUMN c TYPE bigint",
            "ALTER TABLE t ALTER COLUMN d TYPE varchar(20)",
            "ALTER TABLE t ALTER COLUMN c SET DEFAULT 7",
            "ALTER TABLE t ALTER COLUMN c DROP DEFAULT, ADD COLUMN e timestamptz NOT NULL DEFAULT now()",
            "COMMENT ON COLUMN t.a IS 'words'",
        ],
    ),
    case(
        "constraints",
        "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE t (id integer CONSTRAINT old CHECK (id > 0), p integer);",
        &[
            "ALTER TABLE t ADD PRIMARY KEY (id)",
            "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id) NOT VALID",
            "ALTER TABLE t VALIDATE CONSTRAINT fk",
            "ALTER TABLE t ADD CONSTRAINT u UNIQUE (p)",
            "ALTER TABLE t DROP CONSTRAINT old",
            "ALTER TABLE t ADD CONSTRAINT small CHECK (id < 100)",
            "ALTER TABLE t DROP CONSTRAINT fk",
            "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE",
        ],
    ),
    case(
        "enum values",
        "CREATE TYPE mood AS ENUM ('ok');",
        &[
            "ALTER TYPE mood ADD VALUE 'sad'",
            "ALTER TYPE mood ADD VALUE 'glad' BEFORE 'ok'",
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
        ],
    ),
    case(
        "an enum that is made anew, as Prisma does it",
        "CREATE TYPE \"Role\" AS ENUM ('A', 'B', 'C'); CREATE TABLE t (id integer, role \"Role\" NOT NULL DEFAULT 'A');",
        &[
            "CREATE TYPE \"Role_new\" AS ENUM ('A', 'B')",
            "ALTER TABLE t ALTER COLUMN role DROP DEFAULT",
            "ALTER TABLE t ALTER COLUMN role TYPE \"Role_new\" USING (role::text::\"Role_new\")",
            "ALTER TYPE \"Role\" RENAME TO \"Role_old\"",
            "ALTER TYPE \"Role_new\" RENAME TO \"Role\"",
            "DROP TYPE \"Role_old\"",
            "ALTER TABLE t ALTER COLUMN role SET DEFAULT 'A'",
        ],
    ),
    case(
        "defaults and conditions that are changed",
        "CREATE TABLE t (id integer, s text DEFAULT 'a', n numeric DEFAULT 1);",
        &[
            "ALTER TABLE t ALTER COLUMN s SET DEFAULT 'b'",
            "ALTER TABLE t ALTER COLUMN n SET DEFAULT 2.5",
            "ALTER TABLE t ALTER COLUMN s SET DEFAULT upper('c')",
        ],
    ),
    case(
        "types, sequences, schemas",
        "CREATE DOMAIN old AS text;",
        &[
            "CREATE SCHEMA extra",
            "CREATE TABLE extra.t (id serial PRIMARY KEY)",
            "CREATE DOMAIN short AS varchar(5) NOT NULL",
            "CREATE TYPE pair AS (a integer, b text)",
            "CREATE SEQUENCE numbers START 5",
            "DROP DOMAIN old",
        ],
    ),
    case(
        "functions and triggers",
        "CREATE TABLE t (id integer); CREATE FUNCTION old() RETURNS integer LANGUAGE sql AS 'SELECT 1';",
        &[
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "CREATE OR REPLACE FUNCTION old() RETURNS integer LANGUAGE sql AS 'SELECT 2'",
            "ALTER TABLE t DISABLE TRIGGER tr",
            "DROP TRIGGER tr ON t",
        ],
    ),
    case(
        "row-level security",
        "CREATE TABLE t (id integer, who text);",
        &[
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY own ON t FOR SELECT USING (who = current_user)",
            "ALTER TABLE t FORCE ROW LEVEL SECURITY",
            "DROP POLICY own ON t",
        ],
    ),
    case(
        "partitions and views",
        "CREATE TABLE e (at date NOT NULL) PARTITION BY RANGE (at);",
        &[
            "CREATE TABLE e1 PARTITION OF e FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
            "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM e",
            "CREATE INDEX CONCURRENTLY m_n ON m (n)",
            "ALTER TABLE e DETACH PARTITION e1",
        ],
    ),
];

/// For `SQLite`.
const SQLITE: &[Case] = &[
    case(
        "a table that is made anew, as Prisma does it",
        "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x');",
        &[
            "?PRAGMA foreign_keys=OFF",
            "CREATE TABLE \"new_t\" (\"id\" INTEGER NOT NULL PRIMARY KEY, \"a\" TEXT NOT NULL DEFAULT 'y', \"b\" INTEGER)",
            "?INSERT INTO \"new_t\" (\"id\", \"a\") SELECT \"id\", coalesce(\"a\", 'y') FROM \"t\"",
            "DROP TABLE \"t\"",
            "ALTER TABLE \"new_t\" RENAME TO \"t\"",
            "CREATE UNIQUE INDEX \"t_a_key\" ON \"t\"(\"a\")",
            "?PRAGMA foreign_keys=ON",
        ],
    ),
    case(
        "triggers and what stands in a table",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE TRIGGER old AFTER DELETE ON t BEGIN SELECT 1; END;",
        &[
            "CREATE TABLE u (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t (id) ON DELETE CASCADE, CHECK (t > 0)) STRICT",
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO u (t) VALUES (NEW.id); END",
            "DROP TRIGGER old",
        ],
    ),
];

/// Looks after each statement, and says what is told wrongly or not at all.
fn wrong(database: &Database, case: &Case) -> Vec<String> {
    let project: Project = on(database);
    let script: Vec<&str> = case
        .statements
        .iter()
        .map(|statement| statement.trim_start_matches('?'))
        .collect();
    project.migration("1_before", case.before);
    let text = format!("{};\n", script.join(";\n"));
    project.migration("2_it", &text);
    applied_by_prisma(&project, database, "1_before");
    insert_row(database, "2_it", &checksum(&text), false);
    let mut wrong = Vec::new();
    for done in 0..=script.len() {
        if done > 0 {
            database.run(&format!("{};", script[done - 1]));
        }
        let outcome = project.run(&["resolve", "--format", "json"]);
        assert_eq!(outcome.status, Some(5), "{}: {outcome}", case.about);
        let document = outcome.json();
        let found = &document["inspected"][0];
        for (index, statement) in case.statements.iter().enumerate() {
            let told = found["statements"][index]["presence"].as_str().unwrap();
            let truth = if index < done { "in" } else { "out" };
            let may_be_untold = statement.starts_with('?');
            if told != truth && !(may_be_untold && told == "untold") {
                let extent = found["extent"].as_str().unwrap();
                let surprises = &found["surprises"];
                wrong.push(format!(
                    "{}: with {done} in, `{statement}` is {truth}, told as {told} ({extent}, {surprises})",
                    case.about
                ));
            }
        }
        let proposal = found["proposal"].as_str().unwrap();
        let traces = |statements: &[&str]| statements.iter().any(|statement| !statement.starts_with('?'));
        let expected = match (traces(&case.statements[..done]), traces(&case.statements[done..])) {
            (_, false) => "applied",
            (false, true) => "rolled-back",
            (true, true) => "by-hand",
        };
        if proposal != expected {
            wrong.push(format!("{}: with {done} in, {proposal} is proposed", case.about));
        }
    }
    wrong
}

#[test]
fn every_statement_of_sqlite_is_told() {
    let cases = BOTH.iter().chain(SQLITE);
    let wrong: Vec<String> = cases.flat_map(|case| wrong(&Database::sqlite(), case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_statement_of_postgres_is_told() {
    let cases = BOTH.iter().chain(POSTGRES);
    let wrong: Vec<String> = cases.flat_map(|case| wrong(&Database::postgres(), case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
