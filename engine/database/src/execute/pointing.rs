//! Where in a statement an error is.

use tollgate_sql::Span;

/// `SQLite` gives no position, PostgreSQL not always. Where the message names something that the statement has exactly
/// once, that is the place: `no such column: x`, `near "x": syntax error`, `table "x" does not exist`.
pub(super) fn named(statement: &str, message: &str) -> Option<usize> {
    let name = match message.split_once('"') {
        Some((_, rest)) => rest.split_once('"')?.0,
        None => message.strip_prefix("no such ")?.split_once(": ")?.1,
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut places = statement.match_indices(name).map(|(at, _)| at).filter(|at| {
        let before = statement[..*at].chars().next_back();
        let after = statement[at + name.len()..].chars().next();
        !name.is_empty() && !before.is_some_and(is_word) && !after.is_some_and(is_word)
    });
    places.next().filter(|_| places.next().is_none())
}

/// The word at `start`, or one character where there is none.
pub(super) fn token(text: &str, start: usize, end: usize) -> Span {
    let start = text.floor_char_boundary(start.min(end));
    let rest = &text[start..end];
    let word = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '"'))
        .unwrap_or(rest.len());
    let length = if word > 0 {
        word
    } else {
        rest.chars().next().map_or(0, char::len_utf8)
    };
    Span::new(start, start + length)
}
