//! `foreign-key-validating`: a foreign key is checked against all rows while nobody can write.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ColumnName, ConstraintKind, Dialect, ObjectName, Operation, Severity};

use super::{Added, With, added_to_tables, same_table, suggest_not_valid};
use crate::tables::{busy, gives_values};

pub(super) const RULE: Rule = Rule {
    id: "foreign-key-validating",
    summary: "A foreign key without NOT VALID keeps everybody from writing to both tables while it reads all rows",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["add-constraint", "add-column"],
    explanation: "\
**What it does.** Reports a foreign key that is added without `NOT VALID` to a table that is in use. High where the catalog says \
that the table is large; low where no row can have a value to look up, because the migration has added the column or the other \
table is empty: the server reads the rows all the same. Silent for `ADD COLUMN … REFERENCES` without a default: the column is NULL everywhere, and the server \
does not look.

**Why it matters.** Both tables are locked against writes (SHARE ROW EXCLUSIVE) until every row has been looked up in the other \
table.

**Instead.** `ADD CONSTRAINT … NOT VALID`, which only holds for new rows, and in a following migration `VALIDATE CONSTRAINT`, \
during which everybody goes on writing. A partitioned table takes NOT VALID from PostgreSQL 18 on; before that, give the foreign \
key to each partition first, and to the parent last.",
    bad: "ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id);",
    good: "ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, added) in added_to_tables(context, ConstraintKind::ForeignKey) {
        let Some(target) = &added.definition.references else {
            continue;
        };
        if added.definition.not_valid || is_not_looked_at(&step, &added) {
            continue;
        }
        let Some(table) = busy(context, &step, added.table) else {
            continue;
        };
        let verb = step.verb("reads", "read");
        let message = format!(
            "{verb} all rows of {} for {}, while nobody can write to {}",
            table.shown(),
            shown(&added, target),
            both(context, &added, target)
        );
        let severity = if !table.large && has_no_values(context, &step, &added, target) {
            Severity::Low
        } else {
            table.severity()
        };
        let finding = findings.report(&step, message).severity(severity);
        if table.is_partitioned() && !context.server().at_least(18) {
            finding.help("give it NOT VALID to each partition, validate those, and then add it to the parent");
            continue;
        }
        finding.help("add it NOT VALID, and validate it in a following migration");
        suggest_not_valid(context, &step, &added, finding);
    }
}

fn shown(added: &Added<'_>, target: &ObjectName) -> String {
    match &added.definition.name {
        Some(name) => format!("the foreign key {name}"),
        None => format!("a foreign key to {}", target.short()),
    }
}

fn both(context: &Context<'_>, added: &Added<'_>, target: &ObjectName) -> String {
    if same_table(context, added.table, target) {
        "it".to_owned()
    } else {
        format!("it or to {}", target.short())
    }
}

/// No row has a value to look up: the migration has added a column without one, or the other table has no rows.
fn has_no_values(context: &Context<'_>, step: &Step<'_>, added: &Added<'_>, target: &ObjectName) -> bool {
    !context.may_hold_rows(step, target)
        || added.definition.columns.iter().any(|column| {
            let column = ColumnName::new(added.table.clone(), column.clone());
            context.is_new_column(step, &column) && is_null_everywhere(context, step, &column)
        })
}

/// Neither its definition nor a statement above gives the new column values.
fn is_null_everywhere(context: &Context<'_>, step: &Step<'_>, column: &ColumnName) -> bool {
    let mut added = false;
    for earlier in context.steps_before(step) {
        let Some(then) = context.column_after(&earlier, step, column) else {
            continue;
        };
        match &earlier.effect.operation {
            Operation::AddColumn(add)
                if same_table(context, &add.table, &then.table) && add.column.name == then.column =>
            {
                added = !gives_values(add) && !add.if_not_exists;
            }
            Operation::Update(change)
                if same_table(context, &change.table, &then.table) && change.columns.contains(&then.column) =>
            {
                return false;
            }
            _ => {}
        }
    }
    added
}

/// Beside new columns that are NULL everywhere the server skips the scan, as long as the statement adds nothing else that
/// needs one.
fn is_not_looked_at(step: &Step<'_>, added: &Added<'_>) -> bool {
    matches!(added.with, With::Column)
        && step.statement.effects.iter().all(|effect| match &effect.operation {
            Operation::AddConstraint(other) => other.constraint.kind != ConstraintKind::ForeignKey,
            // Even DEFAULT NULL makes it look.
            Operation::AddColumn(column) => !gives_values(column) && column.column.default.is_none(),
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a failing test should stop here")]

    use tollgate_plugin::Severity::{High, Low, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, following, postgres};

    const SHOP: &str = "CREATE SCHEMA app; CREATE TABLE users (id int PRIMARY KEY, boss int);
        CREATE TABLE orders (id int, user_id int); CREATE TABLE app.\"Orders\" (\"userId\" int);
        CREATE TABLE parts (user_id int) PARTITION BY LIST (user_id);";
    const ADD: &str = "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id);";
    const MESSAGE: &str = "reads all rows of orders for the foreign key fk, while nobody can write to it or to users";

    #[test]
    fn all_rows_are_looked_up() {
        let rule = postgres(&RULE);
        rule.reports("", ADD, Medium, MESSAGE);
        rule.reports(SHOP, ADD, Medium, MESSAGE);
        let message =
            "reads all rows of app.Orders for a foreign key to users, while nobody can write to it or to users";
        let script =
            "ALTER TABLE ONLY \"app\".\"Orders\" ADD FOREIGN KEY (\"userId\") REFERENCES users ON DELETE CASCADE;";
        rule.reports(SHOP, script, Medium, message);
        let message = "reads all rows of users for a foreign key to users, while nobody can write to it";
        rule.reports(
            SHOP,
            "ALTER TABLE users ADD FOREIGN KEY (boss) REFERENCES public.users;",
            Medium,
            message,
        );
        let message = "reads all rows of orders for a foreign key to users, while nobody can write to it or to users";
        rule.reports(
            SHOP,
            "ALTER TABLE orders ADD COLUMN by int DEFAULT 1 REFERENCES users;",
            Medium,
            message,
        );
        let message = "may read all rows of orders for the foreign key fk, while nobody can write to it or to users";
        rule.reports(SHOP, &format!("DO $$ BEGIN {ADD} END $$;"), Medium, message);
        let message = "reads all rows of orders (about 5,000,000 rows) for the foreign key fk, while nobody can write to it or to users";
        assert_reports(&rule.on(SHOP).rows("orders", 5_000_000), ADD, High, message);
    }

    #[test]
    fn no_row_can_have_a_value() {
        let rule = postgres(&RULE);
        let message = "reads all rows of orders for the foreign key fk, while nobody can write to it or to users";
        let add = "ALTER TABLE orders ADD COLUMN by int;";
        let key = "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (by) REFERENCES users (id);";
        rule.reports(SHOP, &format!("{add} {key}"), Low, message);
        rule.reports(SHOP, &format!("{add} UPDATE orders SET by = 1; {key}"), Medium, message);
        rule.reports(
            SHOP,
            &format!("{} {key}", add.replace("int", "int DEFAULT 1")),
            Medium,
            message,
        );
        let test = rule.on(SHOP).rows("orders", 5_000_000);
        let large = message.replace("of orders", "of orders (about 5,000,000 rows)");
        assert_reports(&test, &format!("{add} {key}"), High, &large);
        let script = format!(
            "CREATE TABLE people (id int PRIMARY KEY); {}",
            ADD.replace("users", "people")
        );
        rule.reports(SHOP, &script, Low, &message.replace("users", "people"));
    }

    #[test]
    fn there_is_nothing_to_look_up() {
        let rule = postgres(&RULE);
        rule.ignores(
            SHOP,
            "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;",
        );
        rule.ignores(SHOP, "ALTER TABLE orders VALIDATE CONSTRAINT fk;");
        rule.ignores(SHOP, "ALTER TABLE orders ADD COLUMN by int REFERENCES users (id);");
        rule.ignores(SHOP, "CREATE TABLE mails (user_id int REFERENCES users (id));");
        let script =
            "CREATE TABLE mails (user_id int); ALTER TABLE mails ADD FOREIGN KEY (user_id) REFERENCES users (id);";
        rule.ignores(SHOP, script);
        let pending = rule.on(SHOP).pending("CREATE TABLE mails (user_id int);");
        assert_ignores(
            &pending,
            "ALTER TABLE mails ADD FOREIGN KEY (user_id) REFERENCES users;",
        );
        assert_ignores(&rule.on(SHOP).rows("orders", 40), ADD);
    }

    #[test]
    fn partitioned_tables_take_not_valid_late() {
        let rule = postgres(&RULE);
        let script = "ALTER TABLE parts ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id);";
        assert_eq!(fixed(&rule.version(17, 2, 0).on(SHOP), script), None);
        assert_eq!(fixed(&rule.on(SHOP), script), None);
        assert!(fixed(&rule.version(18, 0, 0).on(SHOP), script).is_some());
    }

    #[test]
    fn it_can_be_validated_later() {
        let test = postgres(&RULE).on(SHOP);
        let script = "ALTER TABLE \"app\".\"Orders\"\n  ADD COLUMN x int,\n  ADD FOREIGN KEY (\"userId\") REFERENCES users (id) -- why\n;";
        assert_eq!(
            fixed(&test, script).as_deref(),
            Some(
                "ALTER TABLE \"app\".\"Orders\"\n  ADD COLUMN x int,\n  ADD FOREIGN KEY (\"userId\") REFERENCES users (id) NOT VALID -- why\n;"
            )
        );
        assert_eq!(
            following(&test, script).as_deref(),
            Some("ALTER TABLE app.\"Orders\" VALIDATE CONSTRAINT \"Orders_userId_fkey\";\n")
        );
        let script = "ALTER TABLE orders ADD COLUMN by int DEFAULT 1 REFERENCES users;";
        assert!(test.check(script)[0].suggestions.is_empty());
    }
}
