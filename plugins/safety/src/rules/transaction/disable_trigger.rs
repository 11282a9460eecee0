//! `disable-trigger`: triggers that do not run for a while, or from now on.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Parameter, Severity, Toggle};

use crate::tokens;
use crate::transactions::Transactions;

pub(super) const RULE: Rule = Rule {
    id: "disable-trigger",
    summary: "Triggers that are switched off do not check or keep anything",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["enable-trigger", "set-parameter"],
    explanation: "\
**What it does.** Reports `DISABLE TRIGGER` on a table that existed before the migration, and \
`session_replication_role = replica`, which switches off all triggers and foreign keys for the session. Low where the \
same transaction switches the trigger on again.

**Why it matters.** Foreign keys are triggers, too: with `ALL` nothing checks them, and nothing checks afterwards what \
was written meanwhile. What is switched on again in the same transaction harms nobody else, but keeps everybody from \
writing the table until the transaction ends.

**Instead.** Let the triggers run, in small batches if they are slow. Where that cannot be, switch off the one that is \
meant, and on again in the same transaction.",
    bad: "CREATE TABLE users (id int);\n-- migration\nALTER TABLE users DISABLE TRIGGER USER;",
    good: "CREATE TABLE users (id int);\n-- migration\nALTER TABLE users ENABLE TRIGGER USER;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        match &step.effect.operation {
            Operation::EnableTrigger(toggle)
                if !toggle.enable
                    && !context.is_new(&step, ObjectKind::Table, &toggle.table)
                    && context.may_hold_rows(&step, &toggle.table) =>
            {
                report(context, findings, &step, toggle);
            }
            Operation::SetParameter(parameter) if switches_off(parameter) => {
                let message = "switches off all triggers and foreign keys for what follows: nothing checks the rows \
                that it writes";
                findings.report(&step, message).help(
                    "let the triggers run; where one must not, switch it off alone and on again in the same \
                    transaction",
                );
            }
            _ => {}
        }
    }
}

fn switches_off(parameter: &Parameter) -> bool {
    parameter.name.eq_ignore_ascii_case("session_replication_role")
        && parameter
            .value
            .as_deref()
            .is_some_and(|value| value.trim_matches(['\'', '"']).eq_ignore_ascii_case("replica"))
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, toggle: &Toggle) {
    let table = toggle.table.short();
    let what = match &toggle.name {
        Some(name) => format!("the trigger {name} of {table}"),
        None if says_all(context, step) => format!("all triggers of {table} with its foreign keys"),
        None => format!("all triggers of {table}"),
    };
    let verb = step.verb("switches", "switch");
    let on_again = context.steps_after(step).find(|later| match &later.effect.operation {
        Operation::EnableTrigger(later) => {
            later.enable
                && (later.name == toggle.name || later.name.is_none())
                && context.same(ObjectKind::Table, &later.table, &toggle.table)
        }
        _ => false,
    });
    let Some(later) = on_again else {
        let message = format!("{verb} off {what} and does not switch on again what checks and keeps its rows");
        findings
            .report(step, message)
            .help("switch it on again in the same transaction, or drop it where it is not needed any more");
        return;
    };
    let together = Transactions::of(context).are_together(step.statement, later.statement);
    if together {
        let message =
            format!("{verb} off {what} until the end of the transaction, and nobody else can write {table} meanwhile");
        findings
            .report(step, message)
            .severity(Severity::Low)
            .help("do nothing slow in between, and check what was written");
    } else {
        let message =
            format!("{verb} off {what} beyond the end of the transaction: rows that others write meanwhile miss it");
        findings
            .report(step, message)
            .help("switch it on again in the same transaction")
            .label(later.effect.at, "switches it on again");
    }
}

fn says_all(context: &Context<'_>, step: &Step<'_>) -> bool {
    let tokens = tokens::read(step.effect.at.of(context.migration.text()));
    tokens.last().is_some_and(|token| token.is("all"))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, postgres};

    const T: &str = "CREATE TABLE \"Users\" (id int);";
    const OFF: &str = "ALTER TABLE \"Users\" DISABLE TRIGGER \"Noted\";";
    const ON: &str = "ALTER TABLE \"Users\" ENABLE TRIGGER \"Noted\";";

    #[test]
    fn they_stay_off() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            OFF,
            Medium,
            "switches off the trigger Noted of Users and does not switch on again what checks and keeps its rows",
        );
        rule.reports(
            "",
            "ALTER TABLE app.users DISABLE TRIGGER ALL;",
            Medium,
            "switches off all triggers of app.users with its foreign keys and does not switch on again what checks and \
             keeps its rows",
        );
        rule.reports(
            T,
            &format!("{OFF} ALTER TABLE \"Users\" ENABLE TRIGGER other;"),
            Medium,
            "switches off the trigger Noted of Users and does not switch on again what checks and keeps its rows",
        );
        let message =
            "switches off all triggers and foreign keys for what follows: nothing checks the rows that it writes";
        rule.reports(
            "",
            "SET LOCAL session_replication_role = 'replica'; INSERT INTO a VALUES (1);",
            Medium,
            message,
        );
        rule.reports("", "SET session_replication_role TO replica;", Medium, message);
    }

    #[test]
    fn they_are_switched_on_again() {
        let rule = postgres(&RULE);
        let message = "switches off the trigger Noted of Users until the end of the transaction, and nobody else can \
        write Users meanwhile";
        rule.reports(T, &format!("{OFF} UPDATE \"Users\" SET id = 1; {ON}"), Low, message);
        rule.reports(
            T,
            &format!("BEGIN; {OFF} ALTER TABLE public.\"Users\" ENABLE TRIGGER ALL; COMMIT;"),
            Low,
            message,
        );
        let message = "switches off the trigger Noted of Users beyond the end of the transaction: rows that others \
        write meanwhile miss it";
        rule.reports(T, &format!("BEGIN; {OFF} COMMIT; {ON}"), Medium, message);
        rule.reports(T, &format!("-- tollgate:transaction off\n{OFF}\n{ON}"), Medium, message);
    }

    #[test]
    fn nothing_is_switched_off() {
        let rule = postgres(&RULE);
        rule.ignores(T, ON);
        rule.ignores("", "CREATE TABLE t (a int); ALTER TABLE t DISABLE TRIGGER ALL;");
        rule.ignores("", "SET session_replication_role = DEFAULT;");
        rule.ignores("", "SET session_replication_role = 'origin';");
        assert_ignores(&rule.on(T).rows("Users", 0), OFF);
        assert_ignores(
            &rule.on(T).pending("CREATE TABLE t (a int);"),
            "ALTER TABLE t DISABLE TRIGGER USER;",
        );
    }
}
