//! Names that PostgreSQL makes up for objects the script leaves unnamed.

use tollgate_sql::Dialect;

use crate::text::{TokenKind, tokens};

/// Longest identifier in bytes: `NAMEDATALEN` less the closing zero.
const LONGEST: usize = 63;

/// `name1_name2_label`, cut to the server's limit by shortening the longer of the two names (`makeObjectName`).
pub(crate) fn object_name(first: &str, second: Option<&str>, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(second.is_some());
    let available = LONGEST.saturating_sub(overhead);
    let mut first_length = first.len();
    let mut second_length = second.map_or(0, str::len);
    while first_length + second_length > available {
        if first_length > second_length {
            first_length -= 1;
        } else {
            second_length -= 1;
        }
    }
    let first = &first[..first.floor_char_boundary(first_length)];
    match second {
        Some(second) => format!(
            "{first}_{}_{label}",
            &second[..second.floor_char_boundary(second_length)]
        ),
        None => format!("{first}_{label}"),
    }
}

/// The first of `label`, `label1`, `label2`, … whose name is not `taken`.
pub(crate) fn choose<E>(
    first: &str,
    second: Option<&str>,
    label: &str,
    mut taken: impl FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    let mut name = object_name(first, second, label);
    let mut pass = 0_usize;
    while taken(&name)? {
        pass += 1;
        name = object_name(first, second, &format!("{label}{pass}"));
    }
    Ok(name)
}

/// Column names joined by underscores, until the limit is passed (`ChooseIndexNameAddition`).
pub(crate) fn addition<'a>(columns: impl IntoIterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for column in columns {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(column);
        if joined.len() > LONGEST {
            break;
        }
    }
    joined
}

/// Names of an index's columns as the server gives them: plain columns their own, expressions one made up; each is
/// unique within the index.
pub(crate) fn index_columns<'a>(parts: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (column, expression) in parts {
        let wanted = column
            .map(str::to_owned)
            .or_else(|| expression.and_then(expression_name))
            .unwrap_or_else(|| "expr".to_owned());
        let mut name = wanted.clone();
        let mut pass = 0_usize;
        while names.contains(&name) {
            pass += 1;
            let suffix = pass.to_string();
            let kept = wanted.floor_char_boundary(LONGEST - suffix.len());
            name = format!("{}{suffix}", &wanted[..kept]);
        }
        names.push(name);
    }
    names
}

/// What the server calls the result of an expression (`FigureColname`): a function's or column's name; `None` for
/// operators.
pub(crate) fn expression_name(text: &str) -> Option<String> {
    figure(text, &tokens(Dialect::Postgres, text)).map(|(name, _)| name)
}

/// The name and how strongly it is felt: 2 for columns and functions, 1 for types of casts.
fn figure(text: &str, mut found: &[crate::text::Token]) -> Option<(String, u8)> {
    // Parentheses around the whole expression do not count.
    while let [open, inner @ .., close] = found {
        if !(open.is_symbol(text, "(") && close.is_symbol(text, ")") && closes_at_end(text, found)) {
            break;
        }
        found = inner;
    }
    // A cast at the end: the operand's name when it has one, the type's otherwise.
    if let Some(at) = found.iter().rposition(|token| token.is_symbol(text, "::")) {
        let (operand, data_type) = (&found[..at], &found[at + 1..]);
        let is_type = data_type.iter().all(|token| {
            matches!(token.kind, TokenKind::Word { .. } | TokenKind::Number)
                || ["(", ")", "[", "]", ".", ","]
                    .iter()
                    .any(|symbol| token.is_symbol(text, symbol))
        });
        if is_type && depth(text, operand) == 0 {
            let words: Vec<_> = data_type.iter().filter_map(crate::text::Token::name).collect();
            let operand = figure(text, operand).filter(|(_, strength)| *strength > 1);
            return operand.or_else(|| internal_type(&words).map(|name| (name, 1)));
        }
    }
    let (first, rest) = found.split_first()?;
    let name = first.name()?;
    match rest {
        [] => Some((name.to_owned(), 2)),
        [dot, last] if dot.is_symbol(text, ".") => Some((last.name()?.to_owned(), 2)),
        [open, .., close] if open.is_symbol(text, "(") && close.is_symbol(text, ")") && closes_at_end(text, rest) => {
            if first.is_keyword("cast") {
                Some((name.to_owned(), 1))
            } else {
                Some((name.to_owned(), 2))
            }
        }
        [dot, function, call @ ..]
            if dot.is_symbol(text, ".")
                && call.first().is_some_and(|t| t.is_symbol(text, "("))
                && closes_at_end(text, call) =>
        {
            Some((function.name()?.to_owned(), 2))
        }
        [.., end] if first.is_keyword("case") && end.is_keyword("end") => Some(("case".to_owned(), 1)),
        _ => None,
    }
}

/// The catalog's name of a type as written: `int4` for `integer`.
fn internal_type(words: &[&str]) -> Option<String> {
    let name = match words {
        ["int" | "integer", ..] => "int4",
        ["bigint", ..] => "int8",
        ["smallint", ..] => "int2",
        ["boolean", ..] => "bool",
        ["real", ..] => "float4",
        ["float" | "double", ..] => "float8",
        ["decimal" | "dec", ..] => "numeric",
        ["character" | "char", "varying", ..] => "varchar",
        ["character" | "char", ..] => "bpchar",
        ["timestamp", "with", ..] => "timestamptz",
        ["time", "with", ..] => "timetz",
        ["timestamp", ..] => "timestamp",
        ["time", ..] => "time",
        words => words.last()?,
    };
    Some(name.to_owned())
}

/// How many parentheses `found` leaves open.
fn depth(text: &str, found: &[crate::text::Token]) -> usize {
    found.iter().fold(0, |depth: usize, token| {
        if token.is_symbol(text, "(") {
            depth + 1
        } else if token.is_symbol(text, ")") {
            depth.saturating_sub(1)
        } else {
            depth
        }
    })
}

/// Whether the parenthesis that opens `found` is closed by its last token.
fn closes_at_end(text: &str, found: &[crate::text::Token]) -> bool {
    (1..found.len()).all(|end| depth(text, &found[..end]) > 0) && depth(text, found) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_the_end_of_the_longer_part() {
        let table = "t".repeat(40);
        let column = "c".repeat(40);
        assert_eq!(
            object_name(&table, Some(&column), "fkey"),
            format!("{}_{}_fkey", "t".repeat(29), "c".repeat(28))
        );
        assert_eq!(
            object_name(&"x".repeat(63), None, "pkey"),
            format!("{}_pkey", "x".repeat(58))
        );
        assert_eq!(object_name("t", Some("a"), "key"), "t_a_key");
        assert_eq!(
            object_name(&"é".repeat(31), None, "pkey"),
            format!("{}_pkey", "é".repeat(29))
        );
    }

    #[test]
    fn expressions_are_called_as_the_server_calls_them() {
        let cases = [
            ("lower(name)", Some("lower")),
            ("(lower(name))", Some("lower")),
            ("pg_catalog.lower(name)", Some("lower")),
            ("(a + b)", None),
            ("(data->>'x')", None),
            ("((data->>'x')::int)", Some("int4")),
            ("(a::text)", Some("a")),
            ("COALESCE(a, b)", Some("coalesce")),
            ("(CASE WHEN a THEN b END)", Some("case")),
            ("lower(a) || lower(b)", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(expression_name(text).as_deref(), wanted, "{text}");
        }
    }
}
