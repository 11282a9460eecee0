//! `add-enum-value-in-transaction`: old servers add enum values only outside a transaction.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

use crate::transactions::{self, Kind, Wanted};

pub(super) const RULE: Rule = Rule {
    id: "add-enum-value-in-transaction",
    summary: "Before PostgreSQL 12 ALTER TYPE … ADD VALUE runs only outside a transaction",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["add-enum-value"],
    explanation: "\
**What it does.** Reports `ALTER TYPE … ADD VALUE` for a server known to be older than PostgreSQL 12: high inside the \
file's own BEGIN … COMMIT or under `-- tollgate:transaction on`, low beside other statements. An enum that the same \
transaction creates may get values at once.

**Why it matters.** The server refuses it inside a transaction block. Where the file has no BEGIN of its own, Tollgate \
runs it by itself: what stands above it is committed before, so the migration is no longer applied as a whole or not \
at all.

**Instead.** Add the value in a migration of its own.",
    bad: "-- server 11\nCREATE TYPE status AS ENUM ('open');\n-- migration\nBEGIN;\nALTER TYPE status ADD VALUE \
    'done';\nCOMMIT;",
    good: "-- server 11\nCREATE TYPE status AS ENUM ('open');\n-- migration\nALTER TYPE status ADD VALUE 'done';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    if !context.server().older_than(12) {
        return;
    }
    let whole = transactions::wanted(context) == Some(Wanted::Whole);
    let all = transactions::of(context);
    for step in context.steps() {
        let Operation::AddEnumValue(added) = &step.effect.operation else {
            continue;
        };
        let Some(transaction) = all.iter().find(|of| of.contains(step.statement)) else {
            continue;
        };
        let created = transaction.before(step.statement).flat_map(|of| &of.effects).any(|effect| {
            matches!(&effect.operation, Operation::CreateEnum(created) if context.same(ObjectKind::Type, &created.name, &added.name))
        });
        if created {
            continue;
        }
        let name = added.name.short();
        if whole || matches!(transaction.kind, Kind::Own | Kind::Discarded) {
            let message =
                format!("adds a value to {name} inside a transaction, which a server older than PostgreSQL 12 refuses");
            findings
                .report(&step, message)
                .help("add the value in a migration of its own, without BEGIN and COMMIT");
        } else if context.migration.statements().len() > 1 {
            let message = format!(
                "adds a value to {name}, which is committed by itself: what stands above it stays when something \
                 behind it fails"
            );
            findings
                .report(&step, message)
                .severity(Severity::Low)
                .help("add the value in a migration of its own");
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low};

    use super::RULE;
    use crate::judge::postgres;

    const ADD: &str = "ALTER TYPE public.\"Status\" ADD VALUE IF NOT EXISTS 'done';";

    #[test]
    fn an_old_server_refuses_it() {
        let rule = postgres(&RULE).version(11, 22, 0);
        let message = "adds a value to Status inside a transaction, which a server older than PostgreSQL 12 refuses";
        rule.reports("", &format!("-- why\nBEGIN; {ADD} COMMIT;"), High, message);
        rule.reports("", &format!("-- tollgate:transaction on\n{ADD}"), High, message);
        let message = "adds a value to Status, which is committed by itself: what stands above it stays when something \
        behind it fails";
        rule.reports("", &format!("SELECT 1; {ADD}"), Low, message);
    }

    #[test]
    fn newer_servers_and_values_on_their_own() {
        let script = format!("BEGIN; {ADD} COMMIT;");
        postgres(&RULE).ignores("", &script);
        postgres(&RULE).version(12, 0, 0).ignores("", &script);
        let old = postgres(&RULE).version(11, 0, 0);
        old.ignores("", ADD);
        old.ignores(
            "",
            "BEGIN; CREATE TYPE e AS ENUM ('a'); ALTER TYPE e ADD VALUE 'b'; COMMIT;",
        );
    }
}
