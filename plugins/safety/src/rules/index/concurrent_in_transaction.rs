//! `concurrent-in-transaction`: a statement that the server refuses inside a transaction stands in one.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, Operation, Severity, Statement, Suggestion};

use super::words;
use crate::transactions::{Transactions, Wanted, control};
use crate::{details, sql};

pub(super) const RULE: Rule = Rule {
    id: "concurrent-in-transaction",
    summary: "CONCURRENTLY between BEGIN and COMMIT, or in a DO block, is refused by the server",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports statements that cannot run inside a transaction (CREATE, DROP and REINDEX CONCURRENTLY, DETACH PARTITION \
CONCURRENTLY, VACUUM, …) between the file's own BEGIN and COMMIT, in a DO block, or in a file that says \
`tollgate:transaction on`.

**Why it matters.** The server refuses them there: the migration fails each time.

**Instead.** Take BEGIN and COMMIT out. Without them such a statement runs by itself, and the statements around it in \
transactions of their own. A migration of its own is better still.",
    bad: "BEGIN;\nCREATE INDEX CONCURRENTLY users_email_idx ON users (email);\nCOMMIT;",
    good: "CREATE INDEX CONCURRENTLY users_email_idx ON users (email);",
    also: &["not-idempotent-outside-transaction"],
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let transactions = Transactions::of(context);
    let statements = context.migration.statements();
    let mut suggested = None;
    for statement in statements.iter().filter(|statement| !statement.transactional) {
        let what = words(statement);
        if let Some(begin) = transactions.begin_of(statement) {
            let message = format!("runs {what} between BEGIN and COMMIT, where the server refuses it");
            let finding = findings.report_at(statement.index, statement.span, message);
            finding.help("take BEGIN and COMMIT out, or move the statement to a migration of its own");
            if let Some(begin_statement) = statements.get(begin as usize) {
                finding.label(begin_statement.span, "the transaction begins here");
            }
            if suggested != Some(begin) {
                suggested = Some(begin);
                finding.suggestions.extend(suggestion(context, &transactions, begin));
            }
        } else if transactions.wanted == Some(Wanted::Whole) {
            let message = format!("runs {what} in a file that wants one transaction, where the server refuses it");
            findings
                .report_at(statement.index, statement.span, message)
                .help("take tollgate:transaction on out, or move the statement to a migration of its own");
        }
    }
    for step in context.steps().filter(|step| step.effect.conditional) {
        if let Some(what) = concurrently(&step) {
            findings
                .report(
                    &step,
                    format!("runs {what} in a block of code, where the server refuses it"),
                )
                .help("write it as a statement of its own");
        }
    }
}

/// What a block of code does CONCURRENTLY.
fn concurrently(step: &Step<'_>) -> Option<&'static str> {
    match &step.effect.operation {
        Operation::CreateIndex(index) if index.concurrently => Some("CREATE INDEX CONCURRENTLY"),
        Operation::Drop(dropped) if dropped.concurrently => Some("DROP INDEX CONCURRENTLY"),
        Operation::DetachPartition(partition) if partition.concurrently => Some("DETACH PARTITION CONCURRENTLY"),
        Operation::Other(other) if other.tag == "reindex" && details::flag(other, "concurrently") => {
            Some("REINDEX CONCURRENTLY")
        }
        _ => None,
    }
}

/// Takes BEGIN and its end out. Where nothing else stood between them, there is nothing to think about.
fn suggestion(context: &Context<'_>, transactions: &Transactions<'_>, begin: u32) -> Option<Suggestion> {
    let held: Vec<&Statement> = context
        .migration
        .statements()
        .iter()
        .filter(|statement| transactions.begin_of(statement) == Some(begin))
        .collect();
    let [first, inside @ .., last] = held.as_slice() else {
        return None;
    };
    if control(last) != Some("commit") {
        return None;
    }
    let edits: Vec<Edit> = vec![sql::remove(context, first), sql::remove(context, last)];
    let title = "take BEGIN and COMMIT out";
    Some(if inside.iter().all(|statement| !statement.transactional) {
        Suggestion::automatic(title, edits)
    } else {
        Suggestion::manual(title, edits)
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;

    use super::RULE;
    use crate::judge::{fixed, postgres};

    #[test]
    fn the_server_refuses_it() {
        let rule = postgres(&RULE);
        let message = "runs CREATE INDEX CONCURRENTLY between BEGIN and COMMIT, where the server refuses it";
        for script in [
            "-- CreateIndex\nBEGIN;\nCREATE INDEX CONCURRENTLY i ON users (email);\nCOMMIT;",
            "/* why */ START TRANSACTION; SELECT 1; CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON \"a\".\"b\" (c); END;",
            "CREATE TABLE t (a int); BEGIN; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT; DROP INDEX CONCURRENTLY j;",
        ] {
            rule.reports("", script, High, message);
        }
        let message = "runs DROP INDEX CONCURRENTLY between BEGIN and COMMIT, where the server refuses it";
        rule.reports("", "BEGIN; DROP INDEX CONCURRENTLY i; COMMIT;", High, message);
        let message = "runs REINDEX CONCURRENTLY between BEGIN and COMMIT, where the server refuses it";
        rule.reports("", "BEGIN; REINDEX TABLE CONCURRENTLY t; COMMIT;", High, message);
        let message = "runs VACUUM between BEGIN and COMMIT, where the server refuses it";
        rule.reports("", "BEGIN; VACUUM t; COMMIT;", High, message);
        let message =
            "runs CREATE INDEX CONCURRENTLY in a file that wants one transaction, where the server refuses it";
        let script = "-- tollgate:transaction on\nCREATE INDEX CONCURRENTLY i ON t (a);";
        rule.reports("", script, High, message);
        let message = "runs CREATE INDEX CONCURRENTLY in a block of code, where the server refuses it";
        let script = "DO $$ BEGIN CREATE INDEX CONCURRENTLY i ON t (a); END $$;";
        rule.reports("", script, High, message);
    }

    #[test]
    fn it_runs_by_itself() {
        let rule = postgres(&RULE);
        for script in [
            "CREATE INDEX CONCURRENTLY i ON t (a);",
            "CREATE TABLE t (a int); CREATE INDEX CONCURRENTLY i ON t (a); DROP TABLE u;",
            "BEGIN; CREATE TABLE t (a int); COMMIT; CREATE INDEX CONCURRENTLY i ON t (a);",
            "-- tollgate:transaction off\nCREATE INDEX CONCURRENTLY i ON t (a);",
            "BEGIN; CREATE INDEX i ON t (a); REFRESH MATERIALIZED VIEW CONCURRENTLY v; ANALYZE t; COMMIT;",
        ] {
            rule.ignores("", script);
        }
    }

    #[test]
    fn the_transaction_can_be_taken_out() {
        let test = postgres(&RULE).on("");
        for (script, expected) in [
            (
                "-- a\nBEGIN;\nDROP INDEX CONCURRENTLY i;\nCREATE INDEX CONCURRENTLY i ON t (a);\nCOMMIT;\n",
                "-- a\nDROP INDEX CONCURRENTLY i;\nCREATE INDEX CONCURRENTLY i ON t (a);\n",
            ),
            ("BEGIN; SELECT 1; VACUUM t; COMMIT", " SELECT 1; VACUUM t; "),
        ] {
            let script = script.to_owned();
            if script.contains("SELECT") {
                let findings = test.check(&script);
                assert!(findings.iter().all(|finding| {
                    finding
                        .suggestions
                        .iter()
                        .all(|suggestion| suggestion.applicability == tollgate_plugin::Applicability::Manual)
                }));
            } else {
                assert_eq!(fixed(&test, &script).as_deref(), Some(expected));
            }
        }
        assert_eq!(fixed(&test, "BEGIN; VACUUM t; ROLLBACK;"), None);
    }
}
