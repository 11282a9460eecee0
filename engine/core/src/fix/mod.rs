//! Following the suggestions of policies: the scripts are changed, judged again, and kept only when what was fixed is
//! really gone and nothing else has come up.
//!
//! Everything happens in memory, round by round; [`write()`] puts the result on disk. A suggestion whose finding has the
//! property `fix.following` also makes a migration that follows: its statements leave the file, and what all of them
//! make together must be what the file made before.

mod edits;
mod parts;
mod unit;
mod write;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use tollgate_schema::difference::{self, Options};
use tollgate_schema::{Context, Schema};

use crate::approval::Approval;
use crate::check::{CheckRequest, CheckedMigration, Scope, check};
use crate::error::Error;
use crate::folder::{Folder, MigrationFile, SCRIPT_FILE};
use crate::plan;

use self::unit::Unit;

pub use edits::{EditError, apply};
pub use write::{WriteError, write};

/// The property of a finding that holds the SQL of a migration to follow.
pub const FOLLOWING: &str = "fix.following";

/// What is to be fixed.
pub struct FixRequest<'a> {
    /// Who judges, and in which light.
    pub check: CheckRequest<'a>,
    /// The migrations that may be changed: not one of them has been applied anywhere.
    pub migrations: BTreeSet<String>,
    /// Suggestions that need a person's decision are followed, too.
    pub manual: bool,
}

/// What has been fixed, in memory.
#[derive(Debug, Clone, Default)]
pub struct FixReport {
    /// Migrations that are better now, in order.
    pub fixed: Vec<FixedMigration>,
    /// Migrations that stay as they are although there were suggestions.
    pub refused: Vec<RefusedFix>,
}

/// A migration whose script changes.
#[derive(Debug, Clone)]
pub struct FixedMigration {
    /// Its name, which stays.
    pub name: String,
    /// Its script.
    pub path: PathBuf,
    /// The script as it was read.
    pub original: Vec<u8>,
    /// The same as text.
    pub before: String,
    /// What it becomes.
    pub after: String,
    /// What was done, in order.
    pub fixes: Vec<AppliedFix>,
    /// Migrations that follow out of it, in order.
    pub following: Vec<NewMigration>,
    /// Approvals of what the script was: they do not count for what it becomes.
    pub void_approvals: Vec<Approval>,
}

/// A migration that did not exist before.
#[derive(Debug, Clone)]
pub struct NewMigration {
    /// Name of its folder.
    pub name: String,
    /// Its script.
    pub path: PathBuf,
    /// What the script says.
    pub text: String,
}

/// A suggestion that was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedFix {
    /// Who suggested it.
    pub plugin: String,
    /// The rule.
    pub rule: String,
    /// What was wrong.
    pub message: String,
    /// What was done about it.
    pub title: String,
}

/// A migration that could not be fixed.
#[derive(Debug, Clone)]
pub struct RefusedFix {
    /// Its name.
    pub migration: String,
    /// What was tried.
    pub tried: Vec<AppliedFix>,
    /// Why it stays as it is.
    pub why: String,
}

/// A script of a few statements is through in two or three rounds; one that is not is going round in circles.
const ROUNDS: usize = 64;

/// Follows the suggestions for the migrations of a request. Nothing is written.
///
/// # Errors
/// Those of [`check`].
pub fn fix(request: &FixRequest<'_>) -> Result<FixReport, Error> {
    let judge = |folder: &Folder, names: &BTreeSet<String>| {
        let scope = match &request.check.scope {
            Scope::Added { edited, since, .. } => Scope::Added {
                names: names.clone(),
                edited: edited.clone(),
                since: since.clone(),
            },
            Scope::All | Scope::Only(_) => Scope::Only(names.clone()),
        };
        let report = check(&CheckRequest {
            folder,
            scope,
            loose: &[],
            ..request.check.clone()
        })?;
        Ok(report.migrations)
    };
    Fixer {
        folder: request.check.folder,
        context: &request.check.context,
        approvals: &request.check.approvals.given,
        manual: request.manual,
        judge: &judge,
    }
    .run(&request.migrations)
}

/// Judges some migrations of a folder.
type Judge<'a> = dyn Fn(&Folder, &BTreeSet<String>) -> Result<Vec<CheckedMigration>, Error> + 'a;

struct Fixer<'a> {
    folder: &'a Folder,
    context: &'a Context,
    approvals: &'a [Approval],
    manual: bool,
    judge: &'a Judge<'a>,
}

impl Fixer<'_> {
    fn run(&self, migrations: &BTreeSet<String>) -> Result<FixReport, Error> {
        let files = self.folder.migrations.iter().enumerate();
        let mut units: Vec<Unit> = files
            .filter(|(_, file)| migrations.contains(&file.name))
            .map(|(at, file)| Unit::new(at, file))
            .collect();
        let mut before = self.folder.clone();
        for round in 0.. {
            self.assemble(&mut units);
            self.compare(&mut units, &before);
            // Whoever has just been refused is as it was.
            let now = self.assemble(&mut units);
            let working = units.iter().filter(|unit| !unit.rests);
            let names: BTreeSet<String> = working.flat_map(|unit| unit.names.iter().cloned()).collect();
            let judged = (self.judge)(&now, &names)?;
            for unit in units.iter_mut().filter(|unit| !unit.rests) {
                let mine: Vec<&CheckedMigration> = unit
                    .names
                    .iter()
                    .filter_map(|name| judged.iter().find(|checked| checked.name == *name))
                    .collect();
                if round < ROUNDS {
                    unit.advance(&mine, self.manual, self.context.dialect);
                } else {
                    unit.give_up("its fixes go round in circles");
                }
            }
            if units.iter().all(|unit| unit.rests) {
                return Ok(self.report(units));
            }
            before = now;
        }
        Ok(self.report(units))
    }

    /// The folder as it would be, with the names of all parts.
    fn assemble(&self, units: &mut [Unit]) -> Folder {
        let mut migrations = Vec::with_capacity(self.folder.migrations.len() + units.len());
        let mut units = units.iter_mut().peekable();
        for (at, file) in self.folder.migrations.iter().enumerate() {
            let Some(unit) = units.next_if(|unit| unit.at == at) else {
                migrations.push(file.clone());
                continue;
            };
            let next = self.folder.migrations.get(at + 1).map(|next| next.name.as_str());
            match parts::names(file, &unit.parts[1..], next, self.context.dialect) {
                Some(following) => unit.names = std::iter::once(file.name.clone()).chain(following).collect(),
                None => unit.refuse("there is no name for the following migration that sorts before the next one"),
            }
            let parts = unit.names.iter().zip(&unit.parts);
            migrations.extend(parts.map(|(name, text)| self.part(file, name, text)));
        }
        Folder {
            migrations,
            ..self.folder.clone()
        }
    }

    /// One part as a migration of its own.
    fn part(&self, file: &MigrationFile, name: &str, text: &str) -> MigrationFile {
        if *name == file.name && *text == file.text {
            return file.clone();
        }
        let first = *name == file.name;
        let path = if first {
            file.path.clone()
        } else {
            self.folder.dir.join(name).join(SCRIPT_FILE)
        };
        MigrationFile {
            down: file.down.clone().filter(|_| first),
            ..MigrationFile::of_bytes(name.to_owned(), path, text.as_bytes().to_vec())
        }
    }

    /// Whoever has got a following migration must make the same schema as before.
    fn compare(&self, units: &mut [Unit], before: &Folder) {
        let mut split = units.iter_mut().filter(|unit| unit.was_split()).peekable();
        let mut schema = Schema::empty(self.context.clone());
        let mut start = schema.clone();
        for file in &before.migrations {
            let Some(unit) = split.peek() else { return };
            if unit.names.first() == Some(&file.name) {
                start = schema.clone();
            }
            if self.replay(&mut schema, file).is_none() {
                break;
            }
            let Some(unit) = split.next_if(|unit| unit.last_before() == Some(&file.name)) else {
                continue;
            };
            let mut now = start.clone();
            let parts = unit.names.iter().zip(&unit.parts);
            let mut parts = parts.map(|(name, text)| self.part(unit.file(), name, text));
            let followed = parts.try_for_each(|part| self.replay(&mut now, &part));
            let same = followed.map(|()| difference::compare(&schema, &now, &Options::default()));
            match same {
                Some(Ok(found)) if found.is_empty() => {}
                Some(Ok(_)) => unit.refuse("the statements would not make the same schema in several migrations"),
                Some(Err(error)) => unit.refuse(&format!("the fixed SQL cannot be followed: {error}")),
                None => unit.refuse("the fixed SQL cannot be followed"),
            }
        }
        for unit in split {
            unit.refuse("the migrations before it cannot be followed");
        }
    }

    /// What a script makes of a schema. `None`: it cannot be read or followed.
    fn replay(&self, schema: &mut Schema, file: &MigrationFile) -> Option<()> {
        let read = plan::read_files(&[(0, file)], self.context.dialect).ok()?;
        schema.apply_script(read.first()?.script()).ok()?;
        schema.settle();
        Some(())
    }

    /// The approvals that count for the text as it is, and for no other.
    fn approvals_of(&self, file: &MigrationFile) -> Vec<Approval> {
        let given = self.approvals.iter();
        let of_file = given.filter(|given| given.migration == file.name && given.checksum == file.checksum);
        of_file.cloned().collect()
    }

    fn report(&self, units: Vec<Unit>) -> FixReport {
        let mut report = FixReport::default();
        for unit in units {
            let file = &self.folder.migrations[unit.at];
            if let Some(why) = unit.refused {
                report.refused.push(RefusedFix {
                    migration: file.name.clone(),
                    tried: unit.tried,
                    why,
                });
            } else if !unit.fixes.is_empty() {
                let following = unit.names.iter().zip(&unit.parts).skip(1);
                let following = following.map(|(name, text)| NewMigration {
                    name: name.clone(),
                    path: self.folder.dir.join(name).join(SCRIPT_FILE),
                    text: text.clone(),
                });
                report.fixed.push(FixedMigration {
                    name: file.name.clone(),
                    path: file.path.clone(),
                    original: file.bytes.clone(),
                    before: file.text.clone(),
                    following: following.collect(),
                    after: unit.parts.into_iter().next().unwrap_or_default(),
                    fixes: unit.fixes,
                    void_approvals: self.approvals_of(file),
                });
            }
        }
        report
    }
}

#[cfg(test)]
mod tests;
