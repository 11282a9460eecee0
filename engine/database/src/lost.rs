//! A connection that was lost in the middle of a script: another one, and what the ledger says has become of it.

use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::database::Database;
use crate::error::DatabaseError;
use crate::execute::{DatabaseState, Leftovers};
use crate::guard;
use crate::interrupt::Interrupt;
use crate::ledger::store;
use crate::prepared::Prepared;
use crate::state::progress::{Direction, Progress};

/// What has become of a script whose connection was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The last commit had got through: it is done and recorded.
    Done,
    /// This much of it is in, for certain. Another attempt goes on from there by itself, unless a statement is in doubt.
    Left(DatabaseState),
    /// It cannot be told now.
    Unknown,
}

/// How long to wait for a server that answers nothing. It may be gone for good.
const GONE: Duration = Duration::from_secs(3);
/// How long to wait for a server that says that it is starting: it has to read its log first.
const STARTING: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Database {
    /// Opens the main connection again. Says whether it is certain that nothing of the old one can still come through.
    pub(crate) fn reconnect(&mut self) -> Result<bool, DatabaseError> {
        let settled = match &self.connection {
            Connection::Postgres(connection) => connection.is_settled(),
            Connection::Sqlite(_) => false,
        };
        if let Connection::Sqlite(file) = &mut self.connection {
            // It may have the file for itself alone.
            file.close();
        }
        self.spoilt = true;
        self.connection = Connection::open(&self.target, &self.options)?;
        self.spoilt = false;
        self.prepared = Prepared::default();
        if settled {
            self.settle()?;
        }
        if !self.connection.is_postgres() {
            return Ok(true);
        }
        // Kept until it is over: this connection may be lost, too, before that is certain.
        self.lost.extend(self.session.take());
        let mut over = !self.lost.is_empty();
        self.session = guard::session(&mut self.connection);
        while let Some(lost) = self.lost.pop() {
            match self.end_lost_session(&lost) {
                Ok(true) => {}
                Ok(false) => over = false,
                Err(error) => {
                    self.lost.push(lost);
                    return Err(error);
                }
            }
        }
        Ok(over)
    }

    /// Connects again and finds out.
    pub(crate) fn after_loss(
        &mut self,
        migration: &str,
        direction: Direction,
        row: &str,
        interrupt: &Interrupt,
    ) -> Fate {
        match self.reconnect_patiently(interrupt) {
            Ok(true) => self.fate(migration, direction, row).unwrap_or(Fate::Unknown),
            Ok(false) | Err(_) => Fate::Unknown,
        }
    }

    /// Connects again; a server that restarts gets the time to. Says what [`Database::reconnect`] says.
    pub(crate) fn reconnect_patiently(&mut self, interrupt: &Interrupt) -> Result<bool, DatabaseError> {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.reconnect() {
                Ok(over) => return Ok(over),
                Err(error) => error,
            };
            let patience = match &error {
                DatabaseError::Unavailable { .. } => STARTING,
                DatabaseError::Unreachable { .. } => GONE,
                DatabaseError::Server { error, .. } if error.connection_lost => GONE,
                _ => Duration::ZERO,
            };
            if began.elapsed() >= patience || interrupt.sleep(pause) {
                return Err(error);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What the ledger and our record of the progress say.
    fn fate(&mut self, migration: &str, direction: Direction, row: &str) -> Result<Fate, DatabaseError> {
        let rows = store::read_of(&mut self.connection, &self.place, migration)?;
        let Some(found) = rows.into_iter().find(|found| found.id == row) else {
            // Not even the row that says that it begins.
            return Ok(Fate::Left(DatabaseState::Unchanged));
        };
        let done = match direction {
            Direction::Up => found.is_applied(),
            Direction::Down => found.rolled_back_at.is_some(),
        };
        if done {
            return Ok(Fate::Done);
        }
        let progress = self.progress(row, direction)?;
        let left = match (direction, &progress) {
            // The row is ours; as long as nothing of it is in, there may be no record of its progress.
            (Direction::Up, None) => Leftovers::of(&found, Some(&Progress::start(row, direction))),
            (Direction::Up, Some(progress)) => Leftovers::of(&found, Some(progress)),
            (Direction::Down, None) => Leftovers::Nothing,
            (Direction::Down, Some(progress)) => match progress.in_flight.filter(|_| !progress.repeatable) {
                None => Leftovers::Interrupted { done: progress.done },
                in_doubt => Leftovers::Partly {
                    done: progress.done,
                    in_doubt,
                },
            },
        };
        Ok(match left {
            Leftovers::Nothing => Fate::Left(DatabaseState::Unchanged),
            Leftovers::Interrupted { done } => Fate::Left(DatabaseState::Partly { done, in_doubt: None }),
            Leftovers::Partly { done, in_doubt } => Fate::Left(DatabaseState::Partly { done, in_doubt }),
            Leftovers::Unknown => Fate::Unknown,
        })
    }
}
