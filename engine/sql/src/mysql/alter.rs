//! ALTER TABLE: one clause after the other.

use crate::error::ParseError;
use crate::name::ObjectName;
use crate::operation::{AddColumn, ConstraintKind, Drop, Identity, ObjectKind, Operation, OtherOperation, RowChange};
use crate::script::Span;

use super::column::{self, Column};
use super::cursor::Cursor;
use super::effects::Effects;
use super::key::{self, Key};
use super::scan::{Kind, Token};
use super::table::{expected, lonely_comma};

/// Clauses whose own lists have commas outside of brackets: what follows one is a part of it.
const WITH_LISTS: &[&str] = &["order", "partition", "partitions"];

/// ALTER TABLE from behind those words.
pub(super) fn alter(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> Result<(), ParseError> {
    cursor.take_if_exists();
    let Some(table) = cursor.object() else {
        return Err(expected(cursor, effects.whole(), "the name of a table"));
    };
    if !cursor.take("nowait") && cursor.take("wait") {
        cursor.next();
    }
    let clauses = cursor.remainder();
    if clauses.at_end() {
        return Ok(());
    }
    let mut clause = Clause {
        table,
        span: effects.whole(),
        listing: false,
    };
    for mut part in clauses.parts() {
        let Some(span) = part.span() else {
            let place = lonely_comma(clauses).unwrap_or(effects.whole());
            return Err(expected(&part, place, "a clause of ALTER TABLE"));
        };
        clause.span = span;
        clause.read(&mut part, effects);
    }
    Ok(())
}

/// One clause of an ALTER TABLE.
struct Clause {
    /// The table; RENAME gives it another name for what follows outside of the statement only.
    table: ObjectName,
    span: Span,
    /// The clause before this one has a list that may go on.
    listing: bool,
}

impl Clause {
    fn read(&mut self, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
        let start = *cursor;
        let known = match cursor.word().as_str() {
            "add" => self.add(cursor, effects),
            "drop" => self.drop(cursor, effects),
            "modify" => self.modify(cursor, effects),
            "change" => self.change(cursor, effects),
            "alter" => self.alter(cursor, effects),
            "rename" => self.rename(cursor, effects),
            "truncate" if start.remainder().are(&["truncate", "partition"]) => {
                self.lose_rows(effects);
                true
            }
            _ => false,
        };
        if !known && !self.listing {
            self.other(start, effects);
        }
        let has_list = |token: &Token| WITH_LISTS.iter().any(|word| token.is(start.script(), word));
        self.listing = start.rest().iter().take(3).any(has_list) || (self.listing && !known);
    }

    fn push(&self, effects: &mut Effects<'_>, operation: Operation) {
        effects.push(self.span, operation);
    }

    /// ENGINE, CONVERT TO CHARACTER SET, ALGORITHM, partitions: kept as written.
    fn other(&self, clause: Cursor<'_>, effects: &mut Effects<'_>) {
        let mut words = clause;
        words.until(|here| !matches!(here.peek(), Some(token) if token.kind == Kind::Word));
        let length = clause.rest().len() - words.rest().len();
        let name: Vec<String> = clause.rest()[..length]
            .iter()
            .map(|token| clause.text(*token).to_ascii_lowercase())
            .take(4)
            .collect();
        let details = vec![
            ("clause".to_owned(), name.join(" ")),
            ("text".to_owned(), clause.written().to_owned()),
        ];
        self.push(
            effects,
            Operation::Other(OtherOperation {
                tag: "alter-table".to_owned(),
                objects: vec![self.table.clone()],
                details,
            }),
        );
    }

    fn add(&self, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> bool {
        cursor.next();
        if cursor.take_all(&["system", "versioning"]) || cursor.is("partition") {
            return false;
        }
        if let Some(key) = key::read(&self.table, cursor) {
            match key {
                Key::Constraint(constraint) => self.push(
                    effects,
                    Operation::AddConstraint {
                        table: self.table.clone(),
                        constraint: Box::new(constraint),
                    },
                ),
                Key::Index(index) => self.push(effects, Operation::CreateIndex(index)),
                Key::Nothing => return false,
            }
            return true;
        }
        cursor.take("column");
        let if_not_exists = cursor.take_if_not_exists();
        let Some(group) = cursor.group() else {
            return self.add_column(*cursor, if_not_exists, effects);
        };
        // ADD (a INT, b INT, KEY (a)).
        for part in group.parts() {
            let mut key_part = part;
            match key::read(&self.table, &mut key_part) {
                Some(Key::Constraint(constraint)) => self.push(
                    effects,
                    Operation::AddConstraint {
                        table: self.table.clone(),
                        constraint: Box::new(constraint),
                    },
                ),
                Some(Key::Index(index)) => self.push(effects, Operation::CreateIndex(index)),
                Some(Key::Nothing) => {}
                None => {
                    self.add_column(part, if_not_exists, effects);
                }
            }
        }
        true
    }

    fn add_column(&self, mut cursor: Cursor<'_>, if_not_exists: bool, effects: &mut Effects<'_>) -> bool {
        let Some(name) = cursor.name() else { return false };
        let Column {
            definition,
            constraints,
        } = column::read(&name, &mut cursor);
        self.push(
            effects,
            Operation::AddColumn(Box::new(AddColumn {
                table: self.table.clone(),
                column: definition,
                constraints,
                if_not_exists,
            })),
        );
        true
    }

    fn drop(&self, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> bool {
        cursor.next();
        if cursor.take_all(&["primary", "key"]) {
            self.drop_constraint("PRIMARY".to_owned(), false, effects);
        } else if cursor.take_any(&["index", "key"]) {
            let if_exists = cursor.take_if_exists();
            let Some(name) = cursor.name() else { return false };
            self.push(effects, Operation::Drop(dropped_index(&self.table, name, if_exists)));
        } else if cursor.take_all(&["foreign", "key"]) || cursor.take_any(&["constraint", "check"]) {
            let if_exists = cursor.take_if_exists();
            let Some(name) = cursor.name() else { return false };
            self.drop_constraint(name, if_exists, effects);
        } else if cursor.is("partition") {
            self.lose_rows(effects);
            return false;
        } else if cursor.take_all(&["system", "versioning"]) || cursor.take_all(&["period", "for"]) {
            return false;
        } else {
            cursor.take("column");
            let if_exists = cursor.take_if_exists();
            let Some(column) = cursor.name() else { return false };
            self.push(
                effects,
                Operation::DropColumn {
                    table: self.table.clone(),
                    column,
                    if_exists,
                    cascade: false,
                },
            );
        }
        true
    }

    fn drop_constraint(&self, name: String, if_exists: bool, effects: &mut Effects<'_>) {
        self.push(
            effects,
            Operation::DropConstraint {
                table: self.table.clone(),
                name,
                if_exists,
                cascade: false,
            },
        );
    }

    /// The rows of a partition go.
    fn lose_rows(&self, effects: &mut Effects<'_>) {
        self.push(
            effects,
            Operation::Delete(RowChange {
                table: self.table.clone(),
                filtered: true,
                columns: Vec::new(),
                reads: Vec::new(),
            }),
        );
    }

    fn modify(&self, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> bool {
        cursor.next();
        cursor.take("column");
        cursor.take_if_exists();
        let Some(name) = cursor.name() else { return false };
        self.redefine(&column::read(&name, cursor), effects);
        true
    }

    fn change(&self, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> bool {
        cursor.next();
        cursor.take("column");
        cursor.take_if_exists();
        let Some(from) = cursor.name() else { return false };
        let Some(to) = cursor.name() else { return false };
        if from != to {
            self.rename_column(from, to.clone(), effects);
        }
        self.redefine(&column::read(&to, cursor), effects);
        true
    }

    /// MODIFY and CHANGE say all of a column anew: what they leave out is gone.
    fn redefine(&self, column: &Column, effects: &mut Effects<'_>) {
        let definition = &column.definition;
        let (table, name) = (|| self.table.clone(), || definition.name.clone());
        self.push(
            effects,
            Operation::AlterColumnType {
                table: table(),
                column: name(),
                to: definition.data_type.clone(),
                using: None,
                collation: definition.collation.clone(),
            },
        );
        let in_key = |constraint: &crate::operation::ConstraintDefinition| {
            matches!(constraint.kind, ConstraintKind::PrimaryKey { .. })
        };
        let nullability = if definition.not_null || column.constraints.iter().any(in_key) {
            Operation::SetNotNull {
                table: table(),
                column: name(),
            }
        } else {
            Operation::DropNotNull {
                table: table(),
                column: name(),
            }
        };
        self.push(effects, nullability);
        self.redefine_value(column, effects);
        for constraint in &column.constraints {
            self.push(
                effects,
                Operation::AddConstraint {
                    table: table(),
                    constraint: Box::new(constraint.clone()),
                },
            );
        }
    }

    /// Where the values of a redefined column come from.
    fn redefine_value(&self, column: &Column, effects: &mut Effects<'_>) {
        let definition = &column.definition;
        let (table, name) = (|| self.table.clone(), || definition.name.clone());
        let default = match &definition.default {
            Some(default) if !default.is_null => Operation::SetDefault {
                table: table(),
                column: name(),
                default: default.clone(),
            },
            _ => Operation::DropDefault {
                table: table(),
                column: name(),
            },
        };
        self.push(effects, default);
        let identity = match definition.identity {
            Some(_) => Operation::AddIdentity {
                table: table(),
                column: name(),
                identity: Identity::Autoincrement,
                options: Vec::new(),
            },
            None => Operation::DropIdentity {
                table: table(),
                column: name(),
                if_exists: true,
            },
        };
        self.push(effects, identity);
        if let Some(generated) = &definition.generated {
            self.push(
                effects,
                Operation::SetExpression {
                    table: table(),
                    column: name(),
                    expression: generated.expression.clone(),
                },
            );
        }
    }

    /// ALTER COLUMN, ALTER INDEX, ALTER CHECK.
    fn alter(&self, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> bool {
        cursor.next();
        let is_other = cursor.is_any(&["index", "key", "check", "constraint"]);
        if is_other && !cursor.peek_at(1).is_some_and(|next| next.is(cursor.script(), "set")) {
            return false;
        }
        cursor.take("column");
        cursor.take_if_exists();
        let Some(column) = cursor.name() else { return false };
        let table = self.table.clone();
        if cursor.take_all(&["set", "default"]) {
            let default = column::default_value(cursor);
            // A default of NULL is none.
            self.push(
                effects,
                if default.is_null {
                    Operation::DropDefault { table, column }
                } else {
                    Operation::SetDefault { table, column, default }
                },
            );
        } else if cursor.take_all(&["drop", "default"]) {
            self.push(effects, Operation::DropDefault { table, column });
        } else {
            return false;
        }
        true
    }

    /// RENAME COLUMN, RENAME INDEX, RENAME TO.
    fn rename(&mut self, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> bool {
        cursor.next();
        let is_column = cursor.take("column");
        let is_index = !is_column && cursor.is_any(&["index", "key"]) && !cursor.remainder().rest().is_empty();
        if is_index {
            cursor.next();
        }
        if !is_column && !is_index {
            return self.rename_table(cursor, effects);
        }
        cursor.take_if_exists();
        let Some(from) = cursor.name() else { return false };
        cursor.take("to");
        let Some(to) = cursor.name() else { return false };
        if is_column {
            self.rename_column(from, to, effects);
            return true;
        }
        self.push(
            effects,
            Operation::Rename {
                kind: ObjectKind::Index,
                from: ObjectName {
                    schema: self.table.schema.clone(),
                    name: from,
                },
                on: Some(self.table.clone()),
                arguments: None,
                to,
            },
        );
        true
    }

    fn rename_column(&self, from: String, to: String, effects: &mut Effects<'_>) {
        let table = self.table.clone();
        self.push(effects, Operation::RenameColumn { table, from, to });
    }

    fn rename_table(&mut self, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> bool {
        if !cursor.take_any(&["to", "as"]) {
            cursor.take_symbol('=');
        }
        let Some(to) = cursor.object() else { return false };
        for operation in moved(&self.table, &to) {
            self.push(effects, operation);
        }
        self.table = ObjectName {
            schema: to.schema.or(self.table.schema.take()),
            name: to.name,
        };
        true
    }
}

/// What a table's new name comes to: another name, and another database where it names one.
pub(super) fn moved(from: &ObjectName, to: &ObjectName) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut from = from.clone();
    if to.schema.is_some() && to.schema != from.schema {
        let schema = to.schema.clone().unwrap_or_default();
        operations.push(Operation::SetSchema {
            kind: ObjectKind::Table,
            name: from.clone(),
            arguments: None,
            to: schema.clone(),
        });
        from.schema = Some(schema);
    }
    if from.name != to.name {
        operations.push(Operation::Rename {
            kind: ObjectKind::Table,
            from,
            on: None,
            arguments: None,
            to: to.name.clone(),
        });
    }
    operations
}

/// DROP INDEX: its name is known to its table alone.
pub(super) fn dropped_index(table: &ObjectName, name: String, if_exists: bool) -> Drop {
    Drop {
        kind: ObjectKind::Index,
        other_kind: None,
        name: ObjectName {
            schema: table.schema.clone(),
            name,
        },
        on: Some(table.clone()),
        arguments: None,
        if_exists,
        cascade: false,
        concurrently: false,
    }
}
