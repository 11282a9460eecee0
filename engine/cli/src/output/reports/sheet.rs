//! What every report is made from.

use sha2::{Digest, Sha256};

use super::lines::Region;
use crate::engine::findings::Counts;

/// All that a check found.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Migrations that were judged, in order.
    pub entries: Vec<Entry>,
    /// The rules that were asked.
    pub rules: Vec<RuleInfo>,
    /// How many of each kind there are.
    pub counts: Counts,
}

/// One migration.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub migration: String,
    /// Its file, from the root of the repository.
    pub file: String,
    /// What was found.
    pub items: Vec<Item>,
    /// Policies that could not judge it.
    pub troubles: Vec<Trouble>,
}

/// One finding.
#[derive(Debug)]
pub struct Item {
    /// The policy.
    pub plugin: String,
    /// Its rule.
    pub rule: String,
    /// `low`, `medium` or `high`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// It stops a deploy.
    pub blocking: bool,
    /// Why it may pass although it was found.
    pub excuse: Option<Excuse>,
    /// Where.
    pub region: Region,
    /// The text of the statement it is about; empty for the script as a whole.
    pub statement: String,
    /// Further places, and what to say there.
    pub labels: Vec<(Region, String)>,
    /// What would mend it.
    pub fixes: Vec<Fix>,
    /// Stays the same while the statement does, wherever it stands in the file.
    pub fingerprint: String,
}

/// Why a finding may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excuse {
    /// A comment in the script allows it, for this reason.
    Comment(String),
    /// Somebody has approved it, for this reason.
    Approval {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

impl std::fmt::Display for Excuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Comment(reason) => write!(f, "allowed in the script: {reason}"),
            Self::Approval { by, reason } => write!(f, "approved by {by}: {reason}"),
        }
    }
}

/// Edits that would mend a finding.
#[derive(Debug)]
pub struct Fix {
    /// What they do.
    pub title: String,
    /// In the order of the file.
    pub replacements: Vec<Replacement>,
}

/// One edit.
#[derive(Debug)]
pub struct Replacement {
    /// What goes.
    pub region: Region,
    /// What comes.
    pub text: String,
}

/// A policy that could not judge.
#[derive(Debug)]
pub struct Trouble {
    /// The policy.
    pub plugin: String,
    /// The name of the failure, for example `out-of-fuel`.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// It stops a deploy.
    pub blocking: bool,
}

/// One rule of a policy.
#[derive(Debug)]
pub struct RuleInfo {
    /// The policy.
    pub plugin: String,
    /// The rule.
    pub id: String,
    /// One line.
    pub summary: String,
    /// Markdown: what it does, why it matters, what to do instead.
    pub explanation: String,
    /// `low`, `medium` or `high`: its own level.
    pub severity: &'static str,
}

impl Item {
    /// `plugin/rule`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.plugin, self.rule)
    }
}

/// Gives every finding of a migration its fingerprint: of rule, migration and statement, and of the number among those
/// that are alike.
pub fn fingerprints(entry: &mut Entry) {
    let mut seen: Vec<(String, String, String)> = Vec::new();
    for item in &mut entry.items {
        let words: Vec<&str> = item.statement.split_whitespace().collect();
        let key = (item.plugin.clone(), item.rule.clone(), words.join(" "));
        let number = seen.iter().filter(|earlier| **earlier == key).count();
        let mut digest = Sha256::new();
        for part in [&key.0, &key.1, &entry.migration, &key.2, &number.to_string()] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        item.fingerprint = hex::encode(digest.finalize());
        seen.push(key);
    }
}
