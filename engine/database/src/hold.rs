//! The run lock on a connection of the caller's own, for work of theirs that no migration may run beside.

use std::path::PathBuf;
use std::time::Duration;

use diesel::backend::Backend;
use diesel::connection::{LoadConnection, TransactionManager};
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

use crate::database::ConnectOptions;
use crate::error::{DatabaseError, ServerError};
use crate::lock::{Attempt, LockError, LockEvent, LockOptions, LockPass, poll, respect};
use crate::postgres::connect::{SessionOptions, open};
use crate::postgres::connection::PgConnection;
use crate::postgres::lock::{KEY, TRANSACTIONS, Tried, holds};
use crate::sessions::advisory_holder;
use crate::sqlite::connect::{Access, sqlite_error};
use crate::sqlite::lock::{BorrowedFile, FileLock};
use crate::sqlite::target::SqliteTarget;
use crate::state::leases;
use crate::target::{Target, TargetKind};

/// Opens a connection to PostgreSQL for use with diesel. It creates nothing that is missing.
///
/// # Errors
/// The target is another database, or cannot be reached.
pub fn connect_postgres(target: &Target, options: &ConnectOptions) -> Result<PgConnection, DatabaseError> {
    let TargetKind::Postgres(place) = &target.kind else {
        return Err(wrong_kind(target, "PostgreSQL"));
    };
    let session = SessionOptions {
        application_name: options.application_name.clone(),
        read_only: options.read_only,
    };
    let mut connection = open(place, &session)?;
    let settled = connection.settle();
    settled.map_err(|error| DatabaseError::server("set up the session", error))?;
    Ok(connection)
}

/// Opens an `SQLite` file for use with diesel.
///
/// # Errors
/// The target is another database, or the file cannot be opened.
pub fn connect_sqlite(target: &Target, options: &ConnectOptions) -> Result<SqliteConnection, DatabaseError> {
    let TargetKind::Sqlite(file) = &target.kind else {
        return Err(wrong_kind(target, "SQLite"));
    };
    let access = match (options.read_only, options.create_missing) {
        (_, true) => Access::Create,
        (true, false) => Access::Read,
        (false, false) => Access::Write,
    };
    crate::sqlite::connect::connect(&file.path, access, file.busy_timeout, &file.describe())
}

fn wrong_kind(target: &Target, wanted: &str) -> DatabaseError {
    DatabaseError::Unsupported {
        target: target.describe(),
        reason: format!("a connection to {wanted} was asked for"),
    }
}

/// How long to wait for another process that writes to the sidecar file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A backend whose connections can take the run lock: PostgreSQL's and `SQLite`'s.
pub trait Lockable: Backend + Sized + sealed::Sealed {
    /// Takes it.
    #[doc(hidden)]
    fn take<C: LoadConnection<Backend = Self>>(
        connection: &mut C,
        options: &LockOptions,
        events: &mut dyn FnMut(LockEvent),
    ) -> Result<Taken, LockError>;

    /// Rolls back a transaction that was begun without diesel's knowledge, should there be one.
    #[doc(hidden)]
    fn roll_back<C: LoadConnection<Backend = Self>>(connection: &mut C);

    /// Lets go of it.
    #[doc(hidden)]
    fn give_back<C: LoadConnection<Backend = Self>>(connection: &mut C, taken: Taken) -> Result<(), LockError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for diesel::pg::Pg {}
    impl Sealed for diesel::sqlite::Sqlite {}
}

/// How a lock is held.
#[doc(hidden)]
pub struct Taken(How);

enum How {
    /// By the connection's own session.
    Session,
    /// By a session of another process.
    Lent(LockPass),
    /// By a locked file, as long as it is open.
    File(FileLock),
    /// By a file that another process has locked.
    LentFile(BorrowedFile),
    /// There is nobody to keep out.
    Nobody,
}

/// A connection that holds the lock. When it is dropped without [`Held::release`], the work did not come to its end:
/// what a transaction of it has done so far is rolled back first, however it was begun.
pub struct Held<'c, C>
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    connection: &'c mut C,
    taken: Option<Taken>,
}

/// Takes the lock on this connection, waiting for whoever has it. Of the options `direct` and `force_release` mean nothing
/// here.
///
/// # Errors
/// Somebody keeps the lock or has a lease, the connection is in a transaction, or it fails.
pub fn hold<'c, C>(
    connection: &'c mut C,
    options: &LockOptions,
    events: &mut dyn FnMut(LockEvent),
) -> Result<Held<'c, C>, LockError>
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    let depth = C::TransactionManager::transaction_manager_status_mut(connection).transaction_depth();
    if !matches!(depth, Ok(None)) {
        return Err(LockError::InTransaction);
    }
    let taken = <C::Backend as Lockable>::take(connection, options, events)?;
    Ok(Held {
        connection,
        taken: Some(taken),
    })
}

impl<C> Held<'_, C>
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    /// The connection, to work with.
    pub fn connection(&mut self) -> &mut C {
        self.connection
    }

    /// Lets go of the lock.
    ///
    /// # Errors
    /// The lock was lost while the work went on, or the connection is gone.
    pub fn release(mut self) -> Result<(), LockError> {
        match self.taken.take() {
            Some(taken) => <C::Backend as Lockable>::give_back(self.connection, taken),
            None => Ok(()),
        }
    }
}

impl<C> Drop for Held<'_, C>
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        // A server does nothing in a transaction that has failed, not even let go of a lock.
        while let Ok(Some(_)) =
            C::TransactionManager::transaction_manager_status_mut(self.connection).transaction_depth()
        {
            if C::TransactionManager::rollback_transaction(self.connection).is_err() {
                break;
            }
        }
        <C::Backend as Lockable>::roll_back(self.connection);
        // Should this fail, the lock ends with the session.
        let _ = <C::Backend as Lockable>::give_back(self.connection, taken);
    }
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    answer: bool,
}

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Nullable<Text>)]
    schema: Option<String>,
    /// When the transaction began.
    #[diesel(sql_type = Text)]
    began: String,
}

fn failed(doing: &str, error: &diesel::result::Error) -> LockError {
    DatabaseError::server(doing, ServerError::text(words(error))).into()
}

/// What libpq says ends with a line break.
fn words(error: &diesel::result::Error) -> String {
    error.to_string().trim_end().to_owned()
}

/// What is being done, in errors.
const TAKING: &str = "take the migration lock";

/// The session, if no transaction has begun: everybody who waits for all older ones would wait for that too.
fn outside_of_transactions<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> Result<Session, LockError> {
    let mut look = || session(connection).map_err(|error| failed(TAKING, &error));
    // Outside of a transaction every statement begins one of its own, at its own time.
    let (session, again) = (look()?, look()?);
    if session.pid != again.pid {
        return Err(LockError::Pooler);
    }
    if session.began == again.began {
        return Err(LockError::InTransaction);
    }
    Ok(session)
}

/// Tries once, on the session of this process.
fn attempt<C: LoadConnection<Backend = Pg>>(connection: &mut C, pid: i32) -> Result<Attempt, LockError> {
    let sql = format!("SELECT pg_catalog.pg_try_advisory_lock({KEY}) AS locked, pg_catalog.pg_backend_pid() AS pid");
    let tried: Vec<Tried> = sql_query(sql)
        .load(connection)
        .map_err(|error| failed(TAKING, &error))?;
    if let Some(tried) = tried.first().filter(|tried| tried.locked) {
        if tried.pid != pid {
            let _ = unlock(connection);
            return Err(LockError::Pooler);
        }
        // A transaction of a run that has died may still be at work.
        let over = format!("pg_catalog.pg_try_advisory_lock({KEY}, {TRANSACTIONS})");
        match ask(connection, &over) {
            Ok(true) => return Ok(Attempt::Taken),
            Ok(false) => unlock(connection).map_err(|error| failed(TAKING, &error))?,
            Err(error) => {
                let _ = unlock(connection);
                return Err(failed(TAKING, &error));
            }
        };
    }
    Ok(Attempt::Held(advisory_holder(connection, KEY)))
}

impl Lockable for Pg {
    fn take<C: LoadConnection<Backend = Self>>(
        connection: &mut C,
        options: &LockOptions,
        events: &mut dyn FnMut(LockEvent),
    ) -> Result<Taken, LockError> {
        let session = outside_of_transactions(connection)?;
        let mut how = How::Session;
        if let Some(pass) = &options.pass {
            let held = holds(&pass.pid.to_string(), Some(&pass.token));
            if ask(connection, &held).map_err(|error| failed(TAKING, &error))? {
                events(LockEvent::Shared { pid: pass.pid });
                how = How::Lent(pass.clone());
            }
        }
        if matches!(how, How::Session) {
            poll(options, events, || attempt(connection, session.pid))?;
        }
        let taken = Taken(how);
        let respected = leases::on_postgres(connection)
            .map_err(|error| failed(leases::READING, &error))
            .and_then(|leases| {
                let ledger = session.schema.as_deref().unwrap_or("public");
                let lease = leases.into_iter().find(|lease| lease.ledger == ledger);
                respect(lease, options.token.as_ref(), events)
            });
        match respected {
            Ok(()) => Ok(taken),
            Err(error) => {
                let _ = Self::give_back(connection, taken);
                Err(error)
            }
        }
    }

    fn roll_back<C: LoadConnection<Backend = Self>>(connection: &mut C) {
        // Asked first: the server warns of a ROLLBACK that ends nothing.
        if outside_of_transactions(connection).is_err() {
            let _ = connection.batch_execute("ROLLBACK");
        }
    }

    fn give_back<C: LoadConnection<Backend = Self>>(connection: &mut C, taken: Taken) -> Result<(), LockError> {
        let lost = |reason: String| LockError::Lost { reason };
        let (end, otherwise) = match taken.0 {
            How::Session => (
                format!(
                    "pg_catalog.pg_advisory_unlock({KEY}, {TRANSACTIONS}) AND pg_catalog.pg_advisory_unlock({KEY})"
                ),
                "the session let go of it before the work was done",
            ),
            How::Lent(pass) => (
                holds(&pass.pid.to_string(), Some(&pass.token)),
                "the session that took it no longer holds it",
            ),
            How::File(_) | How::LentFile(_) | How::Nobody => return Ok(()),
        };
        let mut held = ask(connection, &end);
        if held.is_err() {
            // A transaction that was begun without diesel's knowledge, and has failed.
            let _ = connection.batch_execute("ROLLBACK");
            held = ask(connection, &end);
        }
        match held {
            Ok(true) => Ok(()),
            Ok(false) => Err(lost(otherwise.to_owned())),
            Err(error) => Err(lost(words(&error))),
        }
    }
}

fn session<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> diesel::QueryResult<Session> {
    sql_query(
        "SELECT pg_catalog.pg_backend_pid() AS pid, pg_catalog.current_schema()::text AS schema, \
         pg_catalog.now()::text AS began",
    )
    .get_result(connection)
}

fn ask<C: LoadConnection<Backend = Pg>>(connection: &mut C, condition: &str) -> diesel::QueryResult<bool> {
    let answers: Vec<Answer> = sql_query(format!("SELECT {condition} AS answer")).load(connection)?;
    Ok(answers.iter().any(|row| row.answer))
}

/// Lets go of the lock.
fn unlock<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> diesel::QueryResult<bool> {
    ask(connection, &format!("pg_catalog.pg_advisory_unlock({KEY})"))
}

#[derive(QueryableByName)]
struct File {
    #[diesel(sql_type = Nullable<Text>)]
    file: Option<String>,
}

impl Lockable for Sqlite {
    fn take<C: LoadConnection<Backend = Self>>(
        connection: &mut C,
        options: &LockOptions,
        events: &mut dyn FnMut(LockEvent),
    ) -> Result<Taken, LockError> {
        let files: Vec<File> = sql_query("SELECT file FROM pragma_database_list WHERE name = 'main'")
            .load(connection)
            .map_err(|error| DatabaseError::server("look for the database's file", sqlite_error(&error)))?;
        let path = files
            .into_iter()
            .find_map(|row| row.file)
            .filter(|path| !path.is_empty());
        let Some(path) = path else {
            // A database in memory: nobody else can get at it.
            return Ok(Taken(How::Nobody));
        };
        let target = SqliteTarget {
            path: PathBuf::from(path),
            busy_timeout: BUSY_TIMEOUT,
            scratch: false,
        };
        let how = if let Some(pass) = &options.pass
            && let Some(lent) = BorrowedFile::open(target.lock_path(), pass)?
        {
            events(LockEvent::Shared { pid: pass.pid });
            How::LentFile(lent)
        } else {
            let mut lock = FileLock::new(target.lock_path(), "with_migration_lock");
            poll(options, events, || lock.attempt())?;
            How::File(lock)
        };
        let leases = leases::in_file(&target.state_path(), target.busy_timeout)?;
        respect(leases.into_iter().next(), options.token.as_ref(), events)?;
        Ok(Taken(how))
    }

    fn roll_back<C: LoadConnection<Backend = Self>>(connection: &mut C) {
        // Refused where there is none.
        let _ = connection.batch_execute("ROLLBACK");
    }

    fn give_back<C: LoadConnection<Backend = Self>>(_: &mut C, taken: Taken) -> Result<(), LockError> {
        match taken.0 {
            How::File(mut lock) => lock.check(),
            How::LentFile(mut lock) => lock.check(),
            How::Session | How::Lent(_) | How::Nobody => Ok(()),
        }
    }
}
