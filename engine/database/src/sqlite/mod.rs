//! `SQLite`: diesel's own connection, the library bundled.

pub(crate) mod brake;
pub(crate) mod connect;
pub(crate) mod lock;
pub(crate) mod target;
