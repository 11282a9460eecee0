//! What goes into a plugin and comes out of it, as plain data for the floors above.
//!
//! These mirror the records of `wit/`, but may grow independently of them: everything serialises, so that findings and
//! events can be kept, printed and sent again later.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_sql::{Dialect, Script, Span};

use crate::subject::Subject;

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Judges a migration before it runs.
    Policy,
    /// Writes the SQL that takes a migration back.
    Rollback,
    /// Tells somebody what happened.
    Notifier,
}

impl Kind {
    /// The word for it, with its article, for sentences.
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Policy => "a policy",
            Self::Rollback => "a rollback generator",
            Self::Notifier => "a notifier",
        }
    }
}

/// What a plugin says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Description {
    /// The plugin's own name.
    pub name: String,
    /// Semantic version of the plugin.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Rules of a policy; empty for other kinds.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Capabilities asked for, for example `catalog.probe`, `http:webhook`.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// JSON Schema of the settings table, as text.
    #[serde(default)]
    pub settings_schema: Option<String>,
    /// Machine-readable extras.
    #[serde(default)]
    pub properties: Vec<(String, String)>,
}

impl Description {
    /// The rule with this identifier.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

/// One rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rule {
    /// Kebab-case, unique within the plugin.
    pub id: String,
    /// One line.
    pub summary: String,
    /// Severity where configuration says nothing.
    pub default_severity: Severity,
    /// On where configuration says nothing.
    pub enabled_by_default: bool,
    /// It reports nothing unless a database is connected.
    #[serde(default)]
    pub needs_database: bool,
    /// Operations that a script must hold for it to find anything, as the contract names them; empty: in any script.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// Markdown: what it does, why it matters, what to do instead.
    pub explanation: String,
    /// SQL that must be reported.
    #[serde(default)]
    pub bad_example: Option<String>,
    /// SQL that must not be reported.
    #[serde(default)]
    pub good_example: Option<String>,
}

/// How far a mistake reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Context worth showing; never blocks.
    Low,
    /// Risky; blocks only where configuration says so.
    Medium,
    /// Loses data or is certain to fail; blocks until approved.
    High,
}

/// What a policy reports. Spans lie inside the script, on character boundaries; the rule is one of the plugin's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// Rule identifier, one of the description's.
    pub rule: String,
    /// What the plugin proposes.
    pub severity: Severity,
    /// One sentence: what is wrong.
    pub message: String,
    /// Statement the finding is about; `None` for the whole script.
    pub statement: Option<usize>,
    /// Where to point; `None` falls back to the statement.
    pub span: Option<Span>,
    /// Further places.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// Edits that would mend it.
    pub suggestions: Vec<Suggestion>,
    /// Machine-readable extras.
    pub properties: Vec<(String, String)>,
}

impl Finding {
    /// A finding about the script as a whole, without a place or advice.
    pub fn new(rule: impl Into<String>, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            severity,
            message: message.into(),
            statement: None,
            span: None,
            labels: Vec::new(),
            help: None,
            suggestions: Vec::new(),
            properties: Vec::new(),
        }
    }
}

/// A further place a finding points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What to say there.
    pub text: String,
}

/// Edits of the script that would mend a finding; they do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Suggestion {
    /// What the edits do.
    pub title: String,
    /// In ascending order of their spans.
    pub edits: Vec<Edit>,
    /// Safe to apply without review.
    pub automatic: bool,
}

/// One replacement in the script's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

/// The server a migration is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Server {
    /// Which SQL.
    pub dialect: Dialect,
    /// Major, minor, patch; `None` when no database is connected and the configuration names no version.
    pub version: Option<(u32, u32, u32)>,
}

/// One migration, as the ledger knows it.
#[derive(Debug, Clone)]
pub struct MigrationInput {
    /// Folder name.
    pub name: String,
    /// Checksum as stored in the ledger.
    pub checksum: String,
    /// The parsed script.
    pub script: Arc<Script>,
    /// The author's own `down.sql`.
    pub down: Option<String>,
}

/// How long a statement of a deploy may wait and run, in milliseconds. `None` and 0: as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeLimits {
    /// Waiting for a lock.
    pub lock_ms: Option<u64>,
    /// Running.
    pub statement_ms: Option<u64>,
}

/// A question to a policy.
#[derive(Clone)]
pub struct PolicyCall {
    /// The server the migration is meant for.
    pub server: Server,
    /// Rules that are switched on; findings for others are dropped.
    pub rules: Arc<[String]>,
    /// Environment name from the configuration.
    pub environment: Option<String>,
    /// How long a statement of a deploy may wait and run.
    pub time_limits: TimeLimits,
    /// What to judge.
    pub subject: Subject,
}

/// A question to a rollback generator.
#[derive(Clone)]
pub struct RollbackCall {
    /// The server the migration is meant for.
    pub server: Server,
    /// Keep the data that the migration would lose.
    pub preserve_data: bool,
    /// Schema (or table-name prefix, without schemas) that may hold kept data.
    pub preserve_in: Option<String>,
    /// What to take back: from the schema with the migration to the one without it.
    pub subject: Subject,
}

/// How well a rollback step undoes its statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Schema and data return to what they were.
    Lossless,
    /// Runs, but something stays lost; the text says what.
    Lossy(String),
    /// No SQL can undo it; the text says why.
    Irreversible(String),
    /// Left to the next generator.
    Declined,
}

/// How one statement is taken back. The SQL parses; each statement of the migration has exactly one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RollbackStep {
    /// Statement of the migration this step undoes.
    pub undoes: usize,
    /// How well.
    pub outcome: Outcome,
    /// Run just before that statement, in its transaction, to keep what it would lose.
    pub preserve: Vec<String>,
    /// In execution order; empty unless lossless or lossy.
    pub sql: Vec<String>,
    /// Can run inside a transaction.
    pub transactional: bool,
}

/// The run an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// Identifier of the run.
    pub id: String,
    /// Environment name from the configuration.
    pub environment: Option<String>,
    /// Host and database name, never credentials.
    pub target: String,
    /// Who started it.
    pub actor: Option<String>,
    /// Nothing is changed.
    pub dry_run: bool,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// `deploy`, `rollback`, …
    pub command: String,
    /// Commit of the repository that it runs from, where that is known.
    #[serde(default)]
    pub commit: Option<String>,
    /// The job or pipeline that runs it.
    #[serde(default)]
    pub link: Option<String>,
}

/// What the policies said of a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing to say.
    Pass,
    /// Findings, none of which blocks.
    PassWithWarnings,
    /// Nothing will be applied.
    Blocked,
}

/// Findings of one migration, after overrides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MigrationFindings {
    /// Migration name.
    pub migration: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// Somebody else has the lock, and the run waits. Told once.
    WaitingForLock {
        /// Who, in words.
        holder: String,
    },
    /// The run starts: migrations that are about to be applied or taken back, in order.
    Planned {
        /// Their names.
        migrations: Vec<String>,
    },
    /// What the policies said; with [`Verdict::Blocked`] only [`Event::AwaitingApproval`] follows.
    Checked {
        /// In one word.
        verdict: Verdict,
        /// In detail.
        findings: Vec<MigrationFindings>,
    },
    /// Nothing was applied, and nothing will be before somebody has approved it.
    AwaitingApproval {
        /// The findings that wait.
        findings: Vec<MigrationFindings>,
        /// What has to be deployed elsewhere first, in words.
        #[serde(default)]
        requirement: Option<String>,
        /// Policies that could not judge, in words.
        #[serde(default)]
        failures: Vec<String>,
    },
    /// A migration was applied.
    Applied {
        /// Its name.
        migration: String,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// A migration failed.
    Failed {
        /// Its name.
        migration: String,
        /// The statement that failed.
        statement: Option<usize>,
        /// The server's words.
        message: String,
        /// The server's code.
        sqlstate: Option<String>,
    },
    /// A migration was taken back.
    RolledBack {
        /// Its name.
        migration: String,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// The run is over.
    Finished {
        /// Migrations applied or, of a rollback, taken back.
        applied: Vec<String>,
        /// The findings that were let through.
        findings: Vec<MigrationFindings>,
        /// Everything that was to be done is done.
        succeeded: bool,
        /// How long the run took, in milliseconds.
        duration_ms: u64,
    },
    /// Something a later version knows.
    Other {
        /// What it is.
        tag: String,
        /// About it.
        details: serde_json::Value,
    },
}

impl Event {
    /// The tag by which notifiers say what interests them: the name of the case in `wit/`.
    pub fn tag(&self) -> &str {
        match self {
            Self::WaitingForLock { .. } => "waiting-for-lock",
            Self::Planned { .. } => "planned",
            Self::Checked { .. } => "checked",
            Self::AwaitingApproval { .. } => "awaiting-approval",
            Self::Applied { .. } => "applied",
            Self::Failed { .. } => "failed",
            Self::RolledBack { .. } => "rolled-back",
            Self::Finished { .. } => "finished",
            Self::Other { tag, .. } => tag,
        }
    }
}
