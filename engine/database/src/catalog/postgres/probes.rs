//! Bounded questions about rows. Each is one query that counts no further than its limit.

use tollgate_sql::{Dialect, ObjectName, quote};

fn quoted(name: &str) -> String {
    quote::identifier(Dialect::Postgres, name)
}

pub(super) fn rows(table: &ObjectName, limit: u64) -> String {
    counted(&format!("SELECT 1 FROM {}", table.sql(Dialect::Postgres)), limit)
}

pub(super) fn values(table: &ObjectName, column: &str, limit: u64) -> String {
    let (table, column) = (table.sql(Dialect::Postgres), quoted(column));
    counted(
        &format!("SELECT 1 FROM {table} AS t WHERE t.{column} IS NOT NULL"),
        limit,
    )
}

pub(super) fn nulls(table: &ObjectName, column: &str, limit: u64) -> String {
    let (table, column) = (table.sql(Dialect::Postgres), quoted(column));
    counted(&format!("SELECT 1 FROM {table} AS t WHERE t.{column} IS NULL"), limit)
}

pub(super) fn duplicates(table: &ObjectName, columns: &[String], limit: u64) -> String {
    let table = table.sql(Dialect::Postgres);
    let columns: Vec<_> = columns.iter().map(|column| format!("t.{}", quoted(column))).collect();
    let present: Vec<_> = columns.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    let (list, present) = (columns.join(", "), present.join(" AND "));
    counted(
        &format!("SELECT 1 FROM {table} AS t WHERE {present} GROUP BY {list} HAVING count(*) > 1"),
        limit,
    )
}

/// `IS NULL` on a composite column means its fields; `t.c` of a plain column is all we ask about.
fn counted(query: &str, limit: u64) -> String {
    format!("SELECT count(*) FROM ({query} LIMIT {limit}) AS counted")
}
