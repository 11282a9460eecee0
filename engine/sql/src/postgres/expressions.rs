//! Expressions: their text, the columns they name, and when they give another value.

use pg_query::NodeEnum;

use super::names::{boxed, strings};
use super::{builtins, walk};
use crate::operation::{Expression, Volatility};

/// An expression of which `text` is the source.
pub(super) fn expression(node: &NodeEnum, text: &str) -> Expression {
    Expression {
        text: text.to_owned(),
        is_null: is_null(node),
        volatility: volatility(node),
        columns: columns(node),
    }
}

/// NULL, possibly cast.
pub(super) fn is_null(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::AConst(constant) => constant.isnull,
        NodeEnum::TypeCast(cast) => boxed(cast.arg.as_deref()).is_some_and(is_null),
        _ => false,
    }
}

/// Column names in order of appearance; of `t.c` the last part.
pub(super) fn columns(node: &NodeEnum) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    walk::each(node, &mut |node| {
        if let NodeEnum::ColumnRef(column) = node
            && let Some(name) = strings(&column.fields).pop()
            && column
                .fields
                .last()
                .is_some_and(|last| super::names::string(last).is_some())
            && !found.contains(&name)
        {
            found.push(name);
        }
    });
    found
}

/// The most volatile of all that is called.
fn volatility(node: &NodeEnum) -> Volatility {
    let mut result = Volatility::Immutable;
    walk::each(node, &mut |node| {
        let one = match node {
            NodeEnum::FuncCall(call) => builtins::volatility(&strings(&call.funcname)),
            NodeEnum::SqlvalueFunction(_) | NodeEnum::SelectStmt(_) => Volatility::Stable,
            NodeEnum::AExpr(operator) if operator.name.len() > 1 => match strings(&operator.name).as_slice() {
                [schema, _] if schema == "pg_catalog" => Volatility::Immutable,
                _ => Volatility::Unknown,
            },
            _ => Volatility::Immutable,
        };
        result = result.less_stable(one);
    });
    result
}

/// The string that an expression of constants makes: literals, `||`, `format` and casts to text; `None` when anything
/// in it is only known at run time.
pub(super) fn constant_string(node: &NodeEnum) -> Option<String> {
    match node {
        NodeEnum::AConst(constant) if !constant.isnull => Some(super::names::literal(node)),
        NodeEnum::TypeCast(cast) => constant_string(boxed(cast.arg.as_deref())?),
        NodeEnum::AExpr(operator) if strings(&operator.name) == ["||"] => {
            let left = constant_string(boxed(operator.lexpr.as_deref())?)?;
            Some(left + &constant_string(boxed(operator.rexpr.as_deref())?)?)
        }
        NodeEnum::FuncCall(call) => {
            let arguments: Option<Vec<String>> = call
                .args
                .iter()
                .map(|argument| constant_string(argument.node.as_ref()?))
                .collect();
            let arguments = arguments?;
            match strings(&call.funcname).last()?.as_str() {
                "format" => format_constant(&arguments),
                "quote_ident" => Some(crate::quote::identifier(crate::Dialect::Postgres, arguments.first()?)),
                "quote_literal" => Some(crate::quote::literal(crate::Dialect::Postgres, arguments.first()?)),
                "concat" => Some(arguments.concat()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// `format('… %I …', …)` with constant arguments; widths and positions are left to the server.
fn format_constant(arguments: &[String]) -> Option<String> {
    let (template, mut values) = arguments.split_first().map(|(first, rest)| (first, rest.iter()))?;
    let mut result = String::new();
    let mut characters = template.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            result.push(character);
            continue;
        }
        match characters.next()? {
            '%' => result.push('%'),
            's' => result.push_str(values.next()?),
            'I' => result.push_str(&crate::quote::identifier(crate::Dialect::Postgres, values.next()?)),
            'L' => result.push_str(&crate::quote::literal(crate::Dialect::Postgres, values.next()?)),
            _ => return None,
        }
    }
    Some(result)
}
