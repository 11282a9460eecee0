//! `disable-rls`: row-level security is switched off.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

use super::table_goes;

pub(super) const RULE: Rule = Rule {
    id: "disable-rls",
    summary: "DISABLE ROW LEVEL SECURITY shows every row to everybody who may read the table",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["row-security", "force-row-security"],
    explanation: "\
**What it does.** Reports `ALTER TABLE … DISABLE ROW LEVEL SECURITY` and `NO FORCE ROW LEVEL SECURITY`.

**Why it matters.** Policies stay in the catalog but no longer count: every role with SELECT sees every row, of every tenant. \
Without FORCE the same holds for the table's owner, which applications often are.

**Instead.** Give the role that needs all rows `BYPASSRLS`, or a policy of its own.",
    bad: "ALTER TABLE orders DISABLE ROW LEVEL SECURITY;",
    good: "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let (toggle, force) = match &step.effect.operation {
            Operation::RowSecurity(toggle) if !toggle.enable => (toggle, false),
            Operation::ForceRowSecurity(toggle) if !toggle.enable => (toggle, true),
            _ => continue,
        };
        let table = &toggle.table;
        let on_again = context.steps_after(&step).any(|later| match &later.effect.operation {
            Operation::RowSecurity(other) => {
                !force && other.enable && context.same(ObjectKind::Table, &other.table, table)
            }
            Operation::ForceRowSecurity(other) => {
                force && other.enable && context.same(ObjectKind::Table, &other.table, table)
            }
            _ => false,
        });
        let was_off = context
            .before_relation(&step, table)
            .is_some_and(|relation| !relation.row_security && !relation.uncertain);
        let switched_on_above = context.steps_before(&step).any(|earlier| {
            matches!(&earlier.effect.operation, Operation::RowSecurity(other)
                if other.enable && context.same(ObjectKind::Table, &other.table, table))
        });
        if on_again
            || was_off
            || switched_on_above
            || context.is_new(&step, ObjectKind::Table, table)
            || table_goes(context, table)
        {
            continue;
        }
        let verb = step.verb("switches off", "switch off");
        let message = if force {
            format!("{verb} row-level security of {} for its owner", table.short())
        } else {
            format!(
                "{verb} row-level security of {}: whoever may read the table sees every row",
                table.short()
            )
        };
        findings
            .report(&step, message)
            .help("give the role that needs all rows BYPASSRLS, or a policy of its own");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;

    use super::RULE;
    use crate::judge::postgres;

    const ORDERS: &str = "CREATE TABLE orders (id int); ALTER TABLE orders ENABLE ROW LEVEL SECURITY;";
    const OFF: &str = "switches off row-level security of orders: whoever may read the table sees every row";

    #[test]
    fn every_row_is_shown() {
        let rule = postgres(&RULE);
        rule.reports("", "ALTER TABLE orders DISABLE ROW LEVEL SECURITY;", High, OFF);
        rule.reports(
            ORDERS,
            "ALTER TABLE IF EXISTS ONLY public.\"orders\" DISABLE ROW LEVEL SECURITY;",
            High,
            OFF,
        );
        rule.reports(
            ORDERS,
            "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY;",
            High,
            "switches off row-level security of orders for its owner",
        );
    }

    #[test]
    fn nothing_was_hidden() {
        let rule = postgres(&RULE);
        rule.ignores(
            "CREATE TABLE orders (id int);",
            "ALTER TABLE orders DISABLE ROW LEVEL SECURITY;",
        );
        rule.ignores(
            "",
            "CREATE TABLE orders (id int); ALTER TABLE orders DISABLE ROW LEVEL SECURITY;",
        );
        rule.ignores(ORDERS, "ALTER TABLE orders DISABLE ROW LEVEL SECURITY; UPDATE orders SET id = 1; ALTER TABLE orders ENABLE ROW LEVEL SECURITY;");
        rule.ignores("", "ALTER TABLE orders FORCE ROW LEVEL SECURITY;");
    }
}
