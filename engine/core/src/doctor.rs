//! `doctor`: everything about a database and a folder that a deploy depends on, looked at without changing anything.

use std::collections::BTreeMap;

use tollgate_database::diagnose::{Diagnosis, Finding, Group, Request, Status, WantedExtension, diagnose};
use tollgate_database::{LockOptions, Target};
use tollgate_sql::{Dialect, Operation};

use crate::error::count;
use crate::folder::Folder;
use crate::plan::{self, ReadMigration};

/// What `doctor` looks at.
#[derive(Debug, Clone)]
pub struct Examination<'a> {
    /// The migrations, or why there are none to be had.
    pub folder: Result<&'a Folder, String>,
    /// The database.
    pub target: &'a Target,
    /// How a deploy would get the lock: by a URL of its own, perhaps.
    pub lock: &'a LockOptions,
}

/// Looks at everything and tells each finding as soon as there is one. It takes no lock, and never fails: what cannot be
/// looked at is a finding, too.
pub fn doctor(examination: &Examination<'_>, found: &mut dyn FnMut(&Finding)) -> Diagnosis {
    let mut request = Request {
        application_name: "tollgate doctor".to_owned(),
        lock: examination.lock.direct.clone(),
        ..Request::default()
    };
    let mut of_folder = Vec::new();
    match &examination.folder {
        Ok(folder) => {
            let dialect = examination.target.dialect();
            request.migrations = Some(folder.migrations.iter().map(|file| file.name.clone()).collect());
            let (finding, scripts) = read(folder, dialect);
            of_folder.extend(provider(folder, dialect));
            of_folder.push(finding);
            request.extensions = extensions(&scripts);
        }
        Err(problem) => {
            let finding = Finding::new(Group::Migrations, "folder", Status::Warn, problem.clone());
            of_folder.push(finding.help("name it with --migrations or with `dir` under [migrations] in tollgate.toml"));
        }
    }
    let mut diagnosis = diagnose(examination.target, &request, found);
    for finding in of_folder {
        found(&finding);
        diagnosis.findings.push(finding);
    }
    diagnosis
}

fn migrations(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Migrations, name, status, line)
}

/// A folder for another database is refused by every command.
fn provider(folder: &Folder, dialect: Dialect) -> Option<Finding> {
    let error = folder.expect_dialect(dialect).err()?;
    Some(migrations("provider", Status::Bad, error.to_string()).help(error.help()))
}

/// Whether every script can be read, and what those that can say.
fn read(folder: &Folder, dialect: Dialect) -> (Finding, Vec<ReadMigration>) {
    let all = folder.migrations.len();
    match plan::read_scripts(folder, 0..all, dialect) {
        Ok(scripts) => {
            let line = match all {
                0 => "the folder has no migrations yet".to_owned(),
                1 => "the folder's one migration can be read".to_owned(),
                _ => format!("all {all} migrations of the folder can be read"),
            };
            (migrations("folder", Status::Ok, line), scripts)
        }
        Err(errors) => {
            let details: Vec<String> = errors
                .iter()
                .map(|error| format!("{}: {}", error.path.display(), error.problem))
                .collect();
            let first = errors.first().map_or("", |error| error.migration.as_str());
            let line = format!(
                "{} cannot be read: {first}{}",
                count(errors.len(), "migration"),
                more(errors.len())
            );
            let finding = migrations("folder", Status::Bad, line).help("`tollgate check` points at what is wrong");
            let readable = (0..all).filter(|&index| {
                let name = &folder.migrations[index].name;
                !errors.iter().any(|error| error.migration == *name)
            });
            (
                finding.details(details),
                plan::read_scripts(folder, readable, dialect).unwrap_or_default(),
            )
        }
    }
}

fn more(number: usize) -> String {
    match number {
        0 | 1 => String::new(),
        several => format!(" and {} more", several - 1),
    }
}

/// The extensions that are there after all migrations, and which migration creates each first.
fn extensions(scripts: &[ReadMigration]) -> Vec<WantedExtension> {
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for script in scripts {
        let effects = script
            .script()
            .statements
            .iter()
            .flat_map(|statement| &statement.effects);
        for effect in effects {
            match &effect.operation {
                Operation::CreateExtension { name, .. } => {
                    wanted.entry(name.clone()).or_insert_with(|| script.input.name.clone());
                }
                Operation::Drop(drop) if drop.kind == tollgate_sql::operation::ObjectKind::Extension => {
                    wanted.remove(&drop.name.name);
                }
                _ => {}
            }
        }
    }
    wanted
        .into_iter()
        .map(|(name, migration)| WantedExtension { name, migration })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn folder(migrations: &[(&str, &str)]) -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for (name, sql) in migrations {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("migration.sql"), sql).unwrap();
        }
        let folder = Folder::read(dir.path()).unwrap();
        (dir, folder)
    }

    #[test]
    fn extensions_are_those_that_are_left_in_the_end() {
        let (_dir, folder) = folder(&[
            (
                "1",
                "CREATE EXTENSION citext;\nCREATE EXTENSION IF NOT EXISTS \"uuid-ossp\";",
            ),
            (
                "2",
                "DROP EXTENSION citext;\nCREATE EXTENSION IF NOT EXISTS \"uuid-ossp\";",
            ),
        ]);
        let (finding, scripts) = read(&folder, Dialect::Postgres);
        assert_eq!(finding.status, Status::Ok);
        let wanted = extensions(&scripts);
        assert_eq!(wanted.len(), 1, "{wanted:?}");
        assert_eq!(
            (wanted[0].name.as_str(), wanted[0].migration.as_str()),
            ("uuid-ossp", "1")
        );
    }

    #[test]
    fn a_script_that_cannot_be_read_hides_no_other() {
        let (_dir, folder) = folder(&[("1", "CREATE TABEL x;"), ("2", "CREATE EXTENSION hstore;")]);
        let (finding, scripts) = read(&folder, Dialect::Postgres);
        assert_eq!(finding.status, Status::Bad);
        assert_eq!(finding.line, "1 migration cannot be read: 1");
        assert_eq!(extensions(&scripts).len(), 1);
    }
}
