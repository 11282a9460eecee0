//! What the reader must hold on to, in tables of cases.
#![allow(clippy::unwrap_used, clippy::panic)]

mod acceptance;
mod alter;
mod create;
mod properties;
mod rows;
mod scripts;

use serde_json::Value;

use crate::script::Script;

fn script(text: &str) -> Script {
    super::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The error that a script is refused with: message, the text pointed at, line and column.
fn refusal(text: &str) -> String {
    let error = super::parse(text).expect_err(text);
    let (line, column) = (error.position.line, error.position.column);
    format!("{} at {line}:{column} `{}`", error.message, error.span.of(text))
}

/// What each statement does: one line an effect, with the words that say so and what the model has of it.
fn told(text: &str) -> String {
    let script = script(text);
    let mut lines = Vec::new();
    for statement in &script.statements {
        let kind = if statement.transactional {
            "may be rolled back"
        } else {
            "commits"
        };
        lines.push(format!("# {} ({kind})", first_words(statement.span.of(text))));
        for effect in &statement.effects {
            let perhaps = if effect.conditional { "perhaps " } else { "" };
            let whole = effect.span == statement.span;
            let clause = if whole {
                String::new()
            } else {
                format!("{} => ", effect.span.of(text))
            };
            let operation = serde_json::to_value(&effect.operation).unwrap();
            lines.push(format!("  {perhaps}{clause}{}", shown(&operation)));
        }
    }
    lines.join("\n")
}

fn first_words(statement: &str) -> String {
    let words: Vec<&str> = statement.split_whitespace().take(4).collect();
    words.join(" ")
}

/// JSON without what is empty and without quotes.
fn shown(value: &Value) -> String {
    let is_empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(all) => all.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(fields) => {
            let parts: Vec<String> = fields
                .iter()
                .filter(|(name, value)| !is_empty(value) && !matches!(name.as_str(), "definition" | "dimensions"))
                .map(|(name, value)| format!("{name} {}", shown(value)))
                .collect();
            match parts.as_slice() {
                [only] => only.clone(),
                _ => format!("{{{}}}", parts.join(", ")),
            }
        }
        Value::Array(all) => format!("[{}]", all.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
