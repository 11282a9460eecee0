//! Opening `SQLite` files.

use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

use crate::error::{DatabaseError, ServerError};
use crate::sqlite::brake::{self, Brake};
use crate::sqlite::target::SqliteTarget;

/// What may happen to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing is written, not even what puts a file right after a crash: where that is needed, opening it fails.
    Look,
    /// We write nothing.
    Read,
    /// It exists and is written.
    Write,
    /// It is made when it is not there.
    Create,
}

/// An open file.
///
/// `SQLite` makes the rollback journal anew for each transaction and removes it at the end. Then the disk has to note each
/// time that there is a file and that it is gone, which takes longer than what a small migration writes. So while a file
/// is open here its journal stays, with its header wiped at the end of each transaction instead: for a crash and for
/// other processes that is the same, because a journal without a header is none. It is removed with the connection; one
/// that a killed process leaves is removed by whoever opens the file like this next.
pub(crate) struct SqliteFile {
    connection: Box<SqliteConnection>,
    brake: Option<Arc<Brake>>,
    /// It may write, so there may be a journal.
    writes: bool,
}

/// Bytes of the journal that stay from one transaction to the next.
const JOURNAL_BYTES: u32 = 1 << 20;

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

impl SqliteFile {
    /// Makes one mode of keeping the journal another. A file in any other mode, above all with a write-ahead log, stays as
    /// it is: that belongs to the file, not to the connection.
    fn keep_journal(&mut self, from: &str, to: &str) -> Result<(), diesel::result::Error> {
        let mode: JournalMode = sql_query("PRAGMA main.journal_mode").get_result(&mut **self)?;
        if mode.journal_mode == from {
            let limited = format!("PRAGMA main.journal_size_limit = {JOURNAL_BYTES}; PRAGMA main.journal_mode = {to}");
            self.batch_execute(&limited)?;
        }
        Ok(())
    }

    /// Lets go of the file, whatever a script has done to the session: one that has taken the file for itself alone
    /// (`locking_mode`) and then begun a write-ahead log cannot be told to share it again. What is run from here on goes to
    /// an empty database in memory.
    pub(crate) fn close(&mut self) {
        self.remove_journal();
        if let Ok((nowhere, brake)) = brake::establish(":memory:") {
            *self.connection = nowhere;
            self.brake = brake;
            self.writes = false;
        }
    }

    /// Removes the journal that stayed.
    fn remove_journal(&mut self) {
        if self.writes {
            let _ = self.batch_execute("ROLLBACK");
            // A wiped journal does no harm where it cannot be removed, because somebody else writes, for example. So nobody
            // is waited for.
            let _ = self.batch_execute("PRAGMA busy_timeout = 0");
            let _ = self.keep_journal("persist", "DELETE");
        }
    }

    /// Sets how long to wait for another program that is at work on the file.
    pub(crate) fn wait_at_most(&mut self, limit: Duration) -> Result<(), ServerError> {
        match &self.brake {
            Some(brake) => {
                brake.wait_at_most(limit);
                Ok(())
            }
            None => self
                .batch_execute(&busy_timeout(limit))
                .map_err(|error| sqlite_error(&error)),
        }
    }

    /// What ends a statement that takes too long, or is cancelled.
    pub(crate) fn brake(&self) -> Option<&Arc<Brake>> {
        self.brake.as_ref()
    }

    /// What `SQLite` reported of a statement.
    pub(crate) fn explain(&self, error: &diesel::result::Error) -> ServerError {
        let error = sqlite_error(error);
        if is_interrupted(&error) && self.brake().is_some_and(|brake| brake.timed_out()) {
            // The words of PostgreSQL, by which whoever reads this knows it.
            return ServerError::text("canceling statement due to statement timeout");
        }
        error
    }
}

impl Deref for SqliteFile {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for SqliteFile {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Drop for SqliteFile {
    fn drop(&mut self) {
        self.remove_journal();
    }
}

/// Opens the target's file.
pub(crate) fn open(target: &SqliteTarget, access: Access) -> Result<SqliteFile, DatabaseError> {
    open_file(&target.path, access, target.busy_timeout, &target.describe())
}

/// Opens a file.
pub(crate) fn open_file(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
    describe: &str,
) -> Result<SqliteFile, DatabaseError> {
    let (connection, brake) = establish(path, access, busy_timeout, describe)?;
    let mut file = SqliteFile {
        connection: Box::new(connection),
        brake,
        writes: matches!(access, Access::Write | Access::Create),
    };
    if file.writes {
        file.keep_journal("delete", "PERSIST")
            .map_err(|error| not_opened(describe, sqlite_error(&error).message))?;
    }
    Ok(file)
}

fn not_opened(describe: &str, reason: String) -> DatabaseError {
    DatabaseError::NotOpened {
        target: describe.to_owned(),
        reason,
    }
}

/// Opens a file for somebody who knows no [`SqliteFile`].
pub(crate) fn connect(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
    describe: &str,
) -> Result<SqliteConnection, DatabaseError> {
    establish(path, access, busy_timeout, describe).map(|(connection, _)| connection)
}

/// A connection whose session is set up, and its brake.
fn establish(
    path: &Path,
    access: Access,
    patience: Duration,
    describe: &str,
) -> Result<(SqliteConnection, Option<Arc<Brake>>), DatabaseError> {
    let uri = address(path, access, describe)?;
    let (mut connection, brake) = brake::establish(&uri).map_err(|error| not_opened(describe, error.to_string()))?;
    let waiting = match &brake {
        Some(brake) => {
            brake.wait_at_most(patience);
            String::new()
        }
        None => busy_timeout(patience),
    };
    connection
        .batch_execute(&(waiting + setup(access)))
        .map_err(|error| not_opened(describe, sqlite_error(&error).message))?;
    Ok((connection, brake))
}

/// Whether the file is there. In a folder that this user may not pass that cannot be said.
pub(crate) fn exists(path: &Path) -> std::io::Result<bool> {
    match path.try_exists() {
        // There is a file in the place of a folder.
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
        found => found,
    }
}

/// What to tell the library to open, once that is known to be possible.
fn address(path: &Path, access: Access, describe: &str) -> Result<String, DatabaseError> {
    if !exists(path).map_err(|error| not_opened(describe, error.to_string()))? {
        if access != Access::Create {
            return Err(DatabaseError::Missing {
                target: describe.to_owned(),
            });
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let refused = |error| format!("cannot make the folder {}: {error}", folder.display());
            std::fs::create_dir_all(folder).map_err(|error| not_opened(describe, refused(error)))?;
        }
    }
    if path.is_dir() {
        return Err(DatabaseError::Unsupported {
            target: describe.to_owned(),
            reason: "it is a folder".to_owned(),
        });
    }
    let text = path.to_str().ok_or_else(|| DatabaseError::Unsupported {
        target: describe.to_owned(),
        reason: "its path is not UTF-8".to_owned(),
    })?;
    let mode = match access {
        Access::Look => "ro",
        Access::Read | Access::Write => "rw",
        Access::Create => "rwc",
    };
    Ok(uri(text, mode))
}

/// Session settings: Prisma's engine has foreign keys on, too. Reading the schema version makes `SQLite` look at the file now,
/// so that "not a database" shows here.
fn setup(access: Access) -> &'static str {
    match access {
        Access::Look | Access::Read => "PRAGMA foreign_keys = ON; PRAGMA query_only = ON; PRAGMA schema_version;",
        Access::Write | Access::Create => "PRAGMA foreign_keys = ON; PRAGMA schema_version;",
    }
}

/// Has the library itself wait for another program, where there is no brake that sees to it.
fn busy_timeout(limit: Duration) -> String {
    format!("PRAGMA busy_timeout = {};", limit.as_millis().min(LONGEST_WAIT))
}

/// Milliseconds: the library counts them so.
const LONGEST_WAIT: u128 = 0x7FFF_FFFF;

/// The path as a `file:` URI: diesel opens everything as one, and a `?` or `%` in a name would be read as syntax.
fn uri(path: &str, mode: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~:\\".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?mode=" + mode
}

/// How `SQLite` says that somebody else is at work on the file.
const BUSY: [&str; 4] = [
    "database is locked",
    "database table is locked",
    "database schema is locked",
    "database is busy",
];

/// Whether somebody else was at work on the file for too long. A trigger's own words may say that something is locked, too.
pub(crate) fn is_busy(error: &ServerError) -> bool {
    let lost = error.connection_lost || error.sqlstate.is_some();
    !lost && BUSY.iter().any(|words| error.message.starts_with(words))
}

/// Whether a statement has not failed, but was ended.
pub(crate) fn is_interrupted(error: &ServerError) -> bool {
    error.sqlstate.is_none() && error.message == "interrupted"
}

/// What `SQLite` reported.
pub(crate) fn sqlite_error(error: &diesel::result::Error) -> ServerError {
    match error {
        diesel::result::Error::DatabaseError(_, information) => ServerError::text(information.message()),
        other => ServerError::text(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }

    fn opened(path: &Path) -> SqliteFile {
        open_file(path, Access::Create, Duration::ZERO, "test").unwrap()
    }

    fn rows(connection: &mut SqliteConnection) -> i64 {
        let count: Count = sql_query("SELECT count(*) AS n FROM t").get_result(connection).unwrap();
        count.n
    }

    fn mode(connection: &mut SqliteConnection) -> String {
        let mode: JournalMode = sql_query("PRAGMA journal_mode").get_result(connection).unwrap();
        mode.journal_mode
    }

    #[test]
    fn the_journal_stays_while_the_file_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let (path, journal) = (folder.path().join("a.db"), folder.path().join("a.db-journal"));
        let mut file = opened(&path);
        file.batch_execute("CREATE TABLE t (a)").unwrap();
        file.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        assert!(journal.exists());
        // Somebody who keeps journals as usual is not in the way, and takes this one for none.
        let mut other = connect(&path, Access::Write, Duration::ZERO, "test").unwrap();
        assert_eq!(rows(&mut other), 1);
        other.batch_execute("INSERT INTO t VALUES (2)").unwrap();
        file.batch_execute("INSERT INTO t VALUES (3)").unwrap();
        assert_eq!(rows(&mut other), 3);
        drop(file);
        assert!(!journal.exists());
        assert_eq!(rows(&mut other), 3);
    }

    #[test]
    fn what_a_killed_process_leaves_is_removed_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let (path, journal) = (folder.path().join("a.db"), folder.path().join("a.db-journal"));
        let mut file = opened(&path);
        file.batch_execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
            .unwrap();
        std::mem::forget(file);
        assert!(journal.exists());
        assert_eq!(rows(&mut opened(&path)), 1);
        assert!(!journal.exists());
    }

    #[test]
    fn closing_a_file_waits_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (path, journal) = (folder.path().join("a.db"), folder.path().join("a.db-journal"));
        let mut file = open_file(&path, Access::Create, Duration::from_hours(1), "test").unwrap();
        file.batch_execute("CREATE TABLE t (a)").unwrap();
        let mut other = opened(&path);
        other.batch_execute("BEGIN EXCLUSIVE").unwrap();
        drop(file);
        assert!(journal.exists());
        drop(other);
        assert!(!journal.exists(), "whoever is the last removes it");
    }

    #[test]
    fn a_large_transaction_leaves_no_large_journal() {
        let folder = tempfile::tempdir().unwrap();
        let (path, journal) = (folder.path().join("a.db"), folder.path().join("a.db-journal"));
        let mut file = opened(&path);
        file.batch_execute("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(4000000))")
            .unwrap();
        file.batch_execute("UPDATE t SET a = zeroblob(4000001)").unwrap();
        assert!(journal.metadata().unwrap().len() <= JOURNAL_BYTES.into());
    }

    #[test]
    fn other_ways_of_keeping_a_journal_are_the_files_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        // Before, and by a migration.
        opened(&path).batch_execute("PRAGMA journal_mode = WAL").unwrap();
        assert_eq!(mode(&mut opened(&path)), "wal");
        opened(&path).batch_execute("PRAGMA journal_mode = DELETE").unwrap();
        assert_eq!(mode(&mut opened(&path)), "persist");
        assert_eq!(
            mode(&mut connect(&path, Access::Read, Duration::ZERO, "test").unwrap()),
            "delete"
        );
    }
}
