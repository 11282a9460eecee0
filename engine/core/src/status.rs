//! `status`: the truth about every migration. Takes no lock and changes nothing.

use serde::Serialize;
use tollgate_database::{ConnectOptions, Database, DatabaseError, Target};

use crate::error::Error;
use crate::folder::Folder;
use crate::history::{Entry, History, Standing};

/// What is true of a database and a folder.
#[derive(Debug, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that do not depend on each other"
)]
pub struct StatusReport {
    /// The database is there.
    pub database_exists: bool,
    /// The ledger is there.
    pub ledger_exists: bool,
    /// There is no ledger and there are tables: a deploy refuses that.
    pub needs_baseline: bool,
    /// Every migration, by name.
    pub migrations: Vec<MigrationStatus>,
    /// The newest migration that is both applied and on disk.
    pub last_common: Option<String>,
    /// Nothing to do and nothing wrong.
    pub up_to_date: bool,
}

/// What is true of one migration.
#[derive(Debug, Serialize)]
pub struct MigrationStatus {
    /// Name.
    pub name: String,
    /// Applied, pending, …
    pub standing: Standing,
    /// Edited after it was applied.
    pub edited: bool,
    /// Applied, but its folder is gone.
    pub missing: bool,
    /// Pending, although later ones are applied.
    pub out_of_order: bool,
    /// When it was started, RFC 3339.
    pub started_at: Option<String>,
    /// When it was finished, RFC 3339.
    pub finished_at: Option<String>,
    /// When it was rolled back, RFC 3339.
    pub rolled_back_at: Option<String>,
    /// What the ledger keeps of a failure.
    pub logs: Option<String>,
}

/// Compares the ledger with the folder.
///
/// # Errors
/// The folder or the database cannot be read. A database that does not exist yet is no error: everything is pending.
pub fn status(folder: &Folder, target: &Target) -> Result<StatusReport, Error> {
    folder.expect_dialect(target.dialect())?;
    let options = ConnectOptions {
        read_only: true,
        ..ConnectOptions::default()
    };
    let mut needs_baseline = false;
    let (database_exists, history) = match Database::connect(target, &options) {
        Ok(mut database) => {
            let rows = database.ledger()?;
            needs_baseline = rows.is_none() && database.has_tables()?;
            (true, History::of(folder, rows.as_deref(), &mut database, false)?)
        }
        Err(DatabaseError::Missing { .. }) => (false, History::new(folder, None)),
        Err(error) => return Err(error.into()),
    };
    let migrations: Vec<_> = history.entries.iter().map(describe).collect();
    let wrong =
        |migration: &MigrationStatus| migration.standing != Standing::Applied || migration.edited || migration.missing;
    // A name that was rolled back and whose folder is gone is history, not work.
    let up_to_date = !history.entries.iter().zip(&migrations).any(|(entry, migration)| {
        wrong(migration) && !(entry.local.is_none() && entry.standing == Standing::RolledBack)
    });
    Ok(StatusReport {
        database_exists,
        ledger_exists: history.ledger_exists,
        needs_baseline,
        last_common: history.last_common().map(|entry| entry.name.clone()),
        migrations,
        up_to_date,
    })
}

fn describe(entry: &Entry) -> MigrationStatus {
    let row = entry.row.as_ref();
    MigrationStatus {
        name: entry.name.clone(),
        standing: entry.standing,
        edited: entry.edited,
        missing: entry.missing(),
        out_of_order: entry.out_of_order,
        started_at: row.map(|row| row.started_at.to_string()),
        finished_at: row.and_then(|row| row.finished_at).map(|time| time.to_string()),
        rolled_back_at: row.and_then(|row| row.rolled_back_at).map(|time| time.to_string()),
        logs: row.and_then(|row| row.logs.clone()).filter(|logs| !logs.is_empty()),
    }
}
