//! Rows: what a migration wrote or removed.

use tollgate_plugin::{ColumnName, ObjectName, RowChange};

use super::Context;
use crate::Undo;

impl Context<'_> {
    /// Which rows a migration inserted cannot be told from those that were there.
    pub(super) fn undo_insert(&self, at: u32, change: &RowChange) -> Undo {
        match self.original(at, &change.table) {
            None => Undo::nothing(),
            Some(_) => Undo::nothing().losing(format!(
                "the rows inserted into {} are not taken out",
                self.table(&change.table).short()
            )),
        }
    }

    pub(super) fn undo_update(&self, at: u32, change: &RowChange) -> Undo {
        let Some(_) = self.original(at, &change.table) else {
            return Undo::nothing();
        };
        let table = self.table(&change.table);
        // What a backfill wrote to a column of this migration goes with the column.
        let lost: Vec<String> = change
            .columns
            .iter()
            .filter(|column| !self.origins.column_added(at, &table, column))
            .map(|column| ColumnName::new(change.table.clone(), column.as_str()).to_string())
            .collect();
        if lost.is_empty() && !change.columns.is_empty() {
            return Undo::nothing();
        }
        let what = if lost.is_empty() {
            table.short()
        } else {
            lost.join(", ")
        };
        Undo::nothing().losing(format!("the values of {what} from before the update"))
    }

    pub(super) fn undo_delete(&self, at: u32, table: &ObjectName) -> Undo {
        match self.original(at, table) {
            None => Undo::nothing(),
            Some(original) if self.before.known_empty(&original) => Undo::nothing(),
            Some(original) => Undo::nothing().losing(format!("the rows deleted from {}", original.short())),
        }
    }
}
