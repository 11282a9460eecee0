//! Reading what a connected database contains into the model of `tollgate_schema`. Nothing here changes a database.

pub mod postgres;
pub mod sqlite;

mod text;

use tollgate_schema::BaseError;
use tollgate_sql::ObjectName;

/// Prisma's ledger: kept by the engine, no business of a migration's.
const LEDGER: &str = "_prisma_migrations";

/// Tollgate's own schema on PostgreSQL.
const STATE_SCHEMA: &str = "tollgate";

/// Whether an object is the engine's own and must not be seen.
fn is_own(name: &ObjectName) -> bool {
    name.name.eq_ignore_ascii_case(LEDGER) || name.schema.as_deref() == Some(STATE_SCHEMA)
}

fn failure(message: impl Into<String>) -> BaseError {
    BaseError {
        message: message.into(),
        help: None,
    }
}
