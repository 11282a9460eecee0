//! `MySQL` and MariaDB.
//!
//! There is no parser to take that knows either server's whole grammar: `sqlparser` refuses a third of the statements in
//! `tests/accepted.sql`, all of which MariaDB runs, most forms of ALTER TABLE among them. So the script is cut by a scanner that works as theirs do (`scan`, `split`, `body`), and each
//! statement is read from its words: what it changes, clause by clause, where that can be told for certain. What is not
//! known here is opaque, not wrong. Only what no server can read is an error: a string, comment, name or bracket that is
//! never closed, a list with nothing between two commas, a misspelt verb, a command of the client.
//!
//! Nothing here is recursive over brackets or bodies, and every pass goes over the tokens once: neither deep nesting nor
//! length does harm.

mod alter;
mod balance;
mod body;
mod column;
mod create;
mod cursor;
mod drop;
mod effects;
mod expression;
mod key;
mod rows;
mod scan;
mod session;
mod spelling;
mod split;
mod statement;
mod table;
mod types;
mod verbs;

#[cfg(test)]
mod tests;

use crate::error::ParseError;
use crate::name::Dialect;
use crate::script::{Script, Statement};

/// Reads a script for `MySQL` or MariaDB.
pub(crate) fn parse(text: &str) -> Result<Script, ParseError> {
    if u32::try_from(text.len()).is_err() {
        return Err(ParseError::too_large(4));
    }
    let mut statements = Vec::new();
    split::split(text, |piece| {
        let effects = statement::effects(text, &piece)?;
        statements.push(Statement {
            index: statements.len(),
            span: piece.span,
            transactional: statement::transactional(text, &piece, &effects),
            effects,
            part_of: None,
        });
        Ok(())
    })?;
    balance::check(text, &statements)?;
    Ok(Script {
        dialect: Dialect::Mysql,
        text: text.to_owned(),
        statements,
        changes: Vec::new(),
    })
}
