//! Emptying a database, so that all migrations can be applied to it again: everything goes in one transaction, or nothing.

use std::time::Duration;

use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::{Connection, on_backend};
use crate::database::Database;
use crate::error::{DatabaseError, ServerError};
use crate::interrupt::Interrupt;
use crate::ledger::{TABLE, store::Place};
use crate::sql_text::{identifier, literal};
use crate::sqlite::connect::{is_busy, is_interrupted};
use crate::state::prefix;
use crate::target::TargetKind;

/// What is to be emptied beside the target's own schema. PostgreSQL only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlsoEmptied {
    /// Other schemas that the migrations create.
    pub schemas: Vec<String>,
    /// Extensions, wherever their parts are.
    pub extensions: Vec<String>,
}

/// Extensions that migrations create, and those in the target's schema, by what becomes of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtensionsAtHand {
    /// They are ours to drop.
    pub dropped: Vec<String>,
    /// The migrations create them, and they belong to another role here: they stay.
    pub kept: Vec<String>,
}

/// How emptying a database ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Emptying {
    /// Everything is gone.
    Done,
    /// The run was asked to stop; nothing is gone.
    Interrupted,
    /// The connection was lost at the commit, and no other one says what became of it: everything is gone, or nothing.
    Unknown(DatabaseError),
}

#[derive(QueryableByName)]
struct Item {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Extension {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    owned: bool,
}

#[derive(QueryableByName)]
struct Transaction {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct TransactionEnd {
    #[diesel(sql_type = Nullable<Text>)]
    status: Option<String>,
}

const DOING: &str = "empty the database";

/// What the sidecar is called while it is attached to `SQLite`'s main file.
const SIDECAR: &str = "tollgate_state";
const SIDECAR_PREFIX: &str = "tollgate_state.";

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
    /// is dropped; on `SQLite` that stands in the URL. Until everything is gone, `interrupt` gives it up.
    ///
    /// # Errors
    /// Something cannot be dropped, for want of ownership usually; then nothing is.
    pub fn empty(
        &mut self,
        also: &AlsoEmptied,
        lock_timeout: Option<Duration>,
        interrupt: &Interrupt,
    ) -> Result<Emptying, DatabaseError> {
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
        let place = self.place.clone();
        let forget = |prefix: &str| {
            if knows {
                forget(prefix, &place, &rows)
            } else {
                String::new()
            }
        };
        let mut committing = None;
        let dropped = self.cancelled_by(interrupt, None, |database| {
            if database.connection.is_postgres() {
                database.empty_postgres(also, &forget(prefix(true)), lock_timeout, interrupt, &mut committing)
            } else {
                database.empty_sqlite(knows, &forget(SIDECAR_PREFIX), interrupt)
            }
        });
        let emptying = match (dropped, committing) {
            (Err(error), Some(transaction)) if is_lost(&error) => match self.got_through(transaction, interrupt) {
                Some(true) => Emptying::Done,
                Some(false) => return Err(error),
                None => Emptying::Unknown(error),
            },
            (Err(DatabaseError::Server { error, .. }), _) if interrupt.asked() > 0 && was_cancelled(&error) => {
                Emptying::Interrupted
            }
            (other, _) => other?,
        };
        if emptying == Emptying::Done {
            self.forget_ledger();
        }
        Ok(emptying)
    }

    /// Asks on another connection whether a transaction was committed of which one has not heard. `None`: nobody says.
    fn got_through(&mut self, transaction: i64, interrupt: &Interrupt) -> Option<bool> {
        // This also ends what is left of the session, which might yet commit.
        self.reconnect_patiently(interrupt).ok()?;
        let query = format!("SELECT pg_catalog.txid_status({transaction}) AS status");
        let found: Result<Vec<TransactionEnd>, _> =
            on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
        match found.ok()?.pop()?.status.as_deref() {
            Some("committed") => Some(true),
            Some("aborted") => Some(false),
            // Still in progress, or forgotten.
            _ => None,
        }
    }

    fn empty_postgres(
        &mut self,
        also: &AlsoEmptied,
        forget: &str,
        lock_timeout: Option<Duration>,
        interrupt: &Interrupt,
        committing: &mut Option<i64>,
    ) -> Result<Emptying, DatabaseError> {
        let own = self.own_schema();
        let limit = lock_timeout.map_or(0, |limit| limit.as_millis());
        let begin = format!("BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = {limit}");
        self.connection.run_own(DOING, &begin)?;
        let done = self.drop_all(&own, also, forget, interrupt);
        let done = done.and_then(|()| {
            *committing = self.transaction_to_commit(interrupt)?;
            Ok(())
        });
        self.end_emptying(done, interrupt)
    }

    /// The number of the transaction that is about to be committed: by it the server tells later what became of it.
    fn transaction_to_commit(&mut self, interrupt: &Interrupt) -> Result<Option<i64>, DatabaseError> {
        if interrupt.asked() > 0 {
            return Ok(None);
        }
        let query = "SELECT pg_catalog.txid_current() AS number";
        let found: Result<Vec<Transaction>, _> =
            on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
        let found = found.map_err(|error| self.connection.explain(DOING, &error))?;
        Ok(found.first().map(|transaction| transaction.number))
    }

    /// Commits, unless something went wrong or nobody wants it any more.
    fn end_emptying(
        &mut self,
        done: Result<(), DatabaseError>,
        interrupt: &Interrupt,
    ) -> Result<Emptying, DatabaseError> {
        let (end, emptying) = match &done {
            Ok(()) if interrupt.asked() == 0 => ("COMMIT", Emptying::Done),
            _ => ("ROLLBACK", Emptying::Interrupted),
        };
        let ended = self.connection.run_own(DOING, end);
        done.and(ended).map(|()| emptying)
    }

    fn own_schema(&self) -> String {
        self.place.schema.clone().unwrap_or_else(|| "public".to_owned())
    }

    /// Drops one after the other, until nobody wants it any more.
    fn drop_all(
        &mut self,
        own: &str,
        also: &AlsoEmptied,
        forget: &str,
        interrupt: &Interrupt,
    ) -> Result<(), DatabaseError> {
        self.connection.run_own(DOING, forget)?;
        let extensions = also.extensions.iter().map(|name| ("EXTENSION", identifier(name)));
        let schemas = also.schemas.iter().map(|name| ("SCHEMA", identifier(name)));
        for (word, name) in extensions.chain(schemas) {
            if interrupt.asked() > 0 {
                return Ok(());
            }
            self.connection
                .run_own(DOING, &format!("DROP {word} IF EXISTS {name} CASCADE"))?;
        }
        for item in self.named(DOING, &format!("{} ORDER BY {ORDER}", items(own)))? {
            let word = KINDS.iter().find(|(kind, _)| *kind == item.kind).map(|(_, word)| word);
            let Some(word) = word.filter(|_| interrupt.asked() == 0) else {
                continue;
            };
            self.connection
                .run_own(DOING, &format!("DROP {word} IF EXISTS {} CASCADE", item.name))?;
        }
        Ok(())
    }

    fn named(&mut self, doing: &str, query: &str) -> Result<Vec<Item>, DatabaseError> {
        let found: Result<Vec<Item>, _> = on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
        found.map_err(|error| self.connection.explain(doing, &error))
    }

    /// The file and, where there is one, the sidecar: as one transaction over both.
    fn empty_sqlite(&mut self, knows: bool, forget: &str, interrupt: &Interrupt) -> Result<Emptying, DatabaseError> {
        let attached = match &self.target.kind {
            TargetKind::Sqlite(target) if knows => Some(target.state_path().display().to_string()),
            _ => None,
        };
        self.connection.run_own(DOING, "PRAGMA foreign_keys = OFF")?;
        if let Some(path) = &attached {
            self.connection
                .run_own(DOING, &format!("ATTACH {} AS {SIDECAR}", literal(path)))?;
        }
        let done = self.drop_in_file(forget, interrupt);
        if attached.is_some() {
            self.connection.run_own(DOING, &format!("DETACH {SIDECAR}"))?;
        }
        self.connection.run_own(DOING, "PRAGMA foreign_keys = ON")?;
        done
    }

    fn drop_in_file(&mut self, forget: &str, interrupt: &Interrupt) -> Result<Emptying, DatabaseError> {
        // Views and triggers first: they may name what is gone. A virtual table takes the tables behind it along.
        let query = "SELECT type AS kind, name FROM main.sqlite_master WHERE type IN ('view', 'trigger', 'table') \
                     AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                     ORDER BY type = 'table', type = 'view', sql NOT LIKE 'CREATE VIRTUAL%', name";
        self.connection.run_own(DOING, "BEGIN IMMEDIATE")?;
        let mut work = || -> Result<(), DatabaseError> {
            self.connection.run_own(DOING, forget)?;
            for item in self.named(DOING, query)? {
                let sql = format!("DROP {} IF EXISTS main.{}", item.kind, identifier(&item.name));
                self.connection.run_own(DOING, &sql)?;
            }
            self.connection.run_own(DOING, "PRAGMA main.user_version = 0")
        };
        let done = work();
        self.end_emptying(done, interrupt)
    }

    /// What lies outside of everything that [`Database::empty`] drops and goes all the same, because it depends on that:
    /// views and columns in other schemas, for example. One in words a line.
    pub fn hanging_on(&mut self, also: &AlsoEmptied) -> Result<Vec<String>, DatabaseError> {
        let Connection::Postgres(_) = &self.connection else {
            return Ok(Vec::new());
        };
        let found = self.named("see what depends on the schema", &hanging(&self.own_schema(), also))?;
        Ok(found.into_iter().map(|item| item.name).collect())
    }

    /// Which extensions [`Database::empty`] is to drop: of those that the migrations create, and of those that lie in the
    /// target's schema, the ones that are ours.
    pub fn extensions_at_hand(&mut self, made: &[String]) -> Result<ExtensionsAtHand, DatabaseError> {
        let Connection::Postgres(_) = &self.connection else {
            return Ok(ExtensionsAtHand::default());
        };
        let query = format!(
            "SELECT e.extname::text AS name, pg_catalog.pg_has_role(e.extowner, 'USAGE') AS owned \
             FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace \
             WHERE {} OR n.nspname = {} ORDER BY 1",
            among("e.extname", made),
            literal(&self.own_schema())
        );
        let found: Result<Vec<Extension>, _> = on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
        let found = found.map_err(|error| self.connection.explain("look for extensions", &error))?;
        let (dropped, stay): (Vec<_>, Vec<_>) = found.into_iter().partition(|extension| extension.owned);
        let names = |extensions: Vec<Extension>| extensions.into_iter().map(|extension| extension.name);
        Ok(ExtensionsAtHand {
            dropped: names(dropped).collect(),
            kept: names(stay).filter(|name| made.contains(name)).collect(),
        })
    }

    /// Other schemas of these names that hold a ledger, and so belong to another project.
    pub fn schemas_with_ledger(&mut self, schemas: &[String]) -> Result<Vec<String>, DatabaseError> {
        let Connection::Postgres(_) = &self.connection else {
            return Ok(Vec::new());
        };
        if schemas.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT 'schema' AS kind, n.nspname::text AS name FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = '{TABLE}' AND {}",
            among("n.nspname", schemas)
        );
        let found = self.named("look for other ledgers", &query)?;
        Ok(found.into_iter().map(|item| item.name).collect())
    }
}

/// The answer was lost, with the connection.
fn is_lost(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Server { error, .. } if error.connection_lost)
}

/// It has not failed, but was ended, or waited for somebody else.
fn was_cancelled(error: &ServerError) -> bool {
    error.is("57014") || is_interrupted(error) || is_busy(error)
}

/// The condition that a column holds one of these names.
fn among(column: &str, names: &[String]) -> String {
    if names.is_empty() {
        return "false".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| literal(name)).collect();
    format!("{column} IN ({})", names.join(", "))
}

/// The query for what lies in a schema and does not belong to something else there: members of extensions and parts of
/// other objects go with those.
fn items(schema: &str) -> String {
    let kinds: Vec<_> = KINDS.iter().map(|(kind, _)| literal(kind)).collect();
    let kinds = kinds.join(", ");
    format!(
        "SELECT i.type AS kind, i.identity AS name, d.classid, d.objid, \
         pg_catalog.array_position(ARRAY[{kinds}], i.type) AS turn FROM pg_catalog.pg_depend d \
         CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i \
         WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass \
         AND d.refobjid = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {schema}) \
         AND i.identity IS NOT NULL AND i.type IN ({kinds}) \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend m WHERE m.classid = d.classid AND m.objid = d.objid \
         AND m.deptype IN ('e', 'i') AND NOT (m.refclassid = m.classid AND m.refobjid = m.objid)) \
         AND (i.type <> 'extension' OR EXISTS (SELECT 1 FROM pg_catalog.pg_extension e WHERE e.oid = d.objid \
         AND pg_catalog.pg_has_role(e.extowner, 'USAGE')))",
        schema = literal(schema)
    )
}

/// The order in which [`items`] are dropped.
const ORDER: &str = "turn, name";

/// The query for what depends on everything that goes and lies outside of it.
///
/// It goes through the dependencies as DROP … CASCADE does: from an object to those that depend on it, and from a part of
/// an object to the whole, as the rule of a view is a part of the view. Of what goes outside, parts of something that goes
/// as a whole are not named; a child table or a partition is, because it may lie elsewhere with rows of its own. What holds
/// rows comes first.
fn hanging(own: &str, also: &AlsoEmptied) -> String {
    let gone: Vec<String> = also.schemas.iter().cloned().chain([own.to_owned()]).collect();
    let quote = |schema: &String| format!("pg_catalog.quote_ident({})", literal(schema));
    let quoted: Vec<String> = gone.iter().map(quote).collect();
    // Of a part of a table its address begins with the schema of that. The other name is quoted where it has to be.
    let inside = format!(
        "CASE WHEN i.type IN ('default value', 'trigger', 'policy', 'rule') THEN {} ELSE i.schema IN ({}) END",
        among("a.object_names[1]", &gone),
        quoted.join(", ")
    );
    format!(
        "WITH RECURSIVE goes (classid, objid, objsubid) AS (SELECT classid, objid, 0 FROM ({items}) items \
         UNION SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid, oid, 0 \
         FROM pg_catalog.pg_namespace WHERE {schemas} \
         UNION SELECT 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid, oid, 0 \
         FROM pg_catalog.pg_extension WHERE {extensions} \
         UNION SELECT n.classid, n.objid, n.objsubid FROM goes g CROSS JOIN LATERAL (\
         SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d WHERE d.refclassid = g.classid \
         AND d.refobjid = g.objid AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid) \
         UNION ALL SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d \
         WHERE d.classid = g.classid AND d.objid = g.objid AND (g.objsubid = 0 OR d.objsubid = g.objsubid) \
         AND d.deptype = 'i') n) \
         SELECT kind, name FROM (\
         SELECT DISTINCT i.type AS kind, i.type || ' ' || i.identity AS name FROM goes g \
         CROSS JOIN LATERAL pg_catalog.pg_identify_object(g.classid, g.objid, g.objsubid) i \
         CROSS JOIN LATERAL pg_catalog.pg_identify_object_as_address(g.classid, g.objid, g.objsubid) a \
         WHERE i.identity IS NOT NULL AND i.type NOT IN ('schema', 'toast table') \
         AND NOT COALESCE({inside}, false) AND NOT (i.type = 'extension' AND {own_extension}) \
         AND NOT (g.objsubid <> 0 AND EXISTS (SELECT 1 FROM goes p WHERE p.classid = g.classid \
         AND p.objid = g.objid AND p.objsubid = 0)) \
         AND (i.type IN ('table', 'view', 'materialized view', 'foreign table') OR NOT EXISTS (\
         SELECT 1 FROM pg_catalog.pg_depend d JOIN goes p ON p.classid = d.refclassid AND p.objid = d.refobjid \
         AND (p.objsubid = 0 OR p.objsubid = d.refobjsubid) WHERE d.classid = g.classid AND d.objid = g.objid \
         AND d.objsubid = g.objsubid AND d.deptype IN ('a', 'i', 'e', 'P', 'S')))) found \
         ORDER BY kind <> 'table', kind <> 'table column', kind <> 'materialized view', name",
        items = items(own),
        schemas = among("nspname", &also.schemas),
        extensions = among("extname", &also.extensions),
        own_extension = among("a.object_names[1]", &also.extensions),
    )
}

/// Statements that forget everything about a ledger but its lease, which is held by somebody now.
fn forget(prefix: &str, place: &Place, rows: &[String]) -> String {
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
