//! `drop-not-null`: a column may be without a value from now on.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ColumnName, Operation, Severity};

use super::table_goes;
use crate::rebuild;

pub(super) const RULE: Rule = Rule {
    id: "drop-not-null",
    summary: "DROP NOT NULL: readers that trust the column may meet NULL",
    severity: Severity::Low,
    triggers: &["drop-not-null", "table-rebuild"],
    explanation: "\
**What it does.** Reports a column that was required and is not any more when the migration has run.

**Why it matters.** No value is lost, but code that reads the column and never met NULL will.

**Instead.** Deploy first the code that can read NULL.",
    bad: "ALTER TABLE users ALTER COLUMN email DROP NOT NULL;",
    good: "CREATE TABLE users (id int, email text);\n-- migration\nALTER TABLE users ALTER COLUMN email DROP NOT NULL;",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "deploy first the code that can read NULL";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::DropNotNull(column) = &step.effect.operation else {
            continue;
        };
        let was_required = context.original_column(&step, column).is_some_and(|original| {
            let relation = context.before.relation(&original.table);
            let known = relation.as_ref().and_then(|relation| relation.column(&original.column));
            known.is_none_or(|column| column.not_null)
        });
        if was_required && !context.is_new_column(&step, column) && !is_required_after(context, &step, column) {
            let message = format!("{} {column} be without a value", step.verb("lets", "let"));
            findings.report(&step, message).help(HELP);
        }
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        let key = |name: &str| {
            rebuilt
                .before
                .as_ref()
                .is_some_and(|table| table.primary_key().iter().any(|part| part == name))
        };
        for (new, old) in rebuilt.taken_over(context) {
            let in_new_key = rebuilt.created.constraints.iter().any(|constraint| {
                constraint.kind == tollgate_plugin::ConstraintKind::PrimaryKey && constraint.columns.contains(&new.name)
            });
            if old.not_null && !new.not_null && !in_new_key && !key(&old.name) {
                let column = ColumnName::new(rebuilt.rebuild.table.clone(), new.name.clone());
                findings
                    .report(&rebuilt.create, format!("lets {column} be without a value"))
                    .help(HELP);
            }
        }
    }
}

/// A later statement makes the column required again, or takes it or its table away.
fn is_required_after(context: &Context<'_>, step: &Step<'_>, column: &ColumnName) -> bool {
    let set_again = context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::SetNotNull(set) => {
            set.column == column.column && context.same(tollgate_plugin::ObjectKind::Table, &set.table, &column.table)
        }
        _ => false,
    });
    let after = context.after.relation(&column.table);
    set_again
        || table_goes(context, &column.table)
        || after.is_some_and(|relation| !relation.uncertain && relation.column(&column.column).is_none())
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, \"Nick\" text);";

    #[test]
    fn readers_may_meet_null() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "ALTER TABLE users ALTER email DROP NOT NULL;",
            Low,
            "lets users.email be without a value",
        );
        rule.reports(
            USERS,
            "ALTER TABLE \"users\" ALTER COLUMN \"email\" DROP NOT NULL;",
            Low,
            "lets users.email be without a value",
        );
        rule.reports(
            "",
            "ALTER TABLE app.users ALTER email DROP NOT NULL;",
            Low,
            "lets app.users.email be without a value",
        );
    }

    #[test]
    fn nothing_changes() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE users ALTER email DROP NOT NULL, ALTER email SET NOT NULL;",
        );
        rule.ignores(USERS, "ALTER TABLE users ALTER \"Nick\" DROP NOT NULL;");
        rule.ignores(
            "",
            "CREATE TABLE users (email text NOT NULL); ALTER TABLE users ALTER email DROP NOT NULL;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users ALTER email DROP NOT NULL; ALTER TABLE users DROP COLUMN email;",
        );
    }

    #[test]
    fn a_rebuild_may_drop_it() {
        let rebuild = |column: &str| {
            format!(
                "CREATE TABLE new_t (id INTEGER PRIMARY KEY, {column});\nINSERT INTO new_t (id, role) SELECT id, role FROM t;\n\
                 DROP TABLE t;\nALTER TABLE new_t RENAME TO t;"
            )
        };
        let before = "CREATE TABLE t (id INTEGER PRIMARY KEY, role TEXT NOT NULL);";
        let rule = sqlite(&RULE);
        rule.reports(before, &rebuild("role TEXT"), Low, "lets t.role be without a value");
        rule.ignores(before, &rebuild("role TEXT NOT NULL"));
    }
}
