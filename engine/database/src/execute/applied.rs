//! Which part of a script is in the database, so that a resume can tell whether the file still says that. No I/O.

use std::fmt::Write as _;

use tollgate_sql::Script;

use crate::ledger::checksum;

/// Length of the digest of the whole part.
const WHOLE: usize = 64;
/// Length of a statement's own digest: enough to find the one that was changed.
const PIECE: usize = 8;
/// Of longer parts only the whole is kept.
const MOST: usize = 200;

/// What must not change before a resume: digests of a script's first `statements` statements, of all and of each. What
/// stands above the first one may: that is where a file says how it wants to be run.
pub(crate) fn applied_part(script: &Script, statements: usize) -> String {
    let mut digest = checksum(&script.text.as_bytes()[start(script)..end(script, statements)]);
    if statements <= MOST {
        for index in 0..statements.min(script.statements.len()) {
            // Writing to a string does not fail.
            let _ = write!(digest, "{}", piece(script, index));
        }
    }
    digest
}

/// The first of the `done` statements that is not what it was when it was run; `None`: all are.
pub(crate) fn first_change(digest: &str, script: &Script, done: usize) -> Option<usize> {
    let last = script.statements.len().saturating_sub(1);
    if done > script.statements.len() {
        return Some(last);
    }
    let now = applied_part(script, done);
    // Records of a time when what stands above the first statement counted, too.
    let from_the_top = || checksum(&script.text.as_bytes()[..end(script, done)]);
    if digest.get(..WHOLE) == now.get(..WHOLE) || digest.get(..WHOLE) == Some(&from_the_top()) {
        return None;
    }
    let changed = |index: &usize| {
        let at = WHOLE + index * PIECE;
        digest
            .get(at..at + PIECE)
            .is_none_or(|recorded| recorded != piece(script, *index))
    };
    Some((0..done).find(changed).unwrap_or(0))
}

/// Digest of a statement and what stands before it.
fn piece(script: &Script, index: usize) -> String {
    let text = &script.text.as_bytes()[end(script, index)..end(script, index + 1)];
    let mut digest = checksum(text);
    digest.truncate(PIECE);
    digest
}

/// Where the first statement begins.
fn start(script: &Script) -> usize {
    script.statements.first().map_or(0, |first| first.span.start)
}

/// Where the first `statements` statements end.
fn end(script: &Script, statements: usize) -> usize {
    statements
        .checked_sub(1)
        .and_then(|last| script.statements.get(last))
        .map_or_else(|| start(script), |last| last.span.end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tollgate_sql::{Dialect, parse};

    use super::*;

    #[test]
    fn the_statement_that_was_changed_is_found() {
        let script = |sql: &str| parse(Dialect::Sqlite, sql).unwrap();
        let was = script("SELECT 1;\nSELECT 2;\nSELECT 3;");
        let recorded = applied_part(&was, 2);
        for (sql, expected) in [
            ("SELECT 1;\nSELECT 2;\nSELECT 4;", None),
            ("SELECT 1;\nSELECT 2;", None),
            ("SELECT 1;\nSELECT 5;\nSELECT 3;", Some(1)),
            ("SELECT 0;\nSELECT 5;\nSELECT 3;", Some(0)),
            ("SELECT 1;\n-- why\nSELECT 2;\nSELECT 3;", Some(1)),
            ("-- tollgate:timeout 1h\n\nSELECT 1;\nSELECT 2;\nSELECT 3;", None),
            ("-- tollgate:timeout 1h\nSELECT 1;\nSELECT 5;\nSELECT 3;", Some(1)),
            ("SELECT 1;", Some(0)),
        ] {
            assert_eq!(first_change(&recorded, &script(sql), 2), expected, "{sql}");
        }
        let below = script("-- why\nSELECT 1;\nSELECT 2;");
        for (sql, expected) in [
            ("SELECT 1;\nSELECT 2;", None),
            ("-- not\nSELECT 1;\nSELECT 2;", None),
            ("-- why\nSELECT 1;\nSELECT 3;", Some(1)),
        ] {
            assert_eq!(
                first_change(&applied_part(&below, 2), &script(sql), 2),
                expected,
                "{sql}"
            );
        }
        // Records of a time when what stands above counted, and of one when only the whole was kept.
        let from_the_top = checksum(b"-- why\nSELECT 1;\nSELECT 2");
        assert_eq!(first_change(&from_the_top, &below, 2), None);
        assert_eq!(first_change(&recorded[..WHOLE], &was, 2), None);
        assert_eq!(
            first_change(&recorded[..WHOLE], &script("SELECT 1;\nSELECT 5;"), 2),
            Some(0)
        );
    }
}
