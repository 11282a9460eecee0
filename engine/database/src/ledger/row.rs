//! One row of the ledger, and the forms its times can have.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How the logs of a migration that was asked to stop begin.
pub(crate) const INTERRUPTED: &str = "The migration was interrupted before it was complete.";

/// A migration attempt as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// UUID, or whatever somebody put there.
    pub id: String,
    /// Checksum of the file when it was applied.
    pub checksum: String,
    /// When it was done. `None`: it failed, or runs.
    pub finished_at: Option<Timestamp>,
    /// Folder name.
    pub migration_name: String,
    /// Error text of a failed attempt.
    pub logs: Option<String>,
    /// When it was taken back or given up.
    pub rolled_back_at: Option<Timestamp>,
    /// When it began.
    pub started_at: Timestamp,
    /// Prisma's counter: 1 for a migration that was applied.
    pub applied_steps_count: i64,
}

impl LedgerRow {
    /// Applied and not taken back.
    pub fn is_applied(&self) -> bool {
        self.finished_at.is_some() && self.rolled_back_at.is_none()
    }

    /// It was asked to stop, and nothing is wrong with it.
    pub fn was_interrupted(&self) -> bool {
        self.logs.as_deref().is_some_and(|logs| logs.starts_with(INTERRUPTED))
    }

    /// Begun and neither finished nor given up: Prisma refuses to go on past such a row.
    pub fn is_failed(&self) -> bool {
        self.finished_at.is_none() && self.rolled_back_at.is_none()
    }
}

/// Why the ledger cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// A column is not there.
    #[error("the migration ledger {table} has no column \"{column}\"")]
    MissingColumn {
        /// The ledger.
        table: String,
        /// The column.
        column: &'static str,
    },
    /// A column has a type that Prisma never gave it.
    #[error("column \"{column}\" of the migration ledger {table} has type {found} instead of {expected}")]
    WrongType {
        /// The ledger.
        table: String,
        /// The column.
        column: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The name belongs to something else.
    #[error("{table} is a {found}, not the migration ledger")]
    NotATable {
        /// The ledger.
        table: String,
        /// `view`, `index`.
        found: String,
    },
    /// A value that Prisma never writes.
    #[error("column \"{column}\" of the migration ledger {table} holds {problem} in the row of \"{migration}\"")]
    BadValue {
        /// The ledger.
        table: String,
        /// The column.
        column: &'static str,
        /// Whose row.
        migration: String,
        /// What it holds.
        problem: String,
    },
}

impl LedgerError {
    /// What to do.
    pub fn help(&self) -> String {
        "compare the table with the one that Prisma Migrate or Tollgate creates, and put it right by hand".to_owned()
    }
}

/// A time as it stands in a `SQLite` ledger: milliseconds since the epoch, RFC 3339, or `CURRENT_TIMESTAMP`'s form.
pub(crate) fn sqlite_time(storage: &str, text: &str) -> Option<Timestamp> {
    match storage {
        "integer" => Timestamp::from_millisecond(text.parse().ok()?).ok(),
        "text" => text.parse::<Timestamp>().ok().or_else(|| {
            let time = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
            time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_a_sqlite_time_can_have() {
        let cases = [
            ("integer", "1700000000123", Some("2023-11-14T22:13:20.123Z")),
            ("integer", "0", Some("1970-01-01T00:00:00Z")),
            ("text", "2023-11-14T22:13:20.123Z", Some("2023-11-14T22:13:20.123Z")),
            ("text", "2023-11-14T22:13:20+00:00", Some("2023-11-14T22:13:20Z")),
            ("text", "2023-11-15T00:13:20+02:00", Some("2023-11-14T22:13:20Z")),
            ("text", "2023-11-14 22:13:20", Some("2023-11-14T22:13:20Z")),
            ("text", "14.11.2023", None),
            ("text", "", None),
            ("real", "1.5", None),
            ("blob", "x", None),
        ];
        for (storage, text, expected) in cases {
            let read = sqlite_time(storage, text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), expected, "{storage} {text}");
        }
    }
}
