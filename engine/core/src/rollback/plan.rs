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
            // A semicolon behind a comment would be part of the comment.
            let commented = statement.rsplit('\n').next().is_some_and(|line| line.contains("--"));
            script.push_str(match (statement.ends_with(';'), commented) {
                (_, true) => "\n;\n",
                (true, false) => "\n",
                (false, false) => ";\n",
            });
        }
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(outcomes: &[Outcome]) -> RollbackPlan {
        let step = |outcome: &Outcome| PlannedStep {
            undoes: Some(0),
            generator: None,
            outcome: outcome.clone(),
            sql: vec!["SELECT 1".to_owned(), "SELECT 2;".to_owned()],
            transactional: true,
        };
        let steps = outcomes.iter().map(step).collect();
        RollbackPlan {
            migration: "1_a".to_owned(),
            checksum: String::new(),
            source: Source::Kept,
            steps,
        }
    }

    #[test]
    fn a_plan_is_as_bad_as_its_worst_step() {
        let lossy = |text: &str| Outcome::Lossy(text.to_owned());
        let irreversible = || Outcome::Irreversible("gone".to_owned());
        for (outcomes, expected) in [
            (vec![], Outcome::Lossless),
            (vec![Outcome::Lossless, lossy("a"), lossy("b")], lossy("a; b")),
            (vec![lossy("a"), irreversible(), Outcome::Declined], irreversible()),
        ] {
            assert_eq!(plan(&outcomes).outcome(), expected);
        }
        assert!(matches!(plan(&[Outcome::Declined]).outcome(), Outcome::Irreversible(_)));
    }

    #[test]
    fn the_script_ends_every_statement_once() {
        assert_eq!(plan(&[Outcome::Lossless]).sql(), "SELECT 1;\nSELECT 2;\n");
    }
}
