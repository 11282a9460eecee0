//! The only crate that opens database connections: PostgreSQL and `SQLite`, chosen by URL.
//!
//! It keeps Prisma's ledger, runs scripts so that they are applied and recorded or neither, holds the lock that keeps two
//! runs apart, reads catalogs, and keeps Tollgate's own state beside the ledger. It reads no environment and prints nothing.

pub mod catalog;
pub mod diagnose;
pub mod error;
pub mod execute;
mod interrupt;
pub mod ledger;
pub mod lock;
pub mod scratch;
pub mod state;
pub mod target;
pub mod url;

mod cancel;
mod connection;
mod database;
mod greeting;
mod guard;
mod halfway;
mod hold;
mod lost;
mod observe;
mod postgres;
mod prepared;
mod query_text;
mod recovery;
mod reset;
mod resolve;
mod sessions;
mod sql_text;
mod sqlite;

pub use database::{ConnectOptions, Database};
pub use error::{DatabaseError, ServerDetails, ServerError};
pub use execute::seed::Seed;
pub use execute::{
    Applied, Circumstances, DatabaseState, Durability, ExecuteError, ExecuteEvent, ExecuteOptions, Leftovers,
    LockHolder, Migration, Obstacle, Pragmas, Problem, RollbackRequest, RolledBack, Transactions, named_in_short,
    obstacle, way_out,
};
pub use greeting::ServerInfo;
pub use hold::{Held, Lockable, connect_postgres, connect_sqlite, hold};
pub use interrupt::{AtWork, Doing, Interrupt};
pub use ledger::{LedgerError, LedgerRow};
pub use lock::{LockError, LockEvent, LockOptions, LockPass, Released, RunLock};
pub use observe::{Observation, ObservedLock};
pub use postgres::connection::{Notice, PgConnection};
pub use reset::{AlsoEmptied, Emptying, ExtensionsAtHand};
pub use resolve::ResolveError;
pub use scratch::{Scratch, ScratchOptions, Start};
pub use state::progress::{Direction, Progress};
pub use state::{Lease, LockToken, NewLease, State, new_run_id};
pub use target::Target;
pub use url::UrlError;
