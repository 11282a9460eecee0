//! What earlier attempts that did not come to their end have left, in both directions.

use crate::database::Database;
use crate::error::DatabaseError;
use crate::execute::Leftovers;
use crate::ledger::{LedgerRow, store};
use crate::state::progress::{Direction, Progress};

impl Database {
    /// What an unfinished attempt has left in the database.
    pub fn leftovers(&mut self, row: &LedgerRow) -> Result<Leftovers, DatabaseError> {
        if self.read_state()?.is_none() {
            return Ok(Leftovers::Unknown);
        }
        let progress = match self.progress(&row.id, Direction::Up)? {
            Some(progress) => Some(progress),
            // Nothing is on record of a migration before something of it is in.
            None if self.began_here(row)? => Some(Progress::start(&row.id, Direction::Up)),
            None => None,
        };
        let progress = progress.map(|mut known| {
            let done = usize::try_from(row.applied_steps_count).unwrap_or(0);
            if self.is_ahead(&known, done) {
                known.done = done;
            }
            known
        });
        Ok(Leftovers::of(row, progress.as_ref()))
    }

    /// Whether a run of ours wrote the row.
    fn began_here(&mut self, row: &LedgerRow) -> Result<bool, DatabaseError> {
        let runs = match self.read_state()? {
            Some(mut state) => state.unfinished_runs()?,
            None => Vec::new(),
        };
        Ok(runs
            .iter()
            .any(|run| store::id_in_run(run, &row.migration_name) == row.id))
    }

    /// How far an earlier attempt at taking a migration back has come.
    pub(crate) fn progress_back(&mut self, row: &LedgerRow) -> Result<Option<Progress>, DatabaseError> {
        let mut progress = self.progress(&row.id, Direction::Down)?;
        let noted = store::half_taken_back(row);
        if noted.is_some() {
            progress.get_or_insert_with(|| Progress::start(&row.id, Direction::Down));
        }
        let (done, digest) = noted.unwrap_or_default();
        if let Some(known) = &mut progress
            && (known.done < done || self.is_ahead(known, done))
        {
            known.in_flight = known.in_flight.filter(|index| *index >= done);
            known.done = done;
            digest.clone_into(&mut known.digest);
        }
        Ok(progress)
    }

    /// Whether the sidecar of `SQLite` knows of more than the ledger, whose count is committed together with the statements.
    /// The sidecar comes after it, and so is behind when a crash falls between the two; but a script may have the file lose
    /// its last commits when the power fails (`PRAGMA synchronous`), and those are not in.
    fn is_ahead(&self, known: &Progress, done: usize) -> bool {
        !self.connection.is_postgres() && known.done > done
    }
}
