//! `set-schema`: an object is no longer where the application looks for it.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words};
use tollgate_plugin::{Dialect, ObjectName, Operation, SchemaChange, Severity};

use super::{in_use, is_dropped_later, is_relation, missing_columns};

pub(super) const RULE: Rule = Rule {
    id: "set-schema",
    summary: "An object moves to another schema while the application uses it",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["set-schema"],
    explanation: "\
**What it does.** Reports `SET SCHEMA` of what was there before the plan: high for tables and views, medium for types, \
functions, extensions and the like, which only some queries name. Silent when a view with the same columns is left behind.

**Why it matters.** Queries that name the object with its schema fail from the commit on (as those of most query builders \
do), and so do all others where the new schema is not on the search path.

**Instead.** Leave a view behind in the old schema, in the same migration, and drop it when nothing reads it any more. \
Types and functions: make them anew in the other schema, and drop the old ones later.",
    bad: "ALTER TABLE users SET SCHEMA archive;",
    good: "ALTER TABLE users SET SCHEMA archive;\nCREATE VIEW users AS SELECT * FROM archive.users;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::SetSchema(change) = &step.effect.operation {
            report(context, findings, &step, change);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, change: &SchemaChange) {
    let Some(original) = in_use(context, step, change.kind, &change.name) else {
        return;
    };
    let from = context.before.resolve(change.kind, &original).schema;
    let to = ObjectName::qualified(change.to.clone(), change.name.name.clone());
    if from.as_ref() == Some(&change.to) || !context.same(change.kind, &original, &change.name) {
        return;
    }
    let verb = step.verb("moves", "move");
    let start = format!(
        "{verb} the {} {} to the schema {}",
        change.kind,
        change.name.short(),
        change.to
    );
    let place = from.map_or_else(|| "where it was".to_owned(), |schema| format!("in {schema}"));
    if !is_relation(change.kind) {
        findings
            .report(step, format!("{start}: queries that name it {place} fail"))
            .severity(Severity::Medium)
            .help("make it anew in the other schema, and drop the old one when nothing names it any more");
        return;
    }
    if is_dropped_later(context, step, &to) {
        return;
    }
    match missing_columns(context, &original) {
        None => {
            let message = format!("{start}: queries of the running application that look for it {place} fail");
            findings
                .report(step, message)
                .help("leave a view behind in the same migration, and drop it when nothing reads it any more");
        }
        Some(missing) if !missing.is_empty() => {
            let message = format!("{start}, and what stands in its place lacks {}", words::list(&missing));
            findings
                .report(step, message)
                .help("offer every column in the old place until nothing reads it any more");
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing;

    use super::RULE;
    use crate::judge::postgres;

    const USERS: &str = "\
        CREATE SCHEMA archive; CREATE TABLE users (id int, name text); CREATE TYPE \"Mood\" AS ENUM ('a');
        CREATE VIEW app.names AS SELECT 1 AS a;";

    #[test]
    fn queries_look_in_the_old_schema() {
        let rule = postgres(&RULE);
        rule.reports(
            USERS,
            "ALTER TABLE users SET SCHEMA archive;",
            High,
            "moves the table users to the schema archive: queries of the running application that look for it in public fail",
        );
        rule.reports(
            USERS,
            "ALTER VIEW app.\"names\" SET SCHEMA public;",
            High,
            "moves the view app.names to the schema public: queries of the running application that look for it in app fail",
        );
        rule.reports(
            USERS,
            "ALTER TYPE \"Mood\" SET SCHEMA archive;",
            Medium,
            "moves the type Mood to the schema archive: queries that name it in public fail",
        );
        rule.reports(
            USERS,
            "ALTER TABLE users SET SCHEMA archive; CREATE VIEW users AS SELECT id FROM archive.users;",
            High,
            "moves the table users to the schema archive, and what stands in its place lacks name",
        );
    }

    #[test]
    fn it_can_still_be_read() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE users SET SCHEMA archive; CREATE VIEW users AS SELECT * FROM archive.users;",
        );
        rule.ignores(USERS, "ALTER TABLE users SET SCHEMA public;");
    }

    #[test]
    fn nobody_uses_it() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (b int); ALTER TABLE a SET SCHEMA archive;");
        testing::assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE a (b int);"),
            "ALTER TABLE a SET SCHEMA archive;",
        );
        rule.ignores(USERS, "ALTER TABLE users SET SCHEMA archive; DROP TABLE archive.users;");
        rule.ignores(USERS, "ALTER TABLE IF EXISTS nowhere SET SCHEMA archive;");
    }
}
