//! Locks that keep others out of tables that they may be using.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{LockMode, ObjectKind, ObjectName, Operation, Statement, TableLock};

use crate::transactions::Transaction;

/// A lock, and the statement that takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) step: Step<'a>,
    pub(super) lock: &'a TableLock,
}

impl Held<'_> {
    /// `nobody can read or write users`
    pub(super) fn harm(&self) -> String {
        let what = if self.lock.mode.blocks_reads() {
            "read or write"
        } else {
            "write"
        };
        format!("nobody can {what} {}", self.lock.relation.short())
    }
}

/// The first effect of a statement: where a finding about the whole of it points.
pub(super) fn first_step<'a>(context: &Context<'a>, statement: &Statement) -> Option<Step<'a>> {
    context.all_steps().find(|step| step.statement.index == statement.index)
}

/// Locks of one statement that keep others from writing, on tables that were there before and may hold rows. A table
/// that the migration drops is not counted: whoever still used it would fail anyway.
pub(super) fn by<'a>(context: &Context<'a>, statement: &'a Statement) -> Vec<Held<'a>> {
    let blocking = |lock: &&TableLock| lock.mode.blocks_writes() && is_table(lock.kind);
    let mut locks = context.locks(statement).iter().filter(blocking).peekable();
    if locks.peek().is_none() {
        return Vec::new();
    }
    let Some(step) = first_step(context, statement) else {
        return Vec::new();
    };
    locks
        .filter(|lock| context.may_hold_rows(&step, &lock.relation) && !is_dropped(context, &lock.relation))
        .map(|lock| Held { step, lock })
        .collect()
}

/// Locks that earlier clauses of the same statement have taken when it gets to `step`: in a DO block.
pub(super) fn inside<'a>(context: &Context<'a>, step: &Step<'_>) -> Vec<Held<'a>> {
    let takes = |earlier: &Step<'_>| {
        earlier.statement.index == step.statement.index
            && earlier.effect.at.start < step.effect.at.start
            && !matches!(
                earlier.effect.operation,
                Operation::Insert(_)
                    | Operation::Update(_)
                    | Operation::Delete(_)
                    | Operation::SetParameter(_)
                    | Operation::Dynamic(_)
            )
    };
    let Some(first) = context.all_steps().find(takes) else {
        return Vec::new();
    };
    let held = by(context, first.statement).into_iter();
    held.map(|held| Held { step: first, ..held }).collect()
}

/// Locks that a transaction holds when `statement` begins: the strongest on each table, with the statement that took it
/// first in that mode.
pub(super) fn when<'a>(context: &Context<'a>, transaction: &Transaction<'a>, statement: &Statement) -> Vec<Held<'a>> {
    let mut found: Vec<Held<'a>> = Vec::new();
    for earlier in transaction.before(statement) {
        for held in by(context, earlier) {
            match found.iter_mut().find(|known| known.lock.relation == held.lock.relation) {
                Some(known) if known.lock.mode < held.lock.mode => *known = held,
                Some(_) => {}
                None => found.push(held),
            }
        }
    }
    found
}

/// The kinds of relations that applications read or write.
pub(super) fn is_table(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table | ObjectKind::MaterializedView | ObjectKind::ForeignTable
    )
}

/// The strongest mode a statement takes on a relation.
pub(super) fn mode_on(context: &Context<'_>, statement: &Statement, relation: &ObjectName) -> Option<LockMode> {
    let locks = context.locks(statement).iter();
    locks
        .filter(|lock| lock.relation == *relation)
        .map(|lock| lock.mode)
        .max()
}

/// Some statement of the migration drops the table.
fn is_dropped(context: &Context<'_>, relation: &ObjectName) -> bool {
    context.all_steps().any(|step| match &step.effect.operation {
        Operation::Drop(dropped) => {
            !step.effect.conditional
                && dropped.kind != ObjectKind::Index
                && context.same(ObjectKind::Table, &dropped.name, relation)
                && is_table(dropped.kind)
        }
        _ => false,
    })
}
