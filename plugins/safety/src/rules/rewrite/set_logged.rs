//! `set-logged`: a table that changes between logged and unlogged.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

use super::target;

pub(super) const RULE: Rule = Rule {
    id: "set-logged",
    summary: "SET LOGGED and SET UNLOGGED write the table anew",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["set-logged", "set-unlogged"],
    explanation: "\
**What it does.** Reports `ALTER TABLE … SET LOGGED` and `SET UNLOGGED` of a table that may hold rows. High where the \
table is known to be large.

**Why it matters.** Every row is written anew, with all indexes, while ACCESS EXCLUSIVE keeps everybody from reading \
the table. SET LOGGED sends all of it to the replicas; an unlogged table is empty there, and empty everywhere after a \
crash.

**Instead.** Make the table as it shall be from the start, or make a new one and move the rows over in batches.",
    bad: "CREATE UNLOGGED TABLE sessions (id int);\n-- migration\nALTER TABLE sessions SET LOGGED;",
    good: "CREATE UNLOGGED TABLE sessions (id int);\nALTER TABLE sessions SET LOGGED;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::Other(other) = &step.effect.operation else {
            continue;
        };
        let (logged, Some(table)) = (other.tag == "set-logged", other.objects.first()) else {
            continue;
        };
        if !logged && other.tag != "set-unlogged" {
            continue;
        }
        // The engine knows which tables are what they shall become.
        let rewrites = context
            .locks(step.statement)
            .iter()
            .any(|lock| lock.rewrites && context.same(ObjectKind::Table, &lock.relation, table));
        if !rewrites {
            continue;
        }
        let verb = step.verb("makes", "make");
        let name = table.short();
        let (what, help) = if logged {
            (
                format!("{verb} {name} logged"),
                "make a logged table beside it and move the rows over in batches",
            )
        } else {
            (
                format!("{verb} {name} unlogged, which leaves it empty on replicas and after a crash"),
                "make an unlogged table beside it, for rows that may get lost",
            )
        };
        if let Some(finding) = target::report(context, findings, &step, table, &what) {
            finding.help(help);
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const T: &str = "CREATE UNLOGGED TABLE fast (id int); CREATE TABLE \"Slow\" (id int);";
    const ANEW: &str = "the table is written anew, and nobody can read or write it meanwhile";

    #[test]
    fn the_table_is_written_anew() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            "ALTER TABLE fast SET LOGGED;",
            Medium,
            &format!("makes fast logged: {ANEW}"),
        );
        let message = format!("makes Slow unlogged, which leaves it empty on replicas and after a crash: {ANEW}");
        rule.reports(T, "ALTER TABLE public.\"Slow\" SET UNLOGGED;", Medium, &message);
        rule.reports(
            "",
            "ALTER TABLE fast SET LOGGED;",
            Medium,
            &format!("makes fast logged: {ANEW}"),
        );
        let message = "makes fast logged: the table with about 3,000,000 rows is written anew, and nobody can read or \
        write it meanwhile";
        assert_reports(
            &rule.on(T).rows("fast", 3_000_000),
            "ALTER TABLE fast SET LOGGED;",
            High,
            message,
        );
    }

    #[test]
    fn nothing_changes_or_nothing_is_there() {
        let rule = postgres(&RULE);
        rule.ignores(T, "ALTER TABLE fast SET UNLOGGED;");
        rule.ignores(T, "ALTER TABLE \"Slow\" SET LOGGED;");
        rule.ignores("", "CREATE UNLOGGED TABLE t (a int); ALTER TABLE t SET LOGGED;");
        assert_ignores(&rule.on(T).rows("fast", 10), "ALTER TABLE fast SET LOGGED;");
        assert_ignores(
            &rule.on(T).pending("CREATE UNLOGGED TABLE t (a int);"),
            "ALTER TABLE t SET LOGGED;",
        );
    }
}
