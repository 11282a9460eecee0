//! `update-without-where`: every row is overwritten.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ColumnName, Operation, Severity};

use crate::words;

pub(super) const RULE: Rule = Rule {
    id: "update-without-where",
    summary: "UPDATE without WHERE overwrites a column in every row",
    severity: Severity::Medium,
    triggers: &["update"],
    explanation: "\
**What it does.** Reports `UPDATE` without a condition where it overwrites columns that existed before the migration. Filling \
a column that the same migration added is not reported.

**Why it matters.** The old values are gone. A forgotten WHERE looks the same as one that is not needed.

**Instead.** Say which rows are meant, even if it is `WHERE column IS NULL`, or write the new values to a new column.",
    bad: "UPDATE users SET role = 'member';",
    good: "ALTER TABLE users ADD COLUMN role text;\nUPDATE users SET role = 'member';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Update(change) = &step.effect.operation else {
            continue;
        };
        if change.filtered || !context.may_hold_rows(&step, &change.table) {
            continue;
        }
        let overwritten: Vec<&str> = change
            .columns
            .iter()
            .map(String::as_str)
            .filter(|column| !context.is_new_column(&step, &ColumnName::new(change.table.clone(), *column)))
            .collect();
        if overwritten.is_empty() && !change.columns.is_empty() {
            continue;
        }
        let what = if overwritten.is_empty() {
            "columns".to_owned()
        } else {
            words::list(&overwritten)
        };
        let rows = words::its_rows(context, &step, &change.table);
        let rows = if rows == "all its rows" {
            "every row".to_owned()
        } else {
            rows
        };
        let message = format!(
            "{} {what} in {rows} of {}",
            step.verb("overwrites", "overwrite"),
            change.table.short()
        );
        findings
            .report(&step, message.replace("in its ", "in the "))
            .help("add a WHERE that says which rows are meant");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int, role text);";

    #[test]
    fn every_row_is_overwritten() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "UPDATE users SET role = 'a', \"fullName\" = '';",
            Medium,
            "overwrites role and fullName in every row of users",
        );
        rule.reports(
            USERS,
            "UPDATE ONLY public.users AS u SET role = lower(role);",
            Medium,
            "overwrites role in every row of users",
        );
        rule.reports(
            USERS,
            "WITH x AS (UPDATE users SET role = '' RETURNING 1) SELECT 1;",
            Medium,
            "overwrites role in every row of users",
        );
        sqlite(&RULE).reports(
            USERS,
            "UPDATE users SET role = 'a';",
            Medium,
            "overwrites role in every row of users",
        );
        assert_reports(
            &rule.on(USERS).rows("users", 4),
            "UPDATE users SET role = '';",
            Medium,
            "overwrites role in the 4 rows of users",
        );
    }

    #[test]
    fn a_condition_or_nothing_to_lose() {
        let rule = postgres(&RULE);
        rule.ignores("", "UPDATE users SET role = 'a' WHERE role IS NULL;");
        rule.ignores(
            USERS,
            "UPDATE users SET role = o.role FROM others o WHERE o.id = users.id;",
        );
        rule.ignores(USERS, "ALTER TABLE users ADD COLUMN x int; UPDATE users SET x = id;");
        rule.ignores("", "CREATE TABLE t (a int); UPDATE t SET a = 1;");
        assert_ignores(&rule.on(USERS).rows("users", 0), "UPDATE users SET role = '';");
    }
}
