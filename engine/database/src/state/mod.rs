//! What Tollgate remembers beside the ledger: runs, findings, approvals, kept rollback plans, progress, undelivered
//! notifications.
//!
//! PostgreSQL: schema `tollgate` of the same database. `SQLite`: a sidecar file. One SQL text serves both; only the
//! prefix of the tables differs.

mod approvals;
pub(crate) mod leases;
mod open;
mod outbox;
mod plans;
pub mod progress;
mod runs;
pub(crate) mod setup;

use crate::connection::Connection;
use crate::error::DatabaseError;
use crate::state::setup::Tables;

pub use approvals::ApprovalRecord;
pub use leases::{Lease, LockToken, NewLease};
pub use outbox::{NewMessage, OutboxMessage};
pub use plans::KeptPlan;
pub use runs::{FindingRecord, NewRun, RunRecord, new_run_id};

/// The state of one ledger, open for reading and writing.
pub struct State<'a> {
    pub(crate) connection: &'a mut Connection,
    /// Schema of the ledger, or `main`.
    pub(crate) ledger: String,
    /// Which tables there are.
    pub(crate) tables: &'a mut Tables,
    /// A transaction is open.
    pub(crate) inside: bool,
}

impl State<'_> {
    /// Makes a table that is about to be written, unless it is there.
    pub(crate) fn make(&mut self, table: &str) -> Result<(), DatabaseError> {
        self.tables.make(self.connection, &[table], self.inside)
    }

    /// Does several things as one: all of them are kept, or none, and the disk is waited for once.
    pub fn together<T>(
        &mut self,
        work: impl FnOnce(&mut State<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        self.connection.run_own("begin to write the state", "BEGIN")?;
        let before = self.tables.clone();
        let mut inner = State {
            connection: &mut *self.connection,
            ledger: self.ledger.clone(),
            tables: &mut *self.tables,
            inside: true,
        };
        let done = work(&mut inner);
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.connection.run_own("write the state", end);
        if done.is_err() || ended.is_err() {
            *self.tables = before;
        }
        done.and_then(|value| ended.map(|()| value))
    }
}

/// Rows that one statement writes: a run of many thousand migrations is not one gigantic statement.
const AT_ONCE: usize = 200;

/// What stands before a table's name.
pub(crate) fn prefix(postgres: bool) -> &'static str {
    if postgres { "tollgate." } else { "" }
}

/// Times as the state tables hold them.
pub(crate) mod time {
    use jiff::Timestamp;

    /// RFC 3339 with six decimals: sorts as text.
    pub(crate) fn text(time: Timestamp) -> String {
        format!("{time:.6}")
    }

    /// Reads it back. What is not a time was not written by us; it reads as the epoch.
    pub(crate) fn parse(text: &str) -> Timestamp {
        text.parse().unwrap_or_default()
    }
}

/// Runs a query on whichever backend, with the prefix in the place of `{}`.
macro_rules! query {
    ($state:expr, $doing:expr, $sql:expr, [$($of:ty => $value:expr),* $(,)?], $finish:ident :: <$row:ty>) => {{
        let sql = $sql.replace("{}", $crate::state::prefix($state.connection.is_postgres()));
        let result = $crate::connection::on_backend!(&mut *$state.connection, inner => {
            use diesel::RunQueryDsl as _;
            diesel::sql_query(sql)$(.bind::<$of, _>($value))*.$finish::<$row>(inner)
        });
        result.map_err(|error| $state.connection.explain($doing, &error))
    }};
    ($state:expr, $doing:expr, $sql:expr, [$($of:ty => $value:expr),* $(,)?]) => {{
        let sql = $sql.replace("{}", $crate::state::prefix($state.connection.is_postgres()));
        let result = $crate::connection::on_backend!(&mut *$state.connection, inner => {
            use diesel::RunQueryDsl as _;
            diesel::sql_query(sql)$(.bind::<$of, _>($value))*.execute(inner)
        });
        result.map_err(|error| $state.connection.explain($doing, &error))
    }};
}
pub(crate) use query;
