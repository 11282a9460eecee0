//! Other people's queries, as they may be shown: without what may be a secret.

use tollgate_sql::Dialect;
use tollgate_sql::comment::block_length;

/// How much of a query is shown, in characters.
pub(crate) const SHOWN: usize = 100;

/// Stands between what we send along and the statement that is meant, in one message.
pub(crate) const FROM_HERE: &str = "/*tollgate*/";

/// A query on one line of at most `width` characters, with `?` for every string and number, without comments and without
/// what stands before [`FROM_HERE`]. The server cuts long queries off in the middle, so a string without an end counts as
/// one.
pub(crate) fn excerpt(query: &str, width: usize) -> String {
    let text = without_literals(query);
    match text.char_indices().nth(width.saturating_sub(1)) {
        Some((at, last)) if at + last.len_utf8() < text.len() => format!("{}…", text[..at].trim_end()),
        _ => text,
    }
}

fn without_literals(query: &str) -> String {
    let mut out = String::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with(FROM_HERE) {
            out.clear();
        }
        let (taken, shown) = piece(rest, first, out.chars().next_back());
        // A run of blanks, or a comment between two, is one blank.
        if shown == Shown::Blank {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if shown == Shown::Hidden {
            out.push('?');
        } else {
            out.push_str(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    out.truncate(out.trim_end().len());
    out
}

#[derive(PartialEq)]
enum Shown {
    AsItIs,
    Hidden,
    Blank,
}

/// How many bytes belong together at the start of `rest`, and what is shown of them.
fn piece(rest: &str, first: char, before: Option<char>) -> (usize, Shown) {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
    match first {
        c if c.is_whitespace() => (c.len_utf8(), Shown::Blank),
        '-' if rest.starts_with("--") => (rest.find('\n').unwrap_or(rest.len()), Shown::Blank),
        '/' if rest.starts_with("/*") => (block_length(Dialect::Postgres, rest), Shown::Blank),
        '\'' => (string(rest, false), Shown::Hidden),
        'e' | 'E' if !in_word && rest[1..].starts_with('\'') => (1 + string(&rest[1..], true), Shown::Hidden),
        '"' => (identifier(rest), Shown::AsItIs),
        '$' if !in_word => match dollar(rest) {
            Some(length) => (length, Shown::Hidden),
            None => (1, Shown::AsItIs),
        },
        c if c.is_ascii_digit() && !in_word => {
            // The number of a parameter says nothing: `$1` stays.
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
            (end.unwrap_or(rest.len()), Shown::Hidden)
        }
        c => (c.len_utf8(), Shown::AsItIs),
    }
}

/// Length of a quoted text; two quotes inside stand for one, and a backslash may hide one.
fn string(text: &str, escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if escapes => drop(characters.next()),
            '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => drop(characters.next()),
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn identifier(text: &str) -> usize {
    text[1..].find('"').map_or(text.len(), |at| at + 2)
}

/// Length of `$tag$…$tag$`; `None` for a parameter.
fn dollar(text: &str) -> Option<usize> {
    let end = 1 + text[1..].find('$')?;
    let tag = &text[..=end];
    let named = tag[1..end].chars().all(|c| c.is_alphanumeric() || c == '_');
    if !named || tag[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let body = &text[tag.len()..];
    Some(body.find(tag).map_or(text.len(), |at| tag.len() + at + tag.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_survive() {
        let cases = [
            ("SELECT 1", "SELECT ?"),
            (
                "ALTER ROLE x PASSWORD 'sec''ret' VALID",
                "ALTER ROLE x PASSWORD ? VALID",
            ),
            ("SELECT E'a\\'secret', b", "SELECT ?, b"),
            ("DO $x$ secret $y$ $x$; SELECT $1", "DO ?; SELECT $1"),
            ("SELECT $$secret", "SELECT ?"),
            ("UPDATE t1 SET a = 4.5e3,\n\n b=x'ff'", "UPDATE t1 SET a = ?, b=x?"),
            (
                "SELECT /* se /* cr */ et */ a -- secret\nFROM \"T 1\"",
                "SELECT a FROM \"T 1\"",
            ),
            ("SELECT 'cut off in the midd", "SELECT ?"),
            ("INSERT INTO ü VALUES ('é')", "INSERT INTO ü VALUES (?)"),
            ("BEGIN;/*tollgate*/DROP TABLE a\n;COMMIT", "DROP TABLE a ;COMMIT"),
            ("SELECT '/*tollgate*/secret'", "SELECT ?"),
            ("", ""),
        ];
        for (query, shown) in cases {
            assert_eq!(without_literals(query), shown, "{query}");
        }
        for (query, width, shown) in [
            ("SELECT 1", 8, "SELECT ?"),
            ("SELECT a", 7, "SELECT…"),
            ("a b c d", 5, "a b…"),
        ] {
            assert_eq!(excerpt(query, width), shown, "{query}");
        }
    }
}
