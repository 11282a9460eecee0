//! Approvals: a person's word that a finding is meant. They stand in a file beside the migrations, where they are reviewed
//! like code, or are given with a deploy where the environment allows that.
//!
//! An approval is bound to one migration, its text, one rule of one policy and one statement, and to the level that the
//! finding had when somebody looked at it. It is not bound to the finding's words: with a database they are more exact
//! ("with all its 3 rows") than without one. Where the rule takes the same statement more seriously than before, somebody
//! has to look again.
//!
//! A rule that is enforced can be approved although no comment allows it: an approval is for one statement, and the
//! environment says who may give it. What a policy could not judge is approved by nobody. Taking a migration back needs no
//! approval: it is what one does when something has gone wrong, and it has its own confirmation.
//!
//! Who an approval says that gave it, anybody can type into the file. What makes it true is who may change the file: the
//! review of the repository, for example by CODEOWNERS.
//!
//! Here it is only decided which approval counts for what. Nothing here reads a file, and no plugin is asked.

mod decide;
mod file;
mod request;
mod subject;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tollgate_host::types::Severity;

pub use decide::{Approvals, Void, VoidApproval, is_among};
pub use file::{ApprovalFile, ApprovalFileError, FILE_NAME, time};
pub use request::{Choice, NotFound, Request, RuleName, select};
pub use subject::Subject;

/// One finding, approved by one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Approval {
    /// The migration.
    pub migration: String,
    /// Checksum of its text when it was approved, 64 hexadecimal digits.
    pub checksum: String,
    /// The policy.
    pub plugin: String,
    /// Its rule.
    pub rule: String,
    /// The statement; `None` for a finding about the script as a whole.
    pub statement: Option<ApprovedStatement>,
    /// The highest level of a finding that it is good for.
    pub level: Severity,
    /// Who gave it.
    pub by: String,
    /// When.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// The environments that it is for; all where there are none.
    pub environments: Vec<String>,
    /// Until when it is good.
    #[serde(serialize_with = "as_optional_text")]
    pub until: Option<Timestamp>,
    /// Where it stands.
    pub source: ApprovalSource,
}

/// The statement that an approval is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApprovedStatement {
    /// Its place in the file, counted from 1.
    pub number: usize,
    /// Its beginning, for whoever reviews the approval.
    pub sql: String,
    /// SHA-256 of its whole text, whatever its line endings.
    pub digest: String,
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalSource {
    /// In the file beside the migrations.
    File,
    /// On the command line of this deploy.
    CommandLine,
}

impl ApprovalSource {
    /// The word for it in the state tables and in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::CommandLine => "command-line",
        }
    }
}

impl fmt::Display for Approval {
    /// `destructive/drop-table in 4_drop, statement 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} in {}", self.plugin, self.rule, self.migration)?;
        match &self.statement {
            Some(statement) => write!(f, ", statement {}", statement.number),
            None => Ok(()),
        }
    }
}

/// A level as files, tables and documents have it.
pub fn level_name(level: Severity) -> &'static str {
    match level {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
    }
}

fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

#[expect(clippy::ref_option, reason = "serde hands on a reference to the field")]
fn as_optional_text<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}
