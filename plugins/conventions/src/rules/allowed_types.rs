//! `allowed-types`: types outside the team's list.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, ObjectName, Severity};

use super::{Verdict, is, judge_types};
use crate::settings;
use crate::types::{self, Pattern};

pub(super) const RULE: Rule = Rule {
    id: "allowed-types",
    summary: "a type outside the team's list",
    severity: Severity::Medium,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports columns of a type that is not in the setting `allowed_types`. Enums, domains and other types that the \
project makes itself are always allowed. `numeric` in the list means any `numeric` and arrays of it, `numeric(10,2)` only that one; \
`*` stands for any characters.

**Why it matters.** Each further type is one more that drivers, exports and the people who read the schema have to know.

**Instead.** Use one of the list, or have the type added to it: then somebody has thought about it.",
    bad: "CREATE TABLE shops (id bigint PRIMARY KEY, place point);",
    good: "CREATE TYPE kind AS ENUM ('small', 'large');\n\
           CREATE TABLE shops (id bigint PRIMARY KEY, kind kind, latitude double precision, longitude double precision);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let settings = settings::of(context);
    let allowed: Vec<Pattern> = settings
        .allowed_types
        .iter()
        .filter_map(|name| Pattern::parse(name).ok())
        .collect();
    let help = "use a type of the list allowed_types, or have it added";
    judge_types(context, findings, help, |column| {
        let fits = allowed.iter().any(|pattern| pattern.fits(column.data_type));
        (!fits && !is_own(context, column.data_type)).then(|| Verdict {
            message: format!(
                "{} {} {}, which is not an allowed type",
                column.shown(),
                is(column),
                column.data_type
            ),
            instead: None,
            automatic: false,
        })
    });
}

/// The project makes the type itself. Whatever has a schema or capitals is no type of the server.
fn is_own(context: &Context<'_>, data_type: &str) -> bool {
    let name = types::parts(data_type).name;
    if name == "\"char\"" {
        return false;
    }
    let bare = |part: &str| part.trim_matches('"').replace("\"\"", "\"");
    let object = match name.rsplit_once('.') {
        Some(("pg_catalog", _)) => return false,
        Some((schema, name)) => ObjectName::qualified(bare(schema), bare(name)),
        None if name.starts_with('"') => return true,
        None => ObjectName::bare(bare(&name)),
    };
    [ObjectKind::Type, ObjectKind::Domain, ObjectKind::Table]
        .iter()
        .any(|kind| {
            context.after.exists(*kind, &object) == Some(true) || context.before.exists(*kind, &object) == Some(true)
        })
        || object.schema.is_some()
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres};

    #[test]
    fn types_outside_the_list_are_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (b xml);",
            Medium,
            "a.b is xml, which is not an allowed type",
        );
        rule.reports(
            "",
            "ALTER TABLE \"A\" ADD \"b\" timestamp(3);",
            Medium,
            "A.b is timestamp(3) without time zone, which is not an allowed type",
        );
        rule.reports(
            "CREATE TABLE a (b int);",
            "ALTER TABLE a ALTER b TYPE real[] USING ARRAY[b];",
            Medium,
            "a.b becomes real[], which is not an allowed type",
        );
        rule.reports(
            "",
            "CREATE TABLE a (b \"char\");",
            Medium,
            "a.b is \"char\", which is not an allowed type",
        );
    }

    #[test]
    fn the_usual_and_our_own_are_not() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "CREATE TABLE a (b text, c numeric(10,2)[], d timestamptz(3), e bigserial);",
        );
        rule.ignores(
            "CREATE TYPE \"Role\" AS ENUM ('a'); CREATE DOMAIN email AS text;",
            "CREATE TABLE a (b \"Role\", c email);",
        );
        rule.ignores("", "CREATE TABLE a (b app.mood, c \"Mood\"[]);");
        rule.ignores("", "CREATE TEMP TABLE a (b xml);");
    }

    #[test]
    fn a_team_has_its_own_list() {
        let test = postgres(&RULE)
            .on("")
            .settings(serde_json::json!({"allowed_types": ["varchar(*)", "numeric(10,2)"]}));
        assert_ignores(&test, "CREATE TABLE a (b varchar(20), c decimal(10, 2));");
        assert_reports(
            &test,
            "CREATE TABLE a (b varchar(20), c numeric(12, 2));",
            Medium,
            "a.c is numeric(12,2), which is not an allowed type",
        );
    }
}
