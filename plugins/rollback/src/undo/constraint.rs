//! Constraints.

use tollgate_plugin::{AddedConstraint, Constraint, ConstraintKind, Dialect, NamedConstraint, ObjectKind, ObjectName};

use super::Context;
use crate::Undo;

impl Context<'_> {
    pub(super) fn undo_add_constraint(&self, at: u32, added: &AddedConstraint) -> Undo {
        let Some(original) = self.original(at, &added.table) else {
            return Undo::nothing();
        };
        let table = self.table(&added.table);
        if added.constraint.kind == ConstraintKind::NotNull {
            let drop = added.constraint.columns.iter().map(|column| {
                format!(
                    "{}ALTER COLUMN {} DROP NOT NULL",
                    self.alter(&added.table),
                    self.names.one(column)
                )
            });
            return Undo::sql(drop.collect());
        }
        let Some(name) = added
            .constraint
            .name
            .clone()
            .or_else(|| self.new_name(&original, &table, added))
        else {
            return Undo::irreversible(format!(
                "the name that the server gave a constraint of {} is not known",
                table.short()
            ));
        };
        let drop = format!("{}DROP CONSTRAINT {}", self.alter(&added.table), self.names.one(&name));
        // A constraint made from an index took it over: the index goes with it and has to come back.
        let index = added
            .constraint
            .using_index
            .as_ref()
            .and_then(|index| self.before.member_ddl(ObjectKind::Index, &original, index));
        Undo::sql(std::iter::once(drop).chain(index.unwrap_or_default()).collect())
    }

    /// The server's name for it: the constraint of that kind on those columns that was not there before.
    fn new_name(&self, original: &ObjectName, table: &ObjectName, added: &AddedConstraint) -> Option<String> {
        let known = self.before.relation(original);
        let same = |constraint: &&Constraint| {
            constraint.kind == added.constraint.kind
                && (constraint.columns == added.constraint.columns || added.constraint.columns.is_empty())
                && known
                    .as_ref()
                    .is_none_or(|known| known.constraint(&constraint.name).is_none())
        };
        self.after
            .relation(table)?
            .constraints
            .iter()
            .find(same)
            .map(|constraint| constraint.name.clone())
    }

    pub(super) fn undo_drop_constraint(&self, at: u32, dropped: &NamedConstraint) -> Undo {
        let Some(original) = self.original(at, &dropped.table) else {
            return Undo::nothing();
        };
        let Some(mut sql) = self.before.member_ddl(ObjectKind::Constraint, &original, &dropped.name) else {
            let known = self.before.relation(&original);
            return match known {
                // Added by this migration, or not there at all (IF EXISTS).
                Some(relation) if relation.constraint(&dropped.name).is_none() => Undo::nothing(),
                _ => Undo::irreversible(format!("what the constraint {} demanded is not known", dropped.name)),
            };
        };
        if dropped.cascade && self.dialect() == Dialect::Postgres {
            sql.extend(self.foreign_keys_on(&original, &dropped.name));
        }
        Undo::sql(sql)
    }

    /// CASCADE took the foreign keys that need the key with it.
    fn foreign_keys_on(&self, table: &ObjectName, key: &str) -> Vec<String> {
        let Some(relation) = self.before.relation(table) else {
            return Vec::new();
        };
        let Some(key) = relation.constraint(key) else {
            return Vec::new();
        };
        self.before
            .referencing(table)
            .into_iter()
            .filter(|(_, foreign_key)| foreign_key.referenced_columns == key.columns)
            .filter_map(|(owner, foreign_key)| {
                self.before
                    .member_ddl(ObjectKind::Constraint, &owner, &foreign_key.name)
            })
            .flatten()
            .collect()
    }
}
