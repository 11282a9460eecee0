//! What cannot be followed is marked, never guessed.

use tollgate_schema::{Context, Schema};
use tollgate_sql::Dialect;
use tollgate_sql::operation::ObjectKind;

use crate::{apply, name, replayed};

#[test]
fn a_loose_file_knows_only_what_it_makes() {
    let mut schema = Schema::unknown(Context::new(Dialect::Postgres));
    apply(
        &mut schema,
        "ALTER TABLE users ADD COLUMN x int; CREATE TABLE fresh (id int); DROP TABLE old; CREATE INDEX i ON users (x)",
    );
    assert!(!schema.complete());
    assert_eq!(schema.relations().unwrap(), [name("public.fresh")]);
    let exists = |kind, table: &str| schema.exists(kind, &name(table)).unwrap();
    assert_eq!(exists(ObjectKind::Table, "users"), None);
    assert_eq!(exists(ObjectKind::Table, "fresh"), Some(true));
    assert_eq!(exists(ObjectKind::View, "fresh"), Some(false));
    assert_eq!(exists(ObjectKind::Index, "i"), None);
    apply(&mut schema, "DROP TABLE fresh");
    assert_eq!(schema.exists(ObjectKind::Table, &name("fresh")).unwrap(), Some(false));
}

#[test]
fn what_only_a_condition_does_is_uncertain() {
    let mut schema = replayed(
        Dialect::Postgres,
        "CREATE TABLE t (id int); CREATE TABLE u (id int); CREATE TYPE e AS ENUM ('a')",
    );
    apply(
        &mut schema,
        "DO $$ BEGIN
           IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood') THEN CREATE TYPE mood AS ENUM ('ok'); END IF;
           ALTER TABLE t ADD COLUMN x int;
           CREATE TABLE maybe (id int);
         END $$;",
    );
    assert!(schema.relation(&name("t")).unwrap().unwrap().uncertain);
    assert!(!schema.relation(&name("u")).unwrap().unwrap().uncertain);
    assert_eq!(schema.relation(&name("t")).unwrap().unwrap().columns.len(), 1);
    assert_eq!(schema.exists(ObjectKind::Table, &name("maybe")).unwrap(), None);
    assert_eq!(schema.exists(ObjectKind::Type, &name("mood")).unwrap(), None);
    assert_eq!(schema.exists(ObjectKind::Table, &name("never")).unwrap(), Some(false));
}

#[test]
fn sql_made_at_run_time_leaves_nothing_certain() {
    let mut schema = replayed(Dialect::Postgres, "CREATE TABLE t (id int)");
    assert!(schema.complete());
    apply(
        &mut schema,
        "DO $$ BEGIN EXECUTE format('DROP TABLE %I', current_user); END $$",
    );
    assert!(!schema.complete());
    assert!(!schema.known_empty(&name("t")));
    assert_eq!(schema.exists(ObjectKind::Table, &name("other")).unwrap(), None);
}

#[test]
fn columns_of_a_query_are_not_known() {
    let schema = replayed(Dialect::Postgres, "CREATE TABLE t AS SELECT 1 AS one");
    let table = schema.relation(&name("t")).unwrap().unwrap();
    assert!(table.uncertain && table.columns.is_empty());
}

#[test]
fn what_does_not_exist_is_left_alone() {
    let schema = replayed(
        Dialect::Postgres,
        "ALTER TABLE nowhere ADD COLUMN x int; DROP TABLE IF EXISTS nowhere; ALTER TYPE nothing ADD VALUE 'x';
         CREATE INDEX i ON nowhere (x); ALTER SEQUENCE s INCREMENT 2; COMMENT ON TABLE nowhere IS 'x';
         CREATE TRIGGER t BEFORE INSERT ON nowhere EXECUTE FUNCTION f(); ALTER TABLE nowhere RENAME TO somewhere;",
    );
    assert_eq!(schema.outline().unwrap(), "");
}
