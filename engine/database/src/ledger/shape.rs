//! Whether the table that carries the ledger's name is the ledger.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::Connection;
use crate::error::DatabaseError;
use crate::ledger::row::LedgerError;
use crate::ledger::{TABLE, store::Place};

/// Column and what its type has to be. Prisma's own migrations of the table and other tools' copies differ in lengths
/// (`varchar(255)`, `text`), so only the family counts.
const COLUMNS: [(&str, &[&str], &str); 8] = [
    ("id", TEXT, "text"),
    ("checksum", TEXT, "text"),
    ("finished_at", TIME, "timestamp with time zone"),
    ("migration_name", TEXT, "text"),
    ("logs", TEXT, "text"),
    ("rolled_back_at", TIME, "timestamp with time zone"),
    ("started_at", TIME, "timestamp with time zone"),
    ("applied_steps_count", INTEGER, "integer"),
];
const TEXT: &[&str] = &["text", "varchar", "bpchar"];
const TIME: &[&str] = &["timestamptz"];
const INTEGER: &[&str] = &["int2", "int4", "int8"];

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    of: String,
}

/// `true`: the ledger is there and has its shape. `false`: there is nothing of that name.
pub(crate) fn check(connection: &mut Connection, place: &Place) -> Result<bool, DatabaseError> {
    let found = columns(connection, place)?;
    let Some(first) = found.first() else {
        return Ok(false);
    };
    let table = place.describe();
    if first.kind != "table" {
        return Err(LedgerError::NotATable {
            table,
            found: first.kind.clone(),
        }
        .into());
    }
    for (column, types, expected) in COLUMNS {
        let Some(found) = found.iter().find(|found| found.name == column) else {
            return Err(LedgerError::MissingColumn { table, column }.into());
        };
        // SQLite stores any value in any column; what counts there is each value, when it is read.
        if connection.is_postgres() && !types.contains(&found.of.as_str()) {
            return Err(LedgerError::WrongType {
                table,
                column,
                found: found.of.clone(),
                expected,
            }
            .into());
        }
    }
    Ok(true)
}

fn columns(connection: &mut Connection, place: &Place) -> Result<Vec<Found>, DatabaseError> {
    let doing = "look for the migration ledger";
    let result = match connection {
        Connection::Postgres(inner) => sql_query(
            "SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' \
             WHEN 'm' THEN 'materialized view' ELSE 'relation of another kind' END AS kind, \
             COALESCE(a.attname::text, '') AS name, COALESCE(t.typname::text, '') AS \"of\" \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             WHERE n.nspname = $1 AND c.relname = $2",
        )
        .bind::<Text, _>(place.schema.as_deref().unwrap_or("public"))
        .bind::<Text, _>(TABLE)
        .load(&mut **inner),
        Connection::Sqlite(inner) => sql_query(
            "SELECT m.type AS kind, COALESCE(c.name, '') AS name, COALESCE(c.type, '') AS \"of\" \
             FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c WHERE m.name = ?",
        )
        .bind::<Text, _>(TABLE)
        .load(&mut **inner),
    };
    result.map_err(|error| connection.explain(doing, &error))
}
