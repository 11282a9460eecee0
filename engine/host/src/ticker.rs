//! The clock that stops plugins which run too long: one thread a host, asleep while nothing runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// How far apart the ticks are: the precision of deadlines.
const TICK: Duration = Duration::from_millis(10);

/// Ticks without a call after which the thread goes to sleep. Waking it costs more than a short call does.
const IDLE_TICKS: u32 = 20;

/// Starts its thread at the first call and stops it when dropped.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    engine: Engine,
    started: AtomicBool,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Shared {
    fn wake(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }

    fn run(&self, engine: &Engine) {
        let mut idle = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            idle = if self.running.load(Ordering::SeqCst) == 0 {
                idle + 1
            } else {
                0
            };
            if idle > IDLE_TICKS {
                self.asleep.store(true, Ordering::SeqCst);
                // Whoever starts a call after this check sees `asleep` and wakes us; the lock keeps it from doing so early.
                if self.running.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
                    drop(self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner));
                }
                self.asleep.store(false, Ordering::SeqCst);
                idle = 0;
            } else {
                // Only being dropped ends this early.
                drop(
                    self.wake
                        .wait_timeout(guard, TICK)
                        .unwrap_or_else(PoisonError::into_inner),
                );
            }
            engine.increment_epoch();
        }
    }
}

/// While it lives, the clock ticks.
pub(crate) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ticker {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            shared: Arc::default(),
            engine,
            started: AtomicBool::new(false),
        }
    }

    /// Has the clock tick until the guard is dropped.
    pub(crate) fn run(&self) -> std::io::Result<Running<'_>> {
        if !self.started.swap(true, Ordering::SeqCst) {
            let (shared, engine) = (Arc::clone(&self.shared), self.engine.clone());
            let spawned = thread::Builder::new()
                .name("tollgate-ticker".to_owned())
                .spawn(move || shared.run(&engine));
            if let Err(error) = spawned {
                self.started.store(false, Ordering::SeqCst);
                return Err(error);
            }
        }
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.shared.wake();
        }
        Ok(Running(&self.shared))
    }

    /// A deadline as a number of ticks, rounded up; one more, because the current tick has begun already.
    pub(crate) fn ticks(deadline: Duration) -> u64 {
        let ticks = deadline.as_millis().div_ceil(TICK.as_millis());
        u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.wake();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn deadlines_round_up() {
        for (millis, ticks) in [(0, 1), (1, 2), (10, 2), (11, 3), (1_000, 101)] {
            assert_eq!(Ticker::ticks(Duration::from_millis(millis)), ticks);
        }
    }

    #[test]
    fn it_sleeps_when_idle_and_wakes_for_a_call() {
        let ticker = Ticker::new(Engine::default());
        drop(ticker.run().unwrap());
        let asleep = || ticker.shared.asleep.load(Ordering::SeqCst);
        let wait_for = |state: bool| {
            for _ in 0..1_000 {
                if asleep() == state {
                    return true;
                }
                thread::sleep(Duration::from_millis(5));
            }
            false
        };
        assert!(wait_for(true), "never went to sleep");
        let running = ticker.run().unwrap();
        assert!(wait_for(false), "never woke up");
        drop(running);
    }
}
