//! Throwaway PostgreSQL: [`cluster`] starts one server a test process, [`Cluster::database`] makes a database in it.
//!
//! With `TOLLGATE_TEST_POSTGRES=postgresql://user:password@host:port` the tests use that server instead and only create
//! databases. `cargo run -p tollgate-testing -- cargo nextest run` starts one cluster for all test processes that way.

mod cluster;
mod database;
mod session;

pub use cluster::{Cluster, Setup, cluster, try_cluster};
pub(crate) use cluster::{free_port, hand_over, temporary_folder};
pub use database::TestDatabase;
pub use session::Session;

/// Names a running server whose user may create databases and roles.
pub const SERVER_VARIABLE: &str = "TOLLGATE_TEST_POSTGRES";

/// A role that exists on every test server; on clusters that this crate started it and its members have
/// to give their password (SCRAM).
pub const PASSWORD_ROLE: &str = "tollgate_password";

/// Its password; odd on purpose, so that it has to be percent-encoded in a URL.
pub const PASSWORD: &str = "s3cret/p@ss:word%";
