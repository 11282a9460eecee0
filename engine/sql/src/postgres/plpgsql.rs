//! What a PL/pgSQL body runs, from libpg_query's JSON of it.

use pg_query::NodeEnum;
use serde_json::Value;

use super::expressions::constant_string;
use super::grammar;
use super::names::{boxed, inner};
use super::reader::nested;
use super::source::Source;
use crate::operation::Operation;
use crate::script::{Effect, Span};

/// One thing a body does, in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// An SQL statement as written (INTO and variables included).
    Sql(String),
    /// An expression that is evaluated: a condition, an assignment, PERFORM. Only the calls in it matter.
    Call(String),
    /// EXECUTE of this expression.
    Dynamic(String),
    /// COMMIT or ROLLBACK.
    TransactionControl,
}

impl Found {
    /// What it does; spans are within the text of [`Found::Sql`].
    pub(super) fn effects(&self) -> Vec<Effect> {
        match self {
            Self::Sql(text) => match nested(text) {
                Some(statements) => statements.into_iter().flat_map(|statement| statement.effects).collect(),
                None => dynamic(text),
            },
            Self::Call(text) => calls(text),
            Self::Dynamic(text) => match constant(text).as_deref().and_then(nested) {
                Some(statements) => statements.into_iter().flat_map(|statement| statement.effects).collect(),
                None => dynamic(text),
            },
            Self::TransactionControl => Vec::new(),
        }
    }
}

fn dynamic(text: &str) -> Vec<Effect> {
    let operation = Operation::Dynamic { text: text.to_owned() };
    vec![Effect {
        span: Span::new(0, text.len()),
        operation,
        conditional: true,
    }]
}

/// The functions called by an expression or by a query that PERFORM has made a SELECT.
fn calls(text: &str) -> Vec<Effect> {
    // Most expressions call nothing, and parsing is what costs.
    if !text.contains('(') {
        return Vec::new();
    }
    nested(text)
        .or_else(|| nested(&format!("SELECT {text}")))
        .map(|statements| statements.into_iter().flat_map(|statement| statement.effects).collect())
        .unwrap_or_default()
}

/// The string that EXECUTE would run, where it is known.
fn constant(expression: &str) -> Option<String> {
    let text = format!("SELECT {expression}");
    let source = Source {
        text: &text,
        tokens: grammar::tokens(&text),
    };
    let tree = grammar::with_room(&source.tokens, || grammar::tree(&text)).ok()?;
    let Some(NodeEnum::SelectStmt(select)) = boxed(tree.stmts.first()?.stmt.as_deref()) else {
        return None;
    };
    match select.target_list.as_slice() {
        [target] => match inner(target)? {
            NodeEnum::ResTarget(target) => constant_string(boxed(target.val.as_deref())?),
            _ => None,
        },
        _ => None,
    }
}

/// Everything the body of a CREATE FUNCTION or DO statement runs; `None` where it is not PL/pgSQL as we know it.
pub(super) fn read(statement: &str) -> Option<Vec<Found>> {
    let json = pg_query::parse_plpgsql(statement).ok()?;
    let functions = json.as_array()?;
    if functions.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    for function in functions {
        visit(function, &mut found);
    }
    Some(found)
}

fn visit(value: &Value, found: &mut Vec<Found>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                statement(key, field, found);
            }
        }
        _ => {}
    }
}

fn query(field: &Value, name: &str) -> Option<String> {
    Some(field.get(name)?.get("PLpgSQL_expr")?.get("query")?.as_str()?.to_owned())
}

/// Visits the fields of a statement but `skipped`.
fn rest(field: &Value, skipped: &str, found: &mut Vec<Found>) {
    for (key, value) in field.as_object().into_iter().flatten() {
        if key != skipped {
            statement(key, value, found);
        }
    }
}

fn statement(key: &str, field: &Value, found: &mut Vec<Found>) {
    match key {
        "PLpgSQL_stmt_execsql" => {
            found.extend(query(field, "sqlstmt").map(Found::Sql));
        }
        "PLpgSQL_stmt_dynexecute" | "PLpgSQL_stmt_dynfors" => {
            found.extend(query(field, "query").map(Found::Dynamic));
            rest(field, "query", found);
        }
        "PLpgSQL_stmt_fors" => {
            found.extend(query(field, "query").map(Found::Sql));
            rest(field, "query", found);
        }
        "PLpgSQL_stmt_return_query" => {
            found.extend(query(field, "query").map(Found::Sql));
            found.extend(query(field, "dynquery").map(Found::Dynamic));
        }
        "PLpgSQL_stmt_call" => {
            found.extend(query(field, "expr").map(Found::Sql));
        }
        "PLpgSQL_stmt_open" => {
            found.extend(query(field, "query").map(Found::Sql));
            found.extend(query(field, "dynquery").map(Found::Dynamic));
        }
        "PLpgSQL_stmt_commit" | "PLpgSQL_stmt_rollback" => found.push(Found::TransactionControl),
        "PLpgSQL_expr" => {
            found.extend(
                field
                    .get("query")
                    .and_then(Value::as_str)
                    .map(|text| Found::Call(text.to_owned())),
            );
        }
        _ => visit(field, found),
    }
}
