//! `drop-view`: a view goes.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, ObjectKind, Severity};

pub(super) const RULE: Rule = Rule {
    id: "drop-view",
    summary: "DROP VIEW breaks what reads it",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres, Dialect::Sqlite, Dialect::Mysql],
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP VIEW` and `DROP FOREIGN TABLE`. A view that the same migration makes again is not reported.

**Why it matters.** No rows are lost, but every query that reads the view fails from that moment on.

**Instead.** `CREATE OR REPLACE VIEW` where only the query changes. Otherwise deploy first without the code that reads it.",
    bad: "DROP VIEW active_users;",
    good: "DROP VIEW active_users;\nCREATE VIEW active_users AS SELECT id FROM users WHERE active;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    super::report_drops(
        context,
        findings,
        &[ObjectKind::View, ObjectKind::ForeignTable],
        "change it with CREATE OR REPLACE VIEW, or stop reading it first",
    );
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const NAMES: &str = "CREATE TABLE users (id int, name text); CREATE VIEW names AS SELECT name FROM users;";

    #[test]
    fn a_view_goes() {
        let rule = postgres(&RULE);
        rule.reports("", "DROP VIEW names;", Medium, "drops the view names");
        rule.reports(
            NAMES,
            "DROP VIEW IF EXISTS public.\"names\";",
            Medium,
            "drops the view names",
        );
        rule.reports(
            "CREATE VIEW a AS SELECT 1 AS x; CREATE VIEW b AS SELECT x FROM a;",
            "DROP VIEW a CASCADE;",
            Medium,
            "drops the view a, which the view b needs",
        );
        sqlite(&RULE).reports(NAMES, "DROP VIEW names;", Medium, "drops the view names");
    }

    #[test]
    fn a_view_that_is_made_again_or_new_is_no_loss() {
        let rule = postgres(&RULE);
        rule.ignores(
            NAMES,
            "DROP VIEW names; CREATE VIEW names AS SELECT id, name FROM users;",
        );
        rule.ignores("", "CREATE VIEW v AS SELECT 1; DROP VIEW v;");
        rule.ignores(NAMES, "DROP VIEW IF EXISTS other;");
        rule.ignores(
            NAMES,
            "CREATE OR REPLACE VIEW names AS SELECT name FROM users WHERE id > 3;",
        );
    }
}
