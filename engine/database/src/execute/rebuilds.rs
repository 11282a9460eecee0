//! What a failed or killed REINDEX CONCURRENTLY leaves behind: the index it was building, or the one it had replaced.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_sql::operation::{Operation, OtherOperation};
use tollgate_sql::{Dialect, Statement};

use crate::connection::Connection;
use crate::error::DatabaseError;
use crate::sql_text::{identifier, literal};

/// An index that is of no use to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remnant {
    /// Its name as SQL.
    pub sql: String,
    /// Its name for people.
    pub name: String,
}

/// The REINDEX CONCURRENTLY that a statement is.
pub(crate) fn rebuilt_concurrently(statement: &Statement) -> Option<&OtherOperation> {
    statement.effects.iter().find_map(|effect| match &effect.operation {
        Operation::Other(other) if other.tag == "reindex" && detail(other, "concurrently").is_some() => Some(other),
        _ => None,
    })
}

fn detail<'a>(operation: &'a OtherOperation, wanted: &str) -> Option<&'a str> {
    let found = operation.details.iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.as_str())
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Looks for them on the tables that the statement names, and on what belongs to those (TOAST).
pub(crate) fn remnants(connection: &mut Connection, rebuild: &OtherOperation) -> Result<Vec<Remnant>, DatabaseError> {
    let Connection::Postgres(inner) = &mut *connection else {
        return Ok(Vec::new());
    };
    // The server names them so, and never uses one that is not valid.
    let query = format!(
        "SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
         LEFT JOIN pg_catalog.pg_class o ON o.reltoastrelid = t.oid \
         WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND {} ORDER BY 1, 2",
        tables(rebuild)
    );
    let found: Result<Vec<Found>, _> = sql_query(query).load(&mut **inner);
    let found = found.map_err(|error| connection.explain("look for invalid indexes", &error))?;
    let remnant = |found: Found| Remnant {
        sql: format!("{}.{}", identifier(&found.schema), identifier(&found.name)),
        name: format!("{}.{}", found.schema, found.name),
    };
    Ok(found.into_iter().map(remnant).collect())
}

/// The condition that table `t`, or `o` whose TOAST table it is, is among those that are rebuilt.
fn tables(rebuild: &OtherOperation) -> String {
    let named = rebuild.objects.first();
    let object = named.map_or_else(String::new, |object| literal(&object.sql(Dialect::Postgres)));
    match detail(rebuild, "target") {
        Some("index") => format!(
            "COALESCE(o.oid, t.oid) = (SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass({object}))"
        ),
        Some("table") => format!("COALESCE(o.oid, t.oid) = pg_catalog.to_regclass({object})"),
        Some("schema") => {
            format!("COALESCE(o.relnamespace, t.relnamespace) = pg_catalog.to_regnamespace({object})")
        }
        _ => "true".to_owned(),
    }
}
