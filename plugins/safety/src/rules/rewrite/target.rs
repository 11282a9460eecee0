//! The table that is written anew: whether that is felt, and how a finding says it.

use tollgate_plugin::rules::{Context, Findings, Step};
use tollgate_plugin::{AddedColumn, Finding, ObjectName, RelationKind, Severity};

use crate::size::{self, Size};

/// Reports a rewrite of a table that has rows and is not known to be small; high where it is known to be large.
///
/// `what` says what the migration does, as the beginning of a sentence.
pub(super) fn report<'f>(
    context: &Context<'_>,
    findings: &'f mut Findings<'_>,
    step: &Step<'_>,
    table: &ObjectName,
    what: &str,
) -> Option<&'f mut Finding> {
    let size = size::of(context, step, table);
    if size == Size::Small {
        return None;
    }
    let rows = size::in_words(context, step, table);
    let message = format!("{what}: the table{rows} is written anew, and nobody can read or write it meanwhile");
    let finding = findings.report(step, message);
    if size == Size::Large {
        finding.severity(Severity::High);
    }
    Some(finding)
}

/// The table is known to have no storage of its own: nothing is moved, only what later partitions get changes.
pub(super) fn is_partitioned(context: &Context<'_>, step: &Step<'_>, table: &ObjectName) -> bool {
    context
        .before_relation(step, table)
        .is_some_and(|relation| relation.kind == RelationKind::PartitionedTable)
}

/// ADD COLUMN IF NOT EXISTS of a column that is there already: nothing happens.
pub(super) fn is_there_already(context: &Context<'_>, step: &Step<'_>, added: &AddedColumn) -> bool {
    added.if_not_exists
        && context
            .before_relation(step, &added.table)
            .is_some_and(|relation| relation.column(&added.column.name).is_some())
}
