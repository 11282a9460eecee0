//! What the ledger is told when a script begins, and when.

/// Statements that record that a script begins.
#[derive(Debug, Clone)]
pub(crate) enum Opening {
    /// A transaction of its own, complete with BEGIN and COMMIT: written before anything else, so that a crash shows.
    Before(String),
    /// Part of the transaction that holds the whole script, where there is one: a crash leaves nothing, and nothing to
    /// recognise. Empty: the ledger has nothing to say.
    Within(String),
}

impl Opening {
    /// As a part of a message, before one that begins with BEGIN.
    pub(crate) fn before(&self) -> &str {
        match self {
            Self::Before(sql) => sql,
            Self::Within(_) => "",
        }
    }

    /// As a part of a message, after its BEGIN.
    pub(crate) fn within(&self) -> &str {
        match self {
            Self::Before(_) => "",
            Self::Within(sql) => sql,
        }
    }
}
