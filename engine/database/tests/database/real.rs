//! Real projects' migrations, when a folder with some is named.

use std::path::Path;
use std::time::Instant;

use crate::support::{Fixture, postgres, sqlite};

fn apply_all(variable: &str, mut fixture: Fixture) {
    let Ok(folder) = std::env::var(variable) else {
        println!("skipped: {variable} names no folder with migrations");
        return;
    };
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(&folder).join(name).join("migration.sql").exists())
        .collect();
    names.sort();
    let begin = Instant::now();
    let mut atomic = 0;
    for name in &names {
        let sql = std::fs::read(Path::new(&folder).join(name).join("migration.sql")).unwrap();
        let sql = String::from_utf8_lossy(&sql);
        let sql = sql.strip_prefix('\u{feff}').unwrap_or(&sql);
        let applied = fixture
            .apply(name, sql)
            .unwrap_or_else(|error| panic!("{}", crate::support::explain(&error)));
        atomic += usize::from(applied.atomic);
    }
    println!("{} migrations, {atomic} atomic, in {:?}", names.len(), begin.elapsed());
    assert_eq!(
        fixture
            .database
            .ledger()
            .unwrap()
            .unwrap()
            .iter()
            .filter(|row| row.is_applied())
            .count(),
        names.len()
    );
}

#[test]
fn postgres_takes_real_migrations() {
    apply_all("TOLLGATE_REAL_POSTGRES", postgres());
}

#[test]
fn sqlite_takes_real_migrations() {
    apply_all("TOLLGATE_REAL_SQLITE", sqlite());
}
