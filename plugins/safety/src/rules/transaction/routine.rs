//! What a function does that the migration calls: one that it defines itself, or one that the catalog knows.

use tollgate_plugin::rules::{Context, Step};
use tollgate_plugin::{ObjectKind, ObjectName, Operation};

use super::backfill::{Rows, Verb};
use crate::tokens::{self, Token};
use crate::transactions;

/// Tells of each change of rows in the functions that `call` names, where a statement above defines them or the catalog
/// has them. Functions that commit their work are left out.
pub(super) fn called(context: &Context<'_>, step: &Step<'_>, call: &str, tell: &mut dyn FnMut(&Rows<'_>)) {
    for name in names(&tokens::read(call)) {
        let defined = context
            .steps_before(step)
            .filter(|earlier| match &earlier.effect.operation {
                Operation::Create(created) => {
                    is_routine(created.kind) && context.same(ObjectKind::Function, &created.name, &name)
                }
                _ => false,
            });
        let text = context.migration.text();
        let texts = match defined.last() {
            Some(earlier) => vec![earlier.statement.span.of(text).to_owned()],
            None => known(context, &name),
        };
        for text in &texts {
            for body in tokens::read(text).iter().filter_map(Token::body) {
                changes(body, &name).iter().for_each(&mut *tell);
            }
        }
    }
}

fn is_routine(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Function | ObjectKind::Procedure)
}

/// What the catalog says that a function is.
fn known(context: &Context<'_>, name: &ObjectName) -> Vec<String> {
    let found = [ObjectKind::Function, ObjectKind::Procedure]
        .into_iter()
        .find_map(|kind| context.before.ddl(kind, name));
    found.unwrap_or_default()
}

/// Names that stand in front of a bracket.
fn names(words: &[Token<'_>]) -> Vec<ObjectName> {
    let mut found: Vec<ObjectName> = Vec::new();
    for (at, pair) in words.windows(2).enumerate() {
        let Some(name) = pair[0].name().filter(|_| pair[1].is_symbol("(")) else {
            continue;
        };
        let schema = at.checked_sub(2).filter(|_| words[at - 1].is_symbol("."));
        let name = match schema.and_then(|at| words[at].name()) {
            Some(schema) => ObjectName::qualified(schema, name),
            None => ObjectName::bare(name),
        };
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
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
