//! `rls-without-policy`: row-level security without a policy hides every row.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity, Toggle};

pub(super) const RULE: Rule = Rule {
    id: "rls-without-policy",
    summary: "Row-level security is switched on for a table that has no policy",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["row-security"],
    explanation: "\
**What it does.** Reports `ENABLE ROW LEVEL SECURITY` on a table that has no policy when the migration has run. High with \
`FORCE` on a table that was there before the plan: then the owner is shut out, too. Low on a new table, where it may be meant, \
and where nobody knows which policies there are.

**Why it matters.** Without a policy nothing is allowed. Every role but the owner (and those that bypass row-level security) \
sees no row any more and can write none, without an error on reading: the application looks as if its data were gone.

**Instead.** Make the policies first, in the same migration, and then switch row-level security on.",
    bad: "CREATE TABLE orders (id int, tenant int);\n-- migration\nALTER TABLE orders ENABLE ROW LEVEL SECURITY;",
    good: "CREATE TABLE orders (id int, tenant int);\n-- migration\n\
           CREATE POLICY own ON orders USING (tenant = current_setting('app.tenant')::int);\n\
           ALTER TABLE orders ENABLE ROW LEVEL SECURITY;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        match &step.effect.operation {
            Operation::RowSecurity(toggle) if toggle.enable => report(context, findings, &step, toggle),
            _ => {}
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, toggle: &Toggle) {
    let table = &toggle.table;
    let after = context.after.relation(table);
    let is_new = context.is_new(step, ObjectKind::Table, table) || context.before.known_empty(table);
    let is_known = after.is_some() && (is_new || context.before.complete());
    let has_policy = after
        .as_ref()
        .is_some_and(|after| !after.policies.is_empty() || !after.row_security);
    let gone = context.after.exists(ObjectKind::Table, table) == Some(false);
    if has_policy || gone || (!is_known && adds_policy(context, toggle)) {
        return;
    }
    let forced = is_forced(context, toggle);
    let who = if forced { "everybody" } else { "everybody but its owner" };
    let verb = step.verb("hides", "hide");
    let name = table.short();
    let message = if is_known {
        format!("{verb} every row of {name} from {who}: row-level security is on, and there is no policy")
    } else {
        format!("{verb} every row of {name} from {who} unless it has a policy already")
    };
    let severity = match (is_known, is_new, forced) {
        (true, false, true) => Severity::High,
        (true, false, false) => Severity::Medium,
        _ => Severity::Low,
    };
    findings
        .report(step, message)
        .severity(severity)
        .help("make the policies first, in the same migration");
}

/// FORCE ROW LEVEL SECURITY in the same file.
fn is_forced(context: &Context<'_>, toggle: &Toggle) -> bool {
    context.steps().any(|step| match &step.effect.operation {
        Operation::ForceRowSecurity(force) => {
            force.enable && context.same(ObjectKind::Table, &force.table, &toggle.table)
        }
        _ => false,
    })
}

/// The file makes a policy for the table.
fn adds_policy(context: &Context<'_>, toggle: &Toggle) -> bool {
    context.steps().any(|step| match &step.effect.operation {
        Operation::Create(created) if created.kind == ObjectKind::Policy => {
            let on = created.on.as_ref();
            on.is_some_and(|on| context.same(ObjectKind::Table, on, &toggle.table))
        }
        Operation::Dynamic(_) => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::RULE;
    use crate::judge::postgres;

    const ORDERS: &str = "CREATE TABLE orders (id int, tenant int); CREATE TABLE app.\"Log\" (id int);";

    #[test]
    fn every_row_is_hidden() {
        let rule = postgres(&RULE);
        rule.reports(
            ORDERS,
            "ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;",
            Medium,
            "hides every row of orders from everybody but its owner: row-level security is on, and there is no policy",
        );
        rule.reports(
            ORDERS,
            "ALTER TABLE app.\"Log\" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
            High,
            "hides every row of app.Log from everybody: row-level security is on, and there is no policy",
        );
        rule.reports(
            "",
            "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY;",
            Low,
            "hides every row of t from everybody but its owner: row-level security is on, and there is no policy",
        );
        rule.reports(
            "",
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;",
            Low,
            "hides every row of orders from everybody but its owner unless it has a policy already",
        );
    }

    #[test]
    fn there_is_a_policy() {
        let rule = postgres(&RULE);
        let policy = "CREATE POLICY own ON orders USING (tenant = 1);";
        let enable = "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;";
        rule.ignores(ORDERS, &format!("{policy} {enable}"));
        rule.ignores(ORDERS, &format!("{enable} {policy}"));
        rule.ignores("", &format!("{enable} {policy}"));
        rule.ignores(&format!("{ORDERS} {policy}"), enable);
    }

    #[test]
    fn nothing_is_hidden() {
        let rule = postgres(&RULE);
        rule.ignores(ORDERS, "ALTER TABLE orders DISABLE ROW LEVEL SECURITY;");
        rule.ignores(
            ORDERS,
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders DISABLE ROW LEVEL SECURITY;",
        );
        rule.ignores(
            ORDERS,
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; DROP TABLE orders;",
        );
    }
}
