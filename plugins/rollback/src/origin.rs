//! Where the tables and columns that a migration names come from: were they there before it, and under which name?
//!
//! A statement names a table as it is called at that moment. The catalog before the migration may know it by another
//! name, or not at all; a table that the migration itself makes goes when its CREATE TABLE is undone, so nothing that
//! happened to it in between needs undoing.

use std::collections::HashMap;

use tollgate_plugin::{Catalog, ObjectKind, ObjectName, Operation, Statement};

/// What a name stood for when a statement ran.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// There before the migration, under this name.
    Before(ObjectName),
    /// Made by the migration.
    Created,
}

/// What each name stood for, statement by statement.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// Tables: for each statement the names that do not stand for themselves.
    tables: Vec<HashMap<ObjectName, Origin>>,
    /// Columns made by the migration, by the name of their table at the time, and the statement that made them.
    columns: Vec<(ObjectName, String, u32)>,
}

impl Origins {
    /// Follows creations and renames through a script.
    pub(crate) fn trace(statements: &[Statement], before: &dyn Catalog) -> Self {
        let mut origins = Self::default();
        let mut now: HashMap<ObjectName, Origin> = HashMap::new();
        for statement in statements {
            origins.tables.push(now.clone());
            for effect in &statement.effects {
                origins.follow(statement.index, &effect.operation, &mut now, before);
            }
        }
        origins
    }

    fn follow(
        &mut self,
        statement: u32,
        operation: &Operation,
        now: &mut HashMap<ObjectName, Origin>,
        before: &dyn Catalog,
    ) {
        let resolve = |name: &ObjectName| before.resolve(ObjectKind::Table, name);
        match operation {
            Operation::CreateTable(created) => {
                let name = resolve(&created.name);
                let existed = created.if_not_exists && before.relation(&name).is_some();
                if !existed {
                    now.insert(name, Origin::Created);
                }
            }
            Operation::Rename(rename) if is_relation(rename.kind) => {
                let from = resolve(&rename.from);
                let to = ObjectName {
                    schema: from.schema.clone(),
                    name: rename.to.clone(),
                };
                let origin = now.remove(&from).unwrap_or(Origin::Before(from));
                now.insert(to, origin);
            }
            Operation::SetSchema(change) if is_relation(change.kind) => {
                let from = resolve(&change.name);
                let to = ObjectName {
                    schema: Some(change.to.clone()),
                    name: from.name.clone(),
                };
                let origin = now.remove(&from).unwrap_or(Origin::Before(from));
                now.insert(to, origin);
            }
            Operation::AddColumn(added) => {
                self.columns
                    .push((resolve(&added.table), added.column.name.clone(), statement));
            }
            _ => {}
        }
    }

    /// What `table` (resolved) stood for when the statement ran.
    pub(crate) fn table(&self, statement: u32, table: &ObjectName, before: &dyn Catalog) -> Origin {
        let known = self.tables.get(statement as usize).and_then(|names| names.get(table));
        match known {
            Some(origin) => origin.clone(),
            None if before.relation(table).is_some() || !before.complete() => Origin::Before(table.clone()),
            None => Origin::Created,
        }
    }

    /// The migration added the column before this statement.
    pub(crate) fn column_added(&self, statement: u32, table: &ObjectName, column: &str) -> bool {
        self.columns
            .iter()
            .any(|(owner, name, at)| owner == table && name == column && *at <= statement)
    }
}

fn is_relation(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable
    )
}
