//! What statements lock, where no server has to be asked: versions, temporary tables, databases of which nothing is known.

#![allow(clippy::unwrap_used, clippy::panic)]

use tollgate_schema::locks::{LockMode, Locks, TableLock, of_script};
use tollgate_schema::{Context, Schema};
use tollgate_sql::{Dialect, Script};

fn parse(dialect: Dialect, text: &str) -> Script {
    tollgate_sql::parse(dialect, text).unwrap()
}

/// The locks of the last statement of `script`, on a server of that major version.
fn locks_on(major: u32, before: &str, script: &str) -> Vec<TableLock> {
    let context = Context {
        server_version: Some((major, 0, 0)),
        ..Context::new(Dialect::Postgres)
    };
    let mut schema = Schema::empty(context);
    schema.apply_script(&parse(Dialect::Postgres, before)).unwrap();
    schema.settle();
    let script = parse(Dialect::Postgres, script);
    let mut found = of_script(&schema, &script).unwrap();
    let (mut after, mut applied) = (schema.clone(), schema.clone());
    let on_the_way = Locks::while_applying(&mut applied, &script).unwrap();
    assert_eq!(on_the_way.of(&schema, &script).unwrap(), found);
    after.apply_script(&script).unwrap();
    assert_eq!(applied.relations().unwrap(), after.relations().unwrap());
    found.pop().unwrap()
}

fn locks(before: &str, script: &str) -> Vec<String> {
    locks_on(15, before, script).iter().map(shown).collect()
}

fn shown(lock: &TableLock) -> String {
    let work = match (lock.rewrites, lock.scans) {
        (true, _) => ", rewritten",
        (false, true) => ", read",
        _ => "",
    };
    format!("{} {}{work}", lock.relation.short(), lock.mode)
}

trait Short {
    fn short(&self) -> String;
}

impl Short for tollgate_sql::ObjectName {
    fn short(&self) -> String {
        match self.schema.as_deref() {
            Some("public") | None => self.name.clone(),
            Some(schema) => format!("{schema}.{}", self.name),
        }
    }
}

const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, email varchar(20));";

#[test]
fn a_valid_check_spares_the_scan_since_12() {
    let before = "CREATE TABLE t (a int, CONSTRAINT c CHECK (a IS NOT NULL));";
    let statement = "ALTER TABLE t ALTER COLUMN a SET NOT NULL;";
    assert!(locks_on(11, before, statement)[0].scans);
    assert!(!locks_on(12, before, statement)[0].scans);
    // The server does not look into a condition that may be null.
    assert!(locks_on(15, "CREATE TABLE t (a int CHECK (a > 0));", statement)[0].scans);
}

#[test]
fn partitions_are_attached_more_gently_since_12() {
    let before = "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE q (a int);";
    let statement = "ALTER TABLE p ATTACH PARTITION q FOR VALUES FROM (0) TO (9);";
    assert_eq!(locks_on(11, before, statement)[0].mode, LockMode::AccessExclusive);
    assert_eq!(locks_on(12, before, statement)[0].mode, LockMode::ShareUpdateExclusive);
}

#[test]
fn the_schema_just_before_a_statement_counts() {
    let script =
        "ALTER TABLE users ALTER COLUMN email TYPE text; ALTER TABLE users ALTER COLUMN email TYPE varchar(10);";
    assert_eq!(locks(USERS, script), ["users ACCESS EXCLUSIVE, rewritten"]);
    let script = "ALTER TABLE users RENAME TO people; CREATE INDEX ON people (email);";
    assert_eq!(locks(USERS, script), ["people SHARE, read"]);
}

#[test]
fn what_a_statement_makes_is_left_out_and_what_an_earlier_one_made_is_not() {
    assert!(locks("", "CREATE TABLE a (b int);").is_empty());
    assert_eq!(
        locks("", "CREATE TABLE a (b int); CREATE INDEX ON a (b);"),
        ["a SHARE, read"]
    );
}

#[test]
fn temporary_tables_are_nobodys_business() {
    assert!(locks("", "CREATE TEMP TABLE a (b int); DROP TABLE a;").is_empty());
}

#[test]
fn clauses_of_one_statement_add_up() {
    let statement = "ALTER TABLE users ADD CONSTRAINT c CHECK (id > 0) NOT VALID, VALIDATE CONSTRAINT c, ALTER COLUMN id SET STATISTICS 9;";
    assert_eq!(locks(USERS, statement), ["users ACCESS EXCLUSIVE, read"]);
}

#[test]
fn names_are_those_of_the_server() {
    let before = "CREATE SCHEMA app; CREATE TABLE app.\"Users\" (id int);";
    let script = "SET search_path TO app; LOCK TABLE \"Users\" IN SHARE MODE;";
    assert_eq!(locks(before, script), ["app.Users SHARE"]);
}

#[test]
fn of_an_unknown_database_the_worst_is_said() {
    let schema = Schema::unknown(Context::new(Dialect::Postgres));
    let said = |text: &str| -> Vec<String> {
        let found = of_script(&schema, &parse(Dialect::Postgres, text)).unwrap();
        found[0].iter().map(shown).collect()
    };
    assert_eq!(
        said("ALTER TABLE t ALTER COLUMN a TYPE text;"),
        ["t ACCESS EXCLUSIVE, rewritten"]
    );
    assert_eq!(
        said("ALTER TABLE t ALTER COLUMN a SET NOT NULL;"),
        ["t ACCESS EXCLUSIVE, read"]
    );
    assert_eq!(said("DROP TABLE t;"), ["t ACCESS EXCLUSIVE"]);
    assert_eq!(said("DROP INDEX i;"), ["i ACCESS EXCLUSIVE"]);
    assert_eq!(said("VACUUM FULL t;"), ["t ACCESS EXCLUSIVE, rewritten"]);
}

#[test]
fn sqlite_has_one_lock_for_everything() {
    let schema = Schema::empty(Context::new(Dialect::Sqlite));
    let script = parse(
        Dialect::Sqlite,
        "CREATE TABLE a (b int); INSERT INTO a VALUES (1); PRAGMA foreign_keys = ON; VACUUM;",
    );
    let found = of_script(&schema, &script).unwrap();
    let shown: Vec<Vec<String>> = found.iter().map(|of| of.iter().map(shown).collect()).collect();
    assert_eq!(shown[0], ["main EXCLUSIVE"]);
    assert_eq!(shown[1], ["main EXCLUSIVE"]);
    assert!(shown[2].is_empty());
    assert_eq!(shown[3], ["main EXCLUSIVE, rewritten"]);
}
