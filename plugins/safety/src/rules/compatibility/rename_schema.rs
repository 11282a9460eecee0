//! `rename-schema`: everything in a schema gets another name.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words};
use tollgate_plugin::{Dialect, ObjectKind, ObjectName, Operation, Rename, Severity};

use super::in_use;

pub(super) const RULE: Rule = Rule {
    id: "rename-schema",
    summary: "A schema is renamed while the application uses its name",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["rename"],
    explanation: "\
**What it does.** Reports `ALTER SCHEMA … RENAME TO` of a schema that was there before the plan, unless it is known to hold no \
table, or everything in it can be read under the old name afterwards.

**Why it matters.** Every query that names the schema fails from the commit on, and so does every session whose search path \
names it: it finds no table at all.

**Instead.** Make the new schema, move one table after the other with the releases that use them, and leave a view behind for \
each.",
    bad: "ALTER SCHEMA app RENAME TO core;",
    good: "CREATE SCHEMA core;\nALTER SCHEMA core RENAME TO main;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::Rename(rename) = &step.effect.operation
            && rename.kind == ObjectKind::Schema
        {
            report(context, findings, &step, rename);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, rename: &Rename) {
    let Some(original) = in_use(context, step, ObjectKind::Schema, &rename.from) else {
        return;
    };
    let mut held = context.before.relations();
    held.retain(|name| name.schema.as_ref() == Some(&original.name) && !context.before.known_empty(name));
    let readable = |name: &ObjectName| context.after.relation(name).is_some();
    let lost: Vec<&str> = held
        .iter()
        .filter(|name| !readable(name))
        .map(|name| name.name.as_str())
        .collect();
    let nothing_held = held.is_empty() && context.before.complete();
    if nothing_held || (!held.is_empty() && lost.is_empty()) {
        return;
    }
    let verb = step.verb("renames", "rename");
    let (from, to) = (&rename.from.name, &rename.to);
    let with = if lost.is_empty() {
        String::new()
    } else {
        format!(" with {}", words::list(&lost))
    };
    let message =
        format!("{verb} the schema {from} to {to}{with}: queries of the running application that name {from} fail");
    findings
        .report(step, message)
        .help("make the new schema beside it, and move each table with the release that looks for it there");
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::postgres;

    const APP: &str = "CREATE SCHEMA app; CREATE TABLE app.users (id int); CREATE TABLE app.\"Order\" (id int);";

    #[test]
    fn queries_name_the_old_schema() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "ALTER SCHEMA app RENAME TO core;",
            High,
            "renames the schema app to core: queries of the running application that name app fail",
        );
        rule.reports(
            APP,
            "ALTER SCHEMA \"app\" RENAME TO core;",
            High,
            "renames the schema app to core with Order and users: queries of the running application that name app fail",
        );
        rule.reports(
            APP,
            "ALTER SCHEMA app RENAME TO core; CREATE SCHEMA app; CREATE VIEW app.users AS SELECT * FROM core.users;",
            High,
            "renames the schema app to core with Order: queries of the running application that name app fail",
        );
    }

    #[test]
    fn nobody_uses_it() {
        let rule = postgres(&RULE);
        rule.ignores("CREATE SCHEMA app;", "ALTER SCHEMA app RENAME TO core;");
        rule.ignores("", "CREATE SCHEMA app; ALTER SCHEMA app RENAME TO core;");
        testing::assert_ignores(
            &rule.on("CREATE TABLE a (b int);").pending(APP),
            "ALTER SCHEMA app RENAME TO core;",
        );
        rule.ignores(
            "CREATE SCHEMA app; CREATE TABLE app.users (id int);",
            "ALTER SCHEMA app RENAME TO core; CREATE SCHEMA app; CREATE VIEW app.users AS SELECT * FROM core.users;",
        );
    }
}
