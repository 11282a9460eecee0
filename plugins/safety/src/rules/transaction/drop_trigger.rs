//! `drop-trigger`: a trigger that the running application may rely on.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Dropped, ObjectKind, ObjectName, Operation, Severity};

use crate::transactions::Transactions;

pub(super) const RULE: Rule = Rule {
    id: "drop-trigger",
    summary: "A dropped trigger stops doing what the running application may rely on",
    severity: Severity::Low,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP TRIGGER` on a table that existed before the migration; medium where the migration \
creates the trigger again in a later transaction, because rows that are written in between miss it. A trigger that is \
known not to be there, and triggers of new and empty tables, are not reported.

**Why it matters.** ACCESS EXCLUSIVE keeps everybody from reading the table until the transaction ends. What the \
trigger kept in step is no longer kept, from that moment on and for the old version of the application, too.

**Instead.** To change a trigger: `CREATE OR REPLACE TRIGGER` (PostgreSQL 14 or newer), or a new body for its \
function. To take it away: after the application has stopped to rely on it.",
    bad: "CREATE TABLE users (id int);\nCREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN \
    NEW; END $$;\n\
          CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note();\n-- migration\nDROP \
          TRIGGER noted ON users;",
    good: "CREATE TABLE users (id int);\nCREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN \
    NEW; END $$;\n\
           CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note();\n-- migration\n\
           CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::Drop(dropped) = &step.effect.operation
            && dropped.kind == ObjectKind::Trigger
            && let Some(table) = &dropped.on
            && context.may_hold_rows(&step, table)
            && !is_absent(context, &step, dropped, table)
        {
            report(context, findings, &step, dropped, table);
        }
    }
}

/// DROP TRIGGER IF EXISTS of one that is not there.
fn is_absent(context: &Context<'_>, step: &Step<'_>, dropped: &Dropped, table: &ObjectName) -> bool {
    dropped.if_exists
        && context
            .before_relation(step, table)
            .is_some_and(|relation| !relation.uncertain && !relation.triggers.contains(&dropped.name.name))
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, dropped: &Dropped, table: &ObjectName) {
    let (name, short) = (&dropped.name.name, table.short());
    let verb = step.verb("drops", "drop");
    let again = context.steps_after(step).find(|later| match &later.effect.operation {
        Operation::Create(created) => {
            created.kind == ObjectKind::Trigger
                && created.name.name == *name
                && created
                    .on
                    .as_ref()
                    .is_some_and(|on| context.same(ObjectKind::Table, on, table))
        }
        _ => false,
    });
    let Some(again) = again else {
        let message = format!(
            "{verb} the trigger {name} on {short}: the application that is running meanwhile may rely on what it does"
        );
        findings
            .report(step, message)
            .help("drop it after the application has stopped to rely on it");
        return;
    };
    let together = Transactions::of(context).are_together(step.statement, again.statement);
    if together {
        let message = format!(
            "{verb} the trigger {name} to create it again: nobody can read or write {short} until the transaction ends"
        );
        findings
            .report(step, message)
            .help("CREATE OR REPLACE TRIGGER (PostgreSQL 14 or newer) keeps only writers out");
    } else {
        let message = format!(
            "{verb} the trigger {name} on {short} and creates it again in a later transaction: rows that are written \
             in between miss it"
        );
        findings
            .report(step, message)
            .severity(Severity::Medium)
            .help("drop and create it in one transaction, or use CREATE OR REPLACE TRIGGER (PostgreSQL 14 or newer)")
            .label(again.effect.at, "creates it again");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, postgres};

    const T: &str =
        "CREATE TABLE \"Users\" (id int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    RETURN NEW; END $$;
        CREATE TRIGGER \"Noted\" BEFORE UPDATE ON \"Users\" FOR EACH ROW EXECUTE FUNCTION f();";
    const CREATE: &str = "CREATE TRIGGER \"Noted\" BEFORE UPDATE ON \"Users\" FOR EACH ROW EXECUTE FUNCTION f();";

    #[test]
    fn something_may_rely_on_it() {
        let rule = postgres(&RULE);
        let message =
            "drops the trigger Noted on Users: the application that is running meanwhile may rely on what it does";
        rule.reports(T, "DROP TRIGGER \"Noted\" ON public.\"Users\";", Low, message);
        rule.reports(
            "",
            "DROP TRIGGER IF EXISTS \"Noted\" ON \"Users\" CASCADE;",
            Low,
            message,
        );
        rule.reports(
            T,
            &format!("DROP TRIGGER IF EXISTS \"Noted\" ON \"Users\"; {CREATE}"),
            Low,
            "drops the trigger Noted to create it again: nobody can read or write Users until the transaction ends",
        );
        rule.reports(
            T,
            &format!("BEGIN; DROP TRIGGER \"Noted\" ON \"Users\"; COMMIT; {CREATE}"),
            Medium,
            "drops the trigger Noted on Users and creates it again in a later transaction: rows that are written in \
             between miss it",
        );
    }

    #[test]
    fn nothing_can_rely_on_it() {
        let rule = postgres(&RULE);
        rule.ignores(T, "DROP TRIGGER IF EXISTS other ON \"Users\";");
        rule.ignores(T, "CREATE TABLE t (a int); DROP TRIGGER IF EXISTS x ON t;");
        rule.ignores(T, "DROP VIEW IF EXISTS v;");
        assert_ignores(&rule.on(T).rows("Users", 0), "DROP TRIGGER \"Noted\" ON \"Users\";");
        assert_ignores(
            &rule.on("CREATE TABLE a (b int);").pending(T),
            "DROP TRIGGER \"Noted\" ON \"Users\";",
        );
    }
}
