//! Prisma's advisory lock on a session of its own.

use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::{Bool, Integer};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::Connection;
use crate::error::{DatabaseError, ServerError};
use crate::lock::{Attempt, LockError, LockPass};
use crate::postgres::client::{Driver, Opening};
use crate::postgres::connect::{SessionOptions, begin_to_open, driver, finish_opening, open};
use crate::postgres::connection::PgConnection;
use crate::postgres::target::PostgresTarget;
use crate::sessions::advisory_holder;
use crate::state::LockToken;

/// Prisma's key.
pub(crate) const KEY: i32 = 72_707_369;

/// Second half of the key that every transaction of a run shares; the first is Prisma's. Apart from the lock itself,
/// because the server gives nobody a share of that while another program, as Prisma does, waits in its queue.
pub(crate) const TRANSACTIONS: i32 = 1;

/// How long the server may take for an answer on the lock's session, which is asked nothing that takes any time. A line
/// that was cut without a word would be listened at for ever, by somebody who wants to wait for the lock for a second only.
const PATIENCE: Duration = Duration::from_secs(10);

/// A session that holds the lock, or is about to.
pub(crate) struct AdvisoryLock {
    connection: PgConnection,
    pid: i32,
    /// Second half of a key that only this session holds: so others can tell cheaply that it is alive.
    run: i32,
    held: bool,
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

/// How trying to take the lock went, on which server process.
#[derive(QueryableByName)]
pub(crate) struct Tried {
    #[diesel(sql_type = Bool)]
    pub locked: bool,
    #[diesel(sql_type = Integer)]
    pub pid: i32,
}

/// The condition that a process of this database holds the lock, and the one that belongs to a token where one is named.
pub(crate) fn holds(pid: &str, token: Option<&LockToken>) -> String {
    let held = |classid: u32, objid: u32| {
        format!(
            "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND classid = {classid} \
             AND objid = {objid} AND objsubid = 1 AND pid = {pid} AND database = \
             (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))"
        )
    };
    let lock = held(0, KEY.unsigned_abs());
    match token {
        None => lock,
        Some(token) => {
            // The server shows the two halves of a key apart.
            let (high, low) = halves(token);
            format!("{lock} AND {}", held(high, low))
        }
    }
}

/// The condition that a session of this database which is like that in `pg_locks l` holds the lock or is at work under it.
pub(crate) fn takes_part(like: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE {like} AND l.locktype = 'advisory' AND l.granted \
         AND ((l.classid = 0 AND l.objid = {KEY} AND l.objsubid = 1) \
         OR (l.classid = {KEY} AND l.objid = {TRANSACTIONS} AND l.objsubid = 2)) \
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))"
    )
}

/// The key of the advisory lock that shows whose token this is: half of the digest's bits at most, and none of its own.
fn halves(token: &LockToken) -> (u32, u32) {
    let digest = token.digest();
    let half = |range| u32::from_str_radix(digest.get(range).unwrap_or_default(), 16).unwrap_or_default();
    (half(0..8), half(8..16))
}

fn pid_of(connection: &mut PgConnection) -> Result<i32, DatabaseError> {
    let rows: Result<Vec<Pid>, _> = sql_query("SELECT pg_catalog.pg_backend_pid() AS pid").load(connection);
    let rows =
        rows.map_err(|error| DatabaseError::server("ask for the session's process", connection.explain(&error)))?;
    Ok(rows.first().map_or(0, |row| row.pid))
}

fn settle(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let settled = connection.settle();
    settled.map_err(|error| DatabaseError::server("set up the lock's session", error))
}

fn session_of(application_name: &str) -> SessionOptions {
    SessionOptions {
        application_name: application_name.to_owned(),
        read_only: false,
    }
}

/// A connection for the lock that is being opened while the run's other one is.
pub(crate) struct Ahead {
    target: PostgresTarget,
    session: SessionOptions,
    driver: Arc<Driver>,
    opening: Opening,
}

impl Ahead {
    /// Begins. `None` where it would be of no use.
    pub(crate) fn start(target: &PostgresTarget, application_name: &str) -> Option<Self> {
        if target.pooler {
            return None;
        }
        let session = session_of(application_name);
        // Why it does not open is said by whoever tries again, when the lock is to be taken.
        let driver = driver(target).ok()?;
        Some(Self {
            opening: begin_to_open(&driver, target, &session).ok()?,
            target: target.clone(),
            session,
            driver,
        })
    }

    /// What moves it on, while it waits for the other one.
    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Gives it up.
    pub(crate) fn end(self) {
        drop(finish_opening(self.opening, &self.target, &self.session));
    }

    /// The connection, if it leads to this address.
    pub(crate) fn into_connection(self, target: &PostgresTarget) -> Option<PgConnection> {
        let connection = finish_opening(self.opening, &self.target, &self.session);
        connection.filter(|_| self.target == *target)
    }
}

impl AdvisoryLock {
    /// Opens the session, at the database's own address or another one that leads there. `main` is the run's other
    /// connection, and `ahead` may be one to the same address that nothing was done with yet.
    pub(crate) fn open(
        target: &PostgresTarget,
        application_name: &str,
        main: &mut Connection,
        ahead: Option<PgConnection>,
    ) -> Result<Self, LockError> {
        if target.pooler {
            return Err(LockError::SaidPooler);
        }
        let mut connection = match ahead {
            Some(connection) => connection,
            None => open(target, &session_of(application_name))?,
        };
        connection.limit_answers(PATIENCE);
        let pid = pid_of(&mut connection)?;
        if let Connection::Postgres(main) = main {
            // Two connections, one server process: only a pooler that lends it out per transaction does that. One that lends
            // them out in turn does not give anybody the same one twice running.
            if pid_of(main)? == pid || pid_of(&mut connection)? != pid || pid_of(&mut connection)? != pid {
                return Err(LockError::Pooler);
            }
        }
        settle(&mut connection)?;
        Ok(Self {
            connection,
            pid,
            run: rand::random_range(TRANSACTIONS + 1..i32::MAX),
            held: false,
        })
    }

    /// Tries once. A waiting `pg_advisory_lock` would be a transaction that CREATE INDEX CONCURRENTLY waits for.
    pub(crate) fn attempt(&mut self) -> Result<Attempt, LockError> {
        let rows: Result<Vec<Tried>, _> =
            sql_query("SELECT pg_catalog.pg_try_advisory_lock($1::int8) AS locked, pg_catalog.pg_backend_pid() AS pid")
                .bind::<Integer, _>(KEY)
                .load(&mut self.connection);
        let rows =
            rows.map_err(|error| DatabaseError::server("take the migration lock", self.connection.explain(&error)))?;
        if let Some(tried) = rows.first().filter(|row| row.locked) {
            self.held = true;
            // Dropped then, which lets go of it: by the pooler, most likely on the session that has just got it.
            return if tried.pid == self.pid {
                self.wait_for_transactions()
            } else {
                Err(LockError::Pooler)
            };
        }
        Ok(Attempt::Held(advisory_holder(&mut self.connection, KEY)))
    }

    /// The lock is free, but a transaction of a run that has died may still be at work: then it is not ours yet.
    fn wait_for_transactions(&mut self) -> Result<Attempt, LockError> {
        let doing = "see whether an earlier run is over";
        let rows: Result<Vec<Answer>, _> = sql_query(format!(
            "SELECT pg_catalog.pg_try_advisory_lock({KEY}, {TRANSACTIONS}) AS locked"
        ))
        .load(&mut self.connection);
        let rows = rows.map_err(|error| DatabaseError::server(doing, self.connection.explain(&error)))?;
        if rows.iter().any(|row| row.locked) {
            return Ok(Attempt::Taken);
        }
        // First let go of it, so as not to name ourselves.
        self.connection
            .execute_script(&format!("SELECT pg_catalog.pg_advisory_unlock({KEY})"))
            .map_err(|error| DatabaseError::server(doing, error))?;
        self.held = false;
        Ok(Attempt::Held(advisory_holder(&mut self.connection, KEY)))
    }

    /// Keeps the lock in a mode that the run's other sessions can take part in, and nobody else gets it in the mode in
    /// which everybody takes it: a transaction that outlives this process keeps others away until it is over.
    pub(crate) fn share(&mut self) -> Result<(), LockError> {
        let sql = format!(
            "SELECT pg_catalog.pg_advisory_lock({KEY}, {run}); SELECT pg_catalog.pg_advisory_lock_shared({KEY}); \
             SELECT pg_catalog.pg_advisory_unlock({KEY}, {TRANSACTIONS}); SELECT pg_catalog.pg_advisory_unlock({KEY})",
            run = self.run
        );
        self.connection
            .execute_script(&sql)
            .map_err(|error| DatabaseError::server("take the migration lock", error).into())
    }

    /// Whether another connection sees this session: both are in one database. Asked before the lock is waited for, which
    /// somebody may hold where this one leads.
    pub(crate) fn is_seen_by(&mut self, main: &mut PgConnection) -> Result<bool, LockError> {
        let sql = format!("SELECT pg_catalog.pg_advisory_lock({KEY}, {})", self.run);
        let doing = "see where the migration lock is taken";
        self.connection
            .execute_script(&sql)
            .map_err(|error| DatabaseError::server(doing, error))?;
        let seen = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND classid = {KEY} \
             AND objid = {} AND objsubid = 2 AND pid = {} AND database = \
             (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) AS locked",
            self.run, self.pid
        );
        let rows: Result<Vec<Answer>, _> = sql_query(seen).load(main);
        let rows = rows.map_err(|error| DatabaseError::server(doing, main.explain(&error)))?;
        Ok(rows.iter().any(|row| row.locked))
    }

    /// Shows, to whoever has the token, that the session which holds the lock knows it. Says which session that is.
    pub(crate) fn show(&mut self, token: &LockToken) -> Result<i32, LockError> {
        let (high, low) = halves(token);
        let sql = format!("SELECT pg_catalog.pg_advisory_lock(({high}::int8 << 32) | {low}::int8)");
        self.connection
            .execute_script(&sql)
            .map_err(|error| DatabaseError::server("hand on the migration lock", error))?;
        Ok(self.pid)
    }

    /// See [`AdvisoryLock::run`].
    pub(crate) fn run(&self) -> i32 {
        self.run
    }

    /// The server process that holds it.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether the session is there and has the lock.
    pub(crate) fn check(&mut self) -> Result<(), LockError> {
        let lost = |error: ServerError| LockError::Lost { reason: error.message };
        let query = format!(
            "SELECT pg_catalog.pg_backend_pid() = {} AND {} AS locked",
            self.pid,
            holds("pg_catalog.pg_backend_pid()", None)
        );
        let rows: Result<Vec<Answer>, _> = sql_query(query).load(&mut self.connection);
        let rows = rows.map_err(|error| lost(self.connection.explain(&error)))?;
        if rows.iter().any(|row| row.locked) {
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
                .execute_script("SELECT pg_catalog.pg_advisory_unlock_all()");
        }
    }
}

/// A lock that another process's session holds for this one.
pub(crate) struct BorrowedLock {
    connection: PgConnection,
    pass: LockPass,
}

impl BorrowedLock {
    /// Opens a session that looks after it. `None`: no session of this database holds what the pass is for.
    pub(crate) fn open(
        target: &PostgresTarget,
        application_name: &str,
        pass: &LockPass,
    ) -> Result<Option<Self>, LockError> {
        let session = SessionOptions {
            application_name: application_name.to_owned(),
            read_only: true,
        };
        let mut lock = Self {
            connection: open(target, &session)?,
            pass: pass.clone(),
        };
        lock.connection.limit_answers(PATIENCE);
        if !lock.is_held()? {
            return Ok(None);
        }
        settle(&mut lock.connection)?;
        Ok(Some(lock))
    }

    /// The server process that holds it.
    pub(crate) fn pid(&self) -> i32 {
        self.pass.pid
    }

    fn is_held(&mut self) -> Result<bool, LockError> {
        let held = holds(&self.pass.pid.to_string(), Some(&self.pass.token));
        let rows: Result<Vec<Answer>, _> = sql_query(format!("SELECT {held} AS locked")).load(&mut self.connection);
        let rows = rows
            .map_err(|error| DatabaseError::server("look for the migration lock", self.connection.explain(&error)))?;
        Ok(rows.iter().any(|row| row.locked))
    }

    /// Whether it is still held.
    pub(crate) fn check(&mut self) -> Result<(), LockError> {
        match self.is_held() {
            Ok(true) => Ok(()),
            Ok(false) => Err(LockError::Lost {
                reason: "the session that took it no longer holds it".to_owned(),
            }),
            Err(error) => Err(LockError::Lost {
                reason: error.to_string(),
            }),
        }
    }
}
