//! Taking the lock away from whoever holds it.

use std::time::{Duration, Instant};

use diesel::sql_types::{Bool, Integer};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::Connection;
use crate::database::Database;
use crate::error::DatabaseError;
use crate::lock::{LockError, LockEvent};
use crate::postgres::connection::PgConnection;
use crate::postgres::lock::takes_part;
use crate::sessions::LockHolder;
use crate::state::{Lease, LockToken};
use crate::target::TargetKind;

/// How long a session may take to end after it was told to.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// What was taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// Sessions that were ended.
    pub holders: Vec<LockHolder>,
    /// Leases that were ended.
    pub leases: Vec<Lease>,
}

impl Released {
    /// Nobody held anything.
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.leases.is_empty()
    }
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    answer: bool,
}

impl Database {
    /// Takes away what stands in the way of a run: ends all sessions that hold the lock or are at work under it, with
    /// whatever they run, and the lease of this ledger, unless `keep` is its token. Says whose they are before it does so.
    pub fn release_locks(
        &mut self,
        keep: Option<&LockToken>,
        events: &mut dyn FnMut(LockEvent),
    ) -> Result<Released, LockError> {
        let mine = |lease: &Lease| keep.is_some_and(|token| lease.is_of(token));
        let lease = self.lease()?.filter(|lease| !mine(lease));
        self.take_away(lease.into_iter().collect(), events)
    }

    /// Takes the lock of the database away from everybody: the same sessions, and the leases of all its ledgers.
    pub fn release_everything(&mut self, events: &mut dyn FnMut(LockEvent)) -> Result<Released, LockError> {
        let leases = self.leases()?;
        self.take_away(leases, events)
    }

    fn take_away(&mut self, leases: Vec<Lease>, events: &mut dyn FnMut(LockEvent)) -> Result<Released, LockError> {
        let released = Released {
            leases,
            holders: self.lock_holders()?,
        };
        if released.is_empty() {
            return Ok(released);
        }
        // Nothing is ended where something stays that cannot be.
        if let Some(prepared) = released.holders.iter().find(|holder| holder.prepared.is_some()) {
            self.end_holder(prepared)?;
        }
        events(LockEvent::Releasing {
            holders: released.holders.clone(),
            leases: released.leases.clone(),
        });
        // What cannot be ended keeps nothing else.
        let mut failed = Vec::new();
        for holder in &released.holders {
            failed.extend(self.end_holder(holder).err());
        }
        for lease in &released.leases {
            let ended = self.state().and_then(|mut state| state.end_lease(lease));
            failed.extend(ended.err().map(LockError::from));
        }
        let of = released.holders.len() + released.leases.len();
        let ended = of - failed.len();
        match failed.into_iter().next() {
            None => Ok(released),
            Some(error) if ended == 0 => Err(error),
            Some(error) => Err(LockError::Partly {
                ended,
                of,
                error: Box::new(error),
            }),
        }
    }

    /// Ends exactly this session, if it holds the lock.
    pub fn terminate_holder(&mut self, pid: i32) -> Result<LockHolder, LockError> {
        let holders = self.lock_holders()?;
        let Some(holder) = holders.into_iter().find(|holder| holder.pid == pid) else {
            return Err(LockError::NotHolder { pid });
        };
        if self.end_holder(&holder)? {
            Ok(holder)
        } else {
            Err(LockError::NotHolder { pid })
        }
    }

    /// Ends a session and waits until the lock is free of it. `false`: it was gone already.
    fn end_holder(&mut self, holder: &LockHolder) -> Result<bool, LockError> {
        if holder.prepared.is_some() {
            return Err(LockError::NotEnded {
                holder: Box::new(holder.clone()),
                reason: "it belongs to no session, and its changes are kept or lost as whoever prepared it decides"
                    .to_owned(),
                help: format!("in that database, {}", holder.ending()),
            });
        }
        match (&mut self.connection, &self.target.kind) {
            (Connection::Postgres(connection), _) => end_session(connection, holder),
            (Connection::Sqlite(_), TargetKind::Sqlite(target)) => {
                crate::sqlite::lock::end_holder(&target.lock_path(), holder)
            }
            // A connection is always of its target's kind.
            (Connection::Sqlite(_), TargetKind::Postgres(_)) => Ok(false),
        }
    }
}

fn end_session(connection: &mut PgConnection, holder: &LockHolder) -> Result<bool, LockError> {
    let takes_part = takes_part("l.pid = $1");
    // In one statement, so that a process that has the same number by now but not the lock is left alone.
    let sql =
        format!("SELECT CASE WHEN {takes_part} THEN pg_catalog.pg_terminate_backend($1) ELSE false END AS answer");
    let ended: Result<Vec<Answer>, _> = sql_query(sql).bind::<Integer, _>(holder.pid).load(&mut *connection);
    let ended = ended.map_err(|error| {
        let error = connection.explain(&error);
        if !error.is("42501") {
            return LockError::from(DatabaseError::server("end a session", error));
        }
        let user = holder
            .user
            .as_ref()
            .map_or_else(|| "its role".to_owned(), |user| format!("the role {user}"));
        LockError::NotEnded {
            holder: Box::new(holder.clone()),
            reason: error.message,
            help: format!("connect as {user}, as a member of it or of pg_signal_backend, or as a superuser"),
        }
    })?;
    if !ended.iter().any(|row| row.answer) {
        return Ok(false);
    }
    wait_for_end(holder, || {
        let sql = format!("SELECT {takes_part} AS answer");
        let held: Result<Vec<Answer>, _> = sql_query(sql).bind::<Integer, _>(holder.pid).load(&mut *connection);
        let held =
            held.map_err(|error| DatabaseError::server("see whether it has ended", connection.explain(&error)))?;
        Ok(held.iter().any(|row| row.answer))
    })
}

/// Waits until it no longer holds the lock.
pub(crate) fn wait_for_end(
    holder: &LockHolder,
    mut holds: impl FnMut() -> Result<bool, LockError>,
) -> Result<bool, LockError> {
    let start = Instant::now();
    while holds()? {
        if start.elapsed() > PATIENCE {
            return Err(LockError::NotEnded {
                holder: Box::new(holder.clone()),
                reason: format!(
                    "it was told to end and still holds the lock after {} s",
                    PATIENCE.as_secs()
                ),
                help: "it may be at something that cannot be cut short: look again with `tollgate lock status`"
                    .to_owned(),
            });
        }
        std::thread::sleep(PAUSE);
    }
    Ok(true)
}
