//! `rename-type-or-function`: a type, function or sequence that queries name is called something else.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Rename, Severity};

use super::in_use;

pub(super) const RULE: Rule = Rule {
    id: "rename-type-or-function",
    summary: "A type, function or sequence is renamed while queries name it",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["rename"],
    explanation: "\
**What it does.** Reports `RENAME TO` of an enum or other type, a domain, a function, procedure or aggregate, and a sequence \
that was there before the plan. Silent for a type that is known to be unused, and when something of that kind has the old name \
afterwards. The renames inside an enum rebuild are none.

**Why it matters.** Columns, defaults and triggers follow the rename, queries do not. Many applications name types in casts \
without showing it (Prisma casts every enum that it writes), call functions, or ask `nextval` of a sequence by its name: all of \
that fails from the commit on. So do functions whose body names the old one.

**Instead.** A function: make one with the new name, and let the old one call it until nobody does. A type: keep its name; what \
the application calls it can be mapped there (`@@map` in Prisma).",
    bad: "CREATE TYPE mood AS ENUM ('happy');\nCREATE TABLE people (mood mood);\n-- migration\n\
          ALTER TYPE mood RENAME TO feeling;",
    good: "CREATE FUNCTION slug(t text) RETURNS text LANGUAGE sql AS 'SELECT lower(t)';\n-- migration\n\
           ALTER FUNCTION slug(text) RENAME TO to_slug;\n\
           CREATE FUNCTION slug(t text) RETURNS text LANGUAGE sql AS 'SELECT to_slug(t)';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::Rename(rename) = &step.effect.operation {
            report(context, findings, &step, rename);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, rename: &Rename) {
    let what = match rename.kind {
        ObjectKind::Type | ObjectKind::Domain => "casts to it fail",
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => "calls of it fail",
        ObjectKind::Sequence => "nextval of its name fails",
        _ => return,
    };
    let Some(original) = in_use(context, step, rename.kind, &rename.from) else {
        return;
    };
    // What is renamed twice was reported the first time.
    let first = context.same(rename.kind, &original, &rename.from);
    let dropped = context.steps_after(step).any(|later| match &later.effect.operation {
        Operation::Drop(dropped) => dropped.kind == rename.kind && dropped.name.name == rename.to,
        _ => false,
    });
    if !first || dropped || context.after.exists(rename.kind, &original) == Some(true) {
        return;
    }
    let mut used = String::new();
    if matches!(rename.kind, ObjectKind::Type | ObjectKind::Domain) {
        let mut columns = context.before.dependents(rename.kind, &original);
        columns.retain(|dependent| !context.before.known_empty(&dependent.name));
        if columns.is_empty() && context.before.complete() {
            return;
        }
        columns.retain(|dependent| dependent.kind == ObjectKind::Column);
        if !columns.is_empty() {
            used = format!(" of {}", words::dependents(&columns));
        }
    }
    let verb = step.verb("renames", "rename");
    let (kind, from, to) = (rename.kind, rename.from.short(), &rename.to);
    findings
        .report(
            step,
            format!("{verb} the {kind} {from}{used} to {to}: in queries of the running application {what}"),
        )
        .help(format!(
            "leave something with the name {} until no running release names it",
            rename.from.name
        ));
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::postgres;

    const PEOPLE: &str = "\
        CREATE TYPE mood AS ENUM ('happy'); CREATE TYPE unused AS ENUM ('x'); CREATE DOMAIN app.\"Mail\" AS text;
        CREATE TABLE people (mood mood, mail app.\"Mail\"); CREATE SEQUENCE numbers;
        CREATE FUNCTION slug(t text) RETURNS text LANGUAGE sql AS 'SELECT lower(t)';";

    #[test]
    fn queries_name_it() {
        let rule = postgres(&RULE);
        rule.reports(
            PEOPLE,
            "ALTER TYPE public.mood RENAME TO feeling;",
            Medium,
            "renames the type mood of the column people.mood to feeling: in queries of the running application casts to it fail",
        );
        rule.reports(
            PEOPLE,
            "ALTER DOMAIN app.\"Mail\" RENAME TO mail;",
            Medium,
            "renames the domain app.Mail of the column people.mail to mail: in queries of the running application casts to it fail",
        );
        rule.reports(
            "",
            "ALTER FUNCTION slug(text) RENAME TO to_slug;",
            Medium,
            "renames the function slug to to_slug: in queries of the running application calls of it fail",
        );
        rule.reports(
            PEOPLE,
            "ALTER SEQUENCE numbers RENAME TO order_numbers;",
            Medium,
            "renames the sequence numbers to order_numbers: in queries of the running application nextval of its name fails",
        );
    }

    #[test]
    fn nobody_does() {
        let rule = postgres(&RULE);
        rule.ignores(PEOPLE, "ALTER TYPE unused RENAME TO used;");
        rule.ignores("", "CREATE TYPE a AS ENUM ('x'); ALTER TYPE a RENAME TO b;");
        let pending = "CREATE TYPE size AS ENUM ('s'); CREATE TABLE shirts (size size);";
        testing::assert_ignores(&rule.on(PEOPLE).pending(pending), "ALTER TYPE size RENAME TO sizes;");
        rule.ignores(
            PEOPLE,
            "ALTER INDEX a RENAME TO b; ALTER TABLE people RENAME CONSTRAINT a TO b;",
        );
    }

    #[test]
    fn the_old_name_is_there_again() {
        let rule = postgres(&RULE);
        rule.ignores(
            PEOPLE,
            "ALTER FUNCTION slug(text) RENAME TO to_slug;
             CREATE FUNCTION slug(t text) RETURNS text LANGUAGE sql AS 'SELECT to_slug(t)';",
        );
        rule.ignores(
            PEOPLE,
            "CREATE TYPE mood_new AS ENUM ('happy', 'sad');
             ALTER TABLE people ALTER mood TYPE mood_new USING mood::text::mood_new;
             ALTER TYPE mood RENAME TO mood_old; ALTER TYPE mood_new RENAME TO mood; DROP TYPE mood_old;",
        );
    }
}
