//! The model as SQL again: what recreates an object, what recreates one member of it, what turns a table back into what
//! it was.
//!
//! Statements come without their closing semicolon, in the order in which they have to run. Nothing here decides whether
//! running them is a good idea, or whether rows come back: a dropped column returns empty.

mod postgres;
mod sqlite;
mod write;

use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::base::BaseError;
use crate::model::Index;
use crate::schema::Schema;
use crate::text::mentions_column;

/// DDL that recreates an object and what belongs to it: columns, constraints, indexes, triggers, policies, comments,
/// privileges; foreign keys, and on PostgreSQL the attachment to a partitioned table, come last. Of overloaded functions
/// all. `None` when there is no such object, or nothing in the model recreates it faithfully.
///
/// # Errors
/// When the schema's base cannot answer.
pub fn ddl(schema: &Schema, kind: ObjectKind, name: &ObjectName) -> Result<Option<Vec<String>>, BaseError> {
    match schema.context().dialect {
        Dialect::Postgres => postgres::ddl(schema, kind, name),
        Dialect::Sqlite => sqlite::ddl(schema, kind, name),
        Dialect::Mysql => Ok(None),
    }
}

/// The same for one column, constraint, index, trigger, policy or rule of a relation. Of a column: ADD COLUMN and what
/// went with it. A NOT NULL that no default fills is a statement of its own, so that values can be filled in before it.
///
/// # Errors
/// When the schema's base cannot answer.
pub fn member_ddl(
    schema: &Schema,
    kind: ObjectKind,
    of: &ObjectName,
    member: &str,
) -> Result<Option<Vec<String>>, BaseError> {
    match schema.context().dialect {
        Dialect::Postgres => postgres::member_ddl(schema, kind, of, member),
        Dialect::Sqlite => sqlite::member_ddl(schema, kind, of, member),
        Dialect::Mysql => Ok(None),
    }
}

/// SQL that turns table `name` of `current` into that of `wanted` and keeps the rows: ALTERs, or a rebuild where the
/// server has no ALTER for it. Empty when they are equal. `None` when one of the two has no such table, or when there is
/// no way.
///
/// # Errors
/// When a schema's base cannot answer.
pub fn restore_table(wanted: &Schema, current: &Schema, name: &ObjectName) -> Result<Option<Vec<String>>, BaseError> {
    let (Some(to), Some(from)) = (wanted.relation(name)?, current.relation(name)?) else {
        return Ok(None);
    };
    match wanted.context().dialect {
        Dialect::Postgres => postgres::restore_table(wanted, current, &to, &from),
        Dialect::Sqlite => Ok(sqlite::restore_table(wanted, &to, &from)),
        Dialect::Mysql => Ok(None),
    }
}

/// Whether an index has to do with a column: as a key, included, in an expression or in its condition.
fn uses_column(dialect: Dialect, index: &Index, table: &str, column: &str) -> bool {
    let same = |name: &String| match dialect {
        Dialect::Sqlite => name.eq_ignore_ascii_case(column),
        Dialect::Postgres | Dialect::Mysql => name == column,
    };
    let expressions = index
        .parts
        .iter()
        .filter_map(|part| part.expression.as_ref())
        .chain(&index.predicate);
    index
        .parts
        .iter()
        .filter_map(|part| part.column.as_ref())
        .chain(&index.include)
        .any(same)
        || expressions
            .into_iter()
            .any(|text| mentions_column(dialect, text, table, column))
}
