//! The inverse of each operation; one file a theme.

mod column;
mod constraint;
mod index;
mod object;
mod row;
mod table;
mod types;

use std::collections::HashMap;

use tollgate_plugin::{
    Catalog, Change, Dialect, Migration, ObjectKind, ObjectName, Operation, RollbackRequest, RollbackStep, Statement,
};

use self::column::stays_on_sqlite;
use crate::Undo;
use crate::lives::{At, Life, Lives, Way, effects};
use crate::names::Names;

/// What every inverse may need to know.
pub(crate) struct Context<'a> {
    pub(crate) names: Names,
    pub(crate) migration: &'a Migration<'a>,
    pub(crate) before: &'a dyn Catalog,
    pub(crate) after: &'a dyn Catalog,
    pub(crate) lives: &'a Lives,
    /// Tables that are turned back as a whole, and the statement with which that happens.
    restored: HashMap<usize, u32>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        request: &RollbackRequest,
        migration: &'a Migration<'a>,
        before: &'a dyn Catalog,
        after: &'a dyn Catalog,
        lives: &'a Lives,
    ) -> Self {
        let mut context = Self {
            names: Names(request.server.dialect),
            migration,
            before,
            after,
            lives,
            restored: HashMap::new(),
        };
        if context.dialect() == Dialect::Sqlite {
            context.restored = context.turned_back_whole();
        }
        context
    }

    /// Where `SQLite` has no ALTER TABLE for the way back of one statement, that of all others on the table goes with it.
    fn turned_back_whole(&self) -> HashMap<usize, u32> {
        let mut restored = HashMap::new();
        let alone = self
            .migration
            .statements()
            .iter()
            .filter(|statement| statement.part_of.is_none());
        for (at, operation, _) in alone.flat_map(effects) {
            let Some(table) = self.lives.identity(at).filter(|_| self.lives.way(at) != Way::Nothing) else {
                continue;
            };
            let needs = match operation {
                Operation::AddColumn(added) => stays_on_sqlite(added),
                Operation::DropColumn(_) => self.needs_rebuild_on_sqlite(at),
                _ => false,
            };
            if needs && self.original(at).is_some() {
                restored.entry(table).or_insert(at.statement);
            }
        }
        restored
    }

    /// The step that undoes one statement.
    pub(crate) fn step(&self, statement: &Statement) -> RollbackStep {
        let undo = match statement.part_of {
            Some(change) => self.part(&self.migration.changes()[change as usize], statement),
            None => self.statement(statement),
        };
        let undo = undo.then(self.postponed(statement.index));
        RollbackStep {
            undoes: statement.index,
            outcome: undo.outcome,
            preserve: Vec::new(),
            sql: undo.sql,
            transactional: undo.transactional,
        }
    }

    /// A rebuild is undone as a whole, where its old table was dropped; its other statements need nothing of their own.
    fn part(&self, change: &Change, statement: &Statement) -> Undo {
        match change {
            Change::TableRebuild(rebuild) if rebuild.drop_statement == statement.index => {
                // What was rebuilt before, or made by the migration, is undone there.
                let is_new = effects(statement).all(|(at, ..)| self.lives.object(at).is_some_and(Life::is_new));
                if is_new {
                    Undo::nothing()
                } else {
                    self.undo_rebuild(&rebuild.table)
                }
            }
            Change::EnumRebuild(rebuild) if rebuild.drop_statement == statement.index => {
                let name = self.before.resolve(ObjectKind::Type, &rebuild.name);
                self.restore_enum(&name)
            }
            Change::TableRebuild(_) | Change::EnumRebuild(_) => Undo::nothing(),
        }
    }

    /// The statement with which the table of an effect is turned back as a whole, and this effect with it.
    fn turned_back_with(&self, at: At, operation: &Operation) -> Option<u32> {
        let table = self.lives.identity(at).filter(|_| is_part_of_table(operation))?;
        self.restored.get(&table).copied()
    }

    fn statement(&self, statement: &Statement) -> Undo {
        let mut undo = Undo::nothing();
        for (at, operation, conditional) in effects(statement).rev() {
            let next = match (self.lives.way(at), self.turned_back_with(at, operation)) {
                (Way::Nothing, _) | (Way::After(_), None) => continue,
                (_, Some(with)) => match self.original(at) {
                    Some(table) if with == at.statement => self.undo_rebuild(&table),
                    _ => continue,
                },
                (Way::Inverse, None) => self.operation(at, operation),
            };
            if conditional && next != Undo::nothing() {
                return Undo::irreversible("the statement changes something only under a condition");
            }
            undo = undo.then(next);
        }
        undo
    }

    /// What could not be undone before this statement was, the last first.
    fn postponed(&self, until: u32) -> Undo {
        let statements = self.migration.statements().iter().rev();
        statements
            .filter(|statement| statement.index > until && statement.part_of.is_none())
            .flat_map(|statement| effects(statement).rev())
            .filter(|(at, operation, _)| {
                matches!(self.lives.way(*at), Way::After(earlier) if earlier.statement == until)
                    && self.turned_back_with(*at, operation).is_none()
            })
            .fold(Undo::nothing(), |undo, (at, operation, conditional)| {
                if conditional {
                    return Undo::irreversible("the statement changes something only under a condition");
                }
                undo.then(self.operation(at, operation))
            })
    }

    fn operation(&self, at: At, operation: &Operation) -> Undo {
        match operation {
            Operation::CreateTable(created) => self.undo_create_table(created),
            Operation::AddColumn(added) => self.undo_add_column(at, added),
            Operation::DropColumn(dropped) => self.undo_drop_column(at, dropped),
            Operation::RenameColumn(renamed) => self.undo_rename_column(renamed),
            Operation::AlterColumnType(change) => self.undo_alter_type(at, change),
            Operation::SetNotNull(column) => self.undo_set_not_null(at, column),
            Operation::DropNotNull(column) => self.undo_drop_not_null(at, column),
            Operation::SetDefault(change) => self.restore_default(at, &change.column),
            Operation::DropDefault(column) => self.restore_default(at, column),
            Operation::SetIdentity(change) => self.undo_identity(at, change),
            Operation::AddConstraint(added) => self.undo_add_constraint(at, added),
            Operation::ValidateConstraint(validated) => self.undo_validate(at, validated),
            Operation::DropConstraint(dropped) => self.undo_drop_constraint(at, dropped),
            Operation::CreateIndex(created) => self.undo_create_index(at, created),
            Operation::CreateEnum(created) => self.undo_create(ObjectKind::Type, &created.name, None, false),
            Operation::AddEnumValue(added) => {
                let name = self.before.resolve(ObjectKind::Type, &added.name);
                self.undo_add_enum_value(&name, added)
            }
            Operation::RenameEnumValue(renamed) => self.undo_rename_enum_value(renamed),
            Operation::Create(created) => self.undo_create_object(at, created),
            Operation::Drop(dropped) => self.undo_drop(at, dropped),
            Operation::Rename(renamed) => self.undo_rename(renamed),
            Operation::SetSchema(change) => self.undo_set_schema(change),
            Operation::AttachPartition(partition) => self.undo_attach(at, partition),
            Operation::DetachPartition(partition) => self.undo_detach(at, partition),
            Operation::RowSecurity(toggle) => self.undo_row_security(at, toggle),
            Operation::ForceRowSecurity(toggle) => self.undo_force_row_security(at, toggle),
            Operation::EnableTrigger(toggle) => self.undo_enable_trigger(at, toggle),
            Operation::Comment(comment) => self.undo_comment(at, comment),
            Operation::Privileges(change) => self.undo_privileges(at, change),
            Operation::Insert(change) => self.undo_insert(at, &change.table),
            Operation::Update(change) => self.undo_update(at, change),
            Operation::Delete(_) | Operation::Truncate(_) => self.undo_delete(at),
            Operation::TransactionControl(_) | Operation::SetParameter(_) => Undo::nothing(),
            Operation::Dynamic(_) => Undo::irreversible("SQL that is made at run time cannot be seen"),
            Operation::Other(other) => match other.tag.as_str() {
                // What leaves no trace in schema or rows.
                "analyze" | "checkpoint" | "cluster" | "discard" | "lock-table" | "reindex" | "select" | "vacuum" => {
                    Undo::nothing()
                }
                _ => Undo::declined(),
            },
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.names.0
    }

    /// A table as the server resolves the name.
    pub(crate) fn table(&self, name: &ObjectName) -> ObjectName {
        self.after.resolve(ObjectKind::Table, name)
    }

    /// The name that the table (or other object) of an effect had before the migration; `None` when the migration made
    /// it, so that it goes anyway.
    pub(crate) fn original(&self, at: At) -> Option<ObjectName> {
        self.lives.object(at)?.before.clone()
    }

    /// The name that the member of an effect had before the migration; `None` when the migration made it.
    pub(crate) fn original_member(&self, at: At) -> Option<&str> {
        Some(self.lives.member(at)?.before.as_ref()?.name.as_str())
    }

    /// `ALTER TABLE "t" `, with the name that the table has at that statement.
    pub(crate) fn alter(&self, table: &ObjectName) -> String {
        format!("ALTER TABLE {} ", self.names.object(&self.table(table)))
    }
}

/// What is undone with a table that is turned back as a whole.
fn is_part_of_table(operation: &Operation) -> bool {
    match operation {
        Operation::AddColumn(_) | Operation::DropColumn(_) | Operation::RenameColumn(_) | Operation::CreateIndex(_) => {
            true
        }
        Operation::Create(created) => created.kind == ObjectKind::Trigger,
        Operation::Drop(dropped) => matches!(dropped.kind, ObjectKind::Index | ObjectKind::Trigger),
        _ => false,
    }
}
