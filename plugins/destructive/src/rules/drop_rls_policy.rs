//! `drop-rls-policy`: a row-level security policy goes for good.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

use super::{made_again, table_goes};

pub(super) const RULE: Rule = Rule {
    id: "drop-rls-policy",
    summary: "DROP POLICY removes row-level protection",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP POLICY` of a row-level security policy that the migration does not make again.

**Why it matters.** A restrictive policy that is gone no longer hides rows. When the last permissive policy is gone, nobody \
but the owner sees any row. Neither fails.

**Instead.** Add the policy that takes its place first. To change one, use `ALTER POLICY`.",
    bad: "DROP POLICY tenant ON orders;",
    good: "ALTER POLICY tenant ON orders TO app_user;",
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
        if context.is_new(&step, ObjectKind::Table, table)
            || table_goes(context, table)
            || made_again(context, &step, dropped)
        {
            continue;
        }
        let made_above = context.steps_before(&step).any(|earlier| {
            matches!(&earlier.effect.operation, Operation::Create(created)
                if created.kind == ObjectKind::Policy && created.name == dropped.name)
        });
        let before = context.before_relation(&step, table);
        let known = before
            .as_ref()
            .filter(|relation| context.before.complete() && !relation.uncertain);
        if made_above || known.is_some_and(|relation| !relation.policies.contains(&dropped.name.name)) {
            continue;
        }
        let after = context.after.relation(table);
        let rest = match after.as_ref().filter(|relation| !relation.uncertain) {
            Some(relation) if relation.policies.is_empty() && relation.row_security => {
                "; no policy is left, so only the owner sees rows"
            }
            Some(relation) if relation.policies.is_empty() => "; no policy is left",
            _ => "",
        };
        let message = format!(
            "{} the policy {} of {}{rest}",
            step.verb("drops", "drop"),
            dropped.name,
            table.short()
        );
        findings
            .report(&step, message)
            .help("add the policy that takes its place first, or change it with ALTER POLICY");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;

    use super::RULE;
    use crate::judge::postgres;

    const ORDERS: &str = "\
        CREATE TABLE orders (id int, tenant int);
        ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON orders USING (tenant = 1);";

    #[test]
    fn protection_goes() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP POLICY tenant ON orders;",
            High,
            "drops the policy tenant of orders",
        );
        let message = "drops the policy tenant of orders; no policy is left, so only the owner sees rows";
        rule.reports(ORDERS, "DROP POLICY IF EXISTS tenant ON orders;", High, message);
        let script = "CREATE POLICY other ON orders USING (true); DROP POLICY \"tenant\" ON public.orders;";
        rule.reports(ORDERS, script, High, "drops the policy tenant of orders");
    }

    #[test]
    fn nothing_is_removed() {
        let rule = postgres(&RULE);
        rule.ignores(
            ORDERS,
            "DROP POLICY tenant ON orders; CREATE POLICY tenant ON orders USING (tenant = 2);",
        );
        rule.ignores(ORDERS, "DROP POLICY IF EXISTS other ON orders;");
        rule.ignores(ORDERS, "DROP POLICY tenant ON orders; DROP TABLE orders;");
        rule.ignores("", "CREATE TABLE t (id int); DROP POLICY IF EXISTS p ON t;");
    }
}
