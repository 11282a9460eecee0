//! Reading and writing the ledger. The table is always addressed with its schema: a migration that changes `search_path`
//! must not move it.

use std::time::Duration;

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::connection::Connection;
use crate::error::DatabaseError;
use crate::execute::session::WITHOUT_WAITING;
use crate::ledger::row::{LedgerError, LedgerRow, sqlite_time};
use crate::ledger::{TABLE, shape};
use crate::sql_text::{identifier, literal};
use crate::state::progress::Progress;

/// When a script began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// By this machine's clock.
    pub at: Timestamp,
    /// How long ago that is. A server's clock may say something else.
    pub ago: Duration,
}

/// Where the ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its schema; `None` on `SQLite`.
    pub schema: Option<String>,
}

impl Place {
    /// The table as SQL.
    pub(crate) fn sql(&self) -> String {
        format!(
            "{}.{}",
            identifier(self.schema.as_deref().unwrap_or("main")),
            identifier(TABLE)
        )
    }

    /// The table for people.
    pub(crate) fn describe(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{TABLE}"),
            None => TABLE.to_owned(),
        }
    }

    /// This moment, by the clock that all rows go by: the server's, or this machine's in milliseconds since the epoch.
    fn now(&self) -> String {
        if self.schema.is_some() {
            "pg_catalog.clock_timestamp()".to_owned()
        } else {
            Timestamp::now().as_millisecond().to_string()
        }
    }

    /// When a script began.
    fn time(&self, begun: Begun) -> String {
        if self.schema.is_some() {
            format!(
                "pg_catalog.clock_timestamp() - '{} microseconds'::pg_catalog.interval",
                begun.ago.as_micros()
            )
        } else {
            begun.at.as_millisecond().to_string()
        }
    }

    /// CREATE TABLE as Prisma writes it, byte for byte but for the schema.
    fn create(&self) -> String {
        let table = self.sql();
        if self.schema.is_some() {
            format!(
                "CREATE TABLE {table} (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)"
            )
        } else {
            // Without the schema: SQLite keeps the text of the statement as the table's definition.
            format!(
                "CREATE TABLE {} (
    \"id\"                    TEXT PRIMARY KEY NOT NULL,
    \"checksum\"              TEXT NOT NULL,
    \"finished_at\"           DATETIME,
    \"migration_name\"        TEXT NOT NULL,
    \"logs\"                  TEXT,
    \"rolled_back_at\"        DATETIME,
    \"started_at\"            DATETIME NOT NULL DEFAULT current_timestamp,
    \"applied_steps_count\"   INTEGER UNSIGNED NOT NULL DEFAULT 0
)",
                identifier(TABLE)
            )
        }
    }

    /// INSERT of a row that says: begun.
    pub(crate) fn insert_started(&self, id: &str, checksum: &str, name: &str, begun: Begun) -> String {
        format!(
            // Said again after the connection was lost, it changes nothing.
            "INSERT INTO {} (id, checksum, started_at, migration_name) VALUES ({}, {}, {}, {}) \
             ON CONFLICT (id) DO NOTHING",
            self.sql(),
            literal(id),
            literal(checksum),
            self.time(begun),
            literal(name)
        )
    }

    /// INSERT of a row that says: begun and applied, in the transaction that applies it. `values` are the identifier, the
    /// checksum and the name, as SQL; `began` is when that was by this machine's clock, for `SQLite`.
    pub(crate) fn insert_applied(&self, values: [&str; 3], began: Timestamp) -> String {
        let started = match self.schema {
            Some(_) => "pg_catalog.now()".to_owned(),
            None => began.as_millisecond().to_string(),
        };
        format!(
            "INSERT INTO {} (id, checksum, migration_name, started_at, finished_at, applied_steps_count) \
             VALUES ({}, {started}, {}, 1)",
            self.sql(),
            values.join(", "),
            self.now(),
        )
    }

    /// UPDATE that says: applied.
    pub(crate) fn finish(&self, id: &str) -> String {
        format!(
            "UPDATE {} SET applied_steps_count = 1, finished_at = {}, logs = NULL WHERE id = {}",
            self.sql(),
            self.now(),
            literal(id)
        )
    }

    /// UPDATE that says: this many statements are in.
    pub(crate) fn progress(&self, id: &str, statements: usize) -> String {
        format!(
            "UPDATE {} SET applied_steps_count = {statements} WHERE id = {}",
            self.sql(),
            literal(id)
        )
    }

    /// UPDATE that says: goes on, with the file as it is now.
    pub(crate) fn restart(&self, id: &str, checksum: &str) -> String {
        format!(
            "UPDATE {} SET checksum = {}, logs = NULL WHERE id = {}",
            self.sql(),
            literal(checksum),
            literal(id)
        )
    }

    /// UPDATE that says: failed, for this reason.
    pub(crate) fn fail(&self, id: &str, logs: &str) -> String {
        // PostgreSQL's text holds no zero bytes.
        format!(
            "UPDATE {} SET logs = {} WHERE id = {}",
            self.sql(),
            literal(&logs.replace('\0', "")),
            literal(id)
        )
    }

    /// UPDATE that keeps what the server said while it was applied.
    pub(crate) fn note(&self, id: &str, logs: &str) -> String {
        format!(
            "UPDATE {} SET logs = {} WHERE id = {} AND finished_at IS NOT NULL",
            self.sql(),
            literal(&logs.replace('\0', "")),
            literal(id)
        )
    }

    /// UPDATE that says: taken back, or nothing of it is left.
    pub(crate) fn roll_back(&self, id: &str) -> String {
        format!(
            "UPDATE {} SET rolled_back_at = {} WHERE id = {}",
            self.sql(),
            self.now(),
            literal(id)
        )
    }

    /// UPDATE that says how far taking it back has come, for a backend whose state is kept in another file: in the
    /// transaction that it is true with.
    pub(crate) fn taking_back(&self, progress: &Progress) -> String {
        format!(
            "UPDATE {} SET logs = '{TAKING_BACK}{} {}' WHERE id = {}",
            self.sql(),
            progress.done,
            progress.digest,
            literal(&progress.row)
        )
    }

    /// UPDATE that says: taken back, where [`Self::taking_back`] may have been said before. Of a migration that is recorded
    /// as applied more than once, all rows are: with one of them left it would count as applied.
    pub(crate) fn taken_back(&self, id: &str) -> String {
        format!(
            "UPDATE {table} SET rolled_back_at = {now}, logs = CASE WHEN logs LIKE '{TAKING_BACK}%' THEN NULL ELSE logs END \
             WHERE id = {id} OR (migration_name = (SELECT migration_name FROM {table} WHERE id = {id}) \
             AND finished_at IS NOT NULL AND rolled_back_at IS NULL)",
            table = self.sql(),
            now = self.now(),
            id = literal(id)
        )
    }

    /// What `resolve --applied` writes.
    pub(crate) fn baseline(&self, checksum: &str, name: &str) -> String {
        format!(
            "UPDATE {table} SET rolled_back_at = {now} WHERE migration_name = {name} AND finished_at IS NULL AND \
             rolled_back_at IS NULL; \
             INSERT INTO {table} (id, checksum, started_at, finished_at, migration_name, logs) \
             SELECT {id}, {checksum}, now, now, {name}, '' FROM (SELECT {now} AS now) AS clock",
            table = self.sql(),
            now = self.now(),
            name = literal(name),
            id = literal(&new_id()),
            checksum = literal(checksum),
        )
    }

    /// What `resolve --rolled-back` writes.
    pub(crate) fn give_up(&self, name: &str) -> String {
        format!(
            "UPDATE {} SET rolled_back_at = {} WHERE migration_name = {} AND finished_at IS NULL AND rolled_back_at IS NULL",
            self.sql(),
            self.now(),
            literal(name)
        )
    }
}

/// How the note of a rollback on its way begins. Statements that are in and their digest follow.
const TAKING_BACK: &str = "taking it back, statements in: ";

/// What [`Place::taking_back`] has written: how many statements of the way back are in, and their digest.
pub(crate) fn half_taken_back(row: &LedgerRow) -> Option<(usize, &str)> {
    let note = row.logs.as_deref()?.strip_prefix(TAKING_BACK)?;
    let (done, digest) = note.split_once(' ')?;
    Some((done.parse().ok()?, digest))
}

/// A new row's id.
pub(crate) fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// The identifier of the row for a migration's first attempt in a run: whoever knows the run can tell that the row is
/// ours, without a note about each.
pub(crate) fn id_in_run(run: &str, migration: &str) -> String {
    let digest = Sha256::digest(format!("{run}\0{migration}"));
    let bytes = std::array::from_fn(|index| digest[index]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Creates the table unless it is there. `missing`: that it is not is known.
pub(crate) fn create(connection: &mut Connection, place: &Place, missing: bool) -> Result<(), DatabaseError> {
    if !missing && shape::check(connection, place)? {
        return Ok(());
    }
    // Nobody waits for the disk here: what is written into it comes later, and takes it along.
    let at_once = if connection.is_postgres() { WITHOUT_WAITING } else { "" };
    match connection.run(&format!("{at_once}{}", place.create())) {
        // Another process was faster: 42P07 is "exists", 23505 is the race inside the server's catalog.
        Err(error) if error.is("42P07") || error.is("23505") || error.message.contains("already exists") => Ok(()),
        other => other.map_err(|error| DatabaseError::server("create the migration ledger", error)),
    }
}

#[derive(QueryableByName)]
struct Raw {
    #[diesel(sql_type = Nullable<Text>)]
    id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    checksum: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    migration_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    logs: Option<String>,
    #[diesel(sql_type = Text)]
    finished_as: String,
    #[diesel(sql_type = Nullable<Text>)]
    finished_at: Option<String>,
    #[diesel(sql_type = Text)]
    rolled_back_as: String,
    #[diesel(sql_type = Nullable<Text>)]
    rolled_back_at: Option<String>,
    #[diesel(sql_type = Text)]
    started_as: String,
    #[diesel(sql_type = Nullable<Text>)]
    started_at: Option<String>,
    #[diesel(sql_type = BigInt)]
    applied_steps_count: i64,
}

/// All rows, oldest first. `None`: there is no table.
pub(crate) fn read(connection: &mut Connection, place: &Place) -> Result<Option<Vec<LedgerRow>>, DatabaseError> {
    if !shape::check(connection, place)? {
        return Ok(None);
    }
    select(connection, place, "").map(Some)
}

/// The rows of one migration, oldest first. The table must be there.
pub(crate) fn read_of(
    connection: &mut Connection,
    place: &Place,
    migration: &str,
) -> Result<Vec<LedgerRow>, DatabaseError> {
    select(
        connection,
        place,
        &format!("WHERE migration_name = {}", literal(migration)),
    )
}

fn select(connection: &mut Connection, place: &Place, filter: &str) -> Result<Vec<LedgerRow>, DatabaseError> {
    let table = place.sql();
    let result = match connection {
        Connection::Postgres(inner) => {
            let time = |column: &str| {
                format!(
                    "'timestamptz' AS {column}_as, to_char({column}_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
                     AS {column}_at"
                )
            };
            let (finished, rolled_back, started) = (time("finished"), time("rolled_back"), time("started"));
            sql_query(format!(
                "SELECT id::text, checksum::text, migration_name::text, logs::text, {finished}, {rolled_back}, {started}, \
                 COALESCE(applied_steps_count, 0)::int8 AS applied_steps_count FROM {table} {filter} ORDER BY {table}.started_at, id"
            ))
            .load::<Raw>(&mut **inner)
        }
        Connection::Sqlite(inner) => {
            let time =
                |column: &str| format!("typeof({column}_at) AS {column}_as, CAST({column}_at AS TEXT) AS {column}_at");
            let (finished, rolled_back, started) = (time("finished"), time("rolled_back"), time("started"));
            sql_query(format!(
                "SELECT CAST(id AS TEXT) AS id, CAST(checksum AS TEXT) AS checksum, \
                 CAST(migration_name AS TEXT) AS migration_name, CAST(logs AS TEXT) AS logs, \
                 {finished}, {rolled_back}, {started}, \
                 CAST(COALESCE(applied_steps_count, 0) AS INTEGER) AS applied_steps_count \
                 FROM {table} {filter}"
            ))
            .load::<Raw>(&mut **inner)
        }
    };
    let raw = result.map_err(|error| connection.explain("read the migration ledger", &error))?;
    let mut rows = raw
        .into_iter()
        .map(|raw| raw.read(place))
        .collect::<Result<Vec<_>, _>>()?;
    // SQLite's times may be written in three ways that do not sort together.
    rows.sort_by_key(|row| row.started_at);
    Ok(rows)
}

impl Raw {
    fn read(self, place: &Place) -> Result<LedgerRow, DatabaseError> {
        let name = self.migration_name.clone().or_else(|| self.id.clone());
        let bad = |column: &'static str, problem: &str| LedgerError::BadValue {
            table: place.describe(),
            column,
            migration: name.clone().unwrap_or_default(),
            problem: problem.to_owned(),
        };
        // Only a table that somebody else has made lets these be absent.
        let there = |column, value: Option<String>| value.ok_or_else(|| bad(column, "NULL"));
        let time = |column, storage: &str, text: Option<&str>| {
            let Some(text) = text else { return Ok(None) };
            // PostgreSQL's have been written as RFC 3339 by the query.
            let storage = if storage == "timestamptz" { "text" } else { storage };
            let time = sqlite_time(storage, text);
            time.map(Some).ok_or_else(|| bad(column, "something that is no time"))
        };
        let started_at = time("started_at", &self.started_as, self.started_at.as_deref())?;
        Ok(LedgerRow {
            finished_at: time("finished_at", &self.finished_as, self.finished_at.as_deref())?,
            rolled_back_at: time("rolled_back_at", &self.rolled_back_as, self.rolled_back_at.as_deref())?,
            started_at: started_at.ok_or_else(|| bad("started_at", "NULL"))?,
            id: there("id", self.id)?,
            checksum: there("checksum", self.checksum)?,
            migration_name: there("migration_name", self.migration_name)?,
            logs: self.logs,
            applied_steps_count: self.applied_steps_count,
        })
    }
}
