//! `cluster`: tables that are put in the order of an index.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Operation, Severity};

use super::target;

pub(super) const RULE: Rule = Rule {
    id: "cluster",
    summary: "CLUSTER writes tables anew while nobody can use them",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["cluster"],
    explanation: "\
**What it does.** Reports `CLUSTER`. High where the table is known to be large. `ALTER TABLE … CLUSTER ON` only notes \
the index and is not reported.

**Why it matters.** The table and its indexes are written anew in the order of one index, while ACCESS EXCLUSIVE keeps \
everybody from reading the table; without a table's name that happens to every table that was clustered before. New \
rows do not keep the order.

**Instead.** `pg_repack` does the same and locks the table only for moments.",
    bad: "CLUSTER events USING events_at;",
    good: "ALTER TABLE events CLUSTER ON events_at;",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "use pg_repack --order-by, which locks the table only for moments";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Other(other) = &step.effect.operation else {
            continue;
        };
        if other.tag != "cluster" {
            continue;
        }
        let verb = step.verb("puts", "put");
        let Some(table) = other.objects.first() else {
            let message = format!(
                "{verb} every table that was clustered before in order: each is written anew, and nobody can read or \
                 write it meanwhile"
            );
            findings.report(&step, message).help(HELP);
            continue;
        };
        let what = format!("{verb} {} in the order of an index", table.short());
        if let Some(finding) = target::report(context, findings, &step, table, &what) {
            finding.help(HELP);
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const T: &str = "CREATE TABLE events (at date); CREATE INDEX events_at ON events (at);";

    #[test]
    fn tables_are_written_anew() {
        let rule = postgres(&RULE);
        let message = "puts events in the order of an index: the table is written anew, and nobody can read or write \
        it meanwhile";
        rule.reports(T, "CLUSTER events USING events_at;", Medium, message);
        rule.reports(T, "CLUSTER VERBOSE \"public\".\"events\";", Medium, message);
        let all = "puts every table that was clustered before in order: each is written anew, and nobody can read or \
        write it meanwhile";
        rule.reports("", "CLUSTER;", Medium, all);
        let message = "puts events in the order of an index: the table with about 6,000,000 rows is written anew, and \
                       nobody can read or write it meanwhile";
        assert_reports(
            &rule.on(T).rows("events", 6_000_000),
            "CLUSTER events USING events_at;",
            High,
            message,
        );
    }

    #[test]
    fn nothing_to_put_in_order() {
        let rule = postgres(&RULE);
        rule.ignores(T, "ALTER TABLE events CLUSTER ON events_at;");
        rule.ignores("", "CREATE TABLE t (a int PRIMARY KEY); CLUSTER t USING t_pkey;");
        assert_ignores(&rule.on(T).rows("events", 7), "CLUSTER events USING events_at;");
    }
}
