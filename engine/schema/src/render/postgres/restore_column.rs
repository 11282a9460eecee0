//! Columns of a table that is turned back: dropped, added, changed in type, default, nullability, identity.

use std::collections::BTreeSet;

use tollgate_sql::operation::DataType;

use crate::model::{Column, Relation};
use crate::render::write::{data_type, identifier};

use super::{DIALECT, Surroundings, alter, column, object};

/// Columns of `current` that have to go: not wanted at all, or generated in another way, which only a new column can be.
pub(super) fn replaced(wanted: &Relation, current: &Relation) -> BTreeSet<String> {
    let goes = |column: &&Column| match find(wanted, &column.name) {
        None => true,
        Some(wanted) => wanted.generated.is_some() && wanted.generated != column.generated,
    };
    current
        .columns
        .iter()
        .filter(goes)
        .map(|column| column.name.clone())
        .collect()
}

/// All changes of columns, in order.
pub(super) fn columns(
    wanted: &Relation,
    current: &Relation,
    replaced: &BTreeSet<String>,
    before: &Surroundings,
    now: &Surroundings,
) -> Vec<String> {
    let mut statements: Vec<String> = replaced
        .iter()
        .map(|name| format!("{} DROP COLUMN {}", alter(wanted), identifier(DIALECT, name)))
        .collect();
    for column in &wanted.columns {
        if let Some(current) = find(current, &column.name).filter(|_| !replaced.contains(&column.name)) {
            change(wanted, column, current, before, now, &mut statements);
        } else {
            statements.extend(column::add(wanted, column, before));
            statements.extend(column::options(wanted, column));
        }
    }
    statements
}

fn find<'a>(relation: &'a Relation, name: &str) -> Option<&'a Column> {
    relation.columns.iter().find(|column| column.name == name)
}

/// Turns column `current` into `wanted`.
fn change(
    relation: &Relation,
    wanted: &Column,
    current: &Column,
    before: &Surroundings,
    now: &Surroundings,
    statements: &mut Vec<String>,
) {
    let clause = |text: &str| {
        format!(
            "{} ALTER COLUMN {} {text}",
            alter(relation),
            identifier(DIALECT, &wanted.name)
        )
    };
    if current.generated.is_some() && wanted.generated.is_none() {
        statements.push(clause("DROP EXPRESSION"));
    }
    if current.identity.is_some() && wanted.identity.is_none() {
        statements.push(clause("DROP IDENTITY"));
    }
    let type_changes = wanted.data_type != current.data_type || wanted.collation != current.collation;
    let default = current.default.as_ref().filter(|_| current.generated.is_none());
    // The server would try to cast the old default along.
    let default_goes = default.is_some() && (type_changes || wanted.default.is_none());
    if default_goes {
        statements.push(clause("DROP DEFAULT"));
    }
    if type_changes {
        statements.push(clause(&set_type(wanted, current)));
    }
    if wanted.not_null && !current.not_null {
        statements.push(clause("SET NOT NULL"));
    }
    restore_default(
        relation,
        wanted,
        default.filter(|_| !default_goes),
        before,
        now,
        statements,
    );
    restore_identity(relation, wanted, current, before, statements);
    if current.not_null && !wanted.not_null {
        statements.push(clause("DROP NOT NULL"));
    }
    let unwanted = current
        .options
        .iter()
        .filter(|(name, _)| !wanted.options.iter().any(|(kept, _)| kept == name));
    statements.extend(unwanted.map(|(name, _)| clause(&option_reset(name, &wanted.data_type))));
    if wanted.options != current.options {
        statements.extend(column::options(relation, wanted));
    }
}

/// `TYPE … USING …`: the cast is written because not every way back is an assignment cast.
fn set_type(wanted: &Column, current: &Column) -> String {
    let kind = data_type(&wanted.data_type);
    // There is no cast from one enum to another.
    let made = wanted.data_type.schema.is_some() && current.data_type.schema.is_some();
    let through = if made && wanted.data_type.dimensions == current.data_type.dimensions {
        format!("::text{}", "[]".repeat(wanted.data_type.dimensions as usize))
    } else {
        String::new()
    };
    let collation = wanted
        .collation
        .as_ref()
        .map(|collation| format!(" COLLATE {}", collation.sql(DIALECT)));
    format!(
        "TYPE {kind}{} USING {}{through}::{kind}",
        collation.unwrap_or_default(),
        identifier(DIALECT, &wanted.name)
    )
}

/// The default, with the sequence it takes its values from where that one is gone.
fn restore_default(
    relation: &Relation,
    wanted: &Column,
    kept: Option<&String>,
    before: &Surroundings,
    now: &Surroundings,
    statements: &mut Vec<String>,
) {
    let Some(default) = wanted.default.as_ref().filter(|_| wanted.generated.is_none()) else {
        return;
    };
    let sequence = column::owned_sequence(wanted, before);
    let lost = sequence.filter(|sequence| now.sequence(&sequence.name).is_none());
    statements.extend(lost.map(object::create_sequence));
    if kept != Some(default) {
        let name = identifier(DIALECT, &wanted.name);
        statements.push(format!("{} ALTER COLUMN {name} SET DEFAULT {default}", alter(relation)));
    }
    statements.extend(lost.map(|sequence| column::own(relation, wanted, sequence)));
    statements.extend(lost.and_then(object::position));
}

fn restore_identity(
    relation: &Relation,
    wanted: &Column,
    current: &Column,
    before: &Surroundings,
    statements: &mut Vec<String>,
) {
    let Some(identity) = wanted.identity else { return };
    let alter = format!("{} ALTER COLUMN {}", alter(relation), identifier(DIALECT, &wanted.name));
    let word = column::identity_word(identity);
    match current.identity {
        Some(present) if present == identity => {}
        Some(_) => statements.push(format!("{alter} SET GENERATED {word}")),
        None => {
            let sequence = wanted.sequence.as_ref().and_then(|name| before.sequence(name));
            let options = sequence
                .map(|sequence| column::identity_options(relation, wanted, sequence))
                .unwrap_or_default();
            statements.push(format!("{alter} ADD GENERATED {word} AS IDENTITY{options}"));
            statements.extend(sequence.and_then(object::position));
        }
    }
}

/// What takes an option back to what the server starts with.
fn option_reset(option: &str, data_type: &DataType) -> String {
    match option.to_ascii_lowercase().as_str() {
        "statistics" => "SET STATISTICS -1".to_owned(),
        "compression" => "SET COMPRESSION default".to_owned(),
        // SET STORAGE DEFAULT exists only from 16 on.
        "storage" => format!("SET STORAGE {}", usual_storage(data_type)),
        _ => format!("RESET ({option})"),
    }
}

/// How the server stores a type unless told otherwise.
fn usual_storage(data_type: &DataType) -> &'static str {
    const FIXED: &[&str] = &[
        "bigint",
        "boolean",
        "date",
        "double precision",
        "integer",
        "interval",
        "real",
        "smallint",
        "time with time zone",
        "time without time zone",
        "timestamp with time zone",
        "timestamp without time zone",
        "uuid",
    ];
    match data_type.name.as_str() {
        _ if data_type.dimensions > 0 => "EXTENDED",
        "numeric" | "inet" | "cidr" => "MAIN",
        name if FIXED.contains(&name) => "PLAIN",
        _ => "EXTENDED",
    }
}
