//! Emptying a database, so that all migrations can be applied to it again: everything goes in one transaction, or nothing.

use std::time::Duration;

use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::{Connection, on_backend};
use crate::database::Database;
use crate::error::DatabaseError;
use crate::ledger::{TABLE, store::Place};
use crate::sql_text::{identifier, literal};
use crate::state::prefix;

/// What is to be emptied beside the target's own schema. PostgreSQL only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlsoEmptied {
    /// Other schemas that the migrations create.
    pub schemas: Vec<String>,
    /// Extensions that the migrations create.
    pub extensions: Vec<String>,
}

#[derive(QueryableByName)]
struct Item {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Owned {
    #[diesel(sql_type = Bool)]
    owned: bool,
}

const DOING: &str = "empty the database";

/// What can lie in a schema, as `pg_identify_object` names it, and the word after DROP. What others hang on comes first.
const KINDS: [(&str, &str); 21] = [
    ("extension", "EXTENSION"),
    ("table", "TABLE"),
    ("foreign table", "FOREIGN TABLE"),
    ("materialized view", "MATERIALIZED VIEW"),
    ("view", "VIEW"),
    ("statistics object", "STATISTICS"),
    ("sequence", "SEQUENCE"),
    ("aggregate", "AGGREGATE"),
    ("procedure", "PROCEDURE"),
    ("function", "FUNCTION"),
    ("operator class", "OPERATOR CLASS"),
    ("operator family", "OPERATOR FAMILY"),
    ("operator", "OPERATOR"),
    ("conversion", "CONVERSION"),
    ("composite type", "TYPE"),
    ("type", "TYPE"),
    ("collation", "COLLATION"),
    ("text search configuration", "TEXT SEARCH CONFIGURATION"),
    ("text search dictionary", "TEXT SEARCH DICTIONARY"),
    ("text search parser", "TEXT SEARCH PARSER"),
    ("text search template", "TEXT SEARCH TEMPLATE"),
];

impl Database {
    /// Drops everything in the target's schema, or in the file, the ledger included, and forgets what Tollgate knows about
    /// that ledger. The schema itself stays, with its owner, its privileges and its default privileges. Extensions of
    /// another owner stay too. The caller holds the run lock. `lock_timeout` is how long to wait for sessions that use what
    /// is dropped; on `SQLite` that stands in the URL.
    ///
    /// # Errors
    /// Something cannot be dropped, for want of ownership usually; then nothing is.
    pub fn empty(&mut self, also: &AlsoEmptied, lock_timeout: Option<Duration>) -> Result<(), DatabaseError> {
        self.end_catalogs();
        let knows = self.read_state()?.is_some();
        if knows {
            // From reading it to writing it.
            self.prepare_state()?;
            self.make_tables(&crate::state::setup::TABLES)?;
        }
        let rows: Vec<String> = self
            .ledger()
            .unwrap_or_default()
            .unwrap_or_default()
            .into_iter()
            .map(|row| row.id)
            .collect();
        let forget = forget(self.connection.is_postgres(), &self.place, &rows);
        if self.connection.is_postgres() {
            let forget = if knows { forget.as_str() } else { "" };
            self.empty_postgres(also, forget, lock_timeout)?;
        } else {
            self.empty_sqlite()?;
            if knows {
                self.state_connection().run_own(
                    "forget what was known of the database",
                    &format!("BEGIN; {forget} COMMIT"),
                )?;
            }
        }
        self.forget_ledger();
        Ok(())
    }

    fn empty_postgres(
        &mut self,
        also: &AlsoEmptied,
        forget: &str,
        lock_timeout: Option<Duration>,
    ) -> Result<(), DatabaseError> {
        let own = self.place.schema.clone().unwrap_or_else(|| "public".to_owned());
        let limit = lock_timeout.map_or(0, |limit| limit.as_millis());
        let begin = format!("BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = {limit}");
        self.connection.run_own(DOING, &begin)?;
        let done = self.drop_all(&own, also, forget);
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.connection.run_own(DOING, end);
        done.and(ended)
    }

    fn drop_all(&mut self, own: &str, also: &AlsoEmptied, forget: &str) -> Result<(), DatabaseError> {
        self.connection.run_own(DOING, forget)?;
        for extension in &also.extensions {
            let name = literal(extension);
            // Whoever may not drop it has not made it by a migration either.
            if self.owns(&format!(
                "SELECT pg_catalog.pg_has_role(extowner, 'USAGE') AS owned FROM pg_catalog.pg_extension WHERE extname = {name}"
            ))? {
                let sql = format!("DROP EXTENSION {} CASCADE", identifier(extension));
                self.connection.run_own(DOING, &sql)?;
            }
        }
        for schema in &also.schemas {
            let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", identifier(schema));
            self.connection.run_own(DOING, &sql)?;
        }
        for item in self.items(own)? {
            let Some((_, word)) = KINDS.iter().find(|(kind, _)| *kind == item.kind) else {
                continue;
            };
            let sql = format!("DROP {word} IF EXISTS {} CASCADE", item.name);
            self.connection.run_own(DOING, &sql)?;
        }
        Ok(())
    }

    fn owns(&mut self, query: &str) -> Result<bool, DatabaseError> {
        let found: Result<Vec<Owned>, _> = on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
        let found = found.map_err(|error| self.connection.explain(DOING, &error))?;
        Ok(found.iter().any(|row| row.owned))
    }

    /// What lies in a schema and does not belong to something else there: members of extensions and parts of other
    /// objects go with those.
    fn items(&mut self, schema: &str) -> Result<Vec<Item>, DatabaseError> {
        let kinds: Vec<_> = KINDS.iter().map(|(kind, _)| literal(kind)).collect();
        let kinds = kinds.join(", ");
        let query = format!(
            "SELECT i.type AS kind, i.identity AS name FROM pg_catalog.pg_depend d \
             CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i \
             WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass \
             AND d.refobjid = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {schema}) \
             AND i.identity IS NOT NULL AND i.type IN ({kinds}) \
             AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend m WHERE m.classid = d.classid AND m.objid = d.objid \
             AND m.deptype IN ('e', 'i') AND NOT (m.refclassid = m.classid AND m.refobjid = m.objid)) \
             AND (i.type <> 'extension' OR EXISTS (SELECT 1 FROM pg_catalog.pg_extension e WHERE e.oid = d.objid \
             AND pg_catalog.pg_has_role(e.extowner, 'USAGE'))) \
             ORDER BY pg_catalog.array_position(ARRAY[{kinds}], i.type), i.identity",
            schema = literal(schema)
        );
        let found: Result<Vec<Item>, _> = on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
        found.map_err(|error| self.connection.explain(DOING, &error))
    }

    fn empty_sqlite(&mut self) -> Result<(), DatabaseError> {
        // Views and triggers first: they may name what is gone. A virtual table takes the tables behind it along.
        let query = "SELECT type AS kind, name FROM sqlite_master WHERE type IN ('view', 'trigger', 'table') \
                     AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                     ORDER BY type = 'table', type = 'view', sql NOT LIKE 'CREATE VIRTUAL%', name";
        self.connection
            .run_own(DOING, "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE")?;
        let mut work = || -> Result<(), DatabaseError> {
            let found: Result<Vec<Item>, _> = on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
            for item in found.map_err(|error| self.connection.explain(DOING, &error))? {
                let sql = format!("DROP {} IF EXISTS {}", item.kind, identifier(&item.name));
                self.connection.run_own(DOING, &sql)?;
            }
            self.connection.run_own(DOING, "PRAGMA user_version = 0")
        };
        let done = work();
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.connection.run_own(DOING, end);
        self.connection.run_own(DOING, "PRAGMA foreign_keys = ON")?;
        done.and(ended)
    }

    /// Other schemas of these names that hold a ledger, and so belong to another project.
    pub fn schemas_with_ledger(&mut self, schemas: &[String]) -> Result<Vec<String>, DatabaseError> {
        let Connection::Postgres(_) = &self.connection else {
            return Ok(Vec::new());
        };
        let names: Vec<_> = schemas.iter().map(|schema| literal(schema)).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT 'schema' AS kind, n.nspname::text AS name FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = '{TABLE}' AND n.nspname IN ({})",
            names.join(", ")
        );
        let found: Result<Vec<Item>, _> = on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
        let found = found.map_err(|error| self.connection.explain("look for other ledgers", &error))?;
        Ok(found.into_iter().map(|item| item.name).collect())
    }
}

/// Statements that forget everything about a ledger but its lease, which is held by somebody now.
fn forget(postgres: bool, place: &Place, rows: &[String]) -> String {
    let prefix = prefix(postgres);
    let ledger = literal(place.schema.as_deref().unwrap_or("main"));
    let mut sql = String::new();
    for table in ["outbox", "approvals", "rollback_plans"] {
        sql += &format!("DELETE FROM {prefix}{table} WHERE ledger = {ledger}; ");
    }
    sql += &format!(
        "DELETE FROM {prefix}findings WHERE run_id IN (SELECT id FROM {prefix}runs WHERE ledger = {ledger}); \
         DELETE FROM {prefix}runs WHERE ledger = {ledger}; "
    );
    for row in rows {
        sql += &format!(
            "DELETE FROM {prefix}statement_progress WHERE row_id = {}; ",
            literal(row)
        );
    }
    sql
}
