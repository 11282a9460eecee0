//! Reading the scripts that are to be applied, and what the schema is before and after each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollgate_database::Pragmas;
use tollgate_host::MigrationInput;
use tollgate_schema::locks::Locks;
use tollgate_schema::{BaseError, Schema};
use tollgate_sql::{Dialect, ParseError, Script, Span};

use crate::comments;
use crate::folder::{DownFile, Folder, MigrationFile};
use crate::pragma::{self, PragmaError};
use crate::shares::in_shares;
use crate::suppress::{self, Suppression, SuppressionError};

/// A migration whose script has been read.
#[derive(Clone)]
pub struct ReadMigration {
    /// Index into [`Folder::migrations`].
    pub local: usize,
    /// What plugins get to see of it.
    pub input: MigrationInput,
    /// Rules that the script allows.
    pub suppressions: Vec<Suppression>,
    /// How it wants to be run.
    pub pragmas: Pragmas,
    /// It has a migration's name, and not that of some file outside of the folder.
    pub named: bool,
    /// What it locks, where that was worked out for the schema that it is judged with.
    pub locks: Option<Locks>,
}

impl ReadMigration {
    /// Its script.
    pub fn script(&self) -> &Arc<Script> {
        &self.input.script
    }
}

/// A script that cannot be read. Nothing has been run.
#[derive(Debug, Clone)]
pub struct ScriptError {
    /// Migration.
    pub migration: String,
    /// File.
    pub path: PathBuf,
    /// Its text, to point into.
    pub text: String,
    /// What is wrong with it.
    pub problem: ScriptProblem,
}

/// What is wrong with a script.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ScriptProblem {
    /// It does not parse.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A suppression in it is malformed.
    #[error(transparent)]
    Suppression(#[from] SuppressionError),
    /// A pragma in it is malformed, or cannot be obeyed.
    #[error(transparent)]
    Pragma(#[from] PragmaError),
}

impl ScriptProblem {
    /// One sentence, without the place.
    pub fn message(&self) -> &str {
        match self {
            Self::Parse(error) => &error.message,
            Self::Suppression(error) => &error.message,
            Self::Pragma(error) => &error.message,
        }
    }

    /// Where.
    pub fn span(&self) -> Span {
        match self {
            Self::Parse(error) => error.span,
            Self::Suppression(error) => error.span,
            Self::Pragma(error) => error.span,
        }
    }

    /// What to write instead, where that is known.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Parse(error) => error.help.as_deref(),
            Self::Suppression(_) => Some("write `-- tollgate:allow RULE -- reason`"),
            Self::Pragma(error) => Some(&error.help),
        }
    }
}

/// Reads the scripts of `migrations`, all of them, so that every problem is shown at once.
///
/// # Errors
/// Every script that cannot be read.
pub fn read_scripts(
    folder: &Folder,
    migrations: impl IntoIterator<Item = usize>,
    dialect: Dialect,
) -> Result<Vec<ReadMigration>, Vec<ScriptError>> {
    let files: Vec<_> = migrations
        .into_iter()
        .map(|local| (local, &folder.migrations[local]))
        .collect();
    read_files(&files, dialect)
}

/// The same for files that may be of no folder; the number of each is taken over.
///
/// # Errors
/// Every script that cannot be read.
pub(crate) fn read_files(
    files: &[(usize, &MigrationFile)],
    dialect: Dialect,
) -> Result<Vec<ReadMigration>, Vec<ScriptError>> {
    let results = in_shares(files, SMALLEST_SHARE, |file| read_one(file, dialect));
    let mut read = Vec::with_capacity(results.len());
    let mut errors = Vec::new();
    for result in results {
        match result {
            Ok(migration) => read.push(migration),
            Err(error) => errors.push(*error),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

/// A thread of its own is not worth it for fewer scripts.
const SMALLEST_SHARE: usize = 32;

fn read_one((local, file): &(usize, &MigrationFile), dialect: Dialect) -> Result<ReadMigration, Box<ScriptError>> {
    let error = |path: &Path, text: &str, problem: ScriptProblem| {
        Box::new(ScriptError {
            migration: file.name.clone(),
            path: path.to_owned(),
            text: text.to_owned(),
            problem,
        })
    };
    if let Some(down) = &file.down {
        read_down(down, dialect).map_err(|problem| error(&down.path, &down.text, problem.into()))?;
    }
    read_script(file, *local, dialect).map_err(|problem| error(&file.path, &file.text, problem))
}

/// The way back is not run now; but that its pragmas mean nothing should not come out on the day when it is needed.
fn read_down(down: &DownFile, dialect: Dialect) -> Result<(), PragmaError> {
    if !comments::any(&down.text) {
        return Ok(());
    }
    match tollgate_sql::parse(dialect, &down.text) {
        Ok(script) => pragma::read(&script).map(drop),
        Err(_) => Ok(()),
    }
}

fn read_script(file: &MigrationFile, local: usize, dialect: Dialect) -> Result<ReadMigration, ScriptProblem> {
    let script = tollgate_sql::parse(dialect, &file.text)?;
    let suppressions = suppress::read(&script)?;
    let pragmas = pragma::read(&script)?;
    let input = MigrationInput {
        name: file.name.clone(),
        checksum: file.checksum.clone(),
        script: Arc::new(script),
        down: file.down.as_ref().map(|down| down.text.clone()),
    };
    Ok(ReadMigration {
        local,
        input,
        suppressions,
        pragmas,
        named: true,
        locks: None,
    })
}

/// Calls `visit` with each migration and the schema before and after it.
///
/// # Errors
/// The first of the base's or the visitor's.
pub fn walk<'m, E: From<BaseError>>(
    schema: &mut Schema,
    migrations: &'m [ReadMigration],
    mut visit: impl FnMut(&'m ReadMigration, &Schema, &Schema) -> Result<(), E>,
) -> Result<(), E> {
    for migration in migrations {
        let before = schema.clone();
        schema.apply_script(migration.script())?;
        visit(migration, &before, schema)?;
    }
    Ok(())
}
