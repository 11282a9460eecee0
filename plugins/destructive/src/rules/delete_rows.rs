//! `delete-rows`: rows are deleted.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Operation, Severity};

use crate::dynamic::{self, Suspicion};
use crate::{rebuild, words};

pub(super) const RULE: Rule = Rule {
    id: "delete-rows",
    summary: "DELETE loses rows",
    severity: Severity::High,
    triggers: &["delete", "table-rebuild"],
    explanation: "\
**What it does.** Reports `DELETE FROM`, also inside a `WITH`, and says whether a condition limits it. A table that is known \
to be empty or that the same plan made is not reported. A SQLite table rebuild that copies only part of the rows is.

**Why it matters.** Deleted rows are gone when the migration commits, together with rows that refer to them by \
`ON DELETE CASCADE`. A wrong condition is not noticed until somebody misses something.

**Instead.** Copy the rows to another table first (`CREATE TABLE … AS SELECT …` with the same condition), or mark them \
(`deleted_at`) and delete them later in batches.",
    bad: "DELETE FROM sessions WHERE expires_at < now();",
    good: "CREATE TABLE staging (id int);\nDELETE FROM staging;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Delete(change) = &step.effect.operation else {
            continue;
        };
        if !context.may_hold_rows(&step, &change.table) {
            continue;
        }
        let verb = step.verb("deletes", "delete");
        let table = change.table.short();
        let message = if change.filtered {
            format!("{verb} rows of {table} that a condition selects")
        } else {
            let rows = words::its_rows(context, &step, &change.table)
                .replacen("its", "the", 1)
                .replace("all the", "all");
            format!("{verb} every row of {table}: {rows}")
        };
        findings
            .report(&step, message)
            .help("copy the rows to another table first, or mark them as deleted");
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        if rebuilt.rebuild.all_rows {
            continue;
        }
        let table = rebuilt.rebuild.table.short();
        let help = "copy every row, and delete in a statement of its own what has to go";
        if copies(context, &rebuilt) > 1 {
            let message = format!("the rebuild of {table} copies its rows in parts: those that no part takes are lost");
            findings
                .report(&rebuilt.drop, message)
                .severity(Severity::Medium)
                .help(help);
        } else {
            let message = format!("the rebuild of {table} copies only part of its rows: the others are lost");
            findings.report(&rebuilt.drop, message).help(help);
        }
    }
    dynamic::report(context, findings, &[Suspicion::Delete], "deletes rows");
}

/// How many statements copy rows into the new table.
fn copies(context: &Context<'_>, rebuilt: &rebuild::Rebuilt<'_>) -> usize {
    let is_copy = |step: &tollgate_plugin::rules::Step<'_>| {
        rebuilt.rebuild.statements.contains(&step.statement.index)
            && matches!(step.effect.operation, Operation::Insert(_))
    };
    context.all_steps().filter(is_copy).count()
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const LOGS: &str = "CREATE TABLE logs (id int, at int);";

    #[test]
    fn deleted_rows_are_lost() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DELETE FROM logs WHERE id = 1;",
            High,
            "deletes rows of logs that a condition selects",
        );
        rule.reports(LOGS, "DELETE FROM logs;", High, "deletes every row of logs: all rows");
        rule.reports(
            LOGS,
            "WITH gone AS (DELETE FROM logs WHERE at < 3 RETURNING *) SELECT count(*) FROM gone;",
            High,
            "deletes rows of logs that a condition selects",
        );
        rule.reports(
            LOGS,
            "DELETE FROM public.\"logs\" USING other o WHERE o.id = logs.id;",
            High,
            "deletes rows of logs that a condition selects",
        );
        sqlite(&RULE).reports(LOGS, "DELETE FROM logs;", High, "deletes every row of logs: all rows");
        assert_reports(
            &rule.on(LOGS).rows("logs", 3),
            "DELETE FROM logs;",
            High,
            "deletes every row of logs: the 3 rows",
        );
    }

    #[test]
    fn an_empty_table_loses_nothing() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE logs (id int); DELETE FROM logs;");
        assert_ignores(&rule.on(LOGS).rows("logs", 0), "DELETE FROM logs;");
        assert_ignores(
            &rule.on(LOGS).pending("CREATE TABLE fresh (id int);"),
            "DELETE FROM fresh;",
        );
        rule.ignores(
            LOGS,
            "CREATE FUNCTION clean() RETURNS void LANGUAGE sql AS 'DELETE FROM logs';",
        );
    }

    #[test]
    fn a_rebuild_may_leave_rows_behind() {
        let rebuild = |tail: &str| {
            format!(
                "CREATE TABLE new_logs (id int, at int, note text);\n\
                 INSERT INTO new_logs (id, at) SELECT id, at FROM logs{tail};\n\
                 DROP TABLE logs;\nALTER TABLE new_logs RENAME TO logs;"
            )
        };
        let rule = sqlite(&RULE);
        let message = "the rebuild of logs copies only part of its rows: the others are lost";
        rule.reports(LOGS, &rebuild(" WHERE at > 3"), High, message);
        rule.reports(
            LOGS,
            &rebuild(" WHERE at > 3;\nINSERT INTO new_logs (id, at) SELECT id, 0 FROM logs WHERE at <= 3"),
            Medium,
            "the rebuild of logs copies its rows in parts: those that no part takes are lost",
        );
        rule.ignores(LOGS, &rebuild(""));
    }
}
