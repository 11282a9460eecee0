//! `table-comment`: a table that nothing is said about.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

use super::created_tables;

pub(super) const RULE: Rule = Rule {
    id: "table-comment",
    summary: "a table without a comment",
    severity: Severity::Low,
    enabled: false,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports a table that the migration makes without a `COMMENT ON TABLE` for it.

**Why it matters.** The comment is the only documentation that everybody finds who looks at the database: in `psql`, in reporting \
tools, in the data catalog.

**Instead.** Say in one sentence what a row of the table is.",
    bad: "CREATE TABLE visits (id bigint PRIMARY KEY);",
    good: "CREATE TABLE visits (id bigint PRIMARY KEY);\nCOMMENT ON TABLE visits IS 'One page seen by one visitor';",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, created) in created_tables(context) {
        let commented = context.steps_after(&step).any(|later| match &later.effect.operation {
            Operation::Comment(comment) => {
                comment.kind == ObjectKind::Table
                    && comment.member.is_none()
                    && comment.text.as_ref().is_some_and(|text| !text.trim().is_empty())
                    && context.same(ObjectKind::Table, &comment.name, &created.name)
            }
            // Whoever renames it may comment on it under the other name; it is not followed.
            Operation::Rename(rename) => {
                rename.kind == ObjectKind::Table && context.same(ObjectKind::Table, &rename.from, &created.name)
            }
            Operation::Drop(dropped) => {
                dropped.kind == ObjectKind::Table && context.same(ObjectKind::Table, &dropped.name, &created.name)
            }
            _ => false,
        });
        if !commented {
            let name = created.name.short();
            let message = format!("{} the table {name} without a comment", step.verb("makes", "make"));
            findings
                .report(&step, message)
                .help("add COMMENT ON TABLE … IS 'what a row of it is'");
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::postgres;

    #[test]
    fn tables_without_a_word_are_reported() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "CREATE TABLE a (b int);",
            Low,
            "makes the table a without a comment",
        );
        rule.reports(
            "",
            "CREATE TABLE app.a (b int); COMMENT ON COLUMN app.a.b IS 'x';",
            Low,
            "makes the table app.a without a comment",
        );
        rule.reports(
            "",
            "CREATE TABLE \"A\" (b int); CREATE TABLE a (b int); COMMENT ON TABLE a IS 'x';",
            Low,
            "makes the table A without a comment",
        );
        rule.reports(
            "",
            "CREATE TABLE a (b int); COMMENT ON TABLE a IS '';",
            Low,
            "makes the table a without a comment",
        );
    }

    #[test]
    fn a_comment_is_enough() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE a (b int); COMMENT ON TABLE a IS 'x';");
        rule.ignores(
            "",
            "CREATE TABLE \"A\" (b int); COMMENT ON TABLE \"public\".\"A\" IS 'x';",
        );
        rule.ignores("", "CREATE TEMP TABLE a (b int);");
        rule.ignores("", "CREATE TABLE a (b int); DROP TABLE a;");
        rule.ignores("CREATE TABLE a (b int);", "ALTER TABLE a ADD c int;");
    }

    #[test]
    fn partitions_have_their_parents() {
        postgres(&RULE).ignores(
            "CREATE TABLE a (id int) PARTITION BY RANGE (id);",
            "CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (9);",
        );
    }
}
