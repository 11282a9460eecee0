//! A rollback plan as plain data: it is shown to people, kept in the state tables, and run.

use serde::{Deserialize, Serialize};
use tollgate_host::types::Outcome;

/// Where the SQL of a plan comes from. Earlier ones are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The author's own `down.sql`.
    DownFile,
    /// Generated when the migration was deployed, and kept.
    Kept,
    /// Generated now, from a replay of the folder.
    Generated,
}

/// How one migration is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// Migration.
    pub migration: String,
    /// Checksum of the script it undoes.
    pub checksum: String,
    /// Where it comes from.
    pub source: Source,
    /// In the order in which they run.
    pub steps: Vec<PlannedStep>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Statement of the migration it undoes, counted from zero; `None` for a `down.sql`.
    pub undoes: Option<usize>,
    /// Plugin that wrote it.
    pub generator: Option<String>,
    /// What is lost.
    pub outcome: Outcome,
    /// SQL to run.
    pub sql: Vec<String>,
    /// Can run inside a transaction.
    pub transactional: bool,
}

impl RollbackPlan {
    /// The worst outcome of its steps. A `down.sql` is the author's word: it counts as lossless here, and is shown.
    pub fn outcome(&self) -> Outcome {
        let worst = |pick: fn(&Outcome) -> Option<&String>| {
            let texts: Vec<&str> = self
                .steps
                .iter()
                .filter_map(|step| pick(&step.outcome))
                .map(String::as_str)
                .collect();
            (!texts.is_empty()).then(|| texts.join("; "))
        };
        if let Some(why) = worst(|outcome| match outcome {
            Outcome::Irreversible(why) => Some(why),
            _ => None,
        }) {
            return Outcome::Irreversible(why);
        }
        if self.steps.iter().any(|step| step.outcome == Outcome::Declined) {
            return Outcome::Irreversible("no rollback generator knows how to undo every statement".to_owned());
        }
        match worst(|outcome| match outcome {
            Outcome::Lossy(what) => Some(what),
            _ => None,
        }) {
            Some(what) => Outcome::Lossy(what),
            None => Outcome::Lossless,
        }
    }

    /// The plan as the state tables keep it.
    pub(crate) fn document(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// All SQL of the plan, as a script.
    pub fn sql(&self) -> String {
        let mut script = String::new();
        for statement in self.steps.iter().flat_map(|step| &step.sql) {
            let statement = statement.trim_end();
            script.push_str(statement);
            script.push_str(if statement.ends_with(';') { "\n" } else { ";\n" });
        }
        script
    }
}
