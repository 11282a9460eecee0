//! `edited-migration`: a file that others already have was changed or removed.

use tollgate_host::types::{Finding, Severity};

use super::{EDITED_MIGRATION, OwnRule};

pub(super) const RULE: OwnRule = OwnRule {
    id: EDITED_MIGRATION,
    severity: Severity::High,
    summary: "A migration that was merged before has been changed or removed",
    explanation: "\
`check --since REF` reports a migration that REF already has and whose file is different, or gone, now.

Databases that have applied it will not apply it again: they keep what the old file made, new ones get what the new file \
makes, and a deploy to the old ones is refused because the checksum in the ledger is another.

Put the file back as it was and write a new migration for the change.",
    bad: None,
    good: None,
};

/// How the file differs from the one that was merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Its text is another.
    Changed,
    /// It is gone.
    Removed,
}

/// The finding about such a file. `since` is what it was compared with.
pub(crate) fn edited(severity: Severity, edit: Edit, since: &str) -> Finding {
    let what = match edit {
        Edit::Changed => "changed",
        Edit::Removed => "removed",
    };
    let message = format!("was {what} although {since} has it: databases may have applied it as it was");
    Finding {
        help: Some("put the file back as it was and write a new migration for the change".to_owned()),
        ..Finding::new(EDITED_MIGRATION, severity, message)
    }
}
