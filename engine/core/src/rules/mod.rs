//! The engine's own rules: what no policy can tell, because it takes other policies' findings, the way back or the
//! history of the files. They report under the name `tollgate`, and configuration sets their levels as it does those of
//! a policy: `[plugins.tollgate.rules]`.

mod edited;
mod known;
mod rollback_procedure;
mod suppressions;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use tollgate_host::types::{Description, Finding, Rule, Severity};

use self::known::Known;
use self::rollback_procedure::rollback_procedure;
use self::suppressions::{unknown_suppressions, unused_suppressions};
use crate::plan::ReadMigration;
use crate::policy::{Court, JudgedFinding, Judgement, Level, Policy, Scales, Used};
use crate::rollback::RollbackPlan;
use crate::suppress::AllowedRule;

pub use edited::Edit;
pub(crate) use edited::edited;

/// The name under which they report.
pub const NAME: &str = "tollgate";

/// See [`rollback_procedure`].
const ROLLBACK_PROCEDURE: &str = "rollback-procedure";
/// See [`unused_suppressions`].
const UNUSED_SUPPRESSION: &str = "unused-suppression";
/// See [`unknown_suppressions`].
const UNKNOWN_SUPPRESSION: &str = "unknown-suppression";
/// See [`edited`].
pub(crate) const EDITED_MIGRATION: &str = "edited-migration";

/// What configuration says of the engine's rules, and of the policies that are not asked in this run.
#[derive(Debug, Clone, Default)]
pub struct EngineRules {
    /// None of them is on.
    pub off: bool,
    /// Levels by rule, where they differ from the default.
    pub levels: BTreeMap<String, Level>,
    /// Rules that no comment may allow, each with who says so.
    pub enforced: BTreeMap<String, String>,
    /// Policies that are switched off here, with their rules: a comment that names one of them is no mistake.
    pub switched_off: SwitchedOff,
}

/// The rules of policies that are switched off, by policy: looked up when a comment names a rule.
#[derive(Clone)]
pub struct SwitchedOff(Arc<LookedUp>);

type LookedUp = LazyLock<BTreeMap<String, Vec<String>>, Box<dyn FnOnce() -> BTreeMap<String, Vec<String>> + Send>>;

impl SwitchedOff {
    /// Those that `look_up` finds.
    pub fn new(look_up: impl FnOnce() -> BTreeMap<String, Vec<String>> + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(look_up))))
    }

    /// What was found.
    pub fn rules(&self) -> &BTreeMap<String, Vec<String>> {
        &self.0
    }
}

impl Default for SwitchedOff {
    fn default() -> Self {
        Self::new(BTreeMap::new)
    }
}

impl fmt::Debug for SwitchedOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwitchedOff").finish_non_exhaustive()
    }
}

impl EngineRules {
    /// The severity of a rule; `None` when it is off.
    pub fn severity(&self, rule: &str) -> Option<Severity> {
        if self.off {
            return None;
        }
        match self.levels.get(rule) {
            Some(level) => level.severity(),
            None => RULES.iter().find(|own| own.id == rule).map(|own| own.severity),
        }
    }
}

/// One rule of the engine.
struct OwnRule {
    id: &'static str,
    severity: Severity,
    summary: &'static str,
    explanation: &'static str,
    bad: Option<&'static str>,
    good: Option<&'static str>,
}

const RULES: &[OwnRule] = &[
    edited::RULE,
    rollback_procedure::RULE,
    suppressions::UNKNOWN,
    suppressions::UNUSED,
];

/// The engine's rules as a policy describes its own.
pub fn description() -> Description {
    let rule = |own: &OwnRule| Rule {
        id: own.id.to_owned(),
        summary: own.summary.to_owned(),
        default_severity: own.severity,
        enabled_by_default: true,
        needs_database: false,
        triggers: Vec::new(),
        explanation: own.explanation.to_owned(),
        bad_example: own.bad.map(str::to_owned),
        good_example: own.good.map(str::to_owned),
    };
    Description {
        name: NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        summary: "What only the engine can tell: suppressions, ways back, edited files".to_owned(),
        rules: RULES.iter().map(rule).collect(),
        capabilities: Vec::new(),
        settings_schema: None,
        properties: Vec::new(),
    }
}

/// Adds what the engine's own rules say of a migration to what the policies said. `used` are the comments that have
/// allowed something; `way_back` tells what the rollback generators can do.
pub(crate) fn add(
    court: &Court,
    policies: &[Policy],
    migration: &ReadMigration,
    used: Used,
    judgement: &mut Judgement,
    way_back: &mut dyn FnMut() -> Option<RollbackPlan>,
) {
    let own = &court.rules;
    let mut sum = Sum {
        own,
        scales: Scales::new(court.block_at, &migration.suppressions).with(used),
        findings: &mut judgement.findings,
    };
    if let Some(severity) = own.severity(ROLLBACK_PROCEDURE)
        && migration.input.down.is_none()
    {
        let found = rollback_procedure(severity, migration.script(), sum.findings, way_back);
        sum.add(found);
    }
    if !migration.suppressions.is_empty() {
        let failed: Vec<String> = judgement
            .failures
            .iter()
            .map(|failure| failure.plugin.clone())
            .collect();
        let known = Known::new(policies, own, &failed);
        sum.suppressions(migration, &known, court.files_only);
    }
}

/// What is found in a migration, growing.
struct Sum<'a> {
    own: &'a EngineRules,
    scales: Scales<'a>,
    findings: &'a mut Vec<JudgedFinding>,
}

impl Sum<'_> {
    fn add(&mut self, found: impl IntoIterator<Item = Finding>) {
        for finding in found {
            let enforced = self.own.enforced.get(&finding.rule);
            self.findings.extend(self.scales.weigh(NAME, None, enforced, finding));
        }
    }

    fn suppressions(&mut self, migration: &ReadMigration, known: &Known<'_>, files_only: bool) {
        let suppressions = &migration.suppressions;
        if let Some(severity) = self.own.severity(UNKNOWN_SUPPRESSION) {
            self.add(unknown_suppressions(severity, suppressions, known));
        }
        let Some(severity) = self.own.severity(UNUSED_SUPPRESSION).filter(|_| files_only) else {
            return;
        };
        let text = &migration.script().text;
        let found = |used: &Used, itself: bool| {
            let meant = |name: &AllowedRule| (name.rule == UNUSED_SUPPRESSION) == itself;
            unused_suppressions(severity, text, suppressions, used, known, meant)
        };
        self.add(found(&self.scales.used, false));
        // Comments that allow this rule itself come last: only now is it known whether they have been of use. None of
        // them allows itself.
        let last = found(&self.scales.used, true);
        self.scales.forget_comments();
        self.add(last);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use std::path::PathBuf;

    use tollgate_schema::Context;
    use tollgate_sql::Dialect;

    use super::*;
    use crate::check::{CheckRequest, LooseFile, check};
    use crate::folder::{Folder, MigrationFile};

    /// What is found in a script without any policy.
    fn found(text: &str, rules: EngineRules) -> Vec<String> {
        let folder = Folder {
            dir: PathBuf::new(),
            provider: None,
            migrations: Vec::new(),
            warnings: Vec::new(),
        };
        let loose = [LooseFile {
            file: MigrationFile::of_bytes("a".to_owned(), PathBuf::new(), text.as_bytes().to_vec()),
            named: true,
        }];
        let report = check(&CheckRequest {
            loose: &loose,
            rules,
            ..CheckRequest::new(&folder, Context::new(Dialect::Postgres))
        });
        let findings = report.unwrap().migrations.remove(0).judgement.findings;
        findings.into_iter().map(|judged| judged.finding.rule).collect()
    }

    #[test]
    fn the_examples_are_judged_as_they_say() {
        for rule in [suppressions::UNKNOWN, suppressions::UNUSED] {
            // What the next release has is unknown here, and so the comment that allows it is of use.
            let bad = found(rule.bad.unwrap(), EngineRules::default());
            assert_eq!(bad, [rule.id]);
            let good = found(rule.good.unwrap(), EngineRules::default());
            assert!(!good.contains(&rule.id.to_owned()), "{good:?}");
        }
    }

    #[test]
    fn levels_switch_them_off_and_severer() {
        let text = "-- tollgate:allow no-such-rule -- x\nSELECT 1;";
        let with = |level: Level| EngineRules {
            levels: [(UNKNOWN_SUPPRESSION.to_owned(), level)].into(),
            ..EngineRules::default()
        };
        assert_eq!(found(text, with(Level::High)), [UNKNOWN_SUPPRESSION]);
        assert_eq!(found(text, with(Level::Off)), [""; 0]);
        let off = EngineRules {
            off: true,
            ..EngineRules::default()
        };
        assert_eq!(found(text, off), [""; 0]);
        assert_eq!(with(Level::High).severity(UNKNOWN_SUPPRESSION), Some(Severity::High));
        assert_eq!(EngineRules::default().severity("of-nobody"), None);
    }
}
