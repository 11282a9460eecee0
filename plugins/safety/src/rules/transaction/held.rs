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

/// The locks of a migration, with what has to be known of it to tell which of them matter.
pub(super) struct Watch<'c, 'a> {
    context: &'c Context<'a>,
    steps: Vec<Step<'a>>,
    /// Tables that the migration drops: whoever still used one would fail anyway.
    dropped: Vec<&'a ObjectName>,
}

impl<'c, 'a> Watch<'c, 'a> {
    /// Reads the script once; locks are asked for when a rule wants them.
    pub(super) fn new(context: &'c Context<'a>) -> Self {
        let steps: Vec<Step<'a>> = context.all_steps().collect();
        let dropped = steps.iter().filter_map(|step| match &step.effect.operation {
            Operation::Drop(dropped) if !step.effect.conditional && is_table(dropped.kind) => Some(&dropped.name),
            _ => None,
        });
        Self {
            context,
            dropped: dropped.collect(),
            steps,
        }
    }

    /// What a statement does.
    pub(super) fn steps_of(&self, statement: &Statement) -> &[Step<'a>] {
        let of = |step: &Step<'_>| step.statement.index;
        let from = self.steps.partition_point(|step| of(step) < statement.index);
        let upto = self.steps.partition_point(|step| of(step) <= statement.index);
        &self.steps[from..upto]
    }

    /// Locks of one statement that keep others from writing, on tables that were there before, may hold rows and stay.
    pub(super) fn by(&self, statement: &'a Statement) -> Vec<Held<'a>> {
        let Some(step) = self.steps_of(statement).first() else {
            return Vec::new();
        };
        let context = self.context;
        let locks = context.locks(statement).iter();
        locks
            .filter(|lock| lock.mode.blocks_writes() && is_table(lock.kind))
            .filter(|lock| context.may_hold_rows(step, &lock.relation))
            .filter(|lock| !self.is_dropped(&lock.relation))
            .map(|lock| Held { step: *step, lock })
            .collect()
    }

    /// All of a transaction, in the order in which they are taken.
    pub(super) fn of(&self, transaction: &Transaction<'a>) -> Vec<Held<'a>> {
        transaction
            .statements
            .iter()
            .flat_map(|statement| self.by(statement))
            .collect()
    }

    /// Locks that earlier clauses of the same statement have taken when it gets to `step`: in a DO block.
    pub(super) fn inside(&self, step: &Step<'a>) -> Vec<Held<'a>> {
        let takes = |earlier: &&Step<'_>| {
            earlier.effect.at.start < step.effect.at.start
                && !matches!(
                    earlier.effect.operation,
                    Operation::Insert(_)
                        | Operation::Update(_)
                        | Operation::Delete(_)
                        | Operation::SetParameter(_)
                        | Operation::Dynamic(_)
                )
        };
        let Some(first) = self.steps_of(step.statement).iter().find(takes) else {
            return Vec::new();
        };
        let held = self.by(first.statement).into_iter();
        held.map(|held| Held { step: *first, ..held }).collect()
    }

    fn is_dropped(&self, relation: &ObjectName) -> bool {
        let same = |name: &&ObjectName| self.context.same(ObjectKind::Table, name, relation);
        self.dropped.iter().any(same)
    }
}

/// Those that are held when `statement` begins: on each table the strongest.
pub(super) fn before<'a>(held: &[Held<'a>], statement: &Statement) -> Vec<Held<'a>> {
    let mut found: Vec<Held<'a>> = Vec::new();
    for held in held.iter().filter(|held| held.step.statement.index < statement.index) {
        match found.iter_mut().find(|known| known.lock.relation == held.lock.relation) {
            Some(known) if known.lock.mode < held.lock.mode => *known = *held,
            Some(_) => {}
            None => found.push(*held),
        }
    }
    found
}

/// The kinds of relations that applications read or write.
fn is_table(kind: ObjectKind) -> bool {
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
