//! `set-not-null`: a column becomes required while rows may hold no value.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, thousands};
use tollgate_plugin::{ColumnName, ConstraintKind, ObjectKind, ObjectName, Operation, Severity};

use crate::rebuild;

pub(super) const RULE: Rule = Rule {
    id: "set-not-null",
    summary: "SET NOT NULL fails while a row has no value",
    severity: Severity::Medium,
    triggers: &["set-not-null", "table-rebuild"],
    explanation: "\
**What it does.** Reports `SET NOT NULL` on a column that may hold NULL, also by a SQLite table rebuild. With a connected \
database it counts them: high where there are some, silent where there are none. An UPDATE of the column above it makes it \
low. A validated `CHECK (column IS NOT NULL)` proves that there are none.

**Why it matters.** One row without a value makes the migration fail, and old application code may write such rows until the \
very moment.

**Instead.** Deploy code that always writes a value, fill the rest in batches, then set NOT NULL.",
    bad: "ALTER TABLE users ALTER COLUMN email SET NOT NULL;",
    good: "CREATE TABLE users (id int, email text CONSTRAINT has_email CHECK (email IS NOT NULL));\n-- migration\n\
           ALTER TABLE users ALTER COLUMN email SET NOT NULL;",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "fill the column first, in a migration of its own where the table is large";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::SetNotNull(column) = &step.effect.operation {
            report(context, findings, &step, column);
        }
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        for (new, old) in rebuilt.taken_over(context) {
            if new.not_null && !old.not_null {
                let column = ColumnName::new(rebuilt.rebuild.table.clone(), old.name.clone());
                report_nulls(context, findings, &rebuilt.create, (&column, &column), None);
            }
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, column: &ColumnName) {
    let no_rows = !context.may_hold_rows(step, &column.table) || context.is_emptied(step, &column.table);
    if no_rows || is_computed_above(context, step, column) {
        return;
    }
    let mended = mended_above(context, step, column);
    let Some(original) = context.original_column(step, column) else {
        report_new(context, findings, step, column, mended);
        return;
    };
    if let Some(relation) = context.before.relation(&original.table)
        && (relation.column(&original.column).is_some_and(|column| column.not_null)
            || relation.constraints.iter().any(|constraint| {
                constraint.kind == ConstraintKind::Check
                    && (constraint.validated || is_validated_above(context, step, &column.table, &constraint.name))
                    && constraint
                        .expression
                        .as_deref()
                        .is_some_and(|text| demands_value(text, &original.column))
            }))
    {
        return;
    }
    report_nulls(context, findings, step, (column, &original), mended);
}

/// A change of type above computes every value anew, by an expression that is never NULL.
fn is_computed_above(context: &Context<'_>, step: &Step<'_>, column: &ColumnName) -> bool {
    context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::AlterColumnType(change) => {
                let then = context.column_after(&earlier, step, column);
                let never_null = change.using.as_ref().is_some_and(|using| {
                    let text = using.text.trim_matches(['(', ')', ' ']).to_lowercase();
                    let words: Vec<&str> = text.split_whitespace().collect();
                    matches!(words.as_slice(), [_, "is", "null"] | [_, "is", "not", "null"])
                });
                never_null && then.is_some_and(|then| context.same_column(&then, &change.column))
            }
            _ => false,
        })
}

/// A statement above tests the constraint on all rows.
fn is_validated_above(context: &Context<'_>, step: &Step<'_>, table: &ObjectName, name: &str) -> bool {
    context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::ValidateConstraint(validated) => {
                validated.name == name && context.same(ObjectKind::Table, &validated.table, table)
            }
            _ => false,
        })
}

/// A column that the migration has added: its rows have the default, or NULL.
fn report_new(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    step: &Step<'_>,
    column: &ColumnName,
    mended: Option<&str>,
) {
    let has_default = context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::AddColumn(added) => {
                let definition = &added.column;
                let gives_value = definition.default.as_ref().is_some_and(|default| !default.is_null)
                    || definition.generated.is_some()
                    || definition.identity.is_some()
                    || definition.serial;
                let name = ColumnName::new(added.table.clone(), definition.name.clone());
                let then = context.column_after(&earlier, step, column);
                gives_value && then.is_some_and(|then| context.same_column(&then, &name))
            }
            _ => false,
        });
    if has_default {
        return;
    }
    let verb = step.verb("makes", "make");
    let (severity, message) = match mended {
        Some(above) => (Severity::Low, where_rows_are_left(verb.as_str(), column, above)),
        None => (
            Severity::High,
            format!("{verb} {column} required, but every existing row is without a value"),
        ),
    };
    findings.report(step, message).severity(severity).help(HELP);
}

fn report_nulls(
    context: &Context<'_>,
    findings: &mut Findings<'_>,
    step: &Step<'_>,
    (column, original): (&ColumnName, &ColumnName),
    mended: Option<&str>,
) {
    const LIMIT: u64 = 10_000;
    let verb = step.verb("makes", "make");
    let (severity, message) = match (context.before.count_nulls(original, LIMIT), mended) {
        (Ok(0), _) => return,
        (_, Some(above)) => (Severity::Low, where_rows_are_left(verb.as_str(), column, above)),
        (Ok(nulls), None) => {
            let rows = if nulls == 1 {
                "1 row is".to_owned()
            } else {
                format!("{} rows are", thousands(nulls))
            };
            let more = if nulls == LIMIT { " or more" } else { "" };
            (
                Severity::High,
                format!("{verb} {column} required, but {rows}{more} without a value"),
            )
        }
        (Err(_), None) => (
            Severity::Medium,
            format!("{verb} {column} required, which fails while a row is without a value"),
        ),
    };
    findings.report(step, message).severity(severity).help(HELP);
}

fn where_rows_are_left(verb: &str, column: &ColumnName, above: &str) -> String {
    format!("{verb} {column} required, which fails where the {above} above leaves a row without a value")
}

/// The kind of statement above that writes the column, or deletes the rows that lack a value in it: `UPDATE`, `DELETE`.
fn mended_above(context: &Context<'_>, step: &Step<'_>, column: &ColumnName) -> Option<&'static str> {
    context.steps_before(step).find_map(|earlier| {
        let then = context.column_after(&earlier, step, column)?;
        match &earlier.effect.operation {
            Operation::Update(change) => {
                let mut written = change.columns.iter();
                let writes = written.any(|written| context.same_identifier(written, &then.column));
                (writes && context.same(ObjectKind::Table, &change.table, &then.table)).then_some("UPDATE")
            }
            Operation::Delete(deletion) if context.same(ObjectKind::Table, &deletion.table, &then.table) => {
                let text = earlier.effect.at.of(context.migration.text());
                let of_nulls = text.to_lowercase().contains("is null") && text.contains(&then.column);
                of_nulls.then_some("DELETE")
            }
            _ => None,
        }
    })
}

/// Whether a condition says no more and no less than that the column has a value.
pub(super) fn demands_value(condition: &str, column: &str) -> bool {
    let plain: String = condition
        .chars()
        .filter(|character| !"()\"".contains(*character))
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    matches!(words.as_slice(), [name, is, not, null]
        if *name == column && is.eq_ignore_ascii_case("is") && not.eq_ignore_ascii_case("not") && null.eq_ignore_ascii_case("null"))
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, email text, \"fullName\" text NOT NULL);";
    const SET: &str = "ALTER TABLE users ALTER COLUMN email SET NOT NULL;";
    const MESSAGE: &str = "makes users.email required, which fails while a row is without a value";

    #[test]
    fn rows_without_a_value_may_be_deleted_first() {
        let rule = postgres(&RULE);
        let before = "CREATE TABLE plans (id int, \"planId\" int, note text);";
        let set = "ALTER TABLE plans ALTER COLUMN \"planId\" SET NOT NULL;";
        rule.reports(
            before,
            &format!("DELETE FROM plans WHERE \"planId\" IS NULL OR id = 1; {set}"),
            Low,
            "makes plans.planId required, which fails where the DELETE above leaves a row without a value",
        );
        let message = "makes plans.planId required, which fails while a row is without a value";
        rule.reports(
            before,
            &format!("DELETE FROM plans WHERE note IS NULL; {set}"),
            Medium,
            message,
        );
        rule.ignores(before, &format!("DELETE FROM plans; {set}"));
        let change = "ALTER TABLE plans ALTER \"planId\" TYPE boolean USING (\"planId\" IS NOT NULL);";
        rule.ignores(before, &format!("{change} {set}"));
    }

    #[test]
    fn a_row_without_a_value_makes_it_fail() {
        let rule = postgres(&RULE);
        rule.reports("", SET, Medium, MESSAGE);
        rule.reports(
            USERS,
            "ALTER TABLE ONLY \"public\".\"users\" ALTER \"email\" SET NOT NULL;",
            Medium,
            "makes users.email required, which fails while a row is without a value",
        );
        let message = "makes users.mail required, which fails while a row is without a value";
        rule.reports(
            USERS,
            "ALTER TABLE users RENAME email TO mail; ALTER TABLE users ALTER mail SET NOT NULL;",
            Medium,
            message,
        );
        let message = "makes users.plan required, but every existing row is without a value";
        rule.reports(
            USERS,
            "ALTER TABLE users ADD plan text; ALTER TABLE users ALTER plan SET NOT NULL;",
            High,
            message,
        );
    }

    #[test]
    fn the_database_counts() {
        let test = postgres(&RULE).on(USERS).rows("users", 12);
        assert_ignores(&test, SET);
        let some = test.nulls("users", "email", 3);
        assert_reports(
            &some,
            SET,
            High,
            "makes users.email required, but 3 rows are without a value",
        );
    }

    #[test]
    fn a_fill_above_makes_it_low() {
        let rule = postgres(&RULE);
        let low = "makes users.email required, which fails where the UPDATE above leaves a row without a value";
        rule.reports(
            USERS,
            &format!("UPDATE users SET email = '' WHERE email IS NULL; {SET}"),
            Low,
            low,
        );
        let low = "makes users.plan required, which fails where the UPDATE above leaves a row without a value";
        rule.reports(
            USERS,
            "ALTER TABLE users ADD plan text; UPDATE users SET plan = 'a'; ALTER TABLE users ALTER plan SET NOT NULL;",
            Low,
            low,
        );
        let low = "makes people.email required, which fails where the UPDATE above leaves a row without a value";
        let script = "ALTER TABLE users ADD temp text; UPDATE users SET temp = lower(email); ALTER TABLE users DROP email;
            ALTER TABLE users RENAME temp TO email; ALTER TABLE users RENAME TO people; ALTER TABLE people ALTER email SET NOT NULL;";
        rule.reports(USERS, script, Low, low);
    }

    #[test]
    fn values_are_certain() {
        let rule = postgres(&RULE);
        rule.ignores(USERS, "ALTER TABLE users ALTER \"fullName\" SET NOT NULL;");
        rule.ignores(USERS, "ALTER TABLE users ALTER id SET NOT NULL;");
        rule.ignores(
            "",
            "CREATE TABLE users (email text); ALTER TABLE users ALTER COLUMN email SET NOT NULL;",
        );
        rule.ignores("CREATE TABLE users (email text, CHECK (\"email\" IS NOT NULL));", SET);
        let later =
            "CREATE TABLE users (email text); ALTER TABLE users ADD CONSTRAINT c CHECK (email IS NOT NULL) NOT VALID;";
        rule.ignores(later, &format!("ALTER TABLE users VALIDATE CONSTRAINT c; {SET}"));
        rule.reports(later, SET, Medium, MESSAGE);
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD plan text DEFAULT 'free'; ALTER TABLE users ALTER plan SET NOT NULL;",
        );
        rule.reports(
            "CREATE TABLE users (email text, a int, CHECK (email IS NOT NULL OR a > 1));",
            SET,
            Medium,
            MESSAGE,
        );
    }

    #[test]
    fn a_rebuild_may_require_values() {
        let rebuild = |value: &str| {
            format!(
                "CREATE TABLE new_users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n\
                 INSERT INTO new_users (id, email) SELECT id, {value} FROM users;\n\
                 DROP TABLE users;\nALTER TABLE new_users RENAME TO users;"
            )
        };
        let before = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);";
        let rule = sqlite(&RULE);
        rule.reports(before, &rebuild("email"), Medium, MESSAGE);
        rule.ignores(before, &rebuild("coalesce(email, '')"));
    }
}
