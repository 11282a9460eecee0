//! What a statement really locks and writes anew, seen from inside its transaction just before it is committed.
//!
//! For databases that nobody needs: every statement is committed by itself, whatever its file says of transactions.

mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{BigInt, Nullable, Oid, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_schema::locks::LockMode;
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::connection::Connection;
use crate::database::Database;
use crate::error::DatabaseError;
use crate::interrupt::Interrupt;
use crate::postgres::connection::PgConnection;

/// What a statement did to the relations that were there before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// The strongest lock on each.
    pub locks: Vec<ObservedLock>,
    /// Tables, materialized views and indexes that lie in another file now.
    pub rewritten: Vec<ObjectName>,
    /// Tables that were read from end to end.
    pub read: Vec<ObjectName>,
}

/// A lock that was held, or waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedLock {
    /// On what.
    pub relation: ObjectName,
    /// What that is.
    pub kind: ObjectKind,
    /// How.
    pub mode: LockMode,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Oid)]
    oid: u32,
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Oid>)]
    file: Option<u32>,
    #[diesel(sql_type = BigInt)]
    scans: i64,
}

#[derive(QueryableByName)]
struct LockRow {
    #[diesel(sql_type = Oid)]
    oid: u32,
    #[diesel(sql_type = Text)]
    mode: String,
}

/// Relations as they are at one moment, by their number.
struct Picture(BTreeMap<u32, Row>);

/// Everything that is somebody's. Names beginning with `pg_` are the server's.
const RELATIONS: &str = "SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, \
     pg_catalog.pg_relation_filenode(c.oid) AS file, \
     coalesce(pg_catalog.pg_stat_get_xact_numscans(c.oid), 0)::bigint AS scans \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f', 'S', 'i', 'I') \
     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY c.oid";

const LOCKS: &str = "SELECT l.relation AS oid, l.mode FROM pg_catalog.pg_locks l \
     WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted \
     AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";

impl Database {
    /// Runs one statement in a transaction of its own, looks at what it has locked, read and rewritten, and commits it.
    ///
    /// # Errors
    /// The statement fails, or this is not PostgreSQL. Then nothing of it is left.
    pub fn observe(&mut self, sql: &str, interrupt: &Interrupt) -> Result<Observation, DatabaseError> {
        self.cancelled_by(interrupt, None, |database| database.observe_now(sql))
    }

    fn observe_now(&mut self, sql: &str) -> Result<Observation, DatabaseError> {
        let connection = self.postgres()?;
        run(connection, "BEGIN")?;
        let observed = observe(connection, sql);
        match observed {
            Ok(observation) => {
                run(connection, "COMMIT")?;
                Ok(observation)
            }
            Err(error) => {
                // The session may be gone; why the statement failed matters more.
                let _ = run(connection, "ROLLBACK");
                Err(error)
            }
        }
    }

    /// Runs one statement that the server runs outside of transactions only. What it locks is seen by keeping it from
    /// `tables` until it waits for them: others hold each in a mode that the expected lock, and hardly a weaker one, has
    /// to wait for. What it locks besides is not seen, and what it reads isn't, either.
    ///
    /// # Errors
    /// The statement fails, or this is not PostgreSQL.
    pub fn observe_outside(
        &mut self,
        sql: &str,
        tables: &[(ObjectName, LockMode)],
        interrupt: &Interrupt,
    ) -> Result<Observation, DatabaseError> {
        self.cancelled_by(interrupt, None, |database| database.observe_outside_now(sql, tables))
    }

    fn observe_outside_now(
        &mut self,
        sql: &str,
        tables: &[(ObjectName, LockMode)],
    ) -> Result<Observation, DatabaseError> {
        let target = self.target.clone();
        let options = self.options.clone();
        let connection = self.postgres()?;
        let before = Picture::of(connection)?;
        let pid = waiting::backend(connection)?;
        let locks = waiting::watch(&target, &options, pid, tables, || run(connection, sql))?;
        let after = Picture::of(connection)?;
        let mut observation = before.compare(&after, &[]);
        observation.read.clear();
        for (relation, mode) in locks {
            let kind = before.kind(&relation).unwrap_or(ObjectKind::Table);
            observation.locks.push(ObservedLock { relation, kind, mode });
        }
        Ok(observation)
    }

    /// Runs one statement by itself and looks at nothing.
    ///
    /// # Errors
    /// The statement fails.
    pub fn run_alone(&mut self, sql: &str, interrupt: &Interrupt) -> Result<(), DatabaseError> {
        self.cancelled_by(interrupt, None, |database| {
            database.connection.run_own("run the statement", sql)
        })
    }

    /// Puts back what statements have set for the session, and drops its temporary tables.
    ///
    /// # Errors
    /// The server does not answer any more.
    pub fn end_script(&mut self) -> Result<(), DatabaseError> {
        self.connection.run_own("end a script", "DISCARD TEMP")?;
        self.restore_session(true)
    }

    fn postgres(&mut self) -> Result<&mut PgConnection, DatabaseError> {
        let place = self.target.describe();
        match &mut self.connection {
            Connection::Postgres(connection) => Ok(connection),
            Connection::Sqlite(_) => Err(DatabaseError::Unsupported {
                target: place,
                reason: "SQLite locks the whole database and nothing smaller, so there is nothing to look at"
                    .to_owned(),
            }),
        }
    }
}

fn run(connection: &mut PgConnection, sql: &str) -> Result<(), DatabaseError> {
    let ran = connection.execute_script(sql);
    ran.map_err(|error| DatabaseError::server("run the statement", error))
}

fn observe(connection: &mut PgConnection, sql: &str) -> Result<Observation, DatabaseError> {
    let before = Picture::of(connection)?;
    run(connection, sql)?;
    let locks: Vec<LockRow> = load(connection, LOCKS)?;
    let after = Picture::of(connection)?;
    Ok(before.compare(&after, &locks))
}

fn load<T>(connection: &mut PgConnection, query: &str) -> Result<Vec<T>, DatabaseError>
where
    T: QueryableByName<diesel::pg::Pg> + 'static,
{
    let rows: Result<Vec<T>, _> = sql_query(query).load(connection);
    rows.map_err(|error| DatabaseError::server("look at locks", connection.explain(&error)))
}

impl Picture {
    fn of(connection: &mut PgConnection) -> Result<Self, DatabaseError> {
        let rows: Vec<Row> = load(connection, RELATIONS)?;
        Ok(Self(rows.into_iter().map(|row| (row.oid, row)).collect()))
    }

    fn kind(&self, name: &ObjectName) -> Option<ObjectKind> {
        self.0.values().find(|row| row.object() == *name).map(Row::object_kind)
    }

    /// An index that was made anew has another number.
    fn successor(&self, of: &Row) -> Option<&Row> {
        self.0
            .values()
            .find(|row| row.kind == of.kind && row.object() == of.object())
    }

    /// What is new is nobody else's business: only relations of before are told of, by the names that they had.
    fn compare(&self, after: &Self, locks: &[LockRow]) -> Observation {
        let mut strongest: BTreeMap<u32, LockMode> = BTreeMap::new();
        for lock in locks {
            if let Some(mode) = LockMode::from_catalog(&lock.mode) {
                let known = strongest.entry(lock.oid).or_insert(mode);
                *known = mode.max(*known);
            }
        }
        let held = strongest.iter().filter_map(|(oid, mode)| {
            let row = self.0.get(oid)?;
            Some(ObservedLock {
                relation: row.object(),
                kind: row.object_kind(),
                mode: *mode,
            })
        });
        let mut read = BTreeSet::new();
        let mut rewritten = BTreeSet::new();
        for (oid, row) in &self.0 {
            // Sequences take a new file for a new beginning.
            if row.kind == "S" {
                continue;
            }
            let Some(now) = after.0.get(oid).or_else(|| after.successor(row)) else {
                continue;
            };
            if now.scans > row.scans && row.kind != "i" {
                read.insert(row.object());
            }
            if now.file != row.file && now.file.is_some() && row.file.is_some() {
                rewritten.insert(row.object());
            }
        }
        Observation {
            locks: held.collect(),
            rewritten: rewritten.into_iter().collect(),
            read: read.into_iter().collect(),
        }
    }
}

impl Row {
    fn object(&self) -> ObjectName {
        ObjectName::qualified(&self.schema, &self.name)
    }

    fn object_kind(&self) -> ObjectKind {
        match self.kind.as_str() {
            "v" => ObjectKind::View,
            "m" => ObjectKind::MaterializedView,
            "f" => ObjectKind::ForeignTable,
            "S" => ObjectKind::Sequence,
            "i" | "I" => ObjectKind::Index,
            _ => ObjectKind::Table,
        }
    }
}
