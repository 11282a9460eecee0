//! `required-column-without-default`: a NOT NULL column that existing rows have no value for.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{
    ColumnDefinition, ConstraintKind, Dialect, Edit, ObjectKind, ObjectName, Operation, Severity, Suggestion,
};

use crate::rebuild;

pub(super) const RULE: Rule = Rule {
    id: "required-column-without-default",
    summary: "ADD COLUMN … NOT NULL without a default fails on a table with rows",
    severity: Severity::High,
    triggers: &["add-column", "table-rebuild"],
    explanation: "\
**What it does.** Reports a new column that must not be NULL and has no default, on a table that may hold rows; also in a \
SQLite table rebuild.

**Why it matters.** Existing rows have no value for it, so the statement fails. It passes on the empty databases of \
development and tests and fails in production. MySQL and MariaDB make a value up instead (medium): `''`, `0`, the first value \
of an `ENUM`. Nobody can tell it from one that was meant.

**Instead.** Give it a default, or add it without NOT NULL, fill it, and set NOT NULL afterwards.",
    bad: "ALTER TABLE users ADD COLUMN plan text NOT NULL;",
    good: "ALTER TABLE users ADD COLUMN plan text NOT NULL DEFAULT 'free';",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "give it a default, or add it without NOT NULL, fill it, and set NOT NULL afterwards";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Operation::AddColumn(added) = &step.effect.operation else {
            continue;
        };
        let is_key = added
            .constraints
            .iter()
            .any(|constraint| constraint.kind == ConstraintKind::PrimaryKey);
        if !needs_value(&added.column, is_key)
            || context.is_emptied(&step, &added.table)
            || !context.may_hold_rows(&step, &added.table)
        {
            continue;
        }
        let made_up = made_up(context, &added.column).filter(|_| !is_key);
        let outcome = match made_up {
            Some(value) => format!(": every row that is there gets {value}, without a word"),
            None => format!(", which fails {}", on_rows(context, &step, &added.table)),
        };
        let message = format!(
            "{} the required column {}.{} without a default{outcome}",
            step.verb("adds", "add"),
            added.table.short(),
            added.column.name,
        );
        let finding = findings.report(&step, message).help(HELP);
        if made_up.is_some() {
            finding.severity(Severity::Medium);
        }
        if let Some(edit) = without_not_null(context, &step, is_key) {
            finding.suggest(Suggestion::manual("add it without NOT NULL", vec![edit]));
        }
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        for column in rebuilt
            .added(context)
            .filter(|column| needs_value(column, false) && !is_rowid(rebuilt.created, column))
        {
            let table = &rebuilt.rebuild.table;
            let message = format!(
                "the rebuild of {} adds the required column {} without a default, which fails {}",
                table.short(),
                column.name,
                on_rows(context, &rebuilt.create, table)
            );
            findings.report(&rebuilt.create, message).help(HELP);
        }
    }
}

/// The column must have a value, and nothing gives it one.
fn needs_value(column: &ColumnDefinition, is_key: bool) -> bool {
    (column.not_null || is_key)
        && column.default.as_ref().is_none_or(|default| default.is_null)
        && column.generated.is_none()
        && column.identity.is_none()
        && !column.serial
}

/// The value that MySQL makes up for the rows that are there. It has none for dates, whose zero it refuses.
fn made_up(context: &Context<'_>, column: &ColumnDefinition) -> Option<&'static str> {
    if context.dialect() != Dialect::Mysql {
        return None;
    }
    let data_type = column.data_type.to_ascii_lowercase();
    let base = data_type.split(['(', ' ']).next().unwrap_or_default();
    match base {
        "date" | "datetime" | "timestamp" => None,
        "enum" => Some("the first value of the list"),
        "char" | "varchar" | "set" | "binary" | "varbinary" => Some("''"),
        _ if base.ends_with("text") || base.ends_with("blob") => Some("''"),
        _ if base.ends_with("int") || matches!(base, "decimal" | "float" | "double" | "bit" | "year") => Some("0"),
        _ => Some("an empty value"),
    }
}

/// `SQLite` numbers an INTEGER PRIMARY KEY itself.
fn is_rowid(table: &tollgate_plugin::CreatedTable, column: &ColumnDefinition) -> bool {
    column.data_type.eq_ignore_ascii_case("integer")
        && table
            .constraints
            .iter()
            .any(|key| key.kind == ConstraintKind::PrimaryKey && key.columns == [column.name.clone()])
}

fn on_rows(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> String {
    let rows = context
        .original(step, ObjectKind::Table, table)
        .and_then(|original| context.rows_in_words(&original));
    rows.map_or_else(|| "if the table has rows".to_owned(), |rows| format!("on its {rows}"))
}

/// Removes the words NOT NULL, where the clause says them once.
fn without_not_null(context: &Context<'_>, step: &Step<'_>, is_key: bool) -> Option<Edit> {
    let clause = step.effect.at.of(context.migration.text());
    let upper = clause.to_ascii_uppercase();
    let at = upper
        .find(" NOT NULL")
        .filter(|_| !is_key && upper.matches("NOT NULL").count() == 1)?;
    let start = step.effect.at.start + u32::try_from(at).ok()?;
    let end = start + u32::try_from(" NOT NULL".len()).ok()?;
    Some(Edit::replace(tollgate_plugin::Span { start, end }, ""))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, mysql, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY);";
    const MESSAGE: &str = "adds the required column users.plan without a default, which fails if the table has rows";

    #[test]
    fn mysql_makes_a_value_up() {
        let rule = mysql(&RULE);
        let added = |what: &str| format!("adds the required column users.plan without a default{what}");
        for (data_type, value) in [
            ("VARCHAR(20)", "''"),
            ("INT UNSIGNED", "0"),
            ("ENUM('a')", "the first value of the list"),
            ("MEDIUMTEXT", "''"),
            ("JSON", "an empty value"),
        ] {
            let script = format!("ALTER TABLE users ADD COLUMN plan {data_type} NOT NULL;");
            rule.reports(
                USERS,
                &script,
                Medium,
                &added(&format!(": every row that is there gets {value}, without a word")),
            );
        }
        rule.reports(USERS, "ALTER TABLE users ADD plan DATETIME(3) NOT NULL;", High, MESSAGE);
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD n INT NOT NULL DEFAULT 0, ADD m INT NOT NULL AUTO_INCREMENT UNIQUE;",
        );
    }

    #[test]
    fn existing_rows_have_no_value() {
        let rule = postgres(&RULE);
        rule.reports("", "ALTER TABLE users ADD COLUMN plan text NOT NULL;", High, MESSAGE);
        rule.reports(
            USERS,
            "ALTER TABLE \"users\" ADD COLUMN x int, ADD COLUMN \"plan\" text NOT NULL;",
            High,
            MESSAGE,
        );
        rule.reports(
            USERS,
            "ALTER TABLE users ADD plan text NOT NULL DEFAULT NULL;",
            High,
            MESSAGE,
        );
        assert_reports(
            &rule.on(USERS).rows("users", 12),
            "ALTER TABLE users ADD plan text NOT NULL;",
            High,
            "adds the required column users.plan without a default, which fails on its 12 rows",
        );
        rule.reports(
            "CREATE TABLE log (line text);",
            "ALTER TABLE log ADD COLUMN id int PRIMARY KEY;",
            High,
            "adds the required column log.id without a default, which fails if the table has rows",
        );
        sqlite(&RULE).reports(USERS, "ALTER TABLE users ADD COLUMN plan TEXT NOT NULL;", High, MESSAGE);
    }

    #[test]
    fn the_suggestion_removes_the_words() {
        let script = "ALTER TABLE users ADD COLUMN plan text NOT NULL;";
        let findings = postgres(&RULE).on(USERS).check(script);
        let edit = &findings[0].suggestions[0].edits[0];
        let mended = format!(
            "{}{}{}",
            &script[..edit.at.start as usize],
            edit.text,
            &script[edit.at.end as usize..]
        );
        assert_eq!(mended, "ALTER TABLE users ADD COLUMN plan text;");
        postgres(&RULE).ignores(USERS, &mended);
    }

    #[test]
    fn rows_may_be_gone_by_then() {
        let rule = postgres(&RULE);
        let add = "ALTER TABLE users ADD COLUMN plan text NOT NULL;";
        rule.ignores(USERS, &format!("DELETE FROM public.users; {add}"));
        rule.ignores(USERS, &format!("TRUNCATE users; {add}"));
        rule.ignores(
            USERS,
            &format!("ALTER TABLE users RENAME TO u; TRUNCATE u; ALTER TABLE u RENAME TO users; {add}"),
        );
        rule.reports(USERS, &format!("DELETE FROM users WHERE id > 3; {add}"), High, MESSAGE);
        rule.reports(
            USERS,
            &format!("TRUNCATE users; INSERT INTO users VALUES (1); {add}"),
            High,
            MESSAGE,
        );
        rule.reports(
            USERS,
            &format!("DO $$ BEGIN DELETE FROM users; END $$; {add}"),
            High,
            MESSAGE,
        );
    }

    #[test]
    fn something_gives_a_value() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "ALTER TABLE users ADD COLUMN plan text NOT NULL DEFAULT 'free';");
        rule.ignores(USERS, "ALTER TABLE users ADD COLUMN n serial;");
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN n int NOT NULL GENERATED ALWAYS AS IDENTITY;",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN n int NOT NULL GENERATED ALWAYS AS (id * 2) STORED;",
        );
        rule.ignores(
            "",
            "CREATE TABLE users (id int); ALTER TABLE users ADD COLUMN plan text NOT NULL;",
        );
        assert_ignores(
            &rule.on(USERS).rows("users", 0),
            "ALTER TABLE users ADD plan text NOT NULL;",
        );
    }

    #[test]
    fn a_rebuild_may_need_values() {
        let rule = sqlite(&RULE);
        let rebuild = |column: &str| {
            format!(
                "CREATE TABLE new_users (id INTEGER PRIMARY KEY, {column});\nINSERT INTO new_users (id) SELECT id FROM users;\n\
                 DROP TABLE users;\nALTER TABLE new_users RENAME TO users;"
            )
        };
        let message =
            "the rebuild of users adds the required column plan without a default, which fails if the table has rows";
        rule.reports(USERS, &rebuild("plan TEXT NOT NULL"), High, message);
        rule.ignores(USERS, &rebuild("plan TEXT NOT NULL DEFAULT ''"));
    }
}
