//! `SQLite`, compared by what its own pragmas tell.

use tollgate_schema::{Schema, render};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};
use tollgate_testing::{SqliteFile, sqlite_file};

use super::{before_and_after, everything, joined, replayed, restore};

const SCHEMA: &str = r#"
CREATE TABLE "Org" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, slug TEXT NOT NULL UNIQUE COLLATE NOCASE);
CREATE TABLE users (
    id INTEGER PRIMARY KEY, -- the key
    org INTEGER NOT NULL DEFAULT 1 REFERENCES "Org" (id) ON DELETE CASCADE,
    name varchar(20) DEFAULT 'it''s' CHECK (length(name) > 1),
    at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    made text DEFAULT (datetime('now')),
    upper_name TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL,
    CONSTRAINT pair UNIQUE (org, name)
);
CREATE TABLE keyed (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE strict_one (a ANY, b REAL NOT NULL) STRICT;
CREATE UNIQUE INDEX users_name ON users (name COLLATE NOCASE DESC, lower(made)) WHERE name IS NOT NULL;
CREATE INDEX users_org ON users (org);
CREATE VIEW v (x) AS SELECT name FROM users;
CREATE TRIGGER tr AFTER INSERT ON users BEGIN UPDATE "Org" SET slug = slug; DELETE FROM keyed; END;
CREATE VIRTUAL TABLE docs USING fts5(title, body);
INSERT INTO "Org" (slug) VALUES ('a'), ('b');
INSERT INTO users (org, name) VALUES (1, 'ann'), (2, 'bob');
"#;

/// Tables, columns, keys and members, without the text they were made with.
const DESCRIPTION: &str = "
SELECT 'column', m.name, c.* FROM sqlite_schema m, pragma_table_xinfo(m.name) c WHERE m.name NOT LIKE 'docs_%' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid;
SELECT 'foreign key', m.name, f.* FROM sqlite_schema m, pragma_foreign_key_list(m.name) f ORDER BY m.name, f.id, f.seq;
SELECT 'index', l.name, l.[unique], l.origin, l.partial, m.name, x.* FROM sqlite_schema m, pragma_index_list(m.name) l, pragma_index_xinfo(l.name) x
  ORDER BY m.name, l.name, x.seqno;
SELECT 'flags', name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'docs_%' AND name NOT LIKE 'sqlite_%' ORDER BY name;
SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY name;
SELECT 'check', count(*) FROM sqlite_schema WHERE sql LIKE '%CHECK (length(name) > 1)%';
PRAGMA foreign_key_check;
PRAGMA integrity_check;
";

fn made(scripts: &[&str]) -> SqliteFile {
    let file = sqlite_file();
    for script in scripts {
        file.sqlite3(script);
    }
    file
}

#[track_caller]
fn assert_same(wanted: &str, found: &str, sql: &str) {
    let differs = wanted
        .lines()
        .zip(found.lines())
        .find(|(wanted, found)| wanted != found);
    assert!(wanted == found, "{differs:?}\nby\n{sql}\nmade\n{found}");
}

pub(crate) fn described(file: &SqliteFile) -> String {
    file.sqlite3(DESCRIPTION)
}

#[test]
fn what_is_rendered_makes_the_same_database() {
    let schema = replayed(Dialect::Sqlite, &[SCHEMA]);
    let sql = everything(&schema);
    assert_same(&described(&made(&[SCHEMA])), &described(&made(&[&sql])), &sql);
    // The statements that were kept are used as they are.
    assert!(sql.contains("-- the key"), "{sql}");
    let again = replayed(Dialect::Sqlite, &[&sql]);
    assert_same(&schema.outline().unwrap(), &again.outline().unwrap(), &sql);
}

/// The table without the statement that made it, as a model without text would have it.
fn without_text(schema: &Schema, table: &str) -> tollgate_schema::model::Relation {
    let mut relation = (*schema.relation(&ObjectName::bare(table)).unwrap().unwrap()).clone();
    relation.definition = None;
    for index in &mut relation.indexes {
        index.definition = None;
    }
    relation
}

#[test]
fn the_model_alone_makes_the_same_tables() {
    let schema = replayed(Dialect::Sqlite, &[SCHEMA]);
    let mut sql = String::new();
    for table in ["Org", "users", "keyed", "strict_one"] {
        let only = OneTable(without_text(&schema, table));
        let bare = Schema::over(
            std::sync::Arc::new(only),
            tollgate_schema::Context::new(Dialect::Sqlite),
        );
        sql.push_str(&joined(
            &render::ddl(&bare, ObjectKind::Table, &ObjectName::bare(table))
                .unwrap()
                .unwrap(),
        ));
    }
    sql.push_str("CREATE VIEW v (x) AS SELECT name FROM users; CREATE VIRTUAL TABLE docs USING fts5(title, body);");
    assert_same(&described(&made(&[SCHEMA])), &described(&made(&[&sql])), &sql);
}

#[test]
fn objects_and_members_come_back() {
    let schema = replayed(Dialect::Sqlite, &[SCHEMA]);
    let wanted = described(&made(&[SCHEMA]));
    for (drop, kind, name) in [
        ("DROP TABLE users", ObjectKind::Table, "users"),
        ("DROP TABLE docs", ObjectKind::Table, "docs"),
        ("DROP INDEX users_name", ObjectKind::Index, "users_name"),
        ("DROP TRIGGER tr", ObjectKind::Trigger, "tr"),
        ("DROP VIEW v", ObjectKind::View, "v"),
    ] {
        let sql = joined(&render::ddl(&schema, kind, &ObjectName::bare(name)).unwrap().unwrap());
        assert_same(&wanted, &described(&made(&[SCHEMA, drop, &sql])), &sql);
    }
    let column = |name| render::member_ddl(&schema, ObjectKind::Column, &ObjectName::bare("users"), name).unwrap();
    assert_eq!(column("id"), None, "a key cannot be added");
    assert_eq!(
        column("at"),
        None,
        "a default that is no constant cannot be added to rows"
    );
    assert_eq!(
        column("org"),
        None,
        "a reference with a default cannot be added, nor a column of a UNIQUE"
    );
    let plain = replayed(
        Dialect::Sqlite,
        &[
            "CREATE TABLE t (a, b text REFERENCES o (x) CHECK (b <> ''), c int NOT NULL DEFAULT 3); CREATE INDEX i ON t (c)",
        ],
    );
    let added = |name| {
        joined(
            &render::member_ddl(&plain, ObjectKind::Column, &ObjectName::bare("t"), name)
                .unwrap()
                .unwrap(),
        )
    };
    insta::assert_snapshot!(added("c"), @r"
    ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 3;
    CREATE INDEX i ON t (c);
    ");
    insta::assert_snapshot!(added("b"), @"ALTER TABLE t ADD COLUMN b TEXT REFERENCES o (x) CHECK (b <> '');");
}

#[test]
fn tables_are_turned_back_with_their_rows() {
    let before = replayed(Dialect::Sqlite, &[SCHEMA]);
    let wanted = described(&made(&[SCHEMA]));
    for (change, rebuilds) in [
        ("SELECT 1", false),
        ("ALTER TABLE users ADD COLUMN extra text DEFAULT 'x'", false),
        ("ALTER TABLE users ADD COLUMN extra text; CREATE INDEX e ON users (extra, org)", false),
        ("DROP INDEX users_org; CREATE INDEX users_org ON users (org, name); DROP TRIGGER tr", false),
        ("ALTER TABLE users DROP COLUMN upper_name", false),
        ("DROP INDEX users_name; ALTER TABLE users DROP COLUMN made", true),
        ("DROP VIEW v; DROP TRIGGER tr; DROP INDEX users_name; CREATE TABLE new_users (id INTEGER PRIMARY KEY, org INTEGER, name text);
          INSERT INTO new_users SELECT id, org, name FROM users; DROP TABLE users; ALTER TABLE new_users RENAME TO users;
          CREATE VIEW v (x) AS SELECT name FROM users", true),
    ] {
        let after = replayed(Dialect::Sqlite, &[SCHEMA, change]);
        let sql = restore(&before, &after, "users");
        assert_eq!(sql.contains("RENAME TO"), rebuilds, "{change}\n{sql}");
        let file = made(&[SCHEMA, change, &sql]);
        assert_same(&wanted, &described(&file), &format!("{change}\n{sql}"));
        assert_eq!(file.sqlite3("SELECT id, org, name FROM users ORDER BY id").trim(), "1|1|ann\n2|2|bob", "{change}");
        let script = tollgate_sql::parse(Dialect::Sqlite, &sql).unwrap();
        assert_eq!(script.changes.len(), usize::from(rebuilds), "a rebuild is recognised as one: {sql}");
    }
}

#[test]
fn renamed_columns_keep_their_values() {
    let change = "ALTER TABLE users RENAME COLUMN name TO title; ALTER TABLE users ADD COLUMN z text";
    let (before, after) = before_and_after(Dialect::Sqlite, SCHEMA, change);
    let sql = restore(&before, &after, "users");
    let file = made(&[SCHEMA, change, &sql]);
    assert_same(&described(&made(&[SCHEMA])), &described(&file), &sql);
    assert_eq!(
        file.sqlite3("SELECT id, org, name FROM users ORDER BY id").trim(),
        "1|1|ann\n2|2|bob",
        "{sql}"
    );
}

/// A base with one relation.
struct OneTable(tollgate_schema::model::Relation);

mod one_table {
    use tollgate_schema::model::{Dependent, Function, Relation, Sequence, UserType};
    use tollgate_schema::{Base, BaseError};
    use tollgate_sql::ObjectName;
    use tollgate_sql::operation::ObjectKind;

    impl Base for super::OneTable {
        fn complete(&self) -> bool {
            true
        }
        fn schemas(&self) -> Result<Vec<String>, BaseError> {
            Ok(Vec::new())
        }
        fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError> {
            Ok(vec![self.0.name.clone()])
        }
        fn names(&self, _: ObjectKind) -> Result<Vec<ObjectName>, BaseError> {
            Ok(Vec::new())
        }
        fn relation(&self, name: &ObjectName) -> Result<Option<Relation>, BaseError> {
            Ok((*name == self.0.name).then(|| self.0.clone()))
        }
        fn index_owner(&self, _: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
            Ok(None)
        }
        fn user_type(&self, _: &ObjectName) -> Result<Option<UserType>, BaseError> {
            Ok(None)
        }
        fn sequence(&self, _: &ObjectName) -> Result<Option<Sequence>, BaseError> {
            Ok(None)
        }
        fn functions(&self, _: &ObjectName) -> Result<Vec<Function>, BaseError> {
            Ok(Vec::new())
        }
        fn extensions(&self) -> Result<Vec<(String, String)>, BaseError> {
            Ok(Vec::new())
        }
        fn referencing(&self, _: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
            Ok(Vec::new())
        }
        fn dependents(&self, _: ObjectKind, _: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
            Ok(Vec::new())
        }
    }
}
