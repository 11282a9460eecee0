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
    /// The role may not read what Tollgate knows beside the ledger: how far unfinished migrations came, and leases.
    pub state_hidden: bool,
    /// Who holds the run lock now.
    #[serde(skip)]
    pub holders: Vec<LockHolder>,
    /// A lease that keeps others from deploying.
    #[serde(skip)]
    pub lease: Option<Lease>,
}

/// What is true of one migration.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct MigrationStatus {
    /// Name.
    pub name: String,
    /// Applied, pending, …
    pub standing: Standing,
    /// The folder has it.
    pub in_folder: bool,
    /// Edited after it was applied.
    pub edited: bool,
    /// Applied, but its folder is gone.
    pub missing: bool,
    /// Pending, although later ones are applied.
    pub out_of_order: bool,
    /// Started and not finished, although another attempt of it is recorded as applied.
    pub applied_before: bool,
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
    /// Of one that was rolled back without ever having been applied: how its last attempt ended.
    pub given_up: Option<GivenUp>,
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

/// How the last attempt of a migration ended that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GivenUp {
    /// It failed: [`MigrationStatus::logs`] say why.
    Failed,
    /// It was asked to stop.
    Interrupted,
    /// The ledger does not say.
    Unsaid,
}

/// Irregularities of applied migrations that are meant to be so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overlooked {
    /// Those that were edited since.
    pub edited: bool,
    /// Those whose folders are gone.
    pub missing: bool,
}

impl StatusReport {
    /// Nothing to do and nothing wrong.
    pub fn up_to_date(&self, overlooked: Overlooked) -> bool {
        !self.migrations.iter().any(|migration| match migration.standing {
            Standing::Applied => (migration.edited && !overlooked.edited) || (migration.missing && !overlooked.missing),
            // A name that was rolled back and whose folder is gone is history, not work.
            Standing::RolledBack => migration.in_folder,
            Standing::Pending | Standing::Interrupted | Standing::Failed => true,
        })
    }
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
    let seen = match Database::connect(target, &options) {
        Ok(mut database) => Seen::read(folder, &mut database)?,
        Err(DatabaseError::Missing { .. }) => Seen::missing(folder),
        Err(error) => return Err(error.into()),
    };
    let history = &seen.history;
    let migrations: Vec<_> = history
        .entries
        .iter()
        .zip(&seen.leftovers)
        .map(|(entry, leftovers)| describe(folder, target.dialect(), entry, leftovers.as_ref(), &seen.holders))
        .collect();
    Ok(StatusReport {
        database_exists: seen.database_exists,
        ledger_exists: history.ledger_exists,
        needs_baseline: seen.needs_baseline,
        last_common: history.last_common().map(|entry| entry.name.clone()),
        migrations,
        state_hidden: seen.state_hidden,
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
    state_hidden: bool,
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
            state_hidden: false,
            holders: Vec::new(),
            lease: None,
        }
    }

    fn read(folder: &Folder, database: &mut Database) -> Result<Self, Error> {
        let mut hidden = Hidden::default();
        let lease = hidden.unless(lease(database))?.flatten();
        let (holders, rows) = at_one_moment(
            database,
            // That they cannot be named must not hide what the ledger says.
            |database| database.lock_holders().unwrap_or_default(),
            Database::ledger,
            |rows| rows.iter().flatten().any(LedgerRow::is_failed),
        )?;
        let needs_baseline = rows.is_none() && database.has_tables()?;
        let mut history = History::new(folder, rows.as_deref());
        let leftovers = history.settle(false, |row| {
            let left = hidden.unless(database.leftovers(row))?;
            Ok(left.unwrap_or(Leftovers::Unknown))
        })?;
        Ok(Self {
            database_exists: true,
            needs_baseline,
            history,
            leftovers,
            state_hidden: hidden.0,
            holders,
            lease,
        })
    }
}

/// A lease that somebody has now.
fn lease(database: &mut Database) -> Result<Option<Lease>, DatabaseError> {
    match database.read_state()? {
        Some(_) => Ok(database.lease()?.filter(Lease::is_valid)),
        None => Ok(None),
    }
}

/// Whether something was kept from a role that may only look at the ledger: it gets to see that much.
#[derive(Default)]
struct Hidden(bool);

impl Hidden {
    fn unless<T>(&mut self, answer: Result<T, DatabaseError>) -> Result<Option<T>, DatabaseError> {
        match answer {
            Err(error) if error.sqlstate() == Some("42501") => {
                self.0 = true;
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

/// How often the two are asked before what they say is taken as it is: each time, a run began or ended in between.
const ROUNDS: usize = 5;

/// Asks who holds the lock and what the ledger says, so that the two are about one moment: a run that begins or ends in
/// between would look like one that has died.
fn at_one_moment<D, H, R: PartialEq>(
    database: &mut D,
    holders: impl Fn(&mut D) -> Vec<H>,
    ledger: impl Fn(&mut D) -> Result<R, DatabaseError>,
    unfinished: impl Fn(&R) -> bool,
) -> Result<(Vec<H>, R), DatabaseError> {
    let mut held = holders(database);
    let mut rows = ledger(database)?;
    for _ in 0..ROUNDS {
        if !held.is_empty() || !unfinished(&rows) {
            break;
        }
        held = holders(database);
        let again = ledger(database)?;
        if again == rows {
            break;
        }
        rows = again;
    }
    Ok((held, rows))
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
        in_folder: entry.local.is_some(),
        edited: entry.edited,
        missing: entry.missing(),
        out_of_order: entry.out_of_order,
        applied_before: entry.applied_before,
        started_at: row.map(|row| row.started_at.to_string()),
        finished_at: row.and_then(|row| row.finished_at).map(|time| time.to_string()),
        rolled_back_at: row.and_then(|row| row.rolled_back_at).map(|time| time.to_string()),
        given_up: row
            .filter(|_| entry.standing == Standing::RolledBack)
            .and_then(given_up),
        logs,
        unfinished,
        progress: leftovers.and_then(|leftovers| progress(folder, dialect, entry, leftovers)),
    }
}

/// How an attempt ended that was rolled back; `None`: well, and it was taken back later.
fn given_up(row: &LedgerRow) -> Option<GivenUp> {
    match &row.logs {
        _ if row.finished_at.is_some() => None,
        _ if row.was_interrupted() => Some(GivenUp::Interrupted),
        Some(logs) if !logs.is_empty() => Some(GivenUp::Failed),
        _ => Some(GivenUp::Unsaid),
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
    let done = leftovers.done()?;
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
        in_doubt: leftovers.in_doubt().is_some(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use std::cell::Cell;

    use super::*;

    /// Moments of a run, one for each question: who holds the lock, and what the ledger says, where `open` is a row that is
    /// not finished.
    fn asked(moments: &[(&'static [i32], &'static str)]) -> (Vec<i32>, &'static str, usize) {
        let at = Cell::new(0);
        let next = || {
            let moment = moments[at.get().min(moments.len() - 1)];
            at.set(at.get() + 1);
            moment
        };
        let (holders, ledger) = at_one_moment(
            &mut (),
            |()| next().0.to_vec(),
            |()| Ok(next().1),
            |ledger| *ledger == "open",
        )
        .unwrap();
        (holders, ledger, at.get())
    }

    #[test]
    fn a_run_that_begins_or_ends_meanwhile_has_not_died() {
        const NOBODY: &[i32] = &[];
        const RUN: &[i32] = &[7];
        // Nobody is at work.
        assert_eq!(asked(&[(NOBODY, "done")]), (vec![], "done", 2));
        // It died.
        assert_eq!(asked(&[(NOBODY, "open")]), (vec![], "open", 4));
        // It is at work.
        assert_eq!(asked(&[(RUN, "open")]), (vec![7], "open", 2));
        // It begins after the first question.
        assert_eq!(asked(&[(NOBODY, "none"), (RUN, "open")]), (vec![7], "open", 4));
        // It begins after the first question and is done before the third.
        assert_eq!(
            asked(&[(NOBODY, "none"), (RUN, "open"), (NOBODY, "done")]),
            (vec![], "done", 4)
        );
        // It ends after the first question.
        assert_eq!(asked(&[(RUN, "open"), (NOBODY, "done")]), (vec![7], "done", 2));
    }
}
