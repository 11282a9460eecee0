//! Making the state tables, and bringing older ones up to date, by `diesel_migrations`.
//!
//! On PostgreSQL making a table takes the server as long as many a migration, and most deploys write few of them. So what
//! is recorded as run there is the version of the tables' shape: a table that is not there is made by whoever writes it
//! first, as the migrations together make it, and has nothing to read until then. (A migration of tables that may not be
//! there says IF EXISTS.) On `SQLite` they cost nothing worth speaking of, and are all made at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::{Connection as _, QueryableByName, RunQueryDsl, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connection::{Connection, Found};
use crate::error::{DatabaseError, ServerError};
use crate::execute::session::WITHOUT_WAITING;
use crate::postgres::connect::{SessionOptions, open};
use crate::postgres::connection::PgConnection;
use crate::postgres::target::PostgresTarget;
use crate::sqlite::connect::{Access, SqliteFile, open_file};

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
/// The text of [`POSTGRES`], in order.
const MIGRATED: &str = concat!(
    include_str!("../../../../migrations/postgres/00000000000001_state/up.sql"),
    include_str!("../../../../migrations/postgres/00000000000002_approvals/up.sql"),
);
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
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// What is being done, in errors.
const LOOKING: &str = "look for Tollgate's own tables";

/// Whether the tables are there, and this many migrations of them have run.
pub(crate) fn has(connection: &mut Connection, migrations: i64) -> Result<bool, DatabaseError> {
    Ok(version(connection)? >= migrations)
}

/// How many migrations of the tables have run.
fn version(connection: &mut Connection) -> Result<i64, DatabaseError> {
    let exists = match connection {
        Connection::Postgres(_) => {
            "SELECT pg_catalog.to_regclass('tollgate.__diesel_schema_migrations') IS NOT NULL AS found"
        }
        Connection::Sqlite(_) => {
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '__diesel_schema_migrations') AS found"
        }
    };
    let found: Result<Vec<Found>, _> =
        crate::connection::on_backend!(&mut *connection, inner => sql_query(exists).load(inner));
    if !found
        .map_err(|error| connection.explain(LOOKING, &error))?
        .iter()
        .any(|answer| answer.found)
    {
        return Ok(0);
    }
    count(connection)
}

/// The same where the table that says so is there.
fn count(connection: &mut Connection) -> Result<i64, DatabaseError> {
    let count = match connection {
        Connection::Postgres(_) => "SELECT count(*) AS number FROM tollgate.__diesel_schema_migrations",
        Connection::Sqlite(_) => "SELECT count(*) AS number FROM __diesel_schema_migrations",
    };
    let count: Result<Vec<Count>, _> =
        crate::connection::on_backend!(&mut *connection, inner => sql_query(count).load(inner));
    let count = count.map_err(|error| connection.explain(LOOKING, &error))?;
    Ok(count.first().map_or(0, |count| count.number))
}

/// Whether [`VERSIONS`], which is there, counts those of an earlier version.
pub(crate) fn is_older(connection: &mut Connection) -> Result<bool, DatabaseError> {
    let version = count(connection)?;
    Ok(version > 0 && version < MIGRATIONS)
}

/// Which tables there are.
#[derive(Debug, Clone, Default)]
pub(crate) enum Tables {
    /// All of them.
    #[default]
    All,
    /// PostgreSQL: these. `None`: not even their schema.
    Some(Option<BTreeSet<String>>),
}

/// The table in which diesel counts the migrations of the others.
pub(crate) const VERSIONS: &str = "__diesel_schema_migrations";

/// Those that there are on PostgreSQL, in the order in which they can be made.
pub(crate) const TABLES: [&str; 7] = [
    "runs",
    "findings",
    "rollback_plans",
    "statement_progress",
    "approvals",
    "leases",
    "outbox",
];

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

impl Tables {
    /// Those of a connection.
    pub(crate) fn of(connection: &mut Connection) -> Result<Self, DatabaseError> {
        let Connection::Postgres(inner) = &mut *connection else {
            return Ok(Self::All);
        };
        // The catalogs are for everybody to read, and name a table also to a role that may not read it: what it must not
        // see is then an error and not taken for something that is not there.
        let found: Result<Vec<Name>, _> = sql_query(format!(
            "SELECT c.relname::text AS name FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c \
             ON c.relnamespace = n.oid AND c.relkind = 'r' WHERE n.nspname = '{SCHEMA}'"
        ))
        .load(&mut **inner);
        let found = found.map_err(|error| connection.explain(LOOKING, &error))?;
        let has_schema = !found.is_empty();
        Ok(Self::Some(
            has_schema.then(|| found.into_iter().filter_map(|row| row.name).collect()),
        ))
    }

    /// Whether a table is there.
    pub(crate) fn has(&self, table: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(found) => found.as_ref().is_some_and(|found| found.contains(table)),
        }
    }

    /// Makes tables unless they are there. `inside`: a transaction is open.
    pub(crate) fn make(
        &mut self,
        connection: &mut Connection,
        tables: &[&str],
        inside: bool,
    ) -> Result<(), DatabaseError> {
        let missing: Vec<&str> = tables.iter().copied().filter(|table| !self.has(table)).collect();
        let Self::Some(found) = self else { return Ok(()) };
        if missing.is_empty() {
            return Ok(());
        }
        // Nobody waits for the disk here: what is written into them comes later, and takes them along.
        let (begin, commit) = if inside {
            (String::new(), "")
        } else {
            (format!("BEGIN; {WITHOUT_WAITING} "), " COMMIT")
        };
        let make: String = missing.iter().map(|table| as_migrated(table)).collect();
        let made = connection.run(&format!("{begin}{}{make}{commit}", beginning(found.as_ref())));
        // That they are there already is no news to anybody.
        connection.take_notices();
        if let Err(error) = made {
            if !inside {
                let _ = connection.run("ROLLBACK");
            }
            return Err(refused(error));
        }
        let found = found.get_or_insert_default();
        found.extend(missing.into_iter().chain([VERSIONS]).map(str::to_owned));
        Ok(())
    }
}

/// What comes before any table, as far as it is not there: the schema, and the record of what its tables are like.
fn beginning(found: Option<&BTreeSet<String>>) -> String {
    // Asked first: IF NOT EXISTS wants the privilege even when there is nothing to create.
    let schema = match found {
        None => format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}; "),
        Some(_) => String::new(),
    };
    let versions = if found.is_some_and(|found| found.contains(VERSIONS)) {
        String::new()
    } else {
        let versions: Vec<String> = (1..=MIGRATIONS).map(|version| format!("('{version:014}')")).collect();
        format!(
            "CREATE TABLE IF NOT EXISTS {SCHEMA}.{VERSIONS} (version VARCHAR(50) PRIMARY KEY NOT NULL, \
             run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
             INSERT INTO {SCHEMA}.{VERSIONS} (version) VALUES {} ON CONFLICT DO NOTHING; ",
            versions.join(", ")
        )
    };
    format!("SELECT pg_catalog.pg_advisory_xact_lock({SETUP_KEY}); {schema}{versions}")
}

/// The statements that make a table with its indexes, as the migrations leave it.
fn as_migrated(table: &str) -> String {
    let name = format!(" {SCHEMA}.{table} ");
    let mut made = String::new();
    let lines = MIGRATED.lines().filter(|line| !line.starts_with("--"));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    for statement in text.split(';').map(str::trim) {
        let first = statement.lines().next().unwrap_or_default();
        if !format!("{first} ").contains(&name) {
            continue;
        }
        if first.starts_with("DROP TABLE") {
            made.clear();
        } else {
            let once = statement.replacen("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1);
            made += &once.replacen("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS ", 1);
            made.push(';');
        }
    }
    made
}

fn state_error(reason: String, help: Option<String>) -> DatabaseError {
    DatabaseError::State {
        place: format!("schema \"{SCHEMA}\""),
        reason,
        help,
    }
}

/// The server's refusal to make something.
fn refused(error: ServerError) -> DatabaseError {
    let help = if error.is("42501") {
        let grant = if error.message.contains("for schema") {
            format!("GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO the_role_that_deploys")
        } else {
            format!("CREATE SCHEMA {SCHEMA} AUTHORIZATION the_role_that_deploys")
        };
        Some(format!("let an administrator run: {grant}"))
    } else {
        error.cure().map(str::to_owned)
    };
    if error.connection_lost {
        return DatabaseError::server("make Tollgate's own tables", error);
    }
    state_error(error.message, help)
}

/// Brings the tables on PostgreSQL up to date, on a connection of its own: the harness needs another search path.
pub(crate) fn set_up_postgres(target: &PostgresTarget, session: &SessionOptions) -> Result<(), DatabaseError> {
    let target = target.elsewhere(&target.database, SCHEMA);
    let refused = |error: ServerError| SetUp::Refused(Box::new(refused(error)));
    // One transaction, and the search path only for its time: nothing stays behind in a pooler's session.
    let made = open(&target, session)?.transaction(|connection| {
        let schema = format!(
            "SELECT pg_catalog.pg_advisory_xact_lock({SETUP_KEY}); \
             DO $tollgate$ BEGIN IF pg_catalog.to_regnamespace('{SCHEMA}') IS NULL THEN CREATE SCHEMA {SCHEMA}; END IF; END $tollgate$; \
             SET LOCAL search_path = {SCHEMA}"
        );
        connection.execute_script(&schema).map_err(refused)?;
        may_change(connection).map_err(|error| SetUp::Refused(Box::new(error)))?;
        connection
            .run_pending_migrations(POSTGRES)
            .map(drop)
            .map_err(SetUp::Migration)
    });
    made.map_err(|error| match error {
        SetUp::Refused(refused) => *refused,
        other => {
            let help = "see to what the server says; the tables are made by the next command that needs them";
            state_error(other.to_string(), Some(help.to_owned()))
        }
    })
}

#[derive(QueryableByName)]
struct Rights {
    /// Who owns tables that the role may only use.
    #[diesel(sql_type = Nullable<Text>)]
    owners: Option<String>,
    #[diesel(sql_type = Text)]
    role: String,
    /// It may make tables beside them.
    #[diesel(sql_type = Bool)]
    creates: bool,
}

/// Whether the role may change what the tables are like. The server would only say which table it refuses first.
fn may_change(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let rights: Result<Rights, _> = sql_query(format!(
        "SELECT string_agg(DISTINCT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)), ', ') \
         FILTER (WHERE NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')) AS owners, \
         pg_catalog.quote_ident(current_user) AS role, \
         pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS creates \
         FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r' \
         WHERE n.nspname = '{SCHEMA}' GROUP BY n.oid"
    ))
    .get_result(connection);
    let rights = rights.map_err(|error| DatabaseError::server(LOOKING, connection.explain(&error)))?;
    let older = "they are of an earlier version and have to be brought up to date first, which";
    let role = &rights.role;
    match rights.owners {
        Some(owners) => Err(state_error(
            format!("{older} only their owner may do: {owners}, and not {role}"),
            Some(format!(
                "run `tollgate deploy` once as {owners}, or let an administrator run: GRANT {owners} TO {role}"
            )),
        )),
        None if !rights.creates => Err(state_error(
            format!("{older} the role {role} may not do: it may not make tables there"),
            Some(format!(
                "let an administrator run: GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {role}"
            )),
        )),
        None => Ok(()),
    }
}

/// Opens the sidecar file, made and brought up to date.
pub(crate) fn open_sqlite(path: &Path) -> Result<SqliteFile, DatabaseError> {
    let place = path.display().to_string();
    let failed = |reason: String| DatabaseError::State {
        place: place.clone(),
        help: ServerError::text(reason.as_str()).cure().map(str::to_owned),
        reason,
    };
    let mut connection = open_file(path, Access::Create, WAIT, &place)?;
    // Nothing must wait for the disk twice: what is lost on power failure is a record, never a migration.
    connection
        .batch_execute("PRAGMA synchronous = NORMAL")
        .map_err(|error| failed(error.to_string()))?;
    // Two processes at once: the second waits here, and then finds nothing left to do.
    connection
        .immediate_transaction(|connection| {
            connection
                .run_pending_migrations(SQLITE)
                .map(drop)
                .map_err(SetUp::Migration)
        })
        .map_err(|error: SetUp| failed(error.to_string()))?;
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
