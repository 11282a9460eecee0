//! One table turned back into what it was, rows kept: by ALTER TABLE where it suffices, by a rebuild where not.

use tollgate_sql::ObjectName;

use crate::model::{Column, Constraint, Relation, RelationKind};
use crate::render::uses_column;
use crate::render::write::{identifier, identifiers};
use crate::schema::Schema;
use crate::text::mentions_column;

use super::{DIALECT, member, same, statement, table};

/// See [`crate::render::restore_table`]. `None` for views and virtual tables, and when no column is left to keep.
pub(in crate::render) fn restore_table(schema: &Schema, wanted: &Relation, current: &Relation) -> Option<Vec<String>> {
    let plain = |relation: &Relation| relation.kind == RelationKind::Table && relation.access_method.is_none();
    if !plain(wanted) || !plain(current) {
        return None;
    }
    match altered(wanted, current, schema.context().server_version) {
        Some(columns) => Some(with_members(wanted, current, columns)),
        None => rebuilt(schema, wanted, current),
    }
}

/// Column changes that ALTER TABLE can make, none where none are needed; `None` where it cannot make them.
fn altered(wanted: &Relation, current: &Relation, version: Option<(u32, u32, u32)>) -> Option<Vec<String>> {
    let extra: Vec<&Column> = current
        .columns
        .iter()
        .filter(|column| find(wanted, &column.name).is_none())
        .collect();
    let missing: Vec<&Column> = wanted
        .columns
        .iter()
        .filter(|column| find(current, &column.name).is_none())
        .collect();
    let (kept, added) = wanted.columns.split_at(wanted.columns.len() - missing.len());
    let kept_now: Vec<&Column> = current
        .columns
        .iter()
        .filter(|column| find(wanted, &column.name).is_some())
        .collect();
    // ADD COLUMN adds at the end.
    let in_place = added.iter().all(|column| find(current, &column.name).is_none())
        && kept.len() == kept_now.len()
        && kept
            .iter()
            .zip(kept_now)
            .all(|(wanted, current)| same_column(wanted, current));
    let same_kind = wanted.without_rowid == current.without_rowid && wanted.strict == current.strict;
    if !in_place || !same_kind || !same_constraints(wanted, current, &missing) {
        return None;
    }
    let can_drop = version.is_none_or(|version| version >= (3, 35, 0));
    if !extra.is_empty() && (!can_drop || extra.iter().any(|column| !is_droppable(current, column))) {
        return None;
    }
    let name = wanted.name.sql(DIALECT);
    let mut statements: Vec<String> = extra
        .iter()
        .map(|column| format!("ALTER TABLE {name} DROP COLUMN {}", identifier(DIALECT, &column.name)))
        .collect();
    for column in missing {
        statements.push(member::add_column(wanted, column)?);
    }
    Some(statements)
}

/// Indexes and triggers that are not wanted as they are, the column changes, and what is missing.
fn with_members(wanted: &Relation, current: &Relation, columns: Vec<String>) -> Vec<String> {
    let mut statements = Vec::new();
    let schema = wanted.name.schema.as_ref();
    let object = |name: &str| {
        ObjectName {
            schema: schema.cloned(),
            name: name.to_owned(),
        }
        .sql(DIALECT)
    };
    for trigger in &current.triggers {
        if !wanted
            .triggers
            .iter()
            .any(|wanted| wanted.definition == trigger.definition)
        {
            statements.push(format!("DROP TRIGGER {}", object(&trigger.name)));
        }
    }
    for index in current.indexes.iter().filter(|index| !member::is_automatic(index)) {
        if !wanted.indexes.iter().any(|wanted| wanted.is_like(index)) {
            statements.push(format!("DROP INDEX {}", object(&index.name)));
        }
    }
    statements.extend(columns);
    for index in wanted.indexes.iter().filter(|index| !member::is_automatic(index)) {
        if !current.indexes.iter().any(|current| index.is_like(current)) {
            statements.push(member::index(wanted, index));
        }
    }
    for trigger in &wanted.triggers {
        if !current
            .triggers
            .iter()
            .any(|current| current.definition == trigger.definition)
        {
            statements.push(statement(&trigger.definition));
        }
    }
    statements
}

/// The library manual's way: a new table, the rows, the old name, and what belongs to it. Views and triggers elsewhere
/// may name the table while it is away, which RENAME only forgives in its legacy mode.
fn rebuilt(schema: &Schema, wanted: &Relation, current: &Relation) -> Option<Vec<String>> {
    let copied: Vec<(&Column, &Column)> = wanted
        .columns
        .iter()
        .filter(|column| column.generated.is_none())
        .filter_map(|column| Some((column, find(current, &column.name)?)))
        .collect();
    if copied.is_empty() {
        return None;
    }
    let temporary = free_name(schema, &wanted.name);
    let targets: Vec<String> = copied.iter().map(|(wanted, _)| wanted.name.clone()).collect();
    let sources: Vec<String> = copied.iter().map(|(wanted, current)| source(wanted, current)).collect();
    let name = wanted.name.sql(DIALECT);
    let new = identifier(DIALECT, &temporary.name);
    let mut statements = vec![
        "PRAGMA defer_foreign_keys=ON".to_owned(),
        "PRAGMA foreign_keys=OFF".to_owned(),
        "PRAGMA legacy_alter_table=ON".to_owned(),
        table::create_as(wanted, &temporary.name),
        format!(
            "INSERT INTO {new} ({}) SELECT {} FROM {name}",
            identifiers(DIALECT, &targets),
            sources.join(", ")
        ),
        format!("DROP TABLE {name}"),
        format!("ALTER TABLE {new} RENAME TO {}", identifier(DIALECT, &wanted.name.name)),
    ];
    statements.extend(member::indexes_and_triggers(wanted));
    statements.extend([
        "PRAGMA legacy_alter_table=OFF".to_owned(),
        "PRAGMA foreign_keys=ON".to_owned(),
        "PRAGMA defer_foreign_keys=OFF".to_owned(),
    ]);
    Some(statements)
}

/// Where a column's values come from; its default stands in for the nulls that it may not hold.
fn source(wanted: &Column, current: &Column) -> String {
    let name = identifier(DIALECT, &current.name);
    match &wanted.default {
        Some(default) if wanted.not_null && !current.not_null => format!("coalesce({name}, {default})"),
        _ => name,
    }
}

/// `new_t`, or the first of `new_t1`, `new_t2`, … that no relation has.
fn free_name(schema: &Schema, name: &ObjectName) -> ObjectName {
    let candidate = |number: usize| {
        let suffix = if number == 0 { String::new() } else { number.to_string() };
        ObjectName {
            schema: name.schema.clone(),
            name: format!("new_{}{suffix}", name.name),
        }
    };
    let is_free = |name: &ObjectName| schema.relation(name).is_ok_and(|found| found.is_none());
    (0..100).map(candidate).find(is_free).unwrap_or_else(|| candidate(100))
}

fn find<'a>(relation: &'a Relation, name: &str) -> Option<&'a Column> {
    relation.columns.iter().find(|column| same(&column.name, name))
}

fn same_column(one: &Column, other: &Column) -> bool {
    let plain = |column: &Column| Column {
        name: column.name.to_ascii_lowercase(),
        comment: None,
        grants: Vec::new(),
        options: Vec::new(),
        ..column.clone()
    };
    plain(one) == plain(other)
}

/// Whether both tables have the same constraints, but for those that come along with an added column.
fn same_constraints(wanted: &Relation, current: &Relation, missing: &[&Column]) -> bool {
    let comes_along = |found: &Constraint| {
        found.rule.columns().len() == 1
            && missing
                .iter()
                .any(|column| same(&column.name, &found.rule.columns()[0]))
    };
    let has = |relation: &Relation, found: &Constraint| relation.constraints.contains(found);
    wanted
        .constraints
        .iter()
        .all(|found| has(current, found) || comes_along(found))
        && current.constraints.iter().all(|found| has(wanted, found))
}

/// DROP COLUMN refuses columns that anything of the table names. Indexes that are not wanted have gone before.
fn is_droppable(relation: &Relation, column: &Column) -> bool {
    let table = &relation.name.name;
    let named_by = |text: &str| mentions_column(DIALECT, text, table, &column.name);
    let in_constraint = member::constraints_of(relation, &column.name).next().is_some();
    let in_generated = relation
        .columns
        .iter()
        .filter_map(|other| other.generated.as_ref())
        .any(|(text, _)| named_by(text));
    let in_trigger = relation.triggers.iter().any(|trigger| named_by(&trigger.definition));
    let in_key = relation
        .indexes
        .iter()
        .any(|index| member::is_automatic(index) && uses_column(DIALECT, index, table, &column.name));
    !in_constraint && !in_generated && !in_trigger && !in_key
}
