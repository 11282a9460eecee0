//! `SQLite`: constraints without names, and the indexes behind keys.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ConstraintDefinition;

use crate::base::BaseError;
use crate::model::{Constraint, ConstraintRule, Index, IndexKey, Relation};
use crate::schema::Schema;

impl Schema {
    /// `SQLite` names no constraint of its own accord, and gives keys an index unless the rowid serves.
    pub(super) fn declare_sqlite(
        &mut self,
        table: &ObjectName,
        definition: &ConstraintDefinition,
        rule: ConstraintRule,
    ) -> Result<(), BaseError> {
        let constraint = Constraint {
            name: definition.name.clone().unwrap_or_default(),
            rule,
            deferrable: definition.deferrable,
            initially_deferred: definition.initially_deferred,
            validated: true,
            comment: None,
        };
        self.edit(table, |relation| {
            relation.constraints.push(constraint.clone());
            let (columns, primary) = match &constraint.rule {
                ConstraintRule::PrimaryKey { columns, .. } => (columns, true),
                ConstraintRule::Unique { columns, .. } => (columns, false),
                _ => return,
            };
            if primary && rowid_alias(relation).is_some() {
                return;
            }
            let parts: Vec<_> = columns.iter().map(|column| IndexKey::column(column)).collect();
            let same = |index: &Index| {
                index.constraint.is_some()
                    && index.parts.len() == parts.len()
                    && index
                        .parts
                        .iter()
                        .zip(&parts)
                        .all(|(left, right)| match (&left.column, &right.column) {
                            (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
                            _ => false,
                        })
            };
            // An equal key declared before serves this one too.
            if relation.indexes.iter().any(same) {
                return;
            }
            let number = relation
                .indexes
                .iter()
                .filter(|index| index.constraint.is_some())
                .count()
                + 1;
            let mut index = Index::on_columns(&format!("sqlite_autoindex_{}_{number}", relation.name.name), columns);
            index.unique = true;
            index.primary = primary;
            index.constraint = Some(constraint.name.clone());
            relation.indexes.push(index);
        })?;
        Ok(())
    }
}

/// `SQLite`: the column that is another name of the rowid: a primary key of one column declared exactly `INTEGER`.
pub(crate) fn rowid_alias(relation: &Relation) -> Option<&str> {
    if relation.without_rowid {
        return None;
    }
    let key = relation
        .constraints
        .iter()
        .find_map(|constraint| match &constraint.rule {
            ConstraintRule::PrimaryKey { columns, .. } => Some(columns),
            _ => None,
        })?;
    let [only] = key.as_slice() else { return None };
    let column = relation
        .columns
        .iter()
        .find(|column| column.name.eq_ignore_ascii_case(only))?;
    column
        .data_type
        .name
        .eq_ignore_ascii_case("integer")
        .then_some(column.name.as_str())
}
