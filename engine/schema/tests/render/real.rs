//! Real projects' migrations. Opt-in: environment variables name the folders.

use std::path::PathBuf;

use tollgate_schema::{Context, Schema, render};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName, Script};
use tollgate_testing::postgres::cluster;
use tollgate_testing::sqlite_file;

use super::{everything, joined};

/// Name, text and script of each migration in the folder that `variable` names, in order.
fn migrations(variable: &str, dialect: Dialect) -> Vec<(String, String, Script)> {
    let Some(folder) = std::env::var_os(variable).map(PathBuf::from) else {
        println!("skipped: {variable} names no folder of migrations");
        return Vec::new();
    };
    let mut folders: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.retain(|path| path.join("migration.sql").is_file());
    folders.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path.join("migration.sql")).unwrap();
        let script = tollgate_sql::parse(dialect, &text).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), text, script)
    };
    folders.iter().map(read).collect()
}

/// For each migration: what it is called, its text, and SQL that turns back every table; on `SQLite`, where nothing else
/// depends on the order, those too that came or went.
fn steps(dialect: Dialect, migrations: &[(String, String, Script)]) -> (Schema, Vec<(String, String, String)>) {
    let mut schema = Schema::empty(Context::new(dialect));
    let mut steps = Vec::new();
    for (name, text, script) in migrations {
        let before = schema.clone();
        schema.apply_script(script).unwrap();
        let mut back = String::new();
        for table in before.relations().unwrap() {
            back.push_str(&back_to(&before, &schema, &table));
        }
        if dialect == Dialect::Sqlite {
            for table in schema.relations().unwrap() {
                if before.relation(&table).unwrap().is_none() {
                    back += &joined(&[format!("DROP TABLE {}", table.sql(dialect))]);
                }
            }
        }
        steps.push((name.clone(), text.clone(), back));
    }
    (schema, steps)
}

fn back_to(before: &Schema, after: &Schema, table: &ObjectName) -> String {
    let (was, is) = (before.relation(table).unwrap(), after.relation(table).unwrap());
    let statements = match is {
        Some(_) if is == was => None,
        Some(_) => render::restore_table(before, after, table).unwrap(),
        None if before.context().dialect == Dialect::Sqlite => render::ddl(before, ObjectKind::Table, table).unwrap(),
        None => None,
    };
    joined(&statements.unwrap_or_default())
}

/// The table could be turned back if another object were first: a type that was renamed, a table that was dropped, a
/// foreign key or view that stands on what has to go. That is for whoever plans the whole way back.
const ELSEWHERE: &[&str] = &[
    "does not exist",
    "because other objects depend on it",
    "used by a view or rule",
];

#[test]
fn real_postgres_schemas_come_back() {
    let migrations = migrations("TOLLGATE_REAL_POSTGRES", Dialect::Postgres);
    let (schema, steps) = steps(Dialect::Postgres, &migrations);
    let (wanted, found) = (cluster().database(), cluster().database());
    let mut refused = Vec::new();
    for (name, text, back) in &steps {
        wanted.psql(text);
        if let Err(error) = wanted.try_psql(&format!("BEGIN;\n{back}\nROLLBACK;")) {
            let error = error.to_string();
            if ELSEWHERE.iter().any(|reason| error.contains(reason)) {
                println!("{name} needs more than its tables turned back: {error}");
            } else {
                refused.push(format!("{name}: {error}\n{back}"));
            }
        }
    }
    let sql = everything(&schema);
    found.psql(&sql);
    let difference = super::postgres::difference(&wanted.schema(), &found.schema());
    assert!(difference.is_empty(), "{difference}");
    assert!(
        refused.is_empty(),
        "{} of {}\n{}",
        refused.len(),
        steps.len(),
        refused.join("\n")
    );
}

#[test]
fn real_sqlite_schemas_come_back() {
    let migrations = migrations("TOLLGATE_REAL_SQLITE", Dialect::Sqlite);
    let (schema, steps) = steps(Dialect::Sqlite, &migrations);
    let wanted = sqlite_file();
    for (name, text, back) in &steps {
        let before = super::sqlite::described(&wanted);
        wanted.sqlite3(text);
        let tried = sqlite_file();
        std::fs::copy(wanted.path(), tried.path()).unwrap();
        tried
            .try_sqlite3(back)
            .unwrap_or_else(|error| panic!("{name}: {error}\n{back}"));
        let difference = super::postgres::difference(&before, &super::sqlite::described(&tried));
        assert!(difference.is_empty(), "{name}\n{difference}\n{back}");
    }
    let found = sqlite_file();
    found.sqlite3(&everything(&schema));
    let difference = super::postgres::difference(&super::sqlite::described(&wanted), &super::sqlite::described(&found));
    assert!(difference.is_empty(), "{difference}");
}
