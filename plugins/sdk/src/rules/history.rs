//! What has already happened inside the script when one of its statements runs.
//!
//! `before` and `after` show the two ends of a migration. Between them a table may be made, filled, renamed and dropped;
//! this index answers for each moment.

use crate::contract::{ObjectKind, ObjectName, Operation, Statement};

/// Everything in the script that makes, fills or renames something, in order.
#[derive(Debug, Default)]
pub(super) struct History {
    events: Vec<(usize, Event)>,
}

#[derive(Debug)]
enum Event {
    Created(ObjectKind, ObjectName),
    Filled(ObjectName),
    Emptied(ObjectName),
    Renamed(ObjectKind, ObjectName, ObjectName),
    ColumnAdded(ObjectName, String),
    ColumnRenamed(ObjectName, String, String),
    ColumnDropped(ObjectName, String),
    ColumnRetyped(ObjectName, String),
    Dropped(ObjectKind, ObjectName),
}

/// What has become of something by some moment of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Same,
    Retyped,
    Gone,
}

/// Whether two names mean the same object.
pub(super) type Same<'a> = &'a dyn Fn(&ObjectName, &ObjectName) -> bool;

impl History {
    /// Reads the script once. Steps of a rebuild are left out: the table stays what it is. So is what may not happen.
    pub(super) fn of(statements: &[Statement]) -> Self {
        let mut history = Self::default();
        let effects = statements
            .iter()
            .flat_map(|statement| statement.effects.iter().map(move |effect| (statement, effect)));
        for (ordinal, (statement, effect)) in effects.enumerate() {
            if statement.part_of.is_none() {
                history.record(ordinal, &effect.operation, effect.conditional);
            }
        }
        history
    }

    fn record(&mut self, ordinal: usize, operation: &Operation, conditional: bool) {
        let event = match operation {
            Operation::Insert(change) | Operation::Update(change) => Some(Event::Filled(change.table.clone())),
            // From here on only what is certain to happen: a safe reading must not rest on what may not be there.
            _ if conditional => None,
            Operation::Delete(change) => (!change.filtered).then(|| Event::Emptied(change.table.clone())),
            Operation::Truncate(truncation) => Some(Event::Emptied(truncation.table.clone())),
            Operation::CreateTable(table) if table.if_not_exists => None,
            Operation::CreateTable(table) => {
                self.events
                    .push((ordinal, Event::Created(ObjectKind::Table, table.name.clone())));
                table.from_query.then(|| Event::Filled(table.name.clone()))
            }
            Operation::CreateEnum(definition) => Some(Event::Created(ObjectKind::Type, definition.name.clone())),
            Operation::CreateIndex(index) if !index.if_not_exists => index.name.as_ref().map(|name| {
                Event::Created(
                    ObjectKind::Index,
                    ObjectName {
                        schema: index.table.schema.clone(),
                        name: name.clone(),
                    },
                )
            }),
            Operation::Create(created) if !created.if_not_exists && !created.or_replace => {
                Some(Event::Created(created.kind, created.name.clone()))
            }
            Operation::Rename(rename) => {
                let to = ObjectName {
                    schema: rename.from.schema.clone(),
                    name: rename.to.clone(),
                };
                Some(Event::Renamed(rename.kind, rename.from.clone(), to))
            }
            Operation::SetSchema(change) => {
                let to = ObjectName::qualified(change.to.clone(), change.name.name.clone());
                Some(Event::Renamed(change.kind, change.name.clone(), to))
            }
            Operation::AddColumn(added) if !added.if_not_exists => {
                Some(Event::ColumnAdded(added.table.clone(), added.column.name.clone()))
            }
            Operation::RenameColumn(rename) => Some(Event::ColumnRenamed(
                rename.from.table.clone(),
                rename.from.column.clone(),
                rename.to.clone(),
            )),
            Operation::DropColumn(dropped) => Some(Event::ColumnDropped(
                dropped.column.table.clone(),
                dropped.column.column.clone(),
            )),
            Operation::AlterColumnType(change) => Some(Event::ColumnRetyped(
                change.column.table.clone(),
                change.column.column.clone(),
            )),
            Operation::Drop(dropped) => Some(Event::Dropped(dropped.kind, dropped.name.clone())),
            _ => None,
        };
        if let Some(event) = event {
            self.events.push((ordinal, event));
        }
    }

    /// What the object was called before the script; `None` when the script made it.
    pub(super) fn original(
        &self,
        kind: ObjectKind,
        name: &ObjectName,
        ordinal: usize,
        same: Same<'_>,
    ) -> Option<ObjectName> {
        let mut name = name.clone();
        for event in self.earlier(ordinal) {
            match event {
                Event::Created(created, made) if class(*created) == class(kind) && same(made, &name) => return None,
                Event::Renamed(renamed, from, to) if class(*renamed) == class(kind) && same(to, &name) => {
                    name.clone_from(from);
                }
                _ => {}
            }
        }
        Some(name)
    }

    /// What a column was called right after `since` (before the script: `None`), with its table's name then; `None` when
    /// the script added it in between. `table` and `column` are the names at `ordinal`.
    pub(super) fn column_back(
        &self,
        table: &ObjectName,
        column: &str,
        ordinal: usize,
        since: Option<usize>,
        same: Same<'_>,
    ) -> Option<(ObjectName, String)> {
        let mut table = table.clone();
        let mut column = column.to_owned();
        for (_, event) in self
            .events
            .iter()
            .rev()
            .filter(|(at, _)| *at < ordinal && since.is_none_or(|since| *at > since))
        {
            match event {
                Event::Renamed(kind, from, to) if class(*kind) == ObjectKind::Table && same(to, &table) => {
                    table.clone_from(from);
                }
                Event::Created(ObjectKind::Table, made) if same(made, &table) => return None,
                Event::ColumnAdded(of, added) if *added == column && same(of, &table) => return None,
                Event::ColumnRenamed(of, from, to) if *to == column && same(of, &table) => column.clone_from(from),
                _ => {}
            }
        }
        Some((table, column))
    }

    /// What has become of a column of the schema before the script, by the time of `ordinal`.
    pub(super) fn column_fate(&self, table: &ObjectName, column: &str, ordinal: usize, same: Same<'_>) -> Fate {
        let mut table = table.clone();
        let mut column = column.to_owned();
        let mut fate = Fate::Same;
        for (_, event) in self.events.iter().take_while(|(at, _)| *at < ordinal) {
            match event {
                Event::Renamed(kind, from, to) if class(*kind) == ObjectKind::Table && same(from, &table) => {
                    table.clone_from(to);
                }
                Event::Dropped(kind, gone) if class(*kind) == ObjectKind::Table && same(gone, &table) => {
                    return Fate::Gone;
                }
                Event::ColumnRenamed(of, from, to) if *from == column && same(of, &table) => column.clone_from(to),
                Event::ColumnDropped(of, gone) if *gone == column && same(of, &table) => return Fate::Gone,
                Event::ColumnRetyped(of, retyped) if *retyped == column && same(of, &table) => fate = Fate::Retyped,
                _ => {}
            }
        }
        fate
    }

    /// An object of the schema before the script has been dropped by the time of `ordinal`, under whatever name.
    pub(super) fn is_gone(&self, kind: ObjectKind, name: &ObjectName, ordinal: usize, same: Same<'_>) -> bool {
        let mut name = name.clone();
        for (_, event) in self.events.iter().take_while(|(at, _)| *at < ordinal) {
            match event {
                Event::Renamed(renamed, from, to) if class(*renamed) == class(kind) && same(from, &name) => {
                    name.clone_from(to);
                }
                Event::Dropped(dropped, gone) if class(*dropped) == class(kind) && same(gone, &name) => return true,
                _ => {}
            }
        }
        false
    }

    /// Rows were written to the table earlier in the script.
    pub(super) fn filled(&self, table: &ObjectName, ordinal: usize, same: Same<'_>) -> bool {
        self.rows(table, ordinal, same, false) == Some(true)
    }

    /// Every row of the table was deleted earlier in the script, and none was written since.
    pub(super) fn emptied(&self, table: &ObjectName, ordinal: usize, same: Same<'_>) -> bool {
        self.rows(table, ordinal, same, true) == Some(false)
    }

    /// What happened last: rows were written (`true`) or, where that counts, all were deleted (`false`).
    fn rows(&self, table: &ObjectName, ordinal: usize, same: Same<'_>, deleting: bool) -> Option<bool> {
        let mut table = table.clone();
        for event in self.earlier(ordinal) {
            match event {
                Event::Filled(filled) if same(filled, &table) => return Some(true),
                Event::Emptied(emptied) if deleting && same(emptied, &table) => return Some(false),
                Event::Renamed(kind, from, to) if class(*kind) == ObjectKind::Table && same(to, &table) => {
                    table.clone_from(from);
                }
                Event::Created(ObjectKind::Table, made) if same(made, &table) => return None,
                _ => {}
            }
        }
        None
    }

    /// Newest first.
    fn earlier(&self, ordinal: usize) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .rev()
            .filter(move |(at, _)| *at < ordinal)
            .map(|(_, event)| event)
    }
}

/// Kinds that share one name space, as the server looks them up.
fn class(kind: ObjectKind) -> ObjectKind {
    match kind {
        ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable => ObjectKind::Table,
        ObjectKind::Domain => ObjectKind::Type,
        ObjectKind::Procedure | ObjectKind::Aggregate => ObjectKind::Function,
        other => other,
    }
}
