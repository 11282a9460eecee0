//! The run lock for programs of one's own: data migrations, long jobs, everything that no migration may run beside.

use tollgate_database::{LockError, LockEvent, LockOptions, Lockable, hold};

use diesel::connection::LoadConnection;

/// Why [`with_migration_lock`] did not end well.
#[derive(Debug, thiserror::Error)]
pub enum WithLockError<E> {
    /// The lock was not to be had, or was lost while the work went on.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The work itself failed. Whatever it had not committed is rolled back.
    #[error("{0}")]
    Work(E),
}

/// Does something while this connection holds the migration lock: no deploy of Tollgate and no command of Prisma's that
/// migrates runs at the same time, on whichever machine. Works on every diesel connection to PostgreSQL (diesel's own, or
/// [`connect_postgres`](crate::connect_postgres), which needs no libpq) and to `SQLite`.
///
/// The lock is waited for by asking again and again, at most for [`LockOptions::timeout`]; somebody else's lease is
/// respected, unless [`LockOptions::token`] is its token. It is let go of when `work` returns, also early or with an error,
/// and when it panics. After an error or a panic, what a transaction of the connection has done so far is rolled back
/// first. It is not a transaction: work that should be done whole or not at all begins one, and ends it.
///
/// On PostgreSQL it belongs to the connection's session. The connection must not be in a transaction yet. The lock can be
/// taken again inside `work`.
///
/// Nor may the connection go through a transaction pooler (PgBouncer with `pool_mode = transaction`), behind which a lock
/// protects nothing: **give the URL of the server itself.** That is for the caller to see to. A deploy asks on a second
/// connection of its own whether there is a pooler; from a single one it shows only when the pooler happens to lend it
/// another process of the server in the middle, which is an error then ([`LockError::Pooler`], or [`LockError::Lost`] at the
/// end). A pooler that nobody else uses at the moment lends the same one every time.
///
/// On `SQLite` it is the lock on a file beside the database; a database in memory has nobody to be locked against. Inside
/// `work` it cannot be taken again: that waits for itself until the time is over.
///
/// A program that `tollgate lock run` runs goes on under its lock with [`LockOptions::pass`], which
/// [`LockPass::parse`](crate::LockPass::parse) makes of the variable `TOLLGATE_LOCK_HELD`; without it, it would wait for
/// whoever runs it. [`LockOptions::direct`] and [`LockOptions::force_release`] mean nothing here: the lock is on this
/// connection, and it is nobody else's that is taken away.
///
/// The connection has to be one of the [`diesel`](crate::diesel) that this crate exports: another major version's traits
/// are others.
///
/// ```
/// use std::time::Duration;
///
/// use tollgate_engine::diesel::{Connection, RunQueryDsl, SqliteConnection, sql_query};
/// use tollgate_engine::{LockOptions, WithLockError, with_migration_lock};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.db");
/// # let path = path.to_str().ok_or("a path in UTF-8")?;
/// let mut connection = SqliteConnection::establish(path)?;
/// sql_query("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)").execute(&mut connection)?;
/// sql_query("INSERT INTO users (email) VALUES ('Ada@Example.com'), ('bob@example.com')").execute(&mut connection)?;
///
/// let options = LockOptions {
///     timeout: Duration::from_mins(1),
///     ..LockOptions::default()
/// };
/// let changed = with_migration_lock(&mut connection, &options, |connection| {
///     connection.transaction(|connection| {
///         sql_query("UPDATE users SET email = lower(email) WHERE email <> lower(email)").execute(connection)
///     })
/// })?;
/// assert_eq!(changed, 1);
///
/// // An error of the work comes back as it is.
/// let result = with_migration_lock(&mut connection, &options, |_| Err::<(), _>("no such user"));
/// assert!(matches!(result, Err(WithLockError::Work("no such user"))));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`WithLockError::Lock`] when the lock is not to be had or was lost, [`WithLockError::Work`] with what `work` returned.
pub fn with_migration_lock<C, T, E>(
    connection: &mut C,
    options: &LockOptions,
    work: impl FnOnce(&mut C) -> Result<T, E>,
) -> Result<T, WithLockError<E>>
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    with_migration_lock_watched(connection, options, |_| {}, work)
}

/// The same, and `events` hears what happens on the way to the lock: who holds it and for how long one has waited.
///
/// # Errors
/// Those of [`with_migration_lock`].
pub fn with_migration_lock_watched<C, T, E>(
    connection: &mut C,
    options: &LockOptions,
    mut events: impl FnMut(LockEvent),
    work: impl FnOnce(&mut C) -> Result<T, E>,
) -> Result<T, WithLockError<E>>
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    let mut held = hold(connection, options, &mut events)?;
    let value = work(held.connection()).map_err(WithLockError::Work)?;
    held.release()?;
    Ok(value)
}
