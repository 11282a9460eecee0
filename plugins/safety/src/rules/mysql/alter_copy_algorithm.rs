//! `alter-copy-algorithm`: an ALTER TABLE that can only be done by copying the table.

use tollgate_plugin::rules::{Context, Findings, Rule};
use tollgate_plugin::{Dialect, Operation, Severity};

use super::alterations::{self, Way};
use super::{by_statement, values};
use crate::tables::busy;

pub(super) const RULE: Rule = Rule {
    id: "alter-copy-algorithm",
    summary: "ALTER TABLE copies the whole table while nobody can write to it",
    severity: Severity::Medium,
    triggers: &["add-column", "alter-column-type", "add-constraint", "drop-constraint", "alter-table"],
    dialects: &[Dialect::Mysql],
    explanation: "\
**What it does.** Reports an `ALTER TABLE` of a table in use that InnoDB can only do with `ALGORITHM=COPY`: another type of a \
column, `CONVERT TO CHARACTER SET`, a foreign key while `foreign_key_checks` is on, a check, a stored generated column, a primary \
key that goes without another taking its place, another storage engine, other partitions, or `ALGORITHM=COPY` itself. Appending \
values to an `ENUM` and lengthening a `VARCHAR` are done without a copy; of what the old type was, the earlier migrations tell. Silent on \
MariaDB 11.2 and newer, which copies while others write. That an `ENUM`'s values change their places is said by `enum-reorder`.

**Why it matters.** Every row is read and written to a new table, with all its indexes. From its beginning to its end inserts, \
updates and deletes wait, on a large table for hours; replicas do the same afterwards and fall behind.

**Instead.** Add a column of the new type (`ALGORITHM=INSTANT`), fill it in batches, move the application, drop the old one later. Or let \
gh-ost or pt-online-schema-change copy the table: they follow the writes meanwhile.",
    bad: "CREATE TABLE orders (id int PRIMARY KEY, total int NOT NULL);\n-- migration\n\
          ALTER TABLE orders MODIFY total bigint NOT NULL;",
    good: "CREATE TABLE orders (id int PRIMARY KEY, total int NOT NULL);\n-- migration\n\
           ALTER TABLE orders ADD COLUMN total_cents bigint, ALGORITHM=INSTANT;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    if alterations::copies_online(context) {
        return;
    }
    for steps in by_statement(context) {
        let copying = steps.iter().find_map(|step| match alterations::way(context, step)? {
            Way::Copy(why) if !is_reordered_enum(step) => Some((step, why)),
            _ => None,
        });
        let Some((step, why)) = copying else { continue };
        let Some(table) = alterations::table(step).and_then(|table| busy(context, step, table)) else {
            continue;
        };
        let verb = step.verb("copies", "copy");
        let message = format!(
            "{verb} {}, which nobody can write to until it is done: {why}",
            table.shown()
        );
        let help = match &step.effect.operation {
            Operation::AddConstraint(added) if added.constraint.references.is_some() => {
                "with foreign_key_checks = 0 it is added in place, but the rows that are there are not checked; or let gh-ost \
                 or pt-online-schema-change copy the table"
            }
            Operation::AlterColumnType(_) => {
                "add a column of the new type, fill it in batches and move over; or let gh-ost or pt-online-schema-change \
                 copy the table"
            }
            _ => "let gh-ost or pt-online-schema-change copy the table: they follow the writes meanwhile",
        };
        findings.report(step, message).severity(table.severity()).help(help);
    }
}

/// An enum for an enum: `enum-reorder` says that it is copied, and why that is the lesser harm.
fn is_reordered_enum(step: &tollgate_plugin::rules::Step<'_>) -> bool {
    matches!(&step.effect.operation, Operation::AlterColumnType(change) if values::of(&change.to).is_some())
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::mysql;

    const ORDERS: &str = "CREATE TABLE users (id INT PRIMARY KEY);
        CREATE TABLE `orders` (id INT NOT NULL AUTO_INCREMENT, total INT NOT NULL, `note` VARCHAR(100), code VARCHAR(20), kind ENUM('a','b'),
            at DATETIME(3), user_id INT, PRIMARY KEY (id), KEY (user_id));";

    fn message(why: &str) -> String {
        format!("copies orders, which nobody can write to until it is done: {why}")
    }

    #[test]
    fn the_table_is_copied() {
        let rule = mysql(&RULE);
        for (clause, why) in [
            ("MODIFY total BIGINT NOT NULL", "the type of a column changes"),
            (
                "MODIFY COLUMN `total` INT UNSIGNED NOT NULL",
                "the type of a column changes",
            ),
            (
                "CHANGE total sum DECIMAL(10,2) NOT NULL, ADD x INT",
                "the type of a column changes",
            ),
            ("MODIFY note VARCHAR(50)", "the type of a column changes"),
            ("MODIFY code VARCHAR(300)", "the type of a column changes"),
            ("MODIFY `at` DATETIME(6)", "the type of a column changes"),
            (
                "CONVERT TO CHARACTER SET utf8mb4",
                "the character set of every column is converted",
            ),
            ("DROP PRIMARY KEY", "the primary key goes and no other takes its place"),
            (
                "ADD CONSTRAINT `fk` FOREIGN KEY (`user_id`) REFERENCES `users` (id)",
                "a foreign key is added while foreign_key_checks is on",
            ),
            ("ADD CHECK (total > 0)", "a check is added"),
            (
                "ADD twice INT AS (total * 2) STORED",
                "a stored generated column is added",
            ),
            ("ENGINE = MyISAM", "the storage engine changes"),
            ("REMOVE PARTITIONING", "the rows are put into other partitions"),
            ("ADD x INT, ALGORITHM=COPY", "it asks for that"),
        ] {
            rule.reports(ORDERS, &format!("ALTER TABLE orders {clause};"), Medium, &message(why));
        }
        rule.version(10, 11, 0).reports(
            ORDERS,
            "ALTER TABLE shop.orders ENGINE=MyISAM, CONVERT TO CHARACTER SET latin1;",
            Medium,
            &message("the storage engine changes").replace("orders", "shop.orders"),
        );
        let large = rule.on(ORDERS).rows("orders", 5_000_000);
        let why = "copies orders (about 5,000,000 rows), which nobody can write to until it is done: a check is added";
        assert_reports(&large, "ALTER TABLE orders ADD CHECK (total > 0)", High, why);
    }

    #[test]
    fn it_is_done_in_place() {
        let rule = mysql(&RULE);
        for clause in [
            "ADD COLUMN x INT, DROP COLUMN note, RENAME COLUMN code TO c",
            "MODIFY total INT NOT NULL DEFAULT 5",
            "MODIFY total INT(11) NULL",
            "MODIFY note VARCHAR(200)",
            "MODIFY kind ENUM('a', 'b', 'c')",
            "MODIFY kind ENUM('b', 'a')",
            "DROP PRIMARY KEY, ADD PRIMARY KEY (id, total)",
            "ADD twice INT AS (total * 2) VIRTUAL",
            "ENGINE=InnoDB, ALGORITHM=INPLACE",
            "ADD CHECK (total > 0) NOT ENFORCED",
            "ADD INDEX (total), ADD UNIQUE (note)",
        ] {
            rule.ignores(ORDERS, &format!("ALTER TABLE orders {clause};"));
        }
        rule.ignores(
            ORDERS,
            "SET foreign_key_checks = 0; ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id);",
        );
        rule.ignores("", "ALTER TABLE orders MODIFY total BIGINT;");
        rule.version(11, 4, 0)
            .ignores(ORDERS, "ALTER TABLE orders MODIFY total BIGINT;");
    }

    #[test]
    fn nobody_waits() {
        let rule = mysql(&RULE);
        rule.ignores(
            "",
            "CREATE TABLE t (a INT, b INT); ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES users (id);",
        );
        rule.ignores(ORDERS, "CREATE TABLE t LIKE orders; ALTER TABLE t MODIFY total BIGINT;");
        rule.ignores(ORDERS, "TRUNCATE orders; ALTER TABLE orders MODIFY total BIGINT;");
        assert_ignores(
            &rule.on(ORDERS).rows("orders", 5),
            "ALTER TABLE orders MODIFY total BIGINT;",
        );
        assert_ignores(
            &rule.on(ORDERS).pending("CREATE TABLE t (a INT);"),
            "ALTER TABLE t ADD CHECK (a > 1);",
        );
    }
}
