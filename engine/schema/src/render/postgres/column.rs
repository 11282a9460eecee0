//! Columns.

use std::fmt::Write as _;

use tollgate_sql::operation::Identity;

use crate::model::{Column, ConstraintRule, Relation, Sequence};
use crate::render::uses_column;
use crate::render::write::{data_type, identifier, literal};

use super::{DIALECT, Surroundings, alter, comment, constraint, index, object, privilege};

/// A column as CREATE TABLE and ADD COLUMN declare it.
pub(super) fn definition(relation: &Relation, column: &Column, surroundings: &Surroundings) -> String {
    let mut text = format!("{} {}", identifier(DIALECT, &column.name), data_type(&column.data_type));
    if let Some(collation) = &column.collation {
        let _ = write!(text, " COLLATE {}", collation.sql(DIALECT));
    }
    if let Some((expression, stored)) = &column.generated {
        let kind = if *stored { "STORED" } else { "VIRTUAL" };
        let _ = write!(text, " GENERATED ALWAYS AS ({expression}) {kind}");
    } else if let Some(identity) = column.identity {
        let _ = write!(text, " GENERATED {} AS IDENTITY", identity_word(identity));
        let sequence = column.sequence.as_ref().and_then(|name| surroundings.sequence(name));
        text.push_str(
            &sequence
                .map(|sequence| identity_options(relation, column, sequence))
                .unwrap_or_default(),
        );
    } else if let Some(default) = &column.default {
        let _ = write!(text, " DEFAULT {default}");
    }
    if column.not_null {
        text.push_str(" NOT NULL");
    }
    text
}

pub(super) fn identity_word(identity: Identity) -> &'static str {
    match identity {
        Identity::Always => "ALWAYS",
        Identity::ByDefault | Identity::Autoincrement => "BY DEFAULT",
    }
}

/// ` (SEQUENCE NAME … START WITH …)`, or nothing where the server would make the same by itself.
pub(super) fn identity_options(relation: &Relation, column: &Column, sequence: &Sequence) -> String {
    let mut options = object::sequence_options(&sequence.options);
    let made = crate::names::object_name(&relation.name.name, Some(&column.name), "seq");
    if sequence.name.name != made || sequence.name.schema != relation.name.schema {
        options.insert(0, format!("SEQUENCE NAME {}", sequence.name.sql(DIALECT)));
    }
    if options.is_empty() {
        String::new()
    } else {
        format!(" ({})", options.join(" "))
    }
}

/// Whether the column's sequence stands beside it (serial) rather than inside it (identity).
pub(super) fn owned_sequence<'a>(column: &Column, surroundings: &'a Surroundings) -> Option<&'a Sequence> {
    if column.identity.is_some() {
        return None;
    }
    column.sequence.as_ref().and_then(|name| surroundings.sequence(name))
}

/// `ALTER SEQUENCE … OWNED BY`.
pub(super) fn own(relation: &Relation, column: &Column, sequence: &Sequence) -> String {
    let owner = format!("{}.{}", relation.name.sql(DIALECT), identifier(DIALECT, &column.name));
    format!("ALTER SEQUENCE {} OWNED BY {owner}", sequence.name.sql(DIALECT))
}

/// Storage, compression, statistics and attribute options.
pub(super) fn options(relation: &Relation, column: &Column) -> Vec<String> {
    let alter = format!("{} ALTER COLUMN {}", alter(relation), identifier(DIALECT, &column.name));
    let write = |(name, value): &(String, String)| match name.to_ascii_lowercase().as_str() {
        "storage" => format!("{alter} SET STORAGE {value}"),
        "compression" => format!("{alter} SET COMPRESSION {value}"),
        "statistics" => format!("{alter} SET STATISTICS {value}"),
        _ => format!(
            "{alter} SET ({})",
            crate::render::write::parameters(&[(name.clone(), value.clone())])
        ),
    };
    column.options.iter().map(write).collect()
}

/// The column's comment and privileges.
pub(super) fn extras(relation: &Relation, column: &Column) -> Vec<String> {
    let mut statements = Vec::new();
    if let Some(text) = &column.comment {
        let name = format!(
            "COLUMN {}.{}",
            relation.name.sql(DIALECT),
            identifier(DIALECT, &column.name)
        );
        statements.push(comment(&name, text));
    }
    statements.extend(
        column
            .grants
            .iter()
            .map(|grant| privilege::grant_column(relation, &column.name, grant)),
    );
    statements
}

/// ADD COLUMN alone, with its sequence.
pub(super) fn add(relation: &Relation, column: &Column, surroundings: &Surroundings) -> Vec<String> {
    let mut statements = Vec::new();
    let sequence = owned_sequence(column, surroundings);
    statements.extend(sequence.map(object::create_sequence));
    statements.push(format!(
        "{} ADD COLUMN {}",
        alter(relation),
        definition(relation, column, surroundings)
    ));
    statements.extend(sequence.map(|sequence| own(relation, column, sequence)));
    statements
}

/// ADD COLUMN and everything of the relation that goes with the column: indexes, constraints, policies that name it.
pub(super) fn add_with_members(relation: &Relation, column: &Column, surroundings: &Surroundings) -> Vec<String> {
    let mut statements = add(relation, column, surroundings);
    statements.extend(options(relation, column));
    statements.extend(extras(relation, column));
    let table = &relation.name.name;
    for found in relation.indexes.iter().filter(|found| found.constraint.is_none()) {
        if uses_column(DIALECT, found, table, &column.name) {
            statements.extend(index::index(relation, found));
        }
    }
    let uses = |rule: &ConstraintRule| rule.columns().contains(&column.name);
    let (foreign, own): (Vec<_>, Vec<_>) = relation
        .constraints
        .iter()
        .filter(|found| uses(&found.rule))
        .partition(|found| constraint::is_foreign_key(found));
    for found in own.into_iter().chain(foreign) {
        statements.extend(constraint::add_with_comment(relation, found));
    }
    statements
}

/// `'text'` or NULL.
pub(super) fn comment_or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), literal)
}
