//! The crate against real databases.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod apply_postgres;
mod apply_sqlite;
mod connect;
mod crash;
mod hold;
mod leases;
mod ledger;
mod lock;
mod real;
mod rollback;
mod scratch;
mod session;
mod state;
mod support;
mod target;
mod tls;
