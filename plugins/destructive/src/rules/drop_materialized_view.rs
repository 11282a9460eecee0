//! `drop-materialized-view`: a materialized view goes.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Severity};

pub(super) const RULE: Rule = Rule {
    id: "drop-materialized-view",
    summary: "DROP MATERIALIZED VIEW loses rows that must be computed again",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP MATERIALIZED VIEW` unless the same migration makes it again.

**Why it matters.** Its rows can be computed again, but that may take long, and queries that read it fail until then.

**Instead.** Make the new one under another name, fill it, and swap the names.",
    bad: "DROP MATERIALIZED VIEW daily_totals;",
    good: "CREATE MATERIALIZED VIEW daily_totals_new AS SELECT 1 AS total;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    super::report_drops(
        context,
        findings,
        &[ObjectKind::MaterializedView],
        "make the new one beside it and swap the names",
    );
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::postgres;

    const TOTALS: &str = "CREATE TABLE a (x int); CREATE MATERIALIZED VIEW totals AS SELECT sum(x) AS x FROM a;";

    #[test]
    fn its_rows_must_be_computed_again() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP MATERIALIZED VIEW totals;",
            Medium,
            "drops the materialized view totals",
        );
        rule.reports(
            TOTALS,
            "DROP MATERIALIZED VIEW IF EXISTS \"totals\";",
            Medium,
            "drops the materialized view totals",
        );
        rule.reports(
            "",
            "DROP MATERIALIZED VIEW stats.daily;",
            Medium,
            "drops the materialized view stats.daily",
        );
    }

    #[test]
    fn one_that_is_made_again_or_new_is_no_loss() {
        let rule = postgres(&RULE);
        rule.ignores(
            TOTALS,
            "DROP MATERIALIZED VIEW totals; CREATE MATERIALIZED VIEW totals AS SELECT max(x) AS x FROM a;",
        );
        rule.ignores("", "CREATE MATERIALIZED VIEW v AS SELECT 1; DROP MATERIALIZED VIEW v;");
        rule.ignores(TOTALS, "DROP MATERIALIZED VIEW IF EXISTS other;");
        rule.ignores(TOTALS, "REFRESH MATERIALIZED VIEW totals;");
    }
}
