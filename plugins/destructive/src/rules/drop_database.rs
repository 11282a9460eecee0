//! `drop-database`: a whole database goes.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

pub(super) const RULE: Rule = Rule {
    id: "drop-database",
    summary: "DROP DATABASE loses a whole database",
    severity: Severity::High,
    dialects: &[Dialect::Postgres, Dialect::Mysql],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP DATABASE`.

**Why it matters.** Everything in the database is gone, at once and outside any transaction: not even a failed migration \
brings it back.

**Instead.** Databases are made and removed by whoever runs the server, not by a migration.",
    bad: "DROP DATABASE analytics;",
    good: "CREATE TABLE analytics (id int);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::Drop(dropped) = &step.effect.operation
            && dropped.kind == ObjectKind::Database
        {
            let message = format!(
                "{} the database {} with everything in it",
                step.verb("drops", "drop"),
                dropped.name
            );
            findings
                .report(&step, message)
                .help("leave databases to whoever runs the server");
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;

    use super::RULE;
    use crate::judge::postgres;

    #[test]
    fn a_database_goes() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP DATABASE shop;",
            High,
            "drops the database shop with everything in it",
        );
        rule.reports(
            "",
            "DROP DATABASE IF EXISTS \"Shop\";",
            High,
            "drops the database Shop with everything in it",
        );
        rule.reports(
            "CREATE TABLE a (id int);",
            "DROP DATABASE shop WITH (FORCE);",
            High,
            "drops the database shop with everything in it",
        );
    }

    #[test]
    fn names_alone_are_no_drop() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE database (id int);");
        rule.ignores("", "COMMENT ON TABLE a IS 'DROP DATABASE shop';");
        rule.ignores("", "ALTER DATABASE shop SET statement_timeout = '1s';");
    }
}
