//! Prisma's advisory lock on a session of its own.

use std::time::{Duration, Instant};

use diesel::sql_types::{Bool, Integer};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::Connection;
use crate::error::{DatabaseError, ServerError};
use crate::execute::advisory_holder;
use crate::lock::{Attempt, LockError};
use crate::postgres::connect::{SessionOptions, open};
use crate::postgres::connection::PgConnection;
use crate::postgres::target::PostgresTarget;

/// Prisma's key.
const KEY: i32 = 72_707_369;

/// After this long without an answer the session is asked, with a time limit, whether it is there.
const SILENCE: Duration = Duration::from_secs(1);

/// How long the server may take to say that it is there.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// A session that holds the lock, or is about to.
pub(crate) struct AdvisoryLock {
    connection: PgConnection,
    pid: i32,
    held: bool,
    /// When the session answered last.
    answered: Instant,
}

#[derive(QueryableByName)]
struct Pid {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

fn pid_of(connection: &mut PgConnection) -> Result<i32, DatabaseError> {
    let rows: Result<Vec<Pid>, _> = sql_query("SELECT pg_catalog.pg_backend_pid() AS pid").load(connection);
    let rows =
        rows.map_err(|error| DatabaseError::server("ask for the session's process", connection.explain(&error)))?;
    Ok(rows.first().map_or(0, |row| row.pid))
}

impl AdvisoryLock {
    /// Opens the session. `main` is the run's other connection.
    pub(crate) fn open(
        target: &PostgresTarget,
        application_name: &str,
        main: &mut Connection,
    ) -> Result<Self, LockError> {
        if target.pooler {
            return Err(LockError::Pooler);
        }
        let session = SessionOptions {
            application_name: application_name.to_owned(),
            read_only: false,
        };
        let mut connection = open(target, &session)?;
        let pid = pid_of(&mut connection)?;
        if let Connection::Postgres(main) = main {
            // Two connections, one server process: only a pooler that lends it out per transaction does that.
            if pid_of(main)? == pid || pid_of(&mut connection)? != pid {
                return Err(LockError::Pooler);
            }
        }
        Ok(Self {
            connection,
            pid,
            held: false,
            answered: Instant::now(),
        })
    }

    /// Tries once. A waiting `pg_advisory_lock` would be a transaction that CREATE INDEX CONCURRENTLY waits for.
    pub(crate) fn attempt(&mut self) -> Result<Attempt, LockError> {
        let rows: Result<Vec<Answer>, _> = sql_query("SELECT pg_catalog.pg_try_advisory_lock($1::int8) AS locked")
            .bind::<Integer, _>(KEY)
            .load(&mut self.connection);
        let rows =
            rows.map_err(|error| DatabaseError::server("take the migration lock", self.connection.explain(&error)))?;
        if rows.iter().any(|row| row.locked) {
            self.held = true;
            return Ok(Attempt::Taken);
        }
        Ok(Attempt::Held(advisory_holder(&mut self.connection, KEY)))
    }

    /// Whether the session is there and has the lock.
    pub(crate) fn check(&mut self) -> Result<(), LockError> {
        let lost = |error: ServerError| LockError::Lost { reason: error.message };
        // A line that was silent for long may have been cut without a word, and a question on it waits for ever.
        if self.answered.elapsed() > SILENCE {
            self.connection.is_alive(CHECK_TIMEOUT).map_err(lost)?;
        }
        let query = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 \
             AND objid = {KEY} AND objsubid = 1 AND pid = pg_catalog.pg_backend_pid() AND pid = {}) AS locked",
            self.pid
        );
        let rows: Result<Vec<Answer>, _> = sql_query(query).load(&mut self.connection);
        let rows = rows.map_err(|error| lost(self.connection.explain(&error)))?;
        if rows.iter().any(|row| row.locked) {
            self.answered = Instant::now();
            Ok(())
        } else {
            Err(LockError::Lost {
                reason: "the session no longer holds it".to_owned(),
            })
        }
    }
}

impl Drop for AdvisoryLock {
    fn drop(&mut self) {
        if self.held {
            // Closing the connection lets go of it as well, only a moment later.
            let _ = self
                .connection
                .execute_script(&format!("SELECT pg_catalog.pg_advisory_unlock({KEY})"));
        }
    }
}
