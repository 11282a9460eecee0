//! `stored-generated-column`: a generated column whose values are computed for every row at once.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{AddedColumn, Dialect, Edit, ObjectKind, Operation, OtherOperation, Severity, Span, Suggestion};

use super::target;
use crate::{details, tokens};

pub(super) const RULE: Rule = Rule {
    id: "stored-generated-column",
    summary: "A stored generated column is computed for every row while nobody can use the table",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["add-column", "set-expression"],
    explanation: "\
**What it does.** Reports `ADD COLUMN … GENERATED ALWAYS AS (…) STORED` and a change of such an expression (`SET \
EXPRESSION`). High where the table is known to be large.

**Why it matters.** Every row is computed and written anew, with all indexes, while ACCESS EXCLUSIVE keeps everybody \
from reading the table.

**Instead.** From PostgreSQL 18 on a `VIRTUAL` column costs nothing. Otherwise add a plain column, keep it in step \
with a trigger, and fill it in batches; or index the expression itself.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, name text);\n-- migration\n\
          ALTER TABLE users ADD COLUMN search text GENERATED ALWAYS AS (lower(name)) STORED;",
    good: "CREATE TABLE users (id int PRIMARY KEY, name text);\n-- migration\n\
           CREATE INDEX CONCURRENTLY IF NOT EXISTS users_search ON users (lower(name));",
    check,
    ..Rule::DEFAULT
};

const HELP: &str =
    "add a plain column, keep it in step with a trigger, and fill it in batches; or index the expression";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        match &step.effect.operation {
            Operation::AddColumn(added) if !target::is_there_already(context, &step, added) => {
                report_added(context, findings, &step, added);
            }
            Operation::Other(other) if other.tag == "set-expression" => report_changed(context, findings, &step, other),
            _ => {}
        }
    }
}

fn report_added(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, added: &AddedColumn) {
    let Some((_, true)) = added.column.generated else {
        return;
    };
    let verb = step.verb("adds", "add");
    let what = format!(
        "{verb} {}.{}, which is computed and stored for every row",
        added.table.short(),
        added.column.name
    );
    let Some(finding) = target::report(context, findings, step, &added.table, &what) else {
        return;
    };
    if context.server().at_least(18) {
        finding.help("make it VIRTUAL: then it is computed when it is read, and nothing is written");
        if let Some(edit) = virtually(context.migration.text(), step) {
            finding.suggest(Suggestion::manual("compute it when it is read", vec![edit]));
        }
    } else {
        finding.help(HELP);
    }
}

/// Only a stored column's new expression is computed for every row; the engine knows which it is.
fn report_changed(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, other: &OtherOperation) {
    let Some(table) = other.objects.first() else { return };
    let rewrites = context
        .locks(step.statement)
        .iter()
        .any(|lock| lock.rewrites && context.same(ObjectKind::Table, &lock.relation, table));
    if rewrites {
        let column = details::text(other, "column").unwrap_or_default();
        let verb = step.verb("changes", "change");
        let what = format!(
            "{verb} what {}.{column} is computed from, for every row at once",
            table.short()
        );
        if let Some(finding) = target::report(context, findings, step, table, &what) {
            finding.help(HELP);
        }
    }
}

/// VIRTUAL in place of STORED.
fn virtually(text: &str, step: &Step<'_>) -> Option<Edit> {
    let tokens = tokens::read(step.effect.at.of(text));
    let (_, stored) = tokens::at_top(&tokens).filter(|(_, token)| token.is("stored")).last()?;
    let offset = |inside: usize| step.effect.at.start + u32::try_from(inside).unwrap_or(u32::MAX);
    let at = Span {
        start: offset(stored.start),
        end: offset(stored.end()),
    };
    Some(Edit::replace(at, "VIRTUAL"))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const USERS: &str =
        "CREATE TABLE users (id int PRIMARY KEY, name text, low text GENERATED ALWAYS AS (lower(name)) STORED);";
    const ADD: &str = "ALTER TABLE users ADD COLUMN up text GENERATED ALWAYS AS (upper(name)) STORED;";
    const ANEW: &str = "the table is written anew, and nobody can read or write it meanwhile";

    #[test]
    fn every_row_is_computed() {
        let rule = postgres(&RULE);
        let message = format!("adds users.up, which is computed and stored for every row: {ANEW}");
        rule.reports(USERS, ADD, Medium, &message);
        rule.reports("", ADD, Medium, &message);
        rule.reports(
            USERS,
            "ALTER TABLE \"public\".\"users\" ADD \"Both\" text GENERATED ALWAYS AS (name || 'STORED') STORED, ADD x \
             int;",
            Medium,
            &format!("adds users.Both, which is computed and stored for every row: {ANEW}"),
        );
        rule.version(17, 0, 0).reports(
            USERS,
            "ALTER TABLE users ALTER COLUMN low SET EXPRESSION AS (lower(trim(name)));",
            Medium,
            &format!("changes what users.low is computed from, for every row at once: {ANEW}"),
        );
        let large = rule.on(USERS).rows("users", 1_000_000);
        let message = "adds users.up, which is computed and stored for every row: the table with about 1,000,000 rows \
                       is written anew, and nobody can read or write it meanwhile";
        assert_reports(&large, ADD, High, message);
    }

    #[test]
    fn from_18_on_it_need_not_be_stored() {
        let rule = postgres(&RULE).version(18, 0, 0);
        let findings = rule.on(USERS).check(ADD);
        let edit = &findings[0].suggestions[0].edits[0];
        let mut mended = ADD.to_owned();
        mended.replace_range(edit.at.start as usize..edit.at.end as usize, &edit.text);
        assert_eq!(
            mended,
            "ALTER TABLE users ADD COLUMN up text GENERATED ALWAYS AS (upper(name)) VIRTUAL;"
        );
        rule.ignores(USERS, &mended);
    }

    #[test]
    fn no_rows_or_nothing_stored() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "CREATE TABLE t (a text, b text GENERATED ALWAYS AS (lower(a)) STORED);",
        );
        rule.ignores(
            "",
            "CREATE TABLE t (a text); ALTER TABLE t ADD b text GENERATED ALWAYS AS (lower(a)) STORED;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN IF NOT EXISTS low text GENERATED ALWAYS AS (lower(name)) STORED;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN n int GENERATED BY DEFAULT AS IDENTITY;",
        );
        assert_ignores(&rule.on(USERS).rows("users", 3), ADD);
    }
}
