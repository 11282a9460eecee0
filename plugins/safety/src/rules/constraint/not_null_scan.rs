//! `not-null-scan`: SET NOT NULL reads all rows while nobody can use the table.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ColumnName, ConstraintKind, Dialect, Edit, Operation, Severity, Suggestion};

use super::{added, column_with_value, same_table};
use crate::tables::{Busy, busy};
use crate::{sql, tokens};

pub(super) const RULE: Rule = Rule {
    id: "not-null-scan",
    summary: "SET NOT NULL keeps everybody from the table while it reads all rows",
    severity: Severity::Medium,
    dialects: &[Dialect::Postgres],
    triggers: &["set-not-null", "add-constraint"],
    explanation: "\
**What it does.** Reports `SET NOT NULL` on a table that is in use, unless a validated `CHECK (column IS NOT NULL)` spares the server \
the scan (PostgreSQL 12 and newer). High where the catalog says that the table is large.

**Why it matters.** The table is locked exclusively (ACCESS EXCLUSIVE) until every row has been read: nobody else can.

**Instead.** `ADD CONSTRAINT … CHECK (column IS NOT NULL) NOT VALID`; in a following migration `VALIDATE CONSTRAINT`, which lets \
everybody go on, then `SET NOT NULL`, which takes the constraint's word for it. The constraint can go afterwards.",
    bad: "ALTER TABLE users ALTER COLUMN email SET NOT NULL;",
    good: "CREATE TABLE users (id int, email text CONSTRAINT has_email CHECK (email IS NOT NULL));\n-- migration\n\
           ALTER TABLE users ALTER COLUMN email SET NOT NULL;",
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let column = match &step.effect.operation {
            Operation::SetNotNull(column) => column.clone(),
            Operation::AddConstraint(added)
                if added.constraint.kind == ConstraintKind::NotNull && !added.constraint.not_valid =>
            {
                let Some(column) = added.constraint.columns.first() else {
                    continue;
                };
                ColumnName::new(added.table.clone(), column.clone())
            }
            _ => continue,
        };
        let Some(table) = busy(context, &step, &column.table) else {
            continue;
        };
        if is_required(context, &step, &column) || is_proven(context, &step, &column, &table) {
            continue;
        }
        let verb = step.verb("reads", "read");
        let message = format!(
            "{verb} all rows of {} to make {} required, while nobody can use it",
            table.shown(),
            column.column
        );
        let finding = findings.report(&step, message).severity(table.severity());
        if context.server().older_than(12) {
            finding
                .help("keep a CHECK (… IS NOT NULL) that is added NOT VALID and validated later, instead of NOT NULL");
            continue;
        }
        finding.help(
            "add a CHECK (… IS NOT NULL) NOT VALID, validate it in a following migration, and set NOT NULL there",
        );
        if let Some((suggestion, following)) = suggestion(&step, &column) {
            finding.suggest(suggestion);
            finding.property("fix.following", following);
        }
    }
}

/// The column is NOT NULL already: there is nothing to do.
fn is_required(context: &Context<'_>, step: &Step<'_>, column: &ColumnName) -> bool {
    context.original_column(step, column).is_some_and(|original| {
        let relation = context.before.relation(&original.table);
        relation.is_some_and(|relation| relation.column(&original.column).is_some_and(|column| column.not_null))
    })
}

/// A validated CHECK says that the column has a value in every row.
fn is_proven(context: &Context<'_>, step: &Step<'_>, column: &ColumnName, table: &Busy) -> bool {
    if context.server().older_than(12) {
        return false;
    }
    let original = context.original_column(step, column);
    let of_column = |expression: Option<&str>, column: &str| expression.is_some_and(|text| demands_value(text, column));
    let before = table.relation.iter().flat_map(|relation| &relation.constraints);
    // Constraints by name, and whether all rows have been tested, as of before the migration.
    let mut known: Vec<(Option<String>, bool)> = before
        .filter(|constraint| {
            let expression = constraint.expression.as_deref();
            constraint.kind == ConstraintKind::Check
                && original
                    .as_ref()
                    .is_some_and(|original| of_column(expression, &original.column))
        })
        .map(|constraint| (Some(constraint.name.clone()), constraint.validated))
        .collect();
    for earlier in context.steps_before(step).filter(|earlier| !earlier.effect.conditional) {
        for added in added(&earlier) {
            let expression = added.definition.expression.as_deref();
            if added.definition.kind == ConstraintKind::Check
                && same_table(context, added.table, &column.table)
                && of_column(expression, &column.column)
            {
                known.push((added.name(context), !added.definition.not_valid));
            }
        }
        match &earlier.effect.operation {
            Operation::ValidateConstraint(named) if same_table(context, &named.table, &column.table) => {
                for (name, validated) in &mut known {
                    *validated |= name.as_ref() == Some(&named.name);
                }
            }
            Operation::DropConstraint(named) if same_table(context, &named.table, &column.table) => {
                known.retain(|(name, _)| name.as_ref() != Some(&named.name));
            }
            _ => {}
        }
    }
    known.iter().any(|(_, validated)| *validated)
}

/// One of the conditions that must all hold is that the column has a value.
fn demands_value(condition: &str, column: &str) -> bool {
    let all = tokens::read(condition);
    tokens::split(tokens::bare(&all), |token| token.is("and"))
        .into_iter()
        .any(|part| column_with_value(part).as_deref() == Some(column))
}

/// The CHECK in place of SET NOT NULL, and what has to follow.
fn suggestion(step: &Step<'_>, column: &ColumnName) -> Option<(Suggestion, String)> {
    if step.effect.conditional || !matches!(step.effect.operation, Operation::SetNotNull(_)) {
        return None;
    }
    let name = format!("{}_{}_not_null", column.table.name, column.column);
    if name.len() > 63 {
        return None;
    }
    let (table, constraint, quoted) = (sql::object(&column.table), sql::name(&name), sql::name(&column.column));
    let clause = format!("ADD CONSTRAINT {constraint} CHECK ({quoted} IS NOT NULL) NOT VALID");
    let following = format!(
        "ALTER TABLE {table} VALIDATE CONSTRAINT {constraint};\nALTER TABLE {table} ALTER COLUMN {quoted} SET NOT NULL;\n\
         ALTER TABLE {table} DROP CONSTRAINT {constraint};\n"
    );
    let edit = Edit::replace(step.effect.at, clause);
    Some((Suggestion::manual("prove it with a CHECK first", vec![edit]), following))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};
    use tollgate_plugin::testing::{assert_ignores, assert_reports};

    use super::RULE;
    use crate::judge::{fixed, following, postgres};

    const USERS: &str = "CREATE SCHEMA app; CREATE TABLE users (id int PRIMARY KEY, email text, \"fullName\" text);
        CREATE TABLE app.\"Users\" (\"Email\" text);";
    const SET: &str = "ALTER TABLE users ALTER COLUMN email SET NOT NULL;";
    const MESSAGE: &str = "reads all rows of users to make email required, while nobody can use it";

    #[test]
    fn all_rows_are_read() {
        let rule = postgres(&RULE);
        rule.reports("", SET, Medium, MESSAGE);
        rule.reports(
            USERS,
            "-- why\nALTER TABLE ONLY \"public\".\"users\" ALTER email SET NOT NULL;",
            Medium,
            MESSAGE,
        );
        let message = "reads all rows of app.Users to make Email required, while nobody can use it";
        rule.reports(
            USERS,
            "ALTER TABLE app.\"Users\" ALTER \"Email\" SET NOT NULL;",
            Medium,
            message,
        );
        let script = format!("ALTER TABLE users ADD CONSTRAINT c CHECK (email IS NOT NULL) NOT VALID; {SET}");
        rule.reports(USERS, &script, Medium, MESSAGE);
        let checked = USERS.replace("email text,", "email text CONSTRAINT c CHECK (email IS NOT NULL),");
        rule.version(11, 20, 0).reports(&checked, SET, Medium, MESSAGE);
        rule.reports(
            &checked,
            &format!("ALTER TABLE users DROP CONSTRAINT c; {SET}"),
            Medium,
            MESSAGE,
        );
        let either = USERS.replace("email text,", "email text CHECK (email IS NOT NULL OR id > 5),");
        rule.reports(&either, SET, Medium, MESSAGE);
        let message = "reads all rows of users (about 6,000,000 rows) to make email required, while nobody can use it";
        assert_reports(&rule.on(USERS).rows("users", 6_000_000), SET, High, message);
    }

    #[test]
    fn no_row_is_read() {
        let rule = postgres(&RULE);
        for check in [
            "CHECK (email IS NOT NULL)",
            "CHECK (((email) is not null) AND id > 5)",
            "CONSTRAINT \"C\" CHECK (\"email\" IS NOT NULL)",
        ] {
            rule.version(12, 0, 0)
                .ignores(&USERS.replace("email text,", &format!("email text {check},")), SET);
        }
        let proven = format!("{USERS} ALTER TABLE users ADD CONSTRAINT c CHECK (email IS NOT NULL) NOT VALID;");
        rule.ignores(
            &proven,
            &format!("ALTER TABLE users VALIDATE CONSTRAINT c; {SET} ALTER TABLE users DROP CONSTRAINT c;"),
        );
        rule.ignores(USERS, "ALTER TABLE users ALTER id SET NOT NULL;");
        rule.ignores(
            "",
            "CREATE TABLE users (email text); ALTER TABLE users ALTER email SET NOT NULL;",
        );
        assert_ignores(
            &rule.on(USERS).pending("CREATE TABLE t (a int);"),
            "ALTER TABLE t ALTER a SET NOT NULL;",
        );
        assert_ignores(&rule.on(USERS).rows("users", 300), SET);
    }

    #[test]
    fn a_check_can_prove_it() {
        let test = postgres(&RULE).on(USERS);
        let script = "ALTER TABLE users ALTER \"fullName\" SET NOT NULL, ADD COLUMN x int;";
        let expected = "ALTER TABLE users ADD CONSTRAINT \"users_fullName_not_null\" CHECK (\"fullName\" IS NOT NULL) NOT VALID, ADD COLUMN x int;";
        assert_eq!(fixed(&test, script).as_deref(), Some(expected));
        let rest = "ALTER TABLE users VALIDATE CONSTRAINT \"users_fullName_not_null\";\n\
                    ALTER TABLE users ALTER COLUMN \"fullName\" SET NOT NULL;\n\
                    ALTER TABLE users DROP CONSTRAINT \"users_fullName_not_null\";\n";
        assert_eq!(following(&test, script).as_deref(), Some(rest));
        assert_ignores(&test.before(expected), rest);
    }
}
