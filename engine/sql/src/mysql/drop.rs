//! DROP, RENAME TABLE and TRUNCATE.

use crate::error::ParseError;
use crate::name::ObjectName;
use crate::operation::{Drop, ObjectKind, Operation};

use super::alter::{dropped_index, moved};
use super::create::{self, KINDS};
use super::cursor::Cursor;
use super::effects::Effects;
use super::spelling;
use super::statement::other;

/// Reads DROP.
pub(super) fn drop(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> Result<(), ParseError> {
    cursor.next();
    if cursor.is("temporary") {
        // The session's own table: nothing that was there before goes.
        effects.push(effects.whole(), other("drop-temporary".to_owned(), Vec::new()));
        return Ok(());
    }
    cursor.take_any(&["online", "offline"]);
    spelling::check(cursor, KINDS)?;
    let kind = match cursor.word().as_str() {
        "table" | "tables" => ObjectKind::Table,
        "view" => ObjectKind::View,
        "database" | "schema" => ObjectKind::Database,
        "trigger" => ObjectKind::Trigger,
        "procedure" => ObjectKind::Procedure,
        "function" => ObjectKind::Function,
        "sequence" => ObjectKind::Sequence,
        "index" => {
            drop_index(cursor, effects);
            return Ok(());
        }
        _ => {
            create::other("drop", cursor, effects);
            return Ok(());
        }
    };
    cursor.next();
    let if_exists = cursor.take_if_exists();
    for mut part in cursor.remainder().parts() {
        if let Some(name) = part.object() {
            effects.push(effects.whole(), Operation::Drop(dropped(kind, name, if_exists)));
        }
    }
    Ok(())
}

/// CASCADE and RESTRICT behind DROP TABLE do nothing.
fn dropped(kind: ObjectKind, name: ObjectName, if_exists: bool) -> Drop {
    Drop {
        kind,
        other_kind: None,
        name,
        on: None,
        arguments: None,
        if_exists,
        cascade: false,
        concurrently: false,
    }
}

/// DROP INDEX name ON table.
fn drop_index(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    cursor.next();
    let if_exists = cursor.take_if_exists();
    let Some(name) = cursor.name() else { return };
    cursor.take("on");
    let Some(table) = cursor.object() else { return };
    effects.push(effects.whole(), Operation::Drop(dropped_index(&table, name, if_exists)));
}

/// RENAME TABLE a TO b, c TO d; RENAME USER.
pub(super) fn rename(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    cursor.next();
    if !cursor.take_any(&["table", "tables"]) {
        create::other("rename", cursor, effects);
        return;
    }
    cursor.take_if_exists();
    for mut part in cursor.remainder().parts() {
        let Some(from) = part.object() else { continue };
        if !part.take("to") {
            part.next();
            part.take("to");
        }
        let (Some(to), span) = (part.object(), part.span().unwrap_or(effects.whole())) else {
            continue;
        };
        for operation in moved(&from, &to) {
            effects.push(span, operation);
        }
    }
}

/// TRUNCATE [TABLE].
pub(super) fn truncate(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    cursor.next();
    cursor.take("table");
    if let Some(table) = cursor.object() {
        let operation = Operation::Truncate {
            table,
            cascade: false,
            restart_identity: true,
        };
        effects.push(effects.whole(), operation);
    }
}
