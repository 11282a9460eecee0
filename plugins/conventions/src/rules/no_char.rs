//! `no-char`: texts that are filled up with blanks.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Severity};

use super::{Verdict, is, judge_types};
use crate::types;

pub(super) const RULE: Rule = Rule {
    id: "no-char",
    summary: "char(n), which fills up with blanks",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports columns of the type `char(n)`; `char` alone means `char(1)`.

**Why it matters.** Shorter texts are filled up with blanks, which take space and are ignored by some comparisons and not by others \
(`LIKE`, regular expressions, conversion to `text`). Longer ones are refused. In PostgreSQL the type is never faster.

**Instead.** Write `text`, with `CHECK (length(code) = 2)` where the length is a rule.",
    bad: "CREATE TABLE countries (id bigint PRIMARY KEY, code char(2) NOT NULL);",
    good: "CREATE TABLE countries (id bigint PRIMARY KEY, code text NOT NULL CHECK (length(code) = 2));",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let help = "write text, with a CHECK on the length where it is a rule";
    judge_types(context, findings, help, |column| {
        let parts = types::parts(column.data_type);
        (parts.name == "character").then(|| Verdict {
            message: format!(
                "{} {} {}, which fills up with blanks",
                column.shown(),
                is(column),
                column.data_type
            ),
            instead: Some(format!("text{}", parts.dimensions)),
            automatic: false,
        })
    });
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Applicability::Manual;
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    #[test]
    fn every_spelling_is_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (b CHAR(2));",
            Low,
            "a.b is character(2), which fills up with blanks",
        );
        rule.reports(
            "",
            "CREATE TABLE a (b char);",
            Low,
            "a.b is character(1), which fills up with blanks",
        );
        rule.reports(
            "",
            "ALTER TABLE s.a ADD COLUMN b national character (3);",
            Low,
            "s.a.b is character(3), which fills up with blanks",
        );
        rule.reports(
            "CREATE TABLE a (b text);",
            "ALTER TABLE a ALTER b TYPE bpchar(4);",
            Low,
            "a.b becomes character(4), which fills up with blanks",
        );
    }

    #[test]
    fn other_types_are_not() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (b varchar(2), c text, d \"char\");");
        rule.ignores("CREATE TABLE a (b char(2));", "ALTER TABLE a ALTER b TYPE text;");
        rule.ignores("", "CREATE TEMP TABLE a (b char(2));");
    }

    #[test]
    fn text_takes_its_place() {
        assert_eq!(
            fixed(&RULE, "CREATE TABLE a (b char (2) DEFAULT 'de', c int);", Manual),
            "CREATE TABLE a (b text DEFAULT 'de', c int);"
        );
    }
}
