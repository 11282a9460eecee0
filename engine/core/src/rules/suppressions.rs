//! `unused-suppression` and `unknown-suppression`: comments that allow what nobody finds, or what no policy knows.

use tollgate_host::types::{Edit, Finding, Severity, Suggestion};
use tollgate_sql::Span;

use super::known::{Known, Named};
use super::{OwnRule, UNKNOWN_SUPPRESSION, UNUSED_SUPPRESSION};
use crate::policy::Used;
use crate::suppress::{AllowedRule, Reach, Suppression};

pub(super) const UNUSED: OwnRule = OwnRule {
    id: UNUSED_SUPPRESSION,
    severity: Severity::Low,
    summary: "A comment that allows what is not found",
    explanation: "\
`check` reports a `-- tollgate:allow` comment whose rule is on and finds nothing where the comment holds. What a deploy \
finds may depend on the database, so a deploy says nothing of this.

Such a comment is a door left open: should the file come to do what it allows, nobody would be told.

Remove the comment, or move it above the statement that it is for.",
    bad: Some("-- tollgate:allow unknown-suppression -- every rule here is known\nSELECT 1;"),
    good: Some("-- tollgate:allow unknown-suppression -- the next release has it\n-- tollgate:allow no-such-rule -- see above\nSELECT 1;"),
};

pub(super) const UNKNOWN: OwnRule = OwnRule {
    id: UNKNOWN_SUPPRESSION,
    severity: Severity::Medium,
    summary: "A comment that allows a rule which no policy has",
    explanation: "\
Reports a `-- tollgate:allow` comment that names a rule, or a policy, which there is not.

The comment allows nothing, and its author believes that it does.

Write the name as `tollgate plugin list --rules` shows it, alone or as `PLUGIN/RULE`.",
    bad: Some("-- tollgate:allow drop-tabel -- archived\nSELECT 1;"),
    good: Some("-- a comment\nSELECT 1;"),
};

/// A finding for every name that no policy has.
pub(crate) fn unknown_suppressions(
    severity: Severity,
    suppressions: &[Suppression],
    known: &Known<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for suppression in suppressions {
        for name in &suppression.rules {
            if let Named::Unknown(near) = known.named(name) {
                findings.push(unknown(severity, suppression, name, near));
            }
        }
    }
    findings
}

fn unknown(severity: Severity, suppression: &Suppression, name: &AllowedRule, near: Option<String>) -> Finding {
    let help = match &near {
        Some(near) => format!("did you mean {near}?"),
        None => "`tollgate plugin list --rules` names the rules".to_owned(),
    };
    let suggestion = |near: String| Suggestion {
        title: format!("write {near}"),
        edits: vec![Edit {
            span: name.span,
            text: near,
        }],
        // It would allow what is not allowed now: a person should look.
        automatic: false,
    };
    Finding {
        statement: statement(suppression),
        span: Some(name.span),
        help: Some(help),
        suggestions: near.map(suggestion).into_iter().collect(),
        ..Finding::new(
            UNKNOWN_SUPPRESSION,
            severity,
            format!("allows {name}, a rule that no policy has"),
        )
    }
}

/// A finding for every comment that allows nothing, and for every such name in a comment that allows something else.
/// Only the names for which `meant` holds are looked at.
pub(crate) fn unused_suppressions(
    severity: Severity,
    text: &str,
    suppressions: &[Suppression],
    used: &Used,
    known: &Known<'_>,
    meant: impl Fn(&AllowedRule) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, suppression) in suppressions.iter().enumerate() {
        let unused: Vec<&AllowedRule> = suppression
            .rules
            .iter()
            .enumerate()
            .filter(|(rule, name)| meant(name) && !used.contains(&(index, *rule)))
            .filter(|(_, name)| suppression.reach == Reach::Nothing || is_asked(known, name))
            .map(|(_, name)| name)
            .collect();
        if unused.is_empty() {
            continue;
        }
        if unused.len() == suppression.rules.len() {
            let names: Vec<String> = unused.iter().map(ToString::to_string).collect();
            let removal = removal(text, suppression.span);
            findings.push(self::unused(
                severity,
                suppression,
                suppression.span,
                &names.join(", "),
                Some(removal),
            ));
        } else {
            let each = unused
                .iter()
                .map(|name| self::unused(severity, suppression, name.span, &name.to_string(), None));
            findings.extend(each);
        }
    }
    findings
}

/// What only this pass knows of itself counts as asked.
fn is_asked(known: &Known<'_>, name: &AllowedRule) -> bool {
    known.named(name) == Named::Asked || name.rule == UNUSED_SUPPRESSION
}

fn unused(severity: Severity, suppression: &Suppression, span: Span, names: &str, removal: Option<Edit>) -> Finding {
    let (message, help) = match suppression.reach {
        Reach::Nothing => (
            format!("allows {names} behind the last statement, where it holds for nothing"),
            "put it above the statement that it is for, or remove it",
        ),
        Reach::File => (
            format!("allows {names} in the whole file, where nothing of that is found"),
            "remove it: it would hide what is not there yet",
        ),
        Reach::Statement(_) => (
            format!("allows {names} at a statement where nothing of that is found"),
            "remove it, or move it above the statement that it is for",
        ),
    };
    let suggestion = |edit| Suggestion {
        title: "remove the comment".to_owned(),
        edits: vec![edit],
        automatic: suppression.reach != Reach::Nothing,
    };
    Finding {
        statement: statement(suppression),
        span: Some(span),
        help: Some(help.to_owned()),
        suggestions: removal.map(suggestion).into_iter().collect(),
        ..Finding::new(UNUSED_SUPPRESSION, severity, message)
    }
}

/// Takes the comment out, with its line when nothing else stands there.
fn removal(text: &str, comment: Span) -> Edit {
    let line_start = text[..comment.start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[comment.end..]
        .find('\n')
        .map_or(text.len(), |at| comment.end + at + 1);
    let alone = text[line_start..comment.start].trim().is_empty() && text[comment.end..line_end].trim().is_empty();
    Edit {
        span: if alone {
            Span::new(line_start, line_end)
        } else {
            comment
        },
        text: String::new(),
    }
}

fn statement(suppression: &Suppression) -> Option<usize> {
    match suppression.reach {
        Reach::Statement(statement) => Some(statement),
        Reach::File | Reach::Nothing => None,
    }
}
