//! `drop-table`: a table goes with its rows.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{ObjectKind, Severity};

use super::drops;
use crate::dynamic::{self, Suspicion};
use crate::words;

pub(super) const RULE: Rule = Rule {
    id: "drop-table",
    summary: "DROP TABLE loses a table with its rows",
    severity: Severity::High,
    triggers: &["drop"],
    explanation: "\
**What it does.** Reports `DROP TABLE` of a table that may hold rows. A table that is known to be empty, or that the same \
plan made, is no loss and stays unreported. SQL that a DO block or function makes at run time is reported as medium: it \
cannot be seen through.

**Why it matters.** The rows are gone for good when the migration commits; only a backup brings them back.

**Instead.** Deploy first without the code that uses the table. Rename it (`ALTER TABLE … RENAME TO …_retired`) and drop it \
some weeks later, or copy what may be needed before.",
    bad: "DROP TABLE invoices;",
    good: "CREATE TABLE import_buffer (line text);\nDROP TABLE import_buffer;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (step, dropped) in drops(context, &[ObjectKind::Table]) {
        if !context.may_hold_rows(&step, &dropped.name) {
            continue;
        }
        let needed = match context.original(&step, ObjectKind::Table, &dropped.name) {
            Some(original) if !dropped.cascade => context.remaining_dependents(&step, ObjectKind::Table, &original),
            _ => Vec::new(),
        };
        let message = format!(
            "{} the table {} with {}{}",
            step.verb("drops", "drop"),
            dropped.name.short(),
            words::its_rows(context, &step, &dropped.name),
            words::needed_by(&needed)
        );
        findings
            .report(&step, message)
            .help("rename the table first and drop it later, or keep a copy of its rows");
    }
    dynamic::report(
        context,
        findings,
        &[Suspicion::DropTable, Suspicion::Anything],
        "drops a table",
    );
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY);";

    #[test]
    fn a_table_goes_with_its_rows() {
        let rule = postgres(&RULE);
        rule.reports("", "DROP TABLE users;", High, "drops the table users with all its rows");
        for script in ["DROP TABLE users;", "DELETE FROM users; DROP TABLE users;"] {
            rule.reports(USERS, script, High, "drops the table users with all its rows");
        }
        rule.reports(
            "",
            "DROP TABLE IF EXISTS \"Odd Name\";",
            High,
            "drops the table Odd Name with all its rows",
        );
        rule.reports(
            "",
            "DROP TABLE audit.log;",
            High,
            "drops the table audit.log with all its rows",
        );
        rule.reports(
            "",
            "DO $$ BEGIN DROP TABLE users; END $$;",
            High,
            "may drop the table users with all its rows",
        );
        sqlite(&RULE).reports(
            USERS,
            "DROP TABLE \"users\";",
            High,
            "drops the table users with all its rows",
        );
    }

    #[test]
    fn the_catalog_gives_numbers_and_dependents() {
        let rule = postgres(&RULE);
        assert_reports(
            &rule.on(USERS).rows("users", 12),
            "DROP TABLE users;",
            High,
            "drops the table users with its 12 rows",
        );
        rule.reports(
            "CREATE TABLE users (id int PRIMARY KEY); CREATE VIEW active AS SELECT id FROM users;",
            "DROP TABLE users;",
            High,
            "drops the table users with all its rows, which the view active needs",
        );
    }

    #[test]
    fn renaming_first_changes_nothing() {
        let script = "ALTER TABLE users RENAME TO old_users;\nDROP TABLE old_users;";
        postgres(&RULE).reports(USERS, script, High, "drops the table old_users with all its rows");
    }

    #[test]
    fn what_was_empty_is_no_loss() {
        let rule = postgres(&RULE);
        rule.ignores("", "CREATE TABLE users (id int); DROP TABLE users;");
        rule.ignores("", "CREATE TABLE a (id int); ALTER TABLE a RENAME TO b; DROP TABLE b;");
        rule.ignores(USERS, "DROP TABLE IF EXISTS posts;");
        assert_ignores(&rule.on(USERS).rows("users", 0), "DROP TABLE users;");
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE fresh (id int);"),
            "DROP TABLE fresh;",
        );
        assert_reports(
            &rule
                .on(USERS)
                .pending("CREATE TABLE fresh (id int); INSERT INTO fresh VALUES (1);"),
            "DROP TABLE fresh;",
            High,
            "drops the table fresh with all its rows",
        );
    }

    #[test]
    fn a_rebuild_is_not_a_drop() {
        sqlite(&RULE).ignores(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);",
            "PRAGMA foreign_keys=OFF;\n\
             CREATE TABLE \"new_users\" (\"id\" INTEGER PRIMARY KEY, \"name\" TEXT NOT NULL DEFAULT '');\n\
             INSERT INTO \"new_users\" (\"id\", \"name\") SELECT \"id\", coalesce(\"name\", '') FROM \"users\";\n\
             DROP TABLE \"users\";\nALTER TABLE \"new_users\" RENAME TO \"users\";\nPRAGMA foreign_keys=ON;",
        );
    }

    #[test]
    fn run_time_sql_cannot_be_seen_through() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables LOOP EXECUTE 'DROP TABLE ' || t; END LOOP; END $$;",
            Medium,
            "runs SQL that is made at run time and drops a table; it cannot be seen through",
        );
        rule.ignores("", "DO $$ BEGIN EXECUTE 'CREATE TABLE a_' || 1 || ' (id int)'; END $$;");
    }
}
