//! Rendered DDL against real servers: what it makes must be what the scripts made.

#![allow(clippy::unwrap_used, clippy::panic)]

mod postgres;
mod random;
mod real;
mod sqlite;

use tollgate_schema::{Context, Schema, render};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

/// The schema that scripts make, replayed.
fn replayed(dialect: Dialect, scripts: &[&str]) -> Schema {
    let mut schema = Schema::empty(Context::new(dialect));
    for text in scripts {
        let script = tollgate_sql::parse(dialect, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        schema.apply_script(&script).unwrap();
    }
    schema
}

/// Two moments on one base.
fn before_and_after(dialect: Dialect, before: &str, change: &str) -> (Schema, Schema) {
    let before = replayed(dialect, &[before]);
    let mut after = before.clone();
    after
        .apply_script(&tollgate_sql::parse(dialect, change).unwrap())
        .unwrap();
    (before, after)
}

/// Statements as one script.
fn joined(statements: &[String]) -> String {
    statements
        .iter()
        .fold(String::new(), |script, statement| script + statement + ";\n")
}

/// DDL of everything a schema knows, in an order that works for a whole database.
fn everything(schema: &Schema) -> String {
    let mut early = Vec::new();
    let mut late = Vec::new();
    let mut add = |kind: ObjectKind, name: &ObjectName| {
        let statements = render::ddl(schema, kind, name)
            .unwrap()
            .unwrap_or_else(|| panic!("no DDL for {name}"));
        for statement in statements {
            let waits = statement.contains("FOREIGN KEY") || statement.contains("ATTACH PARTITION");
            if waits && statement.starts_with("ALTER TABLE") {
                late.push(statement);
            } else {
                early.push(statement);
            }
        }
    };
    for name in schema.schemas().unwrap().into_iter().filter(|name| name != "public") {
        add(ObjectKind::Schema, &ObjectName::bare(name));
    }
    for name in schema.type_names().unwrap() {
        add(ObjectKind::Type, &name);
    }
    for name in schema.sequence_names().unwrap() {
        let sequence = schema.sequence(&name).unwrap().unwrap();
        if sequence.owned_by.is_none() && !sequence.identity {
            add(ObjectKind::Sequence, &name);
        }
    }
    for name in schema.function_names().unwrap() {
        add(schema.functions(&name).unwrap()[0].kind, &name);
    }
    let (views, tables): (Vec<_>, Vec<_>) = schema
        .relations()
        .unwrap()
        .into_iter()
        .partition(|name| schema.relation(name).unwrap().unwrap().query.is_some());
    for name in &tables {
        add(ObjectKind::Table, name);
    }
    early.extend(late);
    for name in &views {
        early.extend(render::ddl(schema, ObjectKind::View, name).unwrap().unwrap());
    }
    joined(&early)
}

/// SQL that turns one table of `current` into that of `wanted`.
fn restore(wanted: &Schema, current: &Schema, table: &str) -> String {
    let statements = render::restore_table(wanted, current, &ObjectName::bare(table)).unwrap();
    joined(&statements.unwrap_or_else(|| panic!("no way back for {table}")))
}
