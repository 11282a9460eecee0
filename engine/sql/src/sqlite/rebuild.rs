//! Table rebuilds: how `SQLite` changes what its ALTER TABLE cannot.
//!
//! Two orders are in use. The library's manual and Prisma create the new table under another name, copy, drop the old
//! one and rename; older tools rename the old table away first. Either way one table goes in and the same table comes
//! out, and the DROP TABLE in the middle loses nothing that was copied.

use crate::name::ObjectName;
use crate::operation::{CreateTable, Drop, ObjectKind, Operation};
use crate::script::{Change, Statement, TableRebuild};

use super::rows::Copy;

/// Pragmas that belong to a rebuild when they stand directly around it.
const PRAGMAS: &[&str] = &["defer_foreign_keys", "foreign_keys", "legacy_alter_table"];

/// Finds the rebuilds, marks their statements and gives the changes.
pub(super) fn recognise(statements: &mut [Statement], copies: &[Option<Copy>]) -> Vec<Change> {
    let mut rebuilds: Vec<TableRebuild> = Vec::new();
    for at in 0..statements.len() {
        let is_free = |rebuild: &TableRebuild| {
            let mut parts = rebuild.statements.iter();
            parts.all(|index| statements[*index].part_of.is_none())
        };
        // What stands above says more: the new table may be renamed once again afterwards.
        let old_first = old_name_first(statements, copies, at).filter(is_free);
        let found = old_first.or_else(|| new_name_first(statements, copies, at).filter(is_free));
        let Some(mut rebuild) = found else { continue };
        recreated_members(statements, &mut rebuild);
        mark(statements, &rebuild.statements, rebuilds.len());
        rebuilds.push(rebuild);
    }
    surrounding_pragmas(statements, &mut rebuilds);
    rebuilds.into_iter().map(Change::TableRebuild).collect()
}

/// CREATE new; INSERT INTO new SELECT … FROM old; DROP old; ALTER new RENAME TO old.
fn new_name_first(statements: &[Statement], copies: &[Option<Copy>], at: usize) -> Option<TableRebuild> {
    let created = created_table(&statements[at])?;
    let inserts = copies_into(statements, copies, at, &created.name);
    let source = &copies[*inserts.first()?].as_ref()?.from;
    let dropped = find_after(statements, *inserts.last()?, |operation| drops(operation, source))?;
    let renamed = find_after(statements, dropped, |operation| {
        renames(operation, &created.name, source)
    })?;
    let mut parts = vec![at];
    parts.extend(inserts.iter().copied().filter(|insert| *insert != at));
    parts.extend([dropped, renamed]);
    Some(rebuild(
        created,
        source.clone(),
        created.name.clone(),
        parts,
        dropped,
        copies,
        &inserts,
    ))
}

/// ALTER table RENAME TO old; CREATE table; INSERT INTO table SELECT … FROM old; DROP old.
fn old_name_first(statements: &[Statement], copies: &[Option<Copy>], at: usize) -> Option<TableRebuild> {
    let created = created_table(&statements[at])?;
    let inserts = copies_into(statements, copies, at, &created.name);
    let source = &copies[*inserts.first()?].as_ref()?.from;
    let renamed = (0..at).rev().find(|index| {
        statements[*index]
            .effects
            .iter()
            .any(|effect| renames(&effect.operation, &created.name, source))
    })?;
    let dropped = find_after(statements, *inserts.last()?, |operation| drops(operation, source))?;
    let mut parts = vec![renamed, at];
    parts.extend(inserts.iter().copied().filter(|insert| *insert != at));
    parts.push(dropped);
    Some(rebuild(
        created,
        created.name.clone(),
        source.clone(),
        parts,
        dropped,
        copies,
        &inserts,
    ))
}

fn rebuild(
    created: &CreateTable,
    table: ObjectName,
    temporary: ObjectName,
    statements: Vec<usize>,
    drop_statement: usize,
    copies: &[Option<Copy>],
    inserts: &[usize],
) -> TableRebuild {
    let first = inserts.first().and_then(|index| copies[*index].as_ref());
    TableRebuild {
        table,
        temporary,
        statements,
        drop_statement,
        copied: first.map(|copy| pairs(created, copy)).unwrap_or_default(),
        all_rows: inserts.len() == 1 && first.is_some_and(|copy| copy.all_rows),
    }
}

/// New column and where its values come from. Columns that the INSERT does not name are those of the table, in order.
fn pairs(created: &CreateTable, copy: &Copy) -> Vec<(String, String)> {
    if copy.values.iter().any(|value| value == "*") {
        return vec![("*".to_owned(), "*".to_owned())];
    }
    let declared: Vec<String> = created
        .columns
        .iter()
        .filter(|column| column.generated.is_none())
        .map(|column| column.name.clone())
        .collect();
    let columns = if copy.columns.is_empty() {
        declared
    } else {
        copy.columns.clone()
    };
    columns.into_iter().zip(copy.values.iter().cloned()).collect()
}

/// Indexes and triggers of the table that are made anew while it is rebuilt or directly after it.
fn recreated_members(statements: &[Statement], rebuild: &mut TableRebuild) {
    let (Some(first), Some(last)) = (rebuild.statements.first().copied(), rebuild.statements.last().copied()) else {
        return;
    };
    let is_member = |statement: &Statement| {
        statement.effects.iter().any(|effect| match &effect.operation {
            Operation::CreateIndex(index) => {
                same(&index.table, &rebuild.table) || same(&index.table, &rebuild.temporary)
            }
            Operation::CreateTrigger(trigger) => same(&trigger.table, &rebuild.table),
            _ => false,
        })
    };
    let inside = (first..last).filter(|index| is_member(&statements[*index]));
    let after = (last + 1..statements.len()).take_while(|index| is_member(&statements[*index]));
    let members: Vec<usize> = inside.chain(after).collect();
    rebuild.statements.extend(members);
    rebuild.statements.sort_unstable();
    rebuild.statements.dedup();
}

/// Pragmas directly before a rebuild belong to it, and those directly after, where no other rebuild has taken them.
fn surrounding_pragmas(statements: &mut [Statement], rebuilds: &mut [TableRebuild]) {
    for (number, rebuild) in rebuilds.iter_mut().enumerate() {
        let (Some(first), Some(last)) = (rebuild.statements.first().copied(), rebuild.statements.last().copied())
        else {
            continue;
        };
        let free = |statement: &Statement| statement.part_of.is_none() && is_pragma(statement);
        let before = (0..first).rev().take_while(|index| free(&statements[*index]));
        let after = (last + 1..statements.len()).take_while(|index| free(&statements[*index]));
        let pragmas: Vec<usize> = before.chain(after).collect();
        mark(statements, &pragmas, number);
        rebuild.statements.extend(pragmas);
        rebuild.statements.sort_unstable();
    }
}

fn is_pragma(statement: &Statement) -> bool {
    statement.effects.iter().any(|effect| {
        matches!(&effect.operation, Operation::SetParameter { name, pragma: true, .. } if PRAGMAS.contains(&name.as_str()))
    })
}

fn mark(statements: &mut [Statement], parts: &[usize], change: usize) {
    for index in parts {
        statements[*index].part_of = Some(change);
    }
}

fn created_table(statement: &Statement) -> Option<&CreateTable> {
    match &statement.effects.first()?.operation {
        Operation::CreateTable(create) if create.access_method.is_none() => Some(create),
        _ => None,
    }
}

/// Statements that copy rows from one other table into `table`, from its creation on until that other table is dropped: a
/// second rebuild of it may follow.
fn copies_into(statements: &[Statement], copies: &[Option<Copy>], from: usize, table: &ObjectName) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut source: Option<&ObjectName> = None;
    for (index, copy) in copies.iter().enumerate().skip(from) {
        let dropped = |source: &ObjectName| {
            let mut effects = statements[index].effects.iter();
            effects.any(|effect| drops(&effect.operation, source))
        };
        if source.is_some_and(dropped) {
            break;
        }
        let Some(copy) = copy else { continue };
        let from_source = source.is_none_or(|source| same(&copy.from, source));
        if same(&copy.into, table) && from_source && !same(&copy.from, table) {
            source = Some(&copy.from);
            found.push(index);
        }
    }
    found
}

fn find_after(statements: &[Statement], after: usize, wanted: impl Fn(&Operation) -> bool) -> Option<usize> {
    (after + 1..statements.len()).find(|index| {
        statements[*index]
            .effects
            .iter()
            .any(|effect| wanted(&effect.operation))
    })
}

fn drops(operation: &Operation, table: &ObjectName) -> bool {
    matches!(operation, Operation::Drop(Drop { kind: ObjectKind::Table, name, .. }) if same(name, table))
}

fn renames(operation: &Operation, old: &ObjectName, new: &ObjectName) -> bool {
    matches!(operation, Operation::Rename { kind: ObjectKind::Table, from, to, .. }
        if same(from, old) && to.eq_ignore_ascii_case(&new.name))
}

/// `SQLite`'s names differ only when they differ in more than case.
fn same(one: &ObjectName, other: &ObjectName) -> bool {
    let schema = |name: &ObjectName| name.schema.as_ref().map(|schema| schema.to_ascii_lowercase());
    one.name.eq_ignore_ascii_case(&other.name) && schema(one) == schema(other)
}
