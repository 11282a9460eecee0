//! Running a rollback, newest migration first.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use tollgate_database::{ConnectOptions, Database, Pragmas, RollbackRequest, RunLock};
use tollgate_host::types::{self as wire, Outcome};
use tollgate_schema::Schema;
use tollgate_sql::Script;

use crate::deploy::{end_run, ending, take_lock};
use crate::error::{Error, milliseconds};
use crate::event::{Event, Observer};
use crate::folder::{DOWN_FILE, MigrationFile};
use crate::history::{Entry, History, Standing};
use crate::notify::{self, Delivery, Notifications};
use crate::plan::{self, ScriptProblem};
use crate::pragma;
use crate::project::{self, Project};
use crate::rollback::generate;
use crate::rollback::plan::{PlannedStep, RollbackPlan, Source};
use crate::rollback::select::Selection;

/// What a rollback did or would do.
#[derive(Debug, Serialize)]
pub struct RollbackReport {
    /// The plans, newest migration first.
    pub plans: Vec<RollbackPlan>,
    /// What was taken back. Shorter than `plans` when it was not confirmed, or a dry run.
    pub taken_back: Vec<TakenBack>,
    /// What became of the notifications.
    pub deliveries: Vec<Delivery>,
    /// It was left to the user, and the user said no.
    pub declined: bool,
}

/// A migration that is out.
#[derive(Debug, Clone, Serialize)]
pub struct TakenBack {
    /// Name.
    pub name: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// Plans a rollback, shows the plan to `confirm`, and runs it when that says yes. A dry run is a `confirm` that says no;
/// it takes no lock.
///
/// # Errors
/// Anything that stops it. Nothing is run unless every migration of the selection can be taken back.
pub fn rollback(
    project: &Project,
    selection: &Selection,
    dry_run: bool,
    confirm: &mut dyn FnMut(&[RollbackPlan]) -> bool,
    observe: Observer<'_>,
) -> Result<RollbackReport, Error> {
    project.folder.expect_dialect(project.target.dialect())?;
    let options = ConnectOptions {
        read_only: dry_run,
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(&project.target, &options)?;
    let mut report = RollbackReport {
        plans: Vec::new(),
        taken_back: Vec::new(),
        deliveries: Vec::new(),
        declined: false,
    };
    if dry_run {
        (report.plans, _) = find_plans(project, &mut database, selection)?;
        confirm(&report.plans);
        return Ok(report);
    }
    let mut lock = take_lock(project, "rollback", &mut database, observe)?;
    let scripts;
    (report.plans, scripts) = find_plans(project, &mut database, selection)?;
    refuse_irreversible(&report.plans)?;
    if !report.plans.is_empty() {
        report.declined = !confirm(&report.plans);
        project.settings.go_on()?;
        if !report.declined {
            run(project, &mut database, &mut lock, &scripts, &mut report, observe)?;
        }
    }
    Ok(report)
}

/// The plans of the chosen migrations, newest first, and their SQL parsed.
fn find_plans(
    project: &Project,
    database: &mut Database,
    selection: &Selection,
) -> Result<(Vec<RollbackPlan>, Vec<ReadPlan>), Error> {
    let rows = database.ledger()?;
    let history = History::of(&project.folder, rows.as_deref(), database, false)?;
    let unfinished = |entry: &&Entry| matches!(entry.standing, Standing::Failed | Standing::Interrupted);
    let unfinished: Vec<String> = history
        .entries
        .iter()
        .filter(unfinished)
        .map(|entry| entry.name.clone())
        .collect();
    if !unfinished.is_empty() {
        return Err(Error::Unresolved(unfinished));
    }
    let mut plans = Vec::new();
    let mut scripts = Vec::new();
    for entry in selection.of(&history)? {
        let plan = find_plan(project, database, entry)?;
        scripts.push(read_plan(project, &plan)?);
        plans.push(plan);
    }
    Ok((plans, scripts))
}

fn refuse_irreversible(plans: &[RollbackPlan]) -> Result<(), Error> {
    for plan in plans {
        if let Outcome::Irreversible(why) = plan.outcome() {
            return Err(Error::Irreversible {
                migration: plan.migration.clone(),
                why,
            });
        }
    }
    Ok(())
}

/// `down.sql`, then the plan kept at deploy time, then one generated now.
fn find_plan(project: &Project, database: &mut Database, entry: &Entry) -> Result<RollbackPlan, Error> {
    let file = entry.local.map(|local| &project.folder.migrations[local]);
    let checksum = entry.row.as_ref().map_or_else(String::new, |row| row.checksum.clone());
    if let Some(down) = file.and_then(|file| file.down.as_ref()) {
        let step = PlannedStep {
            undoes: None,
            generator: None,
            outcome: Outcome::Lossless,
            sql: vec![down.text.clone()],
            transactional: true,
        };
        let migration = entry.name.clone();
        return Ok(RollbackPlan {
            migration,
            checksum,
            source: Source::DownFile,
            steps: vec![step],
        });
    }
    if let Some(document) = database
        .read_state()?
        .and_then(|mut state| state.plan(&entry.name, &checksum).transpose())
    {
        let mut plan: RollbackPlan = serde_json::from_value(document?).map_err(|error| Error::Irreversible {
            migration: entry.name.clone(),
            why: format!("its kept rollback plan cannot be read: {error}"),
        })?;
        plan.source = Source::Kept;
        return Ok(plan);
    }
    match file {
        Some(file) if !entry.edited => generate_now(project, database, file),
        Some(_) => Err(Error::Irreversible {
            migration: entry.name.clone(),
            why: "its file was edited after it was applied, and no rollback plan was kept".to_owned(),
        }),
        None => Err(Error::Irreversible {
            migration: entry.name.clone(),
            why: "its folder is gone, and no rollback plan was kept".to_owned(),
        }),
    }
}

/// Before and after of the migration come from replaying the folder: what the database looks like now is the state
/// after all later ones.
fn generate_now(project: &Project, database: &Database, file: &MigrationFile) -> Result<RollbackPlan, Error> {
    let folder = &project.folder;
    let upto = folder
        .migrations
        .iter()
        .take_while(|migration| migration.name != file.name)
        .count();
    let read = plan::read_scripts(folder, 0..=upto, project.target.dialect())?;
    let mut schema = Schema::empty(database.context());
    for migration in &read[..upto] {
        schema.apply_script(migration.script())?;
        schema.settle();
    }
    let before = schema.clone();
    let migration = &read[upto];
    schema.apply_script(migration.script())?;
    let server = project::server(&database.server());
    Ok(generate(
        &project.generators,
        server,
        migration,
        &before,
        &schema,
        Source::Generated,
    )?)
}

/// The SQL of a plan, read.
struct ReadPlan {
    script: Script,
    pragmas: Pragmas,
}

/// Everything that runs is parsed first, a `down.sql` like anything else.
fn read_plan(project: &Project, plan: &RollbackPlan) -> Result<ReadPlan, Error> {
    let text = plan.sql();
    let read = || -> Result<ReadPlan, ScriptProblem> {
        let script = tollgate_sql::parse(project.target.dialect(), &text)?;
        let pragmas = match plan.source {
            Source::DownFile => pragma::read(&script)?,
            Source::Kept | Source::Generated => Pragmas::default(),
        };
        Ok(ReadPlan { script, pragmas })
    };
    read().map_err(|problem| Error::RollbackScript {
        migration: plan.migration.clone(),
        path: match plan.source {
            Source::DownFile => down_file(project, plan).display().to_string(),
            Source::Kept | Source::Generated => "the rollback plan".to_owned(),
        },
        text: text.clone(),
        problem: Box::new(problem),
    })
}

fn down_file(project: &Project, plan: &RollbackPlan) -> PathBuf {
    project.folder.dir.join(&plan.migration).join(DOWN_FILE)
}

fn run(
    project: &Project,
    database: &mut Database,
    lock: &mut RunLock,
    scripts: &[ReadPlan],
    report: &mut RollbackReport,
    observe: Observer<'_>,
) -> Result<(), Error> {
    let started = Instant::now();
    let interrupt = &project.settings.execute.interrupt;
    let _at_work = interrupt.work();
    let run = project.begin("rollback", &mut database.state()?)?;
    notify::send_again(&project.notifiers, database, interrupt, observe)?;
    let mut notifications = Notifications::new(&project.notifiers, run.clone(), interrupt);
    let migrations = report.plans.iter().map(|plan| plan.migration.clone()).collect();
    notifications.send(&wire::Event::Planned { migrations }, observe);
    let mut result = Ok(());
    for (plan, read) in report.plans.iter().zip(scripts) {
        let one = Instant::now();
        observe(Event::RollingBack {
            migration: plan.migration.clone(),
        });
        if let Err(error) = take_back(project, database, lock, plan, read, &report.taken_back) {
            let failed = wire::Event::Failed {
                migration: plan.migration.clone(),
                statement: None,
                message: error.to_string(),
                sqlstate: None,
            };
            notifications.send(&failed, observe);
            result = Err(error);
            break;
        }
        let took = one.elapsed();
        observe(Event::RolledBack {
            migration: plan.migration.clone(),
            took,
        });
        let event = wire::Event::RolledBack {
            migration: plan.migration.clone(),
            duration_ms: milliseconds(took),
        };
        notifications.send(&event, observe);
        report.taken_back.push(TakenBack {
            name: plan.migration.clone(),
            duration_ms: milliseconds(took),
        });
    }
    let finished = wire::Event::Finished {
        applied: names(&report.taken_back),
        findings: Vec::new(),
        succeeded: result.is_ok(),
        duration_ms: milliseconds(started.elapsed()),
    };
    notifications.send(&finished, observe);
    let deliveries = end_run(database, &run.id, ending(&result), notifications);
    result?;
    report.deliveries = deliveries.map_err(|error| stopped(error, &report.taken_back, None))?;
    project.settings.go_on_with(None, true, || names(&report.taken_back))?;
    notify::expect_told(&report.deliveries)
}

/// What ended a run that may have taken something back already.
fn stopped(error: impl Into<Error>, taken_back: &[TakenBack], next: Option<String>) -> Error {
    Error::Stopped {
        source: Box::new(error.into()),
        finished: names(taken_back),
        next,
        taking_back: true,
    }
}

/// Names of what a run has taken back.
fn names(taken_back: &[TakenBack]) -> Vec<String> {
    taken_back.iter().map(|migration| migration.name.clone()).collect()
}

fn take_back(
    project: &Project,
    database: &mut Database,
    lock: &mut RunLock,
    plan: &RollbackPlan,
    read: &ReadPlan,
    before: &[TakenBack],
) -> Result<(), Error> {
    project
        .settings
        .go_on_with(Some(&plan.migration), true, || names(before))?;
    lock.check()
        .map_err(|error| stopped(error, before, Some(plan.migration.clone())))?;
    let request = RollbackRequest {
        name: &plan.migration,
        script: &read.script,
        pragmas: read.pragmas,
    };
    let path = match plan.source {
        Source::DownFile => down_file(project, plan),
        Source::Kept | Source::Generated => format!("rollback of {}", plan.migration).into(),
    };
    database
        .roll_back(&request, &project.settings.execute, &mut |_| {})
        .map(drop)
        .map_err(|source| Error::Execution {
            migration: plan.migration.clone(),
            script: Some(Box::new((path, read.script.text.clone()))),
            source: Box::new(source),
            finished: names(before),
            taking_back: true,
        })
}
