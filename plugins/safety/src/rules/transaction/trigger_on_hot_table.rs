//! `trigger-on-hot-table`: a trigger on a table that is in use.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, RelationKind, Severity};

use crate::size::{self, Size};

pub(super) const RULE: Rule = Rule {
    id: "trigger-on-hot-table",
    summary: "A new trigger runs with every write to a table that is in use",
    severity: Severity::Low,
    dialects: &[Dialect::Postgres],
    triggers: &["create"],
    explanation: "\
**What it does.** Reports `CREATE TRIGGER` on a table that existed before the migration and may hold rows; medium \
where the table is known to be large. Triggers of views and of new, empty and small tables are not reported.

**Why it matters.** SHARE ROW EXCLUSIVE keeps everybody from writing the table until the transaction ends. From then \
on every write pays for the trigger's function, and fails when the function fails.

**Instead.** Nothing, where the trigger is meant: create it in a migration of its own, so that the lock is short, and \
try its function on real rows before.",
    bad: "CREATE TABLE users (id int);\nCREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN \
    NEW; END $$;\n-- migration\n\
          CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note();",
    good: "CREATE TABLE users (id int);\nCREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN \
    NEW; END $$;\n\
           CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note();",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Create(created) = &step.effect.operation else {
            continue;
        };
        let Some(table) = created.on.as_ref().filter(|_| created.kind == ObjectKind::Trigger) else {
            continue;
        };
        let relation = context.before_relation(&step, table);
        let is_view = relation
            .as_ref()
            .is_some_and(|relation| relation.kind == RelationKind::View)
            || relation.is_none() && context.is_new(&step, ObjectKind::View, table);
        let replaces =
            created.or_replace && relation.is_some_and(|relation| relation.triggers.contains(&created.name.name));
        let size = size::of(context, &step, table);
        if is_view || replaces || size == Size::Small {
            continue;
        }
        let rows = size::in_words(context, &step, table);
        let table = table.short();
        let message = format!(
            "{} the trigger {} on {table}{rows}: nobody can write {table} until the transaction ends, and every write \
             runs it from then on",
            step.verb("puts", "put"),
            created.name.name
        );
        let finding = findings.report(&step, message);
        finding.help("create it in a migration of its own, and try its function on real rows before");
        if size == Size::Large {
            finding.severity(Severity::Medium);
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const T: &str = "CREATE TABLE \"Users\" (id int); CREATE VIEW names AS SELECT id FROM \"Users\";";

    fn on(table: &str) -> String {
        format!("CREATE TRIGGER \"Noted\" BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION note();")
    }

    #[test]
    fn every_write_runs_it() {
        let rule = postgres(&RULE);
        let message = |table: &str| {
            format!(
                "puts the trigger Noted on {table}: nobody can write {table} until the transaction ends, and every \
                 write runs it from then on"
            )
        };
        rule.reports(T, &on("public.\"Users\""), Low, &message("Users"));
        rule.reports("", &on("app.users"), Low, &message("app.users"));
        rule.reports(
            T,
            &on("\"Users\"").replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER"),
            Low,
            &message("Users"),
        );
        let large = "puts the trigger Noted on Users with about 2,000,000 rows: nobody can write Users until the \
                     transaction ends, and every write runs it from then on";
        assert_reports(&rule.on(T).rows("Users", 2_000_000), &on("\"Users\""), Medium, large);
    }

    #[test]
    fn no_writes_to_wait_or_to_run_it() {
        let rule = postgres(&RULE);
        rule.ignores("", &format!("CREATE TABLE t (a int); {}", on("t")));
        rule.ignores(
            T,
            "CREATE TRIGGER i INSTEAD OF INSERT ON names FOR EACH ROW EXECUTE FUNCTION note();",
        );
        let known = format!("{T} {}", on("\"Users\""));
        rule.ignores(
            &known,
            &on("\"Users\"").replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER"),
        );
        assert_ignores(&rule.on(T).rows("Users", 5), &on("\"Users\""));
        assert_ignores(&rule.on(T).pending("CREATE TABLE t (a int);"), &on("t"));
        sqlite(&RULE).ignores(
            "CREATE TABLE t (a);",
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END;",
        );
    }
}
