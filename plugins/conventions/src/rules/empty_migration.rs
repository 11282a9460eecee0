//! `empty-migration`: a script that does nothing.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Effect, Operation, Severity};

pub(super) const RULE: Rule = Rule {
    id: "empty-migration",
    summary: "a migration that does nothing",
    severity: Severity::Low,
    explanation: "\
**What it does.** Reports a migration without statements, or whose statements only begin and end transactions or set parameters of \
the session.

**Why it matters.** Mostly it is a file that somebody forgot to fill in, or one whose SQL is still commented out. Once it is applied, \
its text cannot be changed any more.

**Instead.** Write the SQL, or remove the folder. A migration that is kept empty on purpose says so: \
`-- tollgate:allow empty-migration -- reason`, with a blank line after it.",
    bad: "-- This is an empty migration.",
    good: "CREATE TABLE users (id bigint PRIMARY KEY);",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let statements = context.migration.statements();
    let message = if statements.is_empty() {
        "the migration has no statements"
    } else if statements.iter().all(|statement| {
        !statement.effects.is_empty() && statement.effects.iter().all(|effect| leaves_nothing(context, effect))
    }) {
        "the migration only begins and ends transactions or sets parameters, which ends with it"
    } else {
        return;
    };
    findings
        .report_script(message)
        .help("write its SQL, or remove the folder before it is deployed anywhere");
}

/// The effect ends with the session at the latest. Some of SQLite's pragmas are written into the file.
fn leaves_nothing(context: &Context<'_>, effect: &Effect) -> bool {
    match &effect.operation {
        Operation::TransactionControl(_) => true,
        Operation::SetParameter(parameter) => {
            context.dialect() != Dialect::Sqlite
                || ["foreign_keys", "defer_foreign_keys"]
                    .iter()
                    .any(|name| parameter.name.eq_ignore_ascii_case(name))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::Low;

    use super::RULE;
    use crate::judge::{postgres, sqlite};

    const NOTHING: &str = "the migration has no statements";
    const SETTINGS: &str = "the migration only begins and ends transactions or sets parameters, which ends with it";

    #[test]
    fn nothing_to_do_is_reported() {
        let rule = postgres(&RULE);
        rule.reports("", "", Low, NOTHING);
        rule.reports("", "\n-- ALTER TABLE a ADD b int;\n/* later */ ;;\n", Low, NOTHING);
        rule.reports("", "BEGIN;\n-- nothing\nCOMMIT;", Low, SETTINGS);
        rule.reports("", "SET lock_timeout = '5s';", Low, SETTINGS);
        sqlite(&RULE).reports("", "-- AlterTable", Low, NOTHING);
        sqlite(&RULE).reports("", "PRAGMA foreign_keys=OFF;", Low, SETTINGS);
    }

    #[test]
    fn anything_to_do_is_not() {
        let rule = postgres(&RULE);
        rule.ignores("", "-- a comment\nDROP INDEX a;");
        rule.ignores("", "BEGIN; UPDATE a SET b = 1; COMMIT;");
        rule.ignores("", "SELECT setval('s', 5);");
        rule.ignores("", "DO $$ BEGIN PERFORM my_function(); END $$;");
        sqlite(&RULE).ignores("", "PRAGMA journal_mode = WAL;");
        sqlite(&RULE).ignores("", "INSERT INTO a VALUES (1);");
    }
}
