//! Whether a table is large enough for a scan or a rewrite to be felt.

use tollgate_plugin::ObjectKind;
use tollgate_plugin::rules::{Context, Step, thousands};
use tollgate_plugin::{ObjectName, RelationKind};

/// A table with no more rows than this is read and written anew in milliseconds.
pub(crate) const SMALL_ROWS: u64 = 10_000;

/// Nor is one small that takes more bytes than this: few rows may hold long values.
pub(crate) const SMALL_BYTES: u64 = 64 << 20;

/// Whatever lies in so few bytes is read and written anew at once, however many rows that are.
pub(crate) const TINY_BYTES: u64 = 8 << 20;

/// From so many rows on a scan takes seconds to minutes.
pub(crate) const LARGE_ROWS: u64 = 1_000_000;

/// The same by size: indexes and long values included.
pub(crate) const LARGE_BYTES: u64 = 1 << 30;

/// What the connected database says about a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Small,
    /// Between the two, or not known.
    Middling,
    Large,
}

/// How large the table was before the migration; one that the migration makes is small until it is filled.
pub(crate) fn of(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> Size {
    if !context.may_hold_rows(step, table) {
        return Size::Small;
    }
    match context.original(step, ObjectKind::Table, table) {
        Some(original) => before(context, &original),
        None => Size::Middling,
    }
}

/// The same for a table under the name that it had before the migration.
pub(crate) fn before(context: &Context<'_>, original: &ObjectName) -> Size {
    let relation = context.before.relation(original);
    let bytes = relation.as_ref().and_then(|relation| relation.bytes);
    let estimated = relation.as_ref().and_then(|relation| relation.estimated_rows);
    if estimated.is_some_and(|rows| rows >= LARGE_ROWS) || bytes.is_some_and(|bytes| bytes >= LARGE_BYTES) {
        return Size::Large;
    }
    // A partitioned table has no bytes of its own.
    let stored = relation
        .as_ref()
        .is_some_and(|relation| relation.kind != RelationKind::PartitionedTable);
    if stored && bytes.is_some_and(|bytes| bytes <= TINY_BYTES) {
        return Size::Small;
    }
    let counted = context.before.count_rows(original, SMALL_ROWS + 1);
    if counted.is_ok_and(|rows| rows <= SMALL_ROWS) && bytes.is_none_or(|bytes| bytes <= SMALL_BYTES) {
        return Size::Small;
    }
    Size::Middling
}

/// ` of about 3,200,000 rows`: what a message adds to a table's name; nothing when nobody knows.
pub(crate) fn in_words(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> String {
    let Some(original) = context.original(step, ObjectKind::Table, table) else {
        return String::new();
    };
    if let Some(rows) = context.rows_in_words(&original) {
        return format!(" with {rows}");
    }
    let bytes = context.before.relation(&original).and_then(|relation| relation.bytes);
    match bytes {
        Some(bytes) if bytes >= LARGE_BYTES => format!(" of {} GB", thousands(bytes >> 30)),
        _ => String::new(),
    }
}
