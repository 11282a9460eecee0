//! Whether a file closes the transaction that it opens.

use crate::error::{ParseError, ParseErrorKind};
use crate::operation::{Operation, TransactionControl};
use crate::script::{Span, Statement};

/// Refuses a file that leaves a transaction open: all its work would be lost. A change of the schema commits by itself.
pub(super) fn check(text: &str, statements: &[Statement]) -> Result<(), ParseError> {
    let mut open: Option<Span> = None;
    for statement in statements {
        if !statement.transactional {
            open = None;
        }
        for effect in &statement.effects {
            match &effect.operation {
                Operation::Transaction(TransactionControl::Begin) => open = Some(statement.span),
                Operation::Transaction(TransactionControl::Commit | TransactionControl::Rollback) => {
                    open = chains(statement.span.of(text)).then_some(statement.span);
                }
                // XA, and what cannot be followed: it may have ended it.
                Operation::Transaction(TransactionControl::Prepared) | Operation::Dynamic { .. } => open = None,
                _ => {}
            }
        }
    }
    let Some(span) = open else { return Ok(()) };
    let message = "this transaction is begun but never committed: the server would throw its changes away";
    Err(
        ParseError::new(ParseErrorKind::UnbalancedTransaction, text, span, message)
            .with_help("add COMMIT at the end, or leave the transaction out"),
    )
}

/// COMMIT AND CHAIN begins another transaction at once.
fn chains(statement: &str) -> bool {
    let mut words = statement.split_ascii_whitespace().rev();
    let (last, before) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    last.eq_ignore_ascii_case("chain") && before.eq_ignore_ascii_case("and")
}
