//! `index-on-partitioned-parent`: an index for all partitions at once.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{CreatedIndex, Dialect, Edit, Operation, RelationKind, Severity, Suggestion};

use super::{present, shown};
use crate::sql;
use crate::tables::{Busy, busy};

pub(super) const RULE: Rule = Rule {
    id: "index-on-partitioned-parent",
    summary: "CREATE INDEX on a partitioned table builds on all partitions under one lock, and cannot be CONCURRENTLY",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["create-index"],
    explanation: "\
**What it does.** Reports `CREATE INDEX` on a partitioned table that is in use. High with `CONCURRENTLY`, which the server refuses \
there, and where the catalog says that the table is large.

**Why it matters.** It builds one index after the other on all partitions, and nobody can write to any of them until the last is \
built.

**Instead.** `CREATE INDEX … ON ONLY parent`, which is done at once; `CREATE INDEX CONCURRENTLY` on each partition, in migrations of \
their own; then `ALTER INDEX … ATTACH PARTITION` for each. The parent's index becomes valid with the last.",
    bad: "CREATE TABLE logs (at date, line text) PARTITION BY RANGE (at);\n-- migration\nCREATE INDEX logs_line_idx ON logs (line);",
    good: "CREATE TABLE logs (at date, line text) PARTITION BY RANGE (at);\n-- migration\n\
           CREATE INDEX logs_line_idx ON ONLY logs (line);",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "make it ON ONLY the parent, build one CONCURRENTLY on each partition, and attach those";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::CreateIndex(index) = &step.effect.operation else {
            continue;
        };
        if index.if_not_exists && present(context, &step, index).is_some() {
            continue;
        }
        if index.concurrently {
            if is_partitioned(context, &step, index) {
                let message = format!(
                    "builds {} CONCURRENTLY on {}, which the server refuses: it is partitioned",
                    shown(index),
                    index.table.short()
                );
                findings.report(&step, message).severity(Severity::High).help(HELP);
            }
            continue;
        }
        let Some(table) = busy(context, &step, &index.table).filter(Busy::is_partitioned) else {
            continue;
        };
        if index.only {
            continue;
        }
        let verb = step.verb("builds", "build");
        let message = format!(
            "{verb} {} on all partitions of {}, which nobody can write to until the last is done",
            shown(index),
            table.shown()
        );
        let finding = findings.report(&step, message).severity(table.severity()).help(HELP);
        if let Some(edit) = edit(context, &step) {
            finding.suggest(Suggestion::manual("make it for the parent alone", vec![edit]));
        }
    }
}

/// Also where the migration itself has made the table.
fn is_partitioned(context: &Context<'_>, step: &Step<'_>, index: &CreatedIndex) -> bool {
    context
        .before_relation(step, &index.table)
        .or_else(|| context.after.relation(&index.table))
        .is_some_and(|relation| relation.kind == RelationKind::PartitionedTable)
}

fn edit(context: &Context<'_>, step: &Step<'_>) -> Option<Edit> {
    if step.effect.conditional {
        return None;
    }
    let tokens = sql::statement_tokens(context, step.statement);
    let on = sql::find(&tokens, &["on"])?;
    Some(Edit::insert(tokens.get(on)?.end, " ONLY"))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, postgres};

    const LOGS: &str = "CREATE SCHEMA app; CREATE TABLE logs (at date, line text) PARTITION BY RANGE (at);
        CREATE TABLE app.\"Logs\" (at date, line text) PARTITION BY LIST (at); CREATE TABLE plain (line text);
        CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');";

    #[test]
    fn all_partitions_are_locked() {
        let rule = postgres(&RULE);
        let message = "builds the index i on all partitions of logs, which nobody can write to until the last is done";
        rule.reports(LOGS, "CREATE INDEX i ON logs (line);", Medium, message);
        let message =
            "builds an index (line) on all partitions of app.Logs, which nobody can write to until the last is done";
        rule.reports(LOGS, "CREATE UNIQUE INDEX ON app.\"Logs\" (line);", Medium, message);
        let message = "builds the index i on all partitions of logs (about 7,000,000 rows), which nobody can write to until the last is done";
        let test = rule.on(LOGS).rows("logs", 7_000_000);
        assert_reports(
            &test,
            "CREATE INDEX IF NOT EXISTS i ON public.logs (line);",
            High,
            message,
        );
    }

    #[test]
    fn concurrently_is_refused() {
        let rule = postgres(&RULE);
        let message = "builds the index i CONCURRENTLY on logs, which the server refuses: it is partitioned";
        rule.reports(LOGS, "CREATE INDEX CONCURRENTLY i ON logs (line);", High, message);
        let script = "CREATE TABLE t (a int) PARTITION BY HASH (a); CREATE INDEX CONCURRENTLY i ON t (a);";
        rule.reports("", script, High, &message.replace("logs", "t"));
        assert_reports(
            &rule.on(LOGS).rows("logs", 0),
            "CREATE INDEX CONCURRENTLY i ON ONLY logs (line);",
            High,
            message,
        );
    }

    #[test]
    fn nobody_waits() {
        let rule = postgres(&RULE);
        rule.ignores(LOGS, "CREATE INDEX i ON ONLY logs (line);");
        rule.ignores(LOGS, "CREATE INDEX CONCURRENTLY i ON logs_1 (line);");
        rule.ignores(LOGS, "CREATE INDEX i ON plain (line);");
        rule.ignores(
            "",
            "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE INDEX i ON t (a);",
        );
        let pending = rule.on(LOGS).pending("CREATE TABLE t (a int) PARTITION BY RANGE (a);");
        assert_ignores(&pending, "CREATE INDEX i ON t (a);");
        assert_ignores(&rule.on(LOGS).rows("logs", 20), "CREATE INDEX i ON logs (line);");
    }

    #[test]
    fn the_parent_can_have_it_alone() {
        let test = postgres(&RULE).on(LOGS);
        let script = "CREATE INDEX \"on\" ON logs (line);";
        assert_eq!(
            fixed(&test, script).as_deref(),
            Some("CREATE INDEX \"on\" ON ONLY logs (line);")
        );
    }
}
