//! Tests of one rule, by server.

use tollgate_plugin::rules::Rule;
use tollgate_plugin::testing::{self, Judge};
use tollgate_plugin::{Applicability, Dialect};

use crate::Conventions;

pub(crate) use tollgate_plugin::testing::{assert_ignores, assert_reports};

/// Tests of a rule on PostgreSQL.
pub(crate) fn postgres(rule: &Rule) -> Judge<Conventions> {
    testing::rule(rule).dialect(Dialect::Postgres)
}

/// Tests of a rule on `SQLite`.
pub(crate) fn sqlite(rule: &Rule) -> Judge<Conventions> {
    testing::rule(rule).dialect(Dialect::Sqlite)
}

/// The script with every suggestion of that kind followed; what comes out must parse.
#[track_caller]
pub(crate) fn fixed(rule: &Rule, script: &str, applicability: Applicability) -> String {
    let mut edits: Vec<_> = postgres(rule)
        .on("")
        .check(script)
        .into_iter()
        .flat_map(|finding| finding.suggestions)
        .filter(|suggestion| suggestion.applicability == applicability)
        .flat_map(|suggestion| suggestion.edits)
        .collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.at.start));
    let mut text = script.to_owned();
    for edit in edits {
        text.replace_range(edit.at.start as usize..edit.at.end as usize, &edit.text);
    }
    assert!(
        tollgate_sql::parse(tollgate_sql::Dialect::Postgres, &text).is_ok(),
        "{text}"
    );
    text
}
