//! What `resolve` does, as Prisma does it.

use crate::database::Database;
use crate::error::DatabaseError;
use crate::ledger::{LedgerRow, store};

/// Why a migration cannot be marked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Prisma's P3008.
    #[error("migration \"{migration}\" is already recorded as applied")]
    AlreadyApplied {
        /// Folder name.
        migration: String,
        /// Another attempt of it was started and not finished.
        tried_again: bool,
    },
    /// Prisma's P3011.
    #[error("migration \"{migration}\" cannot be rolled back because it was never applied")]
    NeverApplied {
        /// Folder name as it was given.
        migration: String,
        /// A name in the ledger that ends like it or contains it.
        similar: Option<String>,
    },
    /// Prisma's P3012.
    #[error("migration \"{migration}\" cannot be marked as rolled back because it is not in a failed state")]
    NotFailed {
        /// Folder name.
        migration: String,
    },
    /// The connection was lost while it was written: it is in the ledger, or nothing of it is.
    #[error("the connection was lost: {0}")]
    Lost(DatabaseError),
    /// The ledger could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl ResolveError {
    /// Prisma's code for the same error.
    pub fn prisma_code(&self) -> Option<&'static str> {
        match self {
            Self::AlreadyApplied { .. } => Some("P3008"),
            Self::NeverApplied { .. } => Some("P3011"),
            Self::NotFailed { .. } => Some("P3012"),
            Self::Lost(_) | Self::Database(_) => None,
        }
    }

    /// What to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NeverApplied {
                similar: Some(name), ..
            } => Some(format!("did you mean \"{name}\"? Give the whole name")),
            Self::NeverApplied { similar: None, .. } => {
                Some("give the whole name of the migration's folder; what is pending has no attempt to give up".to_owned())
            }
            Self::NotFailed { .. } => Some("use rollback to take back a migration that is applied".to_owned()),
            Self::AlreadyApplied { tried_again: true, .. } => Some(
                "another attempt of it was started and not finished: --rolled-back gives that one up, and it stays applied"
                    .to_owned(),
            ),
            Self::AlreadyApplied { tried_again: false, .. } => None,
            Self::Lost(_) => {
                Some("`tollgate status` shows whether it is recorded; where it is not, run the command again".to_owned())
            }
            Self::Database(error) => error.help(),
        }
    }
}

impl Database {
    /// Records migrations, each a name and a checksum, as applied without running them: all or none. Makes the ledger
    /// when there is none.
    pub fn mark_applied(&mut self, migrations: &[(&str, &str)]) -> Result<(), ResolveError> {
        self.create_ledger()?;
        let mut sql = String::new();
        for (name, checksum) in migrations {
            let rows = store::read_of(&mut self.connection, &self.place, name)?;
            if rows.iter().any(LedgerRow::is_applied) {
                return Err(ResolveError::AlreadyApplied {
                    migration: (*name).to_owned(),
                    tried_again: rows.iter().any(LedgerRow::is_failed),
                });
            }
            sql += &(self.place.baseline(checksum, name) + "; ");
        }
        self.write("record the migrations as applied", &sql)
    }

    /// Gives up the unfinished attempts of migrations: of all or of none. Doing it again is fine.
    pub fn mark_rolled_back(&mut self, names: &[&str]) -> Result<(), ResolveError> {
        let all = self.ledger()?.unwrap_or_default();
        let mut sql = String::new();
        for name in names {
            may_be_given_up(&all, name)?;
            sql += &(self.place.give_up(name) + "; ");
        }
        self.write("record the migrations as rolled back", &sql)
    }

    fn write(&mut self, doing: &str, sql: &str) -> Result<(), ResolveError> {
        let result = self.connection.run_own(doing, &format!("BEGIN; {sql} COMMIT"));
        result.map_err(|error| {
            if matches!(&error, DatabaseError::Server { error, .. } if error.connection_lost) {
                return ResolveError::Lost(error);
            }
            let _ = self.connection.run("ROLLBACK");
            error.into()
        })
    }
}

fn may_be_given_up(all: &[LedgerRow], name: &str) -> Result<(), ResolveError> {
    let of_this: Vec<_> = all.iter().filter(|row| row.migration_name == name).collect();
    if of_this.is_empty() {
        let similar = all
            .iter()
            .map(|row| &row.migration_name)
            .find(|known| known.contains(name))
            .cloned();
        return Err(ResolveError::NeverApplied {
            migration: name.to_owned(),
            similar,
        });
    }
    // One that failed once and was applied then is not failed either: nothing would be given up.
    let open = of_this.iter().any(|row| row.is_failed());
    if !open && of_this.iter().any(|row| row.is_applied()) {
        return Err(ResolveError::NotFailed {
            migration: name.to_owned(),
        });
    }
    Ok(())
}
