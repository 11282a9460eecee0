//! SET, and transaction control.

use crate::error::ParseError;
use crate::operation::{Operation, TransactionControl};

use super::cursor::Cursor;
use super::effects::Effects;
use super::statement::{dynamic, other};

type Read = fn(&mut Cursor<'_>, &mut Effects<'_>) -> Result<(), ParseError>;

/// SET of variables. `SET STATEMENT … FOR` (MariaDB) holds another statement, which `read` reads.
pub(super) fn set(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>, read: Read) -> Result<(), ParseError> {
    cursor.next();
    if cursor.take("statement") {
        cursor.until(|here| here.is("for"));
        cursor.take("for");
        if cursor.are(&["set", "statement"]) {
            // No end of these can be nested; none is worth a stack.
            dynamic(cursor, effects);
            return Ok(());
        }
        return read(cursor, effects);
    }
    if cursor.is_any(&["password", "role", "transaction", "default", "resource"])
        || cursor.are(&["global", "transaction"])
        || cursor.are(&["session", "transaction"])
    {
        let tag = format!("set-{}", cursor.word());
        effects.push(effects.whole(), other(tag, Vec::new()));
        return Ok(());
    }
    let whole = effects.whole();
    for mut part in cursor.remainder().parts() {
        let span = part.span().unwrap_or(whole);
        if let Some((name, value)) = assignment(&mut part) {
            let operation = Operation::SetParameter {
                name,
                value: Some(value),
                local: false,
                pragma: false,
            };
            effects.push(span, operation);
        }
    }
    Ok(())
}

/// `name = value`, `@@session.name := value`, `NAMES utf8mb4`.
fn assignment(part: &mut Cursor<'_>) -> Option<(String, String)> {
    if part.take("names") {
        return Some(("names".to_owned(), part.remainder().written().to_owned()));
    }
    if part.take_all(&["character", "set"]) || part.take("charset") {
        return Some(("character set".to_owned(), part.remainder().written().to_owned()));
    }
    let mut user = 0;
    while part.take_symbol('@') {
        user += 1;
    }
    let scopes = ["global", "local", "persist", "persist_only", "session"];
    let scope = part.is_any(&scopes)
        && !part
            .peek_at(1)
            .is_some_and(|next| next.is_symbol('=') || next.is_symbol(':'));
    if scope {
        part.next();
        part.take_symbol('.');
        while part.take_symbol('@') {}
    }
    let name = part.object()?;
    part.take_symbol(':');
    part.take_symbol('=');
    let sign = if user == 1 { "@" } else { "" };
    Some((format!("{sign}{name}"), part.remainder().written().to_owned()))
}

/// BEGIN, START TRANSACTION, COMMIT, ROLLBACK, SAVEPOINT, XA. START and RELEASE have other uses too.
pub(super) fn transaction(cursor: &mut Cursor<'_>, effects: &mut Effects<'_>) {
    let control = match cursor.word().as_str() {
        "begin" if cursor.peek_at(1).is_some_and(|next| next.is(cursor.script(), "not")) => {
            dynamic(cursor, effects);
            return;
        }
        "begin" => Some(TransactionControl::Begin),
        "start" => cursor
            .are(&["start", "transaction"])
            .then_some(TransactionControl::Begin),
        "commit" => Some(TransactionControl::Commit),
        "rollback" => {
            cursor.next();
            cursor.take("work");
            if cursor.take("to") {
                cursor.take("savepoint");
                cursor.name().map(TransactionControl::RollbackTo)
            } else {
                Some(TransactionControl::Rollback)
            }
        }
        "savepoint" => {
            cursor.next();
            cursor.name().map(TransactionControl::Savepoint)
        }
        "release" => {
            cursor.next();
            cursor.take("savepoint");
            cursor.name().map(TransactionControl::Release)
        }
        _ => Some(TransactionControl::Prepared),
    };
    match control {
        Some(control) => effects.push(effects.whole(), Operation::Transaction(control)),
        None => super::statement::plain(cursor, effects),
    }
}
