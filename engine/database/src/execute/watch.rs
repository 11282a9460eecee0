//! Looking who keeps a statement waiting while it waits, which cannot be seen for certain afterwards: from another session,
//! as the one that waits cannot ask.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::connection::{Connection, OpenOptions};
use crate::database::Database;
use crate::execute::blockers;
use crate::sessions::LockHolder;

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
