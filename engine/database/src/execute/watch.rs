//! Looking who keeps a statement waiting while it waits, where that could not be seen afterwards: from another session,
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

/// Somebody who looks, once, in a while.
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
        let after = limit.map_or(LATEST, |limit| (limit / 2).min(LATEST));
        let (stop, stopped) = channel::<()>();
        let began = Instant::now();
        let look = move || {
            // A courtesy: that nobody can look must not hide what it is about.
            let Ok(mut connection) = Connection::open(&target, &options) else {
                return Vec::new();
            };
            match stopped.recv_timeout(after.saturating_sub(began.elapsed())) {
                Err(RecvTimeoutError::Timeout) => blockers::of_waiting(&mut connection, pid),
                _ => Vec::new(),
            }
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
