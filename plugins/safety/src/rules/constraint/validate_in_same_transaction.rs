//! `validate-in-same-transaction`: VALIDATE CONSTRAINT under the lock of the statement that added the constraint.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, NamedConstraint, Operation, Severity, Suggestion};

use super::{added, same_table};
use crate::sql;
use crate::tables::busy;
use crate::transactions::Transactions;

pub(super) const RULE: Rule = Rule {
    id: "validate-in-same-transaction",
    summary: "VALIDATE CONSTRAINT in the transaction that adds the constraint keeps its lock during the scan",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["validate-constraint"],
    explanation: "\
**What it does.** Reports `VALIDATE CONSTRAINT` in the same transaction as the `ADD CONSTRAINT … NOT VALID`, on a table that is in \
use. Statements of one file are one transaction unless the file says otherwise. High where the catalog says that the table is \
large.

**Why it matters.** Locks are kept to the end of the transaction. While all rows are read nobody can write to the table (a foreign \
key) or even read it (a CHECK), which is what NOT VALID was meant to avoid.

**Instead.** Validate in a migration of its own. It takes a lock that lets everybody read and write.",
    bad: "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;\nALTER TABLE orders VALIDATE CONSTRAINT positive;",
    good: "CREATE TABLE orders (id int, amount int);\nALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;\n\
           -- migration\nALTER TABLE orders VALIDATE CONSTRAINT positive;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let transactions = Transactions::of(context);
    for step in context.steps() {
        let Operation::ValidateConstraint(validated) = &step.effect.operation else {
            continue;
        };
        let addition = context
            .steps_before(&step)
            .find(|earlier| adds(context, earlier, validated));
        let Some(addition) = addition.filter(|addition| transactions.are_together(addition.statement, step.statement))
        else {
            continue;
        };
        let Some(table) = busy(context, &step, &validated.table) else {
            continue;
        };
        let verb = step.verb("validates", "validate");
        let message = format!(
            "{verb} {} in the transaction that adds it, so {} stays locked while all its rows are read",
            validated.name,
            table.shown()
        );
        let finding = findings.report(&step, message).severity(table.severity());
        finding
            .help("validate it in a following migration")
            .label(addition.effect.at, "added here");
        if step.statement.effects.len() == 1 && !step.effect.conditional {
            let statement = step.statement.span.of(context.migration.text());
            finding.suggest(Suggestion::automatic(
                "validate it in a following migration",
                vec![sql::remove(context, step.statement)],
            ));
            finding.property("fix.following", format!("{statement};\n"));
        }
    }
}

/// The step adds the constraint NOT VALID.
fn adds(context: &Context<'_>, step: &Step<'_>, validated: &NamedConstraint) -> bool {
    added(step).into_iter().any(|added| {
        added.definition.not_valid
            && same_table(context, added.table, &validated.table)
            && added.name(context).as_ref() == Some(&validated.name)
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, following, postgres};

    const SHOP: &str =
        "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE orders (id int, amount int, user_id int);";
    const BOTH: &str = "ALTER TABLE orders ADD CONSTRAINT c CHECK (amount > 0) NOT VALID;\nALTER TABLE orders VALIDATE CONSTRAINT c;\n";
    const MESSAGE: &str =
        "validates c in the transaction that adds it, so orders stays locked while all its rows are read";

    #[test]
    fn the_lock_is_kept() {
        let rule = postgres(&RULE);
        rule.reports("", BOTH, Medium, MESSAGE);
        rule.reports(SHOP, &format!("-- why\nBEGIN;\n{BOTH}COMMIT;"), Medium, MESSAGE);
        let script = "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users NOT VALID;
            ALTER TABLE \"public\".\"orders\" VALIDATE CONSTRAINT \"orders_user_id_fkey\";";
        rule.reports(SHOP, script, Medium, &MESSAGE.replace(" c ", " orders_user_id_fkey "));
        let script = format!("CREATE INDEX CONCURRENTLY i ON orders (id); {BOTH}");
        rule.reports(SHOP, &script, Medium, MESSAGE);
        let script = "ALTER TABLE orders ADD CONSTRAINT c CHECK (amount > 0) NOT VALID, VALIDATE CONSTRAINT c;";
        rule.reports(SHOP, script, Medium, MESSAGE);
        let message = MESSAGE.replace("orders stays", "orders (about 4,000,000 rows) stays");
        assert_reports(&rule.on(SHOP).rows("orders", 4_000_000), BOTH, High, &message);
    }

    #[test]
    fn the_lock_is_gone_by_then() {
        let rule = postgres(&RULE);
        let before = format!("{SHOP} ALTER TABLE orders ADD CONSTRAINT c CHECK (amount > 0) NOT VALID;");
        rule.ignores(&before, "ALTER TABLE orders VALIDATE CONSTRAINT c;");
        rule.ignores(SHOP, &format!("-- tollgate:transaction off\n{BOTH}"));
        rule.ignores(
            SHOP,
            "BEGIN; ALTER TABLE orders ADD CONSTRAINT c CHECK (amount > 0) NOT VALID; COMMIT; ALTER TABLE orders VALIDATE CONSTRAINT c;",
        );
        rule.ignores(
            SHOP,
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (amount > 0) NOT VALID; CREATE INDEX CONCURRENTLY i ON orders (id);
             ALTER TABLE orders VALIDATE CONSTRAINT c;",
        );
        rule.ignores(
            "",
            "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c;",
        );
        assert_ignores(&rule.on(SHOP).rows("orders", 30), BOTH);
    }

    #[test]
    fn it_can_be_validated_later() {
        let test = postgres(&RULE).on(SHOP);
        let expected = "ALTER TABLE orders ADD CONSTRAINT c CHECK (amount > 0) NOT VALID;\n";
        assert_eq!(fixed(&test, BOTH).as_deref(), Some(expected));
        let expected = "ALTER TABLE orders VALIDATE CONSTRAINT c;\n";
        assert_eq!(following(&test, BOTH).as_deref(), Some(expected));
    }
}
