//! The run lock on its own: leases, who holds it, taking it away, holding it for another program.

use std::time::Duration;

use tollgate_database::{
    ConnectOptions, Database, Lease, LockError, LockHolder, LockOptions, LockPass, LockToken, NewLease, Released,
    RunLock, Target,
};

use crate::error::Error;
use crate::event::{Event, Observer};

/// A lease that somebody asks for.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// Who asks.
    pub owner: String,
    /// On which machine.
    pub host: Option<String>,
    /// In which process.
    pub pid: Option<i32>,
    /// What for.
    pub reason: Option<String>,
    /// For how long.
    pub ttl: Duration,
    /// The token that a new lease is to have. `None`: a random one. A lease that is one's own already keeps its token.
    pub token: Option<LockToken>,
}

/// A lease that was taken.
#[derive(Debug, Clone)]
pub struct Acquired {
    /// The lease.
    pub lease: Lease,
    /// What proves that it is one's own: a secret.
    pub token: LockToken,
    /// It was one's own before and lasts longer now.
    pub renewed: bool,
}

/// Who holds the lock.
#[derive(Debug, Clone)]
pub struct LockStatus {
    /// Sessions that hold it now.
    pub holders: Vec<LockHolder>,
    /// Leases of all ledgers of the database, those that are over included.
    pub leases: Vec<Lease>,
    /// The ledger that the target means: a lease of another one does not count for it.
    pub ledger: String,
}

/// A lock that is held until this is dropped.
pub struct HeldLock {
    lock: RunLock,
    _database: Database,
}

/// Takes a lease, or makes one's own longer. It waits for whoever holds the lock at the moment, and holds it itself only
/// while it writes the lease. `keep` gets the token before there is a lease with it: a process that dies in between must
/// not leave a lease whose token nobody has. When it cannot keep it, nothing is changed, and its error is the inner result.
///
/// # Errors
/// Somebody else keeps the lock or has a lease, or the database cannot be used.
pub fn acquire_lock<K>(
    target: &Target,
    options: &LockOptions,
    request: &LeaseRequest,
    keep: impl FnOnce(&LockToken) -> Result<(), K>,
    observe: Observer<'_>,
) -> Result<Result<Acquired, K>, Error> {
    // As a deploy does, which usually comes next.
    let connect = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(target, &connect)?;
    let lock = take(&mut database, options, observe)?;
    let own = database.lease()?.and_then(|lease| {
        let token = options.token.clone().filter(|token| lease.is_of(token))?;
        lease.is_valid().then_some(token)
    });
    let renewed = own.is_some();
    let token = own.or_else(|| request.token.clone()).unwrap_or_else(LockToken::random);
    if let Err(error) = keep(&token) {
        return Ok(Err(error));
    }
    let lease = NewLease {
        owner: &request.owner,
        host: request.host.as_deref(),
        pid: request.pid,
        reason: request.reason.as_deref(),
        ttl: request.ttl,
    };
    database.state()?.take_lease(&lease, &token)?;
    let lease = database.lease()?;
    drop(lock);
    match lease {
        Some(lease) => Ok(Ok(Acquired { lease, token, renewed })),
        // It was there a moment ago, and whoever ends leases does not wait for the lock.
        None => Err(LockError::Lost {
            reason: "somebody has ended the lease as soon as it was taken".to_owned(),
        }
        .into()),
    }
}

/// Who holds the lock, and who has leases. Takes no lock.
///
/// # Errors
/// The database cannot be used.
pub fn lock_status(target: &Target) -> Result<LockStatus, Error> {
    let options = ConnectOptions {
        read_only: true,
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(target, &options)?;
    Ok(LockStatus {
        holders: database.lock_holders()?,
        leases: database.leases()?,
        ledger: target.schema().unwrap_or("main").to_owned(),
    })
}

/// Ends the lease that this token is for. `None`: there is none.
///
/// # Errors
/// The lease is somebody else's, or the database cannot be used.
pub fn release_lock(target: &Target, token: Option<&LockToken>) -> Result<Option<Lease>, Error> {
    let mut database = Database::connect(target, &ConnectOptions::default())?;
    let Some(lease) = database.lease()? else {
        return Ok(None);
    };
    if token.is_some_and(|token| lease.is_of(token)) {
        let ended = database.state()?.end_lease(&lease)?;
        return Ok(ended.then_some(lease));
    }
    if lease.is_valid() {
        return Err(LockError::Leased(Box::new(lease)).into());
    }
    Ok(None)
}

/// Takes the lock of a database away from everybody: ends the leases of all its ledgers, one's own too, and every session
/// that holds the lock. Says whose they are before.
///
/// # Errors
/// A session cannot be ended, or the database cannot be used.
pub fn force_release(target: &Target, observe: Observer<'_>) -> Result<Released, Error> {
    let mut database = Database::connect(target, &ConnectOptions::default())?;
    Ok(database.release_everything(&mut |event| observe(Event::Lock(event)))?)
}

/// Ends exactly this session, if it holds the lock.
///
/// # Errors
/// It does not hold the lock or cannot be ended, or the database cannot be used.
pub fn terminate_holder(target: &Target, pid: i32) -> Result<LockHolder, Error> {
    let mut database = Database::connect(target, &ConnectOptions::default())?;
    Ok(database.terminate_holder(pid)?)
}

/// Takes the lock and keeps it. `name` is what others see as the name of the program that holds it.
///
/// # Errors
/// Somebody else keeps the lock or has a lease, or the database cannot be used.
pub fn hold_lock(target: &Target, options: &LockOptions, name: &str, observe: Observer<'_>) -> Result<HeldLock, Error> {
    let connect = ConnectOptions {
        application_name: name.to_owned(),
        create_missing: true,
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(target, &connect)?;
    Ok(HeldLock {
        lock: take(&mut database, options, observe)?,
        _database: database,
    })
}

impl HeldLock {
    /// Makes sure that the lock is still held.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&mut self) -> Result<(), Error> {
        Ok(self.lock.check()?)
    }

    /// Lets another process go on under this lock: for its `LockOptions::pass`.
    ///
    /// # Errors
    /// The lock's session does not answer.
    pub fn pass(&mut self) -> Result<LockPass, Error> {
        Ok(self.lock.pass()?)
    }
}

fn take(database: &mut Database, options: &LockOptions, observe: Observer<'_>) -> Result<RunLock, Error> {
    Ok(database.lock(options, &mut |event| observe(Event::Lock(event)))?)
}
