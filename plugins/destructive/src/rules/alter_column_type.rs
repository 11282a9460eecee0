//! `alter-column-type`: a column gets another type.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{ColumnTypeChange, Dialect, ObjectKind, ObjectName, Operation, Severity};

use crate::{rebuild, types, words};

pub(super) const RULE: Rule = Rule {
    id: "alter-column-type",
    summary: "A change of type can lose digits, cut values or fail on one of them",
    severity: Severity::Medium,
    triggers: &["alter-column-type", "table-rebuild"],
    explanation: "\
**What it does.** Reports a change of a column's type, also by a SQLite table rebuild. High where a value can be lost or make \
the statement fail (`bigint` to `integer`, `text` to an enum), low where it only widens (`varchar(20)` to `text`), medium where \
the old type is not known.

**Why it matters.** One value in millions is enough to make the migration fail in production after it passed everywhere else. \
Where nothing fails, digits or parts of a date are gone without a word.

**Instead.** Add a column of the new type, fill it, check it, move the application over, and drop the old column later.",
    bad: "CREATE TABLE payments (id int, amount numeric(12,2));\n-- migration\n\
          ALTER TABLE payments ALTER COLUMN amount TYPE integer;",
    good: "CREATE TABLE payments (id int, amount numeric(12,2));\n-- migration\n\
           ALTER TABLE payments ADD COLUMN amount_cents bigint;",
    check,
    ..Rule::DEFAULT
};

const HELP: &str = "add a column of the new type, fill and check it, and move over";

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        if let Operation::AlterColumnType(change) = &step.effect.operation {
            report(context, findings, &step, change);
        }
    }
    for rebuilt in rebuild::of_tables_with_rows(context) {
        for (new, old) in rebuilt.taken_over(context) {
            if let Some((severity, why)) = types::judge(context.dialect(), &old.data_type, &new.data_type) {
                let table = rebuilt.rebuild.table.short();
                let message = format!(
                    "changes {table}.{} from {} to {}: {why}",
                    new.name,
                    shown(&old.data_type),
                    shown(&new.data_type)
                );
                findings.report(&rebuilt.create, message).severity(severity).help(HELP);
            }
        }
    }
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, change: &ColumnTypeChange) {
    let table = &change.column.table;
    let no_rows = !context.may_hold_rows(step, table) || context.is_emptied(step, table);
    if context.is_new_column(step, &change.column) || no_rows {
        return;
    }
    let old = context.original_column(step, &change.column).and_then(|original| {
        let relation = context.before.relation(&original.table)?;
        relation.column(&original.column).map(|column| column.data_type.clone())
    });
    let verb = step.verb("changes", "change");
    let column = &change.column;
    let Some(old) = old else {
        let message = format!(
            "{verb} {column} to {}: values that do not fit are lost or make it fail",
            change.to
        );
        findings.report(step, message).help(HELP);
        return;
    };
    let between_enums = judge_enums(context, &old, &change.to);
    let Some((severity, why)) = between_enums.or_else(|| {
        let (severity, why) = types::judge(context.dialect(), &old, &change.to)?;
        Some((severity, why.to_owned()))
    }) else {
        return;
    };
    let message = format!("{verb} {column} from {old} to {}: {why}", change.to);
    let finding = findings.report(step, message).severity(severity);
    if severity != Severity::Low {
        finding.help(HELP);
    }
}

/// One enum takes the place of another: what counts is whether it has the same values.
fn judge_enums(context: &Context<'_>, old: &str, new: &str) -> Option<(Severity, String)> {
    if context.dialect() != Dialect::Postgres {
        return None;
    }
    let (old, new) = (type_name(old)?, type_name(new)?);
    let before = context.before.enum_values(&old)?;
    let made = context.steps().find_map(|step| match &step.effect.operation {
        Operation::CreateEnum(made) if context.same(ObjectKind::Type, &made.name, &new) => Some(made.values.clone()),
        _ => None,
    });
    if made.is_none() && context.same(ObjectKind::Type, &old, &new) {
        return None;
    }
    let after = made.or_else(|| context.before.enum_values(&new))?;
    let lost: Vec<&String> = before.iter().filter(|value| !after.contains(value)).collect();
    Some(if lost.is_empty() {
        (Severity::Low, "the new enum has every value of the old one".to_owned())
    } else {
        let lost = words::list(&lost);
        (
            Severity::High,
            format!("the new enum lacks {lost}, which fails where a row holds it"),
        )
    })
}

/// The name of a type that is neither an array nor has modifiers: `public."Mood"`.
fn type_name(text: &str) -> Option<ObjectName> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let part = parts.last_mut()?;
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            '[' | '(' | ' ' if !quoted => return None,
            other => part.push(other),
        }
    }
    let name = parts.pop()?;
    Some(ObjectName {
        schema: parts.pop(),
        name,
    })
}

/// A type; `SQLite` columns may have none.
fn shown(data_type: &str) -> &str {
    if data_type.is_empty() { "no type" } else { data_type }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Low, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, postgres, sqlite};

    const T: &str = "CREATE TYPE mood AS ENUM ('happy');
        CREATE TABLE t (id int, big bigint, name varchar(20), \"At\" timestamptz, mood text, code char(2));";

    #[test]
    fn there_may_be_no_value_left() {
        postgres(&RULE).ignores(T, "DELETE FROM t; ALTER TABLE t ALTER big TYPE int;");
    }

    #[test]
    fn one_enum_takes_the_place_of_another() {
        let rule = postgres(&RULE);
        let before = "CREATE TYPE \"Mod\" AS ENUM ('happy', 'sad'); CREATE TABLE people (mood \"Mod\");";
        let change = |values: &str| {
            format!(
                "ALTER TYPE \"Mod\" RENAME TO \"Mod_old\"; CREATE TYPE \"Mood\" AS ENUM ({values});
                 ALTER TABLE people ALTER COLUMN mood TYPE \"Mood\" USING mood::text::\"Mood\";"
            )
        };
        rule.reports(
            before,
            &change("'sad', 'happy', 'tired'"),
            Low,
            "changes people.mood from public.\"Mod\" to \"Mood\": the new enum has every value of the old one",
        );
        rule.reports(
            before,
            &change("'happy'"),
            High,
            "changes people.mood from public.\"Mod\" to \"Mood\": the new enum lacks sad, which fails where a row holds it",
        );
    }

    #[test]
    fn values_may_be_lost() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            "ALTER TABLE t ALTER big TYPE int;",
            High,
            "changes t.big from bigint to integer: larger values make it fail",
        );
        rule.reports(
            T,
            "ALTER TABLE t ALTER COLUMN name SET DATA TYPE VARCHAR(10);",
            High,
            "changes t.name from character varying(20) to character varying(10): longer values make it fail",
        );
        rule.reports(
            T,
            "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"At\" TYPE date;",
            High,
            "changes t.At from timestamp with time zone to date: the other part of date and time is lost",
        );
        rule.reports(
            T,
            "ALTER TABLE t ALTER mood TYPE mood USING mood::mood;",
            High,
            "changes t.mood from text to mood: values that cannot be converted make it fail",
        );
        let message = "changes t.x to integer: values that do not fit are lost or make it fail";
        rule.reports("", "ALTER TABLE t ALTER x TYPE int;", Medium, message);
    }

    #[test]
    fn widening_is_low() {
        let rule = postgres(&RULE);
        rule.reports(
            T,
            "ALTER TABLE t ALTER id TYPE bigint;",
            Low,
            "changes t.id from integer to bigint: it only widens",
        );
        rule.reports(
            T,
            "ALTER TABLE t ALTER name TYPE text;",
            Low,
            "changes t.name from character varying(20) to text: it only widens",
        );
    }

    #[test]
    fn nothing_can_happen() {
        let rule = postgres(&RULE);
        rule.ignores(T, "ALTER TABLE t ALTER id TYPE integer;");
        rule.ignores(
            T,
            "ALTER TABLE t ADD COLUMN x text; ALTER TABLE t ALTER x TYPE int USING x::int;",
        );
        rule.ignores(
            "",
            "CREATE TABLE t (x text); ALTER TABLE t ALTER x TYPE int USING x::int;",
        );
        assert_ignores(&rule.on(T).rows("t", 0), "ALTER TABLE t ALTER big TYPE int;");
    }

    #[test]
    fn a_rebuild_may_change_a_type() {
        let rule = sqlite(&RULE);
        let rebuild = "CREATE TABLE new_t (id INTEGER, n INTEGER);\nINSERT INTO new_t (id, n) SELECT id, n FROM t;\n\
                       DROP TABLE t;\nALTER TABLE new_t RENAME TO t;";
        let message = "changes t.n from TEXT to INTEGER: values that are no numbers stay text";
        rule.reports("CREATE TABLE t (id INTEGER, n TEXT);", rebuild, Medium, message);
        rule.ignores("CREATE TABLE t (id INTEGER, n BIGINT);", rebuild);
        rule.ignores("", rebuild);
    }
}
