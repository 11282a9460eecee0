//! `drop-extension`: an extension goes.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Severity};

pub(super) const RULE: Rule = Rule {
    id: "drop-extension",
    summary: "DROP EXTENSION removes its types and functions",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP EXTENSION`.

**Why it matters.** The types, functions and operators of the extension go with it; what uses them breaks or, with `CASCADE`, goes too.

**Instead.** Remove what uses it first, by name, and leave `CASCADE` out.",
    bad: "DROP EXTENSION citext;",
    good: "CREATE EXTENSION IF NOT EXISTS citext;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    super::report_drops(
        context,
        findings,
        &[ObjectKind::Extension],
        "remove what uses it first, by name",
    );
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::postgres;

    #[test]
    fn types_and_functions_go_with_it() {
        let rule = postgres(&RULE);
        rule.reports("", "DROP EXTENSION citext;", Medium, "drops the extension citext");
        rule.reports(
            "CREATE EXTENSION citext;",
            "DROP EXTENSION IF EXISTS citext;",
            Medium,
            "drops the extension citext",
        );
        rule.reports(
            "",
            "DROP EXTENSION \"uuid-ossp\" CASCADE;",
            Medium,
            "drops the extension uuid-ossp",
        );
    }

    #[test]
    fn one_that_is_new_or_absent_is_no_loss() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE EXTENSION citext; DROP EXTENSION citext;");
        rule.ignores("CREATE TABLE a (id int);", "DROP EXTENSION IF EXISTS citext;");
        rule.ignores("", "CREATE EXTENSION citext;");
    }
}
