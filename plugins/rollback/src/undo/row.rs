//! Rows: what a migration wrote or removed.

use tollgate_plugin::{ColumnName, ObjectName, RowChange};

use super::Context;
use crate::Undo;
use crate::lives::At;

impl Context<'_> {
    /// Which rows a migration inserted cannot be told from those that were there.
    pub(super) fn undo_insert(&self, at: At, table: &ObjectName) -> Undo {
        match self.original(at) {
            None => Undo::nothing(),
            Some(_) => Undo::nothing().losing(format!(
                "the rows inserted into {} are not taken out",
                self.table(table).short()
            )),
        }
    }

    pub(super) fn undo_update(&self, at: At, change: &RowChange) -> Undo {
        if self.original(at).is_none() {
            return Undo::nothing();
        }
        // What a backfill wrote to a column of this migration goes with the column.
        let written = change.columns.iter().enumerate();
        let lost: Vec<String> = written
            .filter(|(index, _)| !self.lives.writes_new_column(at, *index))
            .map(|(_, column)| ColumnName::new(change.table.clone(), column.as_str()).to_string())
            .collect();
        if lost.is_empty() && !change.columns.is_empty() {
            return Undo::nothing();
        }
        let what = if lost.is_empty() {
            self.table(&change.table).short()
        } else {
            lost.join(", ")
        };
        Undo::nothing().losing(format!("the values of {what} from before the update"))
    }

    pub(super) fn undo_delete(&self, at: At) -> Undo {
        match self.original(at) {
            None => Undo::nothing(),
            Some(original) if self.before.known_empty(&original) => Undo::nothing(),
            Some(original) => Undo::nothing().losing(format!("the rows deleted from {}", original.short())),
        }
    }
}
