//! That what runs on the main connection runs under the lock, which another session holds.
//!
//! Every transaction first makes sure that the lock's session still has the lock, and takes part in it: should this
//! process die, or its connections, the server may go on with a transaction that it has already been sent; nobody else
//! gets the lock before that is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::sql_types::{Integer, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::Connection;
use crate::database::Database;
use crate::error::{DatabaseError, ServerError};
use crate::execute::Problem;
use crate::postgres::lock::{KEY, TRANSACTIONS, holds};
use crate::sql_text::literal;

/// Which session holds the lock for a database.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub pid: i32,
    /// What that session holds besides, and nobody else. `None`: it is another process's.
    pub run: Option<i32>,
    /// It has not been let go of.
    pub held: Arc<AtomicBool>,
}

impl Hold {
    /// It has not been let go of.
    pub(crate) fn is_active(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }
}

/// Why a transaction did not get past its guard.
pub(crate) enum Unguarded {
    /// The lock is gone.
    Lost,
    /// Something else.
    Other(ServerError),
}

/// A session of the server: its process, and when it began, as the same number may come again.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub(crate) struct Session {
    #[diesel(sql_type = Integer)]
    pub pid: i32,
    #[diesel(sql_type = Text)]
    pub began: String,
}

/// How long a lost session may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(20);
const END_PAUSE: Duration = Duration::from_millis(20);

/// The columns and the table of a [`Session`]: this one. The view of this name joins what nobody wants to know here, which
/// takes the server ten times as long.
pub(crate) const SESSION: &str = "pid, backend_start::text AS began \
     FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())";

/// Which session of the server this is.
pub(crate) fn session(connection: &mut Connection) -> Option<Session> {
    let Connection::Postgres(connection) = connection else {
        return None;
    };
    let rows: Vec<Session> = sql_query(format!("SELECT {SESSION}")).load(&mut **connection).ok()?;
    let session = rows.into_iter().next()?;
    connection.is_process(session.pid);
    Some(session)
}

/// Takes part in the run: in what tells the next run that this one's transactions are over, which must work, and in the
/// lock itself, which keeps others than us away. The latter is no failure: while a session waits in the server's queue for
/// it, as Prisma's commands do, the server gives nobody else a share, although the lock's session still has it.
fn taking_part(take: &str) -> String {
    format!("SELECT pg_catalog.{take}_shared({KEY}), 1 / (pg_catalog.{take}_shared({KEY}, {TRANSACTIONS}))::int4")
}

impl Database {
    /// A statement for the start of a transaction: it fails when the lock is not held any more. Empty without a lock.
    pub(crate) fn guard(&self) -> String {
        self.guarding("pg_try_advisory_xact_lock")
    }

    /// That, where it may be asked.
    pub(crate) fn guard_if(&self, asks: bool) -> String {
        if asks { self.guard() } else { String::new() }
    }

    /// Whether every transaction makes sure by itself that the lock is held.
    pub fn guards(&self) -> bool {
        self.hold.as_ref().is_some_and(Hold::is_active)
    }

    /// A statement for the start of what is no transaction, or of one in which nothing may be asked. It holds until the
    /// session is put back. Empty without a lock.
    pub(crate) fn lasting_guard(&self) -> String {
        if self.is_pooled() {
            // What is taken for a session would stay behind in a pooler's. For a transaction it is a check at least.
            self.guard()
        } else {
            self.guarding("pg_try_advisory_lock")
        }
    }

    /// Checks before a statement outside a transaction, or before a transaction in which nothing may be asked.
    pub(crate) fn check_guard(&mut self) -> Result<(), Unguarded> {
        let guard = self.lasting_guard();
        if guard.is_empty() {
            return Ok(());
        }
        self.connection.run(&guard).map_err(|error| self.unguarded(error))
    }

    /// `take` is the function that takes a lock for as long as what follows lasts.
    fn guarding(&self, take: &str) -> String {
        let Some(hold) = self.hold.as_ref().filter(|hold| hold.is_active()) else {
            return String::new();
        };
        let held = match hold.run {
            // Nobody but the lock's session has this; whoever gets it has outlived that session. Looking through the
            // server's list of locks would take ten times as long.
            Some(run) => format!("NOT pg_catalog.{take}({KEY}, {run})"),
            None => holds(&hold.pid.to_string(), None),
        };
        format!("{}, 1 / ({held})::int4;", taking_part(take))
    }

    /// What an error before the first statement of a transaction means.
    pub(crate) fn unguarded(&self, error: ServerError) -> Unguarded {
        // 22012: the division by zero above.
        if error.is("22012") && !self.guard().is_empty() {
            Unguarded::Lost
        } else {
            Unguarded::Other(error)
        }
    }

    /// Ends the session that the main connection had before it was lost: whatever it was sent could still come through.
    /// Says whether it is certain that it is over.
    pub(crate) fn end_lost_session(&mut self, lost: &Session) -> Result<bool, DatabaseError> {
        let pooled = self.is_pooled();
        let Connection::Postgres(connection) = &mut self.connection else {
            return Ok(true);
        };
        let among = format!(
            "FROM pg_catalog.pg_stat_activity WHERE pid = {} AND backend_start = {}::timestamptz",
            lost.pid,
            literal(&lost.began)
        );
        // That it may not be ended is no reason not to wait for it.
        let _ = connection.execute_script(&format!("SELECT pg_catalog.pg_terminate_backend(pid) {among}"));
        let began = Instant::now();
        loop {
            let left: Result<Vec<Session>, _> =
                sql_query(format!("SELECT pid, backend_start::text AS began {among}")).load(&mut **connection);
            let left =
                left.map_err(|error| DatabaseError::server("look for the lost session", connection.explain(&error)))?;
            if left.is_empty() {
                // Behind a pooler the number was that of a session that was lent, and another one may have been.
                return Ok(!pooled);
            }
            if began.elapsed() > END_TIMEOUT {
                return Ok(false);
            }
            std::thread::sleep(END_PAUSE);
        }
    }
}

impl From<Unguarded> for Problem {
    fn from(unguarded: Unguarded) -> Self {
        match unguarded {
            Unguarded::Lost => Self::LockLost,
            Unguarded::Other(error) => Self::Database(DatabaseError::server("begin a transaction", error)),
        }
    }
}
