//! Making the state tables, and bringing older ones up to date, by `diesel_migrations`.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Bool};
use diesel::{Connection as _, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connection::Connection;
use crate::error::{DatabaseError, ServerError};
use crate::postgres::connect::{SessionOptions, open};
use crate::postgres::target::PostgresTarget;
use crate::sqlite::connect::{Access, open_file};

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// How many there are in each of the two: a quick look says whether all have run.
pub(crate) const MIGRATIONS: i64 = 2;

/// With this many of them everything can be read that a command reads before it writes anything.
pub(crate) const READABLE: i64 = 1;

/// Schema of the tables on PostgreSQL.
pub(crate) const SCHEMA: &str = "tollgate";

/// Keeps two runs from making the tables at once. Any number will do that nobody else uses.
const SETUP_KEY: i64 = 0x0074_6f6c_6c67_6174;

/// How long to wait for another process that is making them.
const WAIT: Duration = Duration::from_secs(10);

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    found: bool,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Whether the tables are there, and this many migrations of them have run.
pub(crate) fn has(connection: &mut Connection, migrations: i64) -> Result<bool, DatabaseError> {
    let (exists, count) = match connection {
        Connection::Postgres(_) => (
            "SELECT pg_catalog.to_regclass('tollgate.__diesel_schema_migrations') IS NOT NULL AS found",
            "SELECT count(*) AS number FROM tollgate.__diesel_schema_migrations",
        ),
        Connection::Sqlite(_) => (
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '__diesel_schema_migrations') AS found",
            "SELECT count(*) AS number FROM __diesel_schema_migrations",
        ),
    };
    let doing = "look for Tollgate's own tables";
    let found: Result<Vec<Exists>, _> =
        crate::connection::on_backend!(&mut *connection, inner => sql_query(exists).load(inner));
    if !found
        .map_err(|error| connection.explain(doing, &error))?
        .iter()
        .any(|answer| answer.found)
    {
        return Ok(false);
    }
    let count: Result<Vec<Count>, _> =
        crate::connection::on_backend!(&mut *connection, inner => sql_query(count).load(inner));
    Ok(count
        .map_err(|error| connection.explain(doing, &error))?
        .iter()
        .any(|count| count.number >= migrations))
}

/// Makes the tables on PostgreSQL, on a connection of its own: the harness needs another search path.
pub(crate) fn set_up_postgres(target: &PostgresTarget, session: &SessionOptions) -> Result<(), DatabaseError> {
    let target = target.elsewhere(&target.database, SCHEMA);
    let failed = |reason: String, help: Option<String>| DatabaseError::State {
        place: format!("schema \"{SCHEMA}\""),
        reason,
        help,
    };
    let refused = |error: ServerError| {
        let administrator =
            || format!("let an administrator run: CREATE SCHEMA {SCHEMA} AUTHORIZATION the_role_that_deploys");
        let help = if error.is("42501") {
            Some(administrator())
        } else {
            error.cure().map(str::to_owned)
        };
        SetUp::Refused(Box::new(failed(error.message, help)))
    };
    // One transaction, and the search path only for its time: nothing stays behind in a pooler's session.
    let made = open(&target, session)?.transaction(|connection| {
        let schema = format!(
            "SELECT pg_catalog.pg_advisory_xact_lock({SETUP_KEY}); \
             DO $tollgate$ BEGIN IF pg_catalog.to_regnamespace('{SCHEMA}') IS NULL THEN CREATE SCHEMA {SCHEMA}; END IF; END $tollgate$; \
             SET LOCAL search_path = {SCHEMA}"
        );
        connection.execute_script(&schema).map_err(refused)?;
        connection
            .run_pending_migrations(POSTGRES)
            .map(drop)
            .map_err(SetUp::Migration)
    });
    made.map_err(|error| match error {
        SetUp::Refused(refused) => *refused,
        other => {
            let help = "see to what the server says; the tables are made by the next command that needs them";
            failed(other.to_string(), Some(help.to_owned()))
        }
    })
}

/// Opens the sidecar file, made and brought up to date.
pub(crate) fn open_sqlite(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let place = path.display().to_string();
    let failed = |reason: String| DatabaseError::State {
        place: place.clone(),
        help: ServerError::text(reason.as_str()).cure().map(str::to_owned),
        reason,
    };
    let mut connection = open_file(path, Access::Create, WAIT, &place)?;
    // Two processes at once: the second waits here, and then finds nothing left to do.
    connection
        .immediate_transaction(|connection| {
            connection
                .run_pending_migrations(SQLITE)
                .map(drop)
                .map_err(SetUp::Migration)
        })
        .map_err(|error: SetUp| failed(error.to_string()))?;
    // The next statement must not wait for the disk twice: what is lost on power failure is a record, never a migration.
    connection
        .batch_execute("PRAGMA synchronous = NORMAL")
        .map_err(|error| failed(error.to_string()))?;
    Ok(connection)
}

#[derive(Debug, thiserror::Error)]
enum SetUp {
    #[error(transparent)]
    Refused(Box<DatabaseError>),
    #[error("{0}")]
    Migration(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Transaction(#[from] diesel::result::Error),
}
