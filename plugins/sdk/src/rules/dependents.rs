//! What needs an object at some moment of the script.

use super::{Context, Step};
use crate::contract::{ColumnName, Dependent, ObjectKind, ObjectName, Operation};

impl Context<'_> {
    /// What needs an object of the schema before the migration and has not been dropped by a statement above the step.
    pub fn remaining_dependents(&self, step: &Step<'_>, kind: ObjectKind, original: &ObjectName) -> Vec<Dependent> {
        let mut found = self.before.dependents(kind, original);
        found.retain(|dependent| !self.is_dependent_gone(step, dependent));
        found
    }

    fn is_dependent_gone(&self, step: &Step<'_>, dependent: &Dependent) -> bool {
        let Some(member) = &dependent.member else {
            return self.is_gone(step, dependent.kind, &dependent.name);
        };
        if dependent.kind == ObjectKind::Column {
            let column = ColumnName::new(dependent.name.clone(), member.clone());
            if self.is_column_gone(step, &column) || self.is_column_retyped(step, &column) {
                return true;
            }
        }
        self.is_gone(step, ObjectKind::Table, &dependent.name) || self.is_member_gone(step, dependent, member)
    }

    /// A statement above dropped the dependent constraint, trigger or policy by its name.
    fn is_member_gone(&self, step: &Step<'_>, dependent: &Dependent, member: &str) -> bool {
        let of_table = |table: &ObjectName| self.same(ObjectKind::Table, table, &dependent.name);
        self.steps_before(step).any(|earlier| match &earlier.effect.operation {
            Operation::DropConstraint(dropped) => dropped.name == member && of_table(&dropped.table),
            Operation::Drop(dropped) => {
                dropped.kind == dependent.kind
                    && dropped.name.name == member
                    && dropped.on.as_ref().is_some_and(of_table)
            }
            _ => false,
        })
    }
}
