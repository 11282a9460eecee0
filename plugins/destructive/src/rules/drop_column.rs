//! `drop-column`: a column goes with its values.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, thousands};
use tollgate_plugin::{DroppedColumn, ObjectKind, Operation, Severity};

use crate::dynamic::{self, Suspicion};
use crate::{rebuild, words};

pub(super) const RULE: Rule = Rule {
    id: "drop-column",
    summary: "DROP COLUMN, or a table made anew without the column, loses its values",
    severity: Severity::High,
    triggers: &["drop-column", "table-rebuild"],
    explanation: "\
**What it does.** Reports `ALTER TABLE … DROP COLUMN`, and rebuilds of a SQLite table (create new, copy, drop, rename) that do \
not take a column over. Silent where nothing can be lost: an empty table, a column that is NULL in every row, a column that \
the same plan added.

**Why it matters.** The values are gone for good. Application code that still reads the column fails from that moment on.

**Instead.** Deploy first without the code that reads and writes the column. Drop it in a later release, after copying what \
may be needed.",
    bad: "ALTER TABLE users DROP COLUMN nickname;",
    good: "ALTER TABLE users ADD COLUMN draft text;\nALTER TABLE users DROP COLUMN draft;",
    check,
    ..Rule::DEFAULT
};

/// How far values are counted.
const LIMIT: u64 = 10_000;

const HELP: &str = "stop using the column first and drop it in a later release, or copy its values before";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::DropColumn(dropped) = &step.effect.operation {
            report(context, findings, &step, dropped);
        }
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        let table = rebuilt.rebuild.table.short();
        if let Some(lost) = rebuilt.lost_columns(context) {
            for column in lost {
                let message =
                    format!("the rebuild of {table} does not take over the column {column}: its values are lost");
                findings.report(&rebuilt.drop, message).help(HELP);
            }
        } else {
            let kept: Vec<&str> = rebuilt.rebuild.copied.iter().map(|(to, _)| to.as_str()).collect();
            let message = format!(
                "the rebuild of {table} keeps {}; values of any other column are lost",
                words::list(&kept)
            );
            findings
                .report(&rebuilt.drop, message)
                .severity(Severity::Medium)
                .help(HELP);
        }
    }
    dynamic::report(context, findings, &[Suspicion::DropColumn], "drops a column");
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, dropped: &DroppedColumn) {
    let table = &dropped.column.table;
    if context.is_new_column(step, &dropped.column)
        || !context.may_hold_rows(step, table)
        || super::recreate_column::added_again(context, step, &dropped.column).is_some()
    {
        return;
    }
    let Some(original) = context.original_column(step, &dropped.column) else {
        return;
    };
    let values = match context.before.count_values(&original, LIMIT) {
        Ok(0) => return,
        Ok(1) => "its 1 value".to_owned(),
        Ok(LIMIT) => format!("its values ({} or more)", thousands(LIMIT)),
        Ok(values) => format!("its {} values", thousands(values)),
        Err(_) => "all its values".to_owned(),
    };
    let relation = context.before.relation(&original.table);
    let column = relation.as_ref().and_then(|relation| relation.column(&original.column));
    let generated = column.is_some_and(|column| column.generated.is_some());
    let mut needed = context.remaining_dependents(step, ObjectKind::Table, &original.table);
    needed.retain(|dependent| dependent.column.as_ref() == Some(&original.column));
    let message = format!(
        "{} the column {} with {}{}",
        step.verb("drops", "drop"),
        dropped.column,
        if generated {
            "its computed values"
        } else {
            values.as_str()
        },
        if dropped.cascade {
            String::new()
        } else {
            words::needed_by(&needed)
        }
    );
    let finding = findings.report(step, message).help(HELP);
    if generated {
        finding.severity(Severity::Medium);
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text, \"fullName\" text);";

    #[test]
    fn a_column_goes_with_its_values() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "ALTER TABLE users DROP COLUMN name;",
            High,
            "drops the column users.name with all its values",
        );
        rule.reports(
            USERS,
            "ALTER TABLE \"users\" DROP \"fullName\";",
            High,
            "drops the column users.fullName with all its values",
        );
        rule.reports(
            USERS,
            "ALTER TABLE users RENAME COLUMN name TO nick; ALTER TABLE users DROP COLUMN nick;",
            High,
            "drops the column users.nick with all its values",
        );
        sqlite(&RULE).reports(
            USERS,
            "ALTER TABLE users DROP COLUMN name;",
            High,
            "drops the column users.name with all its values",
        );
    }

    #[test]
    fn the_catalog_counts_the_values() {
        let test = postgres(&RULE).on(USERS).rows("users", 12).nulls("users", "name", 2);
        assert_reports(
            &test,
            "ALTER TABLE users DROP COLUMN name;",
            High,
            "drops the column users.name with its 10 values",
        );
        let test = postgres(&RULE).on(USERS).rows("users", 12).nulls("users", "name", 12);
        assert_ignores(&test, "ALTER TABLE users DROP COLUMN name;");
    }

    #[test]
    fn what_was_empty_or_new_is_no_loss() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "CREATE TABLE users (id int, name text); ALTER TABLE users DROP COLUMN name;",
        );
        rule.ignores(USERS, "ALTER TABLE users DROP COLUMN IF EXISTS age;");
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN age int; ALTER TABLE users DROP COLUMN age;",
        );
        assert_ignores(&rule.on(USERS).rows("users", 0), "ALTER TABLE users DROP COLUMN name;");
    }

    #[test]
    fn computed_values_are_a_smaller_loss() {
        let before = "CREATE TABLE boxes (a int, area int GENERATED ALWAYS AS (a * a) STORED);";
        let message = "drops the column boxes.area with its computed values";
        postgres(&RULE).reports(before, "ALTER TABLE boxes DROP COLUMN area;", Medium, message);
    }

    const REBUILD: &str = "\
        CREATE TABLE \"new_users\" (\"id\" INTEGER PRIMARY KEY, \"nick\" TEXT);\n\
        INSERT INTO \"new_users\" (\"id\", \"nick\") SELECT \"id\", \"name\" FROM \"users\";\n\
        DROP TABLE \"users\";\nALTER TABLE \"new_users\" RENAME TO \"users\";";

    #[test]
    fn a_rebuild_may_lose_a_column() {
        let rule = sqlite(&RULE);
        rule.reports(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);",
            REBUILD,
            High,
            "the rebuild of users does not take over the column age: its values are lost",
        );
        rule.reports(
            "",
            REBUILD,
            Medium,
            "the rebuild of users keeps id and nick; values of any other column are lost",
        );
        rule.ignores("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);", REBUILD);
        rule.reports(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);",
            "ALTER TABLE users RENAME TO old_users;\nCREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);\n\
             INSERT INTO users (id, name) SELECT id, name FROM old_users;\nDROP TABLE old_users;",
            High,
            "the rebuild of users does not take over the column age: its values are lost",
        );
    }
}
