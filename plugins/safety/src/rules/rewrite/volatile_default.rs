//! `volatile-default`: a new column whose default differs from row to row.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{AddedColumn, Dialect, Edit, Expression, Operation, Severity, Span, Suggestion, Volatility};

use super::target;
use crate::tokens;

pub(super) const RULE: Rule = Rule {
    id: "volatile-default",
    summary: "A new column with a volatile default writes the table anew",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["add-column"],
    explanation: "\
**What it does.** Reports `ADD COLUMN … DEFAULT` with a function that gives each row a value of its own \
(`gen_random_uuid()`, `random()`, `clock_timestamp()`, `nextval()`), or with a function of your own, which is volatile \
unless it was declared otherwise. Constants and `now()` are kept in the catalog (from PostgreSQL 11 on) and cost \
nothing. High where the table is known to be large.

**Why it matters.** Every row is written anew, with all indexes, while ACCESS EXCLUSIVE keeps everybody from reading \
the table.

**Instead.** Add the column without a default, set the default for rows to come, and fill the others in batches.",
    bad: "CREATE TABLE users (id int PRIMARY KEY);\n-- migration\n\
          ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();",
    good: "CREATE TABLE users (id int PRIMARY KEY);\n-- migration\n\
           ALTER TABLE users ADD COLUMN token uuid, ALTER COLUMN token SET DEFAULT gen_random_uuid();",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::AddColumn(added) = &step.effect.operation else {
            continue;
        };
        if let Some(default) = &added.column.default
            && !target::is_there_already(context, &step, added)
        {
            report(context, findings, &step, added, default);
        }
    }
}

fn report(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    step: &Step<'_>,
    added: &AddedColumn,
    default: &Expression,
) {
    let why = match default.volatility {
        Volatility::Immutable | Volatility::Stable => return,
        Volatility::Volatile => "a default that each row gets a value of its own from",
        Volatility::Unknown => "a default that calls a function which is volatile unless declared otherwise",
    };
    let verb = step.verb("adds", "add");
    let what = format!("{verb} {}.{} with {why}", added.table.short(), added.column.name);
    let Some(finding) = target::report(context, findings, step, &added.table, &what) else {
        return;
    };
    finding.help("add the column without a default, set the default for new rows, and fill the others in batches");
    if let Some(edits) = apart(context.migration.text(), step, added, default) {
        finding.suggest(Suggestion::manual(
            "give the default to new rows only and fill the others later",
            edits,
        ));
    }
}

/// The default as a clause of its own. A column that has to have a value cannot do without.
fn apart(text: &str, step: &Step<'_>, added: &AddedColumn, default: &Expression) -> Option<Vec<Edit>> {
    if added.column.not_null || step.effect.conditional {
        return None;
    }
    let clause = step.effect.at.of(text);
    let tokens = tokens::read(clause);
    let (at, word) = tokens::at_top(&tokens).find(|(_, token)| token.is("default"))?;
    let name = tokens
        .iter()
        .find(|token| token.name().as_deref() == Some(&added.column.name))?;
    let value = tokens.get(at + 1)?.start;
    let end = value + default.text.len();
    if clause.get(value..end) != Some(default.text.as_str()) {
        return None;
    }
    // The space in front goes, too.
    let from = clause[..word.start].trim_end().len();
    let offset = |inside: usize| step.effect.at.start + u32::try_from(inside).unwrap_or(u32::MAX);
    Some(vec![
        Edit::replace(
            Span {
                start: offset(from),
                end: offset(end),
            },
            "",
        ),
        Edit::insert(
            step.effect.at.end,
            format!(", ALTER COLUMN {} SET DEFAULT {}", name.text, default.text),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, token uuid);";
    const OWN: &str = "with a default that each row gets a value of its own from: the table is written anew, and \
    nobody can read or write it meanwhile";

    #[test]
    fn each_row_gets_its_own_value() {
        let rule = postgres(&RULE);
        rule.reports(
            USERS,
            "ALTER TABLE users ADD key uuid DEFAULT gen_random_uuid();",
            Medium,
            &format!("adds users.key {OWN}"),
        );
        rule.reports(
            USERS,
            "ALTER TABLE \"public\".\"users\" ADD COLUMN \"sortKey\" double precision NOT NULL DEFAULT random() * 10;",
            Medium,
            &format!("adds users.sortKey {OWN}"),
        );
        rule.reports(
            "",
            "ALTER TABLE users ADD COLUMN IF NOT EXISTS seen timestamptz DEFAULT clock_timestamp();",
            Medium,
            &format!("adds users.seen {OWN}"),
        );
        rule.reports(
            USERS,
            "ALTER TABLE users ADD key text DEFAULT cuid();",
            Medium,
            "adds users.key with a default that calls a function which is volatile unless declared otherwise: the \
             table is written anew, and nobody can read or write it meanwhile",
        );
        let large = rule.on(USERS).rows("users", 2_000_000);
        let message = "adds users.key with a default that each row gets a value of its own from: the table with about \
                       2,000,000 rows is written anew, and nobody can read or write it meanwhile";
        assert_reports(
            &large,
            "ALTER TABLE users ADD key uuid DEFAULT uuid_generate_v4();",
            High,
            message,
        );
    }

    #[test]
    fn one_value_for_all_or_no_rows() {
        let rule = postgres(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD at timestamptz NOT NULL DEFAULT now(), ADD n int DEFAULT 1 + 1;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;",
        );
        rule.ignores(USERS, "ALTER TABLE users ALTER token SET DEFAULT gen_random_uuid();");
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN IF NOT EXISTS token uuid DEFAULT gen_random_uuid();",
        );
        rule.ignores(
            "",
            "CREATE TABLE t (id int); ALTER TABLE t ADD key uuid DEFAULT gen_random_uuid();",
        );
        assert_ignores(
            &rule.on(USERS).rows("users", 12),
            "ALTER TABLE users ADD key uuid DEFAULT gen_random_uuid();",
        );
        let pending = rule.on(USERS).pending("CREATE TABLE t (id int);");
        assert_ignores(&pending, "ALTER TABLE t ADD key uuid DEFAULT gen_random_uuid();");
    }

    #[test]
    fn the_suggested_text_is_not_reported() {
        let script = "ALTER TABLE users ADD COLUMN \"Key\" uuid DEFAULT gen_random_uuid() UNIQUE, ADD b int;";
        let mut findings = postgres(&RULE).on(USERS).check(script);
        let suggestion = findings.remove(0).suggestions.remove(0);
        let mut text = script.to_owned();
        for edit in suggestion.edits.iter().rev() {
            text.replace_range(edit.at.start as usize..edit.at.end as usize, &edit.text);
        }
        assert_eq!(
            text,
            "ALTER TABLE users ADD COLUMN \"Key\" uuid UNIQUE, ALTER COLUMN \"Key\" SET DEFAULT gen_random_uuid(), ADD \
             b int;"
        );
        postgres(&RULE).ignores(USERS, &text);
    }
}
