//! `transaction-control-in-file`: a file's own BEGIN, COMMIT and ROLLBACK.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Edit, Severity, Span, Statement, Suggestion};

use crate::transactions::{self, Kind, Transaction, Wanted, control};

pub(super) const RULE: Rule = Rule {
    id: "transaction-control-in-file",
    summary: "BEGIN and COMMIT in a file divide what could be applied as one",
    severity: Severity::Low,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports BEGIN and COMMIT that cut a file into more transactions than it needs (low); `ROLLBACK` of \
all that a file's transaction did (high); `PREPARE TRANSACTION` (medium); and a DO block that commits inside a \
transaction of the file (high). A file that is one BEGIN … COMMIT from beginning to end is not reported, nor is one \
that begins with `-- tollgate:transaction off`.

**Why it matters.** A file without them is applied and recorded in one transaction, or not at all. With them, what \
stands above a failing statement stays in the database. After a `ROLLBACK` the migration counts as applied and nothing \
of it is there; a COMMIT inside a DO block fails when a transaction is around it.

**Instead.** Leave them out; put what has to be committed first into a migration of its own.",
    bad: "BEGIN;\nCREATE TABLE a (b int);\nCOMMIT;\nCREATE TABLE c (d int);",
    good: "CREATE TABLE a (b int);\nCREATE TABLE c (d int);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let statements = context.migration.statements();
    let any_control = statements.iter().any(|statement| control(statement).is_some());
    let text = context.migration.text();
    let wanted = transactions::wanted(context);
    if !any_control && wanted != Some(Wanted::Whole) {
        return;
    }
    let all = transactions::of(context);
    for transaction in &all {
        let around = transaction.kind == Kind::Own || wanted == Some(Wanted::Whole);
        if transaction.kind == Kind::Discarded {
            report_discarded(findings, transaction);
        } else if around {
            report_commits_inside(findings, transaction, text);
        }
    }
    if wanted != Some(Wanted::EachStatement) && all.iter().all(|of| of.kind != Kind::Discarded) {
        report_parts(context, findings, &all);
    }
}

fn whole(statement: &Statement) -> (u32, Span) {
    (statement.index, statement.span)
}

fn report_discarded(findings: &mut Findings<'_>, transaction: &Transaction<'_>) {
    let Some(last) = transaction.statements.last() else {
        return;
    };
    let (index, at) = whole(last);
    if control(last) == Some("prepared") {
        let message = "commits in two phases: after a crash between them its locks last until somebody ends it by hand";
        findings
            .report_at(index, at, message)
            .severity(Severity::Medium)
            .help("end the transaction with COMMIT, or leave BEGIN and COMMIT out");
    } else {
        let message = "rolls back all that its transaction did, yet the migration counts as applied";
        findings
            .report_at(index, at, message)
            .severity(Severity::High)
            .help("delete ROLLBACK and its BEGIN; `tollgate preview` tries a migration on a database of its own");
    }
}

fn report_commits_inside(findings: &mut Findings<'_>, transaction: &Transaction<'_>, text: &str) {
    for statement in transaction.statements {
        if transactions::commits_itself(statement, text) {
            let (index, at) = whole(statement);
            let message = "fails: a block cannot commit while the file's own transaction is around it";
            findings
                .report_at(index, at, message)
                .severity(Severity::High)
                .help("leave BEGIN and COMMIT around it out; in a file without them it runs by itself");
        }
    }
}

/// The file is cut into more parts than it would be without its own words.
fn report_parts(context: &Context<'_>, findings: &mut Findings<'_>, all: &[Transaction<'_>]) {
    let stray = |of: &Transaction<'_>| {
        of.kind == Kind::Alone && of.statements.first().is_some_and(|only| control(only).is_some())
    };
    let parts = all.iter().filter(|of| !stray(of)).count();
    let mut needed = 0;
    let mut open = false;
    for transaction in all.iter().filter(|of| !stray(of)) {
        let alone = transaction.kind == Kind::Alone;
        needed += usize::from(alone || !open);
        open = !alone;
    }
    let own = context
        .migration
        .statements()
        .iter()
        .find(|statement| control(statement).is_some());
    let (true, Some(first)) = (parts > needed, own) else {
        return;
    };
    let (index, at) = whole(first);
    let message = format!(
        "divides the file into {parts} transactions: when a later one fails, what is above it stays in the database"
    );
    let finding = findings.report_at(index, at, message);
    finding.help("leave BEGIN and COMMIT out: the file is then applied as a whole, or not at all");
    let edits = without_control(context);
    if !edits.is_empty() {
        finding.suggest(Suggestion::manual("leave BEGIN and COMMIT out", edits));
    }
}

/// Deletes BEGIN and COMMIT with their semicolons. A file with savepoints or chains is left to a person.
fn without_control(context: &Context<'_>) -> Vec<Edit> {
    let text = context.migration.text();
    let mut edits = Vec::new();
    for statement in context.migration.statements() {
        match control(statement) {
            None => {}
            Some("begin" | "commit") if !statement.span.of(text).to_ascii_lowercase().contains("chain") => {
                let after = text.get(statement.span.end as usize..).unwrap_or_default();
                let semicolon = after.len() - after.trim_start().len();
                let length = if after.trim_start().starts_with(';') {
                    semicolon + 1
                } else {
                    0
                };
                let end = statement.span.end + u32::try_from(length).unwrap_or(0);
                edits.push(Edit::replace(
                    Span {
                        start: statement.span.start,
                        end,
                    },
                    "",
                ));
            }
            Some(_) => return Vec::new(),
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::RULE;
    use crate::judge::postgres;

    fn parts(count: usize) -> String {
        format!(
            "divides the file into {count} transactions: when a later one fails, what is above it stays in the database"
        )
    }

    #[test]
    fn a_file_is_divided() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "-- AlterEnum\nBEGIN; SELECT 1; COMMIT; CREATE TABLE a (b int);",
            Low,
            &parts(2),
        );
        rule.reports("", "BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;", Low, &parts(2));
        rule.reports("", "SELECT 1; COMMIT; SELECT 2;", Low, &parts(2));
        rule.reports(
            "",
            "BEGIN; SELECT 1; COMMIT AND CHAIN; SELECT 2; COMMIT;",
            Low,
            &parts(2),
        );
    }

    #[test]
    fn the_suggested_text_is_one_transaction() {
        let script = "-- why\nBEGIN;\nSELECT 1;\nCOMMIT ;\nSELECT 2;";
        let findings = postgres(&RULE).on("").check(script);
        let mut text = script.to_owned();
        for edit in findings[0].suggestions[0].edits.iter().rev() {
            text.replace_range(edit.at.start as usize..edit.at.end as usize, &edit.text);
        }
        assert_eq!(text, "-- why\n\nSELECT 1;\n\nSELECT 2;");
        postgres(&RULE).ignores("", &text);
    }

    #[test]
    fn nothing_of_it_stays() {
        let message = "rolls back all that its transaction did, yet the migration counts as applied";
        postgres(&RULE).reports("", "BEGIN; CREATE TABLE a (b int); ROLLBACK;", High, message);
    }

    #[test]
    fn there_are_two_phases() {
        let message = "commits in two phases: after a crash between them its locks last until somebody ends it by hand";
        postgres(&RULE).reports(
            "",
            "BEGIN; CREATE TABLE a (b int); PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x';",
            Medium,
            message,
        );
    }

    #[test]
    fn a_block_cannot_commit_in_it() {
        let rule = postgres(&RULE);
        let block = "DO $$ BEGIN LOOP DELETE FROM a WHERE ctid IN (SELECT ctid FROM a LIMIT 9); EXIT WHEN NOT FOUND; \
        COMMIT; END LOOP; END $$;";
        let message = "fails: a block cannot commit while the file's own transaction is around it";
        rule.reports("", &format!("BEGIN; {block} COMMIT;"), High, message);
        rule.reports(
            "",
            &format!("-- tollgate:transaction on\nSELECT 1; {block}"),
            High,
            message,
        );
        rule.ignores("", block);
        rule.ignores("", &format!("SELECT 1; {block} SELECT 2;"));
    }

    #[test]
    fn nothing_is_divided() {
        let rule = postgres(&RULE);
        rule.ignores("", "-- why\nBEGIN; SELECT 1; SELECT 2; COMMIT;");
        rule.ignores("", "BEGIN; SAVEPOINT a; SELECT 1; ROLLBACK TO a; COMMIT;");
        rule.ignores("", "BEGIN; SELECT 1; COMMIT; CREATE INDEX CONCURRENTLY i ON a (b);");
        rule.ignores("", "-- tollgate:transaction off\nBEGIN; SELECT 1; COMMIT; SELECT 2;");
        rule.ignores("", "SELECT 1; SELECT 2;");
    }
}
