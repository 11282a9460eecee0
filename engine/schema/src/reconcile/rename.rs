//! What is the same under another name: renamed, it keeps its rows, its position, and whatever points at it.

use std::sync::Arc;

use tollgate_sql::ObjectName;

use crate::base::BaseError;
use crate::difference::Subject;
use crate::model::{Constraint, Index, Relation, Sequence};
use crate::schema::Schema;

use super::{DIALECT, Work};

impl Work<'_> {
    /// `current` with the names that the wanted table has for the same constraints, indexes and sequences; what renames
    /// them goes into the plan. And the schema as it is then.
    pub(super) fn renamed(&mut self, wanted: &Relation, current: &Relation) -> Result<(Relation, Schema), BaseError> {
        let mut now = current.clone();
        let mut schema = self.current.clone();
        let mut statements = Vec::new();
        let table = current.name.sql(DIALECT);
        for (old, new) in pairs(
            &current.constraints,
            &wanted.constraints,
            |one| &one.name,
            same_constraint,
        ) {
            let names = (DIALECT.quote_if_needed(&old), DIALECT.quote_if_needed(&new));
            statements.push(format!(
                "ALTER TABLE {table} RENAME CONSTRAINT {} TO {}",
                names.0, names.1
            ));
            for constraint in now.constraints.iter_mut().filter(|constraint| constraint.name == old) {
                constraint.name.clone_from(&new);
            }
            let behind = |index: &&mut Index| index.constraint.as_ref() == Some(&old);
            for index in now.indexes.iter_mut().filter(behind) {
                index.constraint = Some(new.clone());
                index.name.clone_from(&new);
            }
        }
        for (old, new) in pairs(&current.indexes, &wanted.indexes, |one| &one.name, same_index) {
            let name = ObjectName {
                schema: current.name.schema.clone(),
                name: old.clone(),
            };
            let new_name = DIALECT.quote_if_needed(&new);
            statements.push(format!("ALTER INDEX {} RENAME TO {new_name}", name.sql(DIALECT)));
            for index in now.indexes.iter_mut().filter(|index| index.name == old) {
                index.name.clone_from(&new);
            }
        }
        for column in &mut now.columns {
            let other = wanted.columns.iter().find(|other| other.name == column.name);
            if let Some(other) = other
                && let (Some(old), Some(new)) = (&column.sequence, &other.sequence)
                && self.is_renamed(old, new)?
            {
                if let Some(sequence) = self.current.sequence(old)? {
                    let sequences = Arc::make_mut(&mut schema.overlay.sequences);
                    sequences.insert(Arc::new(old.clone()), None);
                    sequences.insert(
                        Arc::new(new.clone()),
                        Some(Arc::new(Sequence {
                            name: new.clone(),
                            ..Sequence::clone(&sequence)
                        })),
                    );
                }
                // The server keeps the default in step with the name.
                column.sequence.clone_from(&other.sequence);
                column.default.clone_from(&other.default);
            }
        }
        self.plan.renames.extend(statements);
        Ok((now, schema))
    }

    /// The sequence of the same column under another name, which only one of the two schemas has.
    pub(super) fn other_name(&self, subject: &Subject, of_wanted: bool) -> Result<Option<ObjectName>, BaseError> {
        let (here, there) = if of_wanted {
            (self.wanted, self.current)
        } else {
            (self.current, self.wanted)
        };
        let Some(sequence) = here.sequence(&subject.name)? else {
            return Ok(None);
        };
        let Some((table, column)) = &sequence.owned_by else {
            return Ok(None);
        };
        let Some(relation) = there.relation(table)? else {
            return Ok(None);
        };
        let other = relation.columns.iter().find(|other| other.name == *column);
        let Some(name) = other.and_then(|other| other.sequence.clone()) else {
            return Ok(None);
        };
        let (old, new) = if of_wanted {
            (&name, &subject.name)
        } else {
            (&subject.name, &name)
        };
        Ok(self.is_renamed(old, new)?.then_some(name))
    }

    fn is_renamed(&self, old: &ObjectName, new: &ObjectName) -> Result<bool, BaseError> {
        let free = self.current.sequence(new)?.is_none() && self.wanted.sequence(old)?.is_none();
        if old == new || old.schema != new.schema || !free {
            return Ok(false);
        }
        let plain = |sequence: &Sequence| !sequence.identity;
        let (Some(one), Some(other)) = (self.current.sequence(old)?, self.wanted.sequence(new)?) else {
            return Ok(false);
        };
        Ok(plain(&one) && plain(&other) && one.owned_by == other.owned_by)
    }

    pub(super) fn rename_sequence(&mut self, old: &ObjectName, new: &ObjectName) {
        let (old, new) = (old.sql(DIALECT), DIALECT.quote_if_needed(&new.name));
        self.plan.renames.push(format!("ALTER SEQUENCE {old} RENAME TO {new}"));
    }
}

/// Names on one side only of things that are the same: the present name and the wanted one.
fn pairs<T>(
    current: &[T],
    wanted: &[T],
    name: impl Fn(&T) -> &String,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<(String, String)> {
    let only = |of: &T, other: &[T]| !other.iter().any(|found| name(found) == name(of));
    let mut left: Vec<&T> = wanted.iter().filter(|found| only(found, current)).collect();
    let mut found = Vec::new();
    for old in current.iter().filter(|found| only(found, wanted)) {
        if let Some(at) = left.iter().position(|new| same(old, new)) {
            found.push((name(old).clone(), name(left.remove(at)).clone()));
        }
    }
    found
}

fn same_constraint(one: &Constraint, other: &Constraint) -> bool {
    let plain = |constraint: &Constraint| Constraint {
        name: String::new(),
        comment: None,
        ..constraint.clone()
    };
    plain(one) == plain(other)
}

/// An index behind a constraint has its name and is renamed with it.
fn same_index(one: &Index, other: &Index) -> bool {
    let nameless = |index: &Index| Index {
        name: String::new(),
        ..index.clone()
    };
    one.constraint.is_none() && other.constraint.is_none() && nameless(one).is_like(&nameless(other))
}
