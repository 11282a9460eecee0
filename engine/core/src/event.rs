//! What happens while the engine works, for whoever shows it. The library prints nothing itself.

use std::time::Duration;

use tollgate_database::{ExecuteEvent, LockEvent};
use tollgate_host::types::Severity;

use crate::check::CheckedMigration;
use crate::notify::Delivery;
use crate::requirement::RequirementReport;

/// One thing that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// On the way to the lock: who holds it, sent now and then while waiting, and what becomes of leases.
    Lock(LockEvent),
    /// The policies are being asked.
    Judging {
        /// How many migrations.
        migrations: usize,
    },
    /// The policies have been asked: what they said of each, in order. Comes before anything is applied.
    Judged(Vec<CheckedMigration>),
    /// A deploy stops here: somebody has to approve these findings, or something has to be deployed elsewhere first.
    /// Nothing was applied.
    AwaitingApproval {
        /// The findings that stop it, in the order of the plan.
        findings: Vec<Awaiting>,
        /// What has to be true elsewhere and is not.
        requirement: Option<RequirementReport>,
    },
    /// A migration starts.
    Applying {
        /// Its name.
        migration: String,
        /// Position in this run, counted from 1.
        number: usize,
        /// How many there are in this run.
        of: usize,
    },
    /// A migration is in and recorded. On PostgreSQL it may be on disk only with the last one of the run; see
    /// [`crate::SynchronousCommit`].
    Applied {
        /// Its name.
        migration: String,
        /// How long it took.
        took: Duration,
    },
    /// Something happened while a script ran: a statement, a notice of the server, a retry.
    Execution {
        /// Migration.
        migration: String,
        /// What.
        event: ExecuteEvent,
    },
    /// A migration is being taken back.
    RollingBack {
        /// Its name.
        migration: String,
    },
    /// A migration is taken back and recorded as such.
    RolledBack {
        /// Its name.
        migration: String,
        /// How long it took.
        took: Duration,
    },
    /// A reset has dropped everything that was there.
    Emptied,
    /// A seed file is in.
    Seeded {
        /// What it is called.
        file: String,
        /// How long it took.
        took: Duration,
    },
    /// A notifier was told something, or could not be.
    Notified(Delivery),
    /// Something a person should know.
    Warning(String),
}

/// A finding that waits for somebody to approve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// The migration.
    pub migration: String,
    /// The policy.
    pub plugin: String,
    /// Its rule.
    pub rule: String,
    /// The statement's place in the file, counted from 1; `None` for the file as a whole.
    pub statement: Option<usize>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
}

/// Receives events.
pub type Observer<'a> = &'a mut dyn FnMut(Event);
