//! What a connection URL means: which server, which database, how to get in. Opens nothing, reads no environment.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tollgate_sql::Dialect;

use crate::postgres::target::PostgresTarget;
use crate::sqlite::connect::exists;
use crate::sqlite::target::SqliteTarget;
use crate::url::UrlError;

/// A string that prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: only for handing it to a driver and for redaction.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A database to connect to. Neither `Debug` nor [`Target::describe`] shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) kind: TargetKind,
}

/// Which backend, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Postgres(Box<PostgresTarget>),
    Sqlite(SqliteTarget),
}

impl Target {
    /// Reads a Prisma connection URL. Paths in it are relative to `relative_to`.
    ///
    /// Every parameter that Prisma knows is understood or refused by name; an unknown one is an error.
    pub fn parse(url: &str, relative_to: &Path) -> Result<Self, UrlError> {
        let url = url.trim();
        if url.is_empty() {
            return Err(UrlError::Empty);
        }
        let (scheme, rest) = url.split_once(':').ok_or(UrlError::UnknownScheme)?;
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => {
                let rest = rest.strip_prefix("//").ok_or(UrlError::UnknownScheme)?;
                TargetKind::Postgres(Box::new(PostgresTarget::parse(rest, relative_to)?))
            }
            "file" | "sqlite" => TargetKind::Sqlite(SqliteTarget::parse(rest, relative_to)?),
            "mysql" | "mariadb" => return Err(UrlError::NotYet { scheme: "MySQL" }),
            "sqlserver" => return Err(UrlError::NotYet { scheme: "SQL Server" }),
            "mongodb" | "mongodb+srv" => return Err(UrlError::NotYet { scheme: "MongoDB" }),
            "prisma" | "prisma+postgres" => {
                return Err(UrlError::NotYet {
                    scheme: "Prisma Accelerate",
                });
            }
            _ => return Err(UrlError::UnknownScheme),
        };
        Ok(Self { kind })
    }

    /// Whether it is a file that is not there.
    pub fn is_missing_file(&self) -> bool {
        matches!(&self.kind, TargetKind::Sqlite(target) if matches!(exists(&target.path), Ok(false)))
    }

    /// Which grammar its scripts are written in.
    pub fn dialect(&self) -> Dialect {
        match &self.kind {
            TargetKind::Postgres(_) => Dialect::Postgres,
            TargetKind::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Host, port, database and schema, or the file: for people, without credentials.
    pub fn describe(&self) -> String {
        match &self.kind {
            TargetKind::Postgres(target) => target.describe(),
            TargetKind::Sqlite(target) => target.describe(),
        }
    }

    /// The schema that the ledger and unqualified names live in. `None` on `SQLite`.
    pub fn schema(&self) -> Option<&str> {
        match &self.kind {
            TargetKind::Postgres(target) => Some(&target.schema),
            TargetKind::Sqlite(_) => None,
        }
    }

    /// Everything that must never be printed: passwords as they stand in the URL and decoded.
    pub fn secrets(&self) -> Vec<String> {
        match &self.kind {
            TargetKind::Postgres(target) => target.secrets(),
            TargetKind::Sqlite(_) => Vec::new(),
        }
    }
}

/// A whole number of seconds; 0 means no limit.
pub(crate) fn seconds(name: &'static str, value: &str) -> Result<Option<Duration>, UrlError> {
    let seconds: u64 = value
        .parse()
        .map_err(|_| UrlError::parameter(name, "is not a whole number of seconds", None))?;
    Ok(Some(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs))
}

/// A number that has no effect here, checked all the same so that a typing error shows.
pub(crate) fn number(name: &'static str, value: &str) -> Result<(), UrlError> {
    value
        .parse::<u64>()
        .map(drop)
        .map_err(|_| UrlError::parameter(name, "is not a whole number", None))
}

/// A path of a parameter, relative to `base`.
pub(crate) fn path(base: &Path, value: &str) -> PathBuf {
    base.join(value)
}
