//! Constraints.

use tollgate_plugin::{AddedConstraint, Constraint, ConstraintKind, Dialect, NamedConstraint, ObjectKind, ObjectName};

use super::Context;
use crate::Undo;
use crate::lives::At;

impl Context<'_> {
    pub(super) fn undo_add_constraint(&self, at: At, added: &AddedConstraint) -> Undo {
        let original = self.original(at);
        // A table of the migration goes with its constraints, but foreign keys hold the order of dropping up.
        if original.is_none() && !self.points_at_new_table(added) {
            return Undo::nothing();
        }
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
            .or_else(|| self.new_name(at, &table, added))
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
            .and_then(|index| self.before.member_ddl(ObjectKind::Index, original.as_ref()?, index));
        Undo::sql(std::iter::once(drop).chain(index.unwrap_or_default()).collect())
    }

    fn points_at_new_table(&self, added: &AddedConstraint) -> bool {
        added.constraint.references.as_ref().is_some_and(|other| {
            let other = self.table(other);
            other != self.table(&added.table) && self.before.relation(&other).is_none()
        })
    }

    /// The server's name for it: the constraint of that kind on those columns that was not there before.
    fn new_name(&self, at: At, table: &ObjectName, added: &AddedConstraint) -> Option<String> {
        let known = self.original(at).and_then(|original| self.before.relation(&original));
        let was_there = |name: &str| {
            known.as_ref().is_some_and(|known| known.constraint(name).is_some())
                && !self.lives.drops_constraint(at, name)
        };
        let same = |constraint: &&Constraint| {
            constraint.kind == added.constraint.kind
                && (constraint.columns == added.constraint.columns || added.constraint.columns.is_empty())
                && !was_there(&constraint.name)
        };
        self.after
            .relation(table)?
            .constraints
            .iter()
            .find(same)
            .map(|constraint| constraint.name.clone())
    }

    /// A constraint that did not hold for old rows is made so again.
    pub(super) fn undo_validate(&self, at: At, validated: &NamedConstraint) -> Undo {
        let (Some(original), Some(name)) = (self.original(at), self.original_member(at)) else {
            return Undo::nothing();
        };
        let ddl = self
            .before
            .member_ddl(ObjectKind::Constraint, &original, name)
            .unwrap_or_default();
        if !ddl
            .iter()
            .any(|statement| statement.trim_end_matches(';').ends_with("NOT VALID"))
        {
            return Undo::nothing();
        }
        let drop = format!(
            "{}DROP CONSTRAINT {}",
            self.alter(&validated.table),
            self.names.one(&validated.name)
        );
        Undo::sql(std::iter::once(drop).chain(ddl).collect())
    }

    pub(super) fn undo_drop_constraint(&self, at: At, dropped: &NamedConstraint) -> Undo {
        let Some(original) = self.original(at) else {
            return Undo::nothing();
        };
        let name = self.original_member(at).unwrap_or(&dropped.name);
        let Some(mut sql) = self.before.member_ddl(ObjectKind::Constraint, &original, name) else {
            let known = self.before.relation(&original);
            return match known {
                // Not there at all (IF EXISTS).
                Some(relation) if relation.constraint(name).is_none() => Undo::nothing(),
                _ => Undo::irreversible(format!("what the constraint {name} demanded is not known")),
            };
        };
        if self.comes_back_with_column(at, &original, &sql) {
            return Undo::nothing();
        }
        if dropped.cascade && self.dialect() == Dialect::Postgres {
            sql.extend(self.foreign_keys_on(&original, name));
        }
        Undo::sql(sql)
    }

    /// A column that the migration drops too brings its indexes and constraints along.
    pub(super) fn comes_back_with_column(&self, at: At, table: &ObjectName, sql: &[String]) -> bool {
        self.lives.dropped_columns(at).any(|(_, column)| {
            let with_it = self
                .before
                .member_ddl(ObjectKind::Column, table, column)
                .unwrap_or_default();
            sql.iter().all(|statement| with_it.contains(statement))
        })
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
