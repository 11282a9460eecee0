//! Rules about indexes that are made, dropped or rebuilt under a lock.

mod concurrent_in_transaction;
mod concurrent_with_other_statements;
mod drop_index_not_concurrent;
mod duplicate_index;
mod index_not_concurrent;
mod index_on_partitioned_parent;
mod invalid_index_retry;
mod reindex_not_concurrent;
mod replace_index_drop_first;

use std::rc::Rc;

use tollgate_plugin::rules::{Context, Rule, Step};
use tollgate_plugin::{CreatedIndex, Index, IndexKey, ObjectKind, ObjectName, Operation, Relation, Statement};

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    index_not_concurrent::RULE,
    drop_index_not_concurrent::RULE,
    reindex_not_concurrent::RULE,
    concurrent_in_transaction::RULE,
    concurrent_with_other_statements::RULE,
    invalid_index_retry::RULE,
    replace_index_drop_first::RULE,
    duplicate_index::RULE,
    index_on_partitioned_parent::RULE,
];

/// `the index users_email_idx`, or `an index (email)` where it has no name.
fn shown(index: &CreatedIndex) -> String {
    match &index.name {
        Some(name) => format!("the index {name}"),
        None => format!("an index ({})", keys(&index.keys).join(", ")),
    }
}

/// The keys as written.
fn keys(keys: &[IndexKey]) -> Vec<&str> {
    keys.iter()
        .map(|key| match key {
            IndexKey::Column(text) | IndexKey::Expression(text) => text.as_str(),
        })
        .collect()
}

/// The name of a new index, in its table's schema.
fn full_name(index: &CreatedIndex) -> Option<ObjectName> {
    Some(ObjectName {
        schema: index.table.schema.clone(),
        name: index.name.clone()?,
    })
}

/// What is there already under the name of a new index when the step runs, and its table.
fn present(context: &Context<'_>, step: &Step<'_>, index: &CreatedIndex) -> Option<(Rc<Relation>, Index)> {
    let original = context.original(step, ObjectKind::Index, &full_name(index)?)?;
    if context.is_gone(step, ObjectKind::Index, &original) {
        return None;
    }
    let owner = context.before.index_owner(&original)?;
    let relation = context.before.relation(&owner)?;
    let found = relation.index(&original.name)?.clone();
    Some((relation, found))
}

/// What a statement is that the server refuses inside a transaction: `CREATE INDEX CONCURRENTLY`, `VACUUM`.
fn words(statement: &Statement) -> String {
    let Some(effect) = statement.effects.first() else {
        return "a statement".to_owned();
    };
    match &effect.operation {
        Operation::CreateIndex(_) => "CREATE INDEX CONCURRENTLY".to_owned(),
        Operation::Drop(dropped) if dropped.kind == ObjectKind::Index => "DROP INDEX CONCURRENTLY".to_owned(),
        Operation::Drop(dropped) => format!("DROP {}", dropped.kind.to_string().to_uppercase()),
        Operation::DetachPartition(_) => "DETACH PARTITION CONCURRENTLY".to_owned(),
        Operation::Other(other) if other.tag == "reindex" => "REINDEX CONCURRENTLY".to_owned(),
        Operation::Other(other) => other.tag.replace('-', " ").to_uppercase(),
        _ => "a statement".to_owned(),
    }
}
