//! `missing-lock-timeout`: a statement that waits for a table without a limit.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Operation, Severity, Statement};

use super::held::Watch;
use crate::transactions::{self, Kind};

pub(super) const RULE: Rule = Rule {
    id: "missing-lock-timeout",
    summary: "A statement waits for a table without a limit, and everybody queues behind it",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports the first statement that takes a lock which keeps others out of an existing table while no \
`lock_timeout` limits how long it waits. A deploy sets one for every statement (`deploy.statement_lock_timeout_ms`, 5 \
s unless configured otherwise), so this is about configurations and files (`-- tollgate:lock-timeout 0`) that switch \
it off without setting one of their own, and about files that set it to 0.

**Why it matters.** The statement waits behind one long query, and every other query on the table waits behind the \
statement: one forgotten report stops the application.

**Instead.** `SET LOCAL lock_timeout = '5s'`, or leave it to the deploy, which tries again after a pause.",
    bad: "CREATE TABLE users (id int);\n-- migration\nSET lock_timeout = 0;\nALTER TABLE users ADD COLUMN name text;",
    good: "CREATE TABLE users (id int);\n-- migration\nSET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN name \
    text;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let watch = Watch::new(context);
    let mut session = context.lock_timeout_ms().is_some();
    for transaction in transactions::of(context) {
        let mut limited = session;
        for statement in transaction.statements {
            if let Some((on, local)) = sets(statement) {
                limited = on;
                if !local {
                    session = on;
                }
            } else if !limited && let Some(held) = watch.by(statement).first() {
                let table = held.lock.relation.short();
                let verb = held.step.verb("waits", "wait");
                let message = format!(
                    "{verb} for {table} without a limit, and whoever wants to use {table} meanwhile waits behind it"
                );
                findings
                    .report(&held.step, message)
                    .help("set a limit: `SET LOCAL lock_timeout = '5s'`, or leave it to the deploy");
                return;
            }
        }
        if transaction.kind == Kind::Discarded {
            session = context.lock_timeout_ms().is_some();
        }
    }
}

/// The statement sets `lock_timeout`: to a limit or to none, for the session or for its transaction.
fn sets(statement: &Statement) -> Option<(bool, bool)> {
    statement.effects.iter().find_map(|effect| match &effect.operation {
        Operation::SetParameter(parameter) if parameter.name.eq_ignore_ascii_case("lock_timeout") => {
            let value = parameter.value.as_deref()?;
            let digits: String = value
                .chars()
                .filter(|character| character.is_ascii_digit() || *character == '.')
                .collect();
            let none = digits.parse::<f64>().is_ok_and(|number| number <= 0.0);
            Some((!none, parameter.local))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const USERS: &str = "CREATE TABLE users (id int); CREATE TABLE \"Orders\" (id int);";
    const ADD: &str = "ALTER TABLE users ADD COLUMN name text;";
    const MESSAGE: &str = "waits for users without a limit, and whoever wants to use users meanwhile waits behind it";

    #[test]
    fn nothing_limits_the_wait() {
        let rule = postgres(&RULE);
        let unlimited = rule.on(USERS).lock_timeout(0);
        assert_reports(&unlimited, ADD, Medium, MESSAGE);
        assert_reports(
            &unlimited,
            &format!("BEGIN; SET LOCAL lock_timeout = '5s'; SELECT 1; COMMIT; {ADD}"),
            Medium,
            MESSAGE,
        );
        assert_reports(
            &unlimited,
            "CREATE INDEX i ON public.\"Orders\" (id);",
            Medium,
            &MESSAGE.replace("users", "Orders"),
        );
        rule.reports(USERS, &format!("SET lock_timeout = 0; {ADD}"), Medium, MESSAGE);
        rule.reports(
            USERS,
            &format!("SET LOCAL lock_timeout TO '0s'; {ADD} {ADD}"),
            Medium,
            MESSAGE,
        );
    }

    #[test]
    fn something_does() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, ADD);
        rule.ignores(USERS, &format!("BEGIN; SET LOCAL lock_timeout = 0; COMMIT; {ADD}"));
        let unlimited = rule.on(USERS).lock_timeout(0);
        assert_ignores(&unlimited, &format!("SET lock_timeout = '2s'; {ADD}"));
        assert_ignores(
            &unlimited,
            &format!("BEGIN; SET LOCAL lock_timeout = 500; {ADD} COMMIT;"),
        );
        assert_ignores(
            &unlimited,
            &format!("SELECT set_config('lock_timeout', '1s', false); {ADD}"),
        );
    }

    #[test]
    fn nobody_waits() {
        let unlimited = postgres(&RULE).on(USERS).lock_timeout(0);
        assert_ignores(&unlimited, "CREATE TABLE t (a int); ALTER TABLE t ADD b int;");
        assert_ignores(&unlimited, "CREATE INDEX CONCURRENTLY i ON users (id);");
        assert_ignores(&unlimited, "UPDATE users SET id = 1 WHERE id = 2;");
        assert_ignores(&unlimited.clone().rows("users", 0), ADD);
    }
}
