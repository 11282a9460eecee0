//! PRAGMA: which of them set something, which only answer, and which `SQLite` refuses or ignores in a transaction.

use syntaqlite::nodes::{PragmaForm, PragmaStmt};

use crate::operation::{Operation, OtherOperation};

use super::tree::Tree;

/// Pragmas whose argument names what they tell about.
const QUERIES: &[&str] = &[
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "page_count",
    "pragma_list",
    "quick_check",
    "stats",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Pragmas that do something, with or without an argument.
const ACTIONS: &[&str] = &["incremental_vacuum", "optimize", "shrink_memory", "wal_checkpoint"];

/// Refused inside a transaction (`synchronous`, `wal_checkpoint`), without effect there (`foreign_keys`), or both
/// depending on the value (`journal_mode`).
const OUTSIDE_TRANSACTIONS: &[&str] = &["foreign_keys", "journal_mode", "synchronous", "wal_checkpoint"];

/// What the pragma does; `None` when it only answers.
pub(super) fn pragma<'a>(tree: Tree<'a>, pragma: PragmaStmt<'a>) -> Option<Operation> {
    let name = tree
        .identifier(pragma.node_id(), "pragma_name")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let value = tree.identifier(pragma.node_id(), "value");
    if ACTIONS.contains(&name.as_str()) {
        let mut details = vec![("name".to_owned(), name)];
        details.extend(value.map(|value| ("value".to_owned(), value)));
        return Some(Operation::Other(OtherOperation {
            tag: "pragma".to_owned(),
            objects: Vec::new(),
            details,
        }));
    }
    if pragma.pragma_form() == PragmaForm::Bare || QUERIES.contains(&name.as_str()) {
        return None;
    }
    Some(Operation::SetParameter {
        name,
        value,
        local: false,
        pragma: true,
    })
}

/// Whether the pragma of that name works inside a transaction as it does outside.
pub(super) fn works_in_transaction(name: &str) -> bool {
    !OUTSIDE_TRANSACTIONS.contains(&name)
}
