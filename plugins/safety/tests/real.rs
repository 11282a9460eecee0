//! The policy against real migrations: how often each rule speaks, and on request what it says.
//!
//! Opt-in: `TOLLGATE_REAL_POSTGRES` names a folder of Prisma migrations for PostgreSQL, `TOLLGATE_REAL_SQLITE` one for
//! `SQLite`. With `TOLLGATE_REAL_PRINT` every finding is printed, or only those of the rules that it names
//! (`TOLLGATE_REAL_PRINT=rename-table,rename-column`) or of one level
//! (`TOLLGATE_REAL_PRINT=high`). Run with `--nocapture`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tollgate_plugin::{Finding, Severity, testing};
use tollgate_plugin_safety::{Safety, rules};
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

/// Every migration on the schema that those before it have made, as if they had been applied long ago.
fn judge(variable: &str, dialect: Dialect) {
    let Some(folder) = std::env::var_os(variable) else {
        println!("skipped: {variable} names no folder of migrations");
        return;
    };
    let test = match dialect {
        Dialect::Sqlite => testing::policy::<Safety>().sqlite(),
        _ => testing::policy::<Safety>(),
    };
    let wanted = std::env::var("TOLLGATE_REAL_PRINT").ok();
    let migrations = migrations(Path::new(&folder));
    let mut schema = Schema::empty(Context::new(dialect));
    let mut counts = Counts::default();
    for (name, text) in &migrations {
        let script = tollgate_sql::parse(dialect, text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let before = schema.clone();
        schema.apply_script(&script).unwrap();
        let findings = test.check_between(text, &script, &before, &schema);
        schema.settle();
        counts.add(name, &findings);
        if let Some(wanted) = &wanted {
            print(name, text, findings, wanted);
        }
    }
    let high = counts.files.get("high").map_or(0, BTreeSet::len);
    println!("{variable}: {} files, {high} with high findings", migrations.len());
    println!("findings (files) by level and rule:\n{}", counts.table());
    assert!(
        high * 4 < migrations.len(),
        "high findings on {high} of {} files: a rule is too loud",
        migrations.len()
    );
}

/// Findings by rule and level, and the files that have any of a level.
#[derive(Default)]
struct Counts {
    rules: BTreeMap<(String, String), (usize, BTreeSet<String>)>,
    files: BTreeMap<String, BTreeSet<String>>,
}

impl Counts {
    fn add(&mut self, name: &str, findings: &[Finding]) {
        for finding in findings {
            let level = level(finding).to_owned();
            let entry = self.rules.entry((level.clone(), finding.rule.clone())).or_default();
            entry.0 += 1;
            entry.1.insert(name.to_owned());
            self.files.entry(level).or_default().insert(name.to_owned());
        }
    }

    fn table(&self) -> String {
        let lines = self.rules.iter().map(|((level, rule), (findings, files))| {
            format!("  {level:<6} {rule:<40} {findings:>5} ({})", files.len())
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn level(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}

/// Findings of the wanted rules and levels; all of them where nothing that is wanted is one, for example `1`.
fn print(name: &str, text: &str, mut findings: Vec<Finding>, wanted: &str) {
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let levels = ["high", "medium", "low"];
    let named = wanted
        .iter()
        .any(|word| levels.contains(word) || rules::all().iter().any(|rule| rule.id == *word));
    findings.retain(|finding| !named || wanted.contains(&finding.rule.as_str()) || wanted.contains(&level(finding)));
    if !findings.is_empty() {
        println!("== {name}\n{}", testing::render(text, &findings));
    }
}

/// Names and scripts, in the order in which they are applied.
fn migrations(folder: &Path) -> Vec<(String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let text = std::fs::read_to_string(path.join("migration.sql")).ok()?;
            Some((path.file_name()?.to_string_lossy().into_owned(), text))
        })
        .collect();
    found.sort();
    found
}
