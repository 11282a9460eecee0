//! Opt-in: whole folders of real PostgreSQL files.
//!
//! `TOLLGATE_REAL_POSTGRES` names a folder of Prisma migrations, `TOLLGATE_PG_REGRESS` PostgreSQL's regression scripts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use tollgate_sql::{Change, Dialect, ParseErrorKind, parse};

/// Every `.sql` file below the folder that `variable` names; says so and gives nothing when it is unset.
fn files(variable: &str) -> Vec<(PathBuf, String)> {
    let Some(folder) = std::env::var_os(variable) else {
        println!("skipped: {variable} is not set");
        return Vec::new();
    };
    let mut found = Vec::new();
    collect(Path::new(&folder), &mut found);
    found.sort();
    assert!(!found.is_empty(), "{variable} names a folder without .sql files");
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

/// Queries and blocks change something only where they call something.
fn may_change_nothing(text: &str) -> bool {
    let start = text.trim_start_matches(|first: char| !first.is_alphabetic());
    let word: String = start.chars().take_while(|letter| letter.is_alphabetic()).collect();
    ["SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "DO", "MERGE"].contains(&word.to_ascii_uppercase().as_str())
}

#[test]
fn real_migrations_parse_and_every_change_is_seen() {
    let files = files("TOLLGATE_REAL_POSTGRES");
    let started = std::time::Instant::now();
    let scripts: Vec<_> = files
        .iter()
        .map(|(path, text)| (path, parse(Dialect::Postgres, text)))
        .collect();
    println!("{} files in {:?}", files.len(), started.elapsed());
    for (path, script) in scripts {
        let script = script.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for statement in &script.statements {
            let text = statement.span.of(&script.text);
            assert!(
                !statement.effects.is_empty() || may_change_nothing(text),
                "{}: no effect: {text}",
                path.display()
            );
            for effect in &statement.effects {
                assert!(!effect.span.of(&script.text).is_empty());
            }
        }
    }
}

#[test]
fn real_enum_rebuilds_are_recognised() {
    for (path, text) in files("TOLLGATE_REAL_POSTGRES") {
        let rebuilds = text.matches("_old\";").count();
        let script = parse(Dialect::Postgres, &text).unwrap();
        let recognised = script
            .changes
            .iter()
            .filter(|change| matches!(change, Change::EnumRebuild(_)))
            .count();
        assert!(
            recognised >= rebuilds.div_ceil(2),
            "{}: {:?}",
            path.display(),
            script.changes
        );
    }
}

/// Prisma lists above the statements what they drop: whatever it names there, an operation names too.
#[test]
fn what_prismas_warnings_name_is_named_by_operations() {
    let mut names = 0;
    for (path, text) in files("TOLLGATE_REAL_POSTGRES") {
        let Some((header, _)) = text.split_once("*/") else {
            continue;
        };
        if !header.trim_start().starts_with("/*") || !header.contains("Warnings:") {
            continue;
        }
        let script = parse(Dialect::Postgres, &text).unwrap();
        let operations: Vec<_> = script
            .statements
            .iter()
            .flat_map(|statement| &statement.effects)
            .map(|effect| &effect.operation)
            .collect();
        let all = serde_json::to_string(&operations).unwrap();
        // Other warnings stay behind when a person edits the statements; what is dropped is always still there.
        for line in header.lines().filter(|line| line.contains("You are about to drop")) {
            for name in line.split('`').skip(1).step_by(2) {
                names += 1;
                assert!(
                    all.contains(&format!("\"{name}\"")),
                    "{}: {name} is not named",
                    path.display()
                );
            }
        }
    }
    println!("{names} names in warnings");
}

#[test]
fn the_servers_own_scripts_are_accepted_statement_by_statement() {
    let mut refused = 0;
    let mut accepted = 0;
    for (path, text) in files("TOLLGATE_PG_REGRESS") {
        let pieces = match pg_query::split_with_scanner(&text) {
            Ok(pieces) => pieces.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            Err(_) => text.split_inclusive(";\n").map(str::to_owned).collect(),
        };
        for piece in pieces {
            let theirs = pg_query::parse(&piece, 0);
            match (parse(Dialect::Postgres, &piece), theirs) {
                (Ok(script), Ok(tree)) => {
                    accepted += 1;
                    assert_eq!(
                        script.statements.len(),
                        tree.protobuf.stmts.len(),
                        "{}: {piece}",
                        path.display()
                    );
                    for statement in &script.statements {
                        let text = statement.span.of(&script.text);
                        assert!(
                            !statement.effects.is_empty() || may_change_nothing(text),
                            "{}: {text}",
                            path.display()
                        );
                    }
                }
                (Err(error), Ok(_)) => {
                    let by_name = [ParseErrorKind::CopyFromStdin, ParseErrorKind::UnbalancedTransaction];
                    assert!(by_name.contains(&error.kind), "{}: {error}: {piece}", path.display());
                }
                (Ok(_), Err(pg_query::Error::Decode(_))) => {}
                (Ok(_), Err(error)) => panic!("{}: only we accept ({error}): {piece}", path.display()),
                (Err(_), Err(_)) => refused += 1,
            }
        }
    }
    println!("{accepted} accepted, {refused} refused by both");
}
