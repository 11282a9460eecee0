//! `concurrent-with-other-statements`: a file that cannot be applied as a whole.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Edit, Operation, Severity, Span, Statement, Suggestion};

use super::words;
use crate::sql;
use crate::transactions::{Transactions, Wanted, control};

pub(super) const RULE: Rule = Rule {
    id: "concurrent-with-other-statements",
    summary: "CONCURRENTLY beside other statements makes a file that is applied in parts",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    explanation: "\
**What it does.** Reports a statement that cannot run inside a transaction when its file has others. Low when none of them \
changes the schema or rows in a transaction. Silent when the file says `tollgate:transaction off`.

**Why it matters.** Such a file is committed piece by piece. When one fails, what stands above it is in the database and the rest \
is not: the migration has to be resumed or resolved. Prisma Migrate sends a file in one message, in which the server refuses \
CONCURRENTLY altogether.

**Instead.** A migration for each such statement.",
    bad: "ALTER TABLE users ADD COLUMN email text;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_idx ON users (email);",
    good: "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_idx ON users (email);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let transactions = Transactions::of(context);
    if transactions.wanted == Some(Wanted::EachStatement) {
        return;
    }
    let statements = context.migration.statements();
    let alone = |statement: &&Statement| {
        !statement.transactional && control(statement).is_none() && transactions.begin_of(statement).is_none()
    };
    let Some(first) = statements.iter().find(alone) else {
        return;
    };
    let others = statements.len() - 1;
    if others == 0 || transactions.wanted == Some(Wanted::Whole) {
        return;
    }
    let changes = statements
        .iter()
        .any(|statement| statement.transactional && changes(statement));
    let plural = if others == 1 {
        "another statement".to_owned()
    } else {
        format!("{others} other statements")
    };
    let message = format!(
        "runs {} in a file with {plural}, which is then applied in parts and not at all by Prisma Migrate",
        words(first)
    );
    let finding = findings.report_at(first.index, first.span, message);
    finding
        .severity(if changes { Severity::Medium } else { Severity::Low })
        .help("give it a migration of its own");
    if let Some((edit, following)) = split(context, first) {
        finding.suggest(Suggestion::manual("move the rest to a following migration", vec![edit]));
        finding.property("fix.following", following);
    }
}

/// The statement changes the schema or rows: what it does would be there without the rest.
fn changes(statement: &Statement) -> bool {
    statement.effects.iter().any(|effect| match &effect.operation {
        Operation::SetParameter(_) | Operation::TransactionControl(_) | Operation::Comment(_) => false,
        Operation::Other(other) => !matches!(other.tag.as_str(), "analyze" | "show" | "set-constraints" | "discard"),
        _ => true,
    })
}

/// Cuts the file: before the statement, or behind it where it is the first.
fn split(context: &Context<'_>, statement: &Statement) -> Option<(Edit, String)> {
    let statements = context.migration.statements();
    let last_kept = statements.get(statement.index.saturating_sub(1) as usize)?;
    // A file's own transactions and the steps of one change stay together.
    if statements
        .iter()
        .any(|one| control(one).is_some() || one.part_of.is_some())
    {
        return None;
    }
    let text = context.migration.text();
    let cut = sql::end_with_semicolon(context, last_kept);
    let rest = text.get(cut as usize..)?;
    // A comment on the same line speaks of what stands before it.
    let line = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let (same_line, below) = rest.split_at(line);
    let same_line_is_comment = same_line.trim().is_empty() || same_line.trim_start().starts_with("--");
    let (start, following) = if same_line_is_comment {
        (cut as usize + line, below)
    } else {
        (cut as usize, rest)
    };
    let span = Span {
        start: u32::try_from(start).ok()?,
        end: u32::try_from(text.len()).ok()?,
    };
    Some((Edit::replace(span, ""), format!("{}\n", following.trim())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a failing test should stop here")]

    use tollgate_plugin::Severity::{Low, Medium};

    use super::RULE;
    use crate::judge::{fixed, following, postgres};

    #[test]
    fn the_file_is_applied_in_parts() {
        let rule = postgres(&RULE);
        let message = "runs CREATE INDEX CONCURRENTLY in a file with another statement, which is then applied in parts \
                       and not at all by Prisma Migrate";
        for script in [
            "ALTER TABLE t ADD COLUMN a int;\nCREATE INDEX CONCURRENTLY i ON t (a);",
            "CREATE INDEX CONCURRENTLY i ON \"app\".\"T\" (a); UPDATE t SET a = 1 WHERE a IS NULL;",
        ] {
            rule.reports("", script, Medium, message);
        }
        let message = "runs DROP INDEX CONCURRENTLY in a file with another statement, which is then applied in parts \
                       and not at all by Prisma Migrate";
        let script = "DROP INDEX CONCURRENTLY IF EXISTS i;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);";
        rule.reports("", script, Low, message);
        let message = "runs CREATE INDEX CONCURRENTLY in a file with 2 other statements, which is then applied in parts \
                       and not at all by Prisma Migrate";
        let script = "-- why\nSET lock_timeout = '2s';\nSELECT 1;\nCREATE INDEX CONCURRENTLY i ON t (a);";
        rule.reports("", script, Low, message);
        let script = "BEGIN; CREATE TABLE t (a int); COMMIT;\nCREATE INDEX CONCURRENTLY i ON t (a);";
        rule.reports("", script, Medium, &message.replace('2', "3"));
    }

    #[test]
    fn the_file_is_applied_as_a_whole() {
        let rule = postgres(&RULE);
        for script in [
            "-- one\nCREATE INDEX CONCURRENTLY i ON t (a);\n-- that is all\n",
            "ALTER TABLE t ADD COLUMN a int; CREATE INDEX i ON t (a);",
            "-- tollgate:transaction off\nALTER TABLE t ADD COLUMN a int; CREATE INDEX CONCURRENTLY i ON t (a);",
            "BEGIN; ALTER TABLE t ADD COLUMN a int; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT;",
        ] {
            rule.ignores("", script);
        }
    }

    #[test]
    fn the_file_can_be_cut() {
        let test = postgres(&RULE).on("");
        let script = "ALTER TABLE t ADD a int; -- new\n\n-- fast\nCREATE INDEX CONCURRENTLY i ON t (a);\n";
        assert_eq!(
            fixed(&test, script).as_deref(),
            Some("ALTER TABLE t ADD a int; -- new\n")
        );
        assert_eq!(
            following(&test, script).as_deref(),
            Some("-- fast\nCREATE INDEX CONCURRENTLY i ON t (a);\n")
        );
        let script = "CREATE INDEX CONCURRENTLY i ON t (a); ALTER TABLE t ADD b int";
        assert_eq!(
            fixed(&test, script).as_deref(),
            Some("CREATE INDEX CONCURRENTLY i ON t (a);")
        );
        assert_eq!(following(&test, script).as_deref(), Some("ALTER TABLE t ADD b int\n"));
        let script = "BEGIN; CREATE TABLE t (a int); COMMIT; CREATE INDEX CONCURRENTLY i ON t (a);";
        assert!(test.check(script)[0].suggestions.is_empty());
    }
}
