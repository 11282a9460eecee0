//! Whether two texts of which one is a script's and the other a server's say the same.

use tollgate_sql::Dialect;
use tollgate_sql::canonical::{Fragment, canonical};

use super::Place;
use crate::text::{Token, TokenKind, tokens};

/// A form of the expression in which the words of a script and those of a server are usually equal: for
/// [`super::Options::normalise`]. On `SQLite` both have the script's words.
pub fn in_other_words(dialect: Dialect, place: Place<'_>, text: &str) -> String {
    let fragment = match place {
        Place::Exclusion { .. } => Fragment::Exclusion,
        _ => Fragment::Expression,
    };
    let form = if dialect == Dialect::Postgres {
        canonical(text, fragment)
    } else {
        None
    };
    form.unwrap_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether two texts are the same but for white space, and for quotes around names, which `SQLite` adds where it renames
/// something in a text.
pub(super) fn same_tokens(dialect: Dialect, one: &str, other: &str) -> bool {
    let forms = |text: &str| -> Vec<String> {
        let found = tokens(dialect, text.trim_end().trim_end_matches(';'));
        let form = |token: &Token| match &token.kind {
            TokenKind::Word { name, .. } => name.to_ascii_lowercase(),
            _ => text[token.start..token.end].to_owned(),
        };
        found.iter().map(form).collect()
    };
    forms(one) == forms(other)
}

/// The same for a whole statement.
pub(super) fn same_statement(dialect: Dialect, one: &str, other: &str) -> bool {
    // A replay does not follow every rename inside the statements that SQLite keeps.
    if dialect != Dialect::Postgres {
        return true;
    }
    match (
        canonical(one, Fragment::Statement),
        canonical(other, Fragment::Statement),
    ) {
        (Some(one), Some(other)) => one == other,
        // What the grammar does not take is not held against anybody.
        _ => true,
    }
}
