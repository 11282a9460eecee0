//! `vacuum-full`: VACUUM that writes tables anew.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Operation, Severity};

use super::target;
use crate::details;

pub(super) const RULE: Rule = Rule {
    id: "vacuum-full",
    summary: "VACUUM FULL writes tables anew while nobody can use them",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["vacuum"],
    explanation: "\
**What it does.** Reports `VACUUM FULL`. High where the table is known to be large.

**Why it matters.** The table and its indexes are written anew while ACCESS EXCLUSIVE keeps everybody from reading the \
table; without a table's name that happens to every table of the database, one after the other.

**Instead.** A plain `VACUUM` makes the room usable again without locking anybody out. To give it back to the system: \
`pg_repack`.",
    bad: "VACUUM FULL events;",
    good: "VACUUM (ANALYZE) events;",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "use a plain VACUUM, or pg_repack where the room has to go back to the system";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Other(other) = &step.effect.operation else {
            continue;
        };
        if other.tag != "vacuum" || !details::flag(other, "full") {
            continue;
        }
        for table in &other.objects {
            if let Some(finding) = target::report(
                context,
                findings,
                &step,
                table,
                &format!("vacuums {} fully", table.short()),
            ) {
                finding.help(HELP);
            }
        }
        if other.objects.is_empty() {
            let message = "vacuums the whole database fully: each table is written anew, and nobody can read or write \
            it meanwhile";
            findings.report(&step, message).help(HELP);
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const T: &str = "CREATE TABLE events (id int);";

    #[test]
    fn tables_are_written_anew() {
        let rule = postgres(&RULE);
        let message = "vacuums events fully: the table is written anew, and nobody can read or write it meanwhile";
        rule.reports(T, "VACUUM FULL events;", Medium, message);
        rule.reports(T, "vacuum (verbose, full true) \"public\".\"events\";", Medium, message);
        let all =
            "vacuums the whole database fully: each table is written anew, and nobody can read or write it meanwhile";
        rule.reports("", "VACUUM FULL;", Medium, all);
        let message = "vacuums events fully: the table with about 2,500,000 rows is written anew, and nobody can read \
        or write it meanwhile";
        assert_reports(
            &rule.on(T).rows("events", 2_500_000),
            "VACUUM FULL events;",
            High,
            message,
        );
    }

    #[test]
    fn nobody_is_locked_out() {
        let rule = postgres(&RULE);
        rule.ignores(T, "VACUUM events;");
        rule.ignores(T, "VACUUM (FULL false, ANALYZE) events;");
        rule.ignores("", "VACUUM;");
        assert_ignores(&rule.on(T).rows("events", 10), "VACUUM FULL events;");
        sqlite(&RULE).ignores("", "VACUUM;");
    }
}
