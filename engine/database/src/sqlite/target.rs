//! `SQLite` connection URLs: `file:` and `sqlite:`, as Prisma reads them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::target::{number, seconds};
use crate::url::{Parameter, UrlError, split_query};

const KNOWN: &str = "socket_timeout (how long to wait for another process), and (without effect here) connection_limit, \
    pool_timeout, connect_timeout, max_connection_lifetime, max_idle_connection_lifetime";

/// How long to wait for another process that writes: Prisma's default.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A `SQLite` file to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqliteTarget {
    pub path: PathBuf,
    pub busy_timeout: Duration,
}

impl SqliteTarget {
    /// Reads what follows `file:` or `sqlite:`. The path is taken as it is, without percent-decoding, as Prisma does:
    /// the same URL has to mean the same file to both.
    pub(crate) fn parse(rest: &str, base: &Path) -> Result<Self, UrlError> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(UrlError::MissingPart { part: "file" });
        }
        if path == ":memory:" {
            return Err(UrlError::part(
                "file",
                "is :memory:, which is gone as soon as the run ends",
            ));
        }
        if path.contains('\0') {
            return Err(UrlError::part("file", "has a zero byte in it"));
        }
        let mut busy_timeout = BUSY_TIMEOUT;
        for Parameter { name, value, .. } in split_query(query)? {
            match name.as_str() {
                "socket_timeout" => busy_timeout = seconds("socket_timeout", &value)?.unwrap_or_default(),
                "connection_limit" => number("connection_limit", &value)?,
                "pool_timeout" => number("pool_timeout", &value)?,
                "connect_timeout" => number("connect_timeout", &value)?,
                "max_connection_lifetime" => number("max_connection_lifetime", &value)?,
                "max_idle_connection_lifetime" => number("max_idle_connection_lifetime", &value)?,
                _ => {
                    return Err(UrlError::UnknownParameter {
                        name,
                        known: KNOWN.to_owned(),
                    });
                }
            }
        }
        // Component by component: drops the `.` of `./dev.db`.
        Ok(Self {
            path: base.join(path).components().collect(),
            busy_timeout,
        })
    }

    /// The file.
    pub(crate) fn describe(&self) -> String {
        format!("SQLite database {}", self.path.display())
    }

    /// The sidecar file with Tollgate's own tables: `dev.db` has `dev.tollgate.db`, any other `X` has `X.tollgate.db`.
    pub(crate) fn state_path(&self) -> PathBuf {
        self.beside(".tollgate.db")
    }

    /// The file that is locked while a run works on the database.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.beside(".tollgate.lock")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        // Of a link it is beside the file that it leads to: all ways to one database have one lock.
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let stem = match path.extension() {
            Some(extension) if extension == "db" => path.file_stem(),
            _ => path.file_name(),
        };
        let mut name = stem.map_or_else(OsString::new, OsString::from);
        name.push(suffix);
        path.with_file_name(name)
    }
}
