//! `column-order`: where the columns of a new table stand.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ConstraintKind, CreatedTable, Severity};

use super::created_tables;
use crate::columns::name_at;
use crate::settings::{self, Settings};

pub(super) const RULE: Rule = Rule {
    id: "column-order",
    summary: "a new table's columns out of the usual order",
    severity: Severity::Low,
    enabled: false,
    explanation: "\
**What it does.** Reports a new table whose columns do not stand in the usual order: the primary key, then the columns of the setting \
`first_columns`, then all others, and at the end those of `last_columns` (`created_at`, `updated_at`, `deleted_at` unless it says \
others). `createdAt` is the same column as `created_at` here.

**Why it matters.** Whoever looks at many tables finds the same things in the same places. Columns can be put in order only while the \
table is made: later ones go to the end.

**Instead.** Put the columns in this order.",
    bad: "CREATE TABLE users (created_at timestamptz NOT NULL, id bigint PRIMARY KEY, name text);",
    good: "CREATE TABLE users (id bigint PRIMARY KEY, name text, created_at timestamptz NOT NULL);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let settings = settings::of(context);
    for (step, created) in created_tables(context) {
        let names: Vec<&str> = created.columns.iter().map(|column| column.name.as_str()).collect();
        let mut wanted = names.clone();
        let key = primary_key(context, created);
        wanted.sort_by_key(|name| place(&settings, &key, name));
        let Some(at) = (0..names.len()).find(|&at| names[at] != wanted[at]) else {
            continue;
        };
        // The column that is too far ahead, or the one that should be here: whichever moves alone.
        let message = format!(
            "the columns of {} are out of order: {} should stand {}",
            created.name.short(),
            wanted[at],
            match at {
                0 => "first".to_owned(),
                _ => format!("after {}", wanted[at - 1]),
            }
        );
        let place = name_at(context, step.effect.at, wanted[at]).unwrap_or(step.effect.at);
        findings
            .report_at(step.statement.index, place, message)
            .help(format!("the usual order: {}", wanted.join(", ")));
    }
}

/// The key's columns in its own order.
fn primary_key(context: &Context<'_>, created: &CreatedTable) -> Vec<String> {
    let written = created
        .constraints
        .iter()
        .find(|constraint| constraint.kind == ConstraintKind::PrimaryKey);
    match written {
        Some(constraint) => constraint.columns.clone(),
        None => context
            .after
            .relation(&created.name)
            .map(|table| table.primary_key().to_vec())
            .unwrap_or_default(),
    }
}

/// Which group a column belongs to, and its place in it.
fn place(settings: &Settings, key: &[String], name: &str) -> (u8, usize) {
    let same = |listed: &String| folded(listed) == folded(name);
    if let Some(at) = key.iter().position(|column| column.eq_ignore_ascii_case(name)) {
        return (0, at);
    }
    if let Some(at) = settings.first_columns.iter().position(same) {
        return (1, at);
    }
    match settings.last_columns.iter().position(same) {
        Some(at) => (3, at),
        None => (2, 0),
    }
}

/// `createdAt`, `CREATED_AT` and `created_at` alike.
fn folded(name: &str) -> String {
    name.chars()
        .filter(|letter| *letter != '_')
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    #[test]
    fn the_first_that_is_out_of_place_is_named() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (name text, id int PRIMARY KEY);",
            Low,
            "the columns of a are out of order: id should stand first",
        );
        rule.reports(
            "",
            "CREATE TABLE app.\"A\" (\"id\" TEXT NOT NULL, \"createdAt\" TIMESTAMP(3), \"name\" TEXT, CONSTRAINT \"A_pkey\" PRIMARY KEY (\"id\"));",
            Low,
            "the columns of app.A are out of order: name should stand after id",
        );
        rule.reports(
            "",
            "CREATE TABLE a (y int, x int, PRIMARY KEY (x, y));",
            Low,
            "the columns of a are out of order: x should stand first",
        );
        sqlite(&RULE).reports(
            "",
            "CREATE TABLE a (name TEXT, ID INTEGER PRIMARY KEY);",
            Low,
            "the columns of a are out of order: ID should stand first",
        );
    }

    #[test]
    fn the_usual_order_is_fine() {
        let rule = postgres(&RULE);
        rule.ignores(
            "",
            "CREATE TABLE a (id int PRIMARY KEY, b int, a int, created_at date, updated_at date);",
        );
        rule.ignores("", "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y));");
        rule.ignores(
            "",
            "CREATE TABLE a (id int, b int); ALTER TABLE a ADD PRIMARY KEY (id);",
        );
        rule.ignores("CREATE TABLE a (b int);", "ALTER TABLE a ADD id int PRIMARY KEY;");
        rule.ignores("", "CREATE TEMP TABLE a (b int, id int PRIMARY KEY);");
    }

    #[test]
    fn a_team_has_its_own_order() {
        let settings = serde_json::json!({"first_columns": ["tenant_id"], "last_columns": ["notes"]});
        let test = postgres(&RULE).on("").settings(settings);
        assert_ignores(
            &test,
            "CREATE TABLE a (id int PRIMARY KEY, \"tenantId\" int, created_at date, x int, notes text);",
        );
        assert_reports(
            &test,
            "CREATE TABLE a (id int PRIMARY KEY, x int, tenant_id int);",
            Low,
            "the columns of a are out of order: tenant_id should stand after id",
        );
    }
}
