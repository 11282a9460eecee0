//! `prefer-jsonb`: documents kept as text.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Severity};

use super::{Verdict, is, judge_types};
use crate::types;

pub(super) const RULE: Rule = Rule {
    id: "prefer-jsonb",
    summary: "json instead of jsonb",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports columns of the type `json`.

**Why it matters.** `json` keeps the text as it came: it is parsed at each access, cannot be indexed, and has no equality, so that \
`SELECT DISTINCT`, `UNION` and `GROUP BY` over it fail.

**Instead.** Write `jsonb`, unless the exact text (order and repetition of keys, white space) has to come back.",
    bad: "ALTER TABLE events ADD COLUMN payload json;",
    good: "ALTER TABLE events ADD COLUMN payload jsonb;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let help = "write jsonb, unless the exact text has to come back";
    judge_types(context, findings, help, |column| {
        let parts = types::parts(column.data_type);
        (parts.name == "json").then(|| Verdict {
            message: format!("{} {} json, not jsonb", column.shown(), is(column)),
            instead: Some(format!("jsonb{}", parts.dimensions)),
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
    fn text_is_reported() {
        let rule = postgres(&RULE);
        rule.reports("", "CREATE TABLE a (b JSON);", Low, "a.b is json, not jsonb");
        rule.reports(
            "",
            "ALTER TABLE \"s\".\"A\" ADD \"json\" json[] NOT NULL DEFAULT '{}';",
            Low,
            "s.A.json is json, not jsonb",
        );
        rule.reports(
            "CREATE TABLE a (b text);",
            "ALTER TABLE a ALTER b SET DATA TYPE json USING b::json;",
            Low,
            "a.b becomes json, not jsonb",
        );
    }

    #[test]
    fn documents_are_not() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (json jsonb);");
        rule.ignores(
            "CREATE TABLE a (b json);",
            "ALTER TABLE a ALTER b TYPE jsonb USING b::jsonb;",
        );
        rule.ignores("", "INSERT INTO a (b) VALUES ('{}'::json);");
    }

    #[test]
    fn arrays_stay_arrays() {
        assert_eq!(
            fixed(&RULE, "CREATE TABLE a (json json[] NOT NULL);", Manual),
            "CREATE TABLE a (json jsonb[] NOT NULL);"
        );
    }
}
