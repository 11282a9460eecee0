//! Bounded questions about rows. SQLite has no statement timeout, so the rows that are looked at are bounded instead: the
//! same answer on every machine.

use diesel::result::Error;
use diesel::sql_types::BigInt;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use tollgate_schema::ProbeError;
use tollgate_sql::{Dialect, ObjectName, quote};

/// How many rows a probe looks at before it gives up: some tenths of a second's work.
const MOST_ROWS: u64 = 1_000_000;

/// One query of three numbers.
pub(super) struct Probe {
    sql: String,
    limit: u64,
}

#[derive(QueryableByName)]
struct Answer {
    /// What was counted.
    #[diesel(sql_type = BigInt)]
    counted: i64,
    /// Not zero when the table has rows that were not looked at.
    #[diesel(sql_type = BigInt)]
    more: i64,
    #[diesel(sql_type = BigInt)]
    schema_version: i64,
}

pub(super) fn rows(table: &ObjectName, limit: u64) -> Probe {
    probe(table, "1 AS c0", "true", "", limit)
}

pub(super) fn values(table: &ObjectName, column: &str, limit: u64) -> Probe {
    probe(
        table,
        &format!("t.{} AS c0", quoted(column)),
        "c0 IS NOT NULL",
        "",
        limit,
    )
}

pub(super) fn nulls(table: &ObjectName, column: &str, limit: u64) -> Probe {
    probe(table, &format!("t.{} AS c0", quoted(column)), "c0 IS NULL", "", limit)
}

pub(super) fn duplicates(table: &ObjectName, columns: &[String], limit: u64) -> Probe {
    // The subquery takes the columns' collations along, which decide what equal means.
    let numbered = |text: &dyn Fn(usize, &str) -> String, between: &str| {
        let parts: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(place, column)| text(place, &quoted(column)))
            .collect();
        parts.join(between)
    };
    let selected = numbered(&|place, column| format!("t.{column} AS c{place}"), ", ");
    let present = numbered(&|place, _| format!("c{place} IS NOT NULL"), " AND ");
    let grouped = numbered(&|place, _| format!("c{place}"), ", ");
    probe(
        table,
        &selected,
        &present,
        &format!("GROUP BY {grouped} HAVING count(*) > 1"),
        limit,
    )
}

fn quoted(name: &str) -> String {
    quote::identifier(Dialect::Sqlite, name)
}

fn probe(table: &ObjectName, selected: &str, condition: &str, grouping: &str, limit: u64) -> Probe {
    let table = format!("main.{}", quoted(&table.name));
    let sql = format!(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM (SELECT {selected} FROM {table} AS t LIMIT {MOST_ROWS})
                                       WHERE {condition} {grouping} LIMIT {limit})) AS counted,
                (SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1 OFFSET {MOST_ROWS})) AS more,
                (SELECT schema_version FROM pragma_schema_version) AS schema_version"
    );
    Probe { sql, limit }
}

/// Runs the probe, if the schema still is the one of the moment that the catalog shows.
pub(super) fn run(connection: &mut SqliteConnection, schema_version: i64, probe: &Probe) -> Result<u64, ProbeError> {
    let answer = connection.transaction(|connection| sql_query(&probe.sql).get_result::<Answer>(connection));
    let answer = answer.map_err(|error| probe_error(&error))?;
    if answer.schema_version != schema_version {
        return Err(ProbeError::NotAvailable);
    }
    let counted = u64::try_from(answer.counted).unwrap_or_default();
    if counted < probe.limit && answer.more != 0 {
        Err(ProbeError::TimedOut)
    } else {
        Ok(counted)
    }
}

fn probe_error(error: &Error) -> ProbeError {
    let message = error.to_string();
    if message.contains("no such table") || message.contains("no such column") {
        ProbeError::UnknownObject
    } else {
        ProbeError::Other(message)
    }
}
