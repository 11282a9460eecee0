//! `detach-partition-not-concurrent`: a partition that is taken out while nobody can use the table.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, ObjectKind, Operation, Partition, Severity, Suggestion};

use crate::tokens;
use crate::transactions::control;

pub(super) const RULE: Rule = Rule {
    id: "detach-partition-not-concurrent",
    summary: "DETACH PARTITION keeps everybody out of the whole partitioned table",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["detach-partition"],
    explanation: "\
**What it does.** Reports `DETACH PARTITION` without `CONCURRENTLY` (PostgreSQL 14 or newer; where the version is not \
known, that is assumed) of a table that existed before the migration.

**Why it matters.** It takes ACCESS EXCLUSIVE on the partitioned table: it waits for every query on any partition, and \
every new query waits behind it.

**Instead.** `DETACH PARTITION … CONCURRENTLY`, alone in its migration. It waits without keeping others out. It does \
not work while there is a default partition.",
    bad: "CREATE TABLE events (at date) PARTITION BY RANGE (at);\n\
          CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\n-- \
          migration\n\
          ALTER TABLE events DETACH PARTITION events_2020;",
    good: "CREATE TABLE events (at date) PARTITION BY RANGE (at);\n\
           CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\n-- \
           migration\n\
           ALTER TABLE events DETACH PARTITION events_2020 CONCURRENTLY;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    if context.server().older_than(14) {
        return;
    }
    for step in context.steps() {
        if let Operation::DetachPartition(partition) = &step.effect.operation
            && !partition.concurrently
            && !context.is_new(&step, ObjectKind::Table, &partition.table)
            && context.may_hold_rows(&step, &partition.table)
            && !finalizes(context, &step)
        {
            report(context, findings, &step, partition);
        }
    }
}

/// FINALIZE ends a detachment that was begun concurrently and interrupted.
fn finalizes(context: &Context<'_>, step: &Step<'_>) -> bool {
    let tokens = tokens::read(step.effect.at.of(context.migration.text()));
    tokens.last().is_some_and(|token| token.is("finalize"))
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, partition: &Partition) {
    let table = partition.table.short();
    let message = format!(
        "{} {} from {table}, which waits for every query on {table} and keeps everybody out meanwhile",
        step.verb("detaches", "detach"),
        partition.partition.short()
    );
    let finding = findings.report(step, message);
    finding.help("detach it CONCURRENTLY, in a migration of its own; that needs that there is no default partition");
    let statements = context.migration.statements();
    // Beside other statements it would take them apart, and a transaction of the file refuses it.
    if statements.len() == 1 && !step.effect.conditional && !statements.iter().any(|of| control(of).is_some()) {
        let edit = Edit::insert(step.effect.at.end, " CONCURRENTLY");
        finding.suggest(Suggestion::manual("detach it without keeping others out", vec![edit]));
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{assert_ignores, postgres};

    const T: &str = "CREATE TABLE \"Events\" (at int) PARTITION BY RANGE (at); CREATE TABLE old PARTITION \
    OF \"Events\" FOR VALUES FROM (1) TO (2);";
    const DETACH: &str = "ALTER TABLE \"Events\" DETACH PARTITION old;";
    const MESSAGE: &str =
        "detaches old from Events, which waits for every query on Events and keeps everybody out meanwhile";

    #[test]
    fn everybody_waits() {
        let rule = postgres(&RULE);
        rule.reports(T, DETACH, Medium, MESSAGE);
        rule.version(14, 0, 0).reports(
            T,
            "-- why\nBEGIN; ALTER TABLE public.\"Events\" DETACH PARTITION public.old; COMMIT;",
            Medium,
            MESSAGE,
        );
        rule.reports("", DETACH, Medium, MESSAGE);
    }

    #[test]
    fn the_suggested_text_is_not_reported() {
        let findings = postgres(&RULE).on(T).check(DETACH);
        let edit = &findings[0].suggestions[0].edits[0];
        let mut mended = DETACH.to_owned();
        mended.insert_str(edit.at.start as usize, &edit.text);
        assert_eq!(mended, "ALTER TABLE \"Events\" DETACH PARTITION old CONCURRENTLY;");
        postgres(&RULE).ignores(T, &mended);
        assert!(
            postgres(&RULE).on(T).check(&format!("{DETACH} DROP TABLE old;"))[0]
                .suggestions
                .is_empty()
        );
    }

    #[test]
    fn there_is_no_better_way_or_nobody_waits() {
        let rule = postgres(&RULE);
        rule.version(13, 0, 0).ignores(T, DETACH);
        rule.ignores(T, "ALTER TABLE \"Events\" DETACH PARTITION old FINALIZE;");
        rule.ignores(
            "",
            "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE q PARTITION OF p DEFAULT; ALTER TABLE p DETACH \
             PARTITION q;",
        );
        assert_ignores(&rule.on("CREATE TABLE a (b int);").pending(T), DETACH);
    }
}
