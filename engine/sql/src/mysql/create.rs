//! CREATE of everything but tables, and ALTER of everything but tables.

use crate::error::ParseError;
use crate::name::ObjectName;
use crate::operation::{
    CreateFunction, CreateIndex, CreateTrigger, CreateView, ObjectKind, Operation, OtherOperation, Volatility,
};

use super::cursor::Cursor;
use super::effects::Effects;
use super::scan::Kind;
use super::spelling;
use super::{alter, key, rows, table};

/// What can be created, changed or dropped; words that may stand before one of them are not among them.
pub(super) const KINDS: &[&str] = &[
    "catalog",
    "database",
    "event",
    "function",
    "index",
    "instance",
    "library",
    "logfile",
    "package",
    "prepare",
    "procedure",
    "resource",
    "role",
    "schema",
    "sequence",
    "server",
    "table",
    "tables",
    "tablespace",
    "trigger",
    "undo",
    "user",
    "view",
];

/// What stands between CREATE or ALTER and the kind of the object.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the statement")]
struct Modifiers {
    or_replace: bool,
    temporary: bool,
    unique: bool,
    method: Option<&'static str>,
    /// SQL SECURITY INVOKER.
    invoker: bool,
}

/// Reads CREATE.
pub(super) fn create(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> Result<(), ParseError> {
    cursor.next();
    let found = modifiers(cursor);
    spelling::check(cursor, KINDS)?;
    match cursor.word().as_str() {
        "table" => {
            cursor.next();
            table::create(cursor, (found.or_replace, found.temporary), effects)?;
        }
        "index" => index(cursor, &found, effects),
        "view" => view(cursor, &found, effects),
        "trigger" => trigger(cursor, &found, effects),
        "procedure" => routine(cursor, &found, ObjectKind::Procedure, effects),
        "function" => routine(cursor, &found, ObjectKind::Function, effects),
        "database" | "schema" => {
            cursor.next();
            let if_not_exists = cursor.take_if_not_exists();
            if let Some(name) = cursor.name() {
                effects.push(effects.whole(), Operation::CreateSchema { name, if_not_exists });
            }
        }
        _ => other("create", cursor, effects),
    }
    Ok(())
}

/// Reads ALTER.
pub(super) fn alter(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> Result<(), ParseError> {
    cursor.next();
    let found = modifiers(cursor);
    spelling::check(cursor, KINDS)?;
    match cursor.word().as_str() {
        "table" => {
            cursor.next();
            alter::alter(cursor, effects)?;
        }
        "view" => {
            let found = Modifiers {
                or_replace: true,
                ..found
            };
            view(cursor, &found, effects);
        }
        _ => other("alter", cursor, effects),
    }
    Ok(())
}

fn modifiers(cursor: &mut Cursor<'_>) -> Modifiers {
    let mut found = Modifiers::default();
    loop {
        if cursor.take_all(&["or", "replace"]) {
            found.or_replace = true;
        } else if cursor.take("temporary") {
            found.temporary = true;
        } else if cursor.take("unique") {
            found.unique = true;
        } else if cursor.take("fulltext") {
            found.method = Some("fulltext");
        } else if cursor.are(&["spatial", "index"]) {
            cursor.next();
            found.method = Some("spatial");
        } else if cursor.take("vector") {
            found.method = Some("vector");
        } else if cursor.take("algorithm") {
            cursor.take_symbol('=');
            cursor.next();
        } else if cursor.take("definer") {
            cursor.take_symbol('=');
            account(cursor);
        } else if cursor.take_all(&["sql", "security"]) {
            found.invoker = cursor.is("invoker");
            cursor.next();
        } else if !cursor.take_any(&["aggregate", "online", "offline", "ignore"]) {
            return found;
        }
    }
}

/// `'app'@'%'`, `CURRENT_USER()`, a role.
fn account(cursor: &mut Cursor<'_>) {
    cursor.next();
    cursor.group();
    if cursor.take_symbol('@') {
        cursor.next();
    }
}

/// CREATE INDEX name [USING type] ON table (parts).
fn index(cursor: &mut Cursor<'_>, found: &Modifiers, effects: &mut Effects<'_>) {
    cursor.next();
    let if_not_exists = cursor.take_if_not_exists();
    let name = if cursor.is("on") { None } else { cursor.name() };
    let method = key::index_type(cursor);
    if !cursor.take("on") {
        return;
    }
    let Some(table) = cursor.object() else { return };
    let method = method.as_deref().or(found.method).unwrap_or("btree");
    let index = CreateIndex {
        unique: found.unique,
        if_not_exists,
        ..key::index(table, name, method, cursor)
    };
    effects.push(effects.whole(), Operation::CreateIndex(Box::new(index)));
}

fn view(cursor: &mut Cursor<'_>, found: &Modifiers, effects: &mut Effects<'_>) {
    cursor.next();
    let if_not_exists = cursor.take_if_not_exists();
    let Some(name) = cursor.object() else { return };
    let columns = cursor.group().map(|group| group.parts()).unwrap_or_default();
    let columns = columns.into_iter().filter_map(|mut part| part.name()).collect();
    cursor.take("as");
    let query = cursor.remainder();
    let view = CreateView {
        name,
        materialized: false,
        or_replace: found.or_replace,
        if_not_exists,
        temporary: false,
        columns,
        query: query.written().to_owned(),
        reads: rows::reads(query),
        definition: effects.written(cursor).to_owned(),
    };
    effects.push(effects.whole(), Operation::CreateView(Box::new(view)));
}

/// CREATE TRIGGER. What its body does happens when it fires, not now.
fn trigger(cursor: &mut Cursor<'_>, found: &Modifiers, effects: &mut Effects<'_>) {
    cursor.next();
    let if_not_exists = cursor.take_if_not_exists();
    let Some(name) = cursor.object() else { return };
    cursor.until(|here| here.is("on"));
    cursor.take("on");
    let Some(mut table) = cursor.object() else { return };
    // A trigger stands in its table's database.
    table.schema = table.schema.or(name.schema);
    let trigger = CreateTrigger {
        name: name.name,
        table,
        or_replace: found.or_replace,
        if_not_exists,
        function: None,
        definition: effects.written(cursor).to_owned(),
    };
    effects.push(effects.whole(), Operation::CreateTrigger(Box::new(trigger)));
}

/// CREATE PROCEDURE and CREATE FUNCTION. There is one of a name, whatever its arguments.
fn routine(cursor: &mut Cursor<'_>, found: &Modifiers, kind: ObjectKind, effects: &mut Effects<'_>) {
    cursor.next();
    cursor.take_if_not_exists();
    let Some(name) = cursor.object() else { return };
    cursor.group();
    let returns = cursor.take("returns").then(|| {
        let written = super::types::read(cursor);
        written.data_type.sql(crate::name::Dialect::Mysql)
    });
    let body = cursor.remainder();
    let invoker = found.invoker || body.rest().windows(3).any(|words| {
        matches!(words, [sql, security, invoker] if sql.is(cursor.script(), "sql") && security.is(cursor.script(), "security") && invoker.is(cursor.script(), "invoker"))
    });
    let function = CreateFunction {
        name,
        kind,
        or_replace: found.or_replace,
        arguments: Vec::new(),
        returns,
        language: "sql".to_owned(),
        body: Some(body.written().to_owned()),
        security_definer: !invoker,
        settings: Vec::new(),
        volatility: Volatility::Unknown,
        body_operations: Vec::new(),
        opaque: true,
        definition: effects.written(cursor).to_owned(),
    };
    effects.push(effects.whole(), Operation::CreateFunction(Box::new(function)));
}

/// An object that the model does not keep: an event, a user, a server.
pub(super) fn other(verb: &str, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    let kind = cursor.word();
    cursor.next();
    cursor.take_if_not_exists();
    cursor.take_if_exists();
    let is_named = cursor.peek().is_some_and(|token| token.kind != Kind::Text) && kind != "user";
    let objects: Vec<ObjectName> = if is_named {
        cursor.object().into_iter().collect()
    } else {
        Vec::new()
    };
    let tag = if kind.is_empty() {
        verb.to_owned()
    } else {
        format!("{verb}-{kind}")
    };
    effects.push(
        effects.whole(),
        Operation::Other(OtherOperation {
            tag,
            objects,
            details: Vec::new(),
        }),
    );
}
