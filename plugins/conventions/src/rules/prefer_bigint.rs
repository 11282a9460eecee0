//! `prefer-bigint`: keys that can run out.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ConstraintKind, Dialect, Severity};

use super::{Verdict, is, judge_types};
use crate::columns::Declared;
use crate::settings::{self, BigintFor};
use crate::types;

pub(super) const RULE: Rule = Rule {
    id: "prefer-bigint",
    summary: "an integer key, which can run out",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports `integer` and `smallint` columns that are the whole primary key, are numbered by a sequence, or point at \
such a column. With the setting `bigint_for = \"all\"`: every column of these types.

**Why it matters.** `integer` ends at 2,147,483,647, and numbers are used up by failed inserts, too. Once it is reached, every \
insert fails, and the change to `bigint` rewrites the table, its indexes and everything that points at it under a lock.

**Instead.** Write `bigint`. It takes four bytes more, often none because of alignment.",
    bad: "CREATE TABLE events (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);",
    good: "CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let all = settings::of(context).bigint_for == BigintFor::All;
    let help = "write bigint: the change is dear once the table is large";
    judge_types(context, findings, help, |column| {
        let parts = types::parts(column.data_type);
        let (last, serial) = match parts.name.as_str() {
            "integer" => ("2,147,483,647", "bigserial"),
            "smallint" => ("32,767", "bigserial"),
            _ => return None,
        };
        let why = reason(context, column).or_else(|| all.then_some("column"))?;
        let instead = if column.is_serial() { serial } else { "bigint" };
        Some(Verdict {
            message: format!(
                "{} {} {} {why} of the type {}, which ends at {last}",
                column.shown(),
                is(column),
                if why.starts_with('i') { "an" } else { "a" },
                column.data_type
            ),
            instead: Some(format!("{instead}{}", parts.dimensions)),
            automatic: false,
        })
    });
}

/// What makes the column's values grow with the rows.
fn reason(context: &Context<'_>, column: &Declared<'_>) -> Option<&'static str> {
    if column.is_serial() {
        return Some("serial column");
    }
    if column
        .definition
        .is_some_and(|definition| definition.identity.is_some())
    {
        return Some("identity column");
    }
    let table = context.after.relation(column.table);
    let is_key = |columns: &[String]| columns == [column.name];
    let written = column
        .constraints
        .iter()
        .any(|constraint| constraint.kind == ConstraintKind::PrimaryKey && is_key(&constraint.columns));
    if written || table.as_ref().is_some_and(|table| is_key(table.primary_key())) {
        return Some("primary key");
    }
    let table = table?;
    let key = table
        .constraints
        .iter()
        .find(|constraint| constraint.kind == ConstraintKind::ForeignKey && is_key(&constraint.columns))?;
    // It has to have the type of what it points at.
    let target = context.after.relation(key.references.as_ref()?)?;
    let referenced = key
        .referenced_columns
        .first()
        .or_else(|| target.primary_key().first())
        .and_then(|name| target.column(name))?;
    (types::parts(&referenced.data_type).name == "bigint").then_some("foreign key to a bigint")
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Applicability::Manual;
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, fixed, postgres};

    #[test]
    fn keys_are_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (id int PRIMARY KEY, n int);",
            Low,
            "a.id is a primary key of the type integer, which ends at 2,147,483,647",
        );
        rule.reports(
            "",
            "CREATE TABLE \"A\" (\"id\" SERIAL NOT NULL, CONSTRAINT \"A_pkey\" PRIMARY KEY (\"id\"));",
            Low,
            "A.id is a serial column of the type integer, which ends at 2,147,483,647",
        );
        rule.reports(
            "",
            "CREATE TABLE app.a (id smallint GENERATED ALWAYS AS IDENTITY);",
            Low,
            "app.a.id is an identity column of the type smallint, which ends at 32,767",
        );
        rule.reports(
            "CREATE TABLE b (id bigint PRIMARY KEY);",
            "CREATE TABLE a (b_id integer REFERENCES b);",
            Low,
            "a.b_id is a foreign key to a bigint of the type integer, which ends at 2,147,483,647",
        );
        rule.reports(
            "CREATE TABLE a (id bigint PRIMARY KEY);",
            "ALTER TABLE a ALTER id TYPE int;",
            Low,
            "a.id becomes a primary key of the type integer, which ends at 2,147,483,647",
        );
    }

    #[test]
    fn what_does_not_grow_is_not() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (id bigint PRIMARY KEY, age smallint, stars int);");
        rule.ignores("", "CREATE TABLE a (id bigserial PRIMARY KEY);");
        rule.ignores(
            "CREATE TABLE b (id int PRIMARY KEY);",
            "CREATE TABLE a (b_id int REFERENCES b (id));",
        );
        rule.ignores("", "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y));");
    }

    #[test]
    fn a_team_may_want_all() {
        let test = postgres(&RULE).on("");
        assert_ignores(&test, "CREATE TABLE a (stars int);");
        let all = test.settings(serde_json::json!({"bigint_for": "all"}));
        assert_reports(
            &all,
            "CREATE TABLE a (stars int);",
            Low,
            "a.stars is a column of the type integer, which ends at 2,147,483,647",
        );
    }

    #[test]
    fn serial_stays_serial() {
        assert_eq!(
            fixed(&RULE, "CREATE TABLE a (id serial PRIMARY KEY);", Manual),
            "CREATE TABLE a (id bigserial PRIMARY KEY);"
        );
        assert_eq!(
            fixed(&RULE, "CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY);", Manual),
            "CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY);"
        );
    }
}
