//! What a failed or killed CREATE INDEX CONCURRENTLY leaves behind.

use std::time::{Duration, Instant};

use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_sql::operation::{CreateIndex, Operation};
use tollgate_sql::{Dialect, Statement};

use crate::connection::Connection;
use crate::error::DatabaseError;
use crate::sql_text::{identifier, literal};

/// How long to wait for a build that still runs, on behalf of a run that was killed.
const WAIT_FOR_BUILD: Duration = Duration::from_secs(30);

/// What is there under the index's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remains {
    Nothing,
    /// Complete: the killed attempt's statement had come to its end.
    Valid,
    /// Unusable; its name as SQL and for people.
    Invalid {
        sql: String,
        name: String,
    },
    /// Another session is building it.
    Building,
}

/// The index a statement builds concurrently.
pub(crate) fn built_concurrently(statement: &Statement) -> Option<&CreateIndex> {
    statement.effects.iter().find_map(|effect| match &effect.operation {
        Operation::CreateIndex(index) if index.concurrently => Some(&**index),
        _ => None,
    })
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Bool)]
    valid: bool,
    #[diesel(sql_type = Bool)]
    building: bool,
}

/// Looks for the index on its table. (That of a partitioned table is never built concurrently, and may be invalid for as long
/// as its partitions have none.)
pub(crate) fn remains(connection: &mut Connection, index: &CreateIndex) -> Result<Remains, DatabaseError> {
    let (Connection::Postgres(inner), Some(name)) = (&mut *connection, &index.name) else {
        return Ok(Remains::Nothing);
    };
    let query = format!(
        "SELECT n.nspname::text AS schema, i.indisvalid AND i.indisready AS valid, \
         EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) AS building \
         FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indrelid = pg_catalog.to_regclass({}) AND c.relname = {} AND c.relkind = 'i'",
        literal(&index.table.sql(Dialect::Postgres)),
        literal(name)
    );
    let found: Result<Vec<Found>, _> = sql_query(query).load(&mut **inner);
    let found = found.map_err(|error| connection.explain("look for an invalid index", &error))?;
    Ok(match found.into_iter().next() {
        None => Remains::Nothing,
        Some(found) if found.building => Remains::Building,
        Some(found) if found.valid => Remains::Valid,
        Some(found) => Remains::Invalid {
            sql: format!("{}.{}", identifier(&found.schema), identifier(name)),
            name: format!("{}.{name}", found.schema),
        },
    })
}

/// The same once nobody builds it any more, or after a while.
pub(crate) fn remains_after_builds(connection: &mut Connection, index: &CreateIndex) -> Result<Remains, DatabaseError> {
    let start = Instant::now();
    loop {
        let found = remains(connection, index)?;
        if found != Remains::Building || start.elapsed() > WAIT_FOR_BUILD {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// How long a run that was asked to stop waits for those who work on the table of an invalid index. What is left of the
/// index is dropped by the next run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
