//! `drop-cascade`: a DROP takes what it does not name.

use tollgate_plugin::rules::{Context, Findings, Rule, Step};
use tollgate_plugin::{Dependent, Dialect, ObjectKind, ObjectName, Operation, Severity};

use crate::words;

pub(super) const RULE: Rule = Rule {
    id: "drop-cascade",
    summary: "DROP … CASCADE takes objects that it does not name",
    severity: Severity::High,
    dialects: &[Dialect::Postgres],
    triggers: &["drop", "drop-column", "drop-constraint"],
    explanation: "\
**What it does.** Reports `CASCADE` on any `DROP`, also of columns and constraints, and names what goes as well where that \
is known. Silent where nothing needs the object.

**Why it matters.** Whoever reads the migration does not see what it removes. Between writing and deploying, somebody may \
have added a view that nobody meant to drop.

**Instead.** Drop what needs the object by name, then the object without `CASCADE`.",
    bad: "CREATE TABLE users (id int PRIMARY KEY);\nCREATE VIEW active_users AS SELECT id FROM users;\n-- migration\n\
          DROP TABLE users CASCADE;",
    good: "CREATE TABLE users (id int PRIMARY KEY);\nCREATE VIEW active_users AS SELECT id FROM users;\n-- migration\n\
           DROP VIEW active_users;\nDROP TABLE users;",
    also: &["drop-table"],
    check,
    ..Rule::DEFAULT
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for step in context.steps() {
        match &step.effect.operation {
            Operation::Drop(dropped) if dropped.cascade => {
                if let Some(original) = existing(context, &step, dropped.kind, &dropped.name) {
                    let needed = of_object(context, &step, dropped.kind, &original);
                    report(
                        context,
                        findings,
                        &step,
                        &format!("{} {}", dropped.kind, dropped.name.short()),
                        &needed,
                    );
                }
            }
            Operation::DropColumn(dropped) if dropped.cascade && !context.is_new_column(&step, &dropped.column) => {
                let Some(original) = context.original_column(&step, &dropped.column) else {
                    continue;
                };
                let mut needed = of_object(context, &step, ObjectKind::Table, &original.table);
                needed.retain(|dependent| {
                    dependent
                        .column
                        .as_ref()
                        .is_none_or(|column| *column == original.column)
                });
                report(context, findings, &step, &format!("column {}", dropped.column), &needed);
            }
            Operation::DropConstraint(dropped) if dropped.cascade => {
                let Some(table) = existing(context, &step, ObjectKind::Table, &dropped.table) else {
                    continue;
                };
                let needed = of_constraint(context, &step, &table, &dropped.name);
                report(
                    context,
                    findings,
                    &step,
                    &format!("constraint {}", dropped.name),
                    &needed,
                );
            }
            _ => {}
        }
    }
}

/// The name before the migration of an object that may have existed then.
fn existing(context: &Context<'_>, step: &Step<'_>, kind: ObjectKind, name: &ObjectName) -> Option<ObjectName> {
    context
        .original(step, kind, name)
        .filter(|original| context.before.exists(kind, original) != Some(false))
}

/// What needs an object; of a schema: what lies in it.
fn of_object(context: &Context<'_>, step: &Step<'_>, kind: ObjectKind, name: &ObjectName) -> Vec<Dependent> {
    if kind != ObjectKind::Schema {
        return context.remaining_dependents(step, kind, name);
    }
    let inside = context.before.relations().into_iter().filter(|relation| {
        relation.schema.as_ref() == Some(&name.name) && !context.is_gone(step, ObjectKind::Table, relation)
    });
    inside
        .map(|name| Dependent {
            kind: ObjectKind::Table,
            name,
            member: None,
            column: None,
        })
        .collect()
}

/// Foreign keys that need a key.
fn of_constraint(context: &Context<'_>, step: &Step<'_>, table: &ObjectName, name: &str) -> Vec<Dependent> {
    let Some(key) = context
        .before
        .relation(table)
        .and_then(|relation| relation.constraint(name).cloned())
    else {
        return Vec::new();
    };
    let foreign_keys = context
        .before
        .referencing(table)
        .into_iter()
        .filter(|(of, constraint)| {
            constraint.referenced_columns == key.columns && !context.is_gone(step, ObjectKind::Table, of)
        });
    foreign_keys
        .map(|(name, constraint)| Dependent {
            kind: ObjectKind::Constraint,
            name,
            member: Some(constraint.name),
            column: None,
        })
        .collect()
}

fn report(context: &Context<'_>, findings: &mut Findings<'_>, step: &Step<'_>, what: &str, needed: &[Dependent]) {
    let also = step.verb("also drops", "also drop");
    let message = if !needed.is_empty() {
        format!("CASCADE on the {what} {also} {}", words::dependents(needed))
    } else if context.before.complete() {
        return;
    } else {
        format!("CASCADE on the {what} {also} everything that needs it")
    };
    findings
        .report(step, message)
        .help("leave CASCADE out, and drop by name what has to go");
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::Severity::High;

    use super::RULE;
    use crate::judge::postgres;

    const SHOP: &str = "\
        CREATE TYPE mood AS ENUM ('happy');
        CREATE TABLE users (id int PRIMARY KEY, name text, mood mood);
        CREATE TABLE orders (id int, user_id int CONSTRAINT orders_user REFERENCES users (id));
        CREATE VIEW names AS SELECT name FROM users;";

    #[test]
    fn what_goes_as_well_is_named() {
        let rule = postgres(&RULE);
        rule.reports(
            SHOP,
            "DROP TABLE users CASCADE;",
            High,
            "CASCADE on the table users also drops the constraint orders_user of orders and the view names",
        );
        rule.reports(
            SHOP,
            "DROP TYPE mood CASCADE;",
            High,
            "CASCADE on the type mood also drops the column users.mood",
        );
        rule.reports(
            SHOP,
            "ALTER TABLE users DROP COLUMN name CASCADE;",
            High,
            "CASCADE on the column users.name also drops the view names",
        );
        rule.reports(
            SHOP,
            "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE;",
            High,
            "CASCADE on the constraint users_pkey also drops the constraint orders_user of orders",
        );
    }

    #[test]
    fn without_a_catalog_anything_may_go() {
        let rule = postgres(&RULE);
        rule.reports(
            "",
            "DROP VIEW app.names CASCADE;",
            High,
            "CASCADE on the view app.names also drops everything that needs it",
        );
        rule.reports(
            "",
            "DROP FUNCTION f(int) CASCADE;",
            High,
            "CASCADE on the function f also drops everything that needs it",
        );
        rule.reports(
            "",
            "DROP EXTENSION IF EXISTS citext CASCADE;",
            High,
            "CASCADE on the extension citext also drops everything that needs it",
        );
    }

    #[test]
    fn nothing_needs_it() {
        let rule = postgres(&RULE);
        rule.ignores(SHOP, "DROP TABLE orders CASCADE;");
        rule.ignores(SHOP, "DROP VIEW names; ALTER TABLE users DROP COLUMN name CASCADE;");
        rule.ignores("", "CREATE TABLE a (id int); DROP TABLE a CASCADE;");
        rule.ignores(SHOP, "DROP TABLE users;");
    }
}
