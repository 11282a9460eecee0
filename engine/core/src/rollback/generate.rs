//! Asking the rollback generators.

use std::sync::Arc;

use tollgate_host::types::{Outcome, RollbackStep, Server};
use tollgate_host::{Plugin, PluginError, RollbackCall, Subject};
use tollgate_schema::Schema;

use crate::plan::ReadMigration;
use crate::rollback::plan::{PlannedStep, RollbackPlan, Source};

/// Has the generators write the way back. The first one decides the order; a statement that it declines is left to the
/// next, and stays [`Outcome::Declined`] when nobody takes it.
///
/// # Errors
/// The failure of a generator that was asked.
pub fn generate(
    generators: &[Arc<Plugin>],
    server: Server,
    migration: &ReadMigration,
    before: &Schema,
    after: &Schema,
    source: Source,
) -> Result<RollbackPlan, PluginError> {
    let mut steps: Vec<PlannedStep> = Vec::new();
    let subject = Subject::new(migration.input.clone(), before.clone(), after.clone());
    for generator in generators {
        let wanted =
            |steps: &[PlannedStep]| steps.is_empty() || steps.iter().any(|step| step.outcome == Outcome::Declined);
        if !wanted(&steps) {
            break;
        }
        let call = RollbackCall {
            server,
            preserve_data: false,
            preserve_in: None,
            subject: subject.clone(),
        };
        merge(&mut steps, generator.name(), generator.generate(&call)?);
    }
    if generators.is_empty() {
        steps = migration
            .script()
            .statements
            .iter()
            .rev()
            .map(|statement| declined(statement.index))
            .collect();
    }
    Ok(RollbackPlan {
        migration: migration.input.name.clone(),
        checksum: migration.input.checksum.clone(),
        source,
        steps,
    })
}

fn merge(steps: &mut Vec<PlannedStep>, generator: &str, offered: Vec<RollbackStep>) {
    let planned = |step: RollbackStep| PlannedStep {
        undoes: Some(step.undoes),
        generator: Some(generator.to_owned()),
        outcome: step.outcome,
        sql: step.sql,
        transactional: step.transactional,
    };
    if steps.is_empty() {
        *steps = offered.into_iter().map(planned).collect();
        return;
    }
    for offer in offered
        .into_iter()
        .filter(|step| step.outcome != Outcome::Declined)
        .map(planned)
    {
        if let Some(open) = steps.iter_mut().find(|step| step.undoes == offer.undoes)
            && open.outcome == Outcome::Declined
        {
            *open = offer;
        }
    }
}

fn declined(statement: usize) -> PlannedStep {
    PlannedStep {
        undoes: Some(statement),
        generator: None,
        outcome: Outcome::Declined,
        sql: Vec::new(),
        transactional: true,
    }
}
