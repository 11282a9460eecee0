//! Applying one migration and taking one back: as one transaction with its ledger row where the server allows it, and
//! with its progress on record where it does not.

mod apart;
pub(crate) mod applied;
pub(crate) mod blockers;
mod detaching;
mod elsewhere;
pub(crate) mod error;
mod groups;
mod indexes;
pub(crate) mod leftovers;
pub(crate) mod notices;
pub(crate) mod opening;
mod outside;
mod pipeline;
mod pointing;
mod pragmas;
mod rebuilds;
pub(crate) mod run;
pub(crate) mod seed;
pub(crate) mod session;
mod watch;

use std::time::Duration;

use tollgate_sql::Script;

pub use crate::sessions::LockHolder;
pub use blockers::{named_in_short, way_out};
pub use error::{Circumstances, DatabaseState, ExecuteError, Problem};
pub use groups::{Obstacle, obstacle};
pub use leftovers::Leftovers;
pub use pragmas::{Pragmas, Transactions};

use crate::interrupt::Interrupt;
use crate::postgres::connection::Notice;

/// A migration to apply.
#[derive(Debug, Clone, Copy)]
pub struct Migration<'a> {
    /// Folder name.
    pub name: &'a str,
    /// Checksum of the file, as [`crate::ledger::checksum`] computes it.
    pub checksum: &'a str,
    /// The parsed file.
    pub script: &'a Script,
    /// The text that the script was parsed from.
    pub text: &'a str,
    /// How it wants to be run.
    pub pragmas: Pragmas,
    /// When it has to be on disk.
    pub durability: Durability,
}

/// When an applied migration has to be on the server's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is said to be applied.
    #[default]
    Now,
    /// With the next one of the same run, for which nobody else waits in between. PostgreSQL writes its log in order: what
    /// a later commit brings to the disk takes this one along with its row. Should the server crash before that, neither
    /// this migration nor its row nor anything later is there, as if it had crashed a moment earlier.
    WithTheNext,
}

/// A migration to take back.
#[derive(Debug, Clone, Copy)]
pub struct RollbackRequest<'a> {
    /// Folder name; its newest applied row is marked.
    pub name: &'a str,
    /// The SQL that takes it back, parsed: from `down.sql`, or generated and joined.
    pub script: &'a Script,
    /// How it wants to be run.
    pub pragmas: Pragmas,
}

/// How to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecuteOptions {
    /// How long a statement may wait for a lock; zero: as long as it takes. `None`: as the server is configured. It does
    /// not hold for statements outside a transaction behind which nobody queues: CREATE INDEX CONCURRENTLY has to wait,
    /// harms nobody by it, and would leave an invalid index behind.
    pub lock_timeout: Option<Duration>,
    /// How long a statement inside a transaction may take; zero: no limit. `None`: as the server is configured.
    pub statement_timeout: Option<Duration>,
    /// How long the server waits in the middle of a transaction for the next statement, before it takes the transaction
    /// back and lets go of its locks: a suspended process must not keep applications waiting. `None`: as the server is
    /// configured. `SQLite` has no such limit.
    pub idle_timeout: Option<Duration>,
    /// How often an attempt that a lock timeout, deadlock or serialization failure ended is made again.
    pub retries: u32,
    /// Go on where an attempt that failed half-way stopped.
    pub resume: bool,
    /// Ends the run early.
    pub interrupt: Interrupt,
}

impl Default for ExecuteOptions {
    fn default() -> Self {
        Self {
            lock_timeout: None,
            statement_timeout: None,
            idle_timeout: None,
            retries: 3,
            resume: false,
            interrupt: Interrupt::default(),
        }
    }
}

impl ExecuteOptions {
    /// How long to wait before attempt `attempt`, counted from 1: longer each time, and never twice the same, so that two
    /// who collided do not again.
    pub fn pause_before(attempt: u32) -> Duration {
        session::pause(attempt)
    }
}

/// What happens while a migration runs. Statements are counted from zero, as in the script.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecuteEvent {
    /// The ledger says that the migration has begun.
    Started {
        /// Statements in the file.
        statements: usize,
        /// Statements that an earlier attempt has put in already.
        already_done: usize,
    },
    /// A statement is about to be sent.
    Statement {
        /// Which.
        index: usize,
    },
    /// A statement has been run; inside a transaction, it is not committed yet.
    StatementDone {
        /// Which.
        index: usize,
        /// How long it took.
        elapsed: Duration,
    },
    /// The server said something.
    Notice {
        /// During which statement.
        statement: Option<usize>,
        /// What.
        notice: Notice,
    },
    /// A statement has been waiting for a while. Each of those that it waits for is named once.
    Waiting {
        /// Which. `None`: something of ours behind the last one.
        statement: Option<usize>,
        /// Who stands in the way and was not named yet.
        blockers: Vec<LockHolder>,
    },
    /// An attempt was rolled back and will be made again.
    Retrying {
        /// Which attempt comes next, from 2.
        attempt: u32,
        /// When.
        delay: Duration,
        /// Why: the server's words.
        reason: String,
        /// Who stands in the way, as far as that can be seen.
        blockers: Vec<LockHolder>,
    },
    /// An index that a failed CREATE INDEX CONCURRENTLY had left behind was dropped.
    InvalidIndexDropped {
        /// Its name with schema.
        index: String,
    },
}

/// A migration is applied and recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its ledger row.
    pub row: String,
    /// Statements that this attempt ran.
    pub statements: usize,
    /// How long all of it took.
    pub elapsed: Duration,
    /// Everything happened in one transaction together with the ledger row.
    pub atomic: bool,
    /// Statements that ran outside a transaction because the server demands it.
    pub outside_transaction: Vec<usize>,
}

/// A migration is taken back and its row says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// Its ledger row.
    pub row: String,
    /// Statements run.
    pub statements: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Everything happened in one transaction together with the ledger row.
    pub atomic: bool,
}
