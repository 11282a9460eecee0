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
        if let Some((done, digest)) = store::half_taken_back(row) {
            let known = progress.get_or_insert_with(|| Progress::start(&row.id, Direction::Down));
            // A crash between the ledger's commit and the sidecar's.
            if known.done < done {
                known.in_flight = known.in_flight.filter(|index| *index >= done);
                known.done = done;
                digest.clone_into(&mut known.digest);
            }
        }
        Ok(progress)
    }
}
