//! `deploy`: check, ask the policies, apply, tell.

use std::time::{Duration, Instant};

use serde::Serialize;
use tollgate_database::state::{FindingRecord, NewRun};
use tollgate_database::{ConnectOptions, Database, DatabaseError, ExecuteError, LockError, Migration, RunLock};
use tollgate_host::types as wire;
use tollgate_schema::Schema;
use tollgate_sql::Position;

use crate::check::{self, CheckedMigration};
use crate::error::{Error, milliseconds};
use crate::event::{Event, Observer};
use crate::history::History;
use crate::notify::{self, Delivery, Notifications};
use crate::plan::{self, ReadMigration};
use crate::project::{self, Project};
use crate::rollback::{self, RollbackPlan, Source};

/// What to deploy, and whether to do it.
#[derive(Debug, Clone, Default)]
pub struct DeployOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Stop after this migration.
    pub to: Option<String>,
}

/// How a deploy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployOutcome {
    /// There was nothing to do.
    UpToDate,
    /// A dry run: this is what would be done.
    Planned,
    /// The policies let it not through; nothing was applied.
    Blocked,
    /// Everything that was pending is in and recorded.
    Deployed,
}

/// What a deploy did or would do.
#[derive(Debug, Serialize)]
pub struct DeployReport {
    /// How it ended.
    pub outcome: DeployOutcome,
    /// The pending migrations in order, with what was said of each.
    pub plan: Vec<PlannedMigration>,
    /// Those that were applied.
    pub applied: Vec<AppliedMigration>,
    /// What became of the notifications.
    pub deliveries: Vec<Delivery>,
    /// How long it all took, in milliseconds.
    pub duration_ms: u64,
}

/// A pending migration.
#[derive(Debug, Serialize)]
pub struct PlannedMigration {
    /// Name and judgement.
    #[serde(flatten)]
    pub checked: CheckedMigration,
    /// Its statements.
    pub statements: Vec<PlannedStatement>,
    /// How it would be taken back.
    pub rollback: Option<RollbackPlan>,
    /// Why there is no rollback plan, when a generator failed.
    pub rollback_failure: Option<String>,
    /// A `down.sql` lies beside it.
    pub has_down_file: bool,
}

/// A statement as a plan shows it.
#[derive(Debug, Serialize)]
pub struct PlannedStatement {
    /// Line on which it starts, counted from 1.
    pub line: usize,
    /// Its first line, shortened.
    pub excerpt: String,
    /// Runs inside a transaction.
    pub transactional: bool,
}

/// A migration that is in.
#[derive(Debug, Clone, Serialize)]
pub struct AppliedMigration {
    /// Name.
    pub name: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// Deploys what is pending.
///
/// # Errors
/// Anything that stops it before or while migrations are applied. Being blocked by a policy is no error but an outcome.
pub fn deploy(project: &Project, options: &DeployOptions, observe: Observer<'_>) -> Result<DeployReport, Error> {
    let started = Instant::now();
    project.folder.expect_dialect(project.target.dialect())?;
    if options.dry_run {
        return dry_run(project, options, observe, started);
    }
    let connect = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(&project.target, &connect)?;
    let lock = take_lock(project, &mut database, observe)?;
    let history = read_history(project, &mut database, true, observe)?;
    let Some((read, plan)) = plan_on(project, &mut database, &history, options, observe)? else {
        return Ok(report(DeployOutcome::UpToDate, Vec::new(), started));
    };
    let deploy = Deploy {
        project,
        database,
        lock,
        started,
    };
    deploy.run(&read, plan, observe)
}

/// The plan alone. It takes no lock and creates nothing, not even a database that is not there: then everything is
/// pending.
fn dry_run(
    project: &Project,
    options: &DeployOptions,
    observe: Observer<'_>,
    started: Instant,
) -> Result<DeployReport, Error> {
    let connect = ConnectOptions {
        read_only: true,
        ..ConnectOptions::default()
    };
    let planned = match Database::connect(&project.target, &connect) {
        Ok(mut database) => {
            let history = read_history(project, &mut database, false, observe)?;
            plan_on(project, &mut database, &history, options, observe)?
        }
        Err(DatabaseError::Missing { .. }) => {
            observe(Event::Warning(
                "the database does not exist yet; a deploy creates it".to_owned(),
            ));
            let server = wire::Server {
                dialect: project.target.dialect(),
                version: None,
            };
            let schema = || Ok(Schema::empty(project.context(None)));
            plan_for(
                project,
                &History::new(&project.folder, None),
                options,
                server,
                schema,
                observe,
            )?
        }
        Err(error) => return Err(error.into()),
    };
    Ok(match planned {
        None => report(DeployOutcome::UpToDate, Vec::new(), started),
        Some((_, plan)) if verdict(&plan) == wire::Verdict::Blocked => report(DeployOutcome::Blocked, plan, started),
        Some((_, plan)) => report(DeployOutcome::Planned, plan, started),
    })
}

/// What is to be applied, and what is said of it. The catalog's snapshot ends here: an open one would make CREATE INDEX
/// CONCURRENTLY wait for us for ever.
fn plan_on(
    project: &Project,
    database: &mut Database,
    history: &History,
    options: &DeployOptions,
    observe: Observer<'_>,
) -> Result<Planned, Error> {
    let server = project::server(&database.server());
    let schema = || Ok(Schema::over(database.catalog()?, database.context()));
    plan_for(project, history, options, server, schema, observe)
}

/// The scripts and their plan; `None` when there is nothing to apply.
type Planned = Option<(Vec<ReadMigration>, Vec<PlannedMigration>)>;

fn plan_for(
    project: &Project,
    history: &History,
    options: &DeployOptions,
    server: wire::Server,
    schema: impl FnOnce() -> Result<Schema, Error>,
    observe: Observer<'_>,
) -> Result<Planned, Error> {
    let chosen = choose(history, options)?;
    if chosen.is_empty() {
        return Ok(None);
    }
    let read = plan::read_scripts(&project.folder, chosen, project.target.dialect())?;
    observe(Event::Judging { migrations: read.len() });
    let plan = make_plan(project, server, &read, &mut schema()?)?;
    let checked = plan.iter().map(|migration| migration.checked.clone()).collect();
    observe(Event::Judged(checked));
    Ok(Some((read, plan)))
}

pub(crate) fn take_lock(project: &Project, database: &mut Database, observe: Observer<'_>) -> Result<RunLock, Error> {
    Ok(database.lock(&project.settings.lock, &mut |event| {
        observe(Event::WaitingForLock(event));
    })?)
}

/// Ledger and folder, taken together. What is irregular about them is refused or pointed out.
fn read_history(
    project: &Project,
    database: &mut Database,
    create_ledger: bool,
    observe: Observer<'_>,
) -> Result<History, Error> {
    let rows = database.ledger()?;
    if rows.is_none() {
        if database.has_tables()? {
            return Err(Error::NotEmpty);
        }
        if create_ledger {
            database.create_ledger()?;
        }
    }
    let resume = project.settings.execute.resume;
    let history = History::of(&project.folder, rows.as_deref(), database, resume)?;
    project.settings.examine(&history, observe)?;
    Ok(history)
}

/// Indexes of the migrations to apply, in order.
fn choose(history: &History, options: &DeployOptions) -> Result<Vec<usize>, Error> {
    let pending: Vec<_> = history.to_apply().collect();
    let end = match &options.to {
        None => pending.len(),
        Some(name) => match pending.iter().position(|entry| entry.name == *name) {
            Some(position) => position + 1,
            None if history.find(name).is_some() => 0,
            None => {
                let similar = crate::error::nearest(name, history.entries.iter().map(|entry| entry.name.as_str()));
                return Err(Error::NotFound {
                    migration: name.clone(),
                    similar,
                });
            }
        },
    };
    Ok(pending[..end].iter().filter_map(|entry| entry.local).collect())
}

fn make_plan(
    project: &Project,
    server: wire::Server,
    read: &[ReadMigration],
    schema: &mut Schema,
) -> Result<Vec<PlannedMigration>, Error> {
    let court = project.settings.court(server);
    let scripts: Vec<_> = read.iter().map(|migration| migration.script().as_ref()).collect();
    schema.prefetch(&scripts);
    let mut plan = Vec::with_capacity(read.len());
    plan::walk(schema, read, |migration, before, after| -> Result<(), Error> {
        let checked = check::judge(&court, &project.policies, migration, before, after);
        let way_back = rollback::generate(&project.generators, server, migration, before, after, Source::Kept);
        // A way back that cannot be written must not hold up the way forward; the plan says that there is none.
        let (rollback, rollback_failure) = match way_back {
            Ok(plan) => (Some(plan), None),
            Err(error) => (None, Some(error.to_string())),
        };
        plan.push(PlannedMigration {
            checked,
            statements: statements(migration),
            rollback,
            rollback_failure,
            has_down_file: migration.input.down.is_some(),
        });
        Ok(())
    })?;
    Ok(plan)
}

fn statements(migration: &ReadMigration) -> Vec<PlannedStatement> {
    let script = migration.script();
    script
        .statements
        .iter()
        .map(|statement| PlannedStatement {
            line: Position::of(&script.text, statement.span.start).line,
            excerpt: excerpt(statement.span.of(&script.text)),
            transactional: statement.transactional,
        })
        .collect()
}

/// The statement on one line, at most 80 characters of it.
pub(crate) fn excerpt(statement: &str) -> String {
    let mut words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > 80 {
        words = words.chars().take(79).collect::<String>() + "…";
    }
    words
}

fn report(outcome: DeployOutcome, plan: Vec<PlannedMigration>, started: Instant) -> DeployReport {
    let duration_ms = milliseconds(started.elapsed());
    DeployReport {
        outcome,
        plan,
        applied: Vec::new(),
        deliveries: Vec::new(),
        duration_ms,
    }
}

/// Records how a run ended, and keeps the messages that may still be delivered.
pub(crate) fn end_run(
    database: &mut Database,
    run: &str,
    succeeded: bool,
    notifications: Notifications<'_>,
) -> Result<Vec<Delivery>, DatabaseError> {
    database
        .state()?
        .finish_run(run, if succeeded { "succeeded" } else { "failed" })?;
    notifications.finish(database)
}

/// A deploy that has the lock and a plan.
struct Deploy<'a> {
    project: &'a Project,
    database: Database,
    lock: RunLock,
    started: Instant,
}

impl Deploy<'_> {
    fn run(
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
            self.database.state()?.finish_run(&run.id, "blocked")?;
            let mut report = report(DeployOutcome::Blocked, plan, self.started);
            report.deliveries = notifications.finish(&mut self.database)?;
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
        let deliveries = end_run(&mut self.database, &run.id, succeeded, notifications);
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
        let mut run = self.project.run("deploy");
        self.database.state()?.together(|state| {
            run.id = state.begin_run(&NewRun {
                command: &run.command,
                actor: run.actor.as_deref(),
                environment: run.environment.as_deref(),
            })?;
            state.add_findings(&run.id, &records(plan))?;
            for plan in plan.iter().filter_map(|migration| migration.rollback.as_ref()) {
                state.keep_plan(&plan.migration, &plan.checksum, &plan.document())?;
            }
            Ok(())
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

fn verdict(plan: &[PlannedMigration]) -> wire::Verdict {
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
