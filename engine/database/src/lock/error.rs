//! Why there is no lock, and what happens on the way to one.

use std::time::Duration;

use crate::error::DatabaseError;
use crate::sessions::LockHolder;
use crate::state::Lease;

/// What happens on the way to the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum LockEvent {
    /// Somebody else has it. Comes when the second attempt finds it so, when the holder changes, and every few seconds.
    Waiting {
        /// Who, when that can be seen.
        holder: Option<LockHolder>,
        /// How long already.
        waited: Duration,
        /// How long at most.
        timeout: Duration,
    },
    /// What somebody holds is about to be taken away.
    Releasing {
        /// Sessions that will be ended.
        holders: Vec<LockHolder>,
        /// Leases that will be ended.
        leases: Vec<Lease>,
    },
    /// There was a lease, and its time is over: it does not count.
    LeaseExpired(Box<Lease>),
    /// The lock is the one that another process took for this one.
    Shared {
        /// The session, or on `SQLite` the process, that holds it.
        pid: i32,
    },
}

/// Why there is no lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else kept it all the time.
    #[error("lock already held by {}", holder.as_ref().map_or("another run".to_owned(), |holder| holder.describe()))]
    Held {
        /// Who, when that can be seen.
        holder: Option<Box<LockHolder>>,
        /// How long was waited.
        waited: Duration,
    },
    /// Somebody else has a lease.
    #[error("{}", leased(.0))]
    Leased(Box<Lease>),
    /// The run was asked to stop while it waited.
    #[error("interrupted while waiting for the migration lock")]
    Interrupted,
    /// Session locks mean nothing behind a transaction pooler.
    #[error("the lock's connection goes through a transaction pooler, where a lock protects nothing")]
    Pooler,
    /// The URL says that there is one.
    #[error(
        "the URL of the lock's connection says pgbouncer=true, and behind a transaction pooler a lock protects nothing"
    )]
    SaidPooler,
    /// The URL for the lock leads somewhere else than the database's own.
    #[error("the lock would be taken in another database than the one that is migrated: {lock}, not {database}")]
    Elsewhere {
        /// Where the lock's connection leads.
        lock: String,
        /// What is migrated.
        database: String,
    },
    /// The way round a pooler logs in as somebody else.
    #[error(
        "database.url goes through a transaction pooler, and lock.url, which leads round it, logs in as another role: \
         {lock}, not {database}"
    )]
    OtherRole {
        /// As whom the lock's URL logs in.
        lock: String,
        /// As whom the database's does.
        database: String,
    },
    /// The session that held the lock is gone.
    #[error("the migration lock was lost: {reason}")]
    Lost {
        /// Why.
        reason: String,
    },
    /// A connection inside a transaction cannot wait for the lock: others would wait for that transaction.
    #[error("the connection is in the middle of a transaction")]
    InTransaction,
    /// A session that is to be ended holds no lock.
    #[error("process {pid} does not hold the migration lock")]
    NotHolder {
        /// Which one.
        pid: i32,
    },
    /// A session that holds the lock could not be ended.
    #[error("{} could not be ended: {reason}", holder.describe())]
    NotEnded {
        /// Which one.
        holder: Box<LockHolder>,
        /// Why.
        reason: String,
        /// What to do.
        help: String,
    },
    /// The lock was to be taken away from several, and one of them still has it.
    #[error("{error}")]
    Partly {
        /// How many sessions and leases were ended.
        ended: usize,
        /// Of how many.
        of: usize,
        /// Why the first of the others was not.
        error: Box<Self>,
    },
    /// The lock's connection or file failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl LockError {
    /// What to do.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Held { holder, waited } => {
                let ending = match holder.as_deref().filter(|holder| holder.prepared.is_some()) {
                    Some(holder) => format!("if nobody ends it, {} does", holder.ending()),
                    None => "if it hangs, `tollgate lock release --force` ends it".to_owned(),
                };
                format!(
                    "`tollgate lock status` shows what it does; LOCK_TIMEOUT_MS={} waits for it longer; {ending}",
                    longer(*waited)
                )
            }
            Self::Leased(_) => {
                "wait until it ends, or have its owner run `tollgate lock release`; whoever has its token goes \
                on with that in TOLLGATE_LOCK_TOKEN; `tollgate lock release --force` takes it away"
                    .to_owned()
            }
            Self::Pooler => {
                "set lock.url (or TOLLGATE_LOCK_URL) to a URL that leads to the same database directly; or have \
                all of the run use it, as database.url"
                    .to_owned()
            }
            Self::SaidPooler => {
                "set lock.url (or TOLLGATE_LOCK_URL) to a URL that leads to the same database directly; or take \
                pgbouncer=true out of the URL if no transaction pooler is there"
                    .to_owned()
            }
            Self::Elsewhere { .. } => {
                "lock.url has to lead to the same server and database as database.url, only not by way \
                of the pooler"
                    .to_owned()
            }
            Self::OtherRole { .. } => {
                "have lock.url log in as the same role: behind a transaction pooler the whole run goes by \
                way of lock.url, and what it makes would belong to the other role"
                    .to_owned()
            }
            Self::Lost { .. } => "another run may have begun; check the status before going on".to_owned(),
            Self::InTransaction => "take the lock first, and begin the transaction under it".to_owned(),
            Self::NotHolder { .. } => "`tollgate lock status` lists those that do".to_owned(),
            Self::NotEnded { help, .. } => help.clone(),
            Self::Partly { error, .. } => return error.help(),
            Self::Interrupted => return None,
            Self::Database(error) => {
                let lost = matches!(error, DatabaseError::Server { error, .. } if error.connection_lost);
                let again = || lost.then(|| "run the command again once the server answers".to_owned());
                return error.help().or_else(again);
            }
        })
    }

    /// Somebody else has it, and it is to be had later.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Leased(_))
    }
}

/// A time to wait, in milliseconds, for whom this was too short.
fn longer(waited: Duration) -> u64 {
    const MINUTE: u64 = 60_000;
    (waited.as_secs() / 60 + 1).saturating_mul(2 * MINUTE)
}

fn leased(lease: &Lease) -> String {
    let reason = lease
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    format!(
        "the lock is leased to {} since {:.0}, until {:.0}{reason}",
        lease.holder(),
        lease.acquired_at,
        lease.expires_at
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn who_should_wait_longer_is_told_a_longer_time() {
        for (waited, longer) in [
            (0, 120_000),
            (30, 120_000),
            (119, 240_000),
            (120, 360_000),
            (1_000, 2_040_000),
        ] {
            let error = LockError::Held {
                holder: None,
                waited: Duration::from_secs(waited),
            };
            let help = error.help().unwrap();
            assert!(help.contains(&format!("LOCK_TIMEOUT_MS={longer} ")), "{help}");
        }
    }
}
