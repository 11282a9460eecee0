//! Transaction control: what a statement asks for, and whether the file closes what it opens.

use syntaqlite::nodes::{SavepointOp, SavepointStmt, TransactionOp, TransactionStmt};

use crate::error::{ParseError, ParseErrorKind};
use crate::operation::{Operation, TransactionControl};
use crate::script::{Span, Statement};

use super::tree::Tree;

/// BEGIN, COMMIT, END, ROLLBACK.
pub(super) fn transaction(statement: TransactionStmt<'_>) -> Operation {
    Operation::Transaction(match statement.op() {
        TransactionOp::Begin => TransactionControl::Begin,
        TransactionOp::Commit | TransactionOp::End => TransactionControl::Commit,
        TransactionOp::Rollback => TransactionControl::Rollback,
    })
}

/// SAVEPOINT, RELEASE, ROLLBACK TO.
pub(super) fn savepoint<'a>(tree: Tree<'a>, statement: SavepointStmt<'a>) -> Operation {
    let name = statement
        .savepoint_name()
        .map(|name| tree.name(name))
        .unwrap_or_default();
    Operation::Transaction(match statement.op() {
        SavepointOp::Savepoint => TransactionControl::Savepoint(name),
        SavepointOp::Release => TransactionControl::Release(name),
        SavepointOp::RollbackTo => TransactionControl::RollbackTo(name),
    })
}

/// What is open at some point of a file.
#[derive(Default)]
struct Open {
    transaction: Option<Span>,
    savepoints: Vec<(String, Span)>,
}

/// Refuses a file that leaves a transaction open (all its work would be lost) or closes one it has not opened.
pub(super) fn check_balance(text: &str, statements: &[Statement]) -> Result<(), ParseError> {
    let mut open = Open::default();
    for statement in statements {
        for effect in &statement.effects {
            if let Operation::Transaction(control) = &effect.operation {
                follow(&mut open, control, statement.span)
                    .map_err(|message| unbalanced(text, statement.span, message))?;
            }
        }
    }
    if let Some(span) = open.transaction {
        return Err(
            unbalanced(text, span, "BEGIN without a COMMIT: everything after it would be lost").with_help(
                "end the file with COMMIT, or leave BEGIN out: the statements run in one transaction anyway",
            ),
        );
    }
    if let Some((_, span)) = open.savepoints.first() {
        return Err(unbalanced(
            text,
            *span,
            "SAVEPOINT without a RELEASE: everything after it would be lost",
        ));
    }
    Ok(())
}

fn follow(open: &mut Open, control: &TransactionControl, span: Span) -> Result<(), &'static str> {
    let inside = open.transaction.is_some() || !open.savepoints.is_empty();
    match control {
        TransactionControl::Begin if inside => {
            return Err("BEGIN inside a transaction that the file has begun already");
        }
        TransactionControl::Begin => open.transaction = Some(span),
        TransactionControl::Commit if !inside => return Err("COMMIT without a BEGIN"),
        TransactionControl::Rollback if !inside => return Err("ROLLBACK without a BEGIN"),
        TransactionControl::Commit | TransactionControl::Rollback => *open = Open::default(),
        TransactionControl::Savepoint(name) => open.savepoints.push((name.clone(), span)),
        TransactionControl::Release(name) => {
            let at = position(open, name).ok_or("RELEASE of a savepoint that the file has not set")?;
            open.savepoints.truncate(at);
        }
        TransactionControl::RollbackTo(name) => {
            let at = position(open, name).ok_or("ROLLBACK TO a savepoint that the file has not set")?;
            open.savepoints.truncate(at + 1);
        }
        TransactionControl::Prepared => {}
    }
    Ok(())
}

/// The innermost savepoint of that name.
fn position(open: &Open, name: &str) -> Option<usize> {
    open.savepoints
        .iter()
        .rposition(|(open, _)| open.eq_ignore_ascii_case(name))
}

fn unbalanced(text: &str, span: Span, message: &str) -> ParseError {
    ParseError::new(ParseErrorKind::UnbalancedTransaction, text, span, message)
}
