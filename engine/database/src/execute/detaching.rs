//! What a failed or killed ALTER TABLE … DETACH PARTITION … CONCURRENTLY leaves behind: a partition that is neither in its
//! table nor out of it, which the server neither detaches again nor takes back, but only finishes.

use diesel::sql_types::Bool;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_sql::operation::Operation;
use tollgate_sql::{Dialect, ObjectName, Statement};

use crate::connection::Connection;
use crate::error::DatabaseError;
use crate::sql_text::literal;

/// A partition that is detached concurrently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detach<'a> {
    table: &'a ObjectName,
    partition: &'a ObjectName,
}

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing has begun, or it cannot be told.
    Attached,
    /// It is begun and not finished.
    Pending,
    /// It is done.
    Detached,
}

/// The detaching that a statement is.
pub(crate) fn detached_concurrently(statement: &Statement) -> Option<Detach<'_>> {
    statement.effects.iter().find_map(|effect| match &effect.operation {
        Operation::DetachPartition {
            table,
            partition,
            concurrently: true,
            ..
        } => Some(Detach { table, partition }),
        _ => None,
    })
}

impl Detach<'_> {
    /// The statement that finishes what was begun.
    pub(crate) fn finalize(&self) -> String {
        format!(
            "ALTER TABLE {} DETACH PARTITION {} FINALIZE",
            self.table.sql(Dialect::Postgres),
            self.partition.sql(Dialect::Postgres)
        )
    }
}

#[derive(QueryableByName)]
struct Found {
    /// The table and its partition are there.
    #[diesel(sql_type = Bool)]
    there: bool,
    #[diesel(sql_type = Bool)]
    attached: bool,
    #[diesel(sql_type = Bool)]
    pending: bool,
}

/// Asks the catalog.
pub(crate) fn stage(connection: &mut Connection, detach: Detach<'_>) -> Result<Stage, DatabaseError> {
    let Connection::Postgres(inner) = &mut *connection else {
        return Ok(Stage::Attached);
    };
    let [table, partition] = [detach.table, detach.partition].map(|name| literal(&name.sql(Dialect::Postgres)));
    // The column is there from version 14 on, as is CONCURRENTLY.
    let query = format!(
        "SELECT named.parent IS NOT NULL AND named.child IS NOT NULL AS there, i.inhrelid IS NOT NULL AS attached, \
         COALESCE((pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::pg_catalog.bool, false) AS pending \
         FROM (SELECT pg_catalog.to_regclass({table}) AS parent, pg_catalog.to_regclass({partition}) AS child) named \
         LEFT JOIN pg_catalog.pg_inherits i ON i.inhparent = named.parent AND i.inhrelid = named.child"
    );
    let found: Result<Vec<Found>, _> = sql_query(query).load(&mut **inner);
    let found = found.map_err(|error| connection.explain("look for a partition that is being detached", &error))?;
    Ok(match found.first() {
        Some(Found { pending: true, .. }) => Stage::Pending,
        Some(Found {
            there: true,
            attached: false,
            ..
        }) => Stage::Detached,
        _ => Stage::Attached,
    })
}
