//! The inverse of each operation; one file a theme.

mod column;
mod constraint;
mod index;
mod object;
mod row;
mod table;
mod types;

use tollgate_plugin::{
    Catalog, Change, Dialect, Migration, ObjectKind, ObjectName, Operation, RollbackRequest, RollbackStep, Statement,
};

use crate::Undo;
use crate::names::Names;
use crate::origin::{Origin, Origins};

/// What every inverse may need to know.
pub(crate) struct Context<'a> {
    pub(crate) names: Names,
    pub(crate) migration: &'a Migration<'a>,
    pub(crate) before: &'a dyn Catalog,
    pub(crate) after: &'a dyn Catalog,
    pub(crate) origins: &'a Origins,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        request: &RollbackRequest,
        migration: &'a Migration<'a>,
        before: &'a dyn Catalog,
        after: &'a dyn Catalog,
        origins: &'a Origins,
    ) -> Self {
        Self {
            names: Names(request.server.dialect),
            migration,
            before,
            after,
            origins,
        }
    }

    /// The step that undoes one statement.
    pub(crate) fn step(&self, statement: &Statement) -> RollbackStep {
        let undo = match statement.part_of {
            Some(change) => self.part(&self.migration.changes()[change as usize], statement),
            None if self.rebuilt_later(statement) => Undo::nothing(),
            None => self.statement(statement),
        };
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
            Change::TableRebuild(rebuild) if rebuild.drop_statement == statement.index => self.undo_rebuild(rebuild),
            Change::EnumRebuild(rebuild) if rebuild.drop_statement == statement.index => {
                let name = self.before.resolve(ObjectKind::Type, &rebuild.name);
                self.restore_enum(&name)
            }
            Change::TableRebuild(_) | Change::EnumRebuild(_) => Undo::nothing(),
        }
    }

    /// What a statement did to a table that the migration rebuilds is undone with the rebuild.
    fn rebuilt_later(&self, statement: &Statement) -> bool {
        let rebuilt = |table: &ObjectName| {
            self.migration.changes().iter().any(|change| match change {
                Change::TableRebuild(rebuild) => rebuild.table == *table,
                Change::EnumRebuild(_) => false,
            })
        };
        self.dialect() == Dialect::Sqlite
            && !statement.effects.is_empty()
            && statement.effects.iter().all(|effect| match &effect.operation {
                Operation::AddColumn(added) => rebuilt(&added.table),
                Operation::DropColumn(dropped) => rebuilt(&dropped.column.table),
                Operation::RenameColumn(renamed) => rebuilt(&renamed.from.table),
                Operation::CreateIndex(created) => rebuilt(&created.table),
                Operation::Drop(dropped) if dropped.kind == ObjectKind::Index => self
                    .before
                    .index_owner(&dropped.name)
                    .is_some_and(|owner| rebuilt(&owner)),
                _ => false,
            })
    }

    fn statement(&self, statement: &Statement) -> Undo {
        let mut undo = Undo::nothing();
        for effect in statement.effects.iter().rev() {
            let next = self.operation(statement.index, &effect.operation);
            if effect.conditional && next != Undo::nothing() {
                return Undo::irreversible("the statement changes something only under a condition");
            }
            undo = undo.then(next);
        }
        undo
    }

    fn operation(&self, at: u32, operation: &Operation) -> Undo {
        match operation {
            Operation::CreateTable(created) => self.undo_create_table(created),
            Operation::AddColumn(added) => self.undo_add_column(at, added),
            Operation::DropColumn(dropped) => self.undo_drop_column(at, dropped),
            Operation::RenameColumn(renamed) => self.undo_rename_column(at, renamed),
            Operation::AlterColumnType(change) => self.undo_alter_type(at, change),
            Operation::SetNotNull(column) => self.undo_set_not_null(at, column),
            Operation::DropNotNull(column) => self.undo_drop_not_null(at, column),
            Operation::SetDefault(change) => self.restore_default(at, &change.column),
            Operation::DropDefault(column) => self.restore_default(at, column),
            Operation::SetIdentity(change) => self.undo_identity(at, change),
            Operation::AddConstraint(added) => self.undo_add_constraint(at, added),
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
            Operation::Rename(renamed) => self.undo_rename(at, renamed),
            Operation::SetSchema(change) => self.undo_set_schema(change),
            Operation::AttachPartition(partition) => self.undo_attach(partition),
            Operation::DetachPartition(partition) => self.undo_detach(partition),
            Operation::RowSecurity(toggle) => self.undo_row_security(at, toggle),
            Operation::ForceRowSecurity(toggle) => self.undo_force_row_security(at, toggle),
            Operation::EnableTrigger(toggle) => self.undo_enable_trigger(at, toggle),
            Operation::Comment(comment) => self.undo_comment(comment),
            Operation::Privileges(change) => self.undo_privileges(at, change),
            Operation::Insert(change) => self.undo_insert(at, change),
            Operation::Update(change) => self.undo_update(at, change),
            Operation::Delete(change) => self.undo_delete(at, &change.table),
            Operation::Truncate(truncation) => self.undo_delete(at, &truncation.table),
            Operation::ValidateConstraint(_) | Operation::TransactionControl(_) | Operation::SetParameter(_) => {
                Undo::nothing()
            }
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

    /// The name that the table had before the migration; `None` when the migration made it, so that it goes anyway.
    pub(crate) fn original(&self, at: u32, table: &ObjectName) -> Option<ObjectName> {
        match self.origins.table(at, &self.table(table), self.before) {
            Origin::Before(name) => Some(name),
            Origin::Created => None,
        }
    }

    /// `ALTER TABLE "t" `, with the name that the table has at that statement.
    pub(crate) fn alter(&self, table: &ObjectName) -> String {
        format!("ALTER TABLE {} ", self.names.object(&self.table(table)))
    }
}
