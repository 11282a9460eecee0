//! `forbidden-types`: types that the team has ruled out.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Severity};

use super::is;
use crate::columns::declared;
use crate::settings;
use crate::types::Pattern;

pub(super) const RULE: Rule = Rule {
    id: "forbidden-types",
    summary: "a type that the team has ruled out",
    severity: Severity::Medium,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports columns of a type in the setting `forbidden_types`, a table from types to what should be written instead. \
Without the setting: `char`, `money` and `timetz`. A type without a modifier means it with any, and arrays of it; `*` stands for any \
characters, so that `\"*[]\"` forbids arrays.

**Why it matters.** A team that has been bitten by a type once does not want to explain it in every review.

**Instead.** What the setting says.",
    bad: "CREATE TABLE orders (id bigint PRIMARY KEY, total money);",
    good: "CREATE TABLE orders (id bigint PRIMARY KEY, total numeric(19, 4));",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let settings = settings::of(context);
    let forbidden: Vec<(Pattern, &String)> = settings
        .forbidden_types
        .iter()
        .filter_map(|(name, instead)| Some((Pattern::parse(name).ok()?, instead)))
        .collect();
    for column in declared(context) {
        let Some((_, instead)) = forbidden.iter().find(|(pattern, _)| pattern.fits(column.data_type)) else {
            continue;
        };
        let message = format!(
            "{} {} {}, which is a forbidden type",
            column.shown(),
            is(&column),
            column.data_type
        );
        let finding = findings.report_at(column.step.statement.index, column.at, message);
        if instead.is_empty() {
            finding.help("the setting forbidden_types rules it out");
        } else {
            finding.help(format!("use {instead}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    #[test]
    fn the_worst_are_reported_without_settings() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (b char(3));",
            Medium,
            "a.b is character(3), which is a forbidden type",
        );
        rule.reports(
            "",
            "ALTER TABLE \"A\" ADD \"at\" time with time zone;",
            Medium,
            "A.at is time with time zone, which is a forbidden type",
        );
        rule.reports(
            "CREATE TABLE a (b numeric);",
            "ALTER TABLE a ALTER b TYPE money;",
            Medium,
            "a.b becomes money, which is a forbidden type",
        );
    }

    #[test]
    fn others_are_not() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (b varchar(3), c time, d numeric, e \"char\");");
        rule.ignores("CREATE TABLE a (b money);", "ALTER TABLE a DROP COLUMN b;");
        rule.ignores("", "CREATE TABLE money (money int);");
    }

    #[test]
    fn a_team_says_what_and_why() {
        let settings = serde_json::json!({"forbidden_types": {"json": "jsonb", "*[]": ""}});
        let test = postgres(&RULE).on("").settings(settings);
        assert_ignores(&test, "CREATE TABLE a (b money, c jsonb);");
        assert_reports(
            &test,
            "CREATE TABLE a (b text[]);",
            Medium,
            "a.b is text[], which is a forbidden type",
        );
        let findings = test.check("CREATE TABLE a (b json);");
        assert_eq!(findings[0].help.as_deref(), Some("use jsonb"));
    }
}
