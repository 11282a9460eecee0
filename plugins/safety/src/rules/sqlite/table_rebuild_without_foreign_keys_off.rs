//! `table-rebuild-without-foreign-keys-off`: a table is made anew, and dropping the old one takes rows elsewhere along.

use tollgate_plugin::rules::rebuild::{self, Rebuilt};
use tollgate_plugin::rules::{Context, Findings, Rule, words};
use tollgate_plugin::{Dialect, Edit, ObjectKind, ObjectName, Operation, Severity, Suggestion};

use super::last_statement;
use super::pragmas::Pragmas;
use crate::sql;
use crate::tokens;

pub(super) const RULE: Rule = Rule {
    id: "table-rebuild-without-foreign-keys-off",
    summary: "A table that others reference is made anew while foreign keys are on",
    severity: Severity::High,
    dialects: &[Dialect::Sqlite],
    explanation: "\
**What it does.** Reports a table rebuild (create new, copy, drop, rename) of a table that foreign keys of other tables point \
at, when `PRAGMA foreign_keys` is not `OFF` at the moment of the DROP. The pragma does nothing between BEGIN and COMMIT, and \
`PRAGMA defer_foreign_keys` does not help. Also reported: a rebuild that renames the old table away first without \
`PRAGMA legacy_alter_table=ON`, because the other tables' foreign keys follow it. Medium where nobody knows whether there are \
such tables.

**Why it matters.** DROP TABLE first deletes every row. With foreign keys on, `ON DELETE CASCADE` and `SET NULL` act: the rows \
of the other tables are gone or changed, although the table itself comes back. Without such an action the DROP fails.

**Instead.** `PRAGMA foreign_keys=OFF;` in front of the rebuild, outside of any transaction, and `PRAGMA foreign_keys=ON;` \
behind it. Create the table under a new name, copy, drop the old one, and only then rename.",
    bad: "CREATE TABLE users (id INTEGER PRIMARY KEY);\n\
          CREATE TABLE posts (user_id INTEGER REFERENCES users (id) ON DELETE CASCADE);\n-- migration\n\
          CREATE TABLE new_users (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO new_users (id) SELECT id FROM users;\n\
          DROP TABLE users;\nALTER TABLE new_users RENAME TO users;",
    good: "CREATE TABLE users (id INTEGER PRIMARY KEY);\n\
           CREATE TABLE posts (user_id INTEGER REFERENCES users (id) ON DELETE CASCADE);\n-- migration\n\
           PRAGMA foreign_keys=OFF;\nCREATE TABLE new_users (id INTEGER PRIMARY KEY, name TEXT);\n\
           INSERT INTO new_users (id) SELECT id FROM users;\nDROP TABLE users;\nALTER TABLE new_users RENAME TO users;\n\
           PRAGMA foreign_keys=ON;",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "write PRAGMA foreign_keys=OFF in front of the rebuild, outside of a transaction, and ON behind it";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for rebuilt in rebuild::of_tables_with_rows(context) {
        let children = children(context, &rebuilt);
        if children.is_empty() && context.before.complete() {
            continue;
        }
        let pragmas = Pragmas::at(context, &rebuilt.drop);
        let renamed_first = renames_first(context, &rebuilt);
        if renamed_first && !pragmas.legacy_alter && !children.is_empty() && !comes_back(context, &rebuilt) {
            report_rename(findings, &rebuilt, &children);
        } else if pragmas.foreign_keys && !renamed_first {
            report_drop(context, findings, &rebuilt, &children, pragmas);
        }
    }
}

/// Other tables with a foreign key that points at the rebuilt one, and rows that could hold a value in it.
fn children(context: &Context<'_>, rebuilt: &Rebuilt<'_>) -> Vec<ObjectName> {
    let table = &rebuilt.rebuild.table;
    let mut found: Vec<ObjectName> = Vec::new();
    for (child, _) in context.before.referencing(table) {
        let itself = context.same(ObjectKind::Table, &child, table);
        let gone = context.is_gone(&rebuilt.drop, ObjectKind::Table, &child);
        if !itself && !gone && context.held_rows(&child) && !found.contains(&child) {
            found.push(child);
        }
    }
    found
}

/// The old table is renamed away before the new one is made.
fn renames_first(context: &Context<'_>, rebuilt: &Rebuilt<'_>) -> bool {
    context
        .steps_before(&rebuilt.create)
        .any(|step| match &step.effect.operation {
            Operation::Rename(rename) => {
                rebuilt.rebuild.statements.contains(&step.statement.index)
                    && rename.kind == ObjectKind::Table
                    && context.same(ObjectKind::Table, &rename.from, &rebuilt.rebuild.table)
            }
            _ => false,
        })
}

/// A later statement gives a table the name that the old one had when it was dropped: the foreign keys find it again, and
/// follow it from there.
fn comes_back(context: &Context<'_>, rebuilt: &Rebuilt<'_>) -> bool {
    context
        .steps_after(&rebuilt.drop)
        .any(|step| match &step.effect.operation {
            Operation::Rename(rename) => {
                rename.kind == ObjectKind::Table && context.same_identifier(&rename.to, &rebuilt.rebuild.temporary.name)
            }
            _ => false,
        })
}

fn report_rename(findings: &mut Findings<'_>, rebuilt: &Rebuilt<'_>, children: &[ObjectName]) {
    let names: Vec<String> = children.iter().map(ObjectName::short).collect();
    let message = format!(
        "the rebuild of {} renames the old table to {} first: the foreign keys of {} follow it, and point at nothing when it \
         is dropped",
        rebuilt.rebuild.table.short(),
        rebuilt.rebuild.temporary.short(),
        words::list(&names)
    );
    findings
        .report(&rebuilt.drop, message)
        .help("create the new table under another name, copy, drop the old one, and only then rename");
}

fn report_drop(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    rebuilt: &Rebuilt<'_>,
    children: &[ObjectName],
    pragmas: Pragmas,
) {
    let table = rebuilt.rebuild.table.short();
    let start = format!("the rebuild of {table} drops the old table while foreign keys are on");
    if children.is_empty() {
        let message = format!("{start}: rows of tables that reference it go along, or the DROP fails");
        findings
            .report(&rebuilt.drop, message)
            .severity(Severity::Medium)
            .help(HELP);
        return;
    }
    let acting: Vec<String> = children
        .iter()
        .filter(|child| acts_on_delete(context, child, &rebuilt.rebuild.table))
        .map(ObjectName::short)
        .collect();
    let harm = if acting.is_empty() {
        let names: Vec<String> = children.iter().map(ObjectName::short).collect();
        format!("that fails while rows of {} reference it", words::list(&names))
    } else {
        format!(
            "the rows of {} that reference it are deleted or changed",
            words::list(&acting)
        )
    };
    let finding = findings.report(&rebuilt.drop, format!("{start}: {harm}")).help(HELP);
    let ignored = pragmas
        .ignored
        .and_then(|index| context.migration.statements().get(index as usize));
    if let Some(statement) = ignored {
        finding.label(statement.span, "does nothing inside a transaction");
    }
    finding.suggestions.extend(switch(context, rebuilt, pragmas));
}

/// ON DELETE CASCADE, SET NULL or SET DEFAULT in the foreign key of `child` that points at `parent`.
fn acts_on_delete(context: &Context<'_>, child: &ObjectName, parent: &ObjectName) -> bool {
    let text = context
        .before
        .ddl(ObjectKind::Table, child)
        .unwrap_or_default()
        .join(";");
    let tokens = tokens::read(&text);
    let mut references = tokens.iter().enumerate().filter(|(at, token)| {
        let name = tokens.get(at + 1).and_then(tokens::Token::name);
        token.is("references") && name.is_some_and(|name| context.same_identifier(&name, &parent.name))
    });
    references.any(|(at, _)| {
        // The clause ends where the next column or constraint begins.
        let clause = tokens::until(&tokens[at..], |token| {
            token.is_symbol(",") || token.is("constraint") || token.is(";")
        });
        clause
            .windows(3)
            .any(|words| words[0].is("on") && words[1].is("delete") && (words[2].is("cascade") || words[2].is("set")))
    })
}

/// The pragmas around the rebuild. Safe where nothing else stands between its statements.
fn switch(context: &Context<'_>, rebuilt: &Rebuilt<'_>, pragmas: Pragmas) -> Option<Suggestion> {
    let statements = context.migration.statements();
    let first = statements.get(rebuilt.rebuild.statements.first().copied()? as usize)?;
    let last = statements.get(last_statement(rebuilt) as usize)?;
    if pragmas.in_transaction {
        return None;
    }
    let end = sql::end_with_semicolon(context, last);
    let semicolon = if end == last.span.end { ";" } else { "" };
    let edits = vec![
        Edit::insert(first.span.start, "PRAGMA foreign_keys=OFF;\n"),
        Edit::insert(end, format!("{semicolon}\nPRAGMA foreign_keys=ON;")),
    ];
    let title = "switch foreign keys off around the rebuild";
    let between = statements.get(first.index as usize..=last.index as usize)?;
    Some(if between.iter().all(|statement| statement.part_of == last.part_of) {
        Suggestion::automatic(title, edits)
    } else {
        Suggestion::manual(title, edits)
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing;
    use tollgate_plugin::{Applicability, Finding};

    use super::RULE;
    use crate::judge::{fixed, sqlite};

    const USERS: &str = "\
        CREATE TABLE \"Users\" (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES \"Users\" (id));
        CREATE TABLE posts (id INTEGER, user_id INTEGER, CONSTRAINT f FOREIGN KEY (user_id) REFERENCES \"Users\" (id) ON DELETE CASCADE);
        CREATE TABLE likes (user_id INTEGER REFERENCES users);
        CREATE TABLE alone (id INTEGER PRIMARY KEY);";

    const REBUILD: &str = "\
        CREATE TABLE \"new_Users\" (id INTEGER PRIMARY KEY, boss INTEGER, name TEXT);\n\
        INSERT INTO \"new_Users\" (id, boss) SELECT id, boss FROM \"Users\";\nDROP TABLE \"Users\";\n\
        ALTER TABLE \"new_Users\" RENAME TO \"Users\";\n";

    const GONE: &str = "the rebuild of Users drops the old table while foreign keys are on: \
        the rows of posts that reference it are deleted or changed";

    #[test]
    fn rows_of_others_go_along() {
        let rule = sqlite(&RULE);
        rule.reports(USERS, REBUILD, High, GONE);
        rule.reports(USERS, &format!("PRAGMA defer_foreign_keys=ON;\n{REBUILD}"), High, GONE);
        rule.reports(
            USERS,
            &format!("BEGIN;\nPRAGMA foreign_keys=OFF;\n{REBUILD}COMMIT;"),
            High,
            GONE,
        );
        rule.reports(
            "CREATE TABLE \"Users\" (id INTEGER PRIMARY KEY); CREATE TABLE likes (user_id INTEGER REFERENCES users);",
            REBUILD,
            High,
            "the rebuild of Users drops the old table while foreign keys are on: that fails while rows of likes reference it",
        );
        rule.reports(
            "",
            REBUILD,
            Medium,
            "the rebuild of Users drops the old table while foreign keys are on: rows of tables that reference it go along, \
             or the DROP fails",
        );
    }

    #[test]
    fn foreign_keys_follow_the_old_table() {
        let script = "\
            PRAGMA foreign_keys=OFF;\nALTER TABLE \"Users\" RENAME TO old_users;\n\
            CREATE TABLE \"Users\" (id INTEGER PRIMARY KEY, name TEXT);\n\
            INSERT INTO \"Users\" (id) SELECT id FROM old_users;\nDROP TABLE old_users;\n";
        let rule = sqlite(&RULE);
        rule.reports(
            USERS,
            script,
            High,
            "the rebuild of Users renames the old table to old_users first: the foreign keys of likes and posts follow it, \
             and point at nothing when it is dropped",
        );
        rule.ignores(USERS, &format!("PRAGMA legacy_alter_table=ON;\n{script}"));
        let back = "ALTER TABLE \"Users\" RENAME TO old_users;\nALTER TABLE old_users RENAME TO \"Users\";";
        rule.ignores(USERS, &format!("{script}{back}"));
    }

    #[test]
    fn foreign_keys_are_off() {
        let rule = sqlite(&RULE);
        rule.ignores(
            USERS,
            &format!("PRAGMA foreign_keys=OFF;\n{REBUILD}PRAGMA foreign_key_check;\nPRAGMA foreign_keys=ON;"),
        );
        rule.ignores(
            USERS,
            &format!("-- RedefineTables\nPRAGMA defer_foreign_keys=ON;\nPRAGMA foreign_keys=OFF;\n{REBUILD}PRAGMA foreign_keys=ON;\nPRAGMA defer_foreign_keys=OFF;"),
        );
        rule.ignores(USERS, &format!("PRAGMA foreign_keys = 0;\nBEGIN;\n{REBUILD}COMMIT;"));
    }

    #[test]
    fn nothing_references_it() {
        let rule = sqlite(&RULE);
        rule.ignores(USERS, &REBUILD.replace("Users", "alone").replace("boss", "id"));
        testing::assert_ignores(&rule.on(USERS).rows("posts", 0).rows("likes", 0), REBUILD);
        testing::assert_ignores(&rule.on(USERS).rows("Users", 0), REBUILD);
        rule.ignores(USERS, &format!("DROP TABLE posts; DROP TABLE likes; {REBUILD}"));
    }

    #[test]
    fn the_pragmas_are_offered() {
        let suggested = |script: &str| -> Vec<Finding> { sqlite(&RULE).on(USERS).check(script) };
        let findings = suggested(REBUILD);
        let suggestion = &findings[0].suggestions[0];
        assert_eq!(suggestion.applicability, Applicability::Automatic);
        let text = fixed(&sqlite(&RULE).on(USERS), REBUILD).unwrap_or_default();
        assert!(text.starts_with("PRAGMA foreign_keys=OFF;\nCREATE TABLE"), "{text}");
        assert!(
            text.ends_with("RENAME TO \"Users\";\nPRAGMA foreign_keys=ON;\n"),
            "{text}"
        );
        assert!(
            suggested(&format!("BEGIN; {REBUILD} COMMIT;"))[0]
                .suggestions
                .is_empty()
        );
    }
}
