//! Everything that can stop an operation of the engine, with what state the database is in and what to do next.

use std::time::Duration;

use tollgate_database::{DatabaseError, ExecuteError, LockError, Problem, ResolveError};
use tollgate_host::PluginError;
use tollgate_schema::BaseError;

use crate::failed;
use crate::folder::FolderError;
use crate::plan::{ScriptError, ScriptProblem};
use crate::refusal::Refusal;
use crate::seed::SeedError;
use crate::shell::quoted;

/// Why an operation stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The migrations folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Scripts that cannot be read.
    #[error("{} cannot be read", count(.0.len(), "migration"))]
    Scripts(Vec<ScriptError>),
    /// The database, before or after a migration ran.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The catalog could not be read.
    #[error(transparent)]
    Catalog(#[from] BaseError),
    /// The run lock is not to be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What `resolve` was asked to record contradicts the ledger.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A plugin that is needed failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// There are tables but no ledger (Prisma's P3005).
    #[error("the database is not empty and has no migrations ledger")]
    NotEmpty,
    /// Migrations that failed earlier block every deploy (Prisma's P3009).
    #[error("{} failed earlier and must be resolved first: {}", count(.0.len(), "migration"), .0.join(", "))]
    Unresolved(Vec<String>),
    /// Migrations were edited after they were applied.
    #[error("{} edited after being applied: {}", were(.0.len()), .0.join(", "))]
    Edited(Vec<String>),
    /// Applied migrations whose folders are gone.
    #[error("{} applied but not in the folder: {}", are(.0.len()), .0.join(", "))]
    Missing(Vec<String>),
    /// Pending migrations that sort before applied ones.
    #[error("{} pending although later ones are applied: {}", are(.0.len()), .0.join(", "))]
    OutOfOrder(Vec<String>),
    /// A script failed while it ran.
    #[error("{migration} failed: {source}")]
    Execution {
        /// Migration.
        migration: String,
        /// File and text, to point into; of a rollback the SQL that ran.
        script: Option<Box<(std::path::PathBuf, String)>>,
        /// What happened.
        source: Box<ExecuteError>,
        /// Migrations that this run had finished before.
        finished: Vec<String>,
        /// It was to be taken back.
        taking_back: bool,
    },
    /// A name that is not applied.
    #[error("{migration} is not applied{}", if *known { "" } else { ": neither the folder nor the ledger knows it" })]
    NotApplied {
        /// What was asked for.
        migration: String,
        /// The folder or the ledger knows the name.
        known: bool,
        /// A name that looks like it.
        similar: Option<String>,
    },
    /// A name that is not in the folder (Prisma's P3017).
    #[error("there is no migration {migration} in the folder")]
    NotFound {
        /// What was asked for.
        migration: String,
        /// A name that looks like it.
        similar: Option<String>,
    },
    /// Something in the way cannot be taken back.
    #[error("{migration} cannot be taken back: {why}")]
    Irreversible {
        /// Migration.
        migration: String,
        /// Why.
        why: String,
    },
    /// SQL for a rollback that does not parse.
    #[error("the rollback SQL of {migration} cannot be read: {problem}")]
    RollbackScript {
        /// Migration.
        migration: String,
        /// `down.sql`, or what stands for it.
        path: String,
        /// Its text.
        text: String,
        /// What is wrong.
        problem: Box<ScriptProblem>,
    },
    /// A required notification did not arrive.
    #[error("a required notification did not arrive: {0}")]
    NotNotified(String),
    /// The database or the configuration speaks against what was asked for.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The environment that has to come first cannot be asked.
    #[error("{environment} has to come first, and its database cannot be asked: {source}")]
    Requirement {
        /// The environment.
        environment: String,
        /// Why not.
        source: Box<DatabaseError>,
    },
    /// A seed file could not be read or run.
    #[error(transparent)]
    Seed(Box<SeedError>),
    /// A reset had emptied the database when this happened.
    #[error(transparent)]
    Emptied(Box<Error>),
    /// A reset lost its connection when it committed that everything is dropped, and nobody says whether it is.
    #[error(transparent)]
    PerhapsEmptied(DatabaseError),
    /// Something other than a script ended the run between two migrations, or when everything was done.
    #[error("{source}")]
    Stopped {
        /// What.
        source: Box<Error>,
        /// Migrations that this run had finished before.
        finished: Vec<String>,
        /// The one that would have come next. `None`: everything was done.
        next: Option<String>,
        /// They were to be taken back.
        taking_back: bool,
    },
    /// The run was asked to stop, and did so between two migrations.
    #[error("interrupted {}", moment(finished, next.as_deref()))]
    Interrupted {
        /// Migrations that this run had finished before.
        finished: Vec<String>,
        /// The one that would have come next. `None`: nothing was begun, or everything was done.
        next: Option<String>,
        /// They were to be taken back.
        taking_back: bool,
    },
}

/// The kinds of failure that a caller tells apart, one for each exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The operation failed.
    Failed,
    /// The request or the configuration is wrong.
    Usage,
    /// Policies do not let it through.
    Blocked,
    /// Somebody else holds the lock.
    Locked,
    /// The database is not in the state that the operation needs.
    Unexpected,
    /// It was asked to stop.
    Interrupted,
}

impl Error {
    /// Which kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Emptied(error) | Self::Stopped { source: error, .. } => error.kind(),
            Self::Interrupted { .. } | Self::Lock(LockError::Interrupted) => ErrorKind::Interrupted,
            Self::Seed(error) if error.is_interrupted() => ErrorKind::Interrupted,
            Self::Execution { source, .. } if matches!(&*source.problem, Problem::Interrupted { .. }) => {
                ErrorKind::Interrupted
            }
            Self::Lock(error) if error.is_held() => ErrorKind::Locked,
            Self::Lock(LockError::Elsewhere { .. }) | Self::Folder(_) | Self::NotFound { .. } => ErrorKind::Usage,
            Self::NotEmpty
            | Self::Unresolved(_)
            | Self::Edited(_)
            | Self::Missing(_)
            | Self::OutOfOrder(_)
            | Self::Resolve(
                ResolveError::AlreadyApplied { .. }
                | ResolveError::NeverApplied { .. }
                | ResolveError::NotFailed { .. },
            )
            | Self::NotApplied { .. }
            | Self::Irreversible { .. } => ErrorKind::Unexpected,
            _ => ErrorKind::Failed,
        }
    }

    /// A stable name for documentation and JSON.
    pub fn code(&self) -> &'static str {
        if self.kind() == ErrorKind::Interrupted {
            return "interrupted";
        }
        match self {
            Self::Folder(_) => "folder",
            Self::Scripts(_) => "script",
            Self::Database(_)
            | Self::PerhapsEmptied(_)
            | Self::Resolve(ResolveError::Lost(_) | ResolveError::Database(_)) => "database",
            Self::Catalog(_) => "catalog",
            Self::Lock(_) => "lock",
            Self::Plugin(_) => "plugin",
            Self::Resolve(_) => "resolve",
            Self::NotEmpty => "database-not-empty",
            Self::Unresolved(_) => "unresolved-migration",
            Self::Edited(_) => "edited-migration",
            Self::Missing(_) => "missing-migration",
            Self::OutOfOrder(_) => "out-of-order-migration",
            Self::Execution { .. } => "migration-failed",
            Self::NotApplied { .. } => "not-applied",
            Self::NotFound { .. } => "not-found",
            Self::Irreversible { .. } => "irreversible",
            Self::RollbackScript { .. } => "rollback-script",
            Self::NotNotified(_) => "not-notified",
            Self::Interrupted { .. } => "interrupted",
            Self::Refused(refusal) => refusal.code(),
            Self::Requirement { .. } => "requirement",
            Self::Seed(_) => "seed-failed",
            Self::Emptied(error) | Self::Stopped { source: error, .. } => error.code(),
        }
    }

    /// Migrations that the run had finished before: applied, or taken back.
    pub fn finished(&self) -> &[String] {
        match self {
            Self::Execution { finished, .. } | Self::Stopped { finished, .. } | Self::Interrupted { finished, .. } => {
                finished
            }
            Self::Emptied(error) => error.finished(),
            _ => &[],
        }
    }

    /// What state the database is in now.
    pub fn state(&self) -> String {
        match self {
            Self::Execution {
                source,
                finished,
                taking_back,
                ..
            } => {
                let left = failed::left(source, *taking_back);
                match (finished.len(), taking_back) {
                    (0, _) => left,
                    (done, true) => format!("{} taken back before; {left}", were(done)),
                    (done, false) => format!("{} in and recorded; {left}", count_are(done)),
                }
            }
            Self::Seed(error) => error.state(),
            Self::Emptied(error) => error.state_after_reset(),
            Self::PerhapsEmptied(_) => {
                "everything that was there was dropped, or nothing: the connection was lost, and which of the two cannot be \
                 known now"
                    .to_owned()
            }
            Self::NotNotified(_) => "everything else was done and recorded".to_owned(),
            Self::Lock(LockError::Partly { ended, of, .. }) => format!("{ended} of {of} sessions and leases ended"),
            Self::Resolve(ResolveError::Lost(_)) => "whether it is recorded cannot be known now".to_owned(),
            Self::Interrupted {
                finished,
                next,
                taking_back,
            }
            | Self::Stopped {
                finished,
                next,
                taking_back,
                ..
            } if !finished.is_empty() => between(finished.len(), next.as_deref(), *taking_back),
            _ => "nothing was changed".to_owned(),
        }
    }

    /// The same when a reset had dropped everything before.
    pub fn state_after_reset(&self) -> String {
        let after = match self {
            Self::Execution { .. } | Self::NotNotified(_) => self.state(),
            Self::Interrupted { finished, .. } | Self::Stopped { finished, .. } if !finished.is_empty() => self.state(),
            _ => "no migration was applied again".to_owned(),
        };
        format!("everything that was there was dropped; {after}")
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Folder(error) => error.help(),
            Self::Scripts(errors) => {
                return errors.iter().find_map(|error| error.problem.help().map(str::to_owned));
            }
            Self::Database(error) => return error.help(),
            Self::PerhapsEmptied(_) => {
                "run `tollgate reset` again once the server answers: it drops what is there then, and applies all migrations"
                    .to_owned()
            }
            Self::Lock(error) => return error.help(),
            Self::Resolve(error) => return error.help(),
            Self::Plugin(error) => return error.help.clone(),
            Self::Catalog(error) if error.to_string().contains("lock timeout") => {
                "another session holds a lock on one of the tables: run the command again when that is done".to_owned()
            }
            Self::Catalog(error) => error
                .help
                .clone()
                .unwrap_or_else(|| "look at the privileges of the user that connects".to_owned()),
            Self::NotEmpty => {
                "if it was made by the folder's first migrations, or is what they make, `tollgate baseline` \
                               records them; otherwise use an empty database"
                    .to_owned()
            }
            Self::Unresolved(names) => format!(
                "`tollgate resolve {0}` looks what of it is in the database and says what to record; where a deploy stopped \
                 in the middle of it, `tollgate deploy --resume` goes on",
                quoted(&names[0])
            ),
            Self::Edited(_) => "put the files back as they were applied and write a new migration for the change; \
                                `migrations.edited = \"warn\"` lets a deploy go on"
                .to_owned(),
            Self::Missing(_) => "bring the folders back, or set `migrations.missing = \"warn\"`".to_owned(),
            Self::OutOfOrder(_) => {
                "give them names that sort last, or set `migrations.out_of_order = \"warn\"`".to_owned()
            }
            Self::Execution {
                source,
                taking_back,
                finished,
                ..
            } => repeated(failed::next_step(source, *taking_back), *taking_back, finished),
            Self::NotApplied { similar, .. } | Self::NotFound { similar, .. } => match similar {
                Some(similar) => format!("did you mean {similar}? Give the whole folder name"),
                None => "`tollgate status` lists the names; give the whole folder name".to_owned(),
            },
            Self::Irreversible { .. } => "write a down.sql beside its migration.sql, or put back a backup".to_owned(),
            Self::RollbackScript { problem, .. } => return problem.help().map(str::to_owned),
            Self::Refused(refusal) => refusal.help(),
            Self::Requirement { environment, source } => {
                let receipt = format!(
                    "where it cannot be reached, a deploy to {environment} with `--receipt FILE` writes a receipt, which \
                     `--receipt-from FILE` accepts here"
                );
                source
                    .help()
                    .into_iter()
                    .chain([receipt])
                    .collect::<Vec<_>>()
                    .join("\n")
            }
            Self::Seed(error) => return error.help(),
            Self::Emptied(error) | Self::Stopped { source: error, .. } => return error.help(),
            Self::NotNotified(_) => "mend the notifier, or set `required = false` for it".to_owned(),
            Self::Interrupted {
                next: None, finished, ..
            } if !finished.is_empty() => return None,
            Self::Interrupted {
                finished, taking_back, ..
            } => repeated(
                "run the command again: it does the rest".to_owned(),
                *taking_back,
                finished,
            ),
        })
    }
}

impl From<Vec<ScriptError>> for Error {
    fn from(errors: Vec<ScriptError>) -> Self {
        Self::Scripts(errors)
    }
}

/// Advice to run a command again, which must not take back more than was wanted.
fn repeated(help: String, taking_back: bool, finished: &[String]) -> String {
    match finished.len() {
        0 => help,
        _ if !taking_back => help,
        done => format!("{help}; `--steps` counts from what is applied now: give {done} less"),
    }
}

/// Between which migrations a run stopped.
fn moment(finished: &[String], next: Option<&str>) -> String {
    match (next, finished.is_empty()) {
        (Some(next), _) => format!("before {next}"),
        (None, true) => "before anything was done".to_owned(),
        (None, false) => "when everything was done".to_owned(),
    }
}

/// What is true when a run stopped there.
fn between(finished: usize, next: Option<&str>, taking_back: bool) -> String {
    match (taking_back, next) {
        (false, Some(next)) => format!(
            "{} in and recorded; nothing of {next} is in the database",
            count_are(finished)
        ),
        (false, None) => format!("{} in and recorded", count_are(finished)),
        (true, Some(next)) => format!("{} taken back; {next} is applied as it was", were(finished)),
        (true, None) => format!("{} taken back", were(finished)),
    }
}

/// `1 migration`, `2 migrations`.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

fn were(number: usize) -> String {
    format!(
        "{} {}",
        count(number, "migration"),
        if number == 1 { "was" } else { "were" }
    )
}

fn are(number: usize) -> String {
    format!(
        "{} {}",
        count(number, "migration"),
        if number == 1 { "is" } else { "are" }
    )
}

fn count_are(number: usize) -> String {
    format!(
        "{} of this run {}",
        count(number, "migration"),
        if number == 1 { "is" } else { "are" }
    )
}

/// Milliseconds, as far as 64 bits reach.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
