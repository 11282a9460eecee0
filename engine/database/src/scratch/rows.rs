//! Whether tables have the same rows as before, without keeping the rows.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use sha2::{Digest as _, Sha256};
use tollgate_schema::model::{Relation, RelationKind};
use tollgate_schema::{BaseError, Schema};
use tollgate_sql::{Dialect, ObjectName};

use crate::connection::Connection;
use crate::database::Database;
use crate::error::{DatabaseError, ServerError};
use crate::postgres::connection::PgConnection;
use crate::sql_text::literal;
use crate::sqlite::connect::sqlite_error;

/// The longest that reading all rows of all tables may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A digest of the rows of each table: equal for equal rows, in whatever order rows and columns are.
pub type RowDigests = BTreeMap<ObjectName, String>;

#[derive(QueryableByName)]
struct Digested {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    digest: String,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl Database {
    /// Digests the rows of the tables that `schema` has. `None`: reading them takes too long.
    ///
    /// # Errors
    /// A table cannot be read.
    pub fn row_digests(&mut self, schema: &Schema) -> Result<Option<RowDigests>, DatabaseError> {
        let unreadable = |error: BaseError| DatabaseError::server("look for tables", ServerError::text(error.message));
        let mut tables = Vec::new();
        for name in schema.relations().map_err(unreadable)? {
            let relation = schema.relation(&name).map_err(unreadable)?;
            // A virtual table's rows are in tables of its module's, or nowhere.
            let has_rows = |relation: &Relation| relation.kind == RelationKind::Table;
            let plain = |relation: &Relation| self.connection.is_postgres() || relation.access_method.is_none();
            tables.extend(relation.filter(|relation| has_rows(relation) && plain(relation)));
        }
        if tables.is_empty() {
            return Ok(Some(RowDigests::new()));
        }
        match &mut self.connection {
            Connection::Postgres(connection) => on_postgres(connection, &tables),
            Connection::Sqlite(connection) => on_sqlite(connection, &tables).map(Some),
        }
    }
}

/// JSON objects have their keys in one order, whatever that of the columns is.
fn on_postgres(
    connection: &mut PgConnection,
    tables: &[std::sync::Arc<Relation>],
) -> Result<Option<RowDigests>, DatabaseError> {
    let doing = "read the rows of all tables";
    let each = tables.iter().enumerate().map(|(at, table)| {
        format!(
            "SELECT '{at}' AS name, count(*)::text || ' ' || coalesce(sum(pg_catalog.hashtextextended(\
             pg_catalog.to_jsonb(t)::text, 0)::numeric), 0)::text AS digest FROM ONLY {} t",
            table.name.sql(Dialect::Postgres)
        )
    });
    let query = each.collect::<Vec<_>>().join(" UNION ALL ");
    let begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {}", LIMIT.as_millis());
    connection
        .execute_script(&begin)
        .map_err(|error| DatabaseError::server(doing, error))?;
    let found: Result<Vec<Digested>, _> = sql_query(query).load(connection);
    let found = found.map_err(|error| connection.explain(&error));
    let ended = connection.execute_script("ROLLBACK");
    let rows = match found {
        Ok(rows) => rows,
        Err(error) if error.is("57014") => return Ok(None),
        Err(error) => return Err(DatabaseError::server(doing, error)),
    };
    ended.map_err(|error| DatabaseError::server(doing, error))?;
    let named = |row: Digested| Some((tables.get(row.name.parse::<usize>().ok()?)?.name.clone(), row.digest));
    Ok(Some(rows.into_iter().filter_map(named).collect()))
}

fn on_sqlite(
    connection: &mut SqliteConnection,
    tables: &[std::sync::Arc<Relation>],
) -> Result<RowDigests, DatabaseError> {
    let mut found = RowDigests::new();
    for table in tables {
        let mut columns: Vec<&String> = table.columns.iter().map(|column| &column.name).collect();
        columns.sort();
        let value = |column: &&String| {
            let quoted = Dialect::Sqlite.quote_if_needed(column);
            format!("{} || quote({quoted})", literal(&format!(" {column} ")))
        };
        let line: Vec<_> = columns.iter().map(value).collect();
        let query = format!(
            "SELECT {} AS line FROM {}",
            line.join(" || "),
            table.name.sql(Dialect::Sqlite)
        );
        let lines: Vec<Line> = sql_query(query)
            .load(connection)
            .map_err(|error| DatabaseError::server(format!("read the rows of {}", table.name), sqlite_error(&error)))?;
        let sum = lines.iter().fold(0_u64, |sum, line| {
            let digest = Sha256::digest(line.line.as_bytes());
            let part = digest.iter().take(8).fold(0, |part, byte| part << 8 | u64::from(*byte));
            sum.wrapping_add(part)
        });
        found.insert(table.name.clone(), format!("{} {sum}", lines.len()));
    }
    Ok(found)
}
