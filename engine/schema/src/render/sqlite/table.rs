//! CREATE TABLE.

use std::fmt::Write as _;

use tollgate_sql::operation::{Identity, Operation, ReferentialAction};

use crate::model::{Column, Constraint, ConstraintRule, Relation};
use crate::render::write::{action, identifier, identifiers, literal};
use crate::text::{TokenKind, tokens};

use super::{DIALECT, same, statement};

/// CREATE TABLE as it was written, where that still describes the table; otherwise made from the model. `None` for a
/// virtual table whose arguments are not known.
pub(super) fn create(relation: &Relation) -> Option<String> {
    match kept(relation) {
        Some(definition) => Some(definition),
        None if relation.access_method.is_some() => create_virtual(relation),
        None => Some(written(relation, &relation.name.sql(DIALECT))),
    }
}

/// The same table under another name, for a rebuild.
pub(super) fn create_as(relation: &Relation, name: &str) -> String {
    let renamed = kept(relation).and_then(|definition| rename(&definition, name));
    renamed.unwrap_or_else(|| written(relation, &identifier(DIALECT, name)))
}

/// The kept statement, if it makes this very table.
fn kept(relation: &Relation) -> Option<String> {
    let definition = statement(relation.definition.as_ref()?);
    let script = tollgate_sql::parse(DIALECT, &definition).ok()?;
    let [only] = script.statements.as_slice() else {
        return None;
    };
    let Operation::CreateTable(create) = &only.effects.first()?.operation else {
        return None;
    };
    let columns = create.columns.iter().map(|column| &column.name);
    let as_in_model = create.access_method.is_some()
        || (create.columns.len() == relation.columns.len()
            && columns
                .zip(&relation.columns)
                .all(|(written, column)| same(written, &column.name)));
    (same(&create.name.name, &relation.name.name) && create.as_query.is_none() && as_in_model).then_some(definition)
}

/// The statement with another name behind CREATE TABLE; other mentions of the table stay.
fn rename(definition: &str, name: &str) -> Option<String> {
    let found = tokens(DIALECT, definition);
    let mut at = found.iter().position(|token| token.is_keyword("table"))? + 1;
    if found.get(at)?.is_keyword("if") {
        at += 3;
    }
    if found.get(at + 1)?.is_symbol(definition, ".") {
        at += 2;
    }
    let token = found.get(at)?;
    let is_name = matches!(token.kind, TokenKind::Word { .. } | TokenKind::Text(_));
    is_name.then(|| {
        format!(
            "{}{}{}",
            &definition[..token.start],
            identifier(DIALECT, name),
            &definition[token.end..]
        )
    })
}

fn create_virtual(relation: &Relation) -> Option<String> {
    let module = relation.access_method.as_ref()?;
    let arguments = relation
        .options
        .iter()
        .find(|(name, _)| name == "arguments")
        .map(|(_, value)| format!("({value})"));
    let name = relation.name.sql(DIALECT);
    Some(format!(
        "CREATE VIRTUAL TABLE {name} USING {}{}",
        identifier(DIALECT, module),
        arguments.unwrap_or_default()
    ))
}

fn written(relation: &Relation, name: &str) -> String {
    let mut lines: Vec<String> = relation.columns.iter().map(column).collect();
    let own_line = |found: &&Constraint| !is_autoincrement_key(relation, found);
    lines.extend(relation.constraints.iter().filter(own_line).map(constraint));
    let temporary = if relation.temporary { "TEMPORARY " } else { "" };
    let mut text = format!("CREATE {temporary}TABLE {name} (\n    {}\n)", lines.join(",\n    "));
    match (relation.without_rowid, relation.strict) {
        (true, true) => text.push_str(" WITHOUT ROWID, STRICT"),
        (true, false) => text.push_str(" WITHOUT ROWID"),
        (false, true) => text.push_str(" STRICT"),
        (false, false) => {}
    }
    text
}

/// AUTOINCREMENT can only be said beside its column.
fn is_autoincrement_key(relation: &Relation, found: &Constraint) -> bool {
    let ConstraintRule::PrimaryKey { columns, .. } = &found.rule else {
        return false;
    };
    let autoincrement = |column: &&Column| column.identity == Some(Identity::Autoincrement);
    relation
        .columns
        .iter()
        .filter(autoincrement)
        .any(|column| columns.iter().any(|key| same(key, &column.name)))
}

/// A column as CREATE TABLE and ADD COLUMN declare it, without its constraints (but for an AUTOINCREMENT key).
pub(super) fn column(column: &Column) -> String {
    let mut text = identifier(DIALECT, &column.name);
    if !column.data_type.name.is_empty() {
        let _ = write!(text, " {}", type_name(&column.data_type.name));
    }
    if column.identity == Some(Identity::Autoincrement) {
        text.push_str(" PRIMARY KEY AUTOINCREMENT");
    }
    if column.not_null {
        text.push_str(" NOT NULL");
    }
    if let Some(default) = &column.default {
        let _ = write!(text, " DEFAULT {}", default_value(default));
    }
    if let Some(collation) = &column.collation {
        let _ = write!(text, " COLLATE {}", identifier(DIALECT, &collation.name));
    }
    if let Some((expression, stored)) = &column.generated {
        let _ = write!(
            text,
            " GENERATED ALWAYS AS ({expression}) {}",
            if *stored { "STORED" } else { "VIRTUAL" }
        );
    }
    text
}

/// A type that the grammar would not take as it is goes in quotes.
fn type_name(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | ' ' | '(' | ')' | ',' | '-' | '+' | '.');
    if name.chars().all(plain) {
        name.to_owned()
    } else {
        identifier(DIALECT, name)
    }
}

/// Literals stand alone; everything else, in parentheses. A bare word is a string to the library and stays bare.
fn default_value(default: &str) -> String {
    if is_constant(default) || default.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        default.to_owned()
    } else {
        format!("({default})")
    }
}

/// A number, string, blob, NULL, TRUE or FALSE: what ADD COLUMN takes on a table with rows.
pub(super) fn is_constant(default: &str) -> bool {
    let unsigned = default.trim_start_matches(['+', '-']).trim_start();
    let found = tokens(DIALECT, unsigned);
    match found.as_slice() {
        [only] => match &only.kind {
            TokenKind::Text(_) | TokenKind::Number => true,
            TokenKind::Word { quoted: false, .. } => ["null", "true", "false"].iter().any(|word| only.is_keyword(word)),
            _ => false,
        },
        [prefix, text] => prefix.is_keyword("x") && prefix.end == text.start && matches!(text.kind, TokenKind::Text(_)),
        _ => false,
    }
}

/// A table constraint.
fn constraint(found: &Constraint) -> String {
    let name = match found.name.as_str() {
        "" => String::new(),
        name => format!("CONSTRAINT {} ", identifier(DIALECT, name)),
    };
    format!("{name}{}{}", rule(found), deferrable(found))
}

fn deferrable(found: &Constraint) -> &'static str {
    match (found.deferrable, found.initially_deferred) {
        (true, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        (false, _) => "",
    }
}

fn rule(found: &Constraint) -> String {
    match &found.rule {
        ConstraintRule::PrimaryKey { columns, .. } => format!("PRIMARY KEY ({})", identifiers(DIALECT, columns)),
        ConstraintRule::Unique { columns, .. } => format!("UNIQUE ({})", identifiers(DIALECT, columns)),
        ConstraintRule::Check { expression, .. } => format!("CHECK ({expression})"),
        ConstraintRule::ForeignKey { columns, .. } => {
            format!("FOREIGN KEY ({}) {}", identifiers(DIALECT, columns), references(found))
        }
        // The library has none; a model that says so anyway must not lose it in silence.
        ConstraintRule::Exclude { definition, .. } => format!("CHECK ({})", literal(definition)),
    }
}

/// `REFERENCES …` of a foreign key.
pub(super) fn references(found: &Constraint) -> String {
    let ConstraintRule::ForeignKey {
        references,
        referenced_columns,
        on_update,
        on_delete,
        ..
    } = &found.rule
    else {
        return String::new();
    };
    let mut text = format!("REFERENCES {}", identifier(DIALECT, &references.name));
    if !referenced_columns.is_empty() {
        let _ = write!(text, " ({})", identifiers(DIALECT, referenced_columns));
    }
    if *on_delete != ReferentialAction::NoAction {
        let _ = write!(text, " ON DELETE {}", action(*on_delete));
    }
    if *on_update != ReferentialAction::NoAction {
        let _ = write!(text, " ON UPDATE {}", action(*on_update));
    }
    text
}

/// A foreign key or check of one column, as it stands beside that column in ADD COLUMN.
pub(super) fn beside_column(found: &Constraint) -> Option<String> {
    let text = match &found.rule {
        ConstraintRule::ForeignKey { columns, .. } if columns.len() == 1 => references(found),
        ConstraintRule::Check { columns, .. } if columns.len() == 1 => rule(found),
        _ => return None,
    };
    let name = if found.name.is_empty() {
        String::new()
    } else {
        format!("CONSTRAINT {} ", identifier(DIALECT, &found.name))
    };
    Some(format!("{name}{text}{}", deferrable(found)))
}
