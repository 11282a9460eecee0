//! Throwaway databases for tests: PostgreSQL clusters that go when the test process goes, and `SQLite` files.
//!
//! Nothing here is part of the program. A test that needs a server and finds none fails with advice; it never passes in
//! silence.

pub mod postgres;
pub mod sqlite;

mod error;
mod programs;

pub use error::SupportError;
pub use sqlite::{SqliteFile, sqlite_file};
