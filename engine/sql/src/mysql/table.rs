//! CREATE TABLE.

use crate::error::{ParseError, ParseErrorKind};
use crate::name::ObjectName;
use crate::operation::{CreateTable, Drop, ObjectKind, Operation};
use crate::script::Span;

use super::column;
use super::cursor::Cursor;
use super::effects::Effects;
use super::key::{self, Key};
use super::rows;

/// Words with which a query begins.
const QUERY: &[&str] = &["select", "table", "values", "with"];

/// CREATE TABLE from behind those words.
pub(super) fn create(
    cursor: &mut Cursor<'_>,
    (or_replace, temporary): (bool, bool),
    effects: &mut Effects<'_>,
) -> Result<(), ParseError> {
    let if_not_exists = cursor.take_if_not_exists();
    let Some(name) = cursor.object() else {
        return Err(expected(cursor, effects.whole(), "the name of a table"));
    };
    if or_replace {
        effects.push(effects.whole(), Operation::Drop(dropped(name.clone())));
    }
    let mut table = CreateTable::bare(name);
    table.if_not_exists = if_not_exists;
    table.temporary = temporary;
    let mut indexes = Vec::new();
    if let Some(source) = like(cursor) {
        let all = ["defaults", "indexes", "constraints", "generated", "identity"];
        let options = all.iter().map(|option| (*option).to_owned()).collect();
        table.like.push((source, options));
    } else {
        let is_query = cursor.is_symbol('(') && cursor.peek_at(1).is_some_and(|next| is_query(cursor, next));
        if let Some(group) = (!is_query).then(|| cursor.group()).flatten() {
            for part in group.parts() {
                definition(part, (group, effects.whole()), &mut table, &mut indexes)?;
            }
        }
        options(cursor, &mut table);
    }
    let whole = effects.whole();
    effects.push(whole, Operation::CreateTable(Box::new(table)));
    for (span, index) in indexes {
        effects.push(span, index);
    }
    Ok(())
}

fn is_query(cursor: &Cursor<'_>, token: super::scan::Token) -> bool {
    token.is_symbol('(') || QUERY.iter().any(|word| token.is(cursor.script(), word))
}

/// `LIKE t` and `(LIKE t)`.
fn like(cursor: &mut Cursor<'_>) -> Option<ObjectName> {
    let mut ahead = *cursor;
    ahead.take_symbol('(');
    if !ahead.take("like") {
        return None;
    }
    let source = ahead.object()?;
    ahead.take_symbol(')');
    *cursor = ahead;
    Some(source)
}

/// One column, key or constraint between the brackets.
fn definition(
    mut cursor: Cursor<'_>,
    (group, whole): (Cursor<'_>, Span),
    table: &mut CreateTable,
    indexes: &mut Vec<(Span, Operation)>,
) -> Result<(), ParseError> {
    let Some(span) = cursor.span() else {
        return Err(expected(
            &cursor,
            lonely_comma(group).unwrap_or(whole),
            "a column or a key",
        ));
    };
    match key::read(&table.name, &mut cursor) {
        Some(Key::Constraint(constraint)) => table.constraints.push(constraint),
        Some(Key::Index(index)) => indexes.push((span, Operation::CreateIndex(index))),
        Some(Key::Nothing) => {}
        None => {
            let Some(name) = cursor.name() else {
                return Err(expected(&cursor, span, "a column or a key"));
            };
            let mut column = column::read(&name, &mut cursor);
            table.columns.push(column.definition);
            table.constraints.append(&mut column.constraints);
        }
    }
    Ok(())
}

/// The comma in front of which, or behind which, nothing stands.
pub(super) fn lonely_comma(list: Cursor<'_>) -> Option<Span> {
    let mut rest = list.remainder();
    let mut comma = None;
    let mut empty = true;
    while let Some(token) = rest.peek() {
        if !token.is_symbol(',') {
            rest.step();
            empty = false;
            continue;
        }
        if empty {
            return Some(token.span());
        }
        rest.next();
        comma = Some(token.span());
        empty = true;
    }
    comma.filter(|_| empty)
}

/// ENGINE and the like, PARTITION BY, and the query of CREATE TABLE … SELECT.
fn options(cursor: &mut Cursor<'_>, table: &mut CreateTable) {
    while !cursor.at_end() {
        if cursor.is_symbol(',') || cursor.is_symbol('=') {
            cursor.next();
        } else if cursor.take_all(&["with", "system", "versioning"]) {
            table.options.push(("system versioning".to_owned(), "true".to_owned()));
        } else if cursor.take_all(&["partition", "by"]) {
            let written = cursor.until(|here| here.is_any(QUERY) || here.is("as"));
            table.partition_by = Some(written.written().to_owned());
        } else if cursor.is_any(QUERY) || cursor.is_symbol('(') {
            let query = cursor.remainder();
            table.as_query = Some(query.written().to_owned());
            table.reads = rows::reads(query);
            return;
        } else if cursor.take_any(&["as", "ignore", "replace", "default"]) {
            // Words before what counts.
        } else {
            table.options.extend(option(cursor));
        }
    }
}

/// One option of a table, with or without an equals sign: `ENGINE = InnoDB`, `CHARACTER SET utf8mb4`.
pub(super) fn option(cursor: &mut Cursor<'_>) -> Option<(String, String)> {
    let mut name = cursor.word();
    cursor.next();
    if matches!(name.as_str(), "character" | "data" | "index") && cursor.is_any(&["set", "directory"]) {
        name = format!("{name} {}", cursor.word());
        cursor.next();
    }
    cursor.take_symbol('=');
    let value = match cursor.group() {
        Some(group) => group.written().to_owned(),
        None => cursor.next().map(|token| cursor.text(token).to_owned())?,
    };
    (!name.is_empty()).then_some((name, value))
}

/// What stands here is not what has to.
pub(super) fn expected(cursor: &Cursor<'_>, otherwise: Span, what: &str) -> ParseError {
    let span = cursor.peek().map_or(otherwise, super::scan::Token::span);
    let message = format!("{what} is expected here");
    ParseError::new(ParseErrorKind::Syntax, cursor.script(), span, message)
}

fn dropped(name: ObjectName) -> Drop {
    Drop {
        kind: ObjectKind::Table,
        other_kind: None,
        name,
        on: None,
        arguments: None,
        if_exists: true,
        cascade: false,
        concurrently: false,
    }
}
