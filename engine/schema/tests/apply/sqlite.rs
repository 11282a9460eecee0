//! `SQLite` statements and what becomes of the schema.

use tollgate_sql::Dialect;

use crate::{name, replayed};

fn outline(text: &str) -> String {
    crate::outline(Dialect::Sqlite, text)
}

#[test]
fn keys_have_indexes_unless_the_rowid_serves() {
    insta::assert_snapshot!(outline("
        CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT UNIQUE, c, UNIQUE (c, b), UNIQUE (b));
        CREATE TABLE d (id INT PRIMARY KEY);
        CREATE TABLE w (k TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE s (k TEXT PRIMARY KEY) STRICT;
    "), @"
    table a
      id INTEGER
      b TEXT
      c
      constraint  primary key (id)
      constraint  unique (b)
      constraint  unique (c, b)
      constraint  unique (b)
      unique index sqlite_autoindex_a_1 (b) of constraint
      unique index sqlite_autoindex_a_2 (c, b) of constraint
    table d
      id INT
      constraint  primary key (id)
      unique index sqlite_autoindex_d_1 (id) of constraint
    table s
      k TEXT not null
      constraint  primary key (k)
      unique index sqlite_autoindex_s_1 (k) of constraint
    table w
      k TEXT not null
      constraint  primary key (k)
      unique index sqlite_autoindex_w_1 (k) of constraint
");
}

#[test]
fn a_rebuild_leaves_the_keys_of_others_alone() {
    insta::assert_snapshot!(outline("
        CREATE TABLE Parent (id INTEGER PRIMARY KEY, a TEXT);
        CREATE TABLE Child (id INTEGER PRIMARY KEY, p INT REFERENCES Parent (id));
        CREATE INDEX Parent_a ON Parent (a);
        CREATE TRIGGER t AFTER INSERT ON Parent BEGIN SELECT 1; END;
        CREATE TABLE new_Parent (id INTEGER PRIMARY KEY, a TEXT NOT NULL);
        INSERT INTO new_Parent SELECT * FROM Parent;
        DROP TABLE Parent;
        ALTER TABLE new_Parent RENAME TO Parent;
    "), @"
    table Child
      id INTEGER
      p INT
      constraint  primary key (id)
      constraint  foreign key (p) -> Parent (id)
    table Parent
      id INTEGER
      a TEXT not null
      constraint  primary key (id)
");
}

#[test]
fn names_are_the_same_in_any_case() {
    let schema = replayed(
        Dialect::Sqlite,
        "CREATE TABLE User (Id INTEGER PRIMARY KEY, Name TEXT); ALTER TABLE uSER ADD COLUMN x INT; CREATE INDEX I ON user (NAME)",
    );
    assert_eq!(schema.relation(&name("USER")).unwrap().unwrap().columns.len(), 3);
    assert_eq!(schema.index_owner(&name("i")).unwrap(), Some(name("User")));
    assert_eq!(schema.relation(&name("main.User")).unwrap().unwrap().name, name("User"));
}

#[test]
fn stored_statements_are_those_of_sqlite_master() {
    let schema = replayed(
        Dialect::Sqlite,
        "
        create  table if not exists main.a (x INT, -- first
            y TEXT);
        CREATE UNIQUE INDEX IF NOT EXISTS i on a(x) where x > 0;
        CREATE VIEW v AS SELECT x FROM a;
        ALTER TABLE a ADD z INT DEFAULT 3;
        ALTER TABLE a RENAME COLUMN x TO w;
        ALTER TABLE a RENAME TO b;
    ",
    );
    let table = schema.relation(&name("b")).unwrap().unwrap();
    insta::assert_snapshot!(table.definition.clone().unwrap(), @r#"
    CREATE TABLE "b" (w INT, -- first
                y TEXT, z INT DEFAULT 3)
"#);
    insta::assert_snapshot!(table.indexes[0].definition.clone().unwrap(), @r#"CREATE UNIQUE INDEX i on "b"(w) where w > 0"#);
}
