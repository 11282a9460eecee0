//! Why a throwaway database could not be had.

use std::fmt;

/// Why a throwaway database could not be had; the text says what to do.
#[derive(Debug, Clone)]
pub struct SupportError(String);

impl SupportError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    pub(crate) fn io(doing: &str, error: &std::io::Error) -> Self {
        Self(format!("{doing}: {error}"))
    }
}

impl fmt::Display for SupportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SupportError {}
