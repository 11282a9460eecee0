//! Ending a statement of `SQLite` that takes too long, that another thread wants to end, or that waits for another program.
//!
//! The library asks a function of ours, every so many steps of its virtual machine, whether to go on, and another one, when
//! somebody else is at work on the file, whether to wait. diesel has no way to set them and does not hand out the library's
//! handle. But the library tells of every connection that is opened, with the handle: from there it is.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::{Connection as _, ConnectionResult, SqliteConnection};
use libsqlite3_sys as library;

use crate::interrupt::Interrupt;

/// Steps between two questions: some tens of microseconds, unless a single step takes long.
const STEPS: c_int = 1000;

/// Milliseconds until it is looked once more whether somebody else is still at work on the file: the library's own.
const PAUSES: [u64; 8] = [1, 2, 5, 10, 15, 25, 50, 100];

/// Says of one connection's statement whether it goes on.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    /// Counts statements that begin and end, so it is odd while one runs. Whatever runs in between is never ended.
    turn: AtomicU64,
    /// The turn of the statement that is to end.
    cancelled: AtomicU64,
    limit: Mutex<Option<Limit>>,
    patience: Mutex<Patience>,
}

/// How long to wait for somebody else who is at work on the file.
#[derive(Debug, Default)]
struct Patience {
    limit: Duration,
    /// When the waiting began.
    since: Option<Instant>,
    /// Ends the waiting.
    interrupt: Option<Interrupt>,
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

    /// Sets how long to wait for somebody else.
    pub(crate) fn wait_at_most(&self, limit: Duration) {
        self.patience().limit = limit;
    }

    /// Sets who ends the waiting early, from now on. Gives back who did before.
    pub(crate) fn wait_unless(&self, interrupt: Option<Interrupt>) -> Option<Interrupt> {
        std::mem::replace(&mut self.patience().interrupt, interrupt)
    }

    /// Waits a moment for somebody else. `times`: how often it has already waited for the same. `false`: no longer.
    fn waits(&self, times: usize) -> bool {
        let mut patience = self.patience();
        if times == 0 {
            patience.since = None;
        }
        let since = *patience.since.get_or_insert_with(Instant::now);
        let left = patience.limit.saturating_sub(since.elapsed());
        let interrupt = patience.interrupt.clone().unwrap_or_default();
        drop(patience);
        let pause = PAUSES.get(times).or(PAUSES.last()).copied().unwrap_or_default();
        !left.is_zero() && !interrupt.sleep(left.min(Duration::from_millis(pause)))
    }

    fn limit(&self) -> MutexGuard<'_, Option<Limit>> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a connection, with the brake that it asks. `None`: somebody has told the library to tell nobody of new connections.
pub(crate) fn establish(uri: &str) -> ConnectionResult<(SqliteConnection, Option<Arc<Brake>>)> {
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
    // SAFETY: it is null, or that of the connection, which was opened a moment ago.
    Ok((connection, unsafe { fit(handle) }))
}

/// Gives a connection a brake.
///
/// # Safety
/// The handle is null or that of a connection that is open, and that no other thread uses meanwhile.
unsafe fn fit(handle: *mut library::sqlite3) -> Option<Arc<Brake>> {
    if handle.is_null() {
        return None;
    }
    let brake = Arc::<Brake>::default();
    let asked = Arc::into_raw(Arc::clone(&brake)).cast_mut().cast::<c_void>();
    // SAFETY: the connection is open. It owns what it asks until it is closed; where it has no room for it, it lets go of it
    // at once and is not told to ask.
    unsafe {
        let kept = library::sqlite3_set_clientdata(handle, c"tollgate".as_ptr(), asked, Some(closed));
        if kept != library::SQLITE_OK {
            return None;
        }
        library::sqlite3_progress_handler(handle, STEPS, Some(go_on_or_end), asked);
        library::sqlite3_busy_handler(handle, Some(wait_or_not), asked);
    }
    Some(brake)
}

thread_local! {
    /// The connection that was opened last on this thread. It may be closed already.
    static OPENED: Cell<*mut library::sqlite3> = const { Cell::new(null_mut()) };
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
    // SAFETY: the connection that asks owns it.
    let brake = unsafe { &*brake.cast::<Brake>() };
    c_int::from(brake.ends())
}

/// The library calls it when somebody else is at work on the file, until it says zero.
unsafe extern "C" fn wait_or_not(brake: *mut c_void, times: c_int) -> c_int {
    // SAFETY: the connection that asks owns it.
    let brake = unsafe { &*brake.cast::<Brake>() };
    c_int::from(brake.waits(usize::try_from(times).unwrap_or_default()))
}

/// The library calls it when a connection is closed, or has no room for the brake.
unsafe extern "C" fn closed(brake: *mut c_void) {
    // SAFETY: it comes from `Arc::into_raw`, and the library calls this once.
    drop(unsafe { Arc::from_raw(brake.cast_const().cast::<Brake>()) });
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

    fn memory() -> (SqliteConnection, Arc<Brake>) {
        let (connection, brake) = establish(":memory:").unwrap();
        (connection, brake.unwrap())
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
        one.batch_execute(SHORT).unwrap();
        assert_eq!(Arc::strong_count(&first), 2);
        drop(one);
        assert_eq!(Arc::strong_count(&first), 1, "a closed connection keeps nothing");
    }

    /// A connection to a file that another one writes to.
    fn busy(folder: &tempfile::TempDir) -> (SqliteConnection, SqliteConnection, Arc<Brake>) {
        let path = folder.path().join("a.db").display().to_string();
        let mut other = SqliteConnection::establish(&path).unwrap();
        other.batch_execute("CREATE TABLE t (a); BEGIN IMMEDIATE").unwrap();
        let (connection, brake) = establish(&path).unwrap();
        (other, connection, brake.unwrap())
    }

    #[test]
    fn somebody_else_is_waited_for_as_long_as_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let (mut other, mut connection, brake) = busy(&folder);
        for limit in [Duration::ZERO, Duration::from_millis(30), Duration::from_millis(30)] {
            brake.wait_at_most(limit);
            let began = Instant::now();
            let error = connection.batch_execute("BEGIN IMMEDIATE").unwrap_err();
            assert_eq!(error.to_string(), "database is locked");
            assert!(began.elapsed() >= limit);
        }
        brake.wait_at_most(Duration::MAX);
        let waiting = std::thread::spawn(move || connection.batch_execute("BEGIN IMMEDIATE"));
        other.batch_execute("COMMIT").unwrap();
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn the_waiting_ends_when_the_run_is_asked_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let (_other, mut connection, brake) = busy(&folder);
        let interrupt = Interrupt::default();
        brake.wait_at_most(Duration::MAX);
        assert_eq!(brake.wait_unless(Some(interrupt.clone())), None);
        let asker = std::thread::spawn(move || interrupt.ask());
        assert!(
            connection.batch_execute("BEGIN IMMEDIATE").is_err(),
            "or this never ends"
        );
        asker.join().unwrap();
        assert!(brake.wait_unless(None).is_some());
    }

    #[test]
    fn a_connection_can_go_to_another_thread() {
        let (mut connection, brake) = memory();
        brake.begin(Some(Duration::ZERO));
        let failed = std::thread::spawn(move || connection.batch_execute(SHORT).is_err());
        assert!(failed.join().unwrap());
    }
}
