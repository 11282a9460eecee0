//! `change-column-rename`: CHANGE gives a column another name, and defines it anew on the way.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, words};
use tollgate_plugin::{ColumnRename, Dialect, Operation, Severity};

use super::is_change;

pub(super) const RULE: Rule = Rule {
    id: "change-column-rename",
    summary: "CHANGE renames a column while the application uses its name",
    severity: Severity::High,
    triggers: &["rename-column"],
    dialects: &[Dialect::Mysql],
    explanation: "\
**What it does.** Reports `CHANGE old new …` of a column that was there before the plan, and says what the new definition leaves out of \
the old one: NOT NULL, the default, `AUTO_INCREMENT`. (`RENAME COLUMN` is said by `rename-column`. A `CHANGE` that keeps the name is not reported.)

**Why it matters.** The application that is running names the old column: its queries fail from then on, until every instance has been \
replaced, and the old release cannot be brought back. And `CHANGE` does not rename, it says the whole column anew: what it does not repeat is \
gone, without a word.

**Instead.** Add the new column, write both, fill the old rows in batches, move the readers, and drop the old one in a later release. \
Where nothing reads the column, `RENAME COLUMN` (MySQL 8.0, MariaDB 10.5.2) changes the name and nothing else.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, name varchar(100) NOT NULL);\n-- migration\n\
          ALTER TABLE users CHANGE name full_name varchar(100) NOT NULL;",
    good: "CREATE TABLE users (id int PRIMARY KEY, name varchar(100) NOT NULL);\n-- migration\n\
           ALTER TABLE users ADD COLUMN full_name varchar(100), ALGORITHM=INSTANT;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::RenameColumn(rename) = &step.effect.operation
            && is_change(context, &step)
        {
            report(context, findings, &step, rename);
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, rename: &ColumnRename) {
    let (from, to) = (&rename.from.column, &rename.to);
    if context.is_new_column(step, &rename.from) || context.same_identifier(from, to) {
        return;
    }
    let known_empty = context
        .original_column(step, &rename.from)
        .is_none_or(|original| context.before.known_empty(&original.table));
    if known_empty {
        return;
    }
    let verb = step.verb("renames", "rename");
    let mut message = format!(
        "{verb} the column {} to {to}: queries of the running application that name {from} fail",
        rename.from
    );
    let lost = lost(context, step, rename);
    if !lost.is_empty() {
        message = format!("{message}; the new definition leaves out its {}", words::list(&lost));
    }
    findings.report(step, message).help(format!(
        "add {to} beside it, write both, move the readers, and drop {from} in a later release"
    ));
}

/// What the column had and the same clause does not repeat.
fn lost(context: &Context<'_>, step: &Step<'_>, rename: &ColumnRename) -> Vec<&'static str> {
    let Some(original) = context.original_column(step, &rename.from) else {
        return Vec::new();
    };
    let Some(relation) = context.before.relation(&original.table) else {
        return Vec::new();
    };
    let Some(column) = relation.column(&original.column) else {
        return Vec::new();
    };
    let in_key = relation
        .primary_key()
        .iter()
        .any(|name| context.same_identifier(name, &original.column));
    let clause = context.steps().filter(|other| other.effect.at == step.effect.at);
    let mut lost = Vec::new();
    for other in clause {
        match &other.effect.operation {
            Operation::DropNotNull(_) if column.not_null && !in_key => lost.push("NOT NULL"),
            Operation::DropDefault(_) if column.default.is_some() => lost.push("default"),
            Operation::SetIdentity(change) if change.identity.is_none() && column.identity.is_some() => {
                lost.push("AUTO_INCREMENT");
            }
            _ => {}
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;
    use tollgate_plugin::testing::assert_ignores;

    use super::RULE;
    use crate::judge::mysql;

    const USERS: &str = "CREATE TABLE `users` (id INT NOT NULL AUTO_INCREMENT, `name` VARCHAR(100) NOT NULL DEFAULT '', age INT, PRIMARY KEY (id));";

    fn message(from: &str, to: &str) -> String {
        format!("renames the column users.{from} to {to}: queries of the running application that name {from} fail")
    }

    #[test]
    fn queries_name_the_old_column() {
        let rule = mysql(&RULE);
        let said = message("name", "full_name");
        rule.reports("", "ALTER TABLE users CHANGE name full_name TEXT;", High, &said);
        rule.reports(
            USERS,
            "ALTER TABLE `users` ADD x INT, CHANGE COLUMN `name` `full_name` VARCHAR(100) NOT NULL DEFAULT '';",
            High,
            &said,
        );
        rule.reports(
            USERS,
            "ALTER TABLE users CHANGE NAME full_name VARCHAR(50);",
            High,
            &format!(
                "{}; the new definition leaves out its NOT NULL and default",
                message("NAME", "full_name")
            ),
        );
        rule.reports(
            USERS,
            "ALTER TABLE users CHANGE id uid BIGINT FIRST;",
            High,
            &format!(
                "{}; the new definition leaves out its AUTO_INCREMENT",
                message("id", "uid")
            ),
        );
    }

    #[test]
    fn the_name_stays() {
        let rule = mysql(&RULE);
        rule.ignores(USERS, "ALTER TABLE users CHANGE name name TEXT, CHANGE age Age INT;");
        rule.ignores(USERS, "ALTER TABLE users RENAME COLUMN name TO full_name;");
        rule.ignores(USERS, "ALTER TABLE users MODIFY name TEXT;");
    }

    #[test]
    fn nobody_uses_what_is_new() {
        let rule = mysql(&RULE);
        rule.ignores("", "CREATE TABLE t (a INT); ALTER TABLE t CHANGE a b INT;");
        rule.ignores(USERS, "ALTER TABLE users ADD x INT; ALTER TABLE users CHANGE x y INT;");
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a INT);"),
            "ALTER TABLE t CHANGE a b INT;",
        );
    }
}
