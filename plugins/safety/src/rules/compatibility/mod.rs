//! Rules about what breaks the application that runs while and after the migration does.

mod change_default;
mod drop_column_still_read;
mod drop_constraint_backing_index;
mod drop_not_null;
mod primary_key_change;
mod readers;
mod rename_column;
mod rename_enum_value;
mod rename_schema;
mod rename_table;
mod rename_type_or_function;
mod replica_identity_lost;
mod set_schema;

use tollgate_plugin::rules::{Context, Rule, Step};
use tollgate_plugin::{ObjectKind, ObjectName, Operation, Relation, RelationKind};

use crate::tokens;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    rename_table::RULE,
    rename_column::RULE,
    rename_enum_value::RULE,
    rename_type_or_function::RULE,
    rename_schema::RULE,
    set_schema::RULE,
    drop_column_still_read::RULE,
    primary_key_change::RULE,
    replica_identity_lost::RULE,
    drop_constraint_backing_index::RULE,
    drop_not_null::RULE,
    change_default::RULE,
];

/// Tables, views and the like: what a query can read from.
fn is_relation(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable
    )
}

/// What an object was called before the migration, when somebody may be using it: not one that this migration has made,
/// or an earlier one that has not been applied either.
fn in_use(context: &Context<'_>, step: &Step<'_>, kind: ObjectKind, name: &ObjectName) -> Option<ObjectName> {
    if context.is_new(step, kind, name) {
        return None;
    }
    let original = context.original(step, kind, name)?;
    let pending = is_relation(kind) && context.before.known_empty(&original);
    (!pending).then_some(original)
}

/// Columns that could be read under a relation's old name and cannot any more when the migration has run. `None` when
/// nothing has that name then.
fn missing_columns(context: &Context<'_>, original: &ObjectName) -> Option<Vec<String>> {
    let after = context.after.relation(original)?;
    let Some(before) = context.before.relation(original).filter(|_| !after.uncertain) else {
        return Some(Vec::new());
    };
    let offered = Offered::of(context, &after);
    let names = before.columns.iter().map(|column| column.name.clone());
    Some(names.filter(|name| !offered.has(context, name)).collect())
}

/// What can be read from a relation.
struct Offered {
    columns: Vec<String>,
    /// A view's `*`: whatever the table had when the view was made.
    everything: bool,
}

impl Offered {
    /// Of a view that was replayed only the text is known: every name in it counts.
    fn of(context: &Context<'_>, relation: &Relation) -> Self {
        if !relation.columns.is_empty() || relation.kind == RelationKind::Table {
            return Self {
                columns: relation.columns.iter().map(|column| column.name.clone()).collect(),
                everything: false,
            };
        }
        let text = context
            .after
            .ddl(ObjectKind::View, &relation.name)
            .unwrap_or_default()
            .join(";");
        Self {
            columns: readers::names(&text),
            everything: tokens::read(&text).iter().any(|token| token.is_symbol("*")) || text.is_empty(),
        }
    }

    fn has(&self, context: &Context<'_>, column: &str) -> bool {
        self.everything || self.columns.iter().any(|name| context.same_identifier(name, column))
    }
}

/// A later statement drops what is called `name` then: that is what is reported.
fn is_dropped_later(context: &Context<'_>, step: &Step<'_>, name: &ObjectName) -> bool {
    context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::Drop(dropped) => is_relation(dropped.kind) && context.same(ObjectKind::Table, &dropped.name, name),
        _ => false,
    })
}
