//! `status`: the truth about every migration. Takes no lock and changes nothing.

use jiff::SignedDuration;
use serde::Serialize;
use tollgate_database::ledger::LedgerRow;
use tollgate_database::{ConnectOptions, Database, DatabaseError, Lease, Leftovers, LockHolder, Target};
use tollgate_sql::{Dialect, Position, Script};

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
    /// Who holds the run lock now.
    #[serde(skip)]
    pub holders: Vec<LockHolder>,
    /// A lease that keeps others from deploying.
    #[serde(skip)]
    pub lease: Option<Lease>,
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
    /// Of one that was started and not finished: how it came to that.
    pub unfinished: Option<Unfinished>,
    /// Of one that was started and not finished: how far it came, where that is on record.
    pub progress: Option<MigrationProgress>,
}

/// How a migration came to be started and not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unfinished {
    /// It runs now: somebody holds the run lock, and it has not failed.
    Running,
    /// It failed, and said so.
    Failed,
    /// Tollgate ran it, and its process or its connection ended in the middle.
    Died,
    /// Another program started it, or our record of it is gone. Nothing says that it failed, and nobody runs it now.
    Unknown,
}

/// How far an unfinished migration came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MigrationProgress {
    /// Statements that are in.
    pub done: usize,
    /// Statements of the file. `None`: it is gone, or cannot be read.
    pub statements: Option<usize>,
    /// Line of the statement that comes next, counted from 1.
    pub next_line: Option<usize>,
    /// That statement may be in, or have left something.
    pub in_doubt: bool,
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
    let mut seen = match Database::connect(target, &options) {
        Ok(mut database) => Seen::read(folder, &mut database)?,
        Err(DatabaseError::Missing { .. }) => Seen::missing(folder),
        Err(error) => return Err(error.into()),
    };
    let history = &seen.history;
    let migrations: Vec<_> = history
        .entries
        .iter()
        .zip(std::mem::take(&mut seen.leftovers))
        .map(|(entry, leftovers)| describe(folder, target.dialect(), entry, leftovers.as_ref(), &seen.holders))
        .collect();
    let wrong =
        |migration: &MigrationStatus| migration.standing != Standing::Applied || migration.edited || migration.missing;
    // A name that was rolled back and whose folder is gone is history, not work.
    let up_to_date = !history.entries.iter().zip(&migrations).any(|(entry, migration)| {
        wrong(migration) && !(entry.local.is_none() && entry.standing == Standing::RolledBack)
    });
    Ok(StatusReport {
        database_exists: seen.database_exists,
        ledger_exists: history.ledger_exists,
        needs_baseline: seen.needs_baseline,
        last_common: history.last_common().map(|entry| entry.name.clone()),
        migrations,
        up_to_date,
        holders: seen.holders,
        lease: seen.lease,
    })
}

/// What a database says of itself.
struct Seen {
    database_exists: bool,
    needs_baseline: bool,
    history: History,
    /// Of each entry that was started and not finished, what it has left.
    leftovers: Vec<Option<Leftovers>>,
    holders: Vec<LockHolder>,
    lease: Option<Lease>,
}

impl Seen {
    fn missing(folder: &Folder) -> Self {
        let history = History::new(folder, None);
        Self {
            database_exists: false,
            needs_baseline: false,
            leftovers: vec![None; history.entries.len()],
            history,
            holders: Vec::new(),
            lease: None,
        }
    }

    fn read(folder: &Folder, database: &mut Database) -> Result<Self, Error> {
        // Who holds the lock is asked first: a run that ends in between shows as ended, not as dead.
        // That they cannot be named must not hide what the ledger says.
        let holders = database.lock_holders().unwrap_or_default();
        let lease = match database.read_state() {
            Ok(Some(_)) => database.lease()?.filter(Lease::is_valid),
            // A role that may only look at the ledger gets to see that much.
            Err(error) if error.sqlstate() != Some("42501") => return Err(error.into()),
            Ok(None) | Err(_) => None,
        };
        let rows = database.ledger()?;
        let needs_baseline = rows.is_none() && database.has_tables()?;
        let history = History::of(folder, rows.as_deref(), database, false)?;
        let mut leftovers = Vec::with_capacity(history.entries.len());
        for entry in &history.entries {
            let open = matches!(entry.standing, Standing::Failed | Standing::Interrupted);
            leftovers.push(match entry.row.as_ref().filter(|_| open) {
                Some(row) => Some(database.leftovers(row)?),
                None => None,
            });
        }
        Ok(Self {
            database_exists: true,
            needs_baseline,
            history,
            leftovers,
            holders,
            lease,
        })
    }
}

fn describe(
    folder: &Folder,
    dialect: Dialect,
    entry: &Entry,
    leftovers: Option<&Leftovers>,
    holders: &[LockHolder],
) -> MigrationStatus {
    let row = entry.row.as_ref();
    let logs = row.and_then(|row| row.logs.clone()).filter(|logs| !logs.is_empty());
    let unfinished = leftovers.map(|leftovers| match leftovers {
        _ if logs.is_some() => Unfinished::Failed,
        _ if row.is_some_and(|row| runs(row, holders)) => Unfinished::Running,
        Leftovers::Unknown => Unfinished::Unknown,
        _ => Unfinished::Died,
    });
    MigrationStatus {
        name: entry.name.clone(),
        standing: entry.standing,
        edited: entry.edited,
        missing: entry.missing(),
        out_of_order: entry.out_of_order,
        started_at: row.map(|row| row.started_at.to_string()),
        finished_at: row.and_then(|row| row.finished_at).map(|time| time.to_string()),
        rolled_back_at: row.and_then(|row| row.rolled_back_at).map(|time| time.to_string()),
        logs,
        unfinished,
        progress: leftovers.and_then(|leftovers| progress(folder, dialect, entry, leftovers)),
    }
}

/// How far the clocks of whoever wrote the ledger and of the server may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Whether somebody holds the run lock who may have started it: a session that began later has not.
fn runs(row: &LedgerRow, holders: &[LockHolder]) -> bool {
    let may = |holder: &LockHolder| holder.since.is_none_or(|since| since <= row.started_at + SKEW);
    holders.iter().any(may)
}

fn progress(folder: &Folder, dialect: Dialect, entry: &Entry, leftovers: &Leftovers) -> Option<MigrationProgress> {
    let (done, in_doubt) = match leftovers {
        Leftovers::Nothing => (0, false),
        Leftovers::Interrupted { done } => (*done, false),
        Leftovers::Partly { done, in_doubt } => (*done, in_doubt.is_some()),
        Leftovers::Unknown => return None,
    };
    // A script that cannot be read has no lines to name; whoever deploys it hears why.
    let text = entry.local.map(|local| &folder.migrations[local].text);
    let script: Option<Script> = text.and_then(|text| tollgate_sql::parse(dialect, text).ok());
    let next_line = script.as_ref().and_then(|script| {
        let next = script.statements.get(done)?;
        Some(Position::of(&script.text, next.span.start).line)
    });
    Some(MigrationProgress {
        done,
        statements: script.map(|script| script.statements.len()),
        next_line,
        in_doubt,
    })
}
