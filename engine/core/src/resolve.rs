//! `resolve`: recording what a person knows about migrations, with Prisma's meanings, after a look at the database.

use tollgate_database::{ConnectOptions, Database, DatabaseError, Target};

use crate::deploy::take_lock;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::folder::{Folder, MigrationFile};
use crate::history::{History, Standing};
use crate::nearest::nearest_migration;
use crate::presence::{self, Inspection, Presence};
use crate::project::Project;
use crate::refusal::Refusal;

/// What to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// All of these is in the database.
    Applied(Vec<String>),
    /// None of these is in the database.
    RolledBack(Vec<String>),
}

/// Records a resolution: of all names that are given, or of none. Runs no SQL of the migrations.
///
/// # Errors
/// A migration is unknown, the ledger says already otherwise, or the catalog contradicts it and `force` is not set.
pub fn resolve(project: &Project, resolution: &Resolution, force: bool, observe: Observer<'_>) -> Result<(), Error> {
    project.folder.expect_dialect(project.target.dialect())?;
    let mut database = Database::connect(&project.target, &ConnectOptions::default())?;
    let _lock = take_lock(project, "resolve", &mut database, observe)?;
    match resolution {
        Resolution::Applied(names) => {
            let names = without_repeats(names);
            let files: Result<Vec<_>, _> = names.iter().map(|name| find(&project.folder, name)).collect();
            let files = files?;
            for (index, name) in names.iter().enumerate() {
                contradict(project, &mut database, name, &names[..index], true, force, observe)?;
            }
            let rows: Vec<_> = files
                .iter()
                .map(|file| (file.name.as_str(), file.checksum.as_str()))
                .collect();
            Ok(database.mark_applied(&rows)?)
        }
        Resolution::RolledBack(names) => {
            let names = without_repeats(names);
            for name in names.iter().filter(|name| project.folder.find(name).is_some()) {
                contradict(project, &mut database, name, &[], false, force, observe)?;
            }
            Ok(database.mark_rolled_back(&names)?)
        }
    }
}

fn without_repeats(names: &[String]) -> Vec<&str> {
    let mut kept: Vec<&str> = Vec::new();
    for name in names {
        if !kept.contains(&name.as_str()) {
            kept.push(name);
        }
    }
    kept
}

pub(crate) fn find<'a>(folder: &'a Folder, name: &str) -> Result<&'a MigrationFile, Error> {
    folder.find(name).ok_or_else(|| {
        let names = folder.migrations.iter().map(|migration| migration.name.as_str());
        Error::NotFound {
            migration: name.to_owned(),
            similar: nearest_migration(name, names),
        }
    })
}

/// Refuses, or with `force` points out, that the catalog shows something else than what is to be recorded. What the
/// ledger refuses anyway is left to it, and a look that fails must not stand in the way of a person who knows.
fn contradict(
    project: &Project,
    database: &mut Database,
    name: &str,
    recorded_before: &[&str],
    applied: bool,
    force: bool,
    observe: Observer<'_>,
) -> Result<(), Error> {
    let rows = database.ledger()?;
    let history = History::of(&project.folder, rows.as_deref(), database, false)?;
    let entry = history.find(name);
    let standing = entry.map(|entry| entry.standing);
    // Where an attempt before is recorded as applied, only the one behind it is given up.
    let applied_before = entry.is_some_and(|entry| entry.applied_before);
    let settled = applied_before
        || if applied {
            standing == Some(Standing::Applied)
        } else {
            !matches!(standing, Some(Standing::Failed | Standing::Interrupted))
        };
    if settled {
        return Ok(());
    }
    let inspection = match presence::inspect(&project.folder, &history, database, name, recorded_before) {
        Ok(inspection) => inspection,
        Err(error) => {
            observe(Event::Warning(format!(
                "what of {name} is in the database could not be looked at: {error}"
            )));
            return Ok(());
        }
    };
    let evidence = evidence(&inspection, applied);
    if evidence.is_empty() {
        return Ok(());
    }
    let refusal = Refusal::Contradicted {
        migration: name.to_owned(),
        recorded: if applied { "applied" } else { "rolled back" },
        evidence,
    };
    if force {
        observe(Event::Warning(refusal.to_string()));
        return Ok(());
    }
    Err(refusal.into())
}

/// What speaks against recording it: of one that is to count as applied, statements that are not in; of one that is to be
/// deployed again, statements that are in and would fail the second time.
fn evidence(inspection: &Inspection, applied: bool) -> Vec<String> {
    let against = |statement: &&presence::InspectedStatement| match (applied, statement.presence) {
        (true, Presence::Out) => true,
        (false, Presence::In) => !statement.repeatable,
        _ => false,
    };
    let words = if applied { "is not in" } else { "is in" };
    let lines = inspection.statements.iter().filter(against);
    lines
        .map(|statement| format!("line {} {words} ({})", statement.line, statement.excerpt))
        .collect()
}

/// Looks at the database for what is in it of these migrations; of none given, of all that failed. Takes no lock and
/// changes nothing.
///
/// # Errors
/// A name is not known, a script cannot be read, or the database cannot be.
pub fn inspect(folder: &Folder, target: &Target, names: &[String]) -> Result<Vec<Inspection>, Error> {
    folder.expect_dialect(target.dialect())?;
    let options = ConnectOptions {
        read_only: true,
        ..ConnectOptions::default()
    };
    let mut database = match Database::connect(target, &options) {
        Err(DatabaseError::Missing { .. }) if names.is_empty() => return Ok(Vec::new()),
        other => other?,
    };
    let rows = database.ledger()?;
    let history = History::of(folder, rows.as_deref(), &mut database, false)?;
    let failed: Vec<&str> = history.failed().map(|entry| entry.name.as_str()).collect();
    let chosen: Vec<&str> = if names.is_empty() {
        failed
    } else {
        names.iter().map(String::as_str).collect()
    };
    let mut inspections = Vec::with_capacity(chosen.len());
    for name in chosen {
        inspections.push(presence::inspect(folder, &history, &mut database, name, &[])?);
    }
    Ok(inspections)
}
