//! Which tables others inherit from. Nearly every statement about a table asks, and nearly no table is one.

use std::cell::RefCell;
use std::collections::BTreeSet;

use tollgate_sql::operation::Operation;
use tollgate_sql::{ObjectName, Statement};

use crate::schema::Schema;

/// The tables of one moment that have children, looked for when somebody asks first.
#[derive(Default)]
pub(super) struct Families {
    parents: RefCell<Option<BTreeSet<ObjectName>>>,
}

impl Families {
    /// Whether a table, by its resolved name, may have partitions or other children.
    pub fn may_have_children(&self, schema: &Schema, table: &ObjectName) -> bool {
        if !schema.base.holds_nothing() {
            return true;
        }
        let mut parents = self.parents.borrow_mut();
        parents.get_or_insert_with(|| all_parents(schema)).contains(table)
    }

    /// Forgets what a statement may change.
    pub fn after(&self, statement: &Statement) {
        if statement.effects.iter().any(|effect| changes(&effect.operation)) {
            self.parents.replace(None);
        }
    }
}

fn all_parents(schema: &Schema) -> BTreeSet<ObjectName> {
    let mut parents = BTreeSet::new();
    if !schema.overlay.children {
        return parents;
    }
    for relation in schema.overlay.relations() {
        parents.extend(relation.partition_of.iter().map(|(parent, _)| parent.clone()));
        parents.extend(relation.inherits.iter().cloned());
    }
    parents
}

/// Whether an operation may give a table children, or another name.
fn changes(operation: &Operation) -> bool {
    match operation {
        Operation::CreateTable(table) => table.partition_of.is_some() || !table.inherits.is_empty(),
        Operation::AttachPartition { .. }
        | Operation::Inherit { .. }
        | Operation::Rename { .. }
        | Operation::SetSchema { .. }
        | Operation::Transaction(_)
        | Operation::Dynamic { .. }
        | Operation::Other(_) => true,
        _ => false,
    }
}
