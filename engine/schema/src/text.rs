//! Finding and replacing names inside SQL text that is kept as text: defaults, checks, predicates, view queries.
//!
//! This is a scanner, not a parser: it knows strings, comments and quoted identifiers, so that it never touches what
//! is not a name.

use tollgate_sql::comment::block_length;
use tollgate_sql::{Dialect, ObjectName};

/// A piece of SQL text that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub kind: TokenKind,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// An identifier or keyword, folded as the server does it; quoted ones cannot be keywords.
    Word { name: String, quoted: bool },
    /// A string constant: its content.
    Text(String),
    /// A number.
    Number,
    /// One character of anything else; `::` is one token.
    Symbol,
}

impl Token {
    /// The identifier's name, when it is one.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether it is this keyword (not quoted, any case).
    pub fn is_keyword(&self, keyword: &str) -> bool {
        matches!(&self.kind, TokenKind::Word { name, quoted: false } if name.eq_ignore_ascii_case(keyword))
    }

    /// Whether it is this symbol of `text`.
    pub fn is_symbol(&self, text: &str, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && &text[self.start..self.end] == symbol
    }
}

/// The tokens of `text`, comments and white space left out.
pub(crate) fn tokens(dialect: Dialect, text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let first = rest.chars().next().unwrap_or(' ');
        let (length, kind) = match first {
            _ if rest.starts_with("--") => (rest.find('\n').map_or(rest.len(), |end| end + 1), None),
            _ if rest.starts_with("/*") => (block_length(dialect, rest), None),
            '\'' => {
                let (length, content) = quoted(rest, '\'', dialect == Dialect::Mysql);
                (length, Some(TokenKind::Text(content)))
            }
            '"' if dialect == Dialect::Mysql => {
                let (length, content) = quoted(rest, '"', true);
                (length, Some(TokenKind::Text(content)))
            }
            '"' => {
                let (length, name) = quoted(rest, '"', false);
                (length, Some(TokenKind::Word { name, quoted: true }))
            }
            '`' if dialect != Dialect::Postgres => {
                let (length, name) = quoted(rest, '`', false);
                (length, Some(TokenKind::Word { name, quoted: true }))
            }
            '[' if dialect == Dialect::Sqlite => {
                let length = rest.find(']').map_or(rest.len(), |end| end + 1);
                let name = rest[1..length].trim_end_matches(']').to_owned();
                (length, Some(TokenKind::Word { name, quoted: true }))
            }
            'e' | 'E' if dialect == Dialect::Postgres && rest[1..].starts_with('\'') => {
                let (length, content) = quoted(&rest[1..], '\'', true);
                (length + 1, Some(TokenKind::Text(content)))
            }
            '$' if dialect == Dialect::Postgres && dollar_tag(rest).is_some() => {
                let tag = dollar_tag(rest).unwrap_or_default();
                let body = &rest[tag.len()..];
                let end = body.find(tag).unwrap_or(body.len());
                (
                    (tag.len() + end + tag.len()).min(rest.len()),
                    Some(TokenKind::Text(body[..end].to_owned())),
                )
            }
            _ if is_name_start(first) => {
                let length = rest.find(|c: char| !is_name_part(c)).unwrap_or(rest.len());
                let written = &rest[..length];
                let name = if dialect == Dialect::Postgres {
                    written.to_lowercase()
                } else {
                    written.to_owned()
                };
                (length, Some(TokenKind::Word { name, quoted: false }))
            }
            _ if first.is_ascii_digit() => {
                let length = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
                    .unwrap_or(rest.len());
                (length, Some(TokenKind::Number))
            }
            _ if first.is_whitespace() => (first.len_utf8(), None),
            _ if rest.starts_with("::") => (2, Some(TokenKind::Symbol)),
            _ => (first.len_utf8(), Some(TokenKind::Symbol)),
        };
        if let Some(kind) = kind {
            found.push(Token {
                start: at,
                end: at + length,
                kind,
            });
        }
        at += length;
    }
    found
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_ascii_digit() || c == '$'
}

/// The `$tag$` at the start of `text`.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 1;
    let inner = &text[1..end];
    let valid = inner.chars().all(is_name_part) && !inner.starts_with(|c: char| c.is_ascii_digit());
    valid.then(|| &text[..=end])
}

/// Length and content of the quoted piece at the start of `text`.
fn quoted(text: &str, quote: char, backslash: bool) -> (usize, String) {
    let mut content = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
                content.push(quote);
                continue;
            }
            return (at + c.len_utf8(), content);
        }
        if c == '\\' && backslash {
            if let Some((_, escaped)) = chars.next() {
                content.push(escaped);
            }
            continue;
        }
        content.push(c);
    }
    (text.len(), content)
}

fn same(dialect: Dialect, left: &str, right: &str) -> bool {
    crate::context::Folding(dialect).same(left, right)
}

/// `text` with the given byte ranges replaced; the ranges ascend and do not overlap.
pub(crate) fn splice(text: &str, edits: &[(usize, usize, String)]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end, replacement) in edits {
        result.push_str(&text[at..*start]);
        result.push_str(replacement);
        at = *end;
    }
    result.push_str(&text[at..]);
    result
}

/// Indexes of the tokens that name `column` as a column, bare or behind `table`'s name.
fn column_tokens(dialect: Dialect, text: &str, found: &[Token], table: &str, column: &str) -> Vec<usize> {
    let symbol = |at: Option<usize>, wanted: &str| {
        at.and_then(|at| found.get(at))
            .is_some_and(|token| token.is_symbol(text, wanted))
    };
    (0..found.len())
        .filter(|&at| {
            found[at].name().is_some_and(|name| same(dialect, name, column))
                && !symbol(Some(at + 1), "(")
                && !symbol(Some(at + 1), ".")
                && !symbol(at.checked_sub(1), "::")
                && (!symbol(at.checked_sub(1), ".")
                    || at
                        .checked_sub(2)
                        .and_then(|at| found[at].name())
                        .is_some_and(|name| same(dialect, name, table)))
        })
        .collect()
}

/// Whether `text` names `column`.
pub(crate) fn mentions_column(dialect: Dialect, text: &str, table: &str, column: &str) -> bool {
    // A scan costs more than a search, and most texts do not even contain the letters.
    contains_letters(text, column) && !column_tokens(dialect, text, &tokens(dialect, text), table, column).is_empty()
}

fn contains_letters(text: &str, name: &str) -> bool {
    text.contains(name) || (!text.is_empty() && text.to_ascii_lowercase().contains(&name.to_ascii_lowercase()))
}

/// `text` with column `from` of `table` called `to`; `None` when it does not name it.
pub(crate) fn rename_column(dialect: Dialect, text: &str, table: &str, from: &str, to: &str) -> Option<String> {
    if !contains_letters(text, from) {
        return None;
    }
    let found = tokens(dialect, text);
    let edits: Vec<_> = column_tokens(dialect, text, &found, table, from)
        .into_iter()
        .map(|at| (found[at].start, found[at].end, dialect.quote_if_needed(to)))
        .collect();
    (!edits.is_empty()).then(|| splice(text, &edits))
}

/// Whether `text` names `object` (a relation, function or type), bare or with its schema. A bare name matches whatever
/// its schema, so this errs on the side of finding.
pub(crate) fn mentions_object(dialect: Dialect, text: &str, object: &ObjectName) -> bool {
    contains_letters(text, &object.name) && !object_tokens(dialect, text, &tokens(dialect, text), object).is_empty()
}

/// First and last token of every place that names `object`.
fn object_tokens(dialect: Dialect, text: &str, found: &[Token], object: &ObjectName) -> Vec<(usize, usize)> {
    let dot = |at: usize| found.get(at).is_some_and(|token| token.is_symbol(text, "."));
    let mut places = Vec::new();
    for at in 0..found.len() {
        if !found[at].name().is_some_and(|name| same(dialect, name, &object.name)) {
            continue;
        }
        if at >= 2 && dot(at - 1) {
            let qualifier = found[at - 2].name();
            if qualifier.is_some() && object.schema.as_deref() == qualifier {
                places.push((at - 2, at));
            }
            continue;
        }
        places.push((at, at));
    }
    places
}

/// `text` with the object `from` called `to`; a schema is written where one was written or `to` needs it
/// (`qualify`). `None` when it does not name it.
pub(crate) fn rename_object(
    dialect: Dialect,
    text: &str,
    from: &ObjectName,
    to: &ObjectName,
    qualify: bool,
) -> Option<String> {
    if !contains_letters(text, &from.name) {
        return None;
    }
    let found = tokens(dialect, text);
    let edits: Vec<_> = object_tokens(dialect, text, &found, from)
        .into_iter()
        .map(|(first, last)| {
            let name = if first != last || qualify {
                to.sql(dialect)
            } else {
                dialect.quote_if_needed(&to.name)
            };
            (found[first].start, found[last].end, name)
        })
        .collect();
    (!edits.is_empty()).then(|| splice(text, &edits))
}

/// `text` with the relation `from` called `to` inside string constants that are cast to `regclass`, as `nextval` has
/// them. `None` when there is none.
pub(crate) fn rename_regclass(text: &str, from: &ObjectName, to: &ObjectName, qualify: bool) -> Option<String> {
    let dialect = Dialect::Postgres;
    let found = tokens(dialect, text);
    let edits: Vec<_> = found
        .iter()
        .filter_map(|token| {
            let TokenKind::Text(content) = &token.kind else {
                return None;
            };
            let (schema, name) = parse_name(content)?;
            if name != from.name || (schema.is_some() && schema != from.schema) {
                return None;
            }
            let renamed = if qualify {
                to.sql(dialect)
            } else {
                dialect.quote_if_needed(&to.name)
            };
            Some((token.start, token.end, format!("'{}'", renamed.replace('\'', "''"))))
        })
        .collect();
    (!edits.is_empty()).then(|| splice(text, &edits))
}

/// Whether a string constant in `text` names the relation `object`.
pub(crate) fn mentions_regclass(text: &str, object: &ObjectName) -> bool {
    text.contains(&object.name)
        && tokens(Dialect::Postgres, text).iter().any(|token| match &token.kind {
            TokenKind::Text(content) => parse_name(content)
                .is_some_and(|(schema, name)| name == object.name && (schema.is_none() || schema == object.schema)),
            _ => false,
        })
}

/// `"S".name` as schema and name.
fn parse_name(text: &str) -> Option<(Option<String>, String)> {
    let found = tokens(Dialect::Postgres, text);
    match found.as_slice() {
        [name] => Some((None, name.name()?.to_owned())),
        [schema, dot, name] if dot.is_symbol(text, ".") => {
            Some((Some(schema.name()?.to_owned()), name.name()?.to_owned()))
        }
        _ => None,
    }
}

/// A list of names as `SET search_path` takes it.
pub(crate) fn name_list(text: &str) -> Vec<String> {
    tokens(Dialect::Postgres, text)
        .into_iter()
        .filter_map(|token| match token.kind {
            TokenKind::Word { name, .. } | TokenKind::Text(name) => Some(name),
            _ => None,
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// An expression without white space around it and without parentheses around the whole of it.
pub(crate) fn bare(text: &str) -> &str {
    let mut text = text.trim();
    while text.starts_with('(') && text.ends_with(')') {
        let found = tokens(Dialect::Postgres, text);
        let mut depth = 0_usize;
        let closes = found.iter().position(|token| {
            if token.is_symbol(text, "(") {
                depth += 1;
            } else if token.is_symbol(text, ")") {
                depth = depth.saturating_sub(1);
            }
            depth == 0
        });
        if closes != Some(found.len() - 1) {
            break;
        }
        text = text[1..text.len() - 1].trim();
    }
    text
}

/// First and last token of every place where `object` is the type of a cast: behind `::` or `AS` in `CAST(…)`.
fn cast_tokens(dialect: Dialect, text: &str, object: &ObjectName) -> Vec<(usize, usize)> {
    let found = tokens(dialect, text);
    let places = object_tokens(dialect, text, &found, object)
        .into_iter()
        .filter(|(first, _)| {
            first
                .checked_sub(1)
                .is_some_and(|before| found[before].is_symbol(text, "::") || found[before].is_keyword("as"))
        });
    places
        .map(|(first, last)| (found[first].start, found[last].end))
        .collect()
}

/// Whether `text` casts something to the type `object`.
pub(crate) fn mentions_cast(dialect: Dialect, text: &str, object: &ObjectName) -> bool {
    contains_letters(text, &object.name) && !cast_tokens(dialect, text, object).is_empty()
}

/// `text` with casts to `from` made casts to `to`; `None` when there is none.
pub(crate) fn rename_cast(
    dialect: Dialect,
    text: &str,
    from: &ObjectName,
    to: &ObjectName,
    qualify: bool,
) -> Option<String> {
    if !contains_letters(text, &from.name) {
        return None;
    }
    let name = if qualify {
        to.sql(dialect)
    } else {
        dialect.quote_if_needed(&to.name)
    };
    let edits: Vec<_> = cast_tokens(dialect, text, from)
        .into_iter()
        .map(|(start, end)| (start, end, name.clone()))
        .collect();
    (!edits.is_empty()).then(|| splice(text, &edits))
}
