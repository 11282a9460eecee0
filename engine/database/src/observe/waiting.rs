//! Seeing which locks a statement asks for although it commits by itself: others hold the tables until it waits for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use diesel::sql_types::{Integer, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_schema::locks::LockMode;
use tollgate_sql::{Dialect, ObjectName};

use crate::connection::{Connection, OpenOptions};
use crate::error::DatabaseError;
use crate::postgres::connection::PgConnection;
use crate::target::Target;

/// A statement that has neither ended nor waited for one of its tables by then does not get to them.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(QueryableByName)]
struct Pid {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

#[derive(QueryableByName)]
struct Mode {
    #[diesel(sql_type = Text)]
    mode: String,
}

/// The session's number at the server.
pub(super) fn backend(connection: &mut PgConnection) -> Result<i32, DatabaseError> {
    let rows: Vec<Pid> = super::load(connection, "SELECT pg_catalog.pg_backend_pid() AS pid")?;
    Ok(rows.first().map_or(0, |row| row.pid))
}

/// Does the work while others hold `tables`, and says what the session `pid` asked for on each.
pub(super) fn watch(
    target: &Target,
    options: &OpenOptions,
    pid: i32,
    tables: &[(ObjectName, LockMode)],
    work: impl FnOnce() -> Result<(), DatabaseError>,
) -> Result<Vec<(ObjectName, LockMode)>, DatabaseError> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (ready, is_ready) = mpsc::channel();
        let done = &done;
        let watching = scope.spawn(move || {
            let holders = hold(target, options, tables);
            // The other end waits for it.
            let _ = ready.send(());
            watch_holders(holders?, target, options, pid, done)
        });
        let _ = is_ready.recv();
        let worked = work();
        done.store(true, Ordering::Relaxed);
        let seen = watching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        worked?;
        seen
    })
}

/// A session that keeps everybody from one table.
struct Holder {
    table: ObjectName,
    connection: Option<Connection>,
}

fn hold(
    target: &Target,
    options: &OpenOptions,
    tables: &[(ObjectName, LockMode)],
) -> Result<Vec<Holder>, DatabaseError> {
    let mut holders = Vec::new();
    for (table, expected) in tables {
        let mut connection = Connection::open(target, options)?;
        let name = table.sql(Dialect::Postgres);
        connection.run_own("hold a table", "BEGIN")?;
        let mode = holding(*expected);
        connection.run_own("hold a table", &format!("LOCK TABLE ONLY {name} IN {mode} MODE"))?;
        holders.push(Holder {
            table: table.clone(),
            connection: Some(connection),
        });
    }
    Ok(holders)
}

/// The weakest mode that keeps the expected one waiting.
fn holding(expected: LockMode) -> LockMode {
    let waits = |mode: &LockMode| mode.conflicts_with(expected);
    LockMode::ALL
        .into_iter()
        .find(waits)
        .unwrap_or(LockMode::AccessExclusive)
}

fn watch_holders(
    mut holders: Vec<Holder>,
    target: &Target,
    options: &OpenOptions,
    pid: i32,
    done: &AtomicBool,
) -> Result<Vec<(ObjectName, LockMode)>, DatabaseError> {
    let mut eye = Connection::open(target, options)?;
    let mut seen = Vec::new();
    let since = Instant::now();
    while !done.load(Ordering::Relaxed) && since.elapsed() < PATIENCE {
        for holder in &mut holders {
            if holder.connection.is_none() {
                continue;
            }
            if let Some(mode) = waits_for(&mut eye, pid, &holder.table)? {
                seen.push((holder.table.clone(), mode));
                // The session ends, and with it the lock.
                holder.connection = None;
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(seen)
}

fn waits_for(eye: &mut Connection, pid: i32, table: &ObjectName) -> Result<Option<LockMode>, DatabaseError> {
    let Connection::Postgres(eye) = eye else {
        return Ok(None);
    };
    let name = crate::sql_text::literal(&table.sql(Dialect::Postgres));
    let query = format!(
        "SELECT l.mode FROM pg_catalog.pg_locks l WHERE l.pid = {pid} AND NOT l.granted AND l.locktype = 'relation' \
         AND l.relation = pg_catalog.to_regclass({name})::oid"
    );
    let rows: Result<Vec<Mode>, _> = sql_query(query).load(&mut **eye);
    let rows = rows.map_err(|error| DatabaseError::server("look at locks", eye.explain(&error)))?;
    Ok(rows.first().and_then(|row| LockMode::from_catalog(&row.mode)))
}
