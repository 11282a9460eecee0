//! What PostgreSQL statements come out as.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod alter;
mod indexes;
mod objects;
mod other;
mod rebuild;
mod refusals;
mod routines;
mod rows;
mod session;
mod spans;
mod tables;
mod transactional;
mod types;

use serde_json::Value;

use crate::Script;

fn read(sql: &str) -> Script {
    super::parse(sql).unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// One line a statement, one line an effect: the clause it points at, a `?` when it is conditional, and the operation
/// without its absent and empty fields.
fn shown(statements: &[&str]) -> String {
    let mut lines = Vec::new();
    for sql in statements {
        lines.push((*sql).to_owned());
        let script = read(sql);
        for statement in &script.statements {
            for effect in &statement.effects {
                let mark = if effect.conditional { "?" } else { "" };
                let at = if effect.span == statement.span {
                    String::new()
                } else {
                    format!(" «{}»", effect.span.of(&script.text))
                };
                let mut json = serde_json::to_value(&effect.operation).unwrap();
                prune(&mut json);
                lines.push(format!("  {mark}{}{at}", compact(&json)));
            }
        }
    }
    lines.join("\n")
}

/// Drops null, false, 0 and empty fields.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|_, field| {
                let empty_list = field.as_array().is_some_and(Vec::is_empty);
                !(field.is_null() || *field == Value::Bool(false) || field.as_u64() == Some(0) || empty_list)
            });
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// JSON with bare field names, because quotes inside quotes are hard to read.
fn compact(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            if let Some(text) = short(fields) {
                return text;
            }
            let fields = fields.iter().map(|(name, field)| match field {
                Value::Bool(true) => name.clone(),
                _ => format!("{name}={}", compact(field)),
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Names, types and expressions in one word.
fn short(fields: &serde_json::Map<String, Value>) -> Option<String> {
    if let Ok(name) = serde_json::from_value::<crate::ObjectName>(padded(fields, "schema", &Value::Null))
        && fields.keys().all(|key| key == "schema" || key == "name")
        && fields.contains_key("name")
    {
        return Some(name.sql(crate::Dialect::Postgres));
    }
    let expression = fields.get("text").and_then(Value::as_str);
    let volatility = fields.get("volatility").and_then(Value::as_str);
    if let (Some(text), Some(volatility)) = (expression, volatility) {
        let null = if fields.contains_key("is_null") { " null" } else { "" };
        let columns = fields.get("columns").map(compact).unwrap_or_default();
        return Some(format!("`{text}` {volatility}{null}{columns}"));
    }
    None
}

fn padded(fields: &serde_json::Map<String, Value>, name: &str, value: &Value) -> Value {
    let mut fields = fields.clone();
    fields.entry(name).or_insert_with(|| value.clone());
    Value::Object(fields)
}
