//! Tests of one rule, by server.

use tollgate_plugin::rules::Rule;
use tollgate_plugin::testing::{self, Judge, Test};
use tollgate_plugin::{Dialect, Edit, Finding};

use crate::Safety;

pub(crate) use tollgate_plugin::testing::{assert_ignores, assert_reports};

/// Tests of a rule on PostgreSQL.
pub(crate) fn postgres(rule: &Rule) -> Judge<Safety> {
    testing::rule(rule).dialect(Dialect::Postgres)
}

/// Tests of a rule on `SQLite`.
pub(crate) fn sqlite(rule: &Rule) -> Judge<Safety> {
    testing::rule(rule).dialect(Dialect::Sqlite)
}

/// Tests of a rule on `MySQL`.
pub(crate) fn mysql(rule: &Rule) -> Judge<Safety> {
    testing::rule(rule).dialect(Dialect::Mysql)
}

/// The script with the first suggestion of each finding made, those that would overlap left out; `None` where there is
/// none. Nothing may be found in it any more.
#[track_caller]
pub(crate) fn fixed(test: &Test<Safety>, script: &str) -> Option<String> {
    let edits: Vec<Edit> = test
        .check(script)
        .into_iter()
        .filter_map(|finding| finding.suggestions.into_iter().next())
        .flat_map(|suggestion| suggestion.edits)
        .collect();
    if edits.is_empty() {
        return None;
    }
    let text = edited(script, &edits);
    testing::assert_ignores(test, &text);
    Some(text)
}

/// The script with these changes, those that would overlap left out.
pub(crate) fn edited(script: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.at.start));
    let mut text = script.to_owned();
    let mut upto = text.len();
    for edit in edits {
        let (start, end) = (edit.at.start as usize, edit.at.end as usize);
        if end <= upto {
            text.replace_range(start..end, &edit.text);
            upto = start;
        }
    }
    text
}

/// The SQL that a following migration has to hold, as the findings in a script say.
#[track_caller]
pub(crate) fn following(test: &Test<Safety>, script: &str) -> Option<String> {
    let findings = test.check(script);
    let texts: Vec<&str> = findings.iter().filter_map(followed_by).collect();
    (!texts.is_empty()).then(|| texts.concat())
}

/// The same of one finding.
pub(crate) fn followed_by(finding: &Finding) -> Option<&str> {
    let property = finding.properties.iter().find(|(name, _)| name == "fix.following");
    property.map(|(_, text)| text.as_str())
}
