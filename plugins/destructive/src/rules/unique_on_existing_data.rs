//! `unique-on-existing-data`: a new unique key over rows that are there.

use tollgate_plugin::rules::{Context, Findings, Rule, Step, thousands};
use tollgate_plugin::{
    ColumnName, ConstraintKind, IndexKey, ObjectKind, ObjectName, Operation, ProbeError, Severity, Volatility,
};

use crate::words;

pub(super) const RULE: Rule = Rule {
    id: "unique-on-existing-data",
    summary: "A new unique index or constraint fails where rows share their values",
    severity: Severity::Medium,
    triggers: &["create-index", "add-constraint", "add-column"],
    explanation: "\
**What it does.** Reports a new unique index, unique constraint or primary key over columns that hold data. With a connected \
database it counts the groups of equal rows: high where there are some, silent where there are none. Columns that contain a \
key already cannot repeat and are not reported.

**Why it matters.** Two equal rows make the migration fail, and built CONCURRENTLY it leaves an invalid index behind.

**Instead.** Find and merge the duplicates first; let the application refuse new ones before the key exists.",
    bad: "CREATE UNIQUE INDEX users_email_key ON users (email);",
    good: "CREATE TABLE users (id int PRIMARY KEY, org int);\n-- migration\n\
           CREATE UNIQUE INDEX users_id_org_key ON users (id, org);",
    check,
    ..Rule::DEFAULT
};

/// A key that a step adds.
struct Key<'a> {
    table: &'a ObjectName,
    /// `None`: a part of it is an expression.
    columns: Option<Vec<String>>,
    partial: bool,
    what: &'static str,
    shown: String,
}

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        let Some(key) = key(&step) else { continue };
        let certain = context.is_emptied(&step, key.table)
            || is_temporary(context, &step, key.table)
            || is_certain(context, &step, &key);
        if !context.may_hold_rows(&step, key.table) || certain {
            continue;
        }
        report(context, findings, &step, &key);
    }
}

/// The key that a step adds to an existing table, if it adds one.
fn key<'a>(step: &Step<'a>) -> Option<Key<'a>> {
    match &step.effect.operation {
        Operation::CreateIndex(index) if index.unique => {
            let columns = index
                .key_columns()
                .map(|columns| columns.into_iter().map(str::to_owned).collect());
            let parts: Vec<&str> = index
                .keys
                .iter()
                .map(|key| match key {
                    IndexKey::Column(text) | IndexKey::Expression(text) => text.as_str(),
                })
                .collect();
            let shown = parts.join(", ");
            Some(Key {
                table: &index.table,
                columns,
                partial: index.predicate.is_some(),
                what: "unique index",
                shown,
            })
        }
        Operation::AddConstraint(added) => {
            let what = match added.constraint.kind {
                ConstraintKind::Unique => "unique constraint",
                ConstraintKind::PrimaryKey => "primary key",
                _ => return None,
            };
            // USING INDEX: the index has refused duplicates already.
            let columns = Some(added.constraint.columns.clone()).filter(|columns| !columns.is_empty())?;
            let shown = columns.join(", ");
            Some(Key {
                table: &added.table,
                columns: Some(columns),
                partial: false,
                what,
                shown,
            })
        }
        Operation::AddColumn(added) => {
            let key = added
                .constraints
                .iter()
                .find(|key| matches!(key.kind, ConstraintKind::Unique | ConstraintKind::PrimaryKey))?;
            let what = if key.kind == ConstraintKind::Unique {
                "unique constraint"
            } else {
                "primary key"
            };
            let columns = Some(vec![added.column.name.clone()]);
            Some(Key {
                table: &added.table,
                columns,
                partial: false,
                what,
                shown: added.column.name.clone(),
            })
        }
        _ => None,
    }
}

/// The migration's own scratch table: what it holds is what the migration has put there.
fn is_temporary(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> bool {
    context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::CreateTable(created) => {
                created.temporary && context.same(ObjectKind::Table, &created.name, table)
            }
            _ => false,
        })
}

/// Duplicates cannot be: a key over some of the columns exists, or a column is new and different in each row.
fn is_certain(context: &Context<'_>, step: &Step<'_>, key: &Key<'_>) -> bool {
    let Some(columns) = &key.columns else { return false };
    let differs = columns.iter().any(|column| {
        let column = ColumnName::new(key.table.clone(), column.clone());
        is_different_in_each_row(context, step, &column)
    });
    differs || contains_a_key(context, step, key.table, columns)
}

/// The migration has added the column, and each row has another value or (which is never equal) none.
fn is_different_in_each_row(context: &Context<'_>, step: &Step<'_>, column: &ColumnName) -> bool {
    let upto = context.steps_before(step).chain(std::iter::once(*step));
    let mut different = false;
    for earlier in upto {
        let then = context.column_after(&earlier, step, column);
        match &earlier.effect.operation {
            Operation::AddColumn(added)
                if !added.if_not_exists
                    && then.as_ref().is_some_and(|then| {
                        let name = ColumnName::new(added.table.clone(), added.column.name.clone());
                        context.same_column(then, &name)
                    }) =>
            {
                let definition = &added.column;
                different = definition.identity.is_some()
                    || definition.serial
                    || match &definition.default {
                        None => definition.generated.is_none() && !definition.not_null,
                        Some(default) => default.is_null || default.volatility == Volatility::Volatile,
                    };
            }
            Operation::Update(change)
                if then.as_ref().is_some_and(|then| {
                    context.same(ObjectKind::Table, &change.table, &then.table)
                        && change
                            .columns
                            .iter()
                            .any(|written| context.same_identifier(written, &then.column))
                }) =>
            {
                different = change.columns.len() == 1 && writes_another_value_each(context, &earlier);
            }
            _ => {}
        }
    }
    different
}

/// `UPDATE … SET column = gen_random_uuid()`.
fn writes_another_value_each(context: &Context<'_>, step: &Step<'_>) -> bool {
    let text = step.effect.at.of(context.migration.text()).to_lowercase();
    ["gen_random_uuid(", "uuid_generate_v", "uuidv4(", "uuidv7(", "nextval("]
        .iter()
        .any(|function| text.contains(function))
}

/// Before the migration the table had a key over some of these columns. Rows that share all columns then share the key,
/// or lack a value in it, and a missing value is never equal to another.
fn contains_a_key(context: &Context<'_>, step: &Step<'_>, table: &ObjectName, columns: &[String]) -> bool {
    let Some(relation) = context.before_relation(step, table) else {
        return false;
    };
    let originals: Vec<String> = columns
        .iter()
        .filter_map(|column| context.original_column(step, &ColumnName::new(table.clone(), column.clone())))
        .map(|original| original.column)
        .collect();
    let covered = |key: &[&str]| {
        !key.is_empty()
            && key
                .iter()
                .all(|part| originals.iter().any(|column| context.same_identifier(column, part)))
    };
    let by_index = relation.indexes.iter().any(|index| {
        index.unique && index.valid && index.predicate.is_none() && index.key_columns().is_some_and(|key| covered(&key))
    });
    let by_constraint = relation.constraints.iter().any(|constraint| {
        let key: Vec<&str> = constraint.columns.iter().map(String::as_str).collect();
        matches!(constraint.kind, ConstraintKind::PrimaryKey | ConstraintKind::Unique) && covered(&key)
    });
    by_index || by_constraint
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, key: &Key<'_>) {
    const LIMIT: u64 = 10_000;
    let verb = step.verb("adds", "add");
    let table = key.table.short();
    let start = format!("{verb} the {} ({}) to {table}", key.what, key.shown);
    let (severity, message) = match duplicates(context, step, key, LIMIT) {
        Ok(0) => return,
        Ok(groups) => {
            let groups = if groups == 1 {
                "1 group of rows shares its values".to_owned()
            } else {
                let more = if groups == LIMIT { " or more" } else { "" };
                format!("{}{more} groups of rows share their values", thousands(groups))
            };
            (Severity::High, format!("{start}, but {groups}"))
        }
        Err(_) => {
            let rows = words::its_rows(context, step, key.table);
            let rows = if rows == "all its rows" {
                String::new()
            } else {
                format!(" among {rows}")
            };
            let some = if key.partial { " that the condition selects" } else { "" };
            (
                Severity::Medium,
                format!("{start}, which fails where rows{some}{rows} share their values"),
            )
        }
    };
    findings
        .report(step, message)
        .severity(severity)
        .help("find and merge the duplicates first");
}

/// Groups of equal rows before the migration, where they can be counted.
fn duplicates(context: &Context<'_>, step: &Step<'_>, key: &Key<'_>, limit: u64) -> Result<u64, ProbeError> {
    let columns = key
        .columns
        .as_ref()
        .filter(|_| !key.partial)
        .ok_or(ProbeError::NotAvailable)?;
    let written = context
        .steps_before(step)
        .any(|earlier| match &earlier.effect.operation {
            Operation::Update(change) | Operation::Insert(change) | Operation::Delete(change) => {
                context.same(ObjectKind::Table, &change.table, key.table)
            }
            _ => false,
        });
    let table = context
        .original(step, ObjectKind::Table, key.table)
        .filter(|_| !written)
        .ok_or(ProbeError::NotAvailable)?;
    let mut originals = Vec::new();
    for column in columns {
        let original = context.original_column(step, &ColumnName::new(key.table.clone(), column.clone()));
        originals.push(original.ok_or(ProbeError::NotAvailable)?.column);
    }
    context.before.count_duplicates(&table, &originals, limit)
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::{High, Medium};

    use super::RULE;
    use crate::judge::{assert_ignores, assert_reports, postgres, sqlite};

    const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, email text, org int, \"Nick\" text UNIQUE);";
    const INDEX: &str = "CREATE UNIQUE INDEX ON users (email);";
    const MESSAGE: &str = "adds the unique index (email) to users, which fails where rows share their values";

    #[test]
    fn equal_rows_make_it_fail() {
        let rule = postgres(&RULE);
        rule.reports("", INDEX, Medium, MESSAGE);
        rule.reports(
            USERS,
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS x ON \"public\".\"users\" (\"email\");",
            Medium,
            MESSAGE,
        );
        let message = "adds the unique constraint (email, org) to users, which fails where rows share their values";
        rule.reports(
            USERS,
            "ALTER TABLE users ADD CONSTRAINT u UNIQUE (email, org);",
            Medium,
            message,
        );
        let message = "adds the unique index (lower(email)) to users, which fails where rows share their values";
        rule.reports(USERS, "CREATE UNIQUE INDEX ON users (lower(email));", Medium, message);
        let message = "adds the unique index (email) to users, which fails where rows that the condition selects share their values";
        rule.reports(
            USERS,
            "CREATE UNIQUE INDEX ON users (email) WHERE org = 1;",
            Medium,
            message,
        );
        let message = "adds the unique constraint (plan) to users, which fails where rows share their values";
        rule.reports(
            USERS,
            "ALTER TABLE users ADD COLUMN plan text DEFAULT 'free' UNIQUE;",
            Medium,
            message,
        );
        sqlite(&RULE).reports(USERS, "CREATE UNIQUE INDEX x ON users (email);", Medium, MESSAGE);
    }

    #[test]
    fn the_database_counts() {
        let test = postgres(&RULE).on(USERS).rows("users", 12);
        assert_ignores(&test, INDEX);
        let some = test.duplicates("users", &["email"], 2);
        assert_reports(
            &some,
            INDEX,
            High,
            "adds the unique index (email) to users, but 2 groups of rows share their values",
        );
    }

    #[test]
    fn rows_cannot_be_equal() {
        let rule = postgres(&RULE);
        let uuid =
            "ALTER TABLE users ADD token text; UPDATE users SET token = gen_random_uuid()::text WHERE token IS NULL;";
        rule.ignores(USERS, &format!("{uuid} CREATE UNIQUE INDEX ON users (token);"));
        rule.ignores(
            USERS,
            "CREATE TEMP TABLE mails AS SELECT email FROM users; CREATE UNIQUE INDEX ON mails (email);",
        );
        rule.ignores(USERS, "CREATE UNIQUE INDEX ON users (org, id);");
        rule.ignores(USERS, "CREATE UNIQUE INDEX ON users (\"Nick\", email);");
        rule.ignores(USERS, "CREATE INDEX ON users (email);");
        rule.ignores("", "CREATE TABLE t (a int); CREATE UNIQUE INDEX ON t (a);");
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX ON users (token);",
        );
        rule.ignores(
            USERS,
            "ALTER TABLE users ADD COLUMN slug text; CREATE UNIQUE INDEX ON users (slug);",
        );
        rule.ignores(USERS, "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX x;");
        assert_ignores(&rule.on(USERS).rows("users", 0), INDEX);
    }

    #[test]
    fn filled_columns_may_repeat() {
        let script =
            "ALTER TABLE users ADD COLUMN slug text; UPDATE users SET slug = 'a'; CREATE UNIQUE INDEX ON users (slug);";
        let message = "adds the unique index (slug) to users, which fails where rows share their values";
        postgres(&RULE).reports(USERS, script, Medium, message);
    }
}
