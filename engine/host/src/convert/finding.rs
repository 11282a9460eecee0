//! Findings, in both directions: from policies, and to notifiers.

use tollgate_sql::Span;

use super::{from_severity, narrow, severity, widen};
use crate::bindings::types as wit;
use crate::types::{Edit, Finding, Label, Suggestion};

fn from_span(span: wit::Span) -> Span {
    Span::new(widen(span.start), widen(span.end))
}

/// A finding as the policy made it; nothing is checked yet.
pub(crate) fn finding(finding: wit::Finding) -> Finding {
    Finding {
        rule: finding.rule,
        severity: from_severity(finding.severity),
        message: finding.message,
        statement: finding.statement.map(widen),
        span: finding.at.map(from_span),
        labels: finding
            .labels
            .into_iter()
            .map(|label| Label {
                span: from_span(label.at),
                text: label.text,
            })
            .collect(),
        help: finding.help,
        suggestions: finding.suggestions.into_iter().map(suggestion).collect(),
        properties: finding.properties,
    }
}

fn suggestion(suggestion: wit::Suggestion) -> Suggestion {
    Suggestion {
        title: suggestion.title,
        edits: suggestion
            .edits
            .into_iter()
            .map(|edit| Edit {
                span: from_span(edit.at),
                text: edit.text,
            })
            .collect(),
        automatic: match suggestion.applicability {
            wit::Applicability::Automatic => true,
            wit::Applicability::Manual => false,
        },
    }
}

/// A finding for a notifier.
pub(super) fn to_wit(finding: &Finding) -> wit::Finding {
    let span = |span: Span| wit::Span {
        start: narrow(span.start),
        end: narrow(span.end),
    };
    wit::Finding {
        rule: finding.rule.clone(),
        severity: severity(finding.severity),
        message: finding.message.clone(),
        statement: finding.statement.map(narrow),
        at: finding.span.map(span),
        labels: finding
            .labels
            .iter()
            .map(|label| wit::Label {
                at: span(label.span),
                text: label.text.clone(),
            })
            .collect(),
        help: finding.help.clone(),
        suggestions: finding
            .suggestions
            .iter()
            .map(|suggestion| wit::Suggestion {
                title: suggestion.title.clone(),
                edits: suggestion
                    .edits
                    .iter()
                    .map(|edit| wit::Edit {
                        at: span(edit.span),
                        text: edit.text.clone(),
                    })
                    .collect(),
                applicability: if suggestion.automatic {
                    wit::Applicability::Automatic
                } else {
                    wit::Applicability::Manual
                },
            })
            .collect(),
        properties: finding.properties.clone(),
    }
}
