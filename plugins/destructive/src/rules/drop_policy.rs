//! `drop-policy`: a row-level security policy is replaced.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

use super::{made_again, table_goes};

pub(super) const RULE: Rule = Rule {
    id: "drop-policy",
    summary: "DROP POLICY and CREATE POLICY of the same name: other rows become visible",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports a row-level security policy that is dropped and made again. One that is dropped for good is \
reported by `drop-rls-policy`.

**Why it matters.** The new policy decides who sees and writes which rows. A condition that is too wide shows rows to people \
who must not see them, and nothing fails.

**Instead.** `ALTER POLICY` changes roles and conditions in place, and its text shows what changes.",
    bad: "DROP POLICY tenant ON orders;\nCREATE POLICY tenant ON orders USING (true);",
    good: "ALTER POLICY tenant ON orders USING (tenant_id = current_setting('app.tenant')::int);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Drop(dropped) = &step.effect.operation else {
            continue;
        };
        let Some(table) = dropped.on.as_ref().filter(|_| dropped.kind == ObjectKind::Policy) else {
            continue;
        };
        if made_again(context, &step, dropped)
            && !context.is_new(&step, ObjectKind::Table, table)
            && !table_goes(context, table)
        {
            let message = format!(
                "{} the policy {} of {} and makes it again",
                step.verb("drops", "drop"),
                dropped.name,
                table.short()
            );
            findings
                .report(&step, message)
                .help("change it with ALTER POLICY, and review who sees which rows");
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::postgres;

    const ORDERS: &str = "CREATE TABLE orders (id int, tenant int); CREATE POLICY tenant ON orders USING (tenant = 1);";

    #[test]
    fn a_policy_is_replaced() {
        let rule = postgres(&RULE);
        let message = "drops the policy tenant of orders and makes it again";
        rule.reports(
            "",
            "DROP POLICY tenant ON orders; CREATE POLICY tenant ON orders USING (true);",
            Medium,
            message,
        );
        rule.reports(
            ORDERS,
            "DROP POLICY IF EXISTS tenant ON orders; CREATE POLICY tenant ON public.orders FOR SELECT USING (true);",
            Medium,
            message,
        );
        rule.reports(
            ORDERS,
            "DROP POLICY \"tenant\" ON \"orders\"; CREATE POLICY \"tenant\" ON \"orders\" AS RESTRICTIVE USING (true);",
            Medium,
            message,
        );
    }

    #[test]
    fn others_are_not() {
        let rule = postgres(&RULE);
        rule.ignores(ORDERS, "DROP POLICY tenant ON orders;");
        rule.ignores(ORDERS, "ALTER POLICY tenant ON orders USING (tenant = 2);");
        rule.ignores(
            ORDERS,
            "DROP POLICY tenant ON orders; CREATE POLICY other ON orders USING (true);",
        );
        rule.ignores(
            "",
            "CREATE TABLE t (id int); DROP POLICY IF EXISTS p ON t; CREATE POLICY p ON t USING (true);",
        );
    }
}
