//! One statement: what it does, and whether it can run inside a transaction.

use crate::error::ParseError;
use crate::name::ObjectName;
use crate::operation::{Operation, OtherOperation};
use crate::script::Effect;

use super::cursor::Cursor;
use super::effects::Effects;
use super::split::Piece;
use super::verbs::VERBS;
use super::{create, drop, rows, session, spelling};

/// Statements that change nothing.
const READING: &[&str] = &[
    "desc", "describe", "explain", "help", "select", "show", "table", "values",
];

/// What the statement does.
pub(super) fn effects(script: &str, piece: &Piece) -> Result<Vec<Effect>, ParseError> {
    let mut effects = Effects::new(piece.span, &piece.tokens);
    let semicolon = piece.tokens.iter().any(|token| token.is_symbol(';'));
    let mut cursor = Cursor::new(script, &piece.tokens);
    if semicolon && !piece.body {
        // Several statements in one executable comment.
        dynamic(&cursor, &mut effects);
    } else {
        read(&mut cursor, &mut effects)?;
    }
    Ok(effects.finish())
}

/// Reads a statement from its first word on.
fn read(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) -> Result<(), ParseError> {
    let verb = cursor.word();
    match verb.as_str() {
        "create" => create::create(cursor, effects)?,
        "alter" => create::alter(cursor, effects)?,
        "drop" => drop::drop(cursor, effects)?,
        "rename" => drop::rename(cursor, effects),
        "truncate" => drop::truncate(cursor, effects),
        "insert" | "replace" => rows::insert(cursor, effects),
        "update" => rows::update(cursor, effects),
        "delete" => rows::delete(cursor, effects),
        "load" => load(cursor, effects),
        "with" => {
            // Common table expressions, and then the statement.
            cursor.until(|here| here.is_any(&["select", "update", "delete", "insert", "replace", "values", "table"]));
            // What is not found stands in brackets: a query.
            if !cursor.at_end() {
                read(cursor, effects)?;
            }
        }
        "set" => session::set(cursor, effects, read)?,
        "begin" | "commit" | "release" | "rollback" | "savepoint" | "start" | "xa" => {
            session::transaction(cursor, effects);
        }
        "analyze" if !cursor.peek_at(1).is_some_and(|next| is_table_word(cursor.text(next))) => {
            // MariaDB's ANALYZE runs the statement.
            cursor.next();
            cursor.until(|here| here.is_any(&["select", "update", "delete", "insert", "replace", "with"]));
            if !cursor.at_end() {
                read(cursor, effects)?;
            }
        }
        "analyze" | "check" | "checksum" | "optimize" | "repair" => tables(&verb, cursor, effects),
        "call" | "execute" => dynamic(cursor, effects),
        "do" | "get" | "signal" | "resignal" => {}
        "" if cursor.is_symbol('(') => {}
        verb if READING.contains(&verb) => {}
        verb if VERBS.contains(&verb) => plain(cursor, effects),
        _ => {
            spelling::check(cursor, VERBS)?;
            dynamic(cursor, effects);
        }
    }
    Ok(())
}

/// What cannot be followed: a stored procedure, a block, a statement made at run time, one that is not known here.
pub(super) fn dynamic(cursor: &Cursor<'_>, effects: &mut Effects<'_>) {
    let text = effects.written(cursor).to_owned();
    effects.push(effects.whole(), Operation::Dynamic { text });
}

/// A statement that is named by its first words and means nothing to the model.
pub(super) fn plain(cursor: &Cursor<'_>, effects: &mut Effects<'_>) {
    let mut words = *cursor;
    let mut tag = words.word();
    words.next();
    let next = words.word();
    let names_object = matches!(
        tag.as_str(),
        "use" | "handler" | "grant" | "revoke" | "prepare" | "deallocate" | "kill"
    );
    if !next.is_empty() && !names_object {
        tag = format!("{tag}-{next}");
    }
    effects.push(effects.whole(), other(tag, Vec::new()));
}

pub(super) fn other(tag: String, objects: Vec<ObjectName>) -> Operation {
    Operation::Other(OtherOperation {
        tag,
        objects,
        details: Vec::new(),
    })
}

fn is_table_word(word: &str) -> bool {
    ["table", "tables", "local", "no_write_to_binlog"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
}

/// ANALYZE TABLE a, b and its like.
fn tables(verb: &str, cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    cursor.next();
    cursor.take_any(&["local", "no_write_to_binlog"]);
    if !cursor.take_any(&["table", "tables"]) {
        effects.push(effects.whole(), other(verb.to_owned(), Vec::new()));
        return;
    }
    let parts = cursor.remainder().parts().into_iter();
    let objects = parts.filter_map(|mut part| part.object()).collect();
    effects.push(effects.whole(), other(format!("{verb}-table"), objects));
}

fn load(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    if cursor.peek_at(1).is_some_and(|next| next.is(cursor.script(), "index")) {
        plain(cursor, effects);
    } else {
        rows::load(cursor, effects);
    }
}

/// Nothing that changes the schema is part of a transaction: it commits what is open, before it and after it.
pub(super) fn transactional(script: &str, piece: &Piece, effects: &[Effect]) -> bool {
    const COMMIT: &[&str] = &[
        "alter",
        "cache",
        "create",
        "drop",
        "flush",
        "grant",
        "import",
        "install",
        "lock",
        "rename",
        "reset",
        "revoke",
        "truncate",
        "uninstall",
    ];
    let cursor = Cursor::new(script, &piece.tokens);
    if cursor.are(&["create", "temporary"]) || cursor.are(&["drop", "temporary"]) {
        return true;
    }
    let maintains =
        |effect: &Effect| matches!(&effect.operation, Operation::Other(other) if other.tag.ends_with("-table"));
    let changes = |effect: &Effect| matches!(effect.operation, Operation::Drop(_) | Operation::CreateTable(_));
    !(cursor.is_any(COMMIT) || effects.iter().any(|effect| maintains(effect) || changes(effect)))
}
