//! `alter-without-algorithm-or-lock`: an ALTER TABLE that leaves it to the server how many have to wait.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dialect, Edit, Operation, Severity, Suggestion};

use super::alterations::{self, Way};
use super::by_statement;
use crate::tables::busy;

pub(super) const RULE: Rule = Rule {
    id: "alter-without-algorithm-or-lock",
    summary: "ALTER TABLE or CREATE INDEX does not say that it must not copy the table",
    severity: Severity::Medium,
    triggers: &["add-column", "drop-column", "alter-column-type", "set-not-null", "drop-not-null", "add-constraint", "drop-constraint", "create-index", "alter-table"],
    dialects: &[Dialect::Mysql],
    explanation: "\
**What it does.** Reports an `ALTER TABLE` or `CREATE INDEX` of a table in use that builds the table or an index anew and says \
neither `ALGORITHM` nor `LOCK`. Low where the server can usually do it at once (`ADD COLUMN`). Silent where it only ever \
changes the dictionary (a default, a name, an index that goes), and where it is certain that the table is copied: \
`alter-copy-algorithm` says that.

**Why it matters.** The server takes the best way that it can. Where it cannot do it in place (a full-text index, another row format, \
too many instant columns, an older version) it copies the table instead, without a word, and nobody can write meanwhile. Tried on a \
small copy, it looks the same.

**Instead.** Say what it may cost: `ALGORITHM=INSTANT`, or `ALGORITHM=INPLACE, LOCK=NONE`. Then it fails at once instead of \
holding everybody up.",
    bad: "CREATE TABLE users (id int PRIMARY KEY, email varchar(191));\n-- migration\n\
          ALTER TABLE users ADD INDEX users_email (email);",
    good: "CREATE TABLE users (id int PRIMARY KEY, email varchar(191));\n-- migration\n\
           ALTER TABLE users ADD INDEX users_email (email), ALGORITHM=INPLACE, LOCK=NONE;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for steps in by_statement(context) {
        let ways = steps
            .iter()
            .filter_map(|step| Some((step, alterations::way(context, step)?)));
        // The costliest part decides; of equals the first is pointed at.
        let costliest = ways.reduce(|one, other| if other.1 > one.1 { other } else { one });
        let Some((step, way)) = costliest else { continue };
        if way == Way::Metadata || matches!(way, Way::Copy(_)) || alterations::says_how(context, step) {
            continue;
        }
        let Some(table) = alterations::table(step).and_then(|table| busy(context, step, table)) else {
            continue;
        };
        let (demand, otherwise) = match way {
            Way::Instant => (
                "ALGORITHM=INSTANT",
                "where that cannot be done at once, the server builds the table anew without a word",
            ),
            Way::Shared => (
                "ALGORITHM=INPLACE, LOCK=SHARED",
                "nobody can write until it is done, and where it cannot be done in place, the server copies the table without a word",
            ),
            _ => (
                "ALGORITHM=INPLACE, LOCK=NONE",
                "where that cannot be done in place, the server copies the table without a word, and nobody can write meanwhile",
            ),
        };
        let verb = match &step.effect.operation {
            Operation::CreateIndex(_) => step.verb("builds an index on", "build an index on"),
            _ => step.verb("alters", "alter"),
        };
        let message = format!(
            "{verb} {} and says neither ALGORITHM nor LOCK: {otherwise}",
            table.shown()
        );
        let level = if way == Way::Instant {
            Severity::Low
        } else {
            Severity::Medium
        };
        let finding = findings.report(step, message).severity(level).help(format!(
            "say `{demand}`: then it fails at once instead of holding everybody up"
        ));
        if let Some(edit) = edit(context, step, demand) {
            let title = format!("demand {demand}");
            // An index of plain columns can always be built in place; of the rest only the server knows.
            let always =
                matches!(&step.effect.operation, Operation::CreateIndex(_)) && way == Way::InPlace && steps.len() == 1;
            finding.suggest(if always {
                Suggestion::automatic(title, vec![edit])
            } else {
                Suggestion::manual(title, vec![edit])
            });
        }
    }
}

/// The demand at the end of the statement: behind a comma in ALTER TABLE, without one in CREATE INDEX.
fn edit(context: &Context<'_>, step: &Step<'_>, demand: &str) -> Option<Edit> {
    let span = step.statement.span;
    let text = span.of(context.migration.text());
    // What stands in an executable comment ends with it.
    let in_comment = text.starts_with("/*") || text.ends_with("*/");
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    let written = if first.eq_ignore_ascii_case("create") {
        format!(" {}", demand.replace(", ", " "))
    } else {
        format!(", {demand}")
    };
    (!in_comment).then(|| Edit::insert(span.end, written))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{Low, Medium};
    use tollgate_plugin::testing::assert_ignores;

    use super::RULE;
    use crate::judge::{fixed, mysql};

    const USERS: &str =
        "CREATE TABLE `users` (id INT NOT NULL AUTO_INCREMENT, `email` VARCHAR(191), name VARCHAR(100) NOT NULL,
        kind ENUM('a'), lock_ INT, PRIMARY KEY (id), KEY `by_name` (name));";
    const IN_PLACE: &str = "users and says neither ALGORITHM nor LOCK: where that cannot be done in place, the server copies the table \
        without a word, and nobody can write meanwhile";
    const AT_ONCE: &str = "alters users and says neither ALGORITHM nor LOCK: where that cannot be done at once, the server builds the table \
        anew without a word";

    #[test]
    fn it_is_left_to_the_server() {
        let rule = mysql(&RULE);
        let in_place = format!("alters {IN_PLACE}");
        for (clause, level, message) in [
            ("ADD COLUMN age INT", Low, AT_ONCE),
            ("ADD `age` INT, ALTER name SET DEFAULT 'x'", Low, AT_ONCE),
            ("MODIFY kind ENUM('a', 'b')", Low, AT_ONCE),
            ("ADD COLUMN age INT AFTER id", Medium, &in_place),
            ("DROP COLUMN email", Medium, &in_place),
            ("ADD age INT, MODIFY email VARCHAR(191) NOT NULL", Medium, &in_place),
            ("MODIFY name VARCHAR(100)", Medium, &in_place),
            ("MODIFY name VARCHAR(255) NOT NULL", Medium, &in_place),
            ("DROP PRIMARY KEY, ADD PRIMARY KEY (id, email)", Medium, &in_place),
            ("ENGINE=InnoDB", Medium, &in_place),
        ] {
            rule.reports(USERS, &format!("ALTER TABLE users {clause};"), level, message);
        }
        let index = format!("builds an index on {IN_PLACE}");
        rule.reports(USERS, "CREATE UNIQUE INDEX u ON users (email);", Medium, &index);
        rule.reports(
            "",
            "ALTER TABLE `users` ADD INDEX i (email(10)), ADD age INT;",
            Medium,
            &index,
        );
        rule.reports(
            USERS,
            "CREATE FULLTEXT INDEX f ON users (name);",
            Medium,
            "builds an index on users and says neither ALGORITHM nor LOCK: nobody can write until it is done, and where it cannot be \
             done in place, the server copies the table without a word",
        );
    }

    #[test]
    fn the_version_says_what_is_done_at_once() {
        let rule = mysql(&RULE);
        let dropped = "ALTER TABLE users DROP COLUMN email;";
        rule.version(8, 0, 29).reports(USERS, dropped, Low, AT_ONCE);
        rule.version(10, 11, 0).reports(USERS, dropped, Low, AT_ONCE);
        rule.version(8, 0, 20)
            .reports(USERS, dropped, Medium, &format!("alters {IN_PLACE}"));
        let added = "ALTER TABLE users ADD age INT;";
        rule.version(5, 7, 44)
            .reports(USERS, added, Medium, &format!("alters {IN_PLACE}"));
        rule.version(10, 6, 0)
            .reports(USERS, "ALTER TABLE users ADD age INT FIRST;", Low, AT_ONCE);
    }

    #[test]
    fn it_is_said_or_costs_nothing() {
        let rule = mysql(&RULE);
        for script in [
            "ALTER TABLE users ADD age INT, ALGORITHM=INSTANT;",
            "ALTER TABLE users ADD INDEX (email), lock = none;",
            "CREATE INDEX i ON users (email) ALGORITHM INPLACE LOCK NONE;",
            "SET SESSION alter_algorithm = 'INPLACE'; ALTER TABLE users DROP email;",
            "ALTER TABLE users ALTER name SET DEFAULT 'x', RENAME INDEX by_name TO n, DROP INDEX n;",
            "ALTER TABLE users RENAME COLUMN name TO full_name; ALTER TABLE users RENAME TO people;",
            "ALTER TABLE users MODIFY name VARCHAR(100) NOT NULL COMMENT 'x';",
            "ALTER TABLE users MODIFY id INT AUTO_INCREMENT;",
            "ALTER TABLE users MODIFY name TEXT;",
            "CREATE TABLE t (a INT); ALTER TABLE t ADD b INT; CREATE INDEX i ON t (b);",
            "DELETE FROM users; ALTER TABLE users DROP email;",
        ] {
            rule.ignores(USERS, script);
        }
        assert_ignores(&rule.on(USERS).rows("users", 10), "ALTER TABLE users DROP email;");
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a INT);"),
            "ALTER TABLE t ADD b INT;",
        );
    }

    #[test]
    fn it_can_be_said() {
        let test = mysql(&RULE).on(USERS);
        for (script, expected) in [
            (
                "CREATE INDEX i ON users (email);\n",
                "CREATE INDEX i ON users (email) ALGORITHM=INPLACE LOCK=NONE;\n",
            ),
            (
                "ALTER TABLE users\n  ADD age INT -- years\n;",
                "ALTER TABLE users\n  ADD age INT, ALGORITHM=INSTANT -- years\n;",
            ),
            (
                "ALTER TABLE users DROP email, ADD INDEX (name)",
                "ALTER TABLE users DROP email, ADD INDEX (name), ALGORITHM=INPLACE, LOCK=NONE",
            ),
            (
                "ALTER TABLE users ADD FULLTEXT (name);",
                "ALTER TABLE users ADD FULLTEXT (name), ALGORITHM=INPLACE, LOCK=SHARED;",
            ),
        ] {
            assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        }
        assert!(fixed(&test, "/*!40000 ALTER TABLE users ADD age INT */;").is_none());
    }
}
