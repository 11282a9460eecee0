//! `rebuild-under-view`: a table is made anew under a view, and SQLite refuses the rename.

use tollgate_plugin::rules::{Context, Findings, Rule, rebuild, words};
use tollgate_plugin::{Dialect, ObjectKind, Operation, Severity};

use super::pragmas::Pragmas;

pub(super) const RULE: Rule = Rule {
    id: "rebuild-under-view",
    summary: "A table that a view reads is made anew: the rename at the end fails",
    severity: Severity::High,
    dialects: &[Dialect::Sqlite],
    explanation: "\
**What it does.** Reports a table rebuild (create new, copy, drop, rename) of a table that a view reads, unless the view is \
dropped before, or `PRAGMA legacy_alter_table` is `ON`. Since SQLite 3.25.

**Why it matters.** ALTER TABLE … RENAME looks through all views, and finds one that reads a table which is gone at that \
moment: `error in view …: no such table`. The migration fails.

**Instead.** Drop the view in front of the rebuild and make it anew behind it, or write `PRAGMA legacy_alter_table=ON` in front \
and `OFF` behind.",
    bad: "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);\nCREATE VIEW names AS SELECT name FROM users;\n-- migration\n\
          CREATE TABLE new_users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n\
          INSERT INTO new_users (id, name) SELECT id, name FROM users;\nDROP TABLE users;\n\
          ALTER TABLE new_users RENAME TO users;",
    good: "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);\nCREATE VIEW names AS SELECT name FROM users;\n-- migration\n\
           DROP VIEW names;\nCREATE TABLE new_users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n\
           INSERT INTO new_users (id, name) SELECT id, name FROM users;\nDROP TABLE users;\n\
           ALTER TABLE new_users RENAME TO users;\nCREATE VIEW names AS SELECT name FROM users;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    if context.server().version.is_some_and(|version| version < (3, 25, 0)) {
        return;
    }
    for rebuilt in rebuild::all(context) {
        let table = &rebuilt.rebuild.table;
        // Only where the rename is what ends it.
        let rename = context
            .steps_after(&rebuilt.drop)
            .find(|step| match &step.effect.operation {
                Operation::Rename(rename) => {
                    rename.kind == ObjectKind::Table
                        && context.same(ObjectKind::Table, &rename.from, &rebuilt.rebuild.temporary)
                }
                _ => false,
            });
        let (Some(rename), Some(before)) = (rename, &rebuilt.before) else {
            continue;
        };
        let mut views = context.remaining_dependents(&rename, ObjectKind::Table, &before.name);
        views.retain(|dependent| dependent.kind == ObjectKind::View && dependent.member.is_none());
        if views.is_empty() || Pragmas::at(context, &rename).legacy_alter {
            continue;
        }
        let message = format!(
            "the rebuild of {} fails at its rename, because {} reads a table that is gone at that moment",
            table.short(),
            words::dependents(&views)
        );
        findings
            .report(&rename, message)
            .help("drop the view in front of the rebuild and make it anew behind it");
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;

    use super::RULE;
    use crate::judge::sqlite;

    const USERS: &str = "\
        CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT);
        CREATE VIEW \"userNames\" AS SELECT u.name FROM users AS u;";

    const REBUILD: &str = "\
        CREATE TABLE \"new_users\" (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n\
        INSERT INTO \"new_users\" (id, name) SELECT id, name FROM \"users\";\nDROP TABLE \"users\";\n\
        ALTER TABLE \"new_users\" RENAME TO \"users\";\n";

    const MESSAGE: &str = "the rebuild of users fails at its rename, because the view userNames reads a table that is gone at that moment";

    #[test]
    fn the_rename_fails() {
        let rule = sqlite(&RULE);
        rule.reports(USERS, REBUILD, High, MESSAGE);
        rule.version(3, 45, 1).reports(USERS, REBUILD, High, MESSAGE);
        rule.reports(
            USERS,
            &format!("PRAGMA foreign_keys=OFF;\n{REBUILD}DROP VIEW \"userNames\";"),
            High,
            MESSAGE,
        );
    }

    #[test]
    fn it_does_not() {
        let rule = sqlite(&RULE);
        rule.version(3, 24, 0).ignores(USERS, REBUILD);
        rule.ignores(
            USERS,
            &format!("DROP VIEW \"userNames\";\n{REBUILD}CREATE VIEW \"userNames\" AS SELECT name FROM users;"),
        );
        rule.ignores(
            USERS,
            &format!("PRAGMA legacy_alter_table=ON;\n{REBUILD}PRAGMA legacy_alter_table=OFF;"),
        );
        rule.ignores(USERS, &REBUILD.replace("users", "pets"));
        rule.ignores("", REBUILD);
    }
}
