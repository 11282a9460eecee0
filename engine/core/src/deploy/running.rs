//! Applying a plan, recording it and telling people.

use std::time::{Duration, Instant};

use tollgate_database::state::FindingRecord;
use tollgate_database::{Database, DatabaseError, ExecuteError, LockError, Migration, RunLock};
use tollgate_host::types as wire;

use super::{AppliedMigration, DeployOutcome, DeployReport, PlannedMigration, report};
use crate::error::{Error, milliseconds};
use crate::event::{Event, Observer};
use crate::notify::{self, Delivery, Notifications};
use crate::plan::ReadMigration;
use crate::project::Project;

pub(crate) fn take_lock(project: &Project, database: &mut Database, observe: Observer<'_>) -> Result<RunLock, Error> {
    Ok(database.lock(&project.settings.lock, &mut |event| {
        observe(Event::WaitingForLock(event));
    })?)
}

/// Records how a run ended, and keeps the messages that may still be delivered.
pub(crate) fn end_run(
    database: &mut Database,
    run: &str,
    outcome: &str,
    notifications: Notifications<'_>,
) -> Result<Vec<Delivery>, DatabaseError> {
    database.state()?.finish_run(run, outcome)?;
    notifications.finish(database)
}

/// How a run that was not blocked ended, in the state tables' word.
pub(crate) fn ending(succeeded: bool) -> &'static str {
    if succeeded { "succeeded" } else { "failed" }
}

/// A deploy that has the lock and a plan.
pub(super) struct Deploy<'a> {
    pub(super) project: &'a Project,
    pub(super) database: Database,
    pub(super) lock: RunLock,
    pub(super) started: Instant,
}

impl Deploy<'_> {
    /// Applies the plan, unless the policies block it.
    pub(super) fn run(
        mut self,
        read: &[ReadMigration],
        plan: Vec<PlannedMigration>,
        observe: Observer<'_>,
    ) -> Result<DeployReport, Error> {
        let run = self.begin(&plan)?;
        notify::send_again(&self.project.notifiers, &mut self.database, observe)?;
        let mut notifications = Notifications::new(&self.project.notifiers, run.clone());
        let names: Vec<String> = plan.iter().map(|migration| migration.checked.name.clone()).collect();
        notifications.send(&wire::Event::Planned { migrations: names }, observe);
        let verdict = verdict(&plan);
        notifications.send(
            &wire::Event::Checked {
                verdict,
                findings: findings(&plan),
            },
            observe,
        );
        if verdict == wire::Verdict::Blocked {
            let mut report = report(DeployOutcome::Blocked, plan, self.started);
            report.deliveries = end_run(&mut self.database, &run.id, "blocked", notifications)?;
            return Ok(report);
        }
        let mut applied = Vec::new();
        let result = self.apply_all(read, &mut applied, &mut notifications, observe);
        let succeeded = result.is_ok();
        let names = applied
            .iter()
            .map(|migration: &AppliedMigration| migration.name.clone())
            .collect();
        let finished = wire::Event::Finished {
            applied: names,
            findings: findings(&plan),
            succeeded,
            duration_ms: milliseconds(self.started.elapsed()),
        };
        notifications.send(&finished, observe);
        let deliveries = end_run(&mut self.database, &run.id, ending(succeeded), notifications);
        drop(self.lock);
        // Why the run failed matters more than that its end could not be recorded, which a lost connection explains.
        result?;
        let deliveries = deliveries?;
        if let Some(lost) = deliveries
            .iter()
            .find(|delivery| delivery.required && delivery.error.is_some())
        {
            let why = lost.error.clone().unwrap_or_default();
            return Err(Error::NotNotified(format!(
                "{} to {}: {why}",
                lost.plugin, lost.destination
            )));
        }
        let mut report = report(DeployOutcome::Deployed, plan, self.started);
        report.applied = applied;
        report.deliveries = deliveries;
        Ok(report)
    }

    /// Puts the run, the findings and the ways back into the state tables before anything is applied: a rollback must
    /// find its plan even when this process dies in the middle.
    fn begin(&mut self, plan: &[PlannedMigration]) -> Result<wire::Run, Error> {
        let project = self.project;
        let run = self.database.state()?.together(|state| {
            let run = project.begin("deploy", state)?;
            state.add_findings(&run.id, &records(plan))?;
            for plan in plan.iter().filter_map(|migration| migration.rollback.as_ref()) {
                state.keep_plan(&plan.migration, &plan.checksum, &plan.document())?;
            }
            Ok(run)
        })?;
        Ok(run)
    }

    fn apply_all(
        &mut self,
        read: &[ReadMigration],
        applied: &mut Vec<AppliedMigration>,
        notifications: &mut Notifications<'_>,
        observe: Observer<'_>,
    ) -> Result<(), Error> {
        for (index, migration) in read.iter().enumerate() {
            let name = migration.input.name.clone();
            if let Err(error) = self.lock.check() {
                notifications.send(&stopped_event(&name, &error), observe);
                return Err(error.into());
            }
            observe(Event::Applying {
                migration: name.clone(),
                number: index + 1,
                of: read.len(),
            });
            let took = match self.apply(migration, observe) {
                Ok(took) => took,
                Err(source) => {
                    notifications.send(&failed_event(&name, &source), observe);
                    let file = &self.project.folder.migrations[migration.local];
                    let script = Some(Box::new((file.path.clone(), file.text.clone())));
                    let finished = applied.iter().map(|migration| migration.name.clone()).collect();
                    return Err(Error::Execution {
                        migration: name,
                        script,
                        source: Box::new(source),
                        finished,
                        taking_back: false,
                    });
                }
            };
            observe(Event::Applied {
                migration: name.clone(),
                took,
            });
            let event = wire::Event::Applied {
                migration: name.clone(),
                duration_ms: milliseconds(took),
            };
            notifications.send(&event, observe);
            applied.push(AppliedMigration {
                name,
                duration_ms: milliseconds(took),
            });
        }
        Ok(())
    }

    fn apply(&mut self, migration: &ReadMigration, observe: Observer<'_>) -> Result<Duration, ExecuteError> {
        let started = Instant::now();
        let script = migration.script();
        let name = &migration.input.name;
        let unit = Migration {
            name,
            checksum: &migration.input.checksum,
            script,
            text: &script.text,
        };
        self.database
            .apply(&unit, &self.project.settings.execute, &mut |event| {
                observe(Event::Execution {
                    migration: name.clone(),
                    event,
                });
            })?;
        Ok(started.elapsed())
    }
}

fn records(plan: &[PlannedMigration]) -> Vec<FindingRecord> {
    plan.iter()
        .flat_map(|migration| {
            migration
                .checked
                .judgement
                .findings
                .iter()
                .map(|finding| FindingRecord {
                    migration: Some(migration.checked.name.clone()),
                    document: serde_json::to_value(finding).unwrap_or_default(),
                })
        })
        .collect()
}

fn findings(plan: &[PlannedMigration]) -> Vec<wire::MigrationFindings> {
    plan.iter()
        .map(|migration| {
            let findings = migration
                .checked
                .judgement
                .findings
                .iter()
                .map(|judged| judged.finding.clone())
                .collect();
            wire::MigrationFindings {
                migration: migration.checked.name.clone(),
                findings,
            }
        })
        .collect()
}

/// What the policies said of the whole plan, in a word.
pub(super) fn verdict(plan: &[PlannedMigration]) -> wire::Verdict {
    let blocked = plan.iter().any(|migration| migration.checked.judgement.blocked());
    let clean = plan
        .iter()
        .all(|migration| migration.checked.judgement.findings.is_empty());
    match (blocked, clean) {
        (true, _) => wire::Verdict::Blocked,
        (false, true) => wire::Verdict::Pass,
        (false, false) => wire::Verdict::PassWithWarnings,
    }
}

/// The run stopped before the migration began.
fn stopped_event(migration: &str, error: &LockError) -> wire::Event {
    let message = format!("stopped before it was applied: {error}");
    wire::Event::Failed {
        migration: migration.to_owned(),
        statement: None,
        message,
        sqlstate: None,
    }
}

fn failed_event(migration: &str, error: &ExecuteError) -> wire::Event {
    wire::Event::Failed {
        migration: migration.to_owned(),
        statement: error.statement(),
        message: error.problem.to_string(),
        sqlstate: error.sqlstate().map(str::to_owned),
    }
}
