//! Changes of rows, and effects that may or may not happen.

use std::sync::Arc;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ObjectKind, Operation};

use crate::base::BaseError;
use crate::class::Class;
use crate::schema::{Overlay, Schema};

impl Schema {
    pub(super) fn change_rows(&mut self, operation: &Operation) -> Result<(), BaseError> {
        let (table, inserts, removes) = match operation {
            Operation::Insert(change) => (&change.table, true, false),
            Operation::Update(change) => (&change.table, false, false),
            Operation::Delete(change) => (&change.table, false, true),
            Operation::Truncate { table, .. } => (table, false, true),
            _ => return Ok(()),
        };
        let table = self.find(ObjectKind::Table, table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        if !relation.triggers.is_empty() || !relation.rules.is_empty() {
            // A trigger may write anywhere.
            self.overlay.empty = Arc::default();
        } else if inserts {
            let key = self.key(&table);
            if self.overlay.empty.contains(&*key) {
                Arc::make_mut(&mut self.overlay.empty).remove(&*key);
            }
        }
        let key = self.key(&table);
        let known = self.overlay.origins.get(&*key).is_some_and(|origin| {
            (origin.base.is_none() || origin.values_changed) && (origin.rows_changed || !(inserts || removes))
        });
        // A table made here has no rows to ask for, and what is noted already need not be noted again.
        if !known {
            let origin = self.origin_mut(&table);
            origin.rows_changed |= inserts || removes;
            origin.values_changed = true;
        }
        Ok(())
    }

    /// SQL that cannot be seen: anything may have happened.
    pub(super) fn dynamic(&mut self) {
        self.overlay.incomplete = true;
        self.overlay.empty = Arc::default();
    }

    /// Notes that an operation may or may not have happened: what it touches is uncertain.
    pub(crate) fn doubt(&mut self, operation: &Operation) -> Result<(), BaseError> {
        match operation {
            Operation::Dynamic { .. } => {
                self.dynamic();
                return Ok(());
            }
            Operation::Insert(_) | Operation::Update(_) | Operation::Delete(_) | Operation::Truncate { .. } => {
                return self.change_rows(operation);
            }
            Operation::Transaction(_) | Operation::SetParameter { .. } => return Ok(()),
            _ => {}
        }
        for object in touched(operation) {
            let relation = self.find(ObjectKind::Table, &object)?;
            self.edit(&relation, |relation| relation.uncertain = true)?;
            let name = self.find(ObjectKind::Type, &object)?;
            if let Some(known) = self.user_type(&name)?
                && !known.uncertain
            {
                self.put_type(crate::model::UserType {
                    uncertain: true,
                    ..(*known).clone()
                });
            }
        }
        if let Some((kind, name)) = created(self, operation)
            && !self.has(Class::of(kind), &name)?
        {
            let key = self.key(&name).into_owned();
            note_doubtful(&mut self.overlay, kind, key);
        }
        Ok(())
    }
}

fn note_doubtful(overlay: &mut Overlay, kind: ObjectKind, name: ObjectName) {
    Arc::make_mut(&mut overlay.doubtful).insert((Class::doubtful_kind(kind), name));
}

/// What an operation changes, as opposed to what it only reads or refers to.
fn touched(operation: &Operation) -> Vec<ObjectName> {
    match operation {
        Operation::AddConstraint { table, .. } => vec![table.clone()],
        Operation::CreateTable(table) => vec![table.name.clone()],
        Operation::CreateView(view) => vec![view.name.clone()],
        Operation::CreateFunction(_) => Vec::new(),
        Operation::CreateTrigger(trigger) => vec![trigger.table.clone()],
        Operation::CreateIndex(index) => vec![index.table.clone()],
        Operation::Drop(drop) => drop.on.iter().chain(std::iter::once(&drop.name)).cloned().collect(),
        _ => operation.objects(),
    }
}

/// Kind and resolved name of what an operation would make.
fn created(schema: &Schema, operation: &Operation) -> Option<(ObjectKind, ObjectName)> {
    use Operation as O;
    let (kind, name) = match operation {
        O::CreateTable(table) => (ObjectKind::Table, table.name.clone()),
        O::CreateView(view) => (ObjectKind::Table, view.name.clone()),
        O::CreateEnum { name, .. }
        | O::CreateComposite { name, .. }
        | O::CreateOtherType { name, .. }
        | O::CreateDomain { name, .. } => (ObjectKind::Type, name.clone()),
        O::CreateFunction(function) => (ObjectKind::Function, function.name.clone()),
        O::CreateSequence { name, .. } => (ObjectKind::Sequence, name.clone()),
        O::CreateSchema { name, .. } => return Some((ObjectKind::Schema, ObjectName::bare(name))),
        O::CreateExtension { name, .. } => return Some((ObjectKind::Extension, ObjectName::bare(name))),
        O::CreateIndex(index) => {
            let table = schema.resolve(ObjectKind::Table, &index.table);
            (
                ObjectKind::Index,
                ObjectName {
                    schema: table.schema,
                    name: index.name.clone()?,
                },
            )
        }
        O::Rename { kind, from, to, .. } => {
            let from = schema.resolve(*kind, from);
            (
                *kind,
                ObjectName {
                    schema: from.schema,
                    name: to.clone(),
                },
            )
        }
        O::SetSchema { kind, name, to, .. } => (*kind, ObjectName::qualified(to, &name.name)),
        _ => return None,
    };
    Some((kind, schema.creation_name(&name)))
}
