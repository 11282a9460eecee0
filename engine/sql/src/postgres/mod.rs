//! PostgreSQL: the server's own grammar through `libpg_query`, and what its trees mean.
//!
//! One pass of the scanner and one of the grammar read a whole file; every span is then found among the tokens.

mod alter;
mod builtins;
mod columns;
mod expressions;
mod grammar;
mod indexes;
mod names;
mod objects;
mod other;
mod plpgsql;
mod reader;
mod rebuild;
mod refusals;
mod routines;
mod rows;
mod session;
mod source;
mod tables;
mod transactional;
mod type_statements;
mod types;
mod walk;

#[cfg(test)]
mod tests;

use crate::error::ParseError;
use crate::name::Dialect;
use crate::script::{Script, Statement};
use grammar::GrammarError;
use reader::Reader;
use source::Source;

/// The grammar's tree of a short text, as data; `None` where the grammar does not take it.
pub(crate) fn tree(text: &str) -> Option<serde_json::Value> {
    let source = Source::new(text, 0);
    let read = || serde_json::to_value(grammar::tree(text).ok()?).ok();
    grammar::with_room(&source.tokens, read)
}

/// See [`crate::parse`].
pub(crate) fn parse(text: &str) -> Result<Script, ParseError> {
    // The C side counts bytes with 32-bit signed numbers.
    if i32::try_from(text.len()).is_err() {
        return Err(ParseError::too_large(2));
    }
    let masked = without_byte_order_mark(text);
    let source = Source::new(&masked, 0);
    let statements = grammar::with_room(&source.tokens, || statements(&source))
        .map_err(|error| refusals::explain(&source, text, error))?;
    refusals::check(text, &statements)?;
    let mut script = Script {
        dialect: Dialect::Postgres,
        text: text.to_owned(),
        statements,
        changes: Vec::new(),
    };
    rebuild::recognise(&mut script);
    Ok(script)
}

/// See [`crate::defines`].
pub(crate) fn defines(text: &str) -> bool {
    // What nests deeply needs more room than there may be.
    if text.len() > SHORT {
        return false;
    }
    let definition = |start: usize| {
        let mut words = text.get(start..).unwrap_or_default().split_ascii_whitespace();
        let mut next = |wanted: &[&str]| words.next().is_some_and(|word| wanted.contains(&word));
        next(&["ALTER", "COMMENT", "CREATE", "DROP"]) && next(&OBJECTS)
    };
    let starts = grammar::starts(text).unwrap_or_default();
    !starts.is_empty() && starts.into_iter().all(definition)
}

/// The longest text that [`defines`] looks at, in bytes.
const SHORT: usize = 2_000;

/// The words behind ALTER, CREATE, DROP and COMMENT of which it is certain that nothing is run.
const OBJECTS: [&str; 8] = ["COLUMN", "INDEX", "ON", "SEQUENCE", "TABLE", "TYPE", "UNIQUE", "VIEW"];

/// The grammar takes a byte order mark for a letter; blanks of the same width keep every offset.
fn without_byte_order_mark(text: &str) -> std::borrow::Cow<'_, str> {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => format!("   {rest}").into(),
        None => text.into(),
    }
}

/// Every statement of `source` with what it does.
fn statements(source: &Source<'_>) -> Result<Vec<Statement>, GrammarError> {
    let tree = grammar::tree(source.text)?;
    let mut statements = Vec::with_capacity(tree.stmts.len());
    for raw in &tree.stmts {
        let Some(node) = names::boxed(raw.stmt.as_deref()) else {
            continue;
        };
        let start = source::offset(raw.stmt_location);
        let end = match source::offset(raw.stmt_len) {
            0 => source.text.len(),
            length => start + length,
        };
        let range = (source.token_at(start), source.token_at(end));
        let mut reader = Reader::new(source, range);
        reader.read(node);
        statements.push(Statement {
            index: statements.len(),
            span: source.span(range),
            transactional: reader.transactional && transactional::transactional(node),
            effects: reader.effects,
            part_of: None,
        });
    }
    Ok(statements)
}
