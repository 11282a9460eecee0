//! Replacements in a text. No edit ever changes anything outside of its span.

use std::borrow::Cow;

use tollgate_host::types::Edit;

/// Why edits cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Two of them change the same place.
    #[error("two of its edits change the same place (bytes {0} and {1})")]
    Overlap(usize, usize),
    /// One does not fit the text.
    #[error("an edit at bytes {0} to {1} is not inside the script")]
    Outside(usize, usize),
}

/// The text with all edits applied. Insertions at one place come in the order in which they are given, before what
/// replaces text from there on.
///
/// # Errors
/// Edits that overlap or do not fit; nothing has been applied then.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, EditError> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in sorted {
        let (start, end) = (edit.span.start, edit.span.end);
        if text.get(start..end).is_none() {
            return Err(EditError::Outside(start, end));
        }
        if start < at {
            return Err(EditError::Overlap(start, at));
        }
        out.push_str(&text[at..start]);
        out.push_str(&edit.text);
        at = end;
    }
    out.push_str(&text[at..]);
    Ok(out)
}

/// Whether edits of two suggestions get in each other's way: their spans share text, or they touch, so that it would
/// not be certain what comes first.
pub fn collide(left: &[Edit], right: &[Edit]) -> bool {
    left.iter().any(|a| {
        right
            .iter()
            .any(|b| a.span.start <= b.span.end && b.span.start <= a.span.end)
    })
}

/// How lines end in a text: as most of them do.
pub fn line_ending(text: &str) -> &'static str {
    let all = text.matches('\n').count();
    let with_return = text.matches("\r\n").count();
    if with_return * 2 > all { "\r\n" } else { "\n" }
}

/// The text with these line ends.
pub fn with_line_ending<'t>(text: &'t str, ending: &str) -> Cow<'t, str> {
    if !text.contains('\n') {
        return Cow::Borrowed(text);
    }
    let plain = text.replace("\r\n", "\n");
    Cow::Owned(if ending == "\n" {
        plain
    } else {
        plain.replace('\n', ending)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use proptest::prelude::*;
    use tollgate_sql::Span;

    use super::*;

    fn edit(start: usize, end: usize, text: &str) -> Edit {
        Edit {
            span: Span::new(start, end),
            text: text.to_owned(),
        }
    }

    #[test]
    fn edits_in_any_order() {
        let table: [(&str, &[Edit], Result<&str, EditError>); 8] = [
            ("abc", &[], Ok("abc")),
            ("abc", &[edit(1, 2, "X"), edit(0, 1, "")], Ok("Xc")),
            ("abc", &[edit(3, 3, "!"), edit(0, 0, "?")], Ok("?abc!")),
            ("abc", &[edit(1, 1, "1"), edit(1, 1, "2"), edit(1, 3, "-")], Ok("a12-")),
            ("abc", &[edit(0, 2, ""), edit(1, 3, "")], Err(EditError::Overlap(1, 2))),
            ("abc", &[edit(0, 9, "")], Err(EditError::Outside(0, 9))),
            ("über", &[edit(1, 2, "")], Err(EditError::Outside(1, 2))),
            ("über", &[edit(0, 2, "Ü")], Ok("Über")),
        ];
        for (text, edits, expected) in table {
            assert_eq!(apply(text, edits), expected.map(str::to_owned), "{text} {edits:?}");
        }
    }

    #[test]
    fn what_touches_collides() {
        for (left, right, expected) in [
            ((0, 2), (1, 3), true),
            ((0, 2), (2, 3), true),
            ((1, 1), (1, 1), true),
            ((0, 1), (2, 3), false),
            ((5, 5), (0, 4), false),
        ] {
            let collision = collide(&[edit(left.0, left.1, "")], &[edit(right.0, right.1, "")]);
            assert_eq!(collision, expected, "{left:?} {right:?}");
        }
    }

    #[test]
    fn lines_end_as_most_do() {
        assert_eq!(line_ending("a\r\nb\r\nc\n"), "\r\n");
        assert_eq!(line_ending("a\nb\r\n"), "\n");
        assert_eq!(line_ending("a"), "\n");
        assert_eq!(with_line_ending("a\r\nb\n", "\n"), "a\nb\n");
        assert_eq!(with_line_ending("a\r\nb\n", "\r\n"), "a\r\nb\r\n");
    }

    /// A text, and edits in it that do not overlap.
    fn text_with_edits() -> impl Strategy<Value = (String, Vec<Edit>)> {
        (
            "[ -~äß\n]{0,60}",
            prop::collection::vec((any::<prop::sample::Index>(), "[a-zß ]{0,4}"), 0..12),
        )
            .prop_map(|(text, cuts)| {
                let boundaries: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
                let mut places: Vec<usize> = cuts.iter().map(|(index, _)| *index.get(&boundaries)).collect();
                places.sort_unstable();
                let edits = places
                    .chunks_exact(2)
                    .zip(&cuts)
                    .map(|(pair, (_, new))| edit(pair[0], pair[1], new))
                    .collect();
                (text, edits)
            })
    }

    proptest! {
        #[test]
        fn nothing_outside_of_the_spans_changes((text, edits) in text_with_edits()) {
            let edited = apply(&text, &edits).unwrap();
            // What is kept of the old text, in order, is what the new one has between the new parts.
            let mut rest = edited.as_str();
            let mut at = 0;
            for edit in &edits {
                rest = rest.strip_prefix(&text[at..edit.span.start]).unwrap();
                rest = rest.strip_prefix(edit.text.as_str()).unwrap();
                at = edit.span.end;
            }
            prop_assert_eq!(rest, &text[at..]);
        }

        #[test]
        fn the_order_in_which_edits_are_given_does_not_matter((text, mut edits) in text_with_edits()) {
            edits.dedup_by(|a, b| a.span.start <= b.span.end);
            let edited = apply(&text, &edits).unwrap();
            edits.reverse();
            prop_assert_eq!(apply(&text, &edits).unwrap(), edited);
        }
    }
}
