//! The policy against real migrations, compared with the warnings that Prisma wrote into them.
//!
//! Opt-in: `TOLLGATE_REAL_POSTGRES` names a folder of Prisma migrations for PostgreSQL, `TOLLGATE_REAL_SQLITE` one for
//! `SQLite`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tollgate_plugin::{Finding, testing};
use tollgate_plugin_destructive::Destructive;
use tollgate_schema::{Context, Schema};
use tollgate_sql::Dialect;

/// What one warning or finding is about: `drop-table gradings`, `drop-column users.name`.
type Subject = String;

#[test]
fn postgres_migrations_get_the_findings_that_prisma_warns_of() {
    compare("TOLLGATE_REAL_POSTGRES", Dialect::Postgres, &EXPLAINED);
}

#[test]
fn sqlite_migrations_get_the_findings_that_prisma_warns_of() {
    compare("TOLLGATE_REAL_SQLITE", Dialect::Sqlite, &[]);
}

/// Warnings that are no finding, each for a reason: the migration, what it is about, why.
const EXPLAINED: [(&str, &str, &str); 9] = [
    (
        "add_project_id_to_observations",
        "required-column-without-default observations.project_id",
        "the author changed the statement: the column is added without NOT NULL and filled",
    ),
    (
        "add_additional_secret_key_column",
        "unique-on-existing-data api_keys (fast_hashed_secret_key)",
        "the same migration adds the column: it is NULL in every row, and NULLs are never equal",
    ),
    (
        "observations_add_unique_constraint",
        "unique-on-existing-data observations (id, project_id)",
        CONTAINS_KEY,
    ),
    (
        "scores_unique_id_projectid",
        "unique-on-existing-data scores (id, trace_id)",
        CONTAINS_KEY,
    ),
    (
        "scores_unique_id_and_projectid_instead_of_id_and_traceid",
        "unique-on-existing-data scores (id, project_id)",
        "no statement adds it: the author moved it to the next migration",
    ),
    (
        "scores_unique_id_and_projectid_instead_of_id_and_traceid_index",
        "unique-on-existing-data scores (id, project_id)",
        CONTAINS_KEY,
    ),
    (
        "media_relax_id_uniqueness_to_project_only",
        "unique-on-existing-data media (project_id, id)",
        "no statement adds it: the author made the index in the migration before",
    ),
    (
        "dataset_items_create_idx_id_project_id_valid_from",
        "unique-on-existing-data dataset_items (id, project_id, valid_from)",
        CONTAINS_KEY,
    ),
    (
        "score_configs_rename_score_data_type_enum",
        "recreate-column score_configs.data_type",
        "the author changed the statement: the type is renamed and no value is touched",
    ),
];

const CONTAINS_KEY: &str = "the columns contain the primary key, so rows cannot share them";

fn compare(variable: &str, dialect: Dialect, explained: &[(&str, &str, &str)]) {
    let Some(folder) = std::env::var_os(variable) else {
        println!("skipped: {variable} names no folder of migrations");
        return;
    };
    let mut schema = Schema::empty(Context::new(dialect));
    let test = match dialect {
        Dialect::Sqlite => testing::policy::<Destructive>().sqlite(),
        _ => testing::policy::<Destructive>(),
    };
    let (mut headers, mut missing, mut counts) = (0, Vec::new(), BTreeMap::<String, usize>::new());
    for (name, text) in migrations(Path::new(&folder)) {
        let script = tollgate_sql::parse(dialect, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let before = schema.clone();
        schema.apply_script(&script).unwrap();
        let findings = test.check_between(&text, &script, &before, &schema);
        schema.settle();
        for finding in &findings {
            *counts
                .entry(format!("{} {:?}", finding.rule, finding.severity))
                .or_insert(0) += 1;
        }
        if std::env::var_os("TOLLGATE_REAL_PRINT").is_some() && !findings.is_empty() {
            println!("== {name}\n{}", testing::render(&text, &findings));
        }
        let wanted = warnings(&text);
        if wanted.is_empty() {
            continue;
        }
        headers += 1;
        let found = subjects(&findings);
        for subject in wanted.difference(&found) {
            let reason = explained
                .iter()
                .find(|(migration, about, _)| name.ends_with(migration) && subject == about);
            println!(
                "{name}: Prisma warns of {subject}: {}",
                reason.map_or("NOT FOUND", |(_, _, reason)| reason)
            );
            if reason.is_none() {
                missing.push(format!("{name}: {subject}"));
            }
        }
        for subject in found.difference(&wanted) {
            println!("{name}: found beyond Prisma's warnings: {subject}");
        }
    }
    println!("{headers} migrations with warnings; findings by rule and level: {counts:#?}");
    assert!(
        missing.is_empty(),
        "Prisma warns of these and no rule does:\n{}",
        missing.join("\n")
    );
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

/// What the header of a migration warns of.
fn warnings(text: &str) -> BTreeSet<Subject> {
    let Some(header) = text.split("Warnings:").nth(1).and_then(|rest| rest.split("*/").next()) else {
        return BTreeSet::new();
    };
    let quoted = |line: &str| -> Vec<String> { line.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut found = BTreeSet::new();
    for line in header.lines().map(str::trim).filter(|line| line.starts_with("- ")) {
        let names = quoted(line);
        let subject = match names.as_slice() {
            [column, table] if line.contains("drop the column") => format!("drop-column {table}.{column}"),
            [table] if line.contains("drop the `") => format!("drop-table {table}"),
            [column, table] if line.contains("required column") => {
                format!("required-column-without-default {table}.{column}")
            }
            [column, table] if line.contains("Made the column") => format!("set-not-null {table}.{column}"),
            [column, table] if line.contains("Changed the type") => format!("recreate-column {table}.{column}"),
            [columns, table] if line.contains("unique constraint") => {
                let columns = columns.trim_matches(['[', ']']).replace(',', ", ");
                format!("unique-on-existing-data {table} ({columns})")
            }
            [table] if line.contains("primary key") => format!("drop-constraint {table} primary key"),
            [name] if line.contains("on the enum") => format!("drop-type {name}"),
            _ => {
                println!("  not read: {line}");
                continue;
            }
        };
        found.insert(subject);
    }
    found
}

/// The same words for findings of the rules that match Prisma's warnings.
fn subjects(findings: &[Finding]) -> BTreeSet<Subject> {
    findings.iter().filter_map(subject).collect()
}

fn subject(finding: &Finding) -> Option<Subject> {
    let words: Vec<&str> = finding.message.split_whitespace().collect();
    let after = |word: &str| {
        let at = words.iter().position(|other| *other == word)?;
        words.get(at + 1).map(|name| name.trim_end_matches([',', ':']))
    };
    let subject = match finding.rule.as_str() {
        "drop-table" => after("table")?.to_owned(),
        "drop-column" | "recreate-column" | "required-column-without-default" => after("column")?.to_owned(),
        "set-not-null" => words.get(1)?.trim_start_matches("make").to_owned(),
        "unique-on-existing-data" => {
            let columns = &finding.message[finding.message.find('(')?..=finding.message.find(')')?];
            format!("{} {columns}", after("to")?)
        }
        "drop-constraint" if finding.message.contains("primary key") => format!("{} primary key", after("of")?),
        "drop-type" => after("enum")?.to_owned(),
        _ => return None,
    };
    Some(format!("{} {subject}", finding.rule))
}
