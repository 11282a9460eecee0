//! `check-validating`: a CHECK is tested on all rows while nobody can use the table.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ConstraintKind, Dialect, Severity};

use super::{With, added_to_tables, suggest_not_valid};
use crate::tables::busy;

pub(super) const RULE: Rule = Rule {
    id: "check-validating",
    summary: "A CHECK without NOT VALID keeps everybody from the table while it reads all rows",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["add-constraint", "add-column"],
    explanation: "\
**What it does.** Reports a CHECK constraint that is added without `NOT VALID` to a table that is in use, also beside a new column. \
High where the catalog says that the table is large.

**Why it matters.** The table is locked exclusively (ACCESS EXCLUSIVE) until every row has been tested: nobody can even read it.

**Instead.** `ADD CONSTRAINT … CHECK (…) NOT VALID`, which only holds for new rows, and in a following migration \
`VALIDATE CONSTRAINT`, during which everybody goes on reading and writing.",
    bad: "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0);",
    good: "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, added) in added_to_tables(context, ConstraintKind::Check) {
        if added.definition.not_valid {
            continue;
        }
        let Some(table) = busy(context, &step, added.table) else {
            continue;
        };
        let verb = step.verb("reads", "read");
        let what = match &added.definition.name {
            Some(name) => format!("the check constraint {name}"),
            None => "a check constraint".to_owned(),
        };
        let message = format!(
            "{verb} all rows of {} for {what}, while nobody can use it",
            table.shown()
        );
        let finding = findings.report(&step, message).severity(table.severity());
        if matches!(added.with, With::Column) {
            finding
                .help("add the column alone, then the constraint NOT VALID, and validate it in a following migration");
        } else {
            finding.help("add it NOT VALID, and validate it in a following migration");
        }
        suggest_not_valid(context, &step, &added, finding);
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, following, postgres};

    const ORDERS: &str =
        "CREATE SCHEMA app; CREATE TABLE orders (id int, amount int); CREATE TABLE app.\"Orders\" (\"Amount\" int);";
    const ADD: &str = "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0);";
    const MESSAGE: &str = "reads all rows of orders for the check constraint positive, while nobody can use it";

    #[test]
    fn all_rows_are_tested() {
        let rule = postgres(&RULE);
        rule.reports("", ADD, Medium, MESSAGE);
        rule.reports(ORDERS, ADD, Medium, MESSAGE);
        let message = "reads all rows of app.Orders for a check constraint, while nobody can use it";
        rule.reports(
            ORDERS,
            "ALTER TABLE app.\"Orders\" ADD CHECK (\"Amount\" > 0);",
            Medium,
            message,
        );
        let message = "reads all rows of orders for a check constraint, while nobody can use it";
        rule.reports(
            ORDERS,
            "ALTER TABLE orders ADD COLUMN tax int DEFAULT 0 CHECK (tax >= 0);",
            Medium,
            message,
        );
        let message = "reads all rows of orders (about 1,000,000 rows) for the check constraint positive, while nobody can use it";
        assert_reports(
            &postgres(&RULE).on(ORDERS).rows("orders", 1_000_000),
            ADD,
            High,
            message,
        );
    }

    #[test]
    fn no_row_is_tested() {
        let rule = postgres(&RULE);
        rule.ignores(
            ORDERS,
            "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;",
        );
        rule.ignores(
            ORDERS,
            "CREATE TABLE t (a int CHECK (a > 0)); ALTER TABLE t ADD CHECK (a < 5);",
        );
        rule.ignores(ORDERS, "ALTER TABLE orders VALIDATE CONSTRAINT positive;");
        let foreign = "CREATE FOREIGN TABLE far (a int) SERVER there;";
        rule.ignores(foreign, "ALTER TABLE far ADD CHECK (a > 0);");
        assert_ignores(
            &rule.on(ORDERS).pending("CREATE TABLE t (a int);"),
            "ALTER TABLE t ADD CHECK (a > 0);",
        );
        assert_ignores(&rule.on(ORDERS).rows("orders", 0), ADD);
    }

    #[test]
    fn it_can_be_validated_later() {
        let test = postgres(&RULE).on(ORDERS);
        let script = "ALTER TABLE orders ADD CHECK (amount > 0) NO INHERIT;";
        let expected = "ALTER TABLE orders ADD CHECK (amount > 0) NO INHERIT NOT VALID;";
        assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        let expected = "ALTER TABLE orders VALIDATE CONSTRAINT orders_amount_check;\n";
        assert_eq!(following(&test, script).as_deref(), Some(expected));
        let inline = "ALTER TABLE orders ADD COLUMN tax int CHECK (tax >= 0);";
        assert_eq!(fixed(&test, inline), None);
        assert_eq!(following(&test, inline), None);
    }
}
