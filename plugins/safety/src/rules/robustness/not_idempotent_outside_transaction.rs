//! `not-idempotent-outside-transaction`: a migration that stopped halfway cannot be run again.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{CreatedIndex, Dialect, Dropped, Edit, ObjectKind, Operation, Severity, Suggestion};

use crate::sql;

pub(super) const RULE: Rule = Rule {
    id: "not-idempotent-outside-transaction",
    summary: "CONCURRENTLY without IF [NOT] EXISTS in a file of several statements",
    severity: Severity::Low,
    dialects: &[Dialect::Postgres],
    triggers: &["create-index", "drop"],
    explanation: "\
**What it does.** Reports `CREATE INDEX CONCURRENTLY` without `IF NOT EXISTS` and `DROP INDEX CONCURRENTLY` without \
`IF EXISTS` where the file has other statements. Silent where the file drops the index `IF EXISTS` before it builds it.

**Why it matters.** Such a statement stands by itself: when a later one fails, it has been committed. Whoever runs the file \
again (psql, Prisma, a colleague; Tollgate itself goes on where it stopped) fails at it. With the only statement of a file \
nothing is gained: a build that failed has left an invalid index, which `IF NOT EXISTS` would take for the right one.

**Instead.** Write `IF EXISTS` and `IF NOT EXISTS`, and above a build `DROP INDEX CONCURRENTLY IF EXISTS` of the same index, \
which clears away an invalid one. Or give every such statement a file of its own.",
    bad: "DROP INDEX CONCURRENTLY users_name;\nDROP INDEX CONCURRENTLY users_email;",
    good: "DROP INDEX CONCURRENTLY IF EXISTS users_name;\nDROP INDEX CONCURRENTLY IF EXISTS users_email;",
    also: &["concurrent-with-other-statements"],
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let effective = context.migration.statements().iter();
    if effective.filter(|statement| !statement.effects.is_empty()).count() < 2 {
        return;
    }
    for step in context.steps() {
        match &step.effect.operation {
            Operation::CreateIndex(index) if index.concurrently && !index.if_not_exists => {
                created(context, findings, &step, index);
            }
            Operation::Drop(dropped) if dropped.concurrently && !dropped.if_exists => {
                gone(context, findings, &step, dropped);
            }
            _ => {}
        }
    }
}

fn created(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, index: &CreatedIndex) {
    let cleared = index.name.as_ref().is_some_and(|name| {
        context
            .steps_before(step)
            .any(|earlier| match &earlier.effect.operation {
                Operation::Drop(dropped) => {
                    dropped.kind == ObjectKind::Index && dropped.if_exists && dropped.name.name == *name
                }
                _ => false,
            })
    });
    if cleared {
        return;
    }
    let table = index.table.short();
    let Some(name) = &index.name else {
        let message = format!(
            "builds an index without a name on {table} outside of a transaction: run again, the file builds a second one"
        );
        findings
            .report(step, message)
            .help("give it a name, and write IF NOT EXISTS");
        return;
    };
    let message = format!(
        "builds the index {name} of {table} outside of a transaction without IF NOT EXISTS: run again, the file fails at it"
    );
    let finding = findings.report(step, message).help(format!(
        "write IF NOT EXISTS, and above it DROP INDEX CONCURRENTLY IF EXISTS {}, for one that a failed build has left",
        sql::name(name)
    ));
    finding.suggestions.extend(insert(context, step, "IF NOT EXISTS"));
}

fn gone(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, dropped: &Dropped) {
    let message = format!(
        "drops the index {} outside of a transaction without IF EXISTS: run again, the file fails at it",
        dropped.name.short()
    );
    let finding = findings.report(step, message).help("write IF EXISTS");
    finding.suggestions.extend(insert(context, step, "IF EXISTS"));
}

/// The words behind CONCURRENTLY. A person has to agree: a wrong name is no error any more.
fn insert(context: &Context<'_>, step: &Step<'_>, words: &str) -> Option<Suggestion> {
    let tokens = sql::statement_tokens(context, step.statement);
    let at = tokens.iter().find(|token| token.is("concurrently"))?.end;
    let edit = Edit::insert(at, format!(" {words}"));
    Some(Suggestion::manual(format!("add {words}"), vec![edit]))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    #[test]
    fn the_file_cannot_be_run_again() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP INDEX CONCURRENTLY \"users_Name\"; ANALYZE users;",
            Low,
            "drops the index users_Name outside of a transaction without IF EXISTS: run again, the file fails at it",
        );
        rule.reports(
            "",
            "SET lock_timeout = '1s';\nCREATE UNIQUE INDEX CONCURRENTLY u ON app.users (email);",
            Low,
            "builds the index u of app.users outside of a transaction without IF NOT EXISTS: run again, the file fails at it",
        );
        rule.reports(
            "",
            "CREATE INDEX CONCURRENTLY ON users (email); ANALYZE users;",
            Low,
            "builds an index without a name on users outside of a transaction: run again, the file builds a second one",
        );
    }

    #[test]
    fn it_can() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "DROP INDEX CONCURRENTLY IF EXISTS a; CREATE INDEX CONCURRENTLY IF NOT EXISTS b ON t (c);",
        );
        rule.ignores(
            "",
            "DROP INDEX CONCURRENTLY IF EXISTS a; CREATE INDEX CONCURRENTLY a ON t (c);",
        );
        rule.ignores("", "CREATE TABLE t (a int); CREATE INDEX a ON t (a); DROP INDEX b;");
    }

    #[test]
    fn alone_in_its_file_it_is_better_off_without() {
        let rule = postgres(&RULE);
        rule.ignores("", "-- CreateIndex\nCREATE INDEX CONCURRENTLY a ON t (c);");
        rule.ignores("", "DROP INDEX CONCURRENTLY a;");
    }

    #[test]
    fn the_words_are_offered() {
        let script = "create /* x */ index concurrently a on t (b);\nSELECT 1; ANALYZE t;";
        assert_eq!(
            fixed(&postgres(&RULE).on(""), script).as_deref(),
            Some("create /* x */ index concurrently IF NOT EXISTS a on t (b);\nSELECT 1; ANALYZE t;")
        );
    }
}
