//! `attach-partition-without-check`: a table becomes a partition, and all its rows are read.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ConstraintKind, Dialect, Operation, Partition, Severity};

use super::{added, same_table};
use crate::tables::{Busy, busy};

pub(super) const RULE: Rule = Rule {
    id: "attach-partition-without-check",
    summary: "ATTACH PARTITION reads all rows of the table unless a CHECK proves that they belong there",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["attach-partition"],
    explanation: "\
**What it does.** Reports `ATTACH PARTITION` of a table that is in use and has no validated CHECK constraint. High where the catalog \
says that the table is large. Whether a CHECK that is there says the same as the bounds is not judged.

**Why it matters.** The new partition is locked exclusively (ACCESS EXCLUSIVE) until every row has been tested against the bounds, \
and before PostgreSQL 12 its parent with it. A default partition is read in the same way, for rows that belong to the new one.

**Instead.** Give the table a CHECK that says what the bounds say, and NOT NULL for the columns of the partition key: first \
NOT VALID, then `VALIDATE CONSTRAINT` in a following migration. The server then reads nothing. A CHECK on the default partition \
that excludes the bounds does the same for that one.",
    bad: "ALTER TABLE logs ATTACH PARTITION logs_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');",
    good: "CREATE TABLE logs_2026 (at date NOT NULL, CHECK (at >= '2026-01-01' AND at < '2027-01-01'));\n-- migration\n\
           ALTER TABLE logs ATTACH PARTITION logs_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::AttachPartition(attached) = &step.effect.operation else {
            continue;
        };
        let Some(table) = busy(context, &step, &attached.partition) else {
            continue;
        };
        if has_check(context, &step, attached, &table) {
            continue;
        }
        let parent = attached.table.short();
        let locked = if context.server().older_than(12) {
            format!("it or {parent}")
        } else {
            "it".to_owned()
        };
        let verb = step.verb("reads", "read");
        let message = format!(
            "{verb} all rows of {} to attach it to {parent}, while nobody can use {locked}",
            table.shown()
        );
        findings
            .report(&step, message)
            .severity(table.severity())
            .help("prove the bounds with a CHECK first: NOT VALID, then validated in a following migration");
    }
}

/// Some condition has been tested on all rows; the author will have meant the bounds.
fn has_check(context: &Context<'_>, step: &Step<'_>, attached: &Partition, table: &Busy) -> bool {
    let is_check = |kind: ConstraintKind| kind == ConstraintKind::Check;
    let before = table.relation.as_ref().is_some_and(|relation| {
        relation
            .constraints
            .iter()
            .any(|constraint| is_check(constraint.kind) && constraint.validated)
    });
    before
        || context
            .steps_before(step)
            .any(|earlier| match &earlier.effect.operation {
                Operation::ValidateConstraint(named) => same_table(context, &named.table, &attached.partition),
                _ => added(&earlier).into_iter().any(|added| {
                    is_check(added.definition.kind)
                        && !added.definition.not_valid
                        && same_table(context, added.table, &attached.partition)
                }),
            })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::postgres;

    const LOGS: &str =
        "CREATE SCHEMA app; CREATE TABLE logs (at date) PARTITION BY RANGE (at); CREATE TABLE logs_1 (at date);
        CREATE TABLE app.\"Logs\" (at date); CREATE TABLE checked (at date CHECK (at < '2027-01-01'));";
    const ATTACH: &str = "ALTER TABLE logs ATTACH PARTITION logs_1 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');";
    const MESSAGE: &str = "reads all rows of logs_1 to attach it to logs, while nobody can use it";

    #[test]
    fn all_rows_are_read() {
        let rule = postgres(&RULE);
        rule.reports("", ATTACH, Medium, MESSAGE);
        rule.reports(LOGS, ATTACH, Medium, MESSAGE);
        let message = "reads all rows of app.Logs to attach it to logs, while nobody can use it";
        rule.reports(
            LOGS,
            "ALTER TABLE public.logs ATTACH PARTITION \"app\".\"Logs\" DEFAULT;",
            Medium,
            message,
        );
        let script = format!("ALTER TABLE logs_1 ADD CONSTRAINT c CHECK (at < '2027-01-01') NOT VALID; {ATTACH}");
        rule.reports(LOGS, &script, Medium, MESSAGE);
        let message = "reads all rows of logs_1 to attach it to logs, while nobody can use it or logs";
        rule.version(11, 3, 0).reports(LOGS, ATTACH, Medium, message);
        let message = "reads all rows of logs_1 (about 8,000,000 rows) to attach it to logs, while nobody can use it";
        assert_reports(&rule.on(LOGS).rows("logs_1", 8_000_000), ATTACH, High, message);
    }

    #[test]
    fn no_row_is_read() {
        let rule = postgres(&RULE);
        rule.ignores(LOGS, &ATTACH.replace("logs_1", "checked"));
        rule.ignores(
            LOGS,
            &format!("CREATE TABLE logs_2 (at date); {}", ATTACH.replace("logs_1", "logs_2")),
        );
        let proven = format!("{LOGS} ALTER TABLE logs_1 ADD CONSTRAINT c CHECK (at < '2027-01-01') NOT VALID;");
        rule.ignores(&proven, &format!("ALTER TABLE logs_1 VALIDATE CONSTRAINT c; {ATTACH}"));
        assert_ignores(
            &rule.on(LOGS).pending("CREATE TABLE logs_2 (at date);"),
            &ATTACH.replace("logs_1", "logs_2"),
        );
        assert_ignores(&rule.on(LOGS).rows("logs_1", 100), ATTACH);
    }
}
