//! Indexes, triggers, and single columns.

use std::fmt::Write as _;

use tollgate_sql::operation::Operation;

use crate::model::{Column, Constraint, ConstraintRule, Index, IndexKey, Relation};
use crate::render::uses_column;
use crate::render::write::{identifier, joined};

use super::{DIALECT, same, statement, table};

/// Made by the library for a PRIMARY KEY or UNIQUE.
pub(super) fn is_automatic(index: &Index) -> bool {
    index.constraint.is_some() || index.primary || index.name.starts_with("sqlite_autoindex_")
}

/// What CREATE TABLE does not make by itself.
pub(super) fn indexes_and_triggers(relation: &Relation) -> Vec<String> {
    let indexes = relation
        .indexes
        .iter()
        .filter(|found| !is_automatic(found))
        .map(|found| index(relation, found));
    let triggers = relation.triggers.iter().map(|trigger| statement(&trigger.definition));
    indexes.chain(triggers).collect()
}

/// CREATE INDEX as it was written, where that still describes the index.
pub(super) fn index(relation: &Relation, index: &Index) -> String {
    kept(relation, index).unwrap_or_else(|| written(relation, index))
}

fn kept(relation: &Relation, index: &Index) -> Option<String> {
    let definition = statement(index.definition.as_ref()?);
    let script = tollgate_sql::parse(DIALECT, &definition).ok()?;
    let [only] = script.statements.as_slice() else {
        return None;
    };
    let Operation::CreateIndex(create) = &only.effects.first()?.operation else {
        return None;
    };
    let same_parts = create.parts.len() == index.parts.len()
        && create
            .parts
            .iter()
            .zip(&index.parts)
            .all(|(written, part)| match (&written.column, &part.column) {
                (Some(written), Some(column)) => same(written, column),
                (None, None) => true,
                _ => false,
            });
    let same_names = same(&create.table.name, &relation.name.name)
        && create.name.as_ref().is_some_and(|name| same(name, &index.name));
    (same_names && same_parts).then_some(definition)
}

fn written(relation: &Relation, index: &Index) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    // An index is named with its schema, its table without.
    let schema = relation
        .name
        .schema
        .as_ref()
        .map(|schema| format!("{}.", identifier(DIALECT, schema)));
    let mut text = format!(
        "CREATE {unique}INDEX {}{} ON {} ({})",
        schema.unwrap_or_default(),
        identifier(DIALECT, &index.name),
        identifier(DIALECT, &relation.name.name),
        joined(&index.parts, key)
    );
    if let Some(predicate) = &index.predicate {
        let _ = write!(text, " WHERE {predicate}");
    }
    text
}

fn key(part: &IndexKey) -> String {
    let mut text = match (&part.column, &part.expression) {
        (Some(column), _) => identifier(DIALECT, column),
        (None, Some(expression)) => format!("({expression})"),
        (None, None) => String::new(),
    };
    if let Some(collation) = &part.collation {
        let _ = write!(text, " COLLATE {}", identifier(DIALECT, collation));
    }
    if part.descending {
        text.push_str(" DESC");
    }
    text
}

/// ADD COLUMN and the indexes on it; `None` where only a rebuild can add the column.
pub(super) fn add_column_with_indexes(relation: &Relation, column: &Column) -> Option<Vec<String>> {
    let mut statements = vec![add_column(relation, column)?];
    let on_it = |found: &&Index| !is_automatic(found) && uses_column(DIALECT, found, &relation.name.name, &column.name);
    statements.extend(
        relation
            .indexes
            .iter()
            .filter(on_it)
            .map(|found| index(relation, found)),
    );
    Some(statements)
}

/// ADD COLUMN, where the library has it for such a column. NOT NULL without a default it takes while there are no rows,
/// and a rebuild would have no value for them either.
pub(super) fn add_column(relation: &Relation, column: &Column) -> Option<String> {
    let constant = column
        .default
        .as_ref()
        .is_none_or(|default| table::is_constant(default));
    let filled = column
        .default
        .as_ref()
        .is_some_and(|default| !default.eq_ignore_ascii_case("null"));
    let stored = column.generated.as_ref().is_some_and(|(_, stored)| *stored);
    if !constant || stored || column.identity.is_some() {
        return None;
    }
    let mut text = table::column(column);
    for found in constraints_of(relation, &column.name) {
        // With foreign keys on, a default would have to be a row of the other table.
        if matches!(found.rule, ConstraintRule::ForeignKey { .. }) && filled {
            return None;
        }
        let _ = write!(text, " {}", table::beside_column(found)?);
    }
    Some(format!("ALTER TABLE {} ADD COLUMN {text}", relation.name.sql(DIALECT)))
}

/// Constraints that name the column.
pub(super) fn constraints_of<'a>(relation: &'a Relation, column: &'a str) -> impl Iterator<Item = &'a Constraint> {
    relation
        .constraints
        .iter()
        .filter(move |found| found.rule.columns().iter().any(|name| same(name, column)))
}
