//! What differs between the backends while a script runs: how a transaction begins, which errors are worth another try,
//! who holds a lock.

use std::time::Duration;

use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use jiff::Timestamp;
use tollgate_sql::operation::Operation;
use tollgate_sql::{Dialect, Script, Statement};

use crate::connection::Connection;
use crate::error::ServerError;
use crate::execute::{ExecuteOptions, LockHolder};
use crate::sql_text::literal;

/// Longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Limits for the statements of a transaction, unless the script sets its own before statement `from`.
pub(crate) fn limits(script: &Script, from: usize, options: &ExecuteOptions) -> String {
    if script.dialect != Dialect::Postgres {
        return String::new();
    }
    [
        ("lock_timeout", options.lock_timeout),
        ("statement_timeout", options.statement_timeout),
    ]
    .into_iter()
    .filter(|(name, _)| !sets(&script.statements[..from], name))
    .filter_map(|(name, limit)| limit.map(|limit| format!("SET LOCAL {name} = {};", limit.as_millis())))
    .collect()
}

fn sets(statements: &[Statement], parameter: &str) -> bool {
    statements.iter().flat_map(|statement| &statement.effects).any(|effect| {
        matches!(&effect.operation, Operation::SetParameter { name, local: false, .. } if name.eq_ignore_ascii_case(parameter))
    })
}

/// How a transaction begins.
pub(crate) fn begin(dialect: Dialect) -> &'static str {
    match dialect {
        // IMMEDIATE: a transaction that starts by reading and then writes cannot wait for another writer, it fails.
        Dialect::Sqlite => "BEGIN IMMEDIATE",
        _ => "BEGIN",
    }
}

/// Whether another attempt may succeed: lock timeout, deadlock, serialization failure, a busy file.
pub(crate) fn worth_retrying(error: &ServerError) -> bool {
    match error.sqlstate.as_deref() {
        Some(code) => matches!(code, "55P03" | "40P01" | "40001"),
        None => {
            !error.connection_lost
                && (error.message.contains("is locked") || error.message.contains("database is busy"))
        }
    }
}

/// Whether the server refuses the statement only because it stands in a transaction.
pub(crate) fn refuses_transaction(error: &ServerError) -> bool {
    match error.sqlstate.as_deref() {
        // 25001: "cannot run inside a transaction block"; 2D000: a procedure or DO block that commits.
        Some(code) => matches!(code, "25001" | "2D000"),
        None => ["within a transaction", "within transaction", "inside a transaction"]
            .iter()
            .any(|phrase| error.message.contains(phrase)),
    }
}

/// How long to wait before attempt `next`: doubling from 200 ms, with jitter so that two who collided do not again.
pub(crate) fn pause(next: u32) -> Duration {
    let base = Duration::from_millis(200).saturating_mul(2_u32.saturating_pow(next.saturating_sub(2)));
    let base = base.min(LONGEST_PAUSE);
    let millis = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis / 2 + rand::random_range(0..=millis / 2))
}

/// Whether a script may leave its session in another state.
pub(crate) fn disturbs(script: &Script) -> bool {
    script
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .any(|effect| match &effect.operation {
            Operation::SetParameter { .. } | Operation::Dynamic { .. } | Operation::Other(_) => true,
            Operation::CreateTable(table) => table.temporary,
            Operation::CreateView(view) => view.temporary,
            _ => false,
        })
}

#[derive(QueryableByName)]
struct Holder {
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Nullable<Text>)]
    username: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    application: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    since: Option<i64>,
}

/// Sessions that hold a lock on what `statement` names. Asked after the fact, so one may have gone already.
pub(crate) fn lock_holders(connection: &mut Connection, statement: &Statement) -> Vec<LockHolder> {
    let Connection::Postgres(connection) = connection else {
        return Vec::new();
    };
    let relations: Vec<String> = statement
        .objects()
        .iter()
        .map(|object| format!("pg_catalog.to_regclass({})", literal(&object.sql(Dialect::Postgres))))
        .collect();
    if relations.is_empty() {
        return Vec::new();
    }
    let query = format!(
        "SELECT DISTINCT a.pid, a.usename::text AS username, NULLIF(a.application_name, '') AS application, \
         (extract(epoch FROM COALESCE(a.xact_start, a.backend_start)) * 1000000)::int8 AS since \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid() \
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
         AND l.relation IN ({})",
        relations.join(", ")
    );
    // Who holds it is a courtesy: that it cannot be said must not hide what it is said about.
    let holders: Vec<Holder> = sql_query(query).load(&mut **connection).unwrap_or_default();
    holders.into_iter().map(Holder::into_public).collect()
}

impl Holder {
    fn into_public(self) -> LockHolder {
        LockHolder {
            pid: self.pid,
            user: self.username,
            application: self.application,
            since: self.since.and_then(|micros| Timestamp::from_microsecond(micros).ok()),
        }
    }
}

/// Who holds an advisory lock of this database.
pub(crate) fn advisory_holder(
    connection: &mut crate::postgres::connection::PgConnection,
    key: i32,
) -> Option<LockHolder> {
    let holders: Vec<Holder> = sql_query(
        "SELECT a.pid, a.usename::text AS username, NULLIF(a.application_name, '') AS application, \
         (extract(epoch FROM COALESCE(a.xact_start, a.backend_start)) * 1000000)::int8 AS since \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = $1::int4::oid AND l.objsubid = 1 \
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
    )
    .bind::<Integer, _>(key)
    .load(connection)
    .unwrap_or_default();
    holders.into_iter().next().map(Holder::into_public)
}
