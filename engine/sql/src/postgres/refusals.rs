//! What is refused, in words that say what to do instead.

use super::grammar::{self, GrammarError};
use super::source::{Source, offset};
use crate::error::{ParseError, ParseErrorKind};
use crate::operation::{Operation, TransactionControl};
use crate::script::{Span, Statement};

const COPY_HELP: &str = "write the rows as INSERT statements, or load the data outside of the migration";

/// Refuses what parses but cannot be run as a migration.
pub(super) fn check(text: &str, statements: &[Statement]) -> Result<(), ParseError> {
    let mut open: Option<Span> = None;
    // Transactions that are prepared, by name.
    let mut prepared: Vec<(&str, Span)> = Vec::new();
    for statement in statements {
        let said = statement.span.of(text);
        match statement.effects.first().map(|effect| &effect.operation) {
            Some(Operation::Transaction(control)) => match control {
                TransactionControl::Begin => open = open.or(Some(statement.span)),
                TransactionControl::Commit | TransactionControl::Rollback => {
                    open = chains(said).then_some(statement.span);
                }
                TransactionControl::Prepared => {
                    let name = said.find('\'').map_or("", |at| &said[at..]);
                    if said.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("prepare")) {
                        open = None;
                        prepared.push((name, statement.span));
                    } else {
                        prepared.retain(|(other, _)| *other != name);
                    }
                }
                _ => {}
            },
            Some(Operation::Other(other)) if other.tag == "copy-from-stdin" => {
                return Err(copy_from_stdin(text, statement.span));
            }
            _ => {}
        }
    }
    let unbalanced = |span, message, help: String| {
        Err(ParseError::new(ParseErrorKind::UnbalancedTransaction, text, span, message).with_help(help))
    };
    if let Some(span) = open {
        let message = "this transaction is begun but never committed: the server would throw its changes away";
        let help = "add COMMIT at the end, or leave BEGIN out: a migration runs in a transaction anyway";
        return unbalanced(span, message, help.to_owned());
    }
    if let Some((name, span)) = prepared.first() {
        let message = "this transaction is prepared but never committed: nothing of it would be in the database, and it would \
                       keep its locks";
        let help = format!("add COMMIT PREPARED {name} behind it, or write COMMIT instead");
        return unbalanced(*span, message, help);
    }
    Ok(())
}

/// COMMIT AND CHAIN begins another transaction at once.
fn chains(statement: &str) -> bool {
    let words: Vec<String> = statement
        .split_ascii_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    words.ends_with(&["and".to_owned(), "chain".to_owned()])
}

fn copy_from_stdin(text: &str, span: Span) -> ParseError {
    let message = "COPY … FROM stdin reads its rows from the client program, which a migration does not have";
    ParseError::new(ParseErrorKind::CopyFromStdin, text, span, message).with_help(COPY_HELP)
}

/// Turns the grammar's refusal into an error at the right place, by name where it is a known foreign body.
pub(super) fn explain(source: &Source<'_>, text: &str, error: GrammarError) -> ParseError {
    let at = error.offset.unwrap_or(0).min(text.len());
    let at = text.floor_char_boundary(at);
    if let Some(span) = copy_before(source.text, at) {
        return copy_from_stdin(text, span);
    }
    if text[at..].starts_with('\\') {
        let command = text[at..].split_whitespace().next().unwrap_or("\\");
        let message = format!("{command} is a command of psql; the server does not understand it");
        return ParseError::new(
            ParseErrorKind::MetaCommand,
            text,
            Span::new(at, at + command.len()),
            message,
        )
        .with_help("migrations hold SQL only: remove the line, or put what it included into the file");
    }
    ParseError::new(
        ParseErrorKind::Syntax,
        text,
        error_span(source, text, at),
        error.message,
    )
}

/// The token at which the grammar stopped; at the end of the text the last character that counts.
fn error_span(source: &Source<'_>, text: &str, at: usize) -> Span {
    match source.tokens.get(source.token_at(at)) {
        Some(token) if offset(token.start) == at => Span::new(at, offset(token.end)),
        _ => {
            let rest = text[at..].chars().next().map_or(0, char::len_utf8);
            Span::new(at, at + rest)
        }
    }
}

/// A COPY FROM stdin whose data the grammar ran into: the statement that ends before `at`.
fn copy_before(text: &str, at: usize) -> Option<Span> {
    let mut end = at;
    // The data may hold semicolons of its own, so look behind more than one.
    for _ in 0..20 {
        end = text[..end].rfind(';')?;
        if let Ok(tree) = grammar::tree(&text[..end]) {
            let last = tree.stmts.last()?;
            let is_copy = matches!(
                super::names::boxed(last.stmt.as_deref()),
                Some(pg_query::NodeEnum::CopyStmt(copy)) if super::rows::from_stdin(copy)
            );
            let start = offset(last.stmt_location);
            let lead = text[start..end].len() - text[start..end].trim_start().len();
            return is_copy.then(|| Span::new(start + lead, end));
        }
    }
    None
}
