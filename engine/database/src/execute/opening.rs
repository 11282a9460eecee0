//! What the ledger is told of a script that begins, and when.
//!
//! A script that is one transaction is recorded by its last statement, in one row that says at once that it began and
//! that it is done. Nothing is written before: whatever ends the process, the connection or the server on the way ends
//! the transaction, and there is neither a change nor a row. So
//!
//! - killed, interrupted, cut off or crashed before the commit: nothing is in the ledger, nothing in the schema;
//! - cut off at the commit: the row tells. The session that was lost is ended first, so it cannot come later;
//! - failed: the row with the logs is written afterwards, by itself, and says that nothing is left;
//! - tried again after a deadlock or the like: it is the same row, written by the attempt that comes through;
//! - the lock lost: the transaction does not get past its guard, nor does what would record the failure;
//! - another program that reads the ledger meanwhile sees a migration that is not applied, which is true. That a run is
//!   at work is told by the lock.
//!
//! A script that takes several transactions is half done at some moment, so its row comes first. Whether it is one of
//! these comes out at times only on the way, when the server refuses a statement inside a transaction: that one is rolled
//! back then, and the row is written before anything else runs.

use std::time::Instant;

use jiff::Timestamp;

use crate::error::DatabaseError;
use crate::execute::run::Run;
use crate::execute::session::WITHOUT_WAITING;
use crate::ledger::store::{Begun, Place};
use crate::sql_text::literal;
use crate::state::progress::{Direction, Progress};

/// What is to be recorded of a script that begins.
#[derive(Debug, Clone)]
pub(crate) enum Opening {
    /// A row of the ledger.
    Row(NewRow),
    /// The ledger has nothing to say before the end.
    Nothing,
}

/// A row that is not written yet.
#[derive(Debug, Clone)]
pub(crate) struct NewRow {
    pub place: Place,
    pub id: String,
    pub name: String,
    pub checksum: String,
    /// Rows of attempts that a crash undid.
    pub void: Vec<String>,
    /// The identifier follows from a run in the state tables; see [`crate::ledger::store::id_in_run`].
    pub known: bool,
    began: (Timestamp, Instant),
}

impl NewRow {
    /// A row of a script that begins now.
    pub(crate) fn new(place: &Place, id: &str, name: &str, checksum: &str, void: Vec<String>, known: bool) -> Self {
        Self {
            place: place.clone(),
            id: id.to_owned(),
            name: name.to_owned(),
            checksum: checksum.to_owned(),
            void,
            known,
            began: (Timestamp::now(), Instant::now()),
        }
    }

    /// Statements that record that it begins.
    pub(crate) fn begun(&self) -> String {
        let begun = Begun {
            at: self.began.0,
            ago: self.began.1.elapsed(),
        };
        let insert = self.place.insert_started(&self.id, &self.checksum, &self.name, begun);
        format!("{}{insert};", self.given_up())
    }

    /// Statements that record that it began with this transaction, and is done. `prepared`: the name of a statement that
    /// does that.
    pub(crate) fn applied(&self, prepared: Option<String>) -> String {
        let values = [literal(&self.id), literal(&self.checksum), self.name_as_sql()];
        let values = values.each_ref().map(String::as_str);
        let insert = match prepared {
            Some(name) => format!("EXECUTE {name}({})", values.join(", ")),
            None => self.place.insert_applied(values, self.began.0),
        };
        format!("{}{insert};", self.given_up())
    }

    /// The name, so that a server reads it as it is: a script may have told it that what comes is in another encoding.
    fn name_as_sql(&self) -> String {
        if self.place.schema.is_none() || self.name.is_ascii() {
            return literal(&self.name);
        }
        let bytes = self
            .name
            .bytes()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        format!("pg_catalog.convert_from(pg_catalog.decode('{bytes}', 'hex'), 'UTF8')")
    }

    /// Rows of attempts that a crash undid: as if they had been rolled back, which they have.
    fn given_up(&self) -> String {
        self.void.iter().map(|id| self.place.roll_back(id) + ";").collect()
    }
}

impl Run<'_> {
    /// Writes that the script has begun, when it may be half done at some moment: so that a crash shows.
    pub(super) fn open(&mut self) -> Result<(), DatabaseError> {
        let Some(opening) = self.opening.take() else {
            return Ok(());
        };
        self.database.make_tables(&["statement_progress"])?;
        let postgres = self.database.connection.is_postgres();
        let start = Progress::start(&self.row, self.direction);
        if !(postgres && self.direction == Direction::Up) {
            // First the progress: a row without it would look like another program's.
            self.database.keep(&start)?;
            self.followed = true;
        }
        let Opening::Row(row) = opening else {
            return Ok(());
        };
        let sql = if postgres {
            self.tracked = !row.known;
            let progress = if row.known { String::new() } else { start.save(true) };
            // Not waiting for the disk is safe here: the log is written in order, so whatever commit of this migration
            // reaches the disk later takes this row along; and if none does, there is nothing to remember.
            format!(
                "BEGIN; {} {WITHOUT_WAITING} {} {progress} COMMIT",
                self.database.guard(),
                row.begun()
            )
        } else {
            format!("BEGIN IMMEDIATE; {} COMMIT", row.begun())
        };
        let written = self.database.connection.run_own("record that the script begins", &sql);
        if written.is_err() {
            let _ = self.database.connection.run("ROLLBACK");
        }
        written
    }
}
