//! What a function does that the migration defines and then calls.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{ObjectKind, ObjectName, Operation};

use super::backfill::{Rows, Verb};
use crate::tokens::{self, Token};
use crate::transactions;

/// Changes of rows in the functions that `call` names, where a statement above defines them. Functions that commit
/// their work are left out.
pub(super) fn called<'a>(context: &Context<'a>, step: &Step<'_>, call: &str) -> Vec<Rows<'a>> {
    let words = tokens::read(call);
    let mut found = Vec::new();
    for earlier in context.steps_before(step) {
        let Operation::Create(created) = &earlier.effect.operation else {
            continue;
        };
        let is_routine = matches!(created.kind, ObjectKind::Function | ObjectKind::Procedure);
        if is_routine && names(&words, &created.name.name) {
            let text = earlier.statement.span.of(context.migration.text());
            for body in tokens::read(text).iter().filter_map(Token::body) {
                found.extend(changes(body, &created.name));
            }
        }
    }
    found
}

/// The name stands in front of a bracket.
fn names(words: &[Token<'_>], name: &str) -> bool {
    words
        .windows(2)
        .any(|pair| pair[0].name().as_deref() == Some(name) && pair[1].is_symbol("("))
}

/// Statements of a body that change rows.
fn changes<'t>(body: &'t str, function: &ObjectName) -> Vec<Rows<'t>> {
    if transactions::commits(body) {
        return Vec::new();
    }
    let tokens = tokens::read(body);
    let looped = tokens.iter().any(|token| token.is("loop"));
    let pieces = tokens::split(&tokens, |token| token.is_symbol(";"));
    let pieces = pieces.into_iter().filter_map(|piece| change(body, piece));
    pieces
        .map(|(verb, table, filtered, text)| Rows {
            verb,
            table,
            columns: Vec::new(),
            filtered,
            text,
            looped,
            variables: !looped,
            through: Some(function.short()),
        })
        .collect()
}

/// One statement, behind whatever PL/pgSQL has in front of it.
fn change<'t>(body: &'t str, piece: &[Token<'t>]) -> Option<(Verb, ObjectName, bool, &'t str)> {
    let at = tokens::at_top(piece).map(|(at, _)| at).find(|at| begins(piece, *at))?;
    let statement = &piece[at..];
    let verb = match statement {
        [first, ..] if first.is("update") => Verb::Updates,
        [first, ..] if first.is("delete") => Verb::Deletes,
        _ => Verb::Copies,
    };
    let skip = ["update", "delete", "from", "insert", "into", "only"];
    let start = statement
        .iter()
        .position(|token| !skip.iter().any(|word| token.is(word)))?;
    let name = table(&statement[start..])?;
    let (first, last) = (statement.first()?, statement.last()?);
    let text = body.get(first.start..last.end())?;
    let filtered =
        tokens::at_top(statement).any(|(_, token)| token.is("where") || token.is("from") && verb == Verb::Updates);
    let filtered = filtered || statement.iter().any(|token| token.is("using"));
    if verb == Verb::Copies && !tokens::at_top(statement).any(|(_, token)| token.is("select")) {
        return None;
    }
    Some((verb, name, filtered, text))
}

/// UPDATE, DELETE FROM or INSERT INTO where a statement can begin.
fn begins(piece: &[Token<'_>], at: usize) -> bool {
    let next = |word: &str| piece.get(at + 1).is_some_and(|token| token.is(word));
    let before = at.checked_sub(1).and_then(|at| piece.get(at));
    let free = before.is_none_or(|token| {
        ["begin", "loop", "then", "else", "declare"]
            .iter()
            .any(|word| token.is(word))
    });
    free && (piece[at].is("update")
        || (piece[at].is("delete") && next("from"))
        || (piece[at].is("insert") && next("into")))
}

fn table(tokens: &[Token<'_>]) -> Option<ObjectName> {
    let first = tokens.first()?.name()?;
    match tokens {
        [_, dot, second, ..] if dot.is_symbol(".") => Some(ObjectName::qualified(first, second.name()?)),
        _ => Some(ObjectName::bare(first)),
    }
}
