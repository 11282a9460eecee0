//! Rules about what works, until something unexpected happens.

mod autovacuum_disabled;
mod broad_grant;
mod extensions;
mod not_idempotent_outside_transaction;
mod rls_without_policy;
mod security_definer_search_path;
mod sequence_not_reset;
mod superuser_required;

use tollgate_plugin::OtherOperation;
use tollgate_plugin::rules::{Context, Rule, Step};

use crate::sql::{self, Token};

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    not_idempotent_outside_transaction::RULE,
    security_definer_search_path::RULE,
    rls_without_policy::RULE,
    broad_grant::RULE,
    superuser_required::RULE,
    sequence_not_reset::RULE,
    autovacuum_disabled::RULE,
];

/// The words of the clause that stand outside of names and strings.
fn words<'a>(context: &Context<'a>, step: &Step<'_>) -> Vec<Token<'a>> {
    sql::clause_tokens(context, step)
}

/// The words stand one behind the other, in brackets or not.
fn has(tokens: &[Token<'_>], words: &[&str]) -> bool {
    tokens
        .windows(words.len())
        .any(|window| window.iter().zip(words).all(|(token, word)| token.is(word)))
}

/// What an operation without a record of its own says besides.
fn details(operation: &OtherOperation) -> serde_json::Value {
    serde_json::from_str(&operation.details).unwrap_or_default()
}
