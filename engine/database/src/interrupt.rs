//! Asking a run to stop, from another thread: a signal handler's, usually.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::postgres::cancel::Canceller;

/// A wish that a run ends early. Clones are the same wish.
///
/// Asked once, a run ends after the statement that it is at. Asked again, it also has the server cancel that statement.
/// Either way what is true is recorded and the lock is let go of.
#[derive(Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    asked: Condvar,
}

#[derive(Default)]
struct State {
    times: u32,
    /// What runs at present, where it can be cancelled.
    running: Option<Canceller>,
}

impl Interrupt {
    /// Asks the run to stop. Says how often it has been asked now.
    pub fn ask(&self) -> u32 {
        let mut state = self.state();
        state.times = state.times.saturating_add(1);
        let (times, running) = (state.times, state.running.clone());
        drop(state);
        self.shared.asked.notify_all();
        if times > 1
            && let Some(running) = running
        {
            // That the request does not get through changes nothing: the run still ends after its statement.
            let _ = running.cancel();
        }
        times
    }

    /// How often the run has been asked to stop.
    pub fn asked(&self) -> u32 {
        self.state().times
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
            let waited = self.shared.asked.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Says what to cancel when the run is asked for the second time.
    pub(crate) fn running(&self, canceller: Option<Canceller>) {
        self.state().running = canceller;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
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
