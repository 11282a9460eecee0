//! `non-transactional-ddl-in-multi-statement-file`: a file that can fail half-way, and stays there.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ConstraintKind, Dialect, ObjectName, Operation, Severity};

use super::{alterations, by_statement};
use crate::tables::busy;

pub(super) const RULE: Rule = Rule {
    id: "non-transactional-ddl-in-multi-statement-file",
    summary: "A statement that can fail stands behind changes of the schema that no rollback takes back",
    severity: Severity::Medium,
    triggers: &["add-column", "drop-column", "rename-column", "alter-column-type", "set-not-null", "drop-not-null", "set-default", "drop-default", "set-identity", "add-constraint", "drop-constraint", "create-index", "insert", "update", "delete", "alter-table"],
    dialects: &[Dialect::Mysql],
    explanation: "\
**What it does.** Reports the first statement of a file that changes a table in use after another statement of the file has changed the \
schema. Medium where rows that are there can make it fail (a key, a foreign key, a check, another type, NOT NULL, a change of rows), low where only a lock can. \
Once a file. Silent where the file only makes new tables, or changes the schema once.

**Why it matters.** MySQL and MariaDB commit before and after each change of the schema; a transaction around the file does not help. When the \
second statement fails, the first stays: the file can neither be run again (its first statement fails now) nor is it done, and somebody has to \
mend the database by hand.

**Instead.** One such statement a migration. Several changes of one table go into one `ALTER TABLE`, which is done or not done as a whole.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, email varchar(191));\n-- migration\n\
          ALTER TABLE users ADD COLUMN age int, ALGORITHM=INSTANT;\n\
          ALTER TABLE users ADD UNIQUE INDEX users_email (email), ALGORITHM=INPLACE, LOCK=NONE;",
    good: "CREATE TABLE users (id int PRIMARY KEY, email varchar(191));\n-- migration\n\
           ALTER TABLE users ADD COLUMN age int, ADD UNIQUE INDEX users_email (email), ALGORITHM=INPLACE, LOCK=NONE;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let mut committed = 0_usize;
    let mut first: Option<(Step<'_>, Severity, usize)> = None;
    for steps in by_statement(context) {
        if committed > 0
            && let Some((step, level)) = can_fail(context, &steps)
            && first
                .as_ref()
                .is_none_or(|(_, known, _)| *known == Severity::Low && level == Severity::Medium)
        {
            first = Some((step, level, committed));
        }
        committed += usize::from(!steps[0].statement.transactional);
    }
    let Some((step, level, committed)) = first else { return };
    let above = if committed == 1 {
        "the statement above that is committed by then stays".to_owned()
    } else {
        format!("the {committed} statements above that are committed by then stay")
    };
    let why = if level == Severity::Medium {
        "a row that is there"
    } else {
        "a lock"
    };
    let message = format!("can fail on {why}, and {above}: the file is then neither done nor can it be run again");
    findings
        .report(&step, message)
        .severity(level)
        .help("put it into a migration of its own; several changes of one table go into one ALTER TABLE");
}

/// The part of a statement that most likely makes it fail; `None` where it touches nothing that is in use.
fn can_fail<'a>(context: &Context<'a>, steps: &[Step<'a>]) -> Option<(Step<'a>, Severity)> {
    let in_use = |step: &&Step<'a>| touched(step).is_some_and(|table| busy(context, step, table).is_some());
    let mut touching = steps.iter().filter(in_use);
    let first = touching.next()?;
    let by_rows = steps
        .iter()
        .find(|step| depends_on_rows(&step.effect.operation) && in_use(step));
    Some(match by_rows {
        Some(step) => (*step, Severity::Medium),
        None => (*first, Severity::Low),
    })
}

fn touched<'a>(step: &Step<'a>) -> Option<&'a ObjectName> {
    match &step.effect.operation {
        Operation::Insert(change) | Operation::Update(change) | Operation::Delete(change) => Some(&change.table),
        _ => alterations::table(step),
    }
}

/// Rows that are there can make it fail.
fn depends_on_rows(operation: &Operation) -> bool {
    match operation {
        Operation::AlterColumnType(_)
        | Operation::SetNotNull(_)
        | Operation::Insert(_)
        | Operation::Update(_)
        | Operation::Delete(_) => true,
        Operation::CreateIndex(index) => index.unique,
        Operation::AddConstraint(added) => added.constraint.kind != ConstraintKind::NotNull,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};
    use tollgate_plugin::testing::assert_ignores;

    use super::RULE;
    use crate::judge::mysql;

    const SHOP: &str = "CREATE TABLE users (id INT PRIMARY KEY, email VARCHAR(191)); CREATE TABLE `orders` (id INT PRIMARY KEY, user_id INT);";

    fn message(why: &str, above: &str) -> String {
        format!("can fail on {why}, and {above} by then stay: the file is then neither done nor can it be run again")
    }

    #[test]
    fn what_is_above_stays() {
        let rule = mysql(&RULE);
        let one = message("a row that is there", "the statement above that is committed")
            .replace("then stay:", "then stays:");
        rule.reports(
            SHOP,
            "ALTER TABLE users ADD age INT; CREATE UNIQUE INDEX u ON users (email);",
            Medium,
            &one,
        );
        rule.reports(
            SHOP,
            "START TRANSACTION; CREATE TABLE t (a INT); INSERT INTO users VALUES (1, 'a'); COMMIT;",
            Medium,
            &one,
        );
        rule.reports(
            "",
            "DROP TABLE a; UPDATE `users` SET email = '' WHERE email IS NULL;",
            Medium,
            &one,
        );
        let two = message("a row that is there", "the 2 statements above that are committed");
        rule.reports(
            SHOP,
            "CREATE TABLE t (a INT); ALTER TABLE users ADD age INT; ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id);",
            Medium,
            &two,
        );
        let lock = message("a lock", "the statement above that is committed").replace("then stay:", "then stays:");
        rule.reports(
            SHOP,
            "ALTER TABLE users ADD age INT; ALTER TABLE orders ADD age INT;",
            Low,
            &lock,
        );
    }

    #[test]
    fn nothing_is_left_half_done() {
        let rule = mysql(&RULE);
        for script in [
            "ALTER TABLE users ADD age INT, ADD UNIQUE (email), MODIFY email VARCHAR(100) NOT NULL;",
            "UPDATE users SET email = ''; INSERT INTO orders VALUES (1, 1); ALTER TABLE users ADD UNIQUE (email);",
            "SET foreign_key_checks = 0; ALTER TABLE users DROP email;",
            "CREATE TABLE a (x INT); CREATE TABLE b (y INT); ALTER TABLE b ADD FOREIGN KEY (y) REFERENCES a (x); INSERT INTO a VALUES (1);",
            "CREATE TEMPORARY TABLE t (a INT); UPDATE users SET email = '';",
            "ALTER TABLE users ADD age INT; DROP TABLE orders;",
        ] {
            rule.ignores(SHOP, script);
        }
        assert_ignores(
            &rule.on(SHOP).pending("CREATE TABLE t (a INT);"),
            "ALTER TABLE t ADD b INT; ALTER TABLE t ADD UNIQUE (b);",
        );
    }
}
