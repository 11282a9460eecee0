//! Names and values written into the few statements that cannot take parameters.

/// A quoted identifier.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal, for both dialects: of standard strings, which a server has on unless somebody has turned them off, and
/// which every session has on that is set up for a run.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
