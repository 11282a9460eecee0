//! `drop-trigger`: a trigger goes.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

use super::{made_again, table_goes};

pub(super) const RULE: Rule = Rule {
    id: "drop-trigger",
    summary: "DROP TRIGGER stops what it did on every write",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres, Dialect::Sqlite, Dialect::Mysql],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP TRIGGER` unless the same migration makes the trigger again or drops the table.

**Why it matters.** Writes go on without it, and nobody notices: audit rows, counters and `updated_at` are no longer kept.

**Instead.** Say in the migration who does that work from now on. To change a trigger, drop and create it in one migration.",
    bad: "DROP TRIGGER write_audit_log ON users;",
    good: "DROP TRIGGER write_audit_log ON users;\n\
           CREATE TRIGGER write_audit_log AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION write_audit_log();",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Drop(dropped) = &step.effect.operation else {
            continue;
        };
        if dropped.kind != ObjectKind::Trigger || made_again(context, &step, dropped) {
            continue;
        }
        let made_above = context.steps_before(&step).any(|earlier| {
            matches!(&earlier.effect.operation, Operation::Create(created)
                if created.kind == ObjectKind::Trigger && created.name == dropped.name && !created.or_replace)
        });
        let gone = dropped.on.as_ref().is_some_and(|table| {
            table_goes(context, table)
                || context.is_new(&step, ObjectKind::Table, table)
                || absent(context, &step, table, &dropped.name.name)
        });
        if made_above || gone {
            continue;
        }
        let of = dropped
            .on
            .as_ref()
            .map(|table| format!(" of {}", table.short()))
            .unwrap_or_default();
        let message = format!("{} the trigger {}{of}", step.verb("drops", "drop"), dropped.name);
        findings
            .report(&step, message)
            .help("make sure that something else does its work from now on");
    }
}

/// The table is known and has no such trigger.
fn absent(
    context: &Context<'_>,
    step: &tollgate_plugin::rules::Step<'_>,
    table: &tollgate_plugin::ObjectName,
    trigger: &str,
) -> bool {
    context.before_relation(step, table).is_some_and(|relation| {
        !relation.uncertain
            && context.before.complete()
            && !relation
                .triggers
                .iter()
                .any(|name| context.same_identifier(name, trigger))
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const USERS: &str = "\
        CREATE TABLE users (id int);
        CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER log AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION log();";

    #[test]
    fn a_trigger_goes() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP TRIGGER log ON users;",
            Medium,
            "drops the trigger log of users",
        );
        rule.reports(
            USERS,
            "DROP TRIGGER IF EXISTS log ON \"public\".\"users\";",
            Medium,
            "drops the trigger log of users",
        );
        rule.reports(
            "",
            "DROP TRIGGER \"Log It\" ON app.users;",
            Medium,
            "drops the trigger Log It of app.users",
        );
        sqlite(&RULE).reports("", "DROP TRIGGER log;", Medium, "drops the trigger log");
    }

    #[test]
    fn its_work_goes_on_or_is_done() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "DROP TRIGGER log ON users; CREATE TRIGGER log AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION log();",
        );
        rule.ignores(USERS, "DROP TRIGGER log ON users; DROP TABLE users;");
        rule.ignores(USERS, "DROP TRIGGER IF EXISTS other ON users;");
        rule.ignores("", "CREATE TABLE t (id int); DROP TRIGGER IF EXISTS log ON t;");
    }
}
