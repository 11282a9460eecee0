//! Asking the policies, and deciding. A policy reports; what blocks is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollgate_database::Pragmas;
use tollgate_host::types::{Finding, Rule, Server, Severity, TimeLimits};
use tollgate_host::{Plugin, PluginError, PolicyCall, Subject};
use tollgate_schema::Schema;

use crate::approval::{Approval, VoidApproval};
use crate::error::milliseconds;
use crate::plan::ReadMigration;
use crate::rules::EngineRules;
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
    pub(crate) fn severity(self) -> Option<Severity> {
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
    /// Rules that no comment may allow, each with who says so.
    pub enforced: BTreeMap<String, String>,
    /// What a failure of it means.
    pub on_failure: OnFailure,
    rules: Arc<[String]>,
    /// The same for a script that has no migration's name.
    rules_without_name: Arc<[String]>,
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
    /// A comment would allow it, but does not count: who enforces the rule.
    pub enforced_by: Option<String>,
    /// Somebody has approved it, so it does not stop a deploy. Only [`crate::approval::Approvals`] says so: no field of
    /// what a plugin reports leads here.
    pub approved: Option<Approval>,
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
    /// Approvals that it could do with and that do not count.
    pub void_approvals: Vec<VoidApproval>,
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
    /// How long a statement of a deploy may wait and run, unless its file says otherwise.
    pub time_limits: TimeLimits,
    /// The engine's own rules.
    pub rules: EngineRules,
    /// What is found depends on the file and on those before it alone, so that a comment which allows nothing is one that
    /// never will.
    pub files_only: bool,
}

/// The rule that a script without a migration's name is spared.
const NAMING_RULE: &str = "migration-name";

impl Court {
    /// The limits for a file that may set its own.
    fn limits_of(&self, pragmas: Pragmas) -> TimeLimits {
        let own = limits(pragmas.lock_timeout, pragmas.statement_timeout);
        TimeLimits {
            lock_ms: own.lock_ms.or(self.time_limits.lock_ms),
            statement_ms: own.statement_ms.or(self.time_limits.statement_ms),
        }
    }

    /// Asks every policy about one migration.
    pub(crate) fn judge(
        &self,
        policies: &[Policy],
        migration: &ReadMigration,
        before: &Schema,
        after: &Schema,
    ) -> (Judgement, Used) {
        let mut judgement = Judgement::default();
        let mut scales = Scales::new(self.block_at, &migration.suppressions);
        let locks = migration.locks.clone().unwrap_or_default();
        let subject = Subject::with_locks(migration.input.clone(), before.clone(), after.clone(), locks);
        for policy in policies {
            let call = PolicyCall {
                server: self.server,
                rules: policy.rules_for(migration),
                environment: self.environment.clone(),
                time_limits: self.limits_of(migration.pragmas),
                subject: subject.clone(),
            };
            match policy.plugin.check(&call) {
                Ok(findings) => judgement.findings.extend(findings.into_iter().filter_map(|finding| {
                    let level = policy.levels.get(&finding.rule).copied();
                    let enforced = policy.enforced.get(&finding.rule);
                    scales.weigh(policy.plugin.name(), level, enforced, finding)
                })),
                Err(error) => judgement.failures.push(policy.failure(&error)),
            }
        }
        (judgement, scales.used)
    }
}

/// The names in comments that have allowed something: which suppression, and which of its names.
pub(crate) type Used = BTreeSet<(usize, usize)>;

/// Weighs findings: configuration says how bad they are, comments whether they are meant.
pub(crate) struct Scales<'a> {
    block_at: Severity,
    suppressions: &'a [Suppression],
    /// See [`Used`].
    pub used: Used,
}

impl<'a> Scales<'a> {
    pub(crate) fn new(block_at: Severity, suppressions: &'a [Suppression]) -> Self {
        Self {
            block_at,
            suppressions,
            used: Used::new(),
        }
    }

    /// The same when some comments have been of use already.
    pub(crate) fn with(mut self, used: Used) -> Self {
        self.used = used;
        self
    }

    /// From here on no comment allows anything.
    pub(crate) fn forget_comments(&mut self) {
        self.suppressions = &[];
    }

    /// `level` is the configured one, `enforced` who says that no comment may allow the rule. `None` when it is off.
    pub(crate) fn weigh(
        &mut self,
        plugin: &str,
        level: Option<Level>,
        enforced: Option<&String>,
        mut finding: Finding,
    ) -> Option<JudgedFinding> {
        if let Some(level) = level {
            finding.severity = level.severity()?;
        }
        let reason = self.allowance(plugin, &finding);
        let (allowed, enforced_by) = match enforced {
            Some(by) => (None, reason.map(|_| by.clone())),
            None => (reason, None),
        };
        let blocking = allowed.is_none() && finding.severity >= self.block_at;
        Some(JudgedFinding {
            plugin: plugin.to_owned(),
            finding,
            blocking,
            approved: None,
            allowed,
            enforced_by,
        })
    }

    /// The reason of the first comment that allows it. All that do have been of use.
    fn allowance(&mut self, plugin: &str, finding: &Finding) -> Option<String> {
        let mut reason = None;
        for (index, suppression) in self.suppressions.iter().enumerate() {
            if !suppression.reaches(finding.statement) {
                continue;
            }
            for (rule, name) in suppression.rules.iter().enumerate() {
                if name.means(plugin, &finding.rule) {
                    self.used.insert((index, rule));
                    reason.get_or_insert_with(|| suppression.reason.clone());
                }
            }
        }
        reason
    }
}

/// Time limits as policies hear of them.
pub(crate) fn limits(lock: Option<Duration>, statement: Option<Duration>) -> TimeLimits {
    TimeLimits {
        lock_ms: lock.map(milliseconds),
        statement_ms: statement.map(milliseconds),
    }
}

impl Policy {
    /// A policy as configuration wants it. Rules are on by the plugin's defaults, as `levels` change them.
    pub fn new(
        plugin: Arc<Plugin>,
        levels: BTreeMap<String, Level>,
        enforced: BTreeMap<String, String>,
        on_failure: OnFailure,
    ) -> Self {
        let rules = plugin.description().rules.iter();
        let rules: Arc<[String]> = rules
            .filter(|rule| is_on(&levels, rule))
            .map(|rule| rule.id.clone())
            .collect();
        Self {
            rules_without_name: rules.iter().filter(|rule| *rule != NAMING_RULE).cloned().collect(),
            rules,
            plugin,
            levels,
            enforced,
            on_failure,
        }
    }

    /// Rules that are switched on.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    fn rules_for(&self, migration: &ReadMigration) -> Arc<[String]> {
        Arc::clone(if migration.named {
            &self.rules
        } else {
            &self.rules_without_name
        })
    }

    pub(crate) fn is_on(&self, rule: &Rule) -> bool {
        is_on(&self.levels, rule)
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

fn is_on(levels: &BTreeMap<String, Level>, rule: &Rule) -> bool {
    match levels.get(&rule.id) {
        Some(level) => *level != Level::Off,
        None => rule.enabled_by_default,
    }
}
