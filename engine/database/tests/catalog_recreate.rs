//! The model holds all there is: a database is read, every object written as SQL again, that SQL run in an empty database,
//! and `pg_dump` (or `sqlite_master`) must not see a difference. Real projects' migrations are tried where
//! `TOLLGATE_REAL_POSTGRES` or `TOLLGATE_REAL_SQLITE` names a folder of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

use tollgate_database::{ConnectOptions, Database, Target};
use tollgate_schema::model::RelationKind;
use tollgate_schema::{Schema, render};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};
use tollgate_testing::postgres::cluster;
use tollgate_testing::sqlite_file;

fn read(url: &str) -> Schema {
    let target = Target::parse(url, Path::new(".")).unwrap();
    let mut database = Database::connect(&target, &ConnectOptions::default()).unwrap();
    Schema::over(database.catalog().unwrap(), database.context())
}

/// The statements of every object, one list an object; foreign keys and what follows them apart, because tables may point
/// at each other.
fn written(schema: &Schema) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let mut objects: Vec<(ObjectKind, ObjectName)> = Vec::new();
    let mut add = |kind, names: Vec<ObjectName>| objects.extend(names.into_iter().map(|name| (kind, name)));
    add(ObjectKind::Type, schema.type_names().unwrap());
    for name in schema.function_names().unwrap() {
        add(schema.functions(&name).unwrap()[0].kind, vec![name]);
    }
    for name in schema.sequence_names().unwrap() {
        // A sequence of a column comes with its table.
        if schema
            .sequence(&name)
            .unwrap()
            .is_some_and(|sequence| sequence.owned_by.is_none())
        {
            add(ObjectKind::Sequence, vec![name]);
        }
    }
    for name in schema.relations().unwrap() {
        let kind = match schema.relation(&name).unwrap().unwrap().kind {
            RelationKind::View => ObjectKind::View,
            RelationKind::MaterializedView => ObjectKind::MaterializedView,
            RelationKind::ForeignTable => ObjectKind::ForeignTable,
            RelationKind::Table | RelationKind::PartitionedTable => ObjectKind::Table,
        };
        add(kind, vec![name]);
    }
    let mut foreign = Vec::new();
    let mut rest = Vec::new();
    for (kind, name) in objects {
        let ddl = render::ddl(schema, kind, &name).unwrap();
        let ddl = ddl.unwrap_or_else(|| panic!("{kind:?} {name} cannot be written"));
        let last =
            |sql: &String| sql.starts_with("ALTER") && (sql.contains(" FOREIGN KEY (") || sql.contains(" ATTACH "));
        let mut others = ddl;
        let keys = others.split_off(others.iter().position(last).unwrap_or(others.len()));
        foreign.extend(Some(keys).filter(|keys| !keys.is_empty()));
        rest.push(others);
    }
    (rest, foreign)
}

/// Runs the lists in whatever order works.
fn run(mut lists: Vec<Vec<String>>, execute: &dyn Fn(&str) -> Result<String, String>) {
    while !lists.is_empty() {
        let before = lists.len();
        let mut failures = Vec::new();
        lists.retain(
            |list| match execute(&format!("BEGIN;\n{};\nCOMMIT;\n", list.join(";\n"))) {
                Ok(_) => false,
                Err(error) => {
                    failures.push(format!("{error}\nin: {}", list.join(";\n")));
                    true
                }
            },
        );
        assert!(lists.len() < before, "cannot be run:\n{}", failures.join("\n\n"));
    }
}

fn same_again_postgres(sql: &[String]) {
    let (original, copy) = (cluster().database(), cluster().database());
    for sql in sql {
        original.psql(sql);
    }
    let schema = read(&original.url());
    for name in schema.schemas().unwrap() {
        copy.psql(&format!(
            "CREATE SCHEMA IF NOT EXISTS {}",
            Dialect::Postgres.quote_if_needed(&name)
        ));
    }
    for (name, place) in schema.extensions().unwrap() {
        copy.psql(&format!(
            "CREATE EXTENSION IF NOT EXISTS {name} SCHEMA {}",
            Dialect::Postgres.quote_if_needed(&place)
        ));
    }
    let (objects, foreign) = written(&schema);
    let execute = |sql: &str| copy.try_psql(sql).map_err(|error| error.to_string());
    run(objects, &execute);
    run(foreign, &execute);
    equal(&sorted(&original.schema()), &sorted(&copy.schema()));
}

/// The dump's statements in order: objects that nothing orders by name come in order of creation, and storage parameters
/// in the order in which they were written.
fn sorted(dump: &str) -> Vec<String> {
    let mut statements: Vec<_> = dump.split(";\n").map(with_sorted_parameters).collect();
    statements.sort();
    statements
}

fn with_sorted_parameters(statement: &str) -> String {
    let Some((before, rest)) = statement.split_once("WITH (") else {
        return statement.to_owned();
    };
    let Some((list, after)) = rest.split_once(')') else {
        return statement.to_owned();
    };
    let mut parameters: Vec<_> = list.split(", ").collect();
    parameters.sort_unstable();
    format!("{before}WITH ({}){after}", parameters.join(", "))
}

fn equal(original: &[String], copy: &[String]) {
    let only = |left: &[String], right: &[String]| {
        let only: Vec<_> = left.iter().filter(|text| !right.contains(text)).cloned().collect();
        only.join("\n---\n")
    };
    assert!(
        original == copy,
        "only in the original:\n{}\n\nonly in the copy:\n{}",
        only(original, copy),
        only(copy, original)
    );
}

fn same_again_sqlite(sql: &[String]) {
    let (original, copy) = (sqlite_file(), sqlite_file());
    for sql in sql {
        original.sqlite3(sql);
    }
    let (objects, foreign) = written(&read(&original.url()));
    assert!(foreign.is_empty());
    run(objects, &|sql| copy.try_sqlite3(sql).map_err(|error| error.to_string()));
    let lines = |text: String| {
        text.lines()
            .filter(|line| !line.contains("sqlite_sequence"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    equal(&lines(original.schema()), &lines(copy.schema()));
}

fn real(variable: &str) -> Option<Vec<String>> {
    let Some(folder) = std::env::var_os(variable).map(PathBuf::from) else {
        println!("skipped: {variable} names no folder of migrations");
        return None;
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("migration.sql"))
        .collect();
    files.retain(|file| file.is_file());
    files.sort();
    Some(
        files
            .iter()
            .map(|file| std::fs::read_to_string(file).unwrap())
            .collect(),
    )
}

fn steps(text: &str) -> Vec<String> {
    text.split("-- step: ")
        .skip(1)
        .map(|step| step.split_once('\n').unwrap().1.to_owned())
        .collect()
}

#[test]
fn postgres_databases_come_out_the_same() {
    // Of an index that the partitions do not have, the model cannot write that they shall not get it: attaching one makes it.
    let script = include_str!("replay/postgres.sql").replace("CREATE INDEX lone_ab ON ONLY lone (a, b);", "");
    same_again_postgres(&steps(&script));
}

#[test]
fn a_postgres_database_with_one_of_everything_comes_out_the_same() {
    same_again_postgres(&[include_str!("catalog/everything.sql").to_owned()]);
}

#[test]
fn sqlite_databases_come_out_the_same() {
    same_again_sqlite(&steps(include_str!("replay/sqlite.sql")));
}

#[test]
fn real_postgres_databases_come_out_the_same() {
    if let Some(migrations) = real("TOLLGATE_REAL_POSTGRES") {
        same_again_postgres(&migrations);
    }
}

#[test]
fn real_sqlite_databases_come_out_the_same() {
    if let Some(migrations) = real("TOLLGATE_REAL_SQLITE") {
        same_again_sqlite(&migrations);
    }
}
