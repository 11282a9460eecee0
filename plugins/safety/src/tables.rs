//! Whether a table is one that others use while the migration runs, and what is known of its size.

use std::rc::Rc;

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{AddedColumn, Dialect, ObjectKind, ObjectName, Operation, Relation, RelationKind, Severity};

use crate::size::{self, Size};

/// A table that others may be using: it was there before the migration, may hold rows and is not known to be small.
#[derive(Debug, Clone)]
pub(crate) struct Busy<'a> {
    /// The table as it was before the migration, where the catalog knows it.
    pub(crate) relation: Option<Rc<Relation<'a>>>,
    /// The catalog says that it is large.
    pub(crate) large: bool,
    name: String,
    rows: Option<String>,
}

/// The table when a step runs; `None` where nobody can be waiting for it: the migration has made or emptied it, it is known
/// to hold nothing, the catalog says that it is small, or its rows are not its own (views, foreign tables).
pub(crate) fn busy<'a>(context: &Context<'a>, step: &Step<'_>, table: &ObjectName) -> Option<Busy<'a>> {
    let original = context.original(step, ObjectKind::Table, table)?;
    if context.before.exists(ObjectKind::Table, &original).is_none() && is_made_if_absent(context, step, &original) {
        return None;
    }
    if is_emptied(context, step, table) {
        return None;
    }
    busy_before(context, &original, table.short())
}

/// A statement above has deleted every row, or works only without rows, and none has brought any since.
fn is_emptied(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> bool {
    let mut emptied = false;
    for earlier in context.steps_before(step) {
        let (of, empties) = match &earlier.effect.operation {
            Operation::Delete(change) if !change.filtered && !earlier.effect.conditional => (&change.table, true),
            Operation::Truncate(truncation) if !earlier.effect.conditional => (&truncation.table, true),
            // Of a table with rows this is refused: there are none, or nothing below will ever run. (MySQL makes a value up.)
            Operation::AddColumn(added)
                if context.dialect() != Dialect::Mysql
                    && added.column.not_null
                    && !gives_values(added)
                    && !added.if_not_exists
                    && !earlier.effect.conditional =>
            {
                (&added.table, true)
            }
            Operation::Insert(change) => (&change.table, false),
            _ => continue,
        };
        if context.same(ObjectKind::Table, of, table) {
            emptied = empties;
        }
    }
    emptied
}

/// A new column gets a value in each row that is there.
pub(crate) fn gives_values(added: &AddedColumn) -> bool {
    let column = &added.column;
    column.default.as_ref().is_some_and(|default| !default.is_null)
        || column.generated.is_some()
        || column.identity.is_some()
        || column.serial
}

/// A statement above says CREATE TABLE IF NOT EXISTS: where nothing is known of the database, it is meant to make it.
fn is_made_if_absent(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> bool {
    context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::CreateTable(made) => context.same(ObjectKind::Table, &made.name, table),
            _ => false,
        })
}

/// The same for a table by its name before the migration; `name` is what messages call it.
pub(crate) fn busy_before<'a>(context: &Context<'a>, original: &ObjectName, name: String) -> Option<Busy<'a>> {
    if !context.held_rows(original) {
        return None;
    }
    let relation = context.before.relation(original);
    let elsewhere =
        |relation: &Rc<Relation<'_>>| matches!(relation.kind, RelationKind::View | RelationKind::ForeignTable);
    if relation.as_ref().is_some_and(elsewhere) {
        return None;
    }
    let size = size::before(context, original);
    if size == Size::Small {
        return None;
    }
    Some(Busy {
        relation,
        large: size == Size::Large,
        name,
        rows: context.rows_in_words(original),
    })
}

impl Busy<'_> {
    /// `users`, or `users (about 3,200,000 rows)` where somebody knows.
    pub(crate) fn shown(&self) -> String {
        match &self.rows {
            Some(rows) => format!("{} ({rows})", self.name),
            None => self.name.clone(),
        }
    }

    /// High where the catalog proves that an operation on all rows takes long, medium otherwise.
    pub(crate) fn severity(&self) -> Severity {
        if self.large { Severity::High } else { Severity::Medium }
    }

    /// It is known to be split into partitions.
    pub(crate) fn is_partitioned(&self) -> bool {
        self.is(RelationKind::PartitionedTable)
    }

    /// It is known to be of that kind.
    pub(crate) fn is(&self, kind: RelationKind) -> bool {
        self.relation.as_ref().is_some_and(|relation| relation.kind == kind)
    }
}

/// The migration drops the table that had this name before it.
pub(crate) fn goes(context: &Context<'_>, original: &ObjectName) -> bool {
    context.all_steps().any(|step| match &step.effect.operation {
        Operation::Drop(dropped) if dropped.kind == ObjectKind::Table => context
            .original(&step, ObjectKind::Table, &dropped.name)
            .is_some_and(|gone| context.same(ObjectKind::Table, &gone, original)),
        _ => false,
    })
}
