//! Applying a plan, recording it and telling people.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tollgate_database::state::{ApprovalRecord, FindingRecord, KeptPlan};
use tollgate_database::{
    Database, DatabaseError, DatabaseState, Durability, ExecuteError, ExecuteEvent, ExecuteOptions, LockError,
    LockEvent, Migration, Problem, RunLock,
};
use tollgate_host::types as wire;

use super::{AppliedMigration, DeployOutcome, DeployReport, PlannedMigration, report};
use crate::approval::{Approval, level_name};
use crate::error::{Error, ErrorKind, milliseconds};
use crate::event::{Awaiting, Event, Observer};
use crate::notify::{self, Delivery, Notifications, Notifier, Waiting};
use crate::plan::ReadMigration;
use crate::project::{Project, SynchronousCommit};
use crate::receipt::DeployedMigration;
use crate::requirement::RequirementReport;

/// Takes the lock for a command; whoever wants to know hears that it has to wait.
pub(crate) fn take_lock(
    project: &Project,
    command: &str,
    database: &mut Database,
    observe: Observer<'_>,
) -> Result<RunLock, Error> {
    take_lock_and_tell(project, &|| project.notifiers.clone(), command, database, observe)
}

/// The same; `listeners` says who may want to know when it has to wait.
pub(super) fn take_lock_and_tell(
    project: &Project,
    listeners: &dyn Fn() -> Vec<Notifier>,
    command: &str,
    database: &mut Database,
    observe: Observer<'_>,
) -> Result<RunLock, Error> {
    let mut waiting = Waiting::default();
    let lock = database.lock(&project.settings.lock, &mut |event| {
        if let LockEvent::Waiting { holder, .. } = &event {
            waiting.tell(project, listeners, command, holder.as_ref());
        }
        observe(Event::Lock(event));
    });
    waiting.settle(observe);
    let lock = lock?;
    // Whoever asked it to stop while it connected wants nothing done any more.
    project.settings.go_on()?;
    Ok(lock)
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
pub(crate) fn ending(result: &Result<(), Error>) -> &'static str {
    match result {
        Ok(()) => "succeeded",
        Err(error) if error.kind() == ErrorKind::Interrupted => "interrupted",
        Err(_) => "failed",
    }
}

/// What ended a run that may have done something already.
fn stopped(error: impl Into<Error>, applied: &[AppliedMigration], next: Option<String>) -> Error {
    Error::Stopped {
        source: Box::new(error.into()),
        finished: names(applied),
        next,
        taking_back: false,
    }
}

/// Names of what a run has done.
fn names(applied: &[AppliedMigration]) -> Vec<String> {
    applied.iter().map(|migration| migration.name.clone()).collect()
}

/// A deploy that has the lock and a plan.
pub(super) struct Deploy<'a> {
    pub(super) project: &'a Project,
    pub(super) database: Database,
    pub(super) lock: RunLock,
    /// What has to be true elsewhere, and whether it is.
    pub(super) requirement: Option<RequirementReport>,
    /// What is applied already.
    pub(super) there: Vec<DeployedMigration>,
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
        let settings = &self.project.settings;
        settings.go_on()?;
        let _at_work = settings.execute.interrupt.work();
        let run = self.begin(&plan)?;
        let interrupt = &settings.execute.interrupt;
        notify::send_again(&self.project.notifiers, &mut self.database, interrupt, observe)?;
        let mut notifications = Notifications::new(&self.project.notifiers, run.clone(), &settings.execute.interrupt);
        let migrations = plan.iter().map(|migration| migration.checked.name.clone()).collect();
        notifications.send(&wire::Event::Planned { migrations }, observe);
        let verdict = verdict(&plan, self.requirement.as_ref());
        notifications.send(
            &wire::Event::Checked {
                verdict,
                findings: findings(&plan),
            },
            observe,
        );
        if verdict == wire::Verdict::Blocked {
            observe(Event::AwaitingApproval {
                findings: awaiting(&plan),
                requirement: self.requirement.clone(),
            });
            notifications.send(&awaiting_event(&plan, self.requirement.as_ref()), observe);
            let mut report = report(DeployOutcome::Blocked, plan, self.started);
            report.deliveries = end_run(&mut self.database, &run.id, "blocked", notifications)?;
            report.requirement = self.requirement;
            report.run = Some(run.id);
            return Ok(report);
        }
        let mut applied = Vec::new();
        let result = self.apply_all(read, &mut applied, &mut notifications, observe);
        let succeeded = result.is_ok();
        let finished = wire::Event::Finished {
            applied: names(&applied),
            findings: findings(&plan),
            succeeded,
            duration_ms: milliseconds(self.started.elapsed()),
        };
        notifications.send(&finished, observe);
        let deliveries = end_run(&mut self.database, &run.id, ending(&result), notifications);
        drop(self.lock);
        // Why the run failed matters more than that its end could not be recorded, which a lost connection explains.
        result?;
        let deliveries = deliveries.map_err(|error| stopped(error, &applied, None))?;
        settings.go_on_with(None, false, || names(&applied))?;
        notify::expect_told(&deliveries)?;
        let mut report = report(DeployOutcome::Deployed, plan, self.started);
        let done = read.iter().map(|migration| DeployedMigration {
            name: migration.input.name.clone(),
            checksum: migration.input.checksum.clone(),
        });
        report.deployed = self.there.into_iter().chain(done).collect();
        report.requirement = self.requirement;
        report.run = Some(run.id);
        report.applied = applied;
        report.deliveries = deliveries;
        Ok(report)
    }

    /// Puts the run, the findings and the ways back into the state tables before anything is applied: a rollback must
    /// find its plan even when this process dies in the middle.
    fn begin(&mut self, plan: &[PlannedMigration]) -> Result<wire::Run, Error> {
        let project = self.project;
        let (findings, approvals) = (records(plan), approvals(plan));
        // Without a generator there is nothing that could be read from them.
        let generated = plan.iter().filter(|_| !project.generators.is_empty());
        let ways_back = generated.filter_map(|migration| migration.rollback.as_ref());
        let kept: Vec<_> = ways_back
            .map(|plan| KeptPlan {
                migration: &plan.migration,
                checksum: &plan.checksum,
                document: plan.document(),
            })
            .collect();
        let mut state = self.database.state()?;
        let run = if findings.is_empty() && approvals.is_empty() && kept.is_empty() {
            project.begin("deploy", &mut state)?
        } else {
            state.together(|state| {
                let run = project.begin("deploy", state)?;
                state.add_findings(&run.id, &findings)?;
                state.add_approvals(&run.id, &approvals)?;
                state.keep_plans(&kept)?;
                Ok(run)
            })?
        };
        self.database.work_for(&run.id);
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
            let settings = &self.project.settings;
            if let Err(error) = settings.go_on_with(Some(&name), false, || names(applied)) {
                notifications.send(&stopped_event(&name, &error), observe);
                return Err(error);
            }
            // Where every transaction makes sure of the lock by itself, asking here as well would only take time.
            if !self.database.guards()
                && let Err(error) = self.lock.check()
            {
                notifications.send(&stopped_event(&name, &error), observe);
                return Err(stopped(error, applied, Some(name)));
            }
            observe(Event::Applying {
                migration: name.clone(),
                number: index + 1,
                of: read.len(),
            });
            let durability = if index + 1 < read.len() {
                self.durability()
            } else {
                Durability::Now
            };
            let took = match self.apply(migration, durability, observe) {
                Ok(took) => took,
                Err(ExecuteError {
                    problem,
                    state: DatabaseState::Unchanged,
                    ..
                }) if *problem == Problem::LockLost => {
                    let error = self.lock_lost();
                    notifications.send(&stopped_event(&name, &error), observe);
                    return Err(stopped(error, applied, Some(name)));
                }
                Err(source) => {
                    if source.problem.is_lost() {
                        self.forget_lost(applied);
                    }
                    notifications.send(&failed_event(&name, &source), observe);
                    let file = &self.project.folder.migrations[migration.local];
                    let script = Some(Box::new((file.path.clone(), file.text.clone())));
                    let finished = names(applied);
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

    /// Why the lock is gone, as far as its session can still say it.
    fn lock_lost(&mut self) -> LockError {
        let lost = || LockError::Lost {
            reason: "its session no longer holds it".to_owned(),
        };
        self.lock.check().err().unwrap_or_else(lost)
    }

    /// When a migration that is not the last has to be on disk. A server waits for its disk longer than for most
    /// migrations, and once at the end is enough: unless somebody wants it otherwise, or is told of each and must not hear
    /// of one that a crash takes back.
    fn durability(&self) -> Durability {
        match self.project.settings.synchronous_commit {
            SynchronousCommit::Last if self.project.notifiers.is_empty() => Durability::WithTheNext,
            SynchronousCommit::Last | SynchronousCommit::Each => Durability::Now,
        }
    }

    /// The server may have crashed, and have lost with it what was not on disk yet. What is there now was kept.
    fn forget_lost(&mut self, applied: &mut Vec<AppliedMigration>) {
        if self.durability() == Durability::Now {
            return;
        }
        let rows = self.database.ledger().ok().flatten().unwrap_or_default();
        let kept: BTreeSet<&str> = rows
            .iter()
            .filter(|row| row.is_applied())
            .map(|row| row.migration_name.as_str())
            .collect();
        applied.retain(|migration| kept.contains(migration.name.as_str()));
    }

    fn apply(
        &mut self,
        migration: &ReadMigration,
        durability: Durability,
        observe: Observer<'_>,
    ) -> Result<Duration, ExecuteError> {
        let started = Instant::now();
        let script = migration.script();
        let name = &migration.input.name;
        let unit = Migration {
            name,
            checksum: &migration.input.checksum,
            script,
            text: &script.text,
            pragmas: migration.pragmas,
            durability,
        };
        let options = &self.project.settings.execute;
        let mut observe = |event| {
            observe(Event::Execution {
                migration: name.clone(),
                event,
            });
        };
        let mut attempt = 1;
        while let Err(error) = self.database.apply(&unit, options, &mut observe) {
            // A lost connection says nothing about the script. Where it is certain what is in, another attempt goes on
            // from there, provided that nobody else can have begun one.
            attempt += 1;
            if !error.can_go_on() || attempt > options.retries + 1 || self.lock.check().is_err() {
                return Err(error);
            }
            let delay = ExecuteOptions::pause_before(attempt);
            observe(ExecuteEvent::Retrying {
                attempt,
                delay,
                reason: error.problem.to_string(),
                blockers: Vec::new(),
            });
            if options.interrupt.sleep(delay) {
                return Err(error);
            }
        }
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

/// The approvals that let findings pass, each once.
fn approvals(plan: &[PlannedMigration]) -> Vec<ApprovalRecord> {
    let judged = plan.iter().flat_map(|migration| &migration.checked.judgement.findings);
    let mut used: Vec<&Approval> = Vec::new();
    for approval in judged.filter_map(|judged| judged.approved.as_ref()) {
        if !used.contains(&approval) {
            used.push(approval);
        }
    }
    used.into_iter().map(approval_record).collect()
}

fn approval_record(approval: &Approval) -> ApprovalRecord {
    let statement = approval.statement.as_ref();
    ApprovalRecord {
        migration: approval.migration.clone(),
        checksum: approval.checksum.clone(),
        plugin: approval.plugin.clone(),
        rule: approval.rule.clone(),
        statement: statement.map(|statement| statement.number),
        digest: statement.map(|statement| statement.digest.clone()),
        level: level_name(approval.level).to_owned(),
        source: approval.source.name().to_owned(),
        by: approval.by.clone(),
        at: approval.at,
        reason: approval.reason.clone(),
    }
}

/// The findings that stop a deploy and that somebody could approve.
fn awaiting(plan: &[PlannedMigration]) -> Vec<Awaiting> {
    let of = |migration: &PlannedMigration| {
        let name = migration.checked.name.clone();
        let judged = migration.checked.judgement.findings.iter();
        judged
            .filter(|judged| judged.blocking)
            .map(|judged| Awaiting {
                migration: name.clone(),
                plugin: judged.plugin.clone(),
                rule: judged.finding.rule.clone(),
                statement: judged.finding.statement.map(|index| index + 1),
                severity: judged.finding.severity,
                message: judged.finding.message.clone(),
            })
            .collect::<Vec<_>>()
    };
    plan.iter().flat_map(of).collect()
}

/// What is told of a deploy that stops before it begins.
fn awaiting_event(plan: &[PlannedMigration], requirement: Option<&RequirementReport>) -> wire::Event {
    let findings = plan.iter().map(|migration| {
        let judged = migration.checked.judgement.findings.iter();
        let blocking = judged.filter(|judged| judged.blocking);
        wire::MigrationFindings {
            migration: migration.checked.name.clone(),
            findings: blocking.map(|judged| judged.finding.clone()).collect(),
        }
    });
    let failures = plan.iter().flat_map(|migration| {
        let failures = migration.checked.judgement.failures.iter();
        let blocking = failures.filter(|failure| failure.blocking);
        blocking.map(|failure| {
            let migration = &migration.checked.name;
            format!("{} could not judge {migration}: {}", failure.plugin, failure.message)
        })
    });
    let first = requirement.filter(|requirement| requirement.blocks());
    wire::Event::AwaitingApproval {
        findings: findings.filter(|migration| !migration.findings.is_empty()).collect(),
        requirement: first.map(|first| format!("has to be deployed to {} first", first.environment)),
        failures: failures.collect(),
    }
}

/// What is to be said of the whole plan, in a word.
pub(super) fn verdict(plan: &[PlannedMigration], requirement: Option<&RequirementReport>) -> wire::Verdict {
    let blocked = requirement.is_some_and(RequirementReport::blocks)
        || plan.iter().any(|migration| migration.checked.judgement.blocked());
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
fn stopped_event(migration: &str, error: &dyn std::error::Error) -> wire::Event {
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
