//! Rollback plans, for people and for programs.

use serde::Serialize;
use tollgate_engine::host::types::Outcome;
use tollgate_engine::rollback::{RollbackPlan, Source};

use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};

/// How one migration is taken back.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlanDocument {
    /// The migration.
    pub migration: String,
    /// `down-file`, `kept` or `generated`.
    pub source: &'static str,
    /// `lossless`, `lossy` or `irreversible`; `unknown` of a down.sql, which only its author can judge.
    pub outcome: &'static str,
    /// What stays lost, or why it cannot be undone.
    pub reason: Option<String>,
    /// What runs, in order.
    pub sql: Vec<String>,
}

impl From<&RollbackPlan> for PlanDocument {
    fn from(plan: &RollbackPlan) -> Self {
        let (outcome, reason) = outcome(plan);
        Self {
            migration: plan.migration.clone(),
            source: match plan.source {
                Source::DownFile => "down-file",
                Source::Kept => "kept",
                Source::Generated => "generated",
            },
            outcome,
            reason,
            sql: plan.steps.iter().flat_map(|step| step.sql.clone()).collect(),
        }
    }
}

fn outcome(plan: &RollbackPlan) -> (&'static str, Option<String>) {
    if plan.source == Source::DownFile {
        return ("unknown", None);
    }
    match plan.outcome() {
        Outcome::Lossless => ("lossless", None),
        Outcome::Lossy(what) => ("lossy", Some(what)),
        Outcome::Irreversible(why) => ("irreversible", Some(why)),
        Outcome::Declined => ("irreversible", None),
    }
}

/// The outcome in a few words.
pub fn outcome_line(plan: &RollbackPlan) -> String {
    match outcome(plan) {
        ("lossless", _) => paint(GOOD, "lossless"),
        ("unknown", _) => paint(WARN, "as its author wrote it"),
        (name, reason) => {
            let style = if name == "lossy" { WARN } else { BAD };
            let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{}{reason}", paint(style, name))
        }
    }
}

/// A whole plan: name, origin, outcome, SQL.
pub fn lines(plan: &RollbackPlan) -> String {
    let source = match plan.source {
        Source::DownFile => "from its down.sql",
        Source::Kept => "planned when it was deployed",
        Source::Generated => "generated now",
    };
    let head = format!(
        "{} {} {}",
        paint(NAME, &plan.migration),
        paint(DIM, format!("({source})")),
        outcome_line(plan)
    );
    let sql = plan.sql();
    let sql: Vec<String> = sql.trim_end().lines().map(|line| format!("    {line}")).collect();
    if sql.is_empty() {
        head
    } else {
        format!("{head}\n{}", sql.join("\n"))
    }
}
