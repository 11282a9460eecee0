//! Replays real projects' migrations. Opt-in: the folders are named by environment variables.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;

use tollgate_schema::{Context, Schema};
use tollgate_sql::{Dialect, Script};

/// The scripts of the migrations in the folder that `variable` names, in order.
fn scripts(variable: &str, dialect: Dialect) -> Option<Vec<(String, Script)>> {
    let Some(folder) = std::env::var_os(variable).map(PathBuf::from) else {
        println!("skipped: {variable} names no folder of migrations");
        return None;
    };
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.retain(|path| path.join("migration.sql").is_file());
    names.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path.join("migration.sql")).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let script = tollgate_sql::parse(dialect, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, script)
    };
    Some(names.iter().map(read).collect())
}

fn replay(dialect: Dialect, scripts: &[(String, Script)]) -> Schema {
    let mut schema = Schema::empty(Context::new(dialect));
    let mut before = Vec::new();
    for (_, script) in scripts {
        before.push(schema.clone());
        schema.apply_script(script).unwrap();
    }
    schema
}

#[test]
fn real_postgres_migrations_replay_in_no_time() {
    let Some(scripts) = scripts("TOLLGATE_REAL_POSTGRES", Dialect::Postgres) else {
        return;
    };
    let start = std::time::Instant::now();
    let schema = replay(Dialect::Postgres, &scripts);
    println!("{} migrations in {:?}", scripts.len(), start.elapsed());
    if std::env::var_os("TOLLGATE_PRINT").is_some() {
        println!("{}", schema.outline().unwrap());
    }
    assert!(!schema.relations().unwrap().is_empty());
}

#[test]
fn locks_of_real_migrations_take_no_time() {
    let Some(scripts) = scripts("TOLLGATE_REAL_POSTGRES", Dialect::Postgres) else {
        return;
    };
    let mut schema = Schema::empty(Context::new(Dialect::Postgres));
    let (mut spent, mut replayed) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    let mut found = 0;
    for (name, script) in &scripts {
        let start = std::time::Instant::now();
        let locks = tollgate_schema::locks::of_script(&schema, script).unwrap();
        spent += start.elapsed();
        assert_eq!(locks.len(), script.statements.len(), "{name}");
        found += locks.iter().map(Vec::len).sum::<usize>();
        let start = std::time::Instant::now();
        schema.apply_script(script).unwrap();
        replayed += start.elapsed();
        schema.settle();
    }
    println!(
        "{found} locks of {} migrations in {spent:?}; the replay alone takes {replayed:?}",
        scripts.len()
    );
    assert!(found > 0);
}

#[test]
fn real_sqlite_migrations_replay_in_no_time() {
    let Some(scripts) = scripts("TOLLGATE_REAL_SQLITE", Dialect::Sqlite) else {
        return;
    };
    let start = std::time::Instant::now();
    let schema = replay(Dialect::Sqlite, &scripts);
    println!("{} migrations in {:?}", scripts.len(), start.elapsed());
    if std::env::var_os("TOLLGATE_PRINT").is_some() {
        println!("{}", schema.outline().unwrap());
    }
    assert!(!schema.relations().unwrap().is_empty());
}
