//! What a file says about how it wants to be run. No I/O.

use std::time::Duration;

use crate::execute::ExecuteOptions;

/// How a file wants to be run. What it leaves open is decided by [`ExecuteOptions`] and by what the server allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pragmas {
    /// Which statements are committed together.
    pub transactions: Option<Transactions>,
    /// How long each statement may take, also outside a transaction. Zero: no limit.
    pub statement_timeout: Option<Duration>,
    /// How long each statement may wait for a lock, also outside a transaction. Zero: no limit.
    pub lock_timeout: Option<Duration>,
}

/// Which statements of a file are committed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transactions {
    /// All of them, or the file is not run.
    Whole,
    /// None: each is committed by itself, together with the record of it where the server allows that.
    EachStatement,
}

impl Pragmas {
    /// The options of the run with what the file says in their place.
    pub(crate) fn over(self, options: &ExecuteOptions) -> ExecuteOptions {
        ExecuteOptions {
            lock_timeout: self.lock_timeout.or(options.lock_timeout),
            statement_timeout: self.statement_timeout.or(options.statement_timeout),
            ..options.clone()
        }
    }
}
