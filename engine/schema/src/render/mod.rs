//! The model as SQL again: what recreates an object, what recreates one member of it, what turns a table back into what
//! it was.
//!
//! Statements come without their closing semicolon, in the order in which they have to run. Nothing here decides whether
//! running them is a good idea, or whether rows come back: a dropped column returns empty.

mod postgres;
mod sqlite;
mod write;

use std::sync::Arc;

use tollgate_sql::operation::{DataType, ObjectKind, Operation};
use tollgate_sql::{Dialect, ObjectName};

use crate::base::BaseError;
use crate::model::{Index, Relation};
use crate::schema::{ColumnOrigin, Schema};
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
/// went with it; a NOT NULL that no default fills makes it fail on a table with rows.
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
/// Columns that were renamed between the two are renamed back, where both stand on the same base and it had the column;
/// otherwise a rename looks like a column that went and another that came, and its values are lost.
///
/// # Errors
/// When a schema's base cannot answer.
pub fn restore_table(wanted: &Schema, current: &Schema, name: &ObjectName) -> Result<Option<Vec<String>>, BaseError> {
    let (Some(to), Some(mut from)) = (wanted.relation(name)?, current.relation(name)?) else {
        return Ok(None);
    };
    let dialect = wanted.context().dialect;
    let mut current = current.clone();
    let mut statements = Vec::new();
    for (present, former) in renamed_columns(wanted, &current, &to, &from) {
        let column = |name: &str| dialect.quote_if_needed(name);
        let table = to.name.sql(dialect);
        statements.push(format!(
            "ALTER TABLE {table} RENAME COLUMN {} TO {}",
            column(&present),
            column(&former)
        ));
        current.apply(&Operation::RenameColumn {
            table: from.name.clone(),
            from: present,
            to: former,
        })?;
        from = current.relation(name)?.unwrap_or(from);
    }
    let rest = match dialect {
        Dialect::Postgres => postgres::restore_table(wanted, &current, &to, &from)?,
        Dialect::Sqlite => sqlite::restore_table(wanted, &to, &from),
        Dialect::Mysql => None,
    };
    Ok(rest.map(|rest| {
        statements.extend(rest);
        statements
    }))
}

/// SQL that turns a relation into another one of its name, with what belongs to it: tables as [`restore_table`] does it, of
/// a view what is not its query. `None` where there is no way.
pub(crate) fn restore_relation(
    wanted: &Schema,
    current: &Schema,
    to: &Relation,
    from: &Relation,
) -> Result<Option<Vec<String>>, BaseError> {
    match wanted.context().dialect {
        Dialect::Postgres => postgres::restore_relation(wanted, current, to, from),
        Dialect::Sqlite => Ok(sqlite::restore_table(wanted, to, from)),
        Dialect::Mysql => Ok(None),
    }
}

/// A PostgreSQL type as SQL.
pub(crate) fn data_type_sql(data_type: &DataType) -> String {
    write::data_type(data_type)
}

/// A string constant.
pub(crate) fn literal(text: &str) -> String {
    write::literal(text)
}

/// Columns of `from` that are columns of `to` under another name: present and former name.
fn renamed_columns(wanted: &Schema, current: &Schema, to: &Relation, from: &Relation) -> Vec<(String, String)> {
    if !Arc::ptr_eq(&wanted.base, &current.base) {
        return Vec::new();
    }
    let only_in = |here: &Relation, there: &Relation| -> Vec<String> {
        let known = |name: &str| {
            there
                .columns
                .iter()
                .any(|column| wanted.folding().same(&column.name, name))
        };
        here.columns
            .iter()
            .map(|column| column.name.clone())
            .filter(|name| !known(name))
            .collect()
    };
    let mut pairs = Vec::new();
    let former = only_in(to, from);
    for present in only_in(from, to) {
        let Some(origin) = in_base(current, &from.name, &present) else {
            continue;
        };
        let same = |former: &&String| in_base(wanted, &to.name, former).as_ref() == Some(&origin);
        pairs.extend(former.iter().find(same).map(|former| (present.clone(), former.clone())));
    }
    pairs
}

/// What the base calls a column; `None` when it was made since.
fn in_base(schema: &Schema, table: &ObjectName, column: &str) -> Option<String> {
    let origin = schema.overlay.origins.get(&*schema.key(table));
    match origin.and_then(|origin| origin.columns.get(column)) {
        None => Some(column.to_owned()),
        Some(ColumnOrigin::Renamed(base)) => Some(base.clone()),
        Some(_) => None,
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
