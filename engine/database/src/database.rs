//! One connected database: what it is, its ledger, and the connections that the rest works on.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_schema::{Base, BaseError, Context};

use crate::cancel::Canceller;
use crate::catalog::postgres::{CatalogOptions, PostgresCatalog};
use crate::catalog::sqlite::SqliteCatalog;
use crate::connection::{Connection, OpenOptions, on_backend};
use crate::error::DatabaseError;
use crate::greeting::{Greeting, ServerInfo, greet};
use crate::guard::{Hold, Session};
use crate::interrupt::Interrupt;
use crate::ledger::store::Place;
use crate::ledger::{LedgerRow, TABLE, store};
use crate::lock::LockOptions;
use crate::postgres::cancel::CancelRequest;
use crate::postgres::client::Driver;
use crate::postgres::connect::{SessionOptions, open_client};
use crate::postgres::lock::Ahead;
use crate::postgres::target::PostgresTarget;
use crate::prepared::Prepared;
use crate::sql_text::literal;
use crate::sqlite::brake::Brake;
use crate::sqlite::connect::Access;
use crate::state::progress::{self, Direction, Progress};
use crate::state::setup::Tables;
use crate::target::{Target, TargetKind};

/// How long the process of a session that was closed may take to leave.
const LEAVING: Duration = Duration::from_secs(1);

/// How to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Create the database (PostgreSQL: and the schema) when it is missing.
    pub create_missing: bool,
    /// What the server shows as our name, unless the URL says otherwise.
    pub application_name: String,
    /// Refuse to write anything.
    pub read_only: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            create_missing: false,
            application_name: "tollgate".to_owned(),
            read_only: false,
        }
    }
}

/// An open database.
pub struct Database {
    pub(crate) target: Target,
    pub(crate) options: OpenOptions,
    pub(crate) connection: Connection,
    /// `SQLite`: the sidecar file, once it was needed.
    pub(crate) sidecar: Option<Connection>,
    pub(crate) place: Place,
    server: ServerInfo,
    /// Whether the ledger is there, as far as that is known for certain.
    has_ledger: Option<bool>,
    pub(crate) state_ready: bool,
    /// Tables of the state, as far as they are known.
    pub(crate) tables: Option<Tables>,
    /// Role at the start of the session, when it is not the session's user.
    pub(crate) role: Option<String>,
    catalogs: Vec<Weak<PostgresCatalog>>,
    /// A connection for the lock.
    pub(crate) ahead: Option<Ahead>,
    /// Who holds the lock for it.
    pub(crate) hold: Option<Hold>,
    /// What the main connection's session has prepared.
    pub(crate) prepared: Prepared,
    /// The run that it works for.
    run: Option<String>,
    /// Names that the ledger has rows of, as read under the lock: nobody adds any while it is held.
    names: Option<BTreeSet<String>>,
    /// The main connection was to be replaced by another one, and could not be.
    pub(crate) spoilt: bool,
    /// The main connection at the server.
    pub(crate) session: Option<Session>,
    /// Those that it was before, as long as it is not certain that they are over.
    pub(crate) lost: Vec<Session>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Database {
    /// Connects.
    pub fn connect(target: &Target, options: &ConnectOptions) -> Result<Self, DatabaseError> {
        Self::connect_on(None, target, options)
    }

    /// The same with PostgreSQL's driver, where there is one that others share.
    fn connect_on(
        driver: Option<&Arc<Driver>>,
        target: &Target,
        options: &ConnectOptions,
    ) -> Result<Self, DatabaseError> {
        let mut options = OpenOptions {
            create_missing: options.create_missing,
            application_name: options.application_name.clone(),
            read_only: options.read_only,
        };
        let mut connection = Connection::open_on(driver, target, &options)?;
        // From now on it exists; should it vanish in the middle of a run, nobody wants an empty one instead.
        options.create_missing = false;
        let Greeting { server, role, session } = greet(&mut connection, target)?;
        Ok(Self {
            target: target.clone(),
            options,
            connection,
            sidecar: None,
            place: Place {
                schema: target.schema().map(str::to_owned),
            },
            server,
            has_ledger: None,
            state_ready: false,
            tables: None,
            role,
            catalogs: Vec::new(),
            ahead: None,
            hold: None,
            prepared: Prepared::default(),
            run: None,
            names: None,
            spoilt: false,
            session,
            lost: Vec::new(),
        })
    }

    /// Connects, and begins to open the lock's session at the same time, for a run that takes the lock next.
    ///
    /// # Errors
    /// As [`Database::connect`]. That the lock's session cannot be opened is said when the lock is taken.
    pub fn connect_to_lock(
        target: &Target,
        options: &ConnectOptions,
        lock: &LockOptions,
    ) -> Result<Self, DatabaseError> {
        let place = lock.direct.as_ref().unwrap_or(target);
        let mut ahead = match &place.kind {
            TargetKind::Postgres(place) if lock.pass.is_none() => Ahead::start(place, &options.application_name),
            _ => None,
        };
        let driver = ahead.as_ref().map(Ahead::driver).cloned();
        let database = match Self::connect_on(driver.as_ref(), target, options) {
            // It may be this one that there was no room beside.
            Err(error @ DatabaseError::Unavailable { .. }) => match ahead.take() {
                Some(ahead) => {
                    ahead.end();
                    Self::connect_once_left(target, options)
                }
                None => Err(error),
            },
            other => other,
        };
        database.map(|database| Self { ahead, ..database })
    }

    /// Connects in the place of a session that has just been closed, or refused: the server counts it until its process is
    /// gone, which nobody is told of.
    fn connect_once_left(target: &Target, options: &ConnectOptions) -> Result<Self, DatabaseError> {
        let started = Instant::now();
        loop {
            match Self::connect(target, options) {
                Err(DatabaseError::Unavailable { .. }) if started.elapsed() < LEAVING => sleep(LEAVING / 20),
                other => return other,
            }
        }
    }

    /// What answers at the other end.
    pub fn server(&self) -> ServerInfo {
        self.server.clone()
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the target says that a pooler lends its sessions out.
    pub(crate) fn is_pooled(&self) -> bool {
        matches!(&self.target.kind, TargetKind::Postgres(target) if target.pooler)
    }

    /// How names in scripts for this database are resolved.
    pub fn context(&self) -> Context {
        Context {
            dialect: self.server.dialect,
            server_version: Some(self.server.version),
            search_path: self.place.schema.iter().cloned().collect(),
        }
    }

    /// All rows of the ledger, oldest first. `None`: there is no ledger.
    pub fn ledger(&mut self) -> Result<Option<Vec<LedgerRow>>, DatabaseError> {
        let rows = store::read(&mut self.connection, &self.place)?;
        let under_lock = self.hold.as_ref().is_some_and(Hold::is_active);
        self.has_ledger = under_lock.then_some(rows.is_some());
        let names = rows.iter().flatten().map(|row| row.migration_name.clone());
        self.names = under_lock.then(|| names.collect());
        Ok(rows)
    }

    /// Notes who holds the lock now. What was read before it was taken counts no more.
    pub(crate) fn hold_by(&mut self, hold: Option<Hold>) {
        self.hold = hold;
        self.prepared = Prepared::default();
        self.names = None;
    }

    /// Says which run of the state tables it works for from now on.
    pub fn work_for(&mut self, run: &str) {
        self.run = Some(run.to_owned());
    }

    /// The row of a migration that is tried for the first time, where the run tells that it is ours.
    pub(crate) fn row_in_run(&self, migration: &str) -> Option<String> {
        let run = self.run.as_deref().filter(|_| self.connection.is_postgres())?;
        Some(store::id_in_run(run, migration))
    }

    /// The ledger's rows of one migration that is about to be applied.
    pub(crate) fn rows_before(&mut self, name: &str) -> Result<Vec<LedgerRow>, DatabaseError> {
        let under_lock = self.hold.as_ref().is_some_and(Hold::is_active);
        if let Some(names) = self.names.as_mut().filter(|_| under_lock)
            && names.insert(name.to_owned())
        {
            return Ok(Vec::new());
        }
        store::read_of(&mut self.connection, &self.place, name)
    }

    /// Makes the ledger unless it is there.
    pub fn create_ledger(&mut self) -> Result<(), DatabaseError> {
        if self.has_ledger != Some(true) {
            let missing = self.has_ledger == Some(false);
            store::create(&mut self.connection, &self.place, missing)?;
            self.has_ledger = Some(true);
        }
        Ok(())
    }

    /// Makes what a run writes into, as far as it is not there.
    ///
    /// # Errors
    /// Also where it had to wait for another program and `interrupt` was asked meanwhile.
    pub fn make_ready(&mut self, interrupt: &Interrupt) -> Result<(), DatabaseError> {
        let before = self.wait_unless(Some(interrupt.clone()));
        let made = self.create_ledger();
        self.wait_unless(before);
        made?;
        self.prepare_state()
    }

    /// The ledger is no longer there.
    pub(crate) fn forget_ledger(&mut self) {
        self.has_ledger = None;
    }

    /// Whether there are tables beside the ledger: a database that was not made by migrations alone. On PostgreSQL only
    /// ordinary tables of the target's schema count.
    pub fn has_tables(&mut self) -> Result<bool, DatabaseError> {
        let query = match &self.place.schema {
            Some(schema) => format!(
                "SELECT count(*) AS number FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
                 ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = {} AND c.relname <> '{TABLE}'",
                literal(schema)
            ),
            None => format!(
                "SELECT count(*) AS number FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                 AND name <> '{TABLE}'"
            ),
        };
        let counts: Result<Vec<Count>, _> = on_backend!(&mut self.connection, inner => sql_query(query).load(inner));
        let counts = counts.map_err(|error| self.connection.explain("look for tables", &error))?;
        Ok(counts.iter().any(|count| count.number > 0))
    }

    /// What the database contains, read when asked for, on a connection of its own that sees one moment. It ends with
    /// its last owner, and on PostgreSQL also before a statement that has to wait for all older transactions (CREATE
    /// INDEX CONCURRENTLY): answers already read stay, new questions are errors then.
    pub fn catalog(&mut self) -> Result<Arc<dyn Base>, DatabaseError> {
        match &self.target.kind {
            TargetKind::Postgres(target) => {
                let target = target.clone();
                let session = SessionOptions {
                    application_name: self.options.application_name.clone(),
                    read_only: true,
                };
                let connect = move || {
                    open_client(&target, &session).map_err(|error| BaseError {
                        message: error.to_string(),
                        help: error.help(),
                    })
                };
                let catalog = Arc::new(PostgresCatalog::new(connect, CatalogOptions::default()));
                self.catalogs.retain(|catalog| catalog.strong_count() > 0);
                self.catalogs.push(Arc::downgrade(&catalog));
                Ok(catalog)
            }
            TargetKind::Sqlite(target) => {
                let target = target.clone();
                Ok(Arc::new(SqliteCatalog::new(move || {
                    let (busy_timeout, describe) = (target.busy_timeout, target.describe());
                    let opened = crate::sqlite::connect::connect(&target.path, Access::Read, busy_timeout, &describe);
                    opened.map_err(|error| BaseError {
                        message: error.to_string(),
                        help: error.help(),
                    })
                })))
            }
        }
    }

    /// Something that another thread can use to cancel what the server runs.
    pub(crate) fn canceller(&mut self) -> Option<Canceller> {
        match (&mut self.connection, &self.target.kind) {
            (Connection::Postgres(connection), TargetKind::Postgres(target)) => {
                let request = CancelRequest::new(connection.cancel_token(), PostgresTarget::clone(target));
                Some(Canceller::Postgres(Box::new(request)))
            }
            _ => None,
        }
    }

    /// Does something that is cancelled when the run is asked twice to stop. `limit`: how long it may take on `SQLite`,
    /// where no server sees to that.
    pub(crate) fn cancelled_by<T>(
        &mut self,
        interrupt: &Interrupt,
        limit: Option<Duration>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let brake = self.brake();
        let canceller = match &brake {
            Some(brake) => Some(Canceller::Sqlite(brake.begin(limit.filter(|limit| !limit.is_zero())))),
            None => self.canceller(),
        };
        interrupt.running(canceller);
        let before = self.wait_unless(Some(interrupt.clone()));
        let done = work(self);
        self.wait_unless(before);
        interrupt.running(None);
        if let Some(brake) = brake {
            brake.end();
        }
        done
    }

    /// Ends the snapshots of catalogs that are still about.
    pub(crate) fn end_catalogs(&mut self) {
        for catalog in self.catalogs.drain(..).filter_map(|catalog| catalog.upgrade()) {
            catalog.end();
        }
    }

    /// The statements that record progress or the end of a script, for the same transaction as its statements.
    /// `tracked`: there is a record of its progress.
    pub(crate) fn record(&self, direction: Direction, finished: bool, tracked: bool, progress: &Progress) -> String {
        let row = &progress.row;
        let ledger = match (direction, finished) {
            (Direction::Up, true) => Some(self.place.finish(row)),
            (Direction::Up, false) => Some(self.place.progress(row, progress.done)),
            (Direction::Down, true) => Some(self.place.taken_back(row)),
            // The ledger has nothing to say; but where the state is in another file, only it is committed along.
            (Direction::Down, false) => (!self.connection.is_postgres()).then(|| self.place.taking_back(progress)),
        };
        let mut sql = ledger.map_or_else(String::new, |sql| sql + ";");
        if self.connection.is_postgres() {
            if !finished {
                sql.push_str(&progress.save(true));
            } else if tracked {
                sql.push_str(&self.forgetting(row));
            }
        }
        sql
    }

    /// After the commit: the same for a state that is kept elsewhere.
    pub(crate) fn follow(&mut self, progress: &Progress, finished: bool) -> Result<(), DatabaseError> {
        match &mut self.sidecar {
            None => Ok(()),
            Some(sidecar) => {
                let sql = if finished {
                    progress::forget(false, &progress.row)
                } else {
                    progress.save(false)
                };
                sidecar.run_own("record how far the migration came", &sql)
            }
        }
    }

    /// Statements of ours inside a transaction of a script that may have taken another role. SET LOCAL ends with the
    /// transaction; then the script's own setting holds again.
    pub(crate) fn as_ourselves(&self, sql: &str) -> String {
        if self.connection.is_postgres() {
            as_role(self.role.as_deref(), &format!("{{}} {sql}"))
        } else {
            sql.to_owned()
        }
    }

    /// Puts the session back to what it was before a script ran.
    pub(crate) fn restore_session(&mut self, disturbed: bool) -> Result<(), DatabaseError> {
        if let Connection::Postgres(connection) = &mut self.connection {
            return connection
                .restore_session()
                .map_err(|error| DatabaseError::server("put the session back", error));
        }
        // A new connection is the one thing that surely forgets every PRAGMA, attached file and temporary table.
        if disturbed { self.reconnect().map(drop) } else { Ok(()) }
    }

    /// `SQLite`: how long a statement waits for another process. PostgreSQL gets its limit with each transaction.
    pub(crate) fn wait_for_locks(&mut self, limit: Option<Duration>) -> Result<(), DatabaseError> {
        let TargetKind::Sqlite(target) = &self.target.kind else {
            return Ok(());
        };
        // Zero is no limit, as on PostgreSQL; here it would be no waiting at all.
        let limit = match limit {
            Some(Duration::ZERO) => Duration::MAX,
            Some(limit) => limit,
            None => target.busy_timeout,
        };
        let limited = match &mut self.connection {
            Connection::Postgres(_) => Ok(()),
            Connection::Sqlite(file) => file.wait_at_most(limit),
        };
        limited.map_err(|error| DatabaseError::server("limit the waiting", error))
    }

    /// `SQLite`: who is asked from now on whether to go on waiting for another program that is at work on the file. Gives back
    /// who was before. PostgreSQL is told to cancel what waits.
    pub(crate) fn wait_unless(&self, interrupt: Option<Interrupt>) -> Option<Interrupt> {
        self.brake()?.wait_unless(interrupt)
    }

    /// `SQLite`: what ends a statement of the main connection.
    fn brake(&self) -> Option<Arc<Brake>> {
        match &self.connection {
            Connection::Postgres(_) => None,
            Connection::Sqlite(file) => file.brake().cloned(),
        }
    }

    /// What puts the session back, as a part of a message.
    pub(crate) fn restoring(&self) -> String {
        match &self.connection {
            Connection::Postgres(connection) => connection.restoring(),
            Connection::Sqlite(_) => String::new(),
        }
    }
}

/// Puts what makes the session act as itself in the place of `{}`.
pub(crate) fn as_role(role: Option<&str>, sql: &str) -> String {
    let role = role.map_or_else(|| "NONE".to_owned(), crate::sql_text::identifier);
    sql.replacen(
        "{}",
        &format!("SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE {role};"),
        1,
    )
}
