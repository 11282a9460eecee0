//! `SQLite` connection URLs: `file:` and `sqlite:`, as Prisma reads them.

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
    /// It is a scratch database: what runs on it must not reach any other file.
    pub scratch: bool,
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
            scratch: false,
        })
    }

    /// The file.
    pub(crate) fn describe(&self) -> String {
        format!("SQLite database {}", self.path.display())
    }

    /// The sidecar file with Tollgate's own tables: `X` has `X.tollgate.db`, whatever the name ends with, so that no two
    /// databases of a folder share one.
    pub(crate) fn state_path(&self) -> PathBuf {
        let own = self.beside(".tollgate.db");
        match self.former_state_path() {
            Some(former) if !own.exists() => former,
            _ => own,
        }
    }

    /// The sidecar file from a time when that of `dev.db` was `dev.tollgate.db`, where it is there and can only be this
    /// database's: what is kept in it must not be lost.
    fn former_state_path(&self) -> Option<PathBuf> {
        let path = self.resolved();
        let stem = path
            .extension()
            .filter(|extension| *extension == "db")
            .and(path.file_stem())?;
        let namesake = path.with_file_name(stem);
        let former = appended(&namesake, ".tollgate.db");
        (former.exists() && !namesake.is_file()).then_some(former)
    }

    /// The file that is locked while a run works on the database.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.beside(".tollgate.lock")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        appended(&self.resolved(), suffix)
    }

    /// Of a link the file that it leads to: all ways to one database have one lock.
    fn resolved(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }
}

fn appended(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn state_of(folder: &Path, name: &str) -> String {
        let target = SqliteTarget::parse(name, &folder.canonicalize().unwrap()).unwrap();
        let path = target.state_path();
        path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn every_database_of_a_folder_has_its_own_state() {
        let folder = tempfile::tempdir().unwrap();
        for (name, state) in [
            ("dev", "dev.tollgate.db"),
            ("dev.db", "dev.db.tollgate.db"),
            ("dev.sqlite", "dev.sqlite.tollgate.db"),
        ] {
            assert_eq!(state_of(folder.path(), name), state);
        }
    }

    #[test]
    fn a_state_of_the_former_name_is_used_where_it_is_this_databases() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        let state = || state_of(folder.path(), "dev.db");
        make("dev.tollgate.db");
        assert_eq!(state(), "dev.tollgate.db");
        make("dev.db.tollgate.db");
        assert_eq!(state(), "dev.db.tollgate.db");
        std::fs::remove_file(folder.path().join("dev.db.tollgate.db")).unwrap();
        make("dev");
        assert_eq!(state(), "dev.db.tollgate.db", "that one may be the other database's");
        assert_eq!(state_of(folder.path(), "dev"), "dev.tollgate.db");
    }
}
