//! Asking the policies, and deciding. A policy reports; what blocks is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_host::types::{Finding, Server, Severity};
use tollgate_host::{MigrationInput, Plugin, PluginError, PolicyCall};
use tollgate_schema::Schema;

use crate::suppress::Suppression;

/// How seriously a rule is taken, from configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Not asked about.
    Off,
    /// Shown.
    Low,
    /// A warning.
    Medium,
    /// Blocks, unless configuration moves the bar.
    High,
}

impl Level {
    fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
        }
    }
}

/// What to do when a policy cannot judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Nothing is let through that has not been judged.
    #[default]
    Block,
    /// Say so and go on.
    Warn,
}

/// A loaded policy with what configuration says of it.
#[derive(Clone)]
pub struct Policy {
    /// The component.
    pub plugin: Arc<Plugin>,
    /// Levels by rule, where they differ from the plugin's own.
    pub levels: BTreeMap<String, Level>,
    /// What a failure of it means.
    pub on_failure: OnFailure,
}

/// A finding after configuration and suppressions had their say.
#[derive(Debug, Clone, Serialize)]
pub struct JudgedFinding {
    /// Policy that reported it.
    pub plugin: String,
    /// What it reported; the severity is the configured one.
    pub finding: Finding,
    /// It stops a deploy.
    pub blocking: bool,
    /// The reason given in the script for allowing it.
    pub allowed: Option<String>,
}

/// A policy that could not judge.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyFailure {
    /// Policy.
    pub plugin: String,
    /// What went wrong, as a name: `out-of-fuel`.
    pub kind: String,
    /// What went wrong, for people.
    pub message: String,
    /// It stops a deploy.
    pub blocking: bool,
}

/// Everything the policies said of one migration.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Judgement {
    /// In the order of the script.
    pub findings: Vec<JudgedFinding>,
    /// Policies that could not judge it.
    pub failures: Vec<PolicyFailure>,
}

impl Judgement {
    /// Nothing of it may be applied.
    pub fn blocked(&self) -> bool {
        self.findings.iter().any(|finding| finding.blocking) || self.failures.iter().any(|failure| failure.blocking)
    }
}

/// What every question to a policy carries.
#[derive(Debug, Clone)]
pub struct Court {
    /// Server the migrations are for.
    pub server: Server,
    /// Deployment name.
    pub environment: Option<String>,
    /// Findings at this level or above block.
    pub block_at: Severity,
}

impl Court {
    /// Asks every policy about one migration.
    pub fn judge(
        &self,
        policies: &[Policy],
        migration: &MigrationInput,
        suppressions: &[Suppression],
        before: &Schema,
        after: &Schema,
    ) -> Judgement {
        let mut judgement = Judgement::default();
        for policy in policies {
            let call = PolicyCall {
                server: self.server,
                rules: policy.rules(),
                environment: self.environment.clone(),
                migration: migration.clone(),
                before: before.clone(),
                after: after.clone(),
            };
            match policy.plugin.check(&call) {
                Ok(findings) => judgement.findings.extend(
                    findings
                        .into_iter()
                        .filter_map(|finding| self.weigh(policy, finding, suppressions)),
                ),
                Err(error) => judgement.failures.push(policy.failure(&error)),
            }
        }
        judgement
            .findings
            .sort_by_key(|judged| (judged.finding.statement, judged.finding.span.map(|span| span.start)));
        judgement
    }

    fn weigh(&self, policy: &Policy, mut finding: Finding, suppressions: &[Suppression]) -> Option<JudgedFinding> {
        if let Some(level) = policy.levels.get(&finding.rule) {
            finding.severity = level.severity()?;
        }
        let allowed = suppressions
            .iter()
            .find(|suppression| suppression.covers(&finding.rule, finding.statement))
            .map(|suppression| suppression.reason.clone());
        let blocking = allowed.is_none() && finding.severity >= self.block_at;
        Some(JudgedFinding {
            plugin: policy.plugin.name().to_owned(),
            finding,
            blocking,
            allowed,
        })
    }
}

impl Policy {
    /// Rules that are switched on: the plugin's defaults, as configuration changes them.
    pub fn rules(&self) -> Vec<String> {
        self.plugin
            .description()
            .rules
            .iter()
            .filter(|rule| match self.levels.get(&rule.id) {
                Some(level) => *level != Level::Off,
                None => rule.enabled_by_default,
            })
            .map(|rule| rule.id.clone())
            .collect()
    }

    /// Rules that configuration names and the plugin does not have.
    pub fn unknown_rules(&self) -> Vec<String> {
        let known: BTreeSet<_> = self
            .plugin
            .description()
            .rules
            .iter()
            .map(|rule| rule.id.as_str())
            .collect();
        self.levels
            .keys()
            .filter(|rule| !known.contains(rule.as_str()))
            .cloned()
            .collect()
    }

    fn failure(&self, error: &PluginError) -> PolicyFailure {
        PolicyFailure {
            plugin: self.plugin.name().to_owned(),
            kind: error.kind.name().to_owned(),
            message: error.message.clone(),
            blocking: self.on_failure == OnFailure::Block,
        }
    }
}
