//! `set-access-method`: a table that is stored in another way.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Operation, Severity};

use super::target;
use crate::details;

pub(super) const RULE: Rule = Rule {
    id: "set-access-method",
    summary: "SET ACCESS METHOD writes the table anew",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["set-access-method"],
    explanation: "\
**What it does.** Reports `ALTER TABLE … SET ACCESS METHOD` (PostgreSQL 15 or newer) of a table that may hold rows. \
High where the table is known to be large. A partitioned table has no rows of its own: there the method is one for \
partitions to come, and nothing is reported.

**Why it matters.** Every row is written anew, with all indexes, while ACCESS EXCLUSIVE keeps everybody from reading \
the table.

**Instead.** Make a new table with the method, move the rows over in batches, and let a short migration rename the \
two.",
    bad: "CREATE TABLE events (id int);\n-- migration\nALTER TABLE events SET ACCESS METHOD columnar;",
    good: "CREATE TABLE events (id int);\n-- migration\nCREATE TABLE old_events (LIKE events) USING columnar;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Other(other) = &step.effect.operation else {
            continue;
        };
        let Some(table) = other.objects.first().filter(|_| other.tag == "set-access-method") else {
            continue;
        };
        if target::is_partitioned(context, &step, table) {
            continue;
        }
        let method = details::text(other, "method").filter(|method| !method.is_empty());
        let method = method.map_or_else(
            || "the default access method".to_owned(),
            |name| format!("the access method {name}"),
        );
        let verb = step.verb("gives", "give");
        let what = format!("{verb} {} {method}", table.short());
        if let Some(finding) = target::report(context, findings, &step, table, &what) {
            finding.help("make a new table with the method, move the rows over in batches, and rename the two");
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const T: &str = "CREATE TABLE events (id int); CREATE TABLE parts (id int) PARTITION BY RANGE (id);";
    const ANEW: &str = "the table is written anew, and nobody can read or write it meanwhile";

    #[test]
    fn the_table_is_written_anew() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            "ALTER TABLE events SET ACCESS METHOD columnar;",
            Medium,
            &format!("gives events the access method columnar: {ANEW}"),
        );
        rule.reports(
            "",
            "ALTER TABLE \"logs\".\"Events\" SET ACCESS METHOD heap;",
            Medium,
            &format!("gives logs.Events the access method heap: {ANEW}"),
        );
        let large = rule.on(T).rows("events", 4_000_000);
        let message = "gives events the access method heap: the table with about 4,000,000 rows is written anew, and \
                       nobody can read or write it meanwhile";
        assert_reports(&large, "ALTER TABLE events SET ACCESS METHOD heap;", High, message);
    }

    #[test]
    fn no_rows_of_its_own() {
        let rule = postgres(&RULE);
        rule.ignores(T, "ALTER TABLE parts SET ACCESS METHOD columnar;");
        rule.ignores("", "CREATE TABLE t (a int); ALTER TABLE t SET ACCESS METHOD columnar;");
        assert_ignores(
            &rule.on(T).rows("events", 0),
            "ALTER TABLE events SET ACCESS METHOD columnar;",
        );
    }
}
