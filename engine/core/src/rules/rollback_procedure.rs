//! `rollback-procedure`: what may lose data says how it is taken back.

use tollgate_host::types::{Finding, Outcome, Severity};
use tollgate_sql::Script;

use super::{OwnRule, ROLLBACK_PROCEDURE};
use crate::comments;
use crate::policy::JudgedFinding;
use crate::rollback::RollbackPlan;

pub(super) const RULE: OwnRule = OwnRule {
    id: ROLLBACK_PROCEDURE,
    severity: Severity::Medium,
    summary: "A migration with a high finding and without a way back",
    explanation: "\
Reports a migration in which something is found at the level high, also something that a comment allows, and for which \
there is neither a `down.sql` nor a generated rollback of that statement which loses nothing nor a note in the file that begins with \
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
    way_back: &mut dyn FnMut() -> Option<RollbackPlan>,
) -> Option<Finding> {
    if !concerns(found) || has_note(script) {
        return None;
    }
    let plan = way_back();
    let mut high = found.iter().filter(|judged| judged.finding.severity == Severity::High);
    let (judged, why) =
        high.find_map(|judged| Some((judged, missing(plan.as_ref(), script, judged.finding.statement)?)))?;
    let reported = format!("{}/{}", judged.plugin, judged.finding.rule);
    let message = format!("has no way back from what {reported} reports: there is no down.sql, and {why}");
    Some(Finding {
        statement: judged.finding.statement,
        span: judged.finding.span,
        help: Some("write a down.sql, or say in the file how it is taken back: `-- rollback: …`".to_owned()),
        ..Finding::new(ROLLBACK_PROCEDURE, severity, message)
    })
}

/// What the generated rollback lacks for a statement, or for the whole file; `None`: nothing.
fn missing(plan: Option<&RollbackPlan>, script: &Script, statement: Option<usize>) -> Option<String> {
    let Some(plan) = plan else {
        return Some("no rollback can be generated".to_owned());
    };
    let own: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| belong_together(script, step.undoes, statement))
        .cloned()
        .collect();
    // Where nothing is done for a statement, another step may bring back what it took: which one is the generator's
    // business.
    let elsewhere = own
        .iter()
        .all(|step| step.sql.is_empty() && step.outcome == Outcome::Lossless);
    let part = if elsewhere {
        plan.clone()
    } else {
        RollbackPlan {
            steps: own,
            ..plan.clone()
        }
    };
    match part.outcome() {
        Outcome::Lossless => None,
        Outcome::Lossy(lost) => Some(format!("the generated rollback does not bring back {lost}")),
        Outcome::Irreversible(why) => Some(format!("no rollback can be generated: {why}")),
        Outcome::Declined => Some("no rollback can be generated".to_owned()),
    }
}

/// Whether a step that undoes the one statement has to do with the other: it is the same, or part of the same change.
fn belong_together(script: &Script, undoes: Option<usize>, statement: Option<usize>) -> bool {
    let (Some(undoes), Some(statement)) = (undoes, statement) else {
        return true;
    };
    let change = |index: usize| script.statements.get(index)?.part_of;
    undoes == statement || change(undoes).is_some_and(|whole| change(statement) == Some(whole))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use tollgate_sql::{Dialect, parse};

    use super::*;
    use crate::rollback::{PlannedStep, Source};

    fn judged(severity: Severity) -> JudgedFinding {
        JudgedFinding {
            plugin: "destructive".to_owned(),
            finding: Finding {
                statement: Some(0),
                ..Finding::new("drop-table", severity, String::new())
            },
            blocking: false,
            approved: None,
            allowed: Some("archived".to_owned()),
            enforced_by: None,
        }
    }

    /// The message, where the rollback of each statement has this outcome.
    fn reported(text: &str, severity: Severity, outcomes: Option<&[Outcome]>) -> Option<String> {
        let script = parse(Dialect::Postgres, text).unwrap();
        let step = |(undoes, outcome): (usize, &Outcome)| PlannedStep {
            undoes: Some(undoes),
            generator: None,
            outcome: outcome.clone(),
            sql: vec![format!("SELECT {undoes}"); usize::from(text.contains("DROP"))],
            transactional: true,
        };
        let plan = outcomes.map(|outcomes| RollbackPlan {
            migration: String::new(),
            checksum: String::new(),
            source: Source::Generated,
            steps: outcomes.iter().enumerate().map(step).collect(),
        });
        rollback_procedure(Severity::Medium, &script, &[judged(severity)], &mut || plan.clone())
            .map(|finding| finding.message)
    }

    #[test]
    fn a_high_finding_needs_a_way_back() {
        let head = "has no way back from what destructive/drop-table reports: there is no down.sql, and ";
        let lossy = || Outcome::Lossy("the rows of a".to_owned());
        for (outcome, why) in [
            (
                Outcome::Declined,
                "no rollback can be generated: no rollback generator knows how to undo every statement",
            ),
            (lossy(), "the generated rollback does not bring back the rows of a"),
            (
                Outcome::Irreversible("gone".to_owned()),
                "no rollback can be generated: gone",
            ),
        ] {
            let found = reported("DROP TABLE a;", Severity::High, Some(&[outcome]));
            assert_eq!(found, Some(format!("{head}{why}")));
        }
        let nobody = reported("DROP TABLE a;", Severity::High, None);
        assert_eq!(nobody, Some(format!("{head}no rollback can be generated")));
        assert_eq!(
            reported("DROP TABLE a;", Severity::High, Some(&[Outcome::Lossless])),
            None
        );
        assert_eq!(reported("DROP TABLE a;", Severity::Medium, None), None);
        // What is lost by other statements is not what was found.
        let two = "DROP TABLE a; DELETE FROM b;";
        assert_eq!(reported(two, Severity::High, Some(&[Outcome::Lossless, lossy()])), None);
        assert!(reported(two, Severity::High, Some(&[lossy(), Outcome::Lossless])).is_some());
        // Nothing is done for the first statement: the second step brings back what it took, or does not.
        let renamed = "ALTER TABLE a RENAME b TO c; ALTER TABLE a RENAME c TO d;";
        assert!(reported(renamed, Severity::High, Some(&[Outcome::Lossless, lossy()])).is_some());
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
