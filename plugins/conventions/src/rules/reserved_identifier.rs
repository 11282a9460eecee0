//! `reserved-identifier`: names that are words of SQL.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Severity};

use crate::keywords::{Place, is_reserved};
use crate::names::given;
use crate::settings;

pub(super) const RULE: Rule = Rule {
    id: "reserved-identifier",
    summary: "a name that is a reserved word",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres, Dialect::Sqlite],
    explanation: "\
**What it does.** Reports tables, columns, types, functions and the like that get a name which the server reserves, such as `user` or \
`order`, and the words of the setting `reserved_words`. PostgreSQL's words are those of its grammar (version 18), by what is named; \
SQLite's are the keywords that its grammar does not take as names.

**Why it matters.** The name has to be written in quotes in every query, by everybody. Where the quotes are forgotten it is an error \
or, worse, something else: `SELECT * FROM user` gives the name of the current role.

**Instead.** Choose another word: `users`, `orders`, `member`.",
    bad: "CREATE TABLE \"user\" (id bigint PRIMARY KEY);",
    good: "CREATE TABLE users (id bigint PRIMARY KEY);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let settings = settings::of(context);
    for named in given(context) {
        let place = match named.kind {
            ObjectKind::Extension | ObjectKind::Role | ObjectKind::Other => continue,
            ObjectKind::Function
            | ObjectKind::Procedure
            | ObjectKind::Aggregate
            | ObjectKind::Type
            | ObjectKind::Domain => Place::TypeOrFunction,
            _ => Place::Relation,
        };
        let of_team = settings
            .reserved_words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(named.name));
        let reserved = is_reserved(context.dialect(), place, named.name);
        if !reserved && !of_team {
            continue;
        }
        let message = if reserved {
            format!(
                "the name of {} is a reserved word of {}",
                named.shown,
                context.dialect()
            )
        } else {
            format!("the name of {} is one of the team's reserved words", named.shown)
        };
        findings
            .report_at(named.step.statement.index, named.at, message)
            .help("choose another word: this one has to be quoted in every query");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    #[test]
    fn words_of_the_server_are_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE app.\"user\" (id int);",
            Low,
            "the name of the table app.user is a reserved word of PostgreSQL",
        );
        rule.reports(
            "",
            "CREATE TABLE items (id int, \"order\" int);",
            Low,
            "the name of the column items.order is a reserved word of PostgreSQL",
        );
        rule.reports(
            "",
            "ALTER TABLE items RENAME COLUMN position TO \"desc\";",
            Low,
            "the name of the column items.desc is a reserved word of PostgreSQL",
        );
        rule.reports(
            "",
            "CREATE TYPE \"values\" AS ENUM ('a');",
            Low,
            "the name of the type values is a reserved word of PostgreSQL",
        );
        sqlite(&RULE).reports(
            "",
            "CREATE TABLE [Order] (id INTEGER);",
            Low,
            "the name of the table Order is a reserved word of SQLite",
        );
    }

    #[test]
    fn other_names_are_not() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "CREATE TABLE users (id int, values int, \"name\" text, \"type\" text);",
        );
        rule.ignores("", "CREATE TABLE \"User\" (id int);");
        rule.ignores("CREATE TABLE a (b int);", "ALTER TABLE a ALTER b SET DEFAULT 1;");
        rule.ignores("", "CREATE TEMP TABLE \"user\" (id int);");
        sqlite(&RULE).ignores("", "CREATE TABLE user (key TEXT);");
    }

    #[test]
    fn a_team_may_reserve_more() {
        let test = postgres(&RULE)
            .on("")
            .settings(serde_json::json!({"reserved_words": ["Tenant"]}));
        assert_reports(
            &test,
            "CREATE TABLE tenant (id int);",
            Low,
            "the name of the table tenant is one of the team's reserved words",
        );
        assert_ignores(&test, "CREATE TABLE tenants (id int);");
    }

    #[test]
    fn the_name_itself_is_pointed_at() {
        let script = "CREATE TABLE a (b int, \"user\" text NOT NULL);";
        let findings = postgres(&RULE).on("").check(script);
        assert_eq!(findings[0].at.map(|at| at.of(script)), Some("\"user\" text NOT NULL"));
    }
}
