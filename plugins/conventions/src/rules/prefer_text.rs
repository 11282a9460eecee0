//! `prefer-text`: a length in the type of a text.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Severity};

use super::{Verdict, is, judge_types};
use crate::types;

pub(super) const RULE: Rule = Rule {
    id: "prefer-text",
    summary: "varchar where text would do",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports columns of the type `varchar`, with a length or without.

**Why it matters.** In PostgreSQL `varchar(n)` is stored like `text` and is no faster; the length only makes inserts fail. It is \
rarely a rule of the business, and changing it later needs a lock on the table (making it longer) or a scan of it (shorter).

**Instead.** Write `text`. Where a limit is meant, say so with a `CHECK (length(name) <= 200)`, which can be changed without \
touching the type.",
    bad: "CREATE TABLE users (id bigint PRIMARY KEY, name varchar(255) NOT NULL);",
    good: "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL CHECK (length(name) <= 255));",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let help = "write text, and a CHECK on the length where a limit is meant";
    judge_types(context, findings, help, |column| {
        let parts = types::parts(column.data_type);
        (parts.name == "character varying").then(|| Verdict {
            message: format!("{} {} {}, not text", column.shown(), is(column), column.data_type),
            instead: Some(format!("text{}", parts.dimensions)),
            // Without a length the two differ in nothing but the name.
            automatic: parts.modifier.is_empty() && column.definition.is_some(),
        })
    });
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Applicability::{Automatic, Manual};
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    #[test]
    fn every_spelling_is_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (b VARCHAR(20));",
            Low,
            "a.b is character varying(20), not text",
        );
        rule.reports(
            "",
            "ALTER TABLE app.\"My\" ADD COLUMN IF NOT EXISTS \"b c\" character varying;",
            Low,
            "app.My.b c is character varying, not text",
        );
        rule.reports(
            "CREATE TABLE a (b text);",
            "ALTER TABLE a ALTER b TYPE varchar(9)[] USING ARRAY[b];",
            Low,
            "a.b becomes character varying(9)[], not text",
        );
    }

    #[test]
    fn other_types_are_not() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (b text, c citext, \"varchar\" int);");
        rule.ignores("", "CREATE TEMP TABLE a (b varchar(20));");
        rule.ignores("CREATE TABLE a (b varchar(20));", "ALTER TABLE a ALTER b TYPE text;");
        rule.ignores("", "-- varchar(20)\nCREATE TABLE a (b text DEFAULT 'varchar(20)');");
    }

    #[test]
    fn only_what_changes_nothing_is_automatic() {
        let script = "CREATE TABLE a (x int, b varchar NOT NULL, c varchar(9) DEFAULT 'x');";
        assert_eq!(
            fixed(&RULE, script, Automatic),
            "CREATE TABLE a (x int, b text NOT NULL, c varchar(9) DEFAULT 'x');"
        );
        assert_eq!(
            fixed(&RULE, script, Manual),
            "CREATE TABLE a (x int, b varchar NOT NULL, c text DEFAULT 'x');"
        );
        assert_eq!(
            fixed(
                &RULE,
                "ALTER TABLE a ALTER COLUMN type SET DATA TYPE varchar(3);",
                Manual
            ),
            "ALTER TABLE a ALTER COLUMN type SET DATA TYPE text;"
        );
    }
}
