//! Small surgery on SQL text that a server prints.

use tollgate_sql::operation::DataType;

/// The expression without pairs of parentheses around the whole of it.
pub(super) fn unwrapped(expression: &str) -> String {
    let mut text = expression.trim();
    while encloses(text) {
        text = text[1..text.len() - 1].trim();
    }
    text.to_owned()
}

/// Whether the text starts with a parenthesis that only its last character closes.
fn encloses(text: &str) -> bool {
    text.starts_with('(') && text.ends_with(')') && closing(text, 0) == Some(text.len() - 1)
}

/// Where the parenthesis that opens at byte `open` is closed; strings and quoted names are skipped.
pub(super) fn closing(text: &str, open: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = open;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'\'' | b'"' | b'`') => {
                let escapes = quote == b'\'' && at > 0 && matches!(bytes[at - 1], b'E' | b'e');
                at = end_of_quoted(bytes, at, quote, escapes);
            }
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the quoted piece that starts at `start` ends. A doubled quote starts the next piece at once, which does no harm.
fn end_of_quoted(bytes: &[u8], start: usize, quote: u8, escapes: bool) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if escapes && bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// Storage parameters as PostgreSQL keeps them (`fillfactor=70`), by name.
pub(super) fn options(stored: Option<Vec<String>>) -> Vec<(String, String)> {
    let mut options: Vec<_> = stored
        .unwrap_or_default()
        .iter()
        .map(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            (name.to_owned(), value.to_owned())
        })
        .collect();
    options.sort();
    options
}

/// A scalar type as `format_type` prints it, taken apart: `timestamp(3) without time zone` has the modifier 3.
pub(super) fn data_type(printed: &str) -> DataType {
    let plain = |name: &str| DataType {
        schema: None,
        name: name.to_owned(),
        modifiers: Vec::new(),
        dimensions: 0,
    };
    let Some(open) = outside_quotes(printed, b'(') else {
        return plain(printed);
    };
    let Some(close) = closing(printed, open) else {
        return plain(printed);
    };
    let name = format!("{}{}", printed[..open].trim_end(), &printed[close + 1..]);
    let modifiers = printed[open + 1..close]
        .split(',')
        .map(|modifier| modifier.trim().to_owned())
        .collect();
    DataType {
        modifiers,
        ..plain(&name)
    }
}

fn outside_quotes(text: &str, wanted: u8) -> Option<usize> {
    let mut quoted = false;
    text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == wanted && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_enclosing_parentheses_go() {
        for (text, expected) in [
            ("(a > 0)", "a > 0"),
            ("((a > 0))", "a > 0"),
            ("(a) OR (b)", "(a) OR (b)"),
            ("((a) OR (b))", "(a) OR (b)"),
            ("(a = ')')", "a = ')'"),
            ("(a = E'\\')')", "a = E'\\')'"),
            ("(a = 'it''s )')", "a = 'it''s )'"),
            ("(\"(\" > 0)", "\"(\" > 0"),
            ("lower(a)", "lower(a)"),
            ("()", ""),
        ] {
            assert_eq!(unwrapped(text), expected, "{text}");
        }
    }

    #[test]
    fn printed_types_are_taken_apart() {
        for (printed, name, modifiers) in [
            ("integer", "integer", &[][..]),
            ("character varying(255)", "character varying", &["255"]),
            ("numeric(10,2)", "numeric", &["10", "2"]),
            ("timestamp(3) without time zone", "timestamp without time zone", &["3"]),
            ("interval day to second(3)", "interval day to second", &["3"]),
            ("\"we(ird\"(4)", "\"we(ird\"", &["4"]),
            ("\"char\"", "\"char\"", &[]),
        ] {
            let found = data_type(printed);
            assert_eq!(
                (found.name.as_str(), found.modifiers),
                (name, modifiers.iter().map(ToString::to_string).collect())
            );
        }
    }
}
