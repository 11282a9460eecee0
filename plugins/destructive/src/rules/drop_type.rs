//! `drop-type`: a type goes that columns use, or an enum loses values.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Change, Dependent, Dialect, Dropped, EnumRebuild, ObjectKind, Severity};

use super::drops;
use crate::words;

pub(super) const RULE: Rule = Rule {
    id: "drop-type",
    summary: "DROP TYPE or DROP DOMAIN that columns use; removal of enum values",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["drop", "enum-rebuild"],
    explanation: "\
**What it does.** Reports `DROP TYPE` and `DROP DOMAIN` where columns use them, and the pattern that removes enum values: \
create a new type, move the columns, drop the old one. A type that is known to be unused is no loss.

**Why it matters.** With `CASCADE` the columns go with the type. Without it the statement fails. Removing an enum value \
fails as long as a row holds it.

**Instead.** Move the columns to another type first. Before removing an enum value, update the rows that hold it.",
    bad: "CREATE TYPE mood AS ENUM ('happy', 'sad');\nCREATE TABLE people (id int, mood mood);\n-- migration\n\
          DROP TYPE mood;",
    good: "CREATE TYPE mood AS ENUM ('happy', 'sad');\nCREATE TABLE people (id int);\n-- migration\nDROP TYPE mood;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, dropped) in drops(context, &[ObjectKind::Type, ObjectKind::Domain]) {
        report(context, findings, &step, dropped);
    }
    for (change, _) in context.changes() {
        if let Change::EnumRebuild(rebuild) = change {
            report_values(context, findings, rebuild);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, dropped: &Dropped) {
    let Some(original) = context.original(step, dropped.kind, &dropped.name) else {
        return;
    };
    let mut columns = context.remaining_dependents(step, dropped.kind, &original);
    columns.retain(|dependent| dependent.kind == ObjectKind::Column);
    let (kind, name) = (dropped.kind, dropped.name.short());
    let verb = step.verb("drops", "drop");
    let help = "move the columns to another type first";
    match (columns.as_slice(), dropped.cascade) {
        ([], _) if context.before.complete() => {}
        ([], true) => {
            findings
                .report(step, format!("{verb} the {kind} {name} with every column that uses it"))
                .help(help);
        }
        ([], false) => {
            let message = format!("{verb} the {kind} {name}; the server refuses while a column uses it");
            findings.report(step, message).severity(Severity::Medium).help(help);
        }
        (used, true) => {
            let message = format!("{verb} the {kind} {name} with {}", words::dependents(used));
            findings.report(step, message).help(help);
        }
        (used, false) => {
            let message = format!(
                "{verb} the {kind} {name}, which fails because of {}",
                words::dependents(used)
            );
            findings.report(step, message).help(help);
        }
    }
}

/// Values that the enum has before and not after.
fn report_values(context: &Context<'_>, findings: &mut Findings<'_>, rebuild: &EnumRebuild) {
    let Some(drop) = context
        .all_steps()
        .find(|step| step.statement.index == rebuild.drop_statement)
    else {
        return;
    };
    if context.is_new(&drop, ObjectKind::Type, &rebuild.name) {
        return;
    }
    let name = rebuild.name.short();
    let help = "update the rows that hold the value before, in a migration of its own";
    let Some(before) = context.before.enum_values(&rebuild.name) else {
        let kept = words::list(&rebuild.values);
        let message = format!("leaves the enum {name} with {kept}; rows that hold another value make it fail");
        findings.report(&drop, message).severity(Severity::Medium).help(help);
        return;
    };
    let removed: Vec<&String> = before.iter().filter(|value| !rebuild.values.contains(value)).collect();
    if removed.is_empty() {
        return;
    }
    let mut columns = context.before.dependents(ObjectKind::Type, &rebuild.name);
    columns.retain(|dependent| dependent.kind == ObjectKind::Column);
    let has_rows = |dependent: &Dependent| context.held_rows(&dependent.name);
    if context.before.complete() && !columns.iter().any(has_rows) {
        return;
    }
    let values = words::list(&removed);
    let message = match columns.as_slice() {
        [] => format!("removes {values} from the enum {name}, which fails where a row holds it"),
        used => {
            format!(
                "removes {values} from the enum {name}, which fails where a row of {} holds it",
                words::dependents(used)
            )
        }
    };
    findings.report(&drop, message).help(help);
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, postgres};

    const PEOPLE: &str = "\
        CREATE TYPE mood AS ENUM ('happy', 'sad');
        CREATE DOMAIN email AS text;
        CREATE TABLE people (id int, mood mood, mail email);";

    #[test]
    fn columns_go_with_their_type() {
        let rule = postgres(&RULE);
        rule.reports(
            PEOPLE,
            "DROP TYPE mood CASCADE;",
            High,
            "drops the type mood with the column people.mood",
        );
        rule.reports(
            PEOPLE,
            "DROP DOMAIN email CASCADE;",
            High,
            "drops the domain email with the column people.mail",
        );
        rule.reports(
            PEOPLE,
            "DROP TYPE public.mood;",
            High,
            "drops the type mood, which fails because of the column people.mood",
        );
        rule.reports(
            "",
            "DROP TYPE \"Mood\" CASCADE;",
            High,
            "drops the type Mood with every column that uses it",
        );
        rule.reports(
            "",
            "DROP TYPE mood;",
            Medium,
            "drops the type mood; the server refuses while a column uses it",
        );
    }

    #[test]
    fn an_unused_type_is_no_loss() {
        let rule = postgres(&RULE);
        rule.ignores("CREATE TYPE mood AS ENUM ('happy');", "DROP TYPE mood;");
        rule.ignores("", "CREATE TYPE mood AS ENUM ('happy'); DROP TYPE mood;");
        rule.ignores(PEOPLE, "DROP TABLE people; DROP TYPE mood;");
        rule.ignores(PEOPLE, "ALTER TABLE people DROP COLUMN mood; DROP TYPE mood;");
        rule.ignores(
            PEOPLE,
            "ALTER TABLE people ALTER COLUMN mood TYPE text; DROP TYPE mood;",
        );
        let script = "ALTER TABLE people RENAME mood TO m; ALTER TABLE people RENAME TO folk; ALTER TABLE folk DROP m; DROP TYPE mood;";
        rule.ignores(PEOPLE, script);
    }

    const REBUILD: &str = "\
        BEGIN;\n\
        CREATE TYPE \"mood_new\" AS ENUM ('happy', 'tired');\n\
        ALTER TABLE \"people\" ALTER COLUMN \"mood\" TYPE \"mood_new\" USING (\"mood\"::text::\"mood_new\");\n\
        ALTER TYPE \"mood\" RENAME TO \"mood_old\";\n\
        ALTER TYPE \"mood_new\" RENAME TO \"mood\";\n\
        DROP TYPE \"mood_old\";\n\
        COMMIT;";

    #[test]
    fn enum_values_may_be_removed() {
        let rule = postgres(&RULE);
        let message = "removes sad from the enum mood, which fails where a row of the column people.mood holds it";
        rule.reports(PEOPLE, REBUILD, High, message);
        let message = "leaves the enum mood with happy and tired; rows that hold another value make it fail";
        rule.reports("", REBUILD, Medium, message);
        rule.ignores(
            "CREATE TYPE mood AS ENUM ('happy'); CREATE TABLE people (mood mood);",
            REBUILD,
        );
        assert_ignores(&rule.on(PEOPLE).rows("people", 0), REBUILD);
    }
}
