//! Tables, views and the like with all that belongs to them.

use std::fmt::Write as _;

use crate::model::{Column, Relation, RelationKind};
use crate::render::write::{identifier, identifiers, objects, parameters};

use super::{DIALECT, Surroundings, alter, column, comment, constraint, index, object, privilege, statement};

/// Everything that recreates the relation. `None` for a foreign table that came without its definition: the model does
/// not keep the server it lies on.
pub(super) fn relation(relation: &Relation, surroundings: &Surroundings) -> Option<Vec<String>> {
    let mut statements = match relation.kind {
        RelationKind::View | RelationKind::MaterializedView => vec![create_view(relation)?],
        RelationKind::ForeignTable => vec![statement(relation.definition.as_ref()?)],
        RelationKind::Table | RelationKind::PartitionedTable => create_table_and_sequences(relation, surroundings),
    };
    members(relation, &mut statements);
    privileges(relation, &mut statements);
    let foreign = relation
        .constraints
        .iter()
        .filter(|found| constraint::is_foreign_key(found));
    statements.extend(foreign.flat_map(|found| constraint::add_with_comment(relation, found)));
    if let Some((parent, bound)) = &relation.partition_of {
        let name = relation.name.sql(DIALECT);
        statements.push(format!(
            "ALTER TABLE {} ATTACH PARTITION {name} {bound}",
            parent.sql(DIALECT)
        ));
    }
    Some(statements)
}

/// Columns' options, constraints that CREATE TABLE cannot hold, indexes, triggers, rules, policies, comments.
fn members(relation: &Relation, statements: &mut Vec<String>) {
    statements.extend(
        relation
            .columns
            .iter()
            .flat_map(|found| column::options(relation, found)),
    );
    let late =
        |found: &&crate::model::Constraint| !constraint::fits_create_table(found) && !constraint::is_foreign_key(found);
    statements.extend(
        relation
            .constraints
            .iter()
            .filter(late)
            .map(|found| constraint::add(relation, found)),
    );
    let own = relation.indexes.iter().filter(|found| found.constraint.is_none());
    statements.extend(own.flat_map(|found| index::index(relation, found)));
    statements.extend(replica_identity(relation));
    statements.extend(relation.rules.iter().map(|(_, definition)| statement(definition)));
    statements.extend(
        relation
            .triggers
            .iter()
            .flat_map(|found| object::trigger(relation, found)),
    );
    statements.extend(object::row_security(relation));
    statements.extend(
        relation
            .policies
            .iter()
            .flat_map(|found| object::policy(relation, found)),
    );
    if let Some(text) = &relation.comment {
        statements.push(comment(
            &format!("{} {}", word(relation.kind), relation.name.sql(DIALECT)),
            text,
        ));
    }
    statements.extend(
        relation
            .columns
            .iter()
            .flat_map(|found| column::extras(relation, found)),
    );
    let constraints = relation
        .constraints
        .iter()
        .filter(|found| !constraint::is_foreign_key(found));
    statements.extend(constraints.flat_map(|found| constraint::comments(relation, found)));
}

fn privileges(relation: &Relation, statements: &mut Vec<String>) {
    let on = privilege::table(relation);
    statements.extend(relation.grants.iter().map(|grant| privilege::grant(&on, grant)));
    statements.extend(privilege::owner(relation));
}

pub(super) fn word(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table | RelationKind::PartitionedTable => "TABLE",
        RelationKind::View => "VIEW",
        RelationKind::MaterializedView => "MATERIALIZED VIEW",
        RelationKind::ForeignTable => "FOREIGN TABLE",
    }
}

/// The view's own statement where it was kept, otherwise its query under its columns' names.
fn create_view(relation: &Relation) -> Option<String> {
    if let Some(definition) = &relation.definition {
        return Some(statement(definition));
    }
    let query = statement(relation.query.as_ref()?);
    let columns: Vec<String> = relation.columns.iter().map(|column| column.name.clone()).collect();
    let columns = if columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", identifiers(DIALECT, &columns))
    };
    let temporary = if relation.temporary { "TEMPORARY " } else { "" };
    let (name, kind) = (relation.name.sql(DIALECT), word(relation.kind));
    let options = with_options(relation);
    Some(format!("CREATE {temporary}{kind} {name}{columns}{options} AS {query}"))
}

/// CREATE TABLE between the sequences that its defaults need and their ownership.
fn create_table_and_sequences(relation: &Relation, surroundings: &Surroundings) -> Vec<String> {
    let owned: Vec<_> = relation
        .columns
        .iter()
        .filter_map(|found| column::owned_sequence(found, surroundings).map(|sequence| (found, sequence)))
        .collect();
    let mut statements: Vec<String> = owned
        .iter()
        .map(|(_, sequence)| object::create_sequence(sequence))
        .collect();
    statements.push(create_table(relation, surroundings));
    statements.extend(
        owned
            .iter()
            .map(|(found, sequence)| column::own(relation, found, sequence)),
    );
    statements.extend(surroundings.sequences.iter().flat_map(|sequence| {
        object::position(sequence)
            .into_iter()
            .chain(object::sequence_comment(sequence))
    }));
    statements
}

fn create_table(relation: &Relation, surroundings: &Surroundings) -> String {
    let mut lines: Vec<String> = relation
        .columns
        .iter()
        .filter(|found| !is_inherited(found, surroundings))
        .map(|found| column::definition(relation, found, surroundings))
        .collect();
    let kept = relation
        .constraints
        .iter()
        .filter(|found| constraint::fits_create_table(found));
    lines.extend(kept.map(|found| constraint::definition(relation, found)));
    let body = if lines.is_empty() {
        "()".to_owned()
    } else {
        format!("(\n    {}\n)", lines.join(",\n    "))
    };
    let kind = match (relation.temporary, relation.unlogged) {
        (true, _) => "TEMPORARY ",
        (false, true) => "UNLOGGED ",
        (false, false) => "",
    };
    let mut text = format!("CREATE {kind}TABLE {} {body}", relation.name.sql(DIALECT));
    if !relation.inherits.is_empty() {
        let _ = write!(text, " INHERITS ({})", objects(DIALECT, &relation.inherits));
    }
    if let Some(key) = &relation.partition_key {
        let _ = write!(text, " PARTITION BY {key}");
    }
    if let Some(method) = &relation.access_method {
        let _ = write!(text, " USING {}", identifier(DIALECT, method));
    }
    text.push_str(&with_options(relation));
    if let Some(tablespace) = &relation.tablespace {
        let _ = write!(text, " TABLESPACE {}", identifier(DIALECT, tablespace));
    }
    text
}

/// A column that a parent brings in exactly as it is here need not be said again; saying it would make it the child's own.
fn is_inherited(column: &Column, surroundings: &Surroundings) -> bool {
    let plain = |column: &Column| Column {
        comment: None,
        grants: Vec::new(),
        options: Vec::new(),
        ..column.clone()
    };
    surroundings
        .parents
        .iter()
        .flat_map(|parent| &parent.columns)
        .any(|parent| plain(parent) == plain(column))
}

fn with_options(relation: &Relation) -> String {
    if relation.options.is_empty() {
        String::new()
    } else {
        format!(" WITH ({})", parameters(&relation.options))
    }
}

/// REPLICA IDENTITY other than the default.
pub(super) fn replica_identity(relation: &Relation) -> Option<String> {
    let identity = match relation.replica_identity.as_str() {
        "" | "default" => return None,
        other => replica_identity_clause(other),
    };
    Some(format!("{} {identity}", alter(relation)))
}

pub(super) fn replica_identity_clause(identity: &str) -> String {
    match identity.split_once(':') {
        Some(("index", index)) => format!("REPLICA IDENTITY USING INDEX {}", identifier(DIALECT, index)),
        _ if identity.is_empty() => "REPLICA IDENTITY DEFAULT".to_owned(),
        _ => format!("REPLICA IDENTITY {}", identity.to_uppercase()),
    }
}
