//! How far an unfinished migration came.

use diesel::sql_types::{Integer, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use jiff::Timestamp;

use crate::connection::{Connection, on_backend};
use crate::error::DatabaseError;
use crate::sql_text::literal;
use crate::state::prefix;

/// Which way a script goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It is being applied.
    Up,
    /// It is being taken back.
    Down,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What is known about a script that is not through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Row of the ledger.
    pub row: String,
    /// Which way.
    pub direction: Direction,
    /// Statements that are in.
    pub done: usize,
    /// Digest of their text.
    pub digest: String,
    /// A statement that was sent outside a transaction and of which no end is known.
    pub in_flight: Option<usize>,
    /// That statement may be sent again whatever became of it.
    pub repeatable: bool,
}

#[derive(QueryableByName)]
struct Raw {
    #[diesel(sql_type = Integer)]
    done: i32,
    #[diesel(sql_type = Text)]
    digest: String,
    #[diesel(sql_type = Nullable<Integer>)]
    in_flight: Option<i32>,
    #[diesel(sql_type = Integer)]
    repeatable: i32,
}

impl Progress {
    /// Nothing is in yet.
    pub(crate) fn start(row: &str, direction: Direction) -> Self {
        Self {
            row: row.to_owned(),
            direction,
            done: 0,
            digest: crate::ledger::checksum(b""),
            in_flight: None,
            repeatable: false,
        }
    }

    /// A statement that records it.
    pub(crate) fn save(&self, postgres: bool) -> String {
        let in_flight = self
            .in_flight
            .map_or_else(|| "NULL".to_owned(), |index| index.to_string());
        format!(
            "INSERT INTO {}statement_progress (row_id, direction, done, digest, in_flight, repeatable, updated_at) \
             VALUES ({}, '{}', {}, {}, {in_flight}, {}, '{:.6}') ON CONFLICT (row_id, direction) DO UPDATE SET \
             done = excluded.done, digest = excluded.digest, in_flight = excluded.in_flight, \
             repeatable = excluded.repeatable, updated_at = excluded.updated_at;",
            prefix(postgres),
            literal(&self.row),
            self.direction.word(),
            self.done,
            literal(&self.digest),
            i32::from(self.repeatable),
            Timestamp::now()
        )
    }
}

/// A statement that forgets what is known of a row.
pub(crate) fn forget(postgres: bool, row: &str) -> String {
    format!(
        "DELETE FROM {}statement_progress WHERE row_id = {};",
        prefix(postgres),
        literal(row)
    )
}

/// What is known of a row.
pub(crate) fn read(
    connection: &mut Connection,
    row: &str,
    direction: Direction,
) -> Result<Option<Progress>, DatabaseError> {
    let query = format!(
        "SELECT done, digest, in_flight, repeatable FROM {}statement_progress WHERE row_id = {} AND direction = '{}'",
        prefix(connection.is_postgres()),
        literal(row),
        direction.word()
    );
    let rows: Result<Vec<Raw>, _> = on_backend!(&mut *connection, inner => sql_query(query).load(inner));
    let rows = rows.map_err(|error| connection.explain("read how far a migration came", &error))?;
    Ok(rows.into_iter().next().map(|raw| Progress {
        row: row.to_owned(),
        direction,
        done: usize::try_from(raw.done).unwrap_or(0),
        digest: raw.digest,
        in_flight: raw.in_flight.and_then(|index| usize::try_from(index).ok()),
        repeatable: raw.repeatable != 0,
    }))
}
