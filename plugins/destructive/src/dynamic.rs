//! SQL that a migration makes at run time: what little can be seen of it.

use tollgate_plugin::Operation;
use tollgate_plugin::rules::{Context, Findings};

/// What the visible part of run-time SQL points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// It says DROP TABLE.
    DropTable,
    /// It says DROP COLUMN.
    DropColumn,
    /// It says DROP SCHEMA.
    DropSchema,
    /// It says TRUNCATE.
    Truncate,
    /// It says DELETE FROM.
    Delete,
    /// Nothing can be seen: it can be anything.
    Anything,
    /// It shows a statement that loses nothing.
    Nothing,
}

/// Statements that lose nothing, by how a piece of text begins.
const HARMLESS: [&str; 9] = [
    "create ",
    "insert ",
    "comment ",
    "grant ",
    "alter table",
    "alter index",
    "alter type",
    "select ",
    "analyze",
];

/// Reads what can be seen.
pub(crate) fn suspicion(text: &str) -> Suspicion {
    let words = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let says = |phrase: &str| words.contains(phrase);
    if says("drop table") {
        Suspicion::DropTable
    } else if says("drop column") {
        Suspicion::DropColumn
    } else if says("drop schema") {
        Suspicion::DropSchema
    } else if says("truncate") {
        Suspicion::Truncate
    } else if says("delete from") {
        Suspicion::Delete
    } else if words
        .split('\'')
        .skip(1)
        .step_by(2)
        .any(|literal| HARMLESS.iter().any(|start| literal.trim_start().starts_with(start)))
    {
        Suspicion::Nothing
    } else {
        Suspicion::Anything
    }
}

/// Reports every statement of run-time SQL that points to one of `suspicions`.
pub(crate) fn report(context: &Context<'_>, findings: &mut Findings<'_>, suspicions: &[Suspicion], what: &str) {
    for step in context.steps() {
        let Operation::Dynamic(text) = &step.effect.operation else {
            continue;
        };
        let found = suspicion(text);
        if !suspicions.contains(&found) {
            continue;
        }
        let message = if found == Suspicion::Anything {
            "runs SQL that is made at run time and cannot be seen through".to_owned()
        } else {
            format!("runs SQL that is made at run time and {what}; it cannot be seen through")
        };
        findings
            .report(&step, message)
            .severity(tollgate_plugin::Severity::Medium)
            .help("write the statements out, so that they can be judged before they run");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_can_be_seen() {
        for (text, expected) in [
            ("EXECUTE format('DROP  TABLE %I', name)", Suspicion::DropTable),
            ("EXECUTE 'ALTER TABLE t DROP COLUMN ' || c", Suspicion::DropColumn),
            ("EXECUTE 'drop schema ' || s", Suspicion::DropSchema),
            ("EXECUTE 'TRUNCATE ' || t", Suspicion::Truncate),
            ("EXECUTE format('delete from %I', t)", Suspicion::Delete),
            ("EXECUTE statement", Suspicion::Anything),
            ("EXECUTE format('CREATE INDEX ON %I (id)', t)", Suspicion::Nothing),
            (
                "EXECUTE format('ALTER TABLE %I ADD COLUMN x int', t)",
                Suspicion::Nothing,
            ),
            ("SELECT clean_up()", Suspicion::Anything),
        ] {
            assert_eq!(suspicion(text), expected, "{text}");
        }
    }
}
