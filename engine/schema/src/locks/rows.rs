//! Statements that change rows.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ObjectKind, Operation, RowChange};

use super::LockMode as L;
use super::footprint::{Footprint, Work};
use crate::base::BaseError;
use crate::model::RelationKind;

impl Footprint<'_> {
    /// Whether the operation is one of these.
    pub(super) fn change_rows(&mut self, operation: &Operation) -> Result<bool, BaseError> {
        match operation {
            Operation::Insert(change) => self.change(change, false)?,
            Operation::Update(change) | Operation::Delete(change) => self.change(change, true)?,
            Operation::Truncate {
                table,
                cascade,
                restart_identity,
            } => self.truncate(table, *cascade, *restart_identity)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `everywhere`: any partition may hold rows that change. A new row goes to one, and nobody knows which.
    fn change(&mut self, change: &RowChange, everywhere: bool) -> Result<(), BaseError> {
        let name = self.schema.find(ObjectKind::Table, &change.table)?;
        self.lock(&name, L::RowExclusive, Work::None)?;
        let relation = self.schema.get(&name)?;
        if let Some(view) = relation.filter(|relation| relation.kind == RelationKind::View) {
            // Only a view of one table can be written through without a rule or a trigger.
            if let [below] = view.reads.as_slice() {
                self.read_with(below, L::RowExclusive)?;
            }
        }
        if everywhere {
            for child in self.descendants(&name)? {
                self.lock(&child, L::RowExclusive, Work::None)?;
            }
        }
        for read in &change.reads {
            self.read(read)?;
        }
        Ok(())
    }

    fn truncate(&mut self, table: &ObjectName, cascade: bool, restart_identity: bool) -> Result<(), BaseError> {
        let mut waiting = vec![self.schema.find(ObjectKind::Table, table)?];
        let mut seen: Vec<ObjectName> = Vec::new();
        while let Some(name) = waiting.pop() {
            if seen.contains(&name) {
                continue;
            }
            self.lock(&name, L::AccessExclusive, Work::None)?;
            if restart_identity {
                self.sequences_of(&name, L::AccessExclusive)?;
            }
            waiting.extend(self.descendants(&name)?);
            if cascade {
                waiting.extend(self.schema.referencing(&name)?.into_iter().map(|(name, _)| name));
            }
            seen.push(name);
        }
        Ok(())
    }
}
