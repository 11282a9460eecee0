//! Expressions: their text, the columns they name, and whether they are the same for every row.

use syntaqlite::any::AnyNodeId;
use syntaqlite::nodes::{Expr, ExprList, FunctionCall, LiteralType, Node};

use crate::operation::{Expression, Volatility};

use super::tree::{Tree, items, without_duplicates};

/// Functions without side effects whose result depends on their arguments alone (in `SQLite`'s own library).
const PURE: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "ceil",
    "ceiling",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosh",
    "count",
    "degrees",
    "exp",
    "floor",
    "format",
    "glob",
    "group_concat",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_patch",
    "json_pretty",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_extract",
    "jsonb_group_array",
    "jsonb_group_object",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_patch",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    "length",
    "like",
    "likelihood",
    "likely",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "nullif",
    "octet_length",
    "pi",
    "pow",
    "power",
    "printf",
    "quote",
    "radians",
    "replace",
    "round",
    "rtrim",
    "sign",
    "sin",
    "sinh",
    "soundex",
    "sqlite_version",
    "sqrt",
    "string_agg",
    "substr",
    "substring",
    "subtype",
    "sum",
    "tan",
    "tanh",
    "total",
    "trim",
    "trunc",
    "typeof",
    "unhex",
    "unicode",
    "unistr",
    "unistr_quote",
    "unlikely",
    "upper",
    "zeroblob",
];

/// Date functions: pure with fixed arguments, the statement's time with none or with `'now'`.
const DATES: &[&str] = &[
    "date",
    "datetime",
    "julianday",
    "strftime",
    "time",
    "timediff",
    "unixepoch",
];

/// Functions that give another value at each call or depend on the connection.
const IMPURE: &[&str] = &["changes", "last_insert_rowid", "random", "randomblob", "total_changes"];

/// The expression as written.
pub(super) fn expression<'a>(tree: Tree<'a>, expr: Expr<'a>) -> Expression {
    let id: AnyNodeId = expr.node_id().into();
    let mut columns = Vec::new();
    let mut volatility = Volatility::Immutable;
    for node in tree.walk(id) {
        if let Node::ColumnRef(column) = node {
            columns.extend(
                tree.identifier(column.node_id(), "column")
                    .filter(|name| !is_truth(name)),
            );
        }
        volatility = volatility.less_stable(of_node(tree, node));
    }
    Expression {
        text: tree.expression_text(expr).to_owned(),
        is_null: is_null(expr),
        volatility,
        columns: without_duplicates(columns),
    }
}

/// A DEFAULT's expression. A bare word in it is a string, not a column.
pub(super) fn default<'a>(tree: Tree<'a>, expr: Expr<'a>) -> Expression {
    Expression {
        columns: Vec::new(),
        ..expression(tree, expr)
    }
}

/// The column that a key part or a column list names, and its COLLATE; `None` when it is an expression.
pub(super) fn column_of<'a>(tree: Tree<'a>, expr: Expr<'a>) -> Option<(String, Option<String>)> {
    let mut expr = expr;
    let mut collation = None;
    loop {
        let name = match expr {
            Expr::ColumnRef(column) if tree.identifier(column.node_id(), "table").is_none() => {
                tree.identifier(column.node_id(), "column")?
            }
            // A string where a column is wanted means the column of that name.
            Expr::Literal(literal) if literal.literal_type() == LiteralType::String => {
                literal.source().trim_matches('\'').replace("''", "'")
            }
            Expr::CollateExpr(collate) => {
                // The outermost counts.
                collation = collation.or_else(|| tree.identifier(collate.node_id(), "collation"));
                expr = collate.expr()?;
                continue;
            }
            _ => return None,
        };
        return Some((name, collation));
    }
}

/// The names in a list of plain columns.
pub(super) fn column_names<'a>(tree: Tree<'a>, list: Option<ExprList<'a>>) -> Vec<String> {
    items(list)
        .into_iter()
        .filter_map(|expr| column_of(tree, expr))
        .map(|(name, _)| name)
        .collect()
}

/// The literal NULL, in parentheses or casts.
fn is_null(expr: Expr<'_>) -> bool {
    let mut inner = Some(expr);
    while let Some(expr) = inner {
        inner = match expr {
            Expr::Literal(literal) => return literal.literal_type() == LiteralType::Null,
            Expr::ParenExpr(paren) => paren.expr(),
            Expr::CastExpr(cast) => cast.expr(),
            _ => None,
        };
    }
    false
}

/// TRUE and FALSE are identifiers to the grammar.
fn is_truth(name: &str) -> bool {
    name.eq_ignore_ascii_case("true") || name.eq_ignore_ascii_case("false")
}

fn of_node<'a>(tree: Tree<'a>, node: Node<'a>) -> Volatility {
    match node {
        Node::Literal(literal) if literal.literal_type() == LiteralType::Current => Volatility::Stable,
        Node::TableRef(_) => Volatility::Stable,
        Node::Variable(_) | Node::Error(_) => Volatility::Unknown,
        Node::FunctionCall(call) => of_call(tree, call),
        Node::AggregateFunctionCall(call) => of_function(call.func_name(), false),
        Node::OrderedSetFunctionCall(call) => of_function(call.func_name(), false),
        _ => Volatility::Immutable,
    }
}

fn of_call<'a>(tree: Tree<'a>, call: FunctionCall<'a>) -> Volatility {
    let at_present = match call.args() {
        None => true,
        Some(arguments) => arguments.is_empty() || tree.text_of(call.node_id()).to_ascii_lowercase().contains("'now'"),
    };
    of_function(call.func_name(), at_present)
}

fn of_function(name: &str, at_present: bool) -> Volatility {
    let name = name.to_ascii_lowercase();
    let name = name.as_str();
    if PURE.contains(&name) || (DATES.contains(&name) && !at_present) {
        Volatility::Immutable
    } else if DATES.contains(&name) {
        Volatility::Stable
    } else if IMPURE.contains(&name) {
        Volatility::Volatile
    } else {
        Volatility::Unknown
    }
}
