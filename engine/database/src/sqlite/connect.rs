//! Opening `SQLite` files.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::error::{DatabaseError, ServerError};
use crate::sqlite::target::SqliteTarget;

/// What may happen to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing is written.
    Read,
    /// It exists and is written.
    Write,
    /// It is made when it is not there.
    Create,
}

/// Opens the target's file.
pub(crate) fn open(target: &SqliteTarget, access: Access) -> Result<SqliteConnection, DatabaseError> {
    open_file(&target.path, access, target.busy_timeout, &target.describe())
}

/// Opens a file.
pub(crate) fn open_file(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
    describe: &str,
) -> Result<SqliteConnection, DatabaseError> {
    if !path.exists() {
        if access != Access::Create {
            return Err(DatabaseError::Missing {
                target: describe.to_owned(),
            });
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| DatabaseError::NotOpened {
                target: describe.to_owned(),
                reason: format!("cannot make the folder {}: {error}", folder.display()),
            })?;
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
    let mode = if access == Access::Create { "rwc" } else { "rw" };
    let not_opened = |reason: String| DatabaseError::NotOpened {
        target: describe.to_owned(),
        reason,
    };
    let mut connection =
        SqliteConnection::establish(&uri(text, mode)).map_err(|error| not_opened(error.to_string()))?;
    let setup = setup(access, busy_timeout);
    connection
        .batch_execute(&setup)
        .map_err(|error| not_opened(sqlite_error(&error).message))?;
    Ok(connection)
}

/// Session settings: Prisma's engine has foreign keys on, too.
fn setup(access: Access, busy_timeout: Duration) -> String {
    let query_only = if access == Access::Read {
        "PRAGMA query_only = ON;"
    } else {
        ""
    };
    // Reading the schema version makes SQLite look at the file now, so that "not a database" shows here.
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA foreign_keys = ON; {query_only} PRAGMA schema_version;",
        busy_timeout.as_millis()
    )
}

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

/// What `SQLite` reported.
pub(crate) fn sqlite_error(error: &diesel::result::Error) -> ServerError {
    match error {
        diesel::result::Error::DatabaseError(_, information) => ServerError::text(information.message()),
        other => ServerError::text(other.to_string()),
    }
}
