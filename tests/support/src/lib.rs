//! Throwaway databases for tests: PostgreSQL clusters that go when the test process goes, and `SQLite` files; and what may
//! stand around a database: a pooler, a standby, certificates, a disk that is soon full.
//!
//! Nothing here is part of the program. A test that needs a server and finds none fails with advice; it never passes in
//! silence.

pub mod pooler;
pub mod postgres;
pub mod proxy;
pub mod restart;
pub mod sqlite;
pub mod standby;
pub mod tls;
pub mod tmpfs;
pub mod users;

mod error;
mod programs;
mod supervised;

pub use error::SupportError;
pub use sqlite::{SqliteFile, sqlite_file};
