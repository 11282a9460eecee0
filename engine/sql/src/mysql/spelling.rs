//! Words that are one slip away from one that a statement needs.
//!
//! A server of tomorrow may know statements that are not known here, so an unknown word is no error. One that differs from
//! a known word in a single letter is: nobody adds a statement CREAT.

use crate::error::{ParseError, ParseErrorKind};
use crate::script::Span;

use super::cursor::Cursor;
use super::scan::Kind;

/// Refuses the word here if it is none of `known` and looks like one of them.
pub(super) fn check(cursor: &Cursor<'_>, known: &[&str]) -> Result<(), ParseError> {
    let Some(token) = cursor.peek().filter(|token| token.kind == Kind::Word) else {
        return Ok(());
    };
    let word = cursor.word();
    if word.len() < 4 || known.contains(&word.as_str()) {
        return Ok(());
    }
    let Some(meant) = known.iter().find(|known| known.len() >= 4 && is_slip(&word, known)) else {
        return Ok(());
    };
    let message = format!("`{}` is no word of MySQL here", cursor.text(token));
    let span = Span::new(token.start, token.end);
    Err(ParseError::new(ParseErrorKind::Syntax, cursor.script(), span, message)
        .with_help(format!("is `{}` meant?", meant.to_uppercase())))
}

/// One letter is missing, added, wrong, or two neighbours are swapped.
fn is_slip(written: &str, meant: &str) -> bool {
    let (written, meant) = (written.as_bytes(), meant.as_bytes());
    let same = written
        .iter()
        .zip(meant)
        .take_while(|(one, other)| one == other)
        .count();
    let (one, other) = (&written[same..], &meant[same..]);
    match (one, other) {
        ([a, b, one @ ..], [c, d, other @ ..]) if a == d && b == c && one == other => true,
        ([_, one @ ..], [_, other @ ..]) if one == other => true,
        _ => one.get(1..) == Some(other) && !one.is_empty() || other.get(1..) == Some(one) && !other.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_slip;

    #[test]
    fn one_slip_is_told_from_two() {
        for written in ["creat", "craete", "crreate", "createe", "cleate", "reate"] {
            assert!(is_slip(written, "create"), "{written}");
        }
        for written in ["crea", "etaerc", "cretae_", "caller", "c"] {
            assert!(!is_slip(written, "create"), "{written}");
        }
    }
}
