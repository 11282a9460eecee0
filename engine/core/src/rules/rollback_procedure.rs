//! `rollback-procedure`: what may lose data says how it is taken back.

use tollgate_host::types::{Finding, Outcome, Severity};
use tollgate_sql::Script;

use super::{OwnRule, ROLLBACK_PROCEDURE, finding};
use crate::comments;
use crate::policy::JudgedFinding;

pub(super) const RULE: OwnRule = OwnRule {
    id: ROLLBACK_PROCEDURE,
    severity: Severity::Medium,
    summary: "A migration with a high finding and without a way back",
    explanation: "\
Reports a migration in which something is found at the level high, also something that a comment allows, and for which \
there is neither a `down.sql` nor a generated rollback that loses nothing nor a note in the file that begins with \
`-- rollback:`.

Whoever has to take it back at night should not have to find out then that a backup is the only way, or where that is.

Write a `down.sql` beside the migration, or say in a comment how it is undone: `-- rollback: restore orders from the \
nightly dump, see the runbook`.",
    bad: Some("CREATE TABLE a (id integer);\n-- migration\nDROP TABLE a;"),
    good: Some(
        "CREATE TABLE a (id integer);\n-- migration\n-- rollback: restore a from the nightly dump\nDROP TABLE a;",
    ),
};

/// What introduces the author's note.
const NOTE: &str = "rollback:";

/// Whether the rule has to look at a migration in which this was found.
pub(crate) fn concerns(found: &[JudgedFinding]) -> bool {
    found.iter().any(|judged| judged.finding.severity == Severity::High)
}

/// Whether the author says in the file how it is taken back.
pub(crate) fn has_note(script: &Script) -> bool {
    let texts = comments::texts(script);
    let note = |(index, text): (usize, &&str)| {
        let Some(said) = text
            .get(..NOTE.len())
            .filter(|start| start.eq_ignore_ascii_case(NOTE))
            .map(|_| text[NOTE.len()..].trim())
        else {
            return false;
        };
        // The note itself may begin in the next line.
        !said.is_empty() || texts.get(index + 1).is_some_and(|next| !next.trim().is_empty())
    };
    texts.iter().enumerate().any(note)
}

/// The finding, for a migration without a `down.sql`. `way_back` is what the rollback generators can do; `None` when
/// there is none or it failed. It is asked only where the answer matters.
pub(crate) fn rollback_procedure(
    severity: Severity,
    script: &Script,
    found: &[JudgedFinding],
    way_back: &mut dyn FnMut() -> Option<Outcome>,
) -> Option<Finding> {
    if !concerns(found) || has_note(script) {
        return None;
    }
    let first = found.iter().find(|judged| judged.finding.severity == Severity::High)?;
    let why = match way_back() {
        Some(Outcome::Lossless) => return None,
        Some(Outcome::Lossy(lost)) => format!("the generated rollback does not bring back {lost}"),
        Some(Outcome::Irreversible(why)) => format!("no rollback can be generated: {why}"),
        Some(Outcome::Declined) | None => "no rollback can be generated".to_owned(),
    };
    let reported = format!("{}/{}", first.plugin, first.finding.rule);
    let message = format!("has no way back from what {reported} reports: there is no down.sql, and {why}");
    Some(Finding {
        statement: first.finding.statement,
        span: first.finding.span,
        help: Some("write a down.sql, or say in the file how it is taken back: `-- rollback: …`".to_owned()),
        ..finding(ROLLBACK_PROCEDURE, severity, message)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_sql::{Dialect, parse};

    use super::*;

    fn judged(severity: Severity) -> JudgedFinding {
        JudgedFinding {
            plugin: "destructive".to_owned(),
            finding: Finding {
                statement: Some(0),
                ..finding("drop-table", severity, String::new())
            },
            blocking: false,
            approved: None,
            allowed: Some("archived".to_owned()),
            enforced_by: None,
        }
    }

    fn reported(text: &str, severity: Severity, outcome: Option<&Outcome>) -> Option<String> {
        let script = parse(Dialect::Postgres, text).unwrap();
        rollback_procedure(Severity::Medium, &script, &[judged(severity)], &mut || outcome.cloned())
            .map(|finding| finding.message)
    }

    #[test]
    fn a_high_finding_needs_a_way_back() {
        let head = "has no way back from what destructive/drop-table reports: there is no down.sql, and ";
        for (outcome, why) in [
            (None, "no rollback can be generated"),
            (Some(Outcome::Declined), "no rollback can be generated"),
            (
                Some(Outcome::Lossy("the rows of a".to_owned())),
                "the generated rollback does not bring back the rows of a",
            ),
            (
                Some(Outcome::Irreversible("gone".to_owned())),
                "no rollback can be generated: gone",
            ),
        ] {
            let found = reported("DROP TABLE a;", Severity::High, outcome.as_ref());
            assert_eq!(found, Some(format!("{head}{why}")));
        }
        assert_eq!(
            reported("DROP TABLE a;", Severity::High, Some(&Outcome::Lossless)),
            None
        );
        assert_eq!(reported("DROP TABLE a;", Severity::Medium, None), None);
    }

    #[test]
    fn a_note_says_something() {
        for (text, enough) in [
            ("-- rollback: from the dump\nDROP TABLE a;", true),
            ("DROP TABLE a; -- Rollback:from the dump", true),
            ("/* rollback:\r\n   from the dump */\r\nDROP TABLE a;", true),
            ("DROP TABLE a;\n-- rollback:\n-- from the dump\n", true),
            ("-- rollback:\nDROP TABLE a;", false),
            ("-- no rollback: sorry\nDROP TABLE a;", false),
            ("-- rollback\nDROP TABLE a;", false),
            ("DROP TABLE a; SELECT '\n-- rollback: x\n'", false),
        ] {
            assert_eq!(reported(text, Severity::High, None).is_none(), enough, "{text}");
        }
    }
}
