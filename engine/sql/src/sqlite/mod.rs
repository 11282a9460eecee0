//! `SQLite`: its own grammar through `syntaqlite`.
//!
//! This module cuts the text into statements and turns the parser's complaints into ours. What a statement does is read
//! by the modules below it, one for each family of statements; `rebuild` then recognises the table rebuilds.

mod alter;
mod expression;
mod pragma;
mod rebuild;
mod rows;
mod statement;
mod table;
mod transaction;
mod tree;

#[cfg(test)]
mod tests;

use syntaqlite::any::AnyNodeTag;
use syntaqlite::parse::ParserConfig;
use syntaqlite::source::{StmtLen, StmtOffset};
use syntaqlite::typed::{Dialect as Grammar, ParseOutcome, TypedParseError, TypedParser, dialect};
use syntaqlite::util::{SqliteSyntaxFlag, SqliteSyntaxFlags};

use crate::error::{ParseError, ParseErrorKind};
use crate::name::Dialect;
use crate::script::{Script, Span};

use self::tree::Tree;

/// Reads a script for `SQLite`.
pub(crate) fn parse(text: &str) -> Result<Script, ParseError> {
    refuse_unreadable(text)?;
    let config = ParserConfig::default()
        .with_collect_tokens(true)
        .with_collect_node_extents(true);
    let nodes = dialect().into_raw();
    let fields = |tag: AnyNodeTag, name: &str| {
        nodes
            .field_meta(tag)
            .position(|field| field.name() == name)
            .and_then(|index| u8::try_from(index).ok())
    };
    let parser = TypedParser::with_config(grammar(), &config);
    let mut session = parser.parse(text);
    let mut statements = Vec::new();
    let mut copies = Vec::new();
    loop {
        match session.next() {
            ParseOutcome::Ok(parsed) => {
                let parsed = parsed.erase();
                let tree = Tree::new(&parsed, &fields, text);
                if let Some(read) = statement::read(tree, statements.len()) {
                    statements.push(read.statement);
                    copies.push(read.copy);
                }
            }
            ParseOutcome::Err(error) => return Err(refusal(text, &error)),
            ParseOutcome::Done => break,
        }
    }
    transaction::check_balance(text, &statements)?;
    let changes = rebuild::recognise(&mut statements, &copies);
    Ok(Script {
        dialect: Dialect::Sqlite,
        text: text.to_owned(),
        statements,
        changes,
    })
}

/// The grammar with everything on that some build of `SQLite` understands: a server that lacks it says so itself.
fn grammar() -> Grammar {
    let flags = SqliteSyntaxFlags::default()
        .with(SqliteSyntaxFlag::EnableUpdateDeleteLimit)
        .with(SqliteSyntaxFlag::EnableOrderedSetAggregates);
    dialect().with_cflags(flags)
}

/// Refuses text that the library would not read to its end.
fn refuse_unreadable(text: &str) -> Result<(), ParseError> {
    if u32::try_from(text.len()).is_err() {
        return Err(ParseError::too_large(4));
    }
    match text.find('\0') {
        Some(at) => {
            let message = "the script holds a NUL character, where SQLite stops reading";
            Err(ParseError::new(
                ParseErrorKind::Syntax,
                text,
                Span::new(at, at + 1),
                message,
            ))
        }
        None => Ok(()),
    }
}

/// The parser's complaint as an error of ours, at its place in the whole script.
fn refusal(text: &str, error: &TypedParseError<'_, Grammar>) -> ParseError {
    let base = StmtOffset::from_raw(0).to_doc(error.statement_base()).as_usize();
    // Without a place the text ended too early: point behind its last character.
    let offset = error
        .offset()
        .map_or(error.text().as_str().trim_end().len(), StmtOffset::as_usize);
    let start = base + offset;
    let start = text.floor_char_boundary(start.min(text.len()));
    let length = error.length().map_or(0, StmtLen::as_usize);
    let end = text.ceil_char_boundary((start + length).min(text.len()));
    let span = Span::new(start, end);
    if let Some(command) = dot_command(text, start) {
        let message = format!("`{command}` is a command of the sqlite3 shell, not SQL");
        let span = Span::new(start, start + command.len());
        return ParseError::new(ParseErrorKind::MetaCommand, text, span, message)
            .with_help("write what it does as SQL, or run it by hand; a migration holds only SQL");
    }
    let message = error.message().trim_end_matches('.').to_owned();
    let message = if message.is_empty() {
        "syntax error".to_owned()
    } else {
        message
    };
    ParseError::new(ParseErrorKind::Syntax, text, span, message)
}

/// The shell command that starts at `at`, when nothing but white space stands before it in its line.
fn dot_command(text: &str, at: usize) -> Option<&str> {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    if !text[line_start..at].trim().is_empty() {
        return None;
    }
    let rest = text[at..].strip_prefix('.')?;
    let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    (length > 0).then(|| &text[at..=at + length])
}
