//! Statements of ours that every transaction of a run repeats, prepared once in the main connection's session: reading
//! and planning them again takes the server longer than many a migration's own statements.
//!
//! A script may forget them (DEALLOCATE ALL, DISCARD ALL), and so may a reset by somebody in between. The server says so
//! where the first of them stands, which is before anything of the script runs; then they are sent in full from there on.

use jiff::Timestamp;
use tollgate_sql::Script;

use crate::database::Database;
use crate::error::ServerError;
use crate::execute::session;

/// What is known of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// No transaction has begun yet. Preparing is not worth it for the only one.
    #[default]
    NotYet,
    /// One has.
    Once,
    /// They are there, under names that begin like this.
    Ready(String),
    /// They cannot be had.
    Never,
}

/// How long preparing may wait for a lock, in milliseconds.
const PATIENCE: u32 = 100;

/// 26000: there is no statement of this name.
const UNKNOWN_STATEMENT: &str = "26000";

impl Database {
    /// Prepares them for the second transaction of a session that works under the lock. Not behind a pooler, in whose
    /// sessions they would stay.
    ///
    /// # Errors
    /// The connection is lost, and what was the server's last word.
    pub(crate) fn prepare_repeated(&mut self) -> Result<(), ServerError> {
        if self.guards() && !self.is_pooled() {
            match self.prepared {
                Prepared::NotYet => self.prepared = Prepared::Once,
                Prepared::Once => self.prepared = self.prepare()?,
                Prepared::Ready(_) | Prepared::Never => {}
            }
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<Prepared, ServerError> {
        // A session may come from a pool, with what somebody else has left in it.
        let name = format!("tollgate_{:08x}", rand::random::<u32>());
        let guard = self.guard();
        // Somebody may have locked the ledger. Transactions have their own patience; here there is no need for any.
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = {PATIENCE}; PREPARE {name}_guard AS {guard} \
             PREPARE {name}_applied (text, text, text) AS {}; COMMIT",
            self.place.insert_applied(["$1", "$2", "$3"], Timestamp::UNIX_EPOCH),
        );
        match self.connection.run(&sql) {
            Ok(()) => Ok(Prepared::Ready(name)),
            Err(error) if error.connection_lost => Err(error),
            Err(_) => {
                // Why not shows where they are sent in full.
                let _ = self.connection.run("ROLLBACK");
                Ok(Prepared::Never)
            }
        }
    }

    /// How the names of those that are there begin.
    fn prepared_name(&self) -> Option<&str> {
        match &self.prepared {
            Prepared::Ready(name) if self.guards() => Some(name),
            _ => None,
        }
    }

    /// The guard, as short as it can be said.
    pub(crate) fn short_guard(&self) -> String {
        match self.prepared_name() {
            Some(name) => format!("EXECUTE {name}_guard;"),
            None => self.guard(),
        }
    }

    /// The name of the statement that records a migration as applied, if there is one.
    pub(crate) fn prepared_record(&self) -> Option<String> {
        self.prepared_name().map(|name| format!("{name}_applied"))
    }

    /// Forgets what a script has prepared in its session, which no rollback takes back: the next attempt, or the next script,
    /// would find it there. What is ours goes with it.
    pub(crate) fn forget_prepared_by(&mut self, script: &Script) {
        if session::prepares(script) {
            // Where this is refused, the connection is lost, and its session with it.
            let _ = self.connection.run("DEALLOCATE ALL");
            if let Prepared::Ready(_) = self.prepared {
                self.prepared = Prepared::Once;
            }
        }
    }

    /// Whether an error at a statement of ours only says that it is prepared no more. Then it is sent in full from now on.
    pub(crate) fn has_lost_prepared(&mut self, error: &ServerError) -> bool {
        let lost = matches!(self.prepared, Prepared::Ready(_)) && error.is(UNKNOWN_STATEMENT);
        if lost {
            self.prepared = Prepared::Never;
        }
        lost
    }
}
