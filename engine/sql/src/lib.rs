//! SQL scripts to statements to operations, with exact positions. No I/O.
//!
//! The grammar is the server's own: PostgreSQL's through `pg_query`, `SQLite`'s through `syntaqlite`; `MySQL` and MariaDB
//! have a reader of ours, because nothing has their grammar. What the server accepts must never be refused because of
//! us; what cannot be followed is said to be opaque, never guessed.

pub mod canonical;
pub mod comment;
pub mod error;
pub mod name;
pub mod operation;
pub mod quote;
pub mod script;

mod mysql;
mod postgres;
mod sqlite;

pub use error::{ParseError, ParseErrorKind};
pub use name::{Dialect, ObjectName};
pub use operation::Operation;
pub use script::{Change, Effect, EnumRebuild, Position, Script, Span, Statement, TableRebuild};

/// Whether a short text is certain to be nothing but definitions of objects that the grammar takes, at least one: cheaper
/// than [`parse`], for whoever wants to know nothing else of it. `false` says nothing.
pub fn defines(dialect: Dialect, text: &str) -> bool {
    dialect == Dialect::Postgres && postgres::defines(text)
}

/// Reads a script. Every statement is parsed by the dialect's grammar; the first that is refused is the error.
///
/// # Errors
/// [`ParseError`] with the place of the first statement that does not parse, or that only a client program understands.
pub fn parse(dialect: Dialect, text: &str) -> Result<Script, ParseError> {
    match dialect {
        Dialect::Postgres => postgres::parse(text),
        Dialect::Sqlite => sqlite::parse(text),
        Dialect::Mysql => mysql::parse(text),
    }
}
