//! The rules that are on against real migrations: how often each speaks, and on request what it says.
//!
//! Opt-in: `TOLLGATE_REAL_POSTGRES` names a folder of Prisma migrations for PostgreSQL, `TOLLGATE_REAL_SQLITE` one for
//! `SQLite`. With `TOLLGATE_REAL_PRINT` every finding is printed (run with `--nocapture`); `TOLLGATE_REAL_RULES` names other
//! rules, separated by commas.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;

use tollgate_plugin::{Severity, testing};
use tollgate_plugin_conventions::{Conventions, rules::RULES};
use tollgate_schema::{Context, Schema};
use tollgate_sql::Dialect;

#[test]
fn postgres_migrations() {
    judge("TOLLGATE_REAL_POSTGRES", Dialect::Postgres);
}

#[test]
fn sqlite_migrations() {
    judge("TOLLGATE_REAL_SQLITE", Dialect::Sqlite);
}

/// Every migration on the schema that those before it have made.
fn judge(variable: &str, dialect: Dialect) {
    let Some(folder) = std::env::var_os(variable) else {
        println!("skipped: {variable} names no folder of migrations");
        return;
    };
    let named = std::env::var("TOLLGATE_REAL_RULES").ok();
    let on = RULES.iter().filter(|rule| rule.enabled).map(|rule| rule.id);
    let rules: Vec<&str> = named
        .as_deref()
        .map_or_else(|| on.collect(), |named| named.split(',').collect());
    let mut schema = Schema::empty(Context::new(dialect));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (name, text) in migrations(Path::new(&folder)) {
        let script = tollgate_sql::parse(dialect, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let before = schema.clone();
        schema.apply_script(&script).unwrap();
        let test = testing::policy::<Conventions>().named(&name).rules(&rules);
        let test = if dialect == Dialect::Sqlite {
            test.sqlite()
        } else {
            test
        };
        let findings = test.check_between(&text, &script, &before, &schema);
        schema.settle();
        if std::env::var_os("TOLLGATE_REAL_PRINT").is_some() && !findings.is_empty() {
            println!("-- {name}\n{}", testing::render(&text, &findings));
        }
        assert!(
            findings.iter().all(|finding| finding.severity < Severity::High),
            "{name}: a convention blocks nothing"
        );
        for finding in findings {
            *counts.entry(finding.rule).or_default() += 1;
        }
    }
    println!("{variable}: {counts:?}");
}

/// Name and text of each migration of a folder, in order.
fn migrations(folder: &Path) -> Vec<(String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path().join("migration.sql")).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect();
    found.sort();
    found
}
