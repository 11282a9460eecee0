//! Writing names and strings so that the server reads exactly them.

use crate::name::Dialect;

/// `name` as an identifier, quoted only where it has to be.
pub fn identifier(_dialect: Dialect, name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
