//! Looking who keeps a statement waiting while it waits, which cannot be seen for certain afterwards: from another session,
//! as the one that waits cannot ask.

use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::connection::{Connection, OpenOptions};
use crate::database::Database;
use crate::error::DatabaseError;
use crate::execute::run::Run;
use crate::execute::{ExecuteEvent, blockers, outside};
use crate::sessions::LockHolder;
use crate::target::Target;

/// When to look, at the latest: whoever still waits then is kept waiting by somebody.
const LATEST: Duration = Duration::from_secs(1);

/// How long to wait at least before looking again.
const SOONEST: Duration = Duration::from_millis(50);

/// Somebody who looks, in a while and until there is something to be seen.
pub(crate) struct Watch {
    /// Dropped to say that it is no use any more.
    stop: Sender<()>,
    looking: JoinHandle<Vec<LockHolder>>,
}

impl Watch {
    /// Begins. `limit` is how long the statement waits at most. `None` where nobody can look.
    pub(crate) fn start(database: &Database, limit: Option<Duration>) -> Option<Self> {
        let pid = database.session.as_ref()?.pid;
        let target = database.target.clone();
        let options = OpenOptions {
            read_only: true,
            ..database.options.clone()
        };
        let limit = limit.filter(|limit| !limit.is_zero());
        let after = limit.map_or(LATEST, |limit| (limit / 2).min(LATEST));
        let (stop, stopped) = channel::<()>();
        let began = Instant::now();
        let look = move || {
            // A courtesy: that nobody can look must not hide what it is about.
            let Ok(mut connection) = Connection::open(&target, &options) else {
                return Vec::new();
            };
            let mut pause = after.saturating_sub(began.elapsed());
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let seen = blockers::of_waiting(&mut connection, pid);
                if !seen.is_empty() {
                    return seen;
                }
                // It does not wait yet: statements before it may take their time.
                pause = after.max(SOONEST);
            }
            Vec::new()
        };
        let looking = Builder::new().name("blockers".to_owned()).spawn(look).ok()?;
        Some(Self { stop, looking })
    }

    /// What was seen.
    pub(crate) fn end(self) -> Vec<LockHolder> {
        drop(self.stop);
        self.looking.join().unwrap_or_default()
    }
}

/// How long a statement may take before anybody looks whether it waits.
const A_WHILE: Duration = Duration::from_secs(3);

/// How long after that before somebody looks again.
const AGAIN: Duration = Duration::from_secs(5);

/// Whoever waits no longer than this is told soon enough who stood in the way.
const SOON: Duration = Duration::from_secs(10);

/// Says whom a statement waits for, as long as it does. CREATE INDEX CONCURRENTLY may wait for hours.
pub(crate) struct Waiting {
    /// Who waits. `None`: nobody looks.
    pid: Option<i32>,
    target: Target,
    options: OpenOptions,
    /// When to look.
    next: Instant,
    eye: Option<Connection>,
    named: BTreeSet<(i32, Option<String>)>,
}

impl Waiting {
    /// Begins. `limit` is how long the server lets it wait for a lock.
    pub(crate) fn start(database: &Database, limit: Option<Duration>) -> Self {
        let ends_soon = limit.is_some_and(|limit| !limit.is_zero() && limit <= SOON);
        let session = database
            .session
            .as_ref()
            .filter(|_| !ends_soon && !database.is_pooled());
        Self {
            pid: session.map(|session| session.pid),
            target: database.target.clone(),
            options: OpenOptions {
                read_only: true,
                ..database.options.clone()
            },
            next: Instant::now() + A_WHILE,
            eye: None,
            named: BTreeSet::new(),
        }
    }

    /// The next statement begins.
    pub(crate) fn begin(&mut self) {
        self.next = Instant::now() + A_WHILE;
    }

    /// Looks, when it is time to.
    pub(crate) fn look(&mut self, statement: Option<usize>, events: &mut dyn FnMut(ExecuteEvent)) {
        let Some(pid) = self.pid else { return };
        if Instant::now() < self.next {
            return;
        }
        if self.eye.is_none() {
            self.eye = Connection::open(&self.target, &self.options).ok();
        }
        let Some(eye) = &mut self.eye else {
            // A courtesy: that nobody can look must not keep the statement from going on.
            self.pid = None;
            return;
        };
        let mut blockers = blockers::of_waiting(eye, pid);
        blockers.retain(|blocker| self.named.insert((blocker.pid, blocker.prepared.clone())));
        if !blockers.is_empty() {
            events(ExecuteEvent::Waiting { statement, blockers });
        }
        self.next = Instant::now() + AGAIN;
    }
}

impl Run<'_> {
    /// How long the server lets a statement wait for a lock, as far as that is ours to say.
    pub(super) fn waits_at_most(&self, index: usize) -> Option<Duration> {
        let queues = !self.outside.contains(&index) || outside::holds_up_others(self.script, index);
        self.pragmas
            .lock_timeout
            .or(self.options.lock_timeout.filter(|_| queues))
    }

    /// Runs a statement of ours that may have to wait for others, and says for whom.
    pub(super) fn run_own_waiting(&mut self, index: usize, doing: &str, sql: &str) -> Result<(), DatabaseError> {
        let mut waiting = Waiting::start(self.database, None);
        let events = &mut *self.events;
        let mut tell = |_| waiting.look(Some(index), events);
        let ran = self.database.connection.run_telling(sql, &mut tell);
        ran.map_err(|error| DatabaseError::server(doing, error))
    }
}
