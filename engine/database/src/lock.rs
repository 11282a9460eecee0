//! The lock that keeps two runs apart. PostgreSQL: Prisma's own advisory lock, so that the two exclude each other too.
//! `SQLite`: a lock file beside the database, which the operating system lets go of when the process ends, however it ends.

use std::time::{Duration, Instant};

use crate::database::Database;
use crate::error::DatabaseError;
use crate::execute::LockHolder;
use crate::interrupt::Interrupt;
use crate::postgres::lock::AdvisoryLock;
use crate::sqlite::lock::FileLock;
use crate::target::TargetKind;

/// How long to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOptions {
    /// Give up after this long.
    pub timeout: Duration,
    /// Ends the waiting.
    pub interrupt: Interrupt,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            interrupt: Interrupt::default(),
        }
    }
}

/// What happens while waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockEvent {
    /// Somebody else has it. Comes when the waiting begins, when the holder changes, and every few seconds.
    Waiting {
        /// Who, when that can be seen.
        holder: Option<LockHolder>,
        /// How long already.
        waited: Duration,
    },
}

/// Why there is no lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else kept it all the time.
    #[error("another run holds the migration lock{}", describe(holder.as_ref()))]
    Held {
        /// Who, when that can be seen.
        holder: Option<LockHolder>,
        /// How long was waited.
        waited: Duration,
    },
    /// The run was asked to stop while it waited.
    #[error("interrupted while waiting for the migration lock")]
    Interrupted,
    /// Session locks mean nothing behind a transaction pooler.
    #[error("the connection goes through a transaction pooler, where a lock protects nothing")]
    Pooler,
    /// The session that held the lock is gone.
    #[error("the migration lock was lost: {reason}")]
    Lost {
        /// Why.
        reason: String,
    },
    /// The lock's connection or file failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl LockError {
    /// What to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Held { .. } => Some("wait until it is done; if it hangs, end that session".to_owned()),
            Self::Interrupted => None,
            Self::Pooler => Some("give a direct URL of the server for the lock: lock.url".to_owned()),
            Self::Lost { .. } => Some("another run may have begun; check the status before going on".to_owned()),
            Self::Database(error) => error.help(),
        }
    }
}

fn describe(holder: Option<&LockHolder>) -> String {
    let Some(holder) = holder else {
        return String::new();
    };
    let mut text = format!(": process {}", holder.pid);
    if let Some(user) = &holder.user {
        text.extend([", user ", user]);
    }
    if let Some(application) = &holder.application {
        text.extend([", ", application]);
    }
    if let Some(since) = holder.since {
        text.extend([", since ", &format!("{since:.0}")]);
    }
    text
}

/// The lock. Let go of when dropped.
pub struct RunLock {
    kind: Kind,
}

enum Kind {
    Advisory(Box<AdvisoryLock>),
    File(FileLock),
}

impl RunLock {
    /// Makes sure that the lock is still ours: the session that holds it is alive.
    pub fn check(&mut self) -> Result<(), LockError> {
        match &mut self.kind {
            Kind::Advisory(lock) => lock.check(),
            Kind::File(lock) => lock.check(),
        }
    }
}

/// First pause between two attempts; later ones are longer.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How often waiting is reported when nothing changes.
const REPORT_EVERY: Duration = Duration::from_secs(5);

impl Database {
    /// Takes the lock, waiting for whoever has it.
    pub fn lock(&mut self, options: &LockOptions, events: &mut dyn FnMut(LockEvent)) -> Result<RunLock, LockError> {
        let kind = match &self.target.kind {
            TargetKind::Postgres(target) => {
                let mut lock = AdvisoryLock::open(target, &self.options.application_name, &mut self.connection)?;
                poll(options, events, || lock.attempt())?;
                Kind::Advisory(Box::new(lock))
            }
            TargetKind::Sqlite(target) => {
                let mut lock = FileLock::new(target.lock_path(), &self.options.application_name);
                poll(options, events, || lock.attempt())?;
                Kind::File(lock)
            }
        };
        Ok(RunLock { kind })
    }
}

/// How one attempt went.
pub(crate) enum Attempt {
    /// It is ours.
    Taken,
    /// Somebody else has it: who, when that can be seen.
    Held(Option<LockHolder>),
}

fn poll(
    options: &LockOptions,
    events: &mut dyn FnMut(LockEvent),
    mut attempt: impl FnMut() -> Result<Attempt, LockError>,
) -> Result<(), LockError> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut reported: Option<(Option<LockHolder>, Instant)> = None;
    loop {
        let Attempt::Held(holder) = attempt()? else {
            return Ok(());
        };
        let waited = start.elapsed();
        if waited >= options.timeout {
            return Err(LockError::Held { holder, waited });
        }
        let due = reported
            .as_ref()
            .is_none_or(|(last, when)| *last != holder || when.elapsed() >= REPORT_EVERY);
        if due {
            events(LockEvent::Waiting {
                holder: holder.clone(),
                waited,
            });
            reported = Some((holder, Instant::now()));
        }
        if options
            .interrupt
            .sleep(pause.min(options.timeout.saturating_sub(waited)))
        {
            return Err(LockError::Interrupted);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
