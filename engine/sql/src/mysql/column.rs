//! The definition of a column, in CREATE TABLE and in ALTER TABLE.

use crate::name::ObjectName;
use crate::operation::{ColumnDefinition, ConstraintDefinition, ConstraintKind, Expression, Generated, Identity};

use super::cursor::Cursor;
use super::expression::{default, expression};
use super::key;
use super::types;

/// A column with all that stands behind its name.
pub(super) struct Column {
    pub(super) definition: ColumnDefinition,
    /// Constraints written beside it.
    pub(super) constraints: Vec<ConstraintDefinition>,
}

/// Reads a definition from behind the column's name to its end.
pub(super) fn read(name: &str, cursor: &mut Cursor<'_>) -> Column {
    let written = types::read(cursor);
    let mut column = Column {
        definition: ColumnDefinition {
            name: name.to_owned(),
            data_type: written.data_type,
            serial: false,
            not_null: written.serial,
            default: None,
            generated: None,
            identity: written.serial.then_some(Identity::Autoincrement),
            sequence_options: Vec::new(),
            collation: None,
            options: Vec::new(),
        },
        constraints: Vec::new(),
    };
    if written.serial {
        column.constraints.push(unique(name));
    }
    column.option("character set", written.charset);
    let mut constraint = None;
    while !cursor.at_end() {
        if cursor.take("constraint") {
            constraint = if cursor.is("check") { None } else { cursor.name() };
        } else if !column.attribute(cursor, &mut constraint) && !column.lesser_attribute(cursor) {
            // FIRST and AFTER, and what some server has that is not known here.
            cursor.step();
        }
    }
    column
}

impl Column {
    /// Reads one attribute that the model keeps; `false` when the cursor stands at something else.
    fn attribute(&mut self, cursor: &mut Cursor<'_>, constraint: &mut Option<String>) -> bool {
        let name = self.definition.name.clone();
        if cursor.take_all(&["not", "null"]) {
            self.definition.not_null = true;
        } else if cursor.take("null") {
            self.definition.not_null = false;
        } else if cursor.take("auto_increment") || cursor.take_all(&["serial", "default", "value"]) {
            self.definition.not_null = true;
            self.definition.identity = Some(Identity::Autoincrement);
        } else if cursor.take("default") {
            self.definition.default = Some(default_value(cursor));
        } else if cursor.take_all(&["primary", "key"]) || cursor.take("key") {
            self.constrain(None, key::primary(vec![name]));
        } else if cursor.take("unique") {
            cursor.take("key");
            self.constraints.push(unique(&name));
        } else if cursor.take("check") {
            if let Some(condition) = cursor.group() {
                let kind = ConstraintKind::Check {
                    expression: expression(condition),
                };
                self.constrain(constraint.take(), kind);
            }
        } else if cursor.take("references") {
            if let Some(kind) = key::references(vec![name], cursor) {
                self.constrain(constraint.take(), kind);
            }
        } else {
            return self.generated(cursor);
        }
        true
    }

    /// `[GENERATED ALWAYS] AS (expression) [VIRTUAL | STORED]`.
    fn generated(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let mut ahead = *cursor;
        ahead.take_all(&["generated", "always"]);
        if !ahead.take("as") {
            return false;
        }
        *cursor = ahead;
        if let Some(computed) = cursor.group() {
            self.definition.generated = Some(Generated {
                expression: expression(computed),
                stored: cursor.take_any(&["stored", "persistent"]),
            });
        }
        true
    }

    /// What has no place of its own in the model, or a lesser one.
    fn lesser_attribute(&mut self, cursor: &mut Cursor<'_>) -> bool {
        if cursor.take("collate") {
            self.definition.collation = cursor.name().or_else(|| cursor.string()).map(ObjectName::bare);
        } else if cursor.take_all(&["character", "set"]) || cursor.take("charset") {
            let charset = cursor.name().or_else(|| cursor.string());
            self.option("character set", charset);
        } else if cursor.take("comment") {
            cursor.take_symbol('=');
            cursor.string();
        } else if cursor.take_all(&["on", "update"]) {
            let value = default_value(cursor);
            self.option("on update", Some(value.text));
        } else if cursor.take("invisible") {
            self.option("visibility", Some("invisible".to_owned()));
        } else {
            return false;
        }
        true
    }

    fn option(&mut self, name: &str, value: Option<String>) {
        self.definition
            .options
            .extend(value.map(|value| (name.to_owned(), value)));
    }

    fn constrain(&mut self, name: Option<String>, kind: ConstraintKind) {
        self.constraints.push(ConstraintDefinition {
            of_column: true,
            ..ConstraintDefinition::plain(name, kind)
        });
    }
}

fn unique(column: &str) -> ConstraintDefinition {
    ConstraintDefinition {
        of_column: true,
        ..ConstraintDefinition::plain(None, ConstraintKind::unique(vec![column.to_owned()]))
    }
}

/// A value behind DEFAULT or ON UPDATE: up to the next attribute.
pub(super) fn default_value(cursor: &mut Cursor<'_>) -> Expression {
    let start = *cursor;
    cursor.step();
    cursor.until(|here| {
        let word = here.word();
        types::is_attribute(&word) || matches!(word.as_str(), "charset" | "character" | "serial")
    });
    let length = start.rest().len() - cursor.rest().len();
    default(Cursor::new(start.script(), &start.rest()[..length]))
}
