//! A scratch database on a PostgreSQL server.
//!
//! Its name is `tollgate_preview_` and sixteen hexadecimal digits: the key of an advisory lock that its owner's session has
//! held since before the database was made. Who made it is said by CREATE DATABASE itself, in a connection limit that
//! nobody else would think of (and nobody reaches), so that there is no moment at which it has no mark; the comment that
//! follows is for people.

use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::{Kind, Scratch, ScratchOptions, Start, copy, impossible};
use crate::connection::Connection;
use crate::database::{ConnectOptions, Database};
use crate::diagnose::is_pooled;
use crate::error::{DatabaseError, ServerError};
use crate::postgres::connect::{SessionOptions, open, open_untouched};
use crate::postgres::connection::PgConnection;
use crate::postgres::target::PostgresTarget;
use crate::sql_text::{identifier, literal};
use crate::target::{Target, TargetKind};

/// Before the digits of the run.
const PREFIX: &str = "tollgate_preview_";

/// The mark of what is ours to remove.
const LIMIT: i32 = 7253;

/// What the comment of one that may be removed begins with.
const COMMENT: &str = "made by tollgate, and removed by it";

/// How often a database that somebody keeps connecting to is tried to be dropped.
const ATTEMPTS: usize = 20;

/// A database, and the session at the server that says whose it is.
pub(super) struct ScratchOnServer {
    /// A neighbour on the same server: nobody can drop the database that he is connected to.
    neighbour: PostgresTarget,
    session: SessionOptions,
    /// Holds the lock as long as it is open.
    owner: Option<Box<PgConnection>>,
    run: Run,
    /// It is there, and ours to remove.
    there: bool,
}

/// Which run a database belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run(i64);

impl Run {
    fn new() -> Self {
        Self(rand::random())
    }

    /// The database's name.
    fn name(self) -> String {
        format!("{PREFIX}{:016x}", self.0)
    }

    /// The run that a name is of.
    fn of(name: &str) -> Option<Self> {
        let digits = name.strip_prefix(PREFIX)?;
        let run = Self(u64::from_str_radix(digits, 16).ok()?.cast_signed());
        (run.name() == name).then_some(run)
    }
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    answer: bool,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    comment: Option<String>,
}

#[derive(QueryableByName)]
struct Key {
    #[diesel(sql_type = BigInt)]
    key: i64,
}

/// See [`Scratch::create`].
pub(super) fn create(place: &PostgresTarget, options: &ScratchOptions) -> Result<Scratch, DatabaseError> {
    let session = SessionOptions {
        application_name: options.application_name.clone(),
        read_only: false,
    };
    let (neighbour, mut owner) = connect(place, &session)?;
    let removed = remove_leftovers(&mut owner);
    let mut server = ScratchOnServer {
        run: lock(&mut owner)?,
        neighbour,
        session,
        owner: Some(Box::new(owner)),
        there: false,
    };
    server.create(options)?;
    let schema = options.schema.as_deref().unwrap_or(&place.schema);
    let target = Target {
        kind: TargetKind::Postgres(Box::new(place.elsewhere(&server.run.name(), schema))),
    };
    let mut scratch = Scratch {
        target,
        kind: Kind::Server(Box::new(server)),
        removed,
        not_copied: Vec::new(),
    };
    if let Start::CopyOf(source) = &options.start {
        scratch.not_copied = copy_from(source, &scratch.target, options)?;
    }
    Ok(scratch)
}

/// A session in a database that is there on every server, or else in the one that is named.
fn connect(place: &PostgresTarget, session: &SessionOptions) -> Result<(PostgresTarget, PgConnection), DatabaseError> {
    if place.pooler {
        return Err(pooler(place));
    }
    // Not template1: whoever is connected to that keeps all others from making a database.
    let usual = place.elsewhere("postgres", "public");
    let (neighbour, mut connection) = match open(&usual, session) {
        Ok(connection) => (usual, connection),
        Err(_) => (place.clone(), open(place, session)?),
    };
    let settled = connection.settle();
    settled.map_err(|error| DatabaseError::server("set up the session", error))?;
    let mut connection = Connection::Postgres(Box::new(connection));
    let mut other = Connection::Postgres(Box::new(open_untouched(&neighbour, session)?));
    if is_pooled(&mut connection, &mut other)? {
        return Err(pooler(place));
    }
    match connection {
        Connection::Postgres(connection) => Ok((neighbour, *connection)),
        Connection::Sqlite(_) => Err(pooler(place)),
    }
}

fn pooler(place: &PostgresTarget) -> DatabaseError {
    DatabaseError::NotCreated {
        target: "a scratch database".to_owned(),
        reason: format!(
            "{} is behind a transaction pooler, which makes no databases",
            place.describe()
        ),
        help: "name the server itself, or another one: `[preview] url`".to_owned(),
    }
}

/// Takes the lock that says that the run is alive.
fn lock(owner: &mut PgConnection) -> Result<Run, DatabaseError> {
    let run = Run::new();
    let sql = format!("SELECT pg_catalog.pg_try_advisory_lock({}) AS answer", run.0);
    let locked: Result<Vec<Answer>, _> = sql_query(sql).load(owner);
    match locked {
        Ok(rows) if rows.iter().any(|row| row.answer) => Ok(run),
        // Two runs of one number, which does not happen; and it is no harm to say so.
        Ok(_) => Err(not_created(ServerError::text(
            "another run has the same number: try again",
        ))),
        Err(error) => Err(not_created(owner.explain(&error))),
    }
}

fn not_created(error: ServerError) -> DatabaseError {
    let help = match error.sqlstate.as_deref() {
        Some("42501") => {
            "give the role the right (ALTER ROLE … CREATEDB), or name a role or a server of its own for this: \
             `[preview] url`"
        }
        Some("55006") => "somebody is connected to the template: wait until nobody is, or copy the schema instead",
        Some("3D000") => "the template has to be a database of the same server",
        _ => error.cure().unwrap_or("look at what the server says"),
    };
    DatabaseError::NotCreated {
        target: "a scratch database".to_owned(),
        help: help.to_owned(),
        reason: error.message,
    }
}

/// Drops the databases of runs whose session is over. That one cannot be dropped is no reason not to go on.
fn remove_leftovers(owner: &mut PgConnection) -> Vec<String> {
    let found = sql_query(format!(
        "SELECT d.datname::text AS name, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment \
         FROM pg_catalog.pg_database d WHERE d.datconnlimit = {LIMIT} AND pg_catalog.pg_has_role(d.datdba, 'USAGE') \
         AND pg_catalog.starts_with(d.datname::text, '{PREFIX}') ORDER BY 1"
    ));
    let found: Vec<Found> = found.load(owner).unwrap_or_default();
    let ours = |found: &Found| {
        let comment = found.comment.as_deref();
        comment.is_none_or(|comment| comment.starts_with(COMMENT))
    };
    let runs: Vec<Run> = found
        .iter()
        .filter(|found| ours(found))
        .filter_map(|found| Run::of(&found.name))
        .collect();
    if runs.is_empty() {
        return Vec::new();
    }
    // Looked at after the databases: whoever has made one has had its lock before. Locks are seen from every database.
    let held = sql_query(
        "SELECT ((classid::int8 << 32) | objid::int8) AS key FROM pg_catalog.pg_locks \
         WHERE locktype = 'advisory' AND objsubid = 1 AND granted",
    );
    let Ok(held) = held.load::<Key>(owner) else {
        return Vec::new();
    };
    let dead = runs
        .into_iter()
        .filter(|run| !held.iter().any(|held| held.key == run.0));
    dead.filter(|run| drop_database(owner, &run.name()).is_ok())
        .map(Run::name)
        .collect()
}

/// Drops a database, with everybody who is connected to it.
fn drop_database(owner: &mut PgConnection, name: &str) -> Result<(), ServerError> {
    let leave = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = {} \
         AND pid <> pg_catalog.pg_backend_pid()",
        literal(name)
    );
    let mut attempt = 1;
    loop {
        // Whom we may not send away leaves by himself, or DROP says that he is there. DROP waits for those that go.
        let _ = owner.execute_script(&leave);
        match owner.execute_script(&format!("DROP DATABASE IF EXISTS {}", identifier(name))) {
            Err(error) if error.is("55006") && attempt < ATTEMPTS => attempt += 1,
            done => return done,
        }
    }
}

/// Brings everything but rows over. Says what could not be brought.
fn copy_from(source: &Target, scratch: &Target, options: &ScratchOptions) -> Result<Vec<String>, DatabaseError> {
    let TargetKind::Postgres(_) = &source.kind else {
        return Err(impossible(
            source.describe(),
            "the scratch database is one of PostgreSQL, and that cannot be copied into it",
        ));
    };
    let read = ConnectOptions {
        application_name: options.application_name.clone(),
        read_only: true,
        ..ConnectOptions::default()
    };
    let write = ConnectOptions {
        create_missing: true,
        read_only: false,
        ..read.clone()
    };
    let mut from = Database::connect(source, &read)?;
    let mut to = Database::connect(scratch, &write)?;
    copy::copy(&mut from, &mut to)
}

impl ScratchOnServer {
    pub(super) fn name(&self) -> String {
        self.run.name()
    }

    fn create(&mut self, options: &ScratchOptions) -> Result<(), DatabaseError> {
        let Some(owner) = &mut self.owner else {
            return Ok(());
        };
        let name = identifier(&self.run.name());
        let template = match &options.start {
            Start::Template(template) => format!(" TEMPLATE {}", identifier(template)),
            Start::Empty | Start::CopyOf(_) => String::new(),
        };
        let made = owner.execute_script(&format!("CREATE DATABASE {name}{template} CONNECTION LIMIT {LIMIT}"));
        // A connection that was lost may have been lost after it was made.
        self.there = made.as_ref().is_ok() || made.as_ref().is_err_and(|error| error.connection_lost);
        made.map_err(not_created)?;
        let comment = format!("{COMMENT} when its run is over");
        let commented = owner.execute_script(&format!("COMMENT ON DATABASE {name} IS {}", literal(&comment)));
        commented.map_err(|error| DatabaseError::server("mark the scratch database", error))
    }

    /// The owner's session, or another one where that was lost.
    fn owner(&mut self) -> Result<&mut PgConnection, DatabaseError> {
        let alive = self
            .owner
            .as_mut()
            .is_some_and(|owner| owner.execute_script("SELECT 1").is_ok());
        let owner = match self.owner.take().filter(|_| alive) {
            Some(owner) => owner,
            None => Box::new(open(&self.neighbour, &self.session)?),
        };
        Ok(self.owner.insert(owner))
    }

    pub(super) fn remove(&mut self) -> Result<(), DatabaseError> {
        if !self.there {
            return Ok(());
        }
        let name = self.run.name();
        let dropped = drop_database(self.owner()?, &name);
        dropped.map_err(|error| DatabaseError::server(format!("remove the scratch database {name}"), error))?;
        self.there = false;
        Ok(())
    }

    pub(super) fn keep(mut self) -> Result<String, DatabaseError> {
        let name = self.run.name();
        let sql = format!(
            "ALTER DATABASE {0} CONNECTION LIMIT -1; COMMENT ON DATABASE {0} IS 'made by tollgate, and kept: drop it when \
             it is not needed any more'",
            identifier(&name)
        );
        let kept = self.owner()?.execute_script(&sql);
        kept.map_err(|error| DatabaseError::server(format!("keep the scratch database {name}"), error))?;
        self.there = false;
        Ok(name)
    }
}

impl Drop for ScratchOnServer {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_recognised_by_the_name_of_its_database_and_by_no_other() {
        for run in [Run(0), Run(1), Run(-1), Run(i64::MIN), Run(i64::MAX), Run::new()] {
            assert_eq!(Run::of(&run.name()), Some(run), "{}", run.name());
        }
        for name in [
            "tollgate_preview",
            "tollgate_preview_",
            "tollgate_preview_1",
            "tollgate_preview_00000000000000001",
            "tollgate_preview_000000000000000g",
            "tollgate_preview_000000000000000A",
            "tollgate_preview_+00000000000001f",
            "my_tollgate_preview_0000000000000001",
        ] {
            assert_eq!(Run::of(name), None, "{name}");
        }
    }
}
