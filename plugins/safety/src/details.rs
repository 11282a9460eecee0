//! What an operation without a case of its own says besides: JSON in the contract.

use serde_json::Value;
use tollgate_plugin::OtherOperation;

/// A detail as text; flags are `true` or `false`.
pub(crate) fn text(operation: &OtherOperation, name: &str) -> Option<String> {
    let details: Value = serde_json::from_str(&operation.details).ok()?;
    match details.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// An option that is named and not switched off.
pub(crate) fn flag(operation: &OtherOperation, name: &str) -> bool {
    text(operation, name).is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "off" | "0"))
}
