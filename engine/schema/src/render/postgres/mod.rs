//! PostgreSQL.

mod column;
mod constraint;
mod index;
mod object;
mod privilege;
mod relation;
mod restore;
mod restore_column;

use std::sync::Arc;

use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::base::BaseError;
use crate::model::{Relation, Sequence};
use crate::schema::Schema;

pub(super) use restore::{restore_relation, restore_table};

const DIALECT: Dialect = Dialect::Postgres;

/// What stands around a relation and is needed to write it.
pub(super) struct Surroundings {
    /// Sequences that its columns own.
    sequences: Vec<Arc<Sequence>>,
    /// Relations it inherits from.
    parents: Vec<Arc<Relation>>,
}

impl Surroundings {
    fn of(schema: &Schema, relation: &Relation) -> Result<Self, BaseError> {
        let mut sequences = Vec::new();
        for name in relation.columns.iter().filter_map(|column| column.sequence.as_ref()) {
            sequences.extend(schema.sequence(name)?);
        }
        let mut parents = Vec::new();
        for name in &relation.inherits {
            parents.extend(schema.relation(name)?);
        }
        Ok(Self { sequences, parents })
    }

    fn sequence(&self, name: &ObjectName) -> Option<&Sequence> {
        self.sequences
            .iter()
            .find(|sequence| sequence.name == *name)
            .map(AsRef::as_ref)
    }
}

/// See [`super::ddl`].
pub(super) fn ddl(schema: &Schema, kind: ObjectKind, name: &ObjectName) -> Result<Option<Vec<String>>, BaseError> {
    match kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable => {
            let Some(relation) = schema.relation(name)? else {
                return Ok(None);
            };
            Ok(relation::relation(&relation, &Surroundings::of(schema, &relation)?))
        }
        ObjectKind::Index => match schema.index_owner(name)? {
            Some(owner) => member_ddl(schema, kind, &owner, &name.name),
            None => Ok(None),
        },
        ObjectKind::Sequence => Ok(schema.sequence(name)?.map(|sequence| object::sequence(&sequence))),
        ObjectKind::Type | ObjectKind::Domain => Ok(schema.user_type(name)?.map(|found| object::user_type(&found))),
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => {
            let functions = schema.functions(name)?;
            let wanted: Vec<_> = functions.iter().filter(|function| function.kind == kind).collect();
            Ok((!wanted.is_empty()).then(|| wanted.into_iter().flat_map(object::function).collect()))
        }
        ObjectKind::Schema => {
            let exists = schema.schemas()?.contains(&name.name);
            Ok(exists.then(|| vec![format!("CREATE SCHEMA {}", DIALECT.quote_if_needed(&name.name))]))
        }
        ObjectKind::Extension => {
            let found = schema
                .extensions()?
                .into_iter()
                .find(|(extension, _)| *extension == name.name);
            Ok(found.map(|(extension, home)| vec![object::extension(&extension, &home)]))
        }
        _ => Ok(None),
    }
}

/// See [`super::member_ddl`].
pub(super) fn member_ddl(
    schema: &Schema,
    kind: ObjectKind,
    of: &ObjectName,
    member: &str,
) -> Result<Option<Vec<String>>, BaseError> {
    let Some(relation) = schema.relation(of)? else {
        return Ok(None);
    };
    let relation = relation.as_ref();
    Ok(match kind {
        ObjectKind::Column => {
            let surroundings = Surroundings::of(schema, relation)?;
            let found = relation.columns.iter().find(|column| column.name == member);
            found.map(|found| column::add_with_members(relation, found, &surroundings))
        }
        ObjectKind::Constraint => {
            let found = relation.constraints.iter().find(|constraint| constraint.name == member);
            found.map(|found| constraint::add_with_comment(relation, found))
        }
        ObjectKind::Index => {
            let Some(found) = relation.indexes.iter().find(|index| index.name == member) else {
                return Ok(None);
            };
            let behind = relation
                .constraints
                .iter()
                .find(|constraint| found.constraint.as_ref() == Some(&constraint.name));
            Some(match behind {
                Some(behind) => constraint::add_with_comment(relation, behind),
                None => index::index(relation, found),
            })
        }
        ObjectKind::Trigger => {
            let found = relation.triggers.iter().find(|trigger| trigger.name == member);
            found.map(|found| object::trigger(relation, found))
        }
        ObjectKind::Policy => {
            let found = relation.policies.iter().find(|policy| policy.name == member);
            found.map(|found| object::policy(relation, found))
        }
        ObjectKind::Rule => relation
            .rules
            .iter()
            .find(|(name, _)| name == member)
            .map(|(_, definition)| vec![statement(definition)]),
        _ => None,
    })
}

/// A definition kept as text, as a statement.
fn statement(definition: &str) -> String {
    definition.trim().trim_end_matches(';').trim_end().to_owned()
}

/// `COMMENT ON … IS …`.
fn comment(on: &str, text: &str) -> String {
    format!("COMMENT ON {on} IS {}", super::write::literal(text))
}

/// The relation as ALTER names it.
fn alter(relation: &Relation) -> String {
    use crate::model::RelationKind;
    let word = match relation.kind {
        RelationKind::Table | RelationKind::PartitionedTable => "TABLE",
        RelationKind::View => "VIEW",
        RelationKind::MaterializedView => "MATERIALIZED VIEW",
        RelationKind::ForeignTable => "FOREIGN TABLE",
    };
    format!("ALTER {word} {}", relation.name.sql(DIALECT))
}
