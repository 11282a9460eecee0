//! `rename-enum-value`: a value that the application writes is called something else.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words};
use tollgate_plugin::{Dialect, EnumValueRename, ObjectKind, Operation, Severity};

use super::in_use;

pub(super) const RULE: Rule = Rule {
    id: "rename-enum-value",
    summary: "An enum value is renamed while the application uses it",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["rename-enum-value"],
    explanation: "\
**What it does.** Reports `ALTER TYPE … RENAME VALUE` of an enum that was there before the plan: high where columns are known \
to use it, medium where nobody knows. Silent when no column uses the enum.

**Why it matters.** Every row changes its value at once. The application that is running still writes the old value, which the \
server refuses from then on, and reads a value that it does not know.

**Instead.** Add the new value, deploy an application that can read both and writes the new one, update the rows in batches. \
The old value may stay.",
    bad: "CREATE TYPE mood AS ENUM ('happy', 'sad');\nCREATE TABLE people (id int, mood mood);\n-- migration\n\
          ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';",
    good: "CREATE TYPE mood AS ENUM ('happy', 'sad');\nCREATE TABLE people (id int, mood mood);\n-- migration\n\
           ALTER TYPE mood ADD VALUE IF NOT EXISTS 'blue';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::RenameEnumValue(rename) = &step.effect.operation {
            report(context, findings, &step, rename);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, rename: &EnumValueRename) {
    let Some(original) = in_use(context, step, ObjectKind::Type, &rename.name) else {
        return;
    };
    let before = context.before.enum_values(&original);
    let is_new = before.is_some_and(|values| !values.contains(&rename.from));
    let after = context.after.enum_values(&rename.name);
    if is_new || after.is_some_and(|values| values.contains(&rename.from)) {
        return;
    }
    let mut columns = context.before.dependents(ObjectKind::Type, &original);
    columns.retain(|dependent| dependent.kind == ObjectKind::Column && !context.before.known_empty(&dependent.name));
    if columns.is_empty() && context.before.complete() {
        return;
    }
    let verb = step.verb("renames", "rename");
    let (from, to) = (&rename.from, &rename.to);
    let start = format!("{verb} the value {from} of the enum {} to {to}", rename.name.short());
    let help = format!("add {to} as another value, move the application and then the rows, and let {from} stay");
    if columns.is_empty() {
        let message = format!("{start}; an application that still writes {from} fails");
        findings.report(step, message).severity(Severity::Medium).help(help);
    } else {
        let used = words::dependents(&columns);
        let message = format!("{start}: the running application, which still writes {from} to {used}, fails");
        findings.report(step, message).help(help);
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::postgres;

    const PEOPLE: &str = "\
        CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TYPE app.\"Color\" AS ENUM ('red');
        CREATE TABLE people (id int, mood mood, color app.\"Color\"[]);";

    #[test]
    fn the_application_writes_the_old_value() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';",
            Medium,
            "renames the value sad of the enum mood to blue; an application that still writes sad fails",
        );
        rule.reports(
            PEOPLE,
            "ALTER TYPE public.mood RENAME VALUE 'sad' TO 'blue';",
            High,
            "renames the value sad of the enum mood to blue: the running application, which still writes sad to the column \
             people.mood, fails",
        );
        rule.reports(
            PEOPLE,
            "ALTER TYPE app.\"Color\" RENAME VALUE 'red' TO 'RED';",
            High,
            "renames the value red of the enum app.Color to RED: the running application, which still writes red to the \
             column people.color, fails",
        );
    }

    #[test]
    fn nobody_uses_it() {
        let rule = postgres(&RULE);
        rule.ignores(
            "CREATE TYPE mood AS ENUM ('sad');",
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';",
        );
        rule.ignores(
            "",
            "CREATE TYPE mood AS ENUM ('sad'); ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';",
        );
        rule.ignores(
            PEOPLE,
            "ALTER TYPE mood ADD VALUE 'bleu'; ALTER TYPE mood RENAME VALUE 'bleu' TO 'blue';",
        );
        let pending = "CREATE TYPE size AS ENUM ('s'); CREATE TABLE shirts (size size);";
        testing::assert_ignores(
            &rule.on(PEOPLE).pending(pending),
            "ALTER TYPE size RENAME VALUE 's' TO 'S';",
        );
    }

    #[test]
    fn the_old_value_is_there_again() {
        postgres(&RULE).ignores(
            PEOPLE,
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; ALTER TYPE mood ADD VALUE 'sad';",
        );
    }
}
