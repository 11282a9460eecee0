//! Asking a run to stop, from another thread: a signal handler's, usually.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cancel::Canceller;

/// A wish that a run ends early. Clones are the same wish.
///
/// Asked once, a run ends after the statement that it is at. Asked again, it also has that statement cancelled. Either way
/// what is true is recorded and the lock is let go of.
#[derive(Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Tells those who wait that it is asked to stop, or that a statement has ended.
    changed: Condvar,
}

/// How long until a statement that is cancelled is cancelled once more. A server forgets a request that finds it between
/// two statements, where the next one may have been sent already.
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Default)]
struct State {
    times: u32,
    /// Pieces of work that have begun and not ended.
    works: u32,
    /// What runs at present, where it can be cancelled.
    running: Option<Canceller>,
}

/// What a run is at: what asking it to stop will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Nothing that a record would be missing of, should the process end now.
    Nothing,
    /// Something that has to be recorded, and that cannot be cancelled.
    Work,
    /// A statement that can be cancelled.
    Statement,
}

/// Something has begun of which there is to be a record. Ends when dropped.
pub struct AtWork {
    interrupt: Interrupt,
}

impl Interrupt {
    /// Asks the run to stop. Says how often it has been asked now.
    ///
    /// From the second time on a statement that runs is cancelled, and this returns when it has ended.
    pub fn ask(&self) -> u32 {
        let mut state = self.state();
        state.times = state.times.saturating_add(1);
        let times = state.times;
        drop(state);
        self.shared.changed.notify_all();
        if times > 1 {
            self.cancel();
        }
        times
    }

    /// Has the server cancel what runs, until nothing does.
    pub(crate) fn cancel(&self) {
        loop {
            let Some(running) = self.state().running.clone() else {
                return;
            };
            running.cancel();
            let state = self.state();
            if state.running.is_some() {
                drop(self.shared.changed.wait_timeout(state, AGAIN));
            }
        }
    }

    /// How often the run has been asked to stop.
    pub fn asked(&self) -> u32 {
        self.state().times
    }

    /// What the run is at.
    pub fn doing(&self) -> Doing {
        let state = self.state();
        match (&state.running, state.works) {
            (Some(_), _) => Doing::Statement,
            (None, 0) => Doing::Nothing,
            (None, _) => Doing::Work,
        }
    }

    /// Says that something begins of which there is to be a record.
    #[must_use = "it ends when this is dropped"]
    pub fn work(&self) -> AtWork {
        self.state().works += 1;
        AtWork {
            interrupt: self.clone(),
        }
    }

    /// Waits, but not any longer once the run has been asked to stop. Says whether it has.
    pub fn sleep(&self, duration: Duration) -> bool {
        let end = Instant::now().checked_add(duration);
        let mut state = self.state();
        while state.times == 0 {
            let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Says what to cancel when the run is asked for the second time.
    pub(crate) fn running(&self, canceller: Option<Canceller>) {
        self.state().running = canceller;
        self.shared.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut state = self.interrupt.state();
        state.works = state.works.saturating_sub(1);
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupt").field("asked", &self.asked()).finish()
    }
}

/// The same wish, not an equal one.
impl PartialEq for Interrupt {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Interrupt {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_when_the_run_is_asked_to_stop() {
        let interrupt = Interrupt::default();
        assert!(!interrupt.sleep(Duration::from_millis(1)));
        let asker = interrupt.clone();
        let asked = std::thread::spawn(move || asker.ask());
        assert!(interrupt.sleep(Duration::MAX), "or this never ends");
        assert_eq!(asked.join().ok(), Some(1));
        assert!(interrupt.sleep(Duration::MAX), "asked once is asked for good");
        assert_eq!((interrupt.ask(), interrupt.asked()), (2, 2));
    }

    #[test]
    fn work_is_over_when_the_last_of_it_is() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.doing(), Doing::Nothing);
        let run = interrupt.work();
        let migration = interrupt.clone().work();
        drop(migration);
        assert_eq!(interrupt.doing(), Doing::Work);
        drop(run);
        assert_eq!(interrupt.doing(), Doing::Nothing);
    }
}
