//! Leases and holders in JSON documents.

use serde::Serialize;
use tollgate_engine::{Lease, LockHolder};

/// How much of a statement is shown.
pub const EXCERPT: usize = 100;

/// A lease.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeaseDocument {
    /// Schema of the ledger that it is for, or `main`.
    pub ledger: String,
    /// Who has it.
    pub owner: String,
    /// On which machine it was taken.
    pub host: Option<String>,
    /// The process there that it was taken from: the shell, usually, which may be gone since.
    pub pid: Option<i32>,
    /// What for.
    pub reason: Option<String>,
    /// Since when, RFC 3339.
    pub acquired_at: String,
    /// Until when.
    pub expires_at: String,
    /// How long that is from now, by the clock that counts; nothing when it is over.
    pub remaining_seconds: Option<u64>,
    /// It still counts.
    pub valid: bool,
}

impl From<&Lease> for LeaseDocument {
    fn from(lease: &Lease) -> Self {
        Self {
            ledger: lease.ledger.clone(),
            owner: lease.owner.clone(),
            host: lease.host.clone(),
            pid: lease.pid,
            reason: lease.reason.clone(),
            acquired_at: lease.acquired_at.to_string(),
            expires_at: lease.expires_at.to_string(),
            remaining_seconds: lease.remaining.map(|left| left.as_secs()),
            valid: lease.is_valid(),
        }
    }
}

/// A session that holds the lock.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HolderDocument {
    /// Server process, or process of the machine for SQLite; none where it is a prepared transaction.
    pub pid: Option<i32>,
    /// Its role.
    pub user: Option<String>,
    /// Its `application_name`.
    pub application: Option<String>,
    /// Address of its other end; for SQLite the machine's name.
    pub client: Option<String>,
    /// `active`, `idle`, `idle in transaction`, …
    pub state: Option<String>,
    /// Since when its transaction, or else its session, is there.
    pub since: Option<String>,
    /// When its newest statement began.
    pub query_start: Option<String>,
    /// How long ago that was, by the server's clock.
    pub query_seconds: Option<u64>,
    /// The beginning of that statement; no quoted values where it speaks of passwords.
    pub query: Option<String>,
}

impl From<&LockHolder> for HolderDocument {
    fn from(holder: &LockHolder) -> Self {
        Self {
            pid: holder.process(),
            user: holder.user.clone(),
            application: holder.application.clone(),
            client: holder.client.clone(),
            state: holder.state.clone(),
            since: holder.since.map(|since| since.to_string()),
            query_start: holder.query_start.map(|start| start.to_string()),
            query_seconds: holder.query_age.map(|age| age.as_secs()),
            query: holder.excerpt(EXCERPT),
        }
    }
}
