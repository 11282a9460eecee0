//! `enum-reorder`: the values of an ENUM or SET get other numbers.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words};
use tollgate_plugin::{ColumnTypeChange, Dialect, Operation, Severity};

use super::values;
use crate::tables::busy;

pub(super) const RULE: Rule = Rule {
    id: "enum-reorder",
    summary: "Values of an ENUM or SET change their places",
    severity: Severity::Medium,
    triggers: &["alter-column-type"],
    dialects: &[Dialect::Mysql],
    explanation: "\
**What it does.** Reports `MODIFY` and `CHANGE` of an `ENUM` or `SET` column after which a value stands at another place in the \
list: values are put in front of it, or the list is sorted anew. Appending values is not reported. Values that are taken away are \
said by `destructive/alter-column-type`. The earlier migrations or the catalog tell the old list.

**Why it matters.** A row holds the place of its value, not the value, so every row has to be written anew: the table is copied while \
nobody can write to it. And the place is what `ORDER BY`, `<`, `MIN`, `MAX`, and a column read as a number (`role + 0`) go by: \
from then on they answer differently.

**Instead.** Append new values at the end. Where the order matters, keep it in a table of its own, or sort by \
`FIELD(role, 'a', 'b')`.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, role enum('user', 'admin') NOT NULL);\n-- migration\n\
          ALTER TABLE users MODIFY role enum('admin', 'user') NOT NULL;",
    good: "CREATE TABLE users (id int PRIMARY KEY, role enum('user', 'admin') NOT NULL);\n-- migration\n\
           ALTER TABLE users MODIFY role enum('user', 'admin', 'guest') NOT NULL, ALGORITHM=INSTANT;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::AlterColumnType(change) = &step.effect.operation {
            report(context, findings, &step, change);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, change: &ColumnTypeChange) {
    let column = &change.column;
    let Some(new) = values::of(&change.to) else { return };
    let old = context.original_column(step, column).and_then(|original| {
        let relation = context.before.relation(&original.table)?;
        values::of(&relation.column(&original.column)?.data_type)
    });
    let Some(old) = old else { return };
    let is_lost = |value: &String| !new.iter().any(|other| other == value);
    if old.iter().any(is_lost) {
        return;
    }
    let moved: Vec<&String> = old
        .iter()
        .enumerate()
        .filter(|(place, value)| new.get(*place) != Some(value))
        .map(|(_, value)| value)
        .collect();
    if moved.is_empty() {
        return;
    }
    let Some(table) = busy(context, step, &column.table) else {
        return;
    };
    let verb = step.verb("moves", "move");
    let message = format!(
        "{verb} {} of {column} to another place: {} is copied while nobody can write to it, and what is sorted or compared by the \
         column comes out differently",
        words::list(&moved),
        table.shown()
    );
    let mut appended: Vec<String> = old.clone();
    appended.extend(new.iter().filter(|value| !old.contains(value)).cloned());
    let finding = findings.report(step, message).severity(table.severity());
    if appended.len() == old.len() {
        finding.help("leave the values where they are, and sort by FIELD(…) where another order is wanted");
    } else {
        let list: Vec<String> = appended
            .iter()
            .map(|value| format!("'{}'", value.replace('\'', "''")))
            .collect();
        finding.help(format!("append what is new: ({})", list.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::mysql;

    const USERS: &str =
        "CREATE TABLE `users` (id INT PRIMARY KEY, `role` ENUM('user', 'admin', 'it''s') NOT NULL DEFAULT 'user',
        flags SET('a', 'b'), name VARCHAR(20));";

    fn message(moved: &str, column: &str) -> String {
        format!(
            "moves {moved} of users.{column} to another place: users is copied while nobody can write to it, and what is sorted or \
             compared by the column comes out differently"
        )
    }

    #[test]
    fn values_get_other_places() {
        let rule = mysql(&RULE);
        rule.reports(
            USERS,
            "ALTER TABLE users MODIFY role ENUM('admin','user','it''s') NOT NULL;",
            Medium,
            &message("user and admin", "role"),
        );
        rule.reports(
            USERS,
            "ALTER TABLE users ADD x INT, MODIFY COLUMN `Role` ENUM('user', \"owner\", 'admin', 'it\\'s') NOT NULL;",
            Medium,
            &message("admin and it's", "Role"),
        );
        rule.reports(
            USERS,
            "ALTER TABLE `users` CHANGE flags marks SET('new', 'a', 'b');",
            Medium,
            &message("a and b", "marks"),
        );
        let large = rule.on(USERS).rows("users", 3_000_000);
        let said = message("a and b", "flags").replace("users is", "users (about 3,000,000 rows) is");
        assert_reports(&large, "ALTER TABLE users MODIFY flags SET('b', 'a');", High, &said);
        let test = rule.on(USERS);
        let found = test.check("ALTER TABLE users MODIFY flags SET('c', 'a', 'b');");
        assert_eq!(
            found.first().and_then(|finding| finding.help.as_deref()),
            Some("append what is new: ('a', 'b', 'c')")
        );
    }

    #[test]
    fn values_keep_their_places() {
        let rule = mysql(&RULE);
        rule.ignores(
            USERS,
            "ALTER TABLE users MODIFY role ENUM('user', 'admin', 'it\\'s', 'guest');",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users MODIFY role ENUM('user', 'admin', 'it''s') NULL;",
        );
        rule.ignores(USERS, "ALTER TABLE users MODIFY role ENUM('admin', 'user');");
        rule.ignores(
            USERS,
            "ALTER TABLE users MODIFY role VARCHAR(20), MODIFY name ENUM('x');",
        );
        rule.ignores("", "ALTER TABLE users MODIFY role ENUM('admin', 'user');");
    }

    #[test]
    fn nobody_has_stored_one() {
        let rule = mysql(&RULE);
        let reorder = "ALTER TABLE t MODIFY a ENUM('y', 'x');";
        rule.ignores("", &format!("CREATE TABLE t (a ENUM('x', 'y')); {reorder}"));
        rule.ignores(
            USERS,
            "DELETE FROM users; ALTER TABLE users MODIFY flags SET('b', 'a');",
        );
        assert_ignores(&rule.on(USERS).pending("CREATE TABLE t (a ENUM('x', 'y'));"), reorder);
    }
}
