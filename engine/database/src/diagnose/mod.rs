//! What can be found out about a database before anybody deploys to it: one finding a line, and what to do about it.
//!
//! Nothing is created or changed. Every query runs in a read-only transaction of its own with time limits, and waits for
//! no lock longer than a second; one that fails stops none of the others.

mod bounded;
mod finding;
mod ledger;
mod load;
mod locks;
mod pooler;
mod privileges;
mod reach;
mod replication;
mod run;
mod server;
mod session;
mod settings;
mod sqlite;
mod sqlite_file;
mod storage;
mod wire;
mod words;

pub use finding::{Finding, Group, Status};
pub(crate) use pooler::is_pooled;
pub use run::{Diagnosis, Request, WantedExtension, diagnose};
