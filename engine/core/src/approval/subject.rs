//! A migration as approvals see it: its text and its statements.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tollgate_database::ledger;
use tollgate_host::types::Severity;
use tollgate_sql::Script;

use super::{Approval, ApprovalSource, ApprovedStatement};
use crate::deploy::excerpt;
use crate::plan::ReadMigration;
use crate::policy::JudgedFinding;

/// One migration as it is now.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its name.
    pub name: &'a str,
    /// The checksum of its text.
    pub checksum: &'a str,
    /// Its script.
    pub script: &'a Script,
}

impl<'a> From<&'a ReadMigration> for Subject<'a> {
    fn from(migration: &'a ReadMigration) -> Self {
        Self {
            name: &migration.input.name,
            checksum: &migration.input.checksum,
            script: migration.script(),
        }
    }
}

/// Who approves something, when and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    pub(super) by: &'a str,
    pub(super) at: Timestamp,
    pub(super) reason: &'a str,
}

impl Subject<'_> {
    /// Whether this is the checksum of its text, whatever the line endings of the checkout.
    pub(crate) fn has_checksum(&self, checksum: &str) -> bool {
        checksum == self.checksum || ledger::matches(checksum, self.script.text.as_bytes())
    }

    /// One of its statements as an approval names it; `None`: it has fewer. Counted from 1.
    pub fn statement(&self, number: usize) -> Option<ApprovedStatement> {
        let statement = self.script.statements.get(number.checked_sub(1)?)?;
        let text = statement.span.of(&self.script.text);
        Some(ApprovedStatement {
            number,
            sql: excerpt(text).replace(char::is_control, " ").trim().to_owned(),
            digest: hex::encode(Sha256::digest(text.replace("\r\n", "\n"))),
        })
    }

    /// An approval of a rule at a statement (counted from 1; `None` for the script as a whole) up to a level. `None`: there
    /// is no such statement.
    pub fn approve(
        &self,
        (plugin, rule): (&str, &str),
        statement: Option<usize>,
        level: Severity,
        (by, at): (&str, Timestamp),
        reason: &str,
    ) -> Option<Approval> {
        let statement = match statement {
            Some(number) => Some(self.statement(number)?),
            None => None,
        };
        Some(Approval {
            migration: self.name.to_owned(),
            checksum: self.checksum.to_owned(),
            plugin: plugin.to_owned(),
            rule: rule.to_owned(),
            statement,
            level,
            by: by.to_owned(),
            at,
            reason: reason.to_owned(),
            environments: Vec::new(),
            until: None,
            source: ApprovalSource::File,
        })
    }

    /// An approval of a finding.
    pub(super) fn approve_finding(&self, judged: &JudgedFinding, word: Word<'_>) -> Option<Approval> {
        let finding = &judged.finding;
        let number = finding.statement.map(|index| index + 1);
        let rule = (judged.plugin.as_str(), finding.rule.as_str());
        self.approve(rule, number, finding.severity, (word.by, word.at), word.reason)
    }
}
