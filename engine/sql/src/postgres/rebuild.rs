//! Recognises how enum values are removed or reordered: a new type, the columns moved over, the old type dropped.
//!
//! Prisma writes CREATE new, ALTER COLUMN, RENAME old away, RENAME new, DROP old; older versions drop the old type before the
//! rename; by hand people first rename the old type away. The chain of names decides, not the order in between.

use crate::name::ObjectName;
use crate::operation::{ObjectKind, Operation, TransactionControl};
use crate::script::{Change, EnumRebuild, Script, Statement};

/// Marks every enum rebuild in `script`.
pub(super) fn recognise(script: &mut Script) {
    let drops: Vec<usize> = script
        .statements
        .iter()
        .filter(|statement| matches!(only(statement), Some(Operation::Drop(drop)) if drop.kind == ObjectKind::Type))
        .map(|statement| statement.index)
        .collect();
    for drop in drops {
        if let Some(rebuild) = rebuild(&script.statements, drop) {
            let change = script.changes.len();
            for index in &rebuild.statements {
                script.statements[*index].part_of = Some(change);
            }
            script.changes.push(Change::EnumRebuild(rebuild));
        }
    }
}

/// The operation of a statement that has exactly one.
fn only(statement: &Statement) -> Option<&Operation> {
    match statement.effects.as_slice() {
        [effect] if !effect.conditional => Some(&effect.operation),
        _ => None,
    }
}

/// `name` with another last part.
fn sibling(name: &ObjectName, last: &str) -> ObjectName {
    ObjectName {
        schema: name.schema.clone(),
        name: last.to_owned(),
    }
}

/// A type renamed by a statement: from, to.
fn renamed(statement: &Statement) -> Option<(&ObjectName, ObjectName)> {
    match only(statement)? {
        Operation::Rename {
            kind: ObjectKind::Type,
            from,
            to,
            ..
        } => Some((from, sibling(from, to))),
        _ => None,
    }
}

fn rebuild(statements: &[Statement], drop: usize) -> Option<EnumRebuild> {
    let Some(Operation::Drop(dropped)) = only(&statements[drop]) else {
        return None;
    };
    // CASCADE takes columns that were not moved with it.
    if dropped.cascade {
        return None;
    }
    let away = statements[..drop]
        .iter()
        .rev()
        .find(|statement| renamed(statement).is_some_and(|(_, to)| to == dropped.name) && statement.part_of.is_none());
    let name = match away.and_then(renamed) {
        Some((from, _)) => from.clone(),
        None => dropped.name.clone(),
    };
    let first_home = away.map_or(drop, |statement| statement.index);
    let home = statements[first_home + 1..]
        .iter()
        .find(|statement| renamed(statement).is_some_and(|(_, to)| to == name) && statement.part_of.is_none());
    let made_as = match home.and_then(renamed) {
        Some((from, _)) => from.clone(),
        // Without a rename the new type took the name itself, after the old one was moved away.
        None => away.map(|_| name.clone())?,
    };
    let (made, values) = statements[..drop]
        .iter()
        .rev()
        .find_map(|statement| match only(statement) {
            Some(Operation::CreateEnum { name, values }) if *name == made_as => Some((statement.index, values.clone())),
            _ => None,
        })?;
    let ends = [Some(drop), home.map(|statement| statement.index)];
    let last = ends.into_iter().flatten().max()?;
    let first = away.map_or(made, |statement| statement.index.min(made));
    let columns = moved_columns(&statements[first..=last], &made_as);
    let mut members: Vec<usize> = [Some(made), Some(drop), away.map(|it| it.index), home.map(|it| it.index)]
        .into_iter()
        .flatten()
        .collect();
    members.extend(steps(statements, first, last, &columns));
    surrounding_transaction(statements, &mut members);
    members.sort_unstable();
    members.dedup();
    Some(EnumRebuild {
        name,
        statements: members,
        drop_statement: drop,
        values,
        columns,
    })
}

/// Columns whose type becomes `new`.
fn moved_columns(statements: &[Statement], new: &ObjectName) -> Vec<(ObjectName, String)> {
    let effects = statements.iter().flat_map(|statement| &statement.effects);
    let moved = effects.filter_map(|effect| match &effect.operation {
        Operation::AlterColumnType { table, column, to, .. } if to.name == new.name && to.schema == new.schema => {
            Some((table.clone(), column.clone()))
        }
        _ => None,
    });
    moved.collect()
}

/// Statements that do nothing but move the columns and take their defaults off and on again; setting them again may
/// follow the last step.
fn steps(statements: &[Statement], first: usize, last: usize, columns: &[(ObjectName, String)]) -> Vec<usize> {
    let ours = |table: &ObjectName, column: &String| columns.iter().any(|(t, c)| t == table && c == column);
    let is_step = |statement: &&Statement| {
        !statement.effects.is_empty()
            && statement.effects.iter().all(|effect| match &effect.operation {
                Operation::AlterColumnType { table, column, .. }
                | Operation::DropDefault { table, column }
                | Operation::SetDefault { table, column, .. } => ours(table, column),
                _ => false,
            })
    };
    let before = statements[..first].iter().rev().take_while(is_step);
    let after = statements[last + 1..].iter().take_while(is_step);
    let between = statements[first..=last].iter().filter(is_step);
    before
        .chain(between)
        .chain(after)
        .map(|statement| statement.index)
        .collect()
}

/// A BEGIN right before and a COMMIT right after belong to it.
fn surrounding_transaction(statements: &[Statement], members: &mut Vec<usize>) {
    let (Some(&first), Some(&last)) = (members.iter().min(), members.iter().max()) else {
        return;
    };
    let is = |index: usize, control: &TransactionControl| {
        let statement = statements.get(index);
        matches!(statement.and_then(only), Some(Operation::Transaction(found)) if found == control)
    };
    if first > 0 && is(first - 1, &TransactionControl::Begin) && is(last + 1, &TransactionControl::Commit) {
        members.extend([first - 1, last + 1]);
    }
}
