//! PostgreSQL: diesel's traits over the pure-Rust driver, so that neither libpq nor OpenSSL is needed and nothing that
//! the server says (SQLSTATE, position, notices) is lost.

pub(crate) mod cancel;
pub(crate) mod client;
pub(crate) mod connect;
pub(crate) mod connection;
mod dial;
pub(crate) mod errors;
pub(crate) mod lock;
pub(crate) mod patience;
pub(crate) mod refusal;
pub(crate) mod row;
pub(crate) mod target;
pub(crate) mod tls;
