//! The values of an `enum` or `set` type.

use tollgate_plugin::Span;

use super::words;

/// The values in order, of a type as the contract has it: `enum('a','b')`. `None` for other types.
pub(super) fn of(data_type: &str) -> Option<Vec<String>> {
    let all = Span {
        start: 0,
        end: u32::try_from(data_type.len()).ok()?,
    };
    let tokens = words::read(data_type, all);
    let is_list = tokens.first()?.is_any(&["enum", "set"]) && tokens.get(1)?.is_symbol("(");
    is_list.then(|| tokens.iter().filter_map(words::Token::value).collect())
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn values_are_read_with_their_quotes_off() {
        assert_eq!(
            of("enum('a','it''s',\"b,c\")"),
            Some(vec!["a".to_owned(), "it's".to_owned(), "b,c".to_owned()])
        );
        assert_eq!(of("set('x')"), Some(vec!["x".to_owned()]));
        assert_eq!(of("varchar(5)"), None);
    }
}
