//! `drop-schema`: a schema goes.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Severity};

use super::drops;
use crate::dynamic::{self, Suspicion};
use crate::words;

pub(super) const RULE: Rule = Rule {
    id: "drop-schema",
    summary: "DROP SCHEMA loses everything in it",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP SCHEMA`. With `CASCADE` everything in the schema goes, and the message names the tables that \
are known. Without it the server refuses while anything is left, so the finding is low.

**Why it matters.** One line takes all tables of the schema, and what refers to them from elsewhere.

**Instead.** Drop the objects one by one, so that each can be judged, and then the empty schema without `CASCADE`.",
    bad: "DROP SCHEMA reporting CASCADE;",
    good: "CREATE SCHEMA scratch;\nDROP SCHEMA scratch CASCADE;",
    also: &["drop-cascade"],
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, dropped) in drops(context, &[ObjectKind::Schema]) {
        let name = &dropped.name.name;
        let verb = step.verb("drops", "drop");
        if !dropped.cascade {
            let message = format!("{verb} the schema {name}; the server refuses while anything is in it");
            findings.report(&step, message).severity(Severity::Low);
            continue;
        }
        let inside: Vec<String> = context
            .before
            .relations()
            .into_iter()
            .filter(|relation| {
                relation.schema.as_ref() == Some(name) && !context.is_gone(&step, ObjectKind::Table, relation)
            })
            .map(|relation| relation.name)
            .collect();
        let what = match inside.len() {
            0 if context.before.complete() => "with whatever types and functions are in it".to_owned(),
            0 => "with everything in it".to_owned(),
            1 => format!("with everything in it: the relation {}", inside[0]),
            many => format!("with everything in it: {many} relations, {}", words::list(&inside)),
        };
        findings
            .report(&step, format!("{verb} the schema {name} {what}"))
            .help("drop the objects one by one, then the empty schema without CASCADE");
    }
    dynamic::report(context, findings, &[Suspicion::DropSchema], "drops a schema");
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low};

    use super::RULE;
    use crate::judge::{assert_ignores, postgres};

    #[test]
    fn everything_in_it_goes() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP SCHEMA app CASCADE;",
            High,
            "drops the schema app with everything in it",
        );
        rule.reports(
            "",
            "DROP SCHEMA IF EXISTS \"My App\" CASCADE;",
            High,
            "drops the schema My App with everything in it",
        );
        rule.reports(
            "CREATE SCHEMA app; CREATE TABLE app.a (id int); CREATE TABLE app.b (id int); CREATE TABLE c (id int);",
            "DROP SCHEMA app CASCADE;",
            High,
            "drops the schema app with everything in it: 2 relations, a and b",
        );
        rule.reports(
            "",
            "DROP SCHEMA app;",
            Low,
            "drops the schema app; the server refuses while anything is in it",
        );
    }

    #[test]
    fn a_new_schema_is_no_loss() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE SCHEMA a; DROP SCHEMA a CASCADE;");
        rule.ignores("CREATE TABLE a (id int);", "DROP SCHEMA IF EXISTS nowhere CASCADE;");
        assert_ignores(&rule.on("CREATE TABLE a (id int);"), "DROP TABLE a;");
    }
}
