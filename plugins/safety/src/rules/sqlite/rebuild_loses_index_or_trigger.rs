//! `rebuild-loses-index-or-trigger`: a table is made anew, and what stood on the old one is not.

use tollgate_plugin::rules::rebuild::{self, Rebuilt};
use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Edit, Index, ObjectKind, Operation, Relation, Severity, Suggestion};

use super::last_statement;
use crate::sql;

pub(super) const RULE: Rule = Rule {
    id: "rebuild-loses-index-or-trigger",
    summary: "A table rebuild does not make the indexes and triggers of the old table anew",
    severity: Severity::Medium,
    dialects: &[Dialect::Sqlite],
    triggers: &["table-rebuild"],
    explanation: "\
**What it does.** Reports indexes and triggers that a table had before it was made anew (create new, copy, drop, rename) and \
that it does not have afterwards, as the catalog or the earlier migrations show. Silent for an index that the file drops by \
name, one over a column that is gone, and one whose place another has taken.

**Why it matters.** They go with the old table, without a word. Queries read the whole table from then on, a unique index no \
longer refuses duplicates, and what a trigger kept up to date grows old.

**Instead.** Make them anew behind the rename. Where one is no longer needed, say so with `DROP INDEX` or `DROP TRIGGER` in \
front of the rebuild.",
    bad: "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);\nCREATE INDEX users_email ON users (email);\n-- migration\n\
          PRAGMA foreign_keys=OFF;\nCREATE TABLE new_users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n\
          INSERT INTO new_users (id, email) SELECT id, email FROM users;\nDROP TABLE users;\n\
          ALTER TABLE new_users RENAME TO users;\nPRAGMA foreign_keys=ON;",
    good: "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);\nCREATE INDEX users_email ON users (email);\n-- migration\n\
           PRAGMA foreign_keys=OFF;\nCREATE TABLE new_users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n\
           INSERT INTO new_users (id, email) SELECT id, email FROM users;\nDROP TABLE users;\n\
           ALTER TABLE new_users RENAME TO users;\nCREATE INDEX users_email ON users (email);\nPRAGMA foreign_keys=ON;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for rebuilt in rebuild::all(context) {
        let table = &rebuilt.rebuild.table;
        let (Some(before), Some(after)) = (&rebuilt.before, context.after.relation(table)) else {
            continue;
        };
        if after.uncertain {
            continue;
        }
        for index in before.indexes.iter().filter(|index| is_own(index)) {
            if !is_kept(context, &after, index) && !is_dropped(context, ObjectKind::Index, &index.name) {
                report_index(context, findings, &rebuilt, index);
            }
        }
        for trigger in &before.triggers {
            let kept = after
                .triggers
                .iter()
                .any(|other| context.same_identifier(other, trigger));
            if !kept && !is_dropped(context, ObjectKind::Trigger, trigger) {
                let message = format!("the rebuild of {} loses the trigger {trigger}", table.short());
                let finding = findings
                    .report(&rebuilt.drop, message)
                    .help("make it anew behind the rename");
                // What it does may not fit the new table.
                finding
                    .suggestions
                    .extend(again(context, &rebuilt, ObjectKind::Trigger, trigger, false));
            }
        }
    }
}

/// Made by CREATE INDEX: those of constraints are part of the table.
fn is_own(index: &Index) -> bool {
    index.constraint.is_none() && !index.primary && !index.name.starts_with("sqlite_autoindex_")
}

/// The new table has it, has another over the same key, or has lost a column of the key.
fn is_kept(context: &Context<'_>, after: &Relation, index: &Index) -> bool {
    let equal = |other: &Index| {
        let stronger = other.unique || !index.unique;
        let same_key = other.keys == index.keys && other.predicate == index.predicate;
        context.same_identifier(&other.name, &index.name) || (stronger && same_key)
    };
    let has_column = |column: &str| {
        let mut columns = after.columns.iter();
        columns.any(|other| context.same_identifier(&other.name, column))
    };
    let key_gone = index
        .key_columns()
        .is_some_and(|columns| columns.into_iter().any(|column| !has_column(column)));
    key_gone || after.indexes.iter().any(equal)
}

/// The file drops it by its name: it is meant to go.
fn is_dropped(context: &Context<'_>, kind: ObjectKind, name: &str) -> bool {
    context.all_steps().any(|step| match &step.effect.operation {
        Operation::Drop(dropped) => dropped.kind == kind && context.same_identifier(&dropped.name.name, name),
        _ => false,
    })
}

fn report_index(context: &Context<'_>, findings: &mut Findings<'_>, rebuilt: &Rebuilt<'_>, index: &Index) {
    let table = rebuilt.rebuild.table.short();
    let name = &index.name;
    let message = if index.unique {
        format!("the rebuild of {table} loses the unique index {name}: equal rows are possible from then on")
    } else {
        format!("the rebuild of {table} loses the index {name}")
    };
    let finding = findings
        .report(&rebuilt.drop, message)
        .help("make it anew behind the rename, or drop it by name where it is no longer needed");
    finding
        .suggestions
        .extend(again(context, rebuilt, ObjectKind::Index, name, !index.unique));
}

/// The statement that made it, behind the rebuild.
fn again(context: &Context<'_>, rebuilt: &Rebuilt<'_>, kind: ObjectKind, name: &str, safe: bool) -> Option<Suggestion> {
    let before = rebuilt.before.as_ref()?;
    let statements = context.before.member_ddl(kind, &before.name, name)?;
    let last = context.migration.statements().get(last_statement(rebuilt) as usize)?;
    let at = sql::end_with_semicolon(context, last);
    let mut text = if at == last.span.end {
        ";".to_owned()
    } else {
        String::new()
    };
    for statement in statements {
        text.push('\n');
        text.push_str(statement.trim_end().trim_end_matches(';'));
        text.push(';');
    }
    let title = format!("make the {kind} {name} anew");
    let edits = vec![Edit::insert(at, text)];
    Some(if safe {
        Suggestion::automatic(title, edits)
    } else {
        Suggestion::manual(title, edits)
    })
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Applicability;
    use tollgate_plugin::Severity::Medium;

    use super::RULE;
    use crate::judge::{fixed, sqlite};

    const USERS: &str = "\
        CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT, age INTEGER);
        CREATE INDEX \"users_Name\" ON users (name);";

    const REBUILD: &str = "\
        PRAGMA foreign_keys=OFF;\n\
        CREATE TABLE \"new_users\" (id INTEGER PRIMARY KEY, email TEXT NOT NULL, name TEXT);\n\
        INSERT INTO \"new_users\" (id, email, name) SELECT id, email, name FROM \"users\";\nDROP TABLE \"users\";\n\
        ALTER TABLE \"new_users\" RENAME TO \"users\";\n";

    #[test]
    fn they_go_with_the_old_table() {
        let rule = sqlite(&RULE);
        rule.reports(
            USERS,
            REBUILD,
            Medium,
            "the rebuild of users loses the index users_Name",
        );
        rule.reports(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT); CREATE UNIQUE INDEX mail ON users (email);",
            REBUILD,
            Medium,
            "the rebuild of users loses the unique index mail: equal rows are possible from then on",
        );
        rule.reports(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT); CREATE TABLE log (x);
             CREATE TRIGGER noted AFTER INSERT ON users BEGIN INSERT INTO log VALUES (NEW.id); END;",
            REBUILD,
            Medium,
            "the rebuild of users loses the trigger noted",
        );
    }

    #[test]
    fn they_are_made_anew() {
        let rule = sqlite(&RULE);
        rule.ignores(
            USERS,
            &format!("{REBUILD}CREATE INDEX \"users_Name\" ON \"users\"(\"name\");"),
        );
        rule.ignores(
            USERS,
            &format!("{REBUILD}PRAGMA foreign_keys=ON;\nCREATE UNIQUE INDEX other ON users (name);"),
        );
        let inside = REBUILD.replace("INSERT INTO", "CREATE INDEX i ON new_users (name);\nINSERT INTO");
        rule.ignores(USERS, &inside);
    }

    #[test]
    fn they_are_meant_to_go() {
        let rule = sqlite(&RULE);
        rule.ignores(USERS, &format!("DROP INDEX \"users_Name\";\n{REBUILD}"));
        let age = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, age INTEGER); CREATE INDEX a ON users (age);";
        rule.ignores(age, REBUILD);
        rule.ignores("", REBUILD);
    }

    #[test]
    fn the_statement_is_offered() {
        let findings = sqlite(&RULE).on(USERS).check(REBUILD);
        let suggestion = &findings[0].suggestions[0];
        assert_eq!(suggestion.applicability, Applicability::Automatic);
        let text = fixed(&sqlite(&RULE).on(USERS), REBUILD).unwrap_or_default();
        assert!(
            text.ends_with("RENAME TO \"users\";\nCREATE INDEX \"users_Name\" ON users (name);\n"),
            "{text}"
        );
    }
}
