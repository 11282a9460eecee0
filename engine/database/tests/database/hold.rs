//! The lock on a connection of one's own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use diesel::connection::{Connection, LoadConnection, SimpleConnection};
use diesel::{RunQueryDsl, sql_query};
use tollgate_database::{
    ConnectOptions, LockError, LockOptions, LockToken, Lockable, NewLease, Target, connect_postgres, connect_sqlite,
    hold,
};

use crate::support::{Fixture, connect, postgres, sqlite};

fn short() -> LockOptions {
    LockOptions {
        timeout: Duration::from_millis(300),
        ..LockOptions::default()
    }
}

fn target(fixture: &Fixture) -> Target {
    Target::parse(&fixture.url(), Path::new("/")).unwrap()
}

fn is_free(fixture: &Fixture) -> bool {
    match connect(&fixture.url()).lock(&short(), &mut |_| {}) {
        Ok(_) => true,
        Err(LockError::Held { .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// What has to be so on either backend.
fn all_ways_out<C>(fixture: &Fixture, connection: &mut C)
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    // While it is held, in the work and in a transaction of the work.
    let mut held = hold(connection, &short(), &mut |_| {}).unwrap();
    assert!(!is_free(fixture));
    held.connection().batch_execute("CREATE TABLE t (id int)").unwrap();
    held.release().unwrap();
    assert!(is_free(fixture));

    // An early return.
    drop(hold(connection, &short(), &mut |_| {}).unwrap());
    assert!(is_free(fixture));

    // An error in the middle of a transaction, which keeps it open on the way out.
    let failed = || -> Result<(), diesel::result::Error> {
        let mut held = hold(&mut *connection, &short(), &mut |_| {}).unwrap();
        held.connection().begin_test_transaction()?;
        held.connection().batch_execute("INSERT INTO t VALUES (1)")?;
        held.connection().batch_execute("INSERT INTO nowhere VALUES (1)")
    };
    assert!({ failed }().is_err());
    assert!(is_free(fixture));
    assert_eq!(fixture.ask("SELECT count(*) FROM t"), "0");

    // The same in a transaction that diesel knows nothing of, whether a statement has failed in it or not.
    for next in ["INSERT INTO nowhere VALUES (1)", "INSERT INTO t VALUES (2)"] {
        let mut held = hold(connection, &short(), &mut |_| {}).unwrap();
        held.connection()
            .batch_execute("BEGIN; INSERT INTO t VALUES (1);")
            .unwrap();
        let _ = held.connection().batch_execute(next);
        drop(held);
        assert!(is_free(fixture));
        assert!(connection.batch_execute("COMMIT").is_err() || fixture.is_postgres());
        assert_eq!(fixture.ask("SELECT count(*) FROM t"), "0", "{next}");
    }

    // A panic.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut held = hold(&mut *connection, &short(), &mut |_| {}).unwrap();
        held.connection()
            .transaction(|inner| -> Result<(), diesel::result::Error> {
                inner.batch_execute("INSERT INTO t VALUES (1)")?;
                panic!("on purpose")
            })
    }));
    assert!(panicked.is_err());
    assert!(is_free(fixture));
    assert_eq!(fixture.ask("SELECT count(*) FROM t"), "0");
    connection.batch_execute("DROP TABLE t").unwrap();

    // Somebody else has it.
    let mut other = connect(&fixture.url());
    let lock = other.lock(&short(), &mut |_| {}).unwrap();
    let error = hold(connection, &short(), &mut |_| {}).err().unwrap();
    assert!(matches!(error, LockError::Held { holder: Some(_), .. }), "{error:?}");
    drop(lock);

    // Or a lease.
    let token = LockToken::random();
    let lease = NewLease {
        owner: "anna",
        host: None,
        pid: None,
        reason: None,
        ttl: Duration::from_mins(1),
    };
    other.state().unwrap().take_lease(&lease, &token).unwrap();
    let error = hold(connection, &short(), &mut |_| {}).err().unwrap();
    assert!(matches!(error, LockError::Leased(_)), "{error:?}");
    let own = LockOptions {
        token: Some(token),
        ..short()
    };
    assert!(!is_free_for(fixture, &own, connection));
    other.release_locks(None, &mut |_| {}).unwrap();
    assert!(is_free(fixture));
}

/// Under another one's lock.
fn lent<C>(fixture: &Fixture, connection: &mut C)
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    let mut owner = connect(&fixture.url());
    let mut lock = owner.lock(&short(), &mut |_| {}).unwrap();
    let options = LockOptions {
        pass: Some(lock.pass().unwrap()),
        ..short()
    };
    hold(connection, &options, &mut |_| {}).unwrap().release().unwrap();
    lock.check().unwrap();
    // That it was lost meanwhile is told here as well.
    let held = hold(connection, &options, &mut |_| {}).unwrap();
    drop(lock);
    assert!(matches!(held.release(), Err(LockError::Lost { .. })));
}

#[test]
fn a_lock_can_be_lent_to_a_connection() {
    let fixture = postgres();
    lent(
        &fixture,
        &mut connect_postgres(&target(&fixture), &ConnectOptions::default()).unwrap(),
    );
    let fixture = sqlite();
    lent(
        &fixture,
        &mut connect_sqlite(&target(&fixture), &ConnectOptions::default()).unwrap(),
    );
}

/// Holds it on the connection, and says whether somebody else could have it meanwhile.
fn is_free_for<C>(fixture: &Fixture, options: &LockOptions, connection: &mut C) -> bool
where
    C: LoadConnection,
    C::Backend: Lockable,
{
    let held = hold(connection, options, &mut |_| {}).unwrap();
    let free = connect(&fixture.url()).lock(options, &mut |_| {}).is_ok();
    held.release().unwrap();
    free
}

#[test]
fn is_let_go_of_on_all_ways_out_on_postgres() {
    let fixture = postgres();
    let mut connection = connect_postgres(&target(&fixture), &ConnectOptions::default()).unwrap();
    all_ways_out(&fixture, &mut connection);
}

#[test]
fn is_let_go_of_on_all_ways_out_on_sqlite() {
    let fixture = sqlite();
    let mut connection = connect_sqlite(&target(&fixture), &ConnectOptions::default()).unwrap();
    all_ways_out(&fixture, &mut connection);
}

#[test]
fn a_connection_in_a_transaction_is_refused() {
    let fixture = postgres();
    let mut connection = connect_postgres(&target(&fixture), &ConnectOptions::default()).unwrap();
    connection
        .transaction(|connection| {
            let error = hold(connection, &short(), &mut |_| {}).err();
            assert_eq!(error, Some(LockError::InTransaction));
            Ok::<_, diesel::result::Error>(())
        })
        .unwrap();
    connection.batch_execute("BEGIN").unwrap();
    let error = hold(&mut connection, &short(), &mut |_| {}).err();
    assert_eq!(error, Some(LockError::InTransaction));
    connection.batch_execute("ROLLBACK").unwrap();
    hold(&mut connection, &short(), &mut |_| {}).unwrap().release().unwrap();
}

#[test]
fn a_lock_that_was_lost_in_the_work_is_reported() {
    let fixture = postgres();
    let mut connection = connect_postgres(&target(&fixture), &ConnectOptions::default()).unwrap();
    let mut held = hold(&mut connection, &short(), &mut |_| {}).unwrap();
    sql_query("SELECT pg_advisory_unlock_all()")
        .execute(held.connection())
        .unwrap();
    assert!(matches!(held.release(), Err(LockError::Lost { .. })));

    let held = hold(&mut connection, &short(), &mut |_| {}).unwrap();
    fixture.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
    assert!(matches!(held.release(), Err(LockError::Lost { .. })));
    assert!(is_free(&fixture));
}

#[test]
fn it_is_prismas_lock_and_can_be_taken_twice() {
    let fixture = postgres();
    let mut connection = connect_postgres(&target(&fixture), &ConnectOptions::default()).unwrap();
    let mut outer = hold(&mut connection, &short(), &mut |_| {}).unwrap();
    let inner = hold(outer.connection(), &short(), &mut |_| {}).unwrap();
    inner.release().unwrap();
    assert_eq!(fixture.ask("SELECT pg_try_advisory_lock(72707369)"), "f");
    outer.release().unwrap();
    assert_eq!(fixture.ask("SELECT pg_try_advisory_lock(72707369)"), "t");
}

/// A locked file belongs to no connection, so that it keeps out whoever opens it, this process as well.
#[test]
fn on_sqlite_it_cannot_be_taken_twice() {
    let fixture = sqlite();
    let mut connection = connect_sqlite(&target(&fixture), &ConnectOptions::default()).unwrap();
    let mut outer = hold(&mut connection, &short(), &mut |_| {}).unwrap();
    let error = hold(outer.connection(), &short(), &mut |_| {}).err().unwrap();
    let LockError::Held {
        holder: Some(holder), ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(u32::try_from(holder.pid), Ok(std::process::id()));
    outer.release().unwrap();
}

/// What a run that was killed has left at the server.
#[test]
fn a_transaction_that_outlives_its_run_is_waited_for() {
    let fixture = postgres();
    let mut left = connect_postgres(&target(&fixture), &ConnectOptions::default()).unwrap();
    left.batch_execute("BEGIN; SELECT pg_advisory_xact_lock_shared(72707369, 1);")
        .unwrap();
    let mut connection = connect_postgres(&target(&fixture), &ConnectOptions::default()).unwrap();
    let error = hold(&mut connection, &short(), &mut |_| {}).err().unwrap();
    let LockError::Held {
        holder: Some(holder), ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(holder.state.as_deref(), Some("idle in transaction"));
    assert!(!is_free(&fixture));
    left.batch_execute("COMMIT").unwrap();
    hold(&mut connection, &short(), &mut |_| {}).unwrap().release().unwrap();
    assert!(is_free(&fixture));

    // Or ended.
    left.batch_execute("BEGIN; SELECT pg_advisory_xact_lock_shared(72707369, 1);")
        .unwrap();
    let mut other = connect(&fixture.url());
    assert_eq!(other.release_locks(None, &mut |_| {}).unwrap().holders.len(), 1);
    assert!(is_free(&fixture));
}

#[test]
fn a_database_in_memory_has_nobody_to_keep_out() {
    let mut connection = diesel::SqliteConnection::establish(":memory:").unwrap();
    hold(&mut connection, &short(), &mut |_| {}).unwrap().release().unwrap();
}

#[test]
fn a_connection_is_of_the_kind_that_was_asked_for() {
    let (server, file) = (postgres(), sqlite());
    assert!(connect_postgres(&target(&file), &ConnectOptions::default()).is_err());
    assert!(connect_sqlite(&target(&server), &ConnectOptions::default()).is_err());
}
