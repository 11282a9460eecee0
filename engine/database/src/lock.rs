//! The lock that keeps two runs apart. PostgreSQL: Prisma's own advisory lock, so that the two exclude each other too.
//! `SQLite`: a lock file beside the database, which the operating system lets go of when the process ends, however it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::database::Database;
use crate::error::DatabaseError;
use crate::guard::Hold;
use crate::interrupt::Interrupt;
use crate::postgres::lock::{AdvisoryLock, BorrowedLock};
use crate::sessions::LockHolder;
use crate::sqlite::lock::{BorrowedFile, FileLock};
use crate::state::{Lease, LockToken};
use crate::target::{Target, TargetKind};

mod detour;
mod error;
mod pass;
pub(crate) mod release;

pub use error::{LockError, LockEvent};
pub use pass::LockPass;
pub use release::Released;

/// How to get the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOptions {
    /// Give up after waiting this long.
    pub timeout: Duration,
    /// Ends the waiting.
    pub interrupt: Interrupt,
    /// Where the lock's session is opened: another way to the same database, for when its own address is a transaction
    /// pooler's. The run's other session is moved there, too, when that is so.
    pub direct: Option<Target>,
    /// Proves that a lease is one's own.
    pub token: Option<LockToken>,
    /// Another process's lock, to go on under it.
    pub pass: Option<LockPass>,
    /// Take the lock away from whoever has it, leases included.
    pub force_release: bool,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            interrupt: Interrupt::default(),
            direct: None,
            token: None,
            pass: None,
            force_release: false,
        }
    }
}

/// The lock. Let go of when dropped.
pub struct RunLock {
    kind: Kind,
    /// Tells the database that took it when it is let go of.
    held: Arc<AtomicBool>,
}

impl Drop for RunLock {
    fn drop(&mut self) {
        self.held.store(false, Ordering::Release);
    }
}

pub(crate) enum Kind {
    Advisory(Box<AdvisoryLock>),
    File(FileLock),
    /// Another process holds it.
    Borrowed(Box<BorrowedLock>, LockPass),
    BorrowedFile(BorrowedFile, LockPass),
}

impl RunLock {
    /// Makes sure that the lock is still ours: the session that holds it is alive.
    pub fn check(&mut self) -> Result<(), LockError> {
        match &mut self.kind {
            Kind::Advisory(lock) => lock.check(),
            Kind::File(lock) => lock.check(),
            Kind::Borrowed(lock, _) => lock.check(),
            Kind::BorrowedFile(lock, _) => lock.check(),
        }
    }

    /// What the lock's session holds for this run alone.
    fn run(&self) -> Option<i32> {
        match &self.kind {
            Kind::Advisory(lock) => Some(lock.run()),
            _ => None,
        }
    }

    /// The server process of the session that holds it. `None` on `SQLite`.
    pub fn session(&self) -> Option<i32> {
        match &self.kind {
            Kind::Advisory(lock) => Some(lock.pid()),
            Kind::Borrowed(lock, _) => Some(lock.pid()),
            Kind::File(_) | Kind::BorrowedFile(..) => None,
        }
    }
}

/// First pause between two attempts; later ones are longer.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How often waiting is reported when nothing changes.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// Whoever holds the lock can be seen, so one who cannot has let go of it since; or there is something that hides everybody.
const UNSEEN: Duration = Duration::from_secs(1);

impl Database {
    /// Takes the lock, waiting for whoever has it. Somebody else's lease is respected: nobody waits for its end.
    pub fn lock(&mut self, options: &LockOptions, events: &mut dyn FnMut(LockEvent)) -> Result<RunLock, LockError> {
        let borrowed = match &options.pass {
            Some(pass) => self.borrow_lock(pass, options.direct.as_ref())?,
            None => None,
        };
        let kind = if let Some(kind) = borrowed {
            let pid = options.pass.as_ref().map_or(0, |pass| pass.pid);
            events(LockEvent::Shared { pid });
            kind
        } else {
            if options.force_release {
                self.release_locks(options.token.as_ref(), events)?;
            }
            self.take_lock(options, events)?
        };
        let lock = RunLock {
            kind,
            held: Arc::new(AtomicBool::new(true)),
        };
        if let Some(direct) = &options.direct {
            self.leave_pooler(direct)?;
        }
        self.settle()?;
        let ledger = self.ledger_name();
        // Only now: before it had the lock, somebody could have taken a lease after it looked.
        let lease = self.leases()?.into_iter().find(|lease| lease.ledger == ledger);
        respect(lease, options.token.as_ref(), events)?;
        self.hold_by(lock.session().map(|pid| Hold {
            pid,
            run: lock.run(),
            held: Arc::clone(&lock.held),
        }));
        Ok(lock)
    }

    fn take_lock(&mut self, options: &LockOptions, events: &mut dyn FnMut(LockEvent)) -> Result<Kind, LockError> {
        let elsewhere = |lock: &Target| LockError::Elsewhere {
            lock: lock.describe(),
            database: self.target.describe(),
        };
        match &self.target.kind {
            TargetKind::Postgres(target) => {
                let target = match options.direct.as_ref().map(|direct| (direct, &direct.kind)) {
                    Some((_, TargetKind::Postgres(direct))) => direct,
                    Some((direct, TargetKind::Sqlite(_))) => return Err(elsewhere(direct)),
                    None => target,
                };
                let ahead = self.ahead.take().and_then(|ahead| ahead.into_connection(target));
                let name = &self.options.application_name;
                let opened = AdvisoryLock::open(target, name, &mut self.connection, ahead);
                let mut lock = match (opened, &options.direct) {
                    // The database that is migrated is there.
                    (Err(LockError::Database(DatabaseError::Missing { .. })), Some(direct)) => {
                        return Err(elsewhere(direct));
                    }
                    (opened, _) => opened?,
                };
                if let (Some(direct), Connection::Postgres(main)) = (&options.direct, &mut self.connection)
                    && !lock.is_seen_by(main)?
                {
                    return Err(elsewhere(direct));
                }
                poll(options, events, || lock.attempt())?;
                lock.share()?;
                Ok(Kind::Advisory(Box::new(lock)))
            }
            TargetKind::Sqlite(target) => {
                if let Some(direct) = options.direct.as_ref().filter(|direct| direct.kind != self.target.kind) {
                    return Err(elsewhere(direct));
                }
                let mut lock = FileLock::new(target.lock_path(), &self.options.application_name);
                poll(options, events, || lock.attempt())?;
                Ok(Kind::File(lock))
            }
        }
    }
}

/// Refuses when somebody else's lease runs.
pub(crate) fn respect(
    lease: Option<Lease>,
    token: Option<&LockToken>,
    events: &mut dyn FnMut(LockEvent),
) -> Result<(), LockError> {
    match lease {
        Some(lease) if !lease.is_valid() => events(LockEvent::LeaseExpired(Box::new(lease))),
        Some(lease) if !token.is_some_and(|token| lease.is_of(token)) => {
            return Err(LockError::Leased(Box::new(lease)));
        }
        _ => {}
    }
    Ok(())
}

/// How one attempt went.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Attempt {
    /// It is ours.
    Taken,
    /// Somebody else has it: who, when that can be seen.
    Held(Option<LockHolder>),
}

/// Tries again and again until it is taken or the time is over. A blocking wait would be a transaction that CREATE INDEX
/// CONCURRENTLY waits for.
pub(crate) fn poll(
    options: &LockOptions,
    events: &mut dyn FnMut(LockEvent),
    mut attempt: impl FnMut() -> Result<Attempt, LockError>,
) -> Result<(), LockError> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut reported: Option<(Option<i32>, Instant)> = None;
    // Who was seen at the attempts before, and since when.
    let mut seen: Option<(Option<i32>, Instant)> = None;
    loop {
        let Attempt::Held(holder) = attempt()? else {
            return Ok(());
        };
        let waited = start.elapsed();
        let who = holder.as_ref().map(|holder| holder.pid);
        let since = seen.filter(|(last, _)| *last == who).map(|(_, since)| since);
        seen = Some((who, since.unwrap_or_else(Instant::now)));
        // Who is gone between the attempt and the look does not keep anybody out.
        let gone = who.is_none() && since.is_none();
        if waited >= options.timeout && !gone {
            let holder = holder.map(Box::new);
            return Err(LockError::Held { holder, waited });
        }
        let settled = since.is_some_and(|since| who.is_some() || since.elapsed() >= UNSEEN);
        let due = reported
            .as_ref()
            .is_none_or(|(last, when)| *last != who || when.elapsed() >= REPORT_EVERY);
        if due && settled {
            events(LockEvent::Waiting {
                holder,
                waited,
                timeout: options.timeout,
            });
            reported = Some((who, Instant::now()));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn held_by(pid: i32) -> Attempt {
        Attempt::Held(Some(LockHolder {
            pid,
            ..LockHolder::default()
        }))
    }

    /// Whom a wait names, for these answers to its attempts, and how it ends.
    fn wait(timeout: Duration, answers: Vec<Attempt>) -> (Vec<Option<i32>>, Result<(), LockError>) {
        let options = LockOptions {
            timeout,
            ..LockOptions::default()
        };
        let mut named = Vec::new();
        let mut events = |event| {
            if let LockEvent::Waiting { holder, .. } = event {
                named.push(holder.map(|holder: LockHolder| holder.pid));
            }
        };
        let mut answers = answers.into_iter();
        let ended = poll(&options, &mut events, || Ok(answers.next().unwrap()));
        (named, ended)
    }

    #[test]
    fn only_who_still_holds_it_is_worth_a_word() {
        use Attempt::{Held, Taken};
        let minute = Duration::from_mins(1);
        for (answers, expected) in [
            (vec![held_by(7), Taken], vec![]),
            (vec![Held(None), Taken], vec![]),
            (vec![Held(None), Held(None), Taken], vec![]),
            (vec![held_by(7), held_by(7), Taken], vec![Some(7)]),
            (vec![held_by(7), Held(None), held_by(8), Taken], vec![]),
            (
                vec![held_by(7), held_by(7), Held(None), held_by(8), held_by(8), Taken],
                vec![Some(7), Some(8)],
            ),
        ] {
            assert_eq!(wait(minute, answers), (expected, Ok(())));
        }
    }

    #[test]
    fn who_has_just_let_go_is_no_reason_to_give_up() {
        let (named, ended) = wait(Duration::ZERO, vec![Attempt::Held(None), Attempt::Taken]);
        assert_eq!((named, ended), (vec![], Ok(())));
        let (_, ended) = wait(Duration::ZERO, vec![Attempt::Held(None), held_by(7)]);
        assert!(
            matches!(ended, Err(LockError::Held { holder: Some(_), .. })),
            "{ended:?}"
        );
        let (_, ended) = wait(Duration::ZERO, vec![Attempt::Held(None), Attempt::Held(None)]);
        assert!(matches!(ended, Err(LockError::Held { holder: None, .. })), "{ended:?}");
    }
}
