//! `deploy`: check, ask the policies, apply, tell.

mod planning;
mod running;

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tollgate_database::{ConnectOptions, Database, DatabaseError, Pragmas, RunLock};
use tollgate_host::Plugin;
use tollgate_host::types as wire;

use crate::check::CheckedMigration;
use crate::error::{Error, milliseconds};
use crate::event::{Event, Observer};
use crate::history::History;
use crate::notify::{Delivery, Notifier};
use crate::plan::ReadMigration;
use crate::policy::Policy;
use crate::project::Project;
use crate::receipt::DeployedMigration;
use crate::requirement::RequirementReport;
use crate::rollback::RollbackPlan;
use crate::rules::EngineRules;
use planning::{choose, plan_on, plan_on_nothing, read, read_history};
use running::{Deploy, take_lock_and_tell, verdict};

pub(crate) use planning::excerpt;
pub(crate) use running::{end_run, ending, take_lock};

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
    /// The policies let it not through, or something has to be deployed elsewhere first; nothing was applied.
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
    /// What has to be true elsewhere, and whether it is.
    pub requirement: Option<RequirementReport>,
    /// The run's identifier in the state tables. A dry run has none, nor has one that had nothing to do.
    pub run: Option<String>,
    /// Everything that is applied there now, those of earlier runs included. Not known of a dry run.
    pub deployed: Vec<DeployedMigration>,
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
    /// How its file wants it to be run.
    #[serde(skip)]
    pub pragmas: Pragmas,
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
    if options.dry_run {
        project.settings.approvals.may_be_requested()?;
        project.folder.expect_dialect(project.target.dialect())?;
        return dry_run(project, options, observe, started);
    }
    let mut database = connect(project)?;
    let lock = take_lock(project, "deploy", &mut database, observe)?;
    let ready = || Ok(project.clone());
    deploy_on(project, database, lock, &ready, options, observe, started)
}

/// Plugins of a run, to be put into its [`Project`].
#[derive(Clone, Default)]
pub struct Plugins {
    /// See [`Project::policies`].
    pub policies: Vec<Policy>,
    /// See [`Project::generators`].
    pub generators: Vec<Arc<Plugin>>,
    /// See [`Project::notifiers`].
    pub notifiers: Vec<Notifier>,
    /// The engine's own rules.
    pub rules: EngineRules,
}

impl Plugins {
    /// The project with them.
    #[must_use]
    pub fn join(self, project: Project) -> Project {
        let mut settings = project.settings;
        settings.rules = self.rules;
        Project {
            policies: self.policies,
            generators: self.generators,
            notifiers: self.notifiers,
            settings,
            ..project
        }
    }
}

/// The same for a project without its plugins: they are loaded when there is something to deploy, or somebody to be told
/// that it has to wait for the lock, which may be more than once. A deploy that finds nothing to do takes no longer for
/// them, and one that finds something applies nothing without them.
///
/// # Errors
/// Those of [`deploy`], and that the plugins cannot be loaded.
pub fn deploy_with<E: From<Error>>(
    project: &Project,
    load: &dyn Fn() -> Result<Plugins, E>,
    options: &DeployOptions,
    observe: Observer<'_>,
) -> Result<DeployReport, E> {
    let started = Instant::now();
    if options.dry_run {
        let project = load()?.join(project.clone());
        return Ok(deploy(&project, options, observe)?);
    }
    if project.target.is_missing_file() {
        // There is something to deploy, and no reason to make it before it is known that nothing stands in the way.
        load()?;
    }
    let mut database = connect(project)?;
    // Nobody can be told where they cannot be loaded; why not is said once something is to be deployed.
    let listeners = || load().map(|plugins| plugins.notifiers).unwrap_or_default();
    let lock = take_lock_and_tell(project, &listeners, "deploy", &mut database, observe)?;
    let joined = || Ok(load()?.join(project.clone()));
    deploy_on(project, database, lock, &joined, options, observe, started)
}

/// Connects, having looked at what can be looked at before.
fn connect(project: &Project) -> Result<Database, Error> {
    project.settings.approvals.may_be_requested()?;
    project.folder.expect_dialect(project.target.dialect())?;
    let connect = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    Ok(Database::connect_to_lock(
        &project.target,
        &connect,
        &project.settings.lock,
    )?)
}

/// What the policies say of all migrations as an empty database would meet them, and whether they block any. Asks no
/// database.
pub(crate) fn foresee(project: &Project, observe: Observer<'_>) -> Result<(Vec<CheckedMigration>, bool), Error> {
    let history = History::new(&project.folder, None);
    let chosen = choose(&history, &DeployOptions::default())?;
    if chosen.is_empty() {
        return Ok((Vec::new(), false));
    }
    let (_, plan) = plan_on_nothing(project, read(project, chosen)?, observe)?;
    let blocked = verdict(&plan, None) == wire::Verdict::Blocked;
    Ok((plan.into_iter().map(|migration| migration.checked).collect(), blocked))
}

/// Deploys to a connected database whose lock is held. `load` gives the project with its plugins: it is asked for once there
/// is something to deploy.
pub(crate) fn deploy_on<E: From<Error>>(
    project: &Project,
    mut database: Database,
    lock: RunLock,
    load: &dyn Fn() -> Result<Project, E>,
    options: &DeployOptions,
    observe: Observer<'_>,
    started: Instant,
) -> Result<DeployReport, E> {
    let history = read_history(project, &mut database, observe)?;
    let chosen = choose(&history, options)?;
    if chosen.is_empty() {
        return Ok(up_to_date(&mut database, &history, started)?);
    }
    // Nothing is made for scripts that cannot be read.
    let read = read(project, chosen)?;
    // The server makes what is missing while the plugins are loaded.
    let (made, loaded) = std::thread::scope(|scope| {
        let making = scope.spawn(|| database.make_ready(&project.settings.execute.interrupt));
        let loaded = load();
        let made = making.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (made, loaded)
    });
    made.or_else(|error| project.settings.go_on().and(Err(Error::from(error))))?;
    let project = &loaded?;
    let (read, plan) = plan_on(project, &mut database, read, observe)?;
    let deploy = Deploy {
        project,
        database,
        lock,
        requirement: examine(project, &read)?,
        there: deployed(&history),
        started,
    };
    Ok(deploy.run(&read, plan, observe)?)
}

/// Looks whether what has to come first was deployed elsewhere.
fn examine(project: &Project, read: &[ReadMigration]) -> Result<Option<RequirementReport>, Error> {
    let requirement = project.settings.requirement.as_ref();
    requirement.map(|requirement| requirement.examine(read)).transpose()
}

/// There is nothing to apply. What is in has a ledger all the same.
fn up_to_date(database: &mut Database, history: &History, started: Instant) -> Result<DeployReport, Error> {
    database.create_ledger()?;
    let mut report = report(DeployOutcome::UpToDate, Vec::new(), started);
    report.deployed = deployed(history);
    Ok(report)
}

/// What the ledger says is applied.
fn deployed(history: &History) -> Vec<DeployedMigration> {
    let rows = history.applied().into_iter().filter_map(|entry| entry.row.as_ref());
    rows.map(|row| DeployedMigration {
        name: row.migration_name.clone(),
        checksum: row.checksum.clone(),
    })
    .collect()
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
    let mut database = match Database::connect(&project.target, &connect) {
        Ok(database) => Some(database),
        Err(DatabaseError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let history = if let Some(database) = &mut database {
        read_history(project, database, observe)?
    } else {
        observe(Event::Warning(
            "the database does not exist yet; a deploy creates it".to_owned(),
        ));
        History::new(&project.folder, None)
    };
    let chosen = choose(&history, options)?;
    if chosen.is_empty() {
        return Ok(report(DeployOutcome::UpToDate, Vec::new(), started));
    }
    let read = read(project, chosen)?;
    let (read, plan) = match &mut database {
        Some(database) => plan_on(project, database, read, observe)?,
        None => plan_on_nothing(project, read, observe)?,
    };
    let requirement = examine(project, &read)?;
    let outcome = match verdict(&plan, requirement.as_ref()) {
        wire::Verdict::Blocked => DeployOutcome::Blocked,
        _ => DeployOutcome::Planned,
    };
    let mut report = report(outcome, plan, started);
    report.requirement = requirement;
    Ok(report)
}

fn report(outcome: DeployOutcome, plan: Vec<PlannedMigration>, started: Instant) -> DeployReport {
    let duration_ms = milliseconds(started.elapsed());
    DeployReport {
        outcome,
        plan,
        applied: Vec::new(),
        requirement: None,
        run: None,
        deployed: Vec::new(),
        deliveries: Vec::new(),
        duration_ms,
    }
}
