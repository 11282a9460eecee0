//! What operations do to a schema, without a server: cases with their outcome, overlays over a base, properties.

#![allow(clippy::unwrap_used, clippy::panic)]

mod base;
mod differences;
mod mysql;
mod overlay;
mod postgres;
mod properties;
mod sqlite;
mod unknown;

use tollgate_schema::{Context, Schema};
use tollgate_sql::{Dialect, ObjectName};

/// The schema that a script makes of an empty database.
fn replayed(dialect: Dialect, text: &str) -> Schema {
    let mut schema = Schema::empty(Context::new(dialect));
    apply(&mut schema, text);
    schema
}

fn apply(schema: &mut Schema, text: &str) {
    let dialect = schema.context().dialect;
    let script = tollgate_sql::parse(dialect, text).unwrap_or_else(|error| panic!("{error}\nin: {text}"));
    schema.apply_script(&script).unwrap();
}

/// The outline of what a script makes of an empty database.
fn outline(dialect: Dialect, text: &str) -> String {
    replayed(dialect, text).outline().unwrap()
}

fn name(text: &str) -> ObjectName {
    match text.split_once('.') {
        Some((schema, name)) => ObjectName::qualified(schema, name),
        None => ObjectName::bare(text),
    }
}
