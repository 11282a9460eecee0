//! What SQLite is told and what the catalog then says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod catalog;

use diesel::{Connection as _, SqliteConnection};
use tollgate_database::catalog::sqlite::SqliteCatalog;
use tollgate_schema::{Base, ProbeError};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;
use tollgate_testing::{SqliteFile, sqlite_file};

fn catalog_of(file: &SqliteFile) -> SqliteCatalog {
    let path = file.path();
    SqliteCatalog::new(
        move || Ok(SqliteConnection::establish(&path.to_string_lossy()).expect("the file can be opened")),
    )
}

fn after(sql: &str, relations: &[&str]) -> String {
    let file = sqlite_file();
    file.sqlite3(sql);
    let catalog = catalog_of(&file);
    let found = relations
        .iter()
        .map(|name| match catalog.relation(&ObjectName::bare(*name)).unwrap() {
            Some(relation) => catalog::relation(&relation),
            None => format!("no {name}"),
        });
    found.collect::<Vec<_>>().join("\n")
}

fn names(names: &[ObjectName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn columns() {
    let sql = r#"
        CREATE TABLE t (
            id INTEGER PRIMARY KEY AUTOINCREMENT, a varchar(255) NOT NULL DEFAULT 'x', "B b" DECIMAL(10,2) DEFAULT (1 + 2),
            c text COLLATE NOCASE, d, e DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, f INT DEFAULT -1,
            g AS (f * 2), h TEXT GENERATED ALWAYS AS (a || ')') STORED, i BLOB DEFAULT x'00', j integer DEFAULT NULL
        );
        CREATE TABLE w (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
        CREATE TABLE s (a INT, b ANY, PRIMARY KEY (b, a)) STRICT;
        ALTER TABLE t RENAME COLUMN f TO renamed; ALTER TABLE t ADD COLUMN k REAL;"#;
    insta::assert_snapshot!(after(sql, &["t", "w", "s", "T"]), @r#"
    Table t
      id INTEGER, identity Autoincrement
      a varchar(255) not null, default 'x'
      B b DECIMAL(10,2), default 1 + 2
      c TEXT, collation NOCASE
      d 
      e DATETIME not null, default CURRENT_TIMESTAMP
      renamed INT, default -1
      g , generated renamed * 2 virtual
      h TEXT, generated a || ')' stored
      i BLOB, default x'00'
      j INTEGER, default NULL
      k REAL
      constraint "" primary key ["id"] []
    Table w [without rowid]
      a TEXT not null
      b INT not null
      constraint "" primary key ["a", "b"] []
      index sqlite_autoindex_w_1 btree (a, b) unique primary behind ""
    Table s [strict]
      a INT not null
      b ANY not null
      constraint "" primary key ["b", "a"] []
      index sqlite_autoindex_s_1 btree (b, a) unique primary behind ""
    Table t
      id INTEGER, identity Autoincrement
      a varchar(255) not null, default 'x'
      B b DECIMAL(10,2), default 1 + 2
      c TEXT, collation NOCASE
      d 
      e DATETIME not null, default CURRENT_TIMESTAMP
      renamed INT, default -1
      g , generated renamed * 2 virtual
      h TEXT, generated a || ')' stored
      i BLOB, default x'00'
      j INTEGER, default NULL
      k REAL
      constraint "" primary key ["id"] []
    "#);
}

#[test]
fn constraints() {
    let sql = r#"
        CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT, b TEXT, UNIQUE (a, b));
        CREATE TABLE t (
            a INTEGER CONSTRAINT positive CHECK (a > 0), b TEXT UNIQUE REFERENCES p, c TEXT,
            CONSTRAINT "pk" PRIMARY KEY (a, c), CONSTRAINT uq UNIQUE (c COLLATE NOCASE, b), CHECK ((a > 1) OR (c = ')')),
            CONSTRAINT fk FOREIGN KEY (b, c) REFERENCES p (a, b) ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED
        );"#;
    insta::assert_snapshot!(after(sql, &["p", "t"]), @r#"
    Table p
      id INTEGER
      a TEXT
      b TEXT
      constraint "" primary key ["id"] []
      constraint "" unique ["a", "b"] []
      index sqlite_autoindex_p_1 btree (a, b) unique behind ""
    Table t
      a INTEGER
      b TEXT
      c TEXT
      constraint "positive" check a > 0 of ["a"]
      constraint "" unique ["b"] []
      constraint "" foreign key ["b"] to p [] update NoAction delete NoAction []
      constraint "pk" primary key ["a", "c"] []
      constraint "uq" unique ["c", "b"] []
      constraint "" check (a > 1) OR (c = ')') of ["a", "c"]
      constraint "fk" foreign key ["b", "c"] to p ["a", "b"] update SetNull delete Cascade [] deferrable deferred
      index sqlite_autoindex_t_1 btree (b) unique behind ""
      index sqlite_autoindex_t_2 btree (a, c) unique primary behind "pk"
      index sqlite_autoindex_t_3 btree (c NOCASE, b) unique behind "uq"
    "#);
}

#[test]
fn indexes_triggers_and_views() {
    let sql = "
        CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT COLLATE NOCASE, c TEXT); CREATE TABLE log (x);
        CREATE INDEX i ON t (b, c DESC, b COLLATE BINARY);
        CREATE UNIQUE INDEX j ON t (lower(c), a + 1) WHERE c IS NOT NULL AND b <> ')';
        CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END;
        CREATE VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a;
        CREATE VIEW broken AS SELECT * FROM missing;
        CREATE TRIGGER iv INSTEAD OF INSERT ON v BEGIN INSERT INTO t (a) VALUES (new.a); END;
        CREATE VIRTUAL TABLE words USING fts5(body, tokenize = 'porter');";
    insta::assert_snapshot!(after(sql, &["t", "v", "broken", "words", "words_data", "missing"]), @r#"
    Table t
      a INTEGER
      b TEXT, collation NOCASE
      c TEXT
      constraint "" primary key ["a"] []
      index i btree (b, c desc, b BINARY)
      index j btree (<lower(c)>, <a + 1>) unique where c IS NOT NULL AND b <> ')'
      trigger tr: CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END
    View v
      query: SELECT a, count(*) AS n FROM t GROUP BY a
      reads: t
      a INTEGER
      n 
      trigger iv: CREATE TRIGGER iv INSTEAD OF INSERT ON v BEGIN INSERT INTO t (a) VALUES (new.a); END
    View broken
      query: SELECT * FROM missing
      reads: missing
    Table words
      access method: fts5
      body 
    no words_data
    no missing
    "#);
}

#[test]
fn names_and_dependents() {
    let file = sqlite_file();
    file.sqlite3(
        "CREATE TABLE _prisma_migrations (id TEXT PRIMARY KEY NOT NULL); CREATE TABLE Users (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT UNIQUE);
        CREATE TABLE posts (id INTEGER PRIMARY KEY, u REFERENCES users, x TEXT REFERENCES users (x)); CREATE INDEX by_u ON posts (u);
        CREATE TABLE audit (what); CREATE TRIGGER tell AFTER DELETE ON posts BEGIN UPDATE Users SET x = NULL WHERE id = old.u; END;
        CREATE VIEW authors AS SELECT id FROM USERS; CREATE VIEW more AS SELECT * FROM authors; INSERT INTO Users DEFAULT VALUES;",
    );
    let catalog = catalog_of(&file);
    assert_eq!(
        names(&catalog.relation_names().unwrap()),
        "Users audit authors more posts"
    );
    assert_eq!(names(&catalog.names(ObjectKind::View).unwrap()), "authors more");
    assert_eq!(
        names(&catalog.names(ObjectKind::Index).unwrap()),
        "by_u sqlite_autoindex_Users_1"
    );
    assert_eq!(names(&catalog.names(ObjectKind::Trigger).unwrap()), "tell");
    assert_eq!(catalog.relation(&ObjectName::bare("_prisma_migrations")).unwrap(), None);
    assert_eq!(catalog.relation(&ObjectName::bare("sqlite_sequence")).unwrap(), None);
    assert_eq!(
        catalog.relation(&ObjectName::bare("USERS")).unwrap().unwrap().name,
        ObjectName::bare("Users")
    );
    assert_eq!(
        catalog.index_owner(&ObjectName::bare("BY_U")).unwrap(),
        Some(ObjectName::bare("posts"))
    );
    assert_eq!(
        names(&catalog.referencing(&ObjectName::bare("users")).unwrap()),
        "posts"
    );
    let dependents =
        |name: &str| catalog::dependents(&catalog.dependents(ObjectKind::Table, &ObjectName::bare(name)).unwrap());
    insta::assert_snapshot!(dependents("Users"), @r#"
    View authors
    Constraint posts.
    Constraint posts. (through x)
    Trigger posts.tell
    "#);
    assert_eq!(dependents("authors"), "View more");
    assert_eq!(dependents("audit"), "");
}

#[test]
fn probes() {
    let file = sqlite_file();
    file.sqlite3(
        r#"CREATE TABLE "T" (a INT, "B" TEXT COLLATE NOCASE);
        INSERT INTO "T" VALUES (1, 'x'), (1, 'X'), (2, NULL), (2, NULL), (3, 'y'); ANALYZE; CREATE TABLE empty (a);
        CREATE TABLE long (a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000001)
        INSERT INTO long SELECT i FROM n; CREATE INDEX la ON "T" (a); ANALYZE "T";"#,
    );
    let catalog = catalog_of(&file);
    let table = ObjectName::bare("t");
    assert_eq!(catalog.count_rows(&table, 100), Ok(5));
    assert_eq!(catalog.count_rows(&table, 3), Ok(3));
    assert_eq!(catalog.count_rows(&ObjectName::bare("empty"), 3), Ok(0));
    assert_eq!(catalog.count_values(&table, "b", 100), Ok(3));
    assert_eq!(catalog.count_nulls(&table, "B", 100), Ok(2));
    assert_eq!(catalog.count_duplicates(&table, &["a".into()], 100), Ok(2));
    assert_eq!(catalog.count_duplicates(&table, &["a".into(), "B".into()], 100), Ok(1));
    assert_eq!(
        catalog.count_nulls(&table, "nothing", 10),
        Err(ProbeError::UnknownObject)
    );
    assert_eq!(
        catalog.count_rows(&ObjectName::bare("nothing"), 10),
        Err(ProbeError::UnknownObject)
    );
    let long = ObjectName::bare("long");
    assert_eq!(catalog.count_rows(&long, 1000), Ok(1000));
    assert_eq!(catalog.count_nulls(&long, "a", 10), Err(ProbeError::TimedOut));
    assert_eq!(catalog.relation(&table).unwrap().unwrap().estimated_rows, Some(5));
    // A writer is not held up, and the catalog does not answer for a moment that is over.
    file.sqlite3("ALTER TABLE \"T\" ADD COLUMN c; INSERT INTO \"T\" VALUES (9, 9, 9);");
    assert_eq!(catalog.count_rows(&table, 100), Err(ProbeError::NotAvailable));
    assert_eq!(catalog.relation(&table).unwrap().unwrap().columns.len(), 2);
}
