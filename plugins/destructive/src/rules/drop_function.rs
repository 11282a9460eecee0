//! `drop-function`: a function, procedure or aggregate goes.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Severity};

pub(super) const RULE: Rule = Rule {
    id: "drop-function",
    summary: "DROP FUNCTION breaks what calls it",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP FUNCTION`, `DROP PROCEDURE` and `DROP AGGREGATE` unless the same migration makes it again.

**Why it matters.** Code and triggers that call the function fail from that moment on. The server does not know who calls it.

**Instead.** `CREATE OR REPLACE FUNCTION` where the arguments stay. Otherwise add the new one, move the callers, and drop the old one later.",
    bad: "DROP FUNCTION slugify(text);",
    good: "DROP FUNCTION slugify(text);\nCREATE FUNCTION slugify(text) RETURNS text LANGUAGE sql AS 'SELECT lower($1)';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    super::report_drops(
        context,
        findings,
        &[ObjectKind::Function, ObjectKind::Procedure, ObjectKind::Aggregate],
        "replace it with CREATE OR REPLACE, or stop calling it first",
    );
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::postgres;

    const ONE: &str = "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';";

    #[test]
    fn callers_fail() {
        let rule = postgres(&RULE);
        rule.reports("", "DROP FUNCTION one();", Medium, "drops the function one");
        rule.reports(
            "",
            "DROP PROCEDURE app.\"Do It\"(int);",
            Medium,
            "drops the procedure app.Do It",
        );
        rule.reports("", "DROP AGGREGATE total(int);", Medium, "drops the aggregate total");
        rule.reports(ONE, "DROP FUNCTION IF EXISTS one;", Medium, "drops the function one");
    }

    #[test]
    fn one_that_is_made_again_or_new_is_no_loss() {
        let rule = postgres(&RULE);
        rule.ignores(
            ONE,
            "DROP FUNCTION one(); CREATE FUNCTION one() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';",
        );
        rule.ignores(
            "",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f();",
        );
        rule.ignores(
            ONE,
            "CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 2';",
        );
    }
}
