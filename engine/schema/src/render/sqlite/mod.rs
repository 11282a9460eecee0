//! `SQLite`: the kept statements where they still say what the model says, written anew where not.

mod member;
mod restore;
mod table;

use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::base::BaseError;
use crate::model::{Relation, RelationKind};
use crate::schema::Schema;

pub(super) use restore::restore_table;

const DIALECT: Dialect = Dialect::Sqlite;

/// See [`super::ddl`].
pub(super) fn ddl(schema: &Schema, kind: ObjectKind, name: &ObjectName) -> Result<Option<Vec<String>>, BaseError> {
    match kind {
        ObjectKind::Table | ObjectKind::View => {
            Ok(schema.relation(name)?.and_then(|relation| self::relation(&relation)))
        }
        ObjectKind::Index => match schema.index_owner(name)? {
            Some(owner) => member_ddl(schema, kind, &owner, &name.name),
            None => Ok(None),
        },
        // Triggers have names of their own here; which table they watch has to be found out.
        ObjectKind::Trigger => {
            for table in schema.relations()? {
                let found = member_ddl(schema, kind, &table, &name.name)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// See [`super::member_ddl`].
pub(super) fn member_ddl(
    schema: &Schema,
    kind: ObjectKind,
    of: &ObjectName,
    name: &str,
) -> Result<Option<Vec<String>>, BaseError> {
    let Some(relation) = schema.relation(of)? else {
        return Ok(None);
    };
    Ok(match kind {
        ObjectKind::Column => {
            let found = relation.columns.iter().find(|column| same(&column.name, name));
            found.and_then(|found| member::add_column_with_indexes(&relation, found))
        }
        ObjectKind::Index => {
            let found = relation.indexes.iter().find(|index| same(&index.name, name));
            found
                .filter(|found| !member::is_automatic(found))
                .map(|found| vec![member::index(&relation, found)])
        }
        ObjectKind::Trigger => {
            let found = relation.triggers.iter().find(|trigger| same(&trigger.name, name));
            found.map(|found| vec![statement(&found.definition)])
        }
        _ => None,
    })
}

/// A table or view with its indexes and triggers.
fn relation(relation: &Relation) -> Option<Vec<String>> {
    let create = match relation.kind {
        RelationKind::View => view(relation)?,
        _ => table::create(relation)?,
    };
    let mut statements = vec![create];
    statements.extend(member::indexes_and_triggers(relation));
    Some(statements)
}

fn view(relation: &Relation) -> Option<String> {
    if let Some(definition) = &relation.definition {
        return Some(statement(definition));
    }
    let columns: Vec<String> = relation.columns.iter().map(|column| column.name.clone()).collect();
    let columns = match columns.as_slice() {
        [] => String::new(),
        columns => format!(" ({})", super::write::identifiers(DIALECT, columns)),
    };
    Some(format!(
        "CREATE VIEW {}{columns} AS {}",
        relation.name.sql(DIALECT),
        statement(relation.query.as_ref()?)
    ))
}

/// A definition kept as text, as a statement. A trigger's END needs the semicolon before it, not one behind.
fn statement(definition: &str) -> String {
    definition.trim().trim_end_matches(';').trim_end().to_owned()
}

/// Names differ only when they differ in more than case.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
