//! Keys, indexes and constraints.

use crate::name::ObjectName;
use crate::operation::{ConstraintDefinition, ConstraintKind, CreateIndex, IndexPart, ReferentialAction};

use super::cursor::Cursor;
use super::expression::expression;

/// A key or constraint as CREATE TABLE lists it and ALTER TABLE adds it.
pub(super) enum Key {
    Constraint(ConstraintDefinition),
    Index(Box<CreateIndex>),
    /// PERIOD FOR: nothing that the model keeps.
    Nothing,
}

/// Reads a key or constraint of `table`; `None` where something else stands, a column for instance.
pub(super) fn read(table: &ObjectName, cursor: &mut Cursor<'_>) -> Option<Key> {
    let mut ahead = *cursor;
    let mut symbol = None;
    let named = ahead.take("constraint");
    if named && !ahead.is_any(&["primary", "unique", "foreign", "check"]) {
        symbol = ahead.name();
    }
    let key = if ahead.take_all(&["primary", "key"]) {
        index_type(&mut ahead);
        // A name may stand here; the server takes no notice of it.
        if !ahead.is_symbol('(') {
            ahead.name();
            index_type(&mut ahead);
        }
        constrained(symbol, primary(columns(&mut ahead)))
    } else if ahead.take("unique") {
        ahead.take_any(&["index", "key"]);
        unique_key(symbol, &mut ahead)
    } else if ahead.take_all(&["foreign", "key"]) {
        ahead.take_if_not_exists();
        let name = if ahead.is_symbol('(') { None } else { ahead.name() };
        let columns = columns(&mut ahead);
        ahead.take("references");
        constrained(symbol.or(name), references(columns, &mut ahead)?)
    } else if ahead.is("check") && ahead.peek_at(1).is_some_and(|next| next.is_symbol('(')) {
        ahead.next();
        let condition = ahead.group()?;
        let kind = ConstraintKind::Check {
            expression: expression(condition),
        };
        constrained(symbol, kind)
    } else if ahead.take_all(&["period", "for"]) {
        Key::Nothing
    } else {
        Key::Index(Box::new(plain_index(table, &mut ahead)?))
    };
    *cursor = ahead;
    Some(key)
}

fn constrained(name: Option<String>, kind: ConstraintKind) -> Key {
    Key::Constraint(ConstraintDefinition::plain(name, kind))
}

/// `UNIQUE [KEY] [name] (parts)`: the index's name outranks none, the constraint's name outranks it only alone.
fn unique_key(symbol: Option<String>, cursor: &mut Cursor<'_>) -> Key {
    cursor.take_if_not_exists();
    let name = index_name(cursor);
    index_type(cursor);
    constrained(name.or(symbol), ConstraintKind::unique(columns(cursor)))
}

/// `INDEX`, `KEY`, `FULLTEXT`, `SPATIAL` or MariaDB's `VECTOR`.
fn plain_index(table: &ObjectName, cursor: &mut Cursor<'_>) -> Option<CreateIndex> {
    let method = if cursor.take("fulltext") {
        cursor.take_any(&["index", "key"]);
        "fulltext"
    } else if cursor.take("spatial") {
        cursor.take_any(&["index", "key"]);
        "spatial"
    } else if cursor.take_all(&["vector", "index"]) || cursor.take_all(&["vector", "key"]) {
        "vector"
    } else if cursor.take_any(&["index", "key"]) {
        "btree"
    } else {
        return None;
    };
    let if_not_exists = cursor.take_if_not_exists();
    let name = index_name(cursor);
    let written = index_type(cursor);
    Some(CreateIndex {
        if_not_exists,
        ..index(table.clone(), name, written.as_deref().unwrap_or(method), cursor)
    })
}

/// The name of an index, where one stands before its type and its columns.
fn index_name(cursor: &mut Cursor<'_>) -> Option<String> {
    let is_type =
        cursor.is("using") || (cursor.is("type") && !cursor.peek_at(1).is_some_and(|next| next.is_symbol('(')));
    if cursor.is_symbol('(') || is_type {
        return None;
    }
    cursor.name()
}

/// USING BTREE.
pub(super) fn index_type(cursor: &mut Cursor<'_>) -> Option<String> {
    if !cursor.take_any(&["using", "type"]) {
        return None;
    }
    cursor.name().map(|name| name.to_ascii_lowercase())
}

/// An index from its columns on.
pub(super) fn index(table: ObjectName, name: Option<String>, method: &str, cursor: &mut Cursor<'_>) -> CreateIndex {
    let parts = cursor.group().map(parts).unwrap_or_default();
    let mut options: Vec<(String, String)> = parts
        .iter()
        .filter_map(|(_, prefix)| Some(("prefix".to_owned(), prefix.clone()?)))
        .collect();
    let mut method = method.to_owned();
    while !cursor.at_end() && !cursor.is_symbol(',') {
        if let Some(written) = index_type(cursor) {
            method = written;
        } else if cursor.take_any(&["invisible", "ignored"]) {
            options.push(("visibility".to_owned(), "invisible".to_owned()));
        } else if cursor.take("with") {
            cursor.take("parser");
            options.extend(cursor.name().map(|parser| ("parser".to_owned(), parser)));
        } else {
            cursor.step();
        }
    }
    CreateIndex {
        name,
        table,
        parts: parts.into_iter().map(|(part, _)| part).collect(),
        include: Vec::new(),
        unique: false,
        nulls_not_distinct: false,
        concurrently: false,
        if_not_exists: false,
        only: false,
        method,
        predicate: None,
        options,
        tablespace: None,
    }
}

/// Key parts, with the length of a prefix as written: `name(10)`.
fn parts(group: Cursor<'_>) -> Vec<(IndexPart, Option<String>)> {
    group.parts().into_iter().filter_map(part).collect()
}

fn part(mut cursor: Cursor<'_>) -> Option<(IndexPart, Option<String>)> {
    let mut part = IndexPart {
        column: None,
        expression: None,
        operator_class: None,
        collation: None,
        descending: false,
        nulls_first: None,
    };
    let mut prefix = None;
    if let Some(group) = cursor.group() {
        part.expression = Some(group.written().to_owned());
    } else {
        let name = cursor.name()?;
        if let Some(length) = cursor.group() {
            prefix = Some(format!("{name}({})", length.written()));
        }
        part.column = Some(name);
    }
    part.descending = cursor.take("desc");
    Some((part, prefix))
}

/// Plain columns of a key; an expression in it is left out.
pub(super) fn columns(cursor: &mut Cursor<'_>) -> Vec<String> {
    let parts = cursor.group().map(parts).unwrap_or_default();
    parts.into_iter().filter_map(|(part, _)| part.column).collect()
}

/// What follows REFERENCES.
pub(super) fn references(columns: Vec<String>, cursor: &mut Cursor<'_>) -> Option<ConstraintKind> {
    let references = cursor.object()?;
    let referenced_columns = self::columns(cursor);
    // RESTRICT, NO ACTION and nothing written are the same to these servers.
    let mut on_update = ReferentialAction::NoAction;
    let mut on_delete = ReferentialAction::NoAction;
    let mut match_full = false;
    loop {
        if cursor.take("match") {
            match_full = cursor.is("full");
            cursor.next();
        } else if cursor.take_all(&["on", "delete"]) {
            on_delete = action(cursor);
        } else if cursor.are(&["on", "update"]) && cursor.peek_at(2).is_some_and(|next| is_action(cursor.text(next))) {
            cursor.take_all(&["on", "update"]);
            on_update = action(cursor);
        } else {
            break;
        }
    }
    Some(ConstraintKind::ForeignKey {
        columns,
        references,
        referenced_columns,
        on_update,
        on_delete,
        on_delete_columns: Vec::new(),
        match_full,
    })
}

fn is_action(word: &str) -> bool {
    ["cascade", "no", "restrict", "set"]
        .iter()
        .any(|action| action.eq_ignore_ascii_case(word))
}

fn action(cursor: &mut Cursor<'_>) -> ReferentialAction {
    if cursor.take("cascade") {
        ReferentialAction::Cascade
    } else if cursor.take_all(&["set", "null"]) {
        ReferentialAction::SetNull
    } else if cursor.take_all(&["set", "default"]) {
        ReferentialAction::SetDefault
    } else if cursor.take("restrict") {
        ReferentialAction::Restrict
    } else {
        cursor.take_all(&["no", "action"]);
        ReferentialAction::NoAction
    }
}

pub(super) fn primary(columns: Vec<String>) -> ConstraintKind {
    ConstraintKind::PrimaryKey {
        columns,
        include: Vec::new(),
        using_index: None,
    }
}
