//! SQL's words, read as PostgreSQL does.

pub(crate) use tollgate_plugin::rules::tokens::{Kind, Token, at_top, bare, split, until};

use tollgate_plugin::Dialect;
use tollgate_plugin::rules::tokens;

/// All tokens of a text; white space and comments are left out.
pub(crate) fn read(text: &str) -> Vec<Token<'_>> {
    tokens::read(text, Dialect::Postgres)
}

/// The first token of a text.
pub(crate) fn first(text: &str) -> Option<Token<'_>> {
    tokens::first(text, Dialect::Postgres)
}
