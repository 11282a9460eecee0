//! `primary-key-missing`: a table whose rows cannot be told apart.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ConstraintKind, Severity};

use super::created_tables;

pub(super) const RULE: Rule = Rule {
    id: "primary-key-missing",
    summary: "a table without a primary key",
    severity: Severity::Medium,
    enabled: false,
    explanation: "\
**What it does.** Reports a table that the migration makes and that has no primary key when the migration has run. Temporary tables \
and partitions (which have the key of their parent) are left alone.

**Why it matters.** Rows cannot be named one by one: duplicates stay, an ORM cannot update them, and logical replication refuses \
UPDATE and DELETE on the table.

**Instead.** Declare a primary key. A table that joins two others has both of its columns as the key.",
    bad: "CREATE TABLE visits (user_id bigint NOT NULL, seen_at timestamptz NOT NULL);",
    good: "CREATE TABLE visits (user_id bigint NOT NULL, seen_at timestamptz NOT NULL, PRIMARY KEY (user_id, seen_at));",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, created) in created_tables(context) {
        let written = created
            .constraints
            .iter()
            .any(|constraint| constraint.kind == ConstraintKind::PrimaryKey);
        let Some(table) = context.after.relation(&created.name) else {
            // Dropped or renamed again, or not to be followed.
            continue;
        };
        // What a query makes has columns that are not known, but never a key.
        let unknown = table.uncertain && !created.from_query;
        if written || unknown || !table.primary_key().is_empty() {
            continue;
        }
        let message = format!(
            "{} the table {} without a primary key",
            step.verb("makes", "make"),
            created.name.short()
        );
        findings
            .report(&step, message)
            .help("declare one: `PRIMARY KEY (…)` over the columns that name a row");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    #[test]
    fn rows_without_a_name_are_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (b int UNIQUE NOT NULL);",
            Medium,
            "makes the table a without a primary key",
        );
        rule.reports(
            "CREATE TABLE a (id int PRIMARY KEY);",
            "CREATE TABLE app.\"Copy\" AS SELECT * FROM a;",
            Medium,
            "makes the table app.Copy without a primary key",
        );
        rule.reports(
            "",
            "CREATE TABLE a (id int) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (9);",
            Medium,
            "makes the table a without a primary key",
        );
        sqlite(&RULE).reports(
            "",
            "CREATE TABLE a (b INTEGER);",
            Medium,
            "makes the table a without a primary key",
        );
    }

    #[test]
    fn a_key_may_come_later() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (id int); ALTER TABLE a ADD PRIMARY KEY (id);");
        rule.ignores(
            "",
            "CREATE TABLE a (id int NOT NULL); CREATE UNIQUE INDEX i ON a (id); ALTER TABLE a ADD PRIMARY KEY USING INDEX i;",
        );
        rule.ignores(
            "",
            "CREATE TABLE \"A\" (\"id\" TEXT NOT NULL, CONSTRAINT \"A_pkey\" PRIMARY KEY (\"id\"));",
        );
        sqlite(&RULE).ignores("", "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT);");
    }

    #[test]
    fn tables_that_do_not_stay_need_none() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TEMP TABLE a (b int);");
        rule.ignores("", "CREATE TABLE a (b int); DROP TABLE a;");
        rule.ignores("", "CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY);");
    }
}
