//! `truncate`: a table is emptied.

use std::collections::VecDeque;

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, ObjectKind, ObjectName, Operation, Severity};

use crate::dynamic::{self, Suspicion};
use crate::words;

pub(super) const RULE: Rule = Rule {
    id: "truncate",
    summary: "TRUNCATE loses every row of a table",
    severity: Severity::High,
    dialects: &[Dialect::Postgres, Dialect::Mysql],
    triggers: &["truncate"],
    explanation: "\
**What it does.** Reports `TRUNCATE` of a table that may hold rows. `CASCADE` is reported separately, with the tables that it \
empties as well: all that refer to the table by a foreign key, and those that refer to them.

**Why it matters.** Every row is gone when the migration commits. With `CASCADE` so are rows of tables that the statement \
does not name.

**Instead.** Delete what has to go by a condition, after copying it, and name every table.",
    bad: "TRUNCATE sessions;",
    good: "CREATE TABLE staging (id int);\nINSERT INTO results SELECT id FROM staging;\nTRUNCATE staging;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Truncate(truncation) = &step.effect.operation else {
            continue;
        };
        if context.may_hold_rows(&step, &truncation.table) {
            let message = format!(
                "{} the table {}: {} are lost",
                step.verb("empties", "empty"),
                truncation.table.short(),
                words::its_rows(context, &step, &truncation.table)
            );
            findings
                .report(&step, message)
                .help("delete by a condition what has to go, after copying it");
        }
        if truncation.cascade {
            report_cascade(context, findings, &step, &truncation.table);
        }
    }
    dynamic::report(context, findings, &[Suspicion::Truncate], "empties a table");
}

fn report_cascade(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, table: &ObjectName) {
    let Some(original) = context.original(step, ObjectKind::Table, table) else {
        return;
    };
    let mut reached = reached(context, &original);
    reached.retain(|name| context.held_rows(name) && !context.is_gone(step, ObjectKind::Table, name));
    let message = if !reached.is_empty() {
        let names: Vec<String> = reached.iter().map(ObjectName::short).collect();
        format!("CASCADE also {} {}", step.verb("empties", "empty"), words::list(&names))
    } else if context.before.complete() {
        return;
    } else {
        format!(
            "CASCADE also {} every table that refers to {}",
            step.verb("empties", "empty"),
            table.short()
        )
    };
    findings
        .report(step, message)
        .help("leave CASCADE out and name every table that is meant");
}

/// Tables that refer to a table, directly or through others.
fn reached(context: &Context<'_>, table: &ObjectName) -> Vec<ObjectName> {
    let mut found: Vec<ObjectName> = Vec::new();
    let mut open = VecDeque::from([context.resolve(ObjectKind::Table, table)]);
    let start = open[0].clone();
    while let Some(next) = open.pop_front() {
        for (referencing, _) in context.before.referencing(&next) {
            if referencing != start && !found.contains(&referencing) {
                found.push(referencing.clone());
                open.push_back(referencing);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const SHOP: &str = "\
        CREATE TABLE users (id int PRIMARY KEY);
        CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id));
        CREATE TABLE items (order_id int REFERENCES orders (id));";

    #[test]
    fn every_row_is_lost() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "TRUNCATE users;",
            High,
            "empties the table users: all its rows are lost",
        );
        rule.reports(
            SHOP,
            "TRUNCATE TABLE ONLY public.items RESTART IDENTITY;",
            High,
            "empties the table items: all its rows are lost",
        );
        assert_reports(
            &rule.on(SHOP).rows("items", 7),
            "TRUNCATE items;",
            High,
            "empties the table items: its 7 rows are lost",
        );
        assert_eq!(rule.on(SHOP).check("TRUNCATE orders, items;").len(), 2);
    }

    #[test]
    fn cascade_is_named_separately() {
        let rule = postgres(&RULE);
        insta_like(
            &rule.on(SHOP).report("TRUNCATE users CASCADE;"),
            "CASCADE also empties orders and items",
        );
        insta_like(
            &rule.on("").report("TRUNCATE users CASCADE;"),
            "CASCADE also empties every table that refers to users",
        );
        rule.reports(
            SHOP,
            "TRUNCATE items CASCADE;",
            High,
            "empties the table items: all its rows are lost",
        );
    }

    #[track_caller]
    fn insta_like(report: &str, line: &str) {
        assert!(report.contains(line), "{line} is not in:\n{report}");
        assert!(
            report.starts_with("truncate (high): empties the table users"),
            "{report}"
        );
    }

    #[test]
    fn an_empty_table_loses_nothing() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (id int); TRUNCATE a;");
        assert_ignores(&rule.on(SHOP).rows("items", 0), "TRUNCATE items;");
        assert_ignores(
            &rule.on(SHOP).pending("CREATE TABLE fresh (id int);"),
            "TRUNCATE fresh;",
        );
    }
}
