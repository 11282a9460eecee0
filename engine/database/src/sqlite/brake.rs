//! Ending a statement of `SQLite` that takes too long, or that another thread wants to end.
//!
//! The library asks a function of ours, every so many steps of its virtual machine, whether to go on. diesel has no way to
//! set one and does not hand out the library's handle. But the library tells of every connection that is opened, with the
//! handle: from there it is.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::ops::{Deref, DerefMut};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::{Connection as _, ConnectionResult, SqliteConnection};
use libsqlite3_sys as library;

/// Steps between two questions: some tens of microseconds, unless a single step takes long.
const STEPS: c_int = 1000;

/// Says of one connection's statement whether it goes on.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    /// Counts statements that begin and end, so it is odd while one runs. Whatever runs in between is never ended.
    turn: AtomicU64,
    /// The turn of the statement that is to end.
    cancelled: AtomicU64,
    limit: Mutex<Option<Limit>>,
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    end: Instant,
    /// A statement ended because of it.
    reached: bool,
}

/// A request to end the statement that ran when it was made, and no other.
#[derive(Clone)]
pub(crate) struct Request {
    brake: Arc<Brake>,
    turn: u64,
}

impl Request {
    pub(crate) fn send(&self) {
        self.brake.cancelled.store(self.turn, Ordering::SeqCst);
    }
}

impl Brake {
    /// A statement begins, and may take so long.
    pub(crate) fn begin(self: &Arc<Self>, limit: Option<Duration>) -> Request {
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        *self.limit() = end.map(|end| Limit { end, reached: false });
        Request {
            brake: Arc::clone(self),
            turn: self.turn.fetch_add(1, Ordering::SeqCst) + 1,
        }
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        self.turn.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the last statement ended because of its limit.
    pub(crate) fn timed_out(&self) -> bool {
        self.limit().is_some_and(|limit| limit.reached)
    }

    fn ends(&self) -> bool {
        let turn = self.turn.load(Ordering::SeqCst);
        if turn.is_multiple_of(2) {
            return false;
        }
        if let Some(limit) = self.limit().as_mut() {
            limit.reached |= Instant::now() >= limit.end;
            if limit.reached {
                return true;
            }
        }
        self.cancelled.load(Ordering::SeqCst) == turn
    }

    fn limit(&self) -> MutexGuard<'_, Option<Limit>> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that asks its brake. The connection comes first, so that it is closed before the brake goes.
pub(crate) struct BrakedConnection {
    connection: Box<SqliteConnection>,
    brake: Option<Arc<Brake>>,
}

impl BrakedConnection {
    /// Opens a connection.
    pub(crate) fn establish(uri: &str) -> ConnectionResult<Self> {
        let (connection, handle) = open(uri)?;
        let brake = (!handle.is_null()).then(|| {
            let brake = Arc::<Brake>::default();
            let asked = Arc::as_ptr(&brake).cast_mut().cast::<c_void>();
            // SAFETY: the handle is that of the connection, which is open. What is asked is there until the connection is
            // closed: both lie in the struct that is returned, in this order, and nothing takes them out of it.
            unsafe { library::sqlite3_progress_handler(handle, STEPS, Some(go_on_or_end), asked) };
            brake
        });
        Ok(Self {
            connection: Box::new(connection),
            brake,
        })
    }

    /// `None`: somebody has told the library to tell nobody of new connections.
    pub(crate) fn brake(&self) -> Option<&Arc<Brake>> {
        self.brake.as_ref()
    }
}

impl Deref for BrakedConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for BrakedConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

thread_local! {
    /// The connection that was opened last on this thread. It may be closed already.
    static OPENED: Cell<*mut library::sqlite3> = const { Cell::new(null_mut()) };
}

/// Opens a connection. Its handle is null where it is not told.
fn open(uri: &str) -> ConnectionResult<(SqliteConnection, *mut library::sqlite3)> {
    // SAFETY: the function has the signature that the library calls, and is there as long as the program. To name it again
    // changes nothing.
    let told = unsafe { library::sqlite3_auto_extension(Some(opened)) };
    OPENED.set(null_mut());
    let connection = SqliteConnection::establish(uri)?;
    let handle = if told == library::SQLITE_OK {
        OPENED.get()
    } else {
        null_mut()
    };
    Ok((connection, handle))
}

/// The library calls it for each connection that anybody opens in this process, on the thread that opens it.
unsafe extern "C" fn opened(
    handle: *mut library::sqlite3,
    _message: *mut *mut c_char,
    _library: *const library::sqlite3_api_routines,
) -> c_int {
    // A thread that is about to end has nowhere to note it, and will not ask for it.
    let _ = OPENED.try_with(|opened| opened.set(handle));
    library::SQLITE_OK
}

/// The library calls it while it runs a statement. Anything but zero ends that.
unsafe extern "C" fn go_on_or_end(brake: *mut c_void) -> c_int {
    // SAFETY: it was set for a connection together with this brake, which outlives it.
    let brake = unsafe { &*brake.cast::<Brake>() };
    c_int::from(brake.ends())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use diesel::connection::SimpleConnection;

    use super::*;

    /// Takes minutes.
    const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n LIMIT 1";
    const SHORT: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT max(i) FROM n";

    fn memory() -> (BrakedConnection, Arc<Brake>) {
        let connection = BrakedConnection::establish(":memory:").unwrap();
        let brake = Arc::clone(connection.brake().unwrap());
        (connection, brake)
    }

    #[test]
    fn a_statement_ends_at_its_limit() {
        let (mut connection, brake) = memory();
        brake.begin(Some(Duration::from_millis(20)));
        let error = connection.batch_execute(LONG).unwrap_err();
        brake.end();
        assert_eq!(error.to_string(), "interrupted");
        assert!(brake.timed_out());
        // The limit was that statement's.
        connection.batch_execute(SHORT).unwrap();
        brake.begin(Some(Duration::MAX));
        connection.batch_execute(SHORT).unwrap();
        brake.end();
        assert!(!brake.timed_out());
    }

    #[test]
    fn a_statement_ends_when_another_thread_says_so() {
        let (mut connection, brake) = memory();
        let request = brake.begin(None);
        let asked = request.clone();
        let asker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            asked.send();
        });
        let error = connection.batch_execute(LONG).unwrap_err();
        brake.end();
        asker.join().unwrap();
        assert_eq!((error.to_string().as_str(), brake.timed_out()), ("interrupted", false));
        // What comes after it is not meant, nor when the request comes late.
        connection.batch_execute(SHORT).unwrap();
        request.send();
        connection.batch_execute(SHORT).unwrap();
        let _next = brake.begin(None);
        request.send();
        connection.batch_execute(SHORT).unwrap();
        brake.end();
    }

    #[test]
    fn each_connection_has_its_own() {
        let (mut one, first) = memory();
        let (mut other, _second) = memory();
        let mut plain = SqliteConnection::establish(":memory:").unwrap();
        first.begin(Some(Duration::ZERO));
        other.batch_execute(SHORT).unwrap();
        plain.batch_execute(SHORT).unwrap();
        assert!(one.batch_execute(SHORT).is_err());
        first.end();
        drop(other);
        one.batch_execute(SHORT).unwrap();
    }

    #[test]
    fn a_connection_can_go_to_another_thread() {
        let (mut connection, brake) = memory();
        brake.begin(Some(Duration::ZERO));
        let failed = std::thread::spawn(move || connection.batch_execute(SHORT).is_err());
        assert!(failed.join().unwrap());
    }
}
