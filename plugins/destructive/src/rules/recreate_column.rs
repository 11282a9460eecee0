//! `recreate-column`: a column is dropped and added again.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ColumnName, ObjectKind, Operation, Severity};

pub(super) const RULE: Rule = Rule {
    id: "recreate-column",
    summary: "DROP COLUMN and ADD COLUMN of the same name: the values do not come back",
    severity: Severity::High,
    triggers: &["drop-column"],
    explanation: "\
**What it does.** Reports a column that one migration drops and adds again. Schema tools write this when they find no cast \
from the old type to the new one.

**Why it matters.** It reads like a change of type, but every value of the column is lost.

**Instead.** `ALTER COLUMN … TYPE … USING …` with an expression that converts the values, or add the new column under another \
name, fill it, and drop the old one later.",
    bad: "ALTER TABLE users DROP COLUMN role;\nALTER TABLE users ADD COLUMN role int;",
    good: "ALTER TABLE users ADD COLUMN role_id int;\nUPDATE users SET role_id = 1 WHERE role = 'admin';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::DropColumn(dropped) = &step.effect.operation else {
            continue;
        };
        let Some(added) = added_again(context, &step, &dropped.column) else {
            continue;
        };
        let table = &dropped.column.table;
        if context.is_emptied(&step, table)
            || context.is_new_column(&step, &dropped.column)
            || !context.may_hold_rows(&step, table)
        {
            continue;
        }
        let original = context.original_column(&step, &dropped.column);
        if original.is_some_and(|original| context.before.count_values(&original, 1) == Ok(0)) {
            continue;
        }
        let message = format!(
            "{} the column {} and adds it again: its values do not come back",
            step.verb("drops", "drop"),
            dropped.column
        );
        findings
            .report(&step, message)
            .label(added.effect.at, "added again here")
            .help("convert the values with ALTER COLUMN … TYPE … USING …, or fill a column of another name");
    }
}

/// The later step that adds a column of that name to the table.
pub(super) fn added_again<'a>(context: &Context<'a>, step: &Step<'_>, column: &ColumnName) -> Option<Step<'a>> {
    context.steps_after(step).find(|later| match &later.effect.operation {
        Operation::AddColumn(added) => {
            context.same_identifier(&added.column.name, &column.column)
                && context.same(ObjectKind::Table, &added.table, &column.table)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;

    use super::RULE;
    use crate::judge::{assert_ignores, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int, role text);";
    const MESSAGE: &str = "drops the column users.role and adds it again: its values do not come back";

    #[test]
    fn values_do_not_come_back() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "ALTER TABLE users DROP COLUMN role, ADD COLUMN role int NOT NULL;",
            High,
            MESSAGE,
        );
        rule.reports(
            USERS,
            "ALTER TABLE users DROP role; SELECT 1; ALTER TABLE public.users ADD \"role\" int;",
            High,
            MESSAGE,
        );
        rule.reports(
            USERS,
            "ALTER TABLE users DROP COLUMN IF EXISTS role; ALTER TABLE users ADD COLUMN IF NOT EXISTS role int;",
            High,
            MESSAGE,
        );
        sqlite(&RULE).reports(
            USERS,
            "ALTER TABLE users DROP COLUMN role; ALTER TABLE users ADD COLUMN Role int;",
            High,
            MESSAGE,
        );
    }

    #[test]
    fn another_column_or_no_values() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE users DROP COLUMN role; ALTER TABLE users ADD COLUMN \"Role\" int;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users DROP COLUMN role; ALTER TABLE posts ADD COLUMN role int;",
        );
        rule.ignores("", "CREATE TABLE users (role int); ALTER TABLE users DROP COLUMN role; ALTER TABLE users ADD COLUMN role text;");
        assert_ignores(
            &rule.on(USERS).rows("users", 5).nulls("users", "role", 5),
            "ALTER TABLE users DROP COLUMN role, ADD COLUMN role int;",
        );
    }
}
