//! `reset`: dropping everything and applying all migrations again. Only where the caller says that the data may go.

use std::time::Instant;

use serde::Serialize;
use tollgate_database::{AlsoEmptied, ConnectOptions, Database, DatabaseError, Emptying};
use tollgate_schema::Schema;
use tollgate_sql::operation::Operation;

use crate::check::CheckedMigration;
use crate::deploy::{DeployOptions, DeployOutcome, DeployReport, deploy_on, foresee, take_lock};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::plan;
use crate::project::Project;
use crate::refusal::Refusal;

/// Whether it may be done.
#[derive(Debug, Clone, Default)]
pub struct ResetOptions {
    /// The environment is one whose data may go.
    pub development: bool,
}

/// What a reset is about to do.
#[derive(Debug, Clone, Serialize)]
pub struct ResetPlan {
    /// The database is there. When it is not, nothing is dropped.
    pub database_exists: bool,
    /// Tables and views that are dropped, the ledger not counted.
    pub relations: Vec<String>,
    /// Other schemas that are dropped, because the migrations make them.
    pub schemas: Vec<String>,
    /// Extensions that are dropped: those that the migrations make, and those in the target's schema.
    pub extensions: Vec<String>,
    /// What lies outside of all that and is dropped with it, because it depends on it: a view or a column in another
    /// schema, for example.
    pub dependents: Vec<String>,
    /// Migrations that are applied.
    pub migrations: Vec<String>,
}

/// What a reset did.
#[derive(Debug, Serialize)]
pub struct ResetReport {
    /// What it was about to do.
    pub plan: ResetPlan,
    /// The policies do not let all migrations through, so nothing was dropped.
    pub blocked: bool,
    /// Everything was dropped.
    pub emptied: bool,
    /// How applying the migrations went.
    pub deploy: Option<DeployReport>,
}

/// Drops everything that is in the target's schema or file and applies all migrations again.
///
/// Before anything is dropped, every script is read, the policies are asked about them as for an empty database, and
/// `confirm` has to agree. A run that is asked to stop while it drops has dropped nothing.
///
/// # Errors
/// The environment is no development environment, a script cannot be read, somebody else holds the lock, or something
/// cannot be dropped: nothing is, then. What goes wrong after that is an [`Error::Emptied`], and [`Error::PerhapsEmptied`]
/// that it is not known whether it is after that.
pub fn reset(
    project: &Project,
    options: &ResetOptions,
    confirm: &mut dyn FnMut(&ResetPlan) -> bool,
    observe: Observer<'_>,
) -> Result<ResetReport, Error> {
    let started = Instant::now();
    if !options.development {
        let environment = project.settings.environment.clone();
        return Err(Refusal::NotDevelopment { environment }.into());
    }
    project.folder.expect_dialect(project.target.dialect())?;
    let (checked, blocked) = foresee(project, observe)?;
    let plan = look(project, &checked, observe)?;
    let mut report = ResetReport {
        plan,
        blocked,
        emptied: false,
        deploy: None,
    };
    if blocked {
        return Ok(report);
    }
    let agreed = confirm(&report.plan);
    // Ctrl-C is an answer, too.
    project.settings.go_on()?;
    if !agreed {
        return Ok(report);
    }
    let connect = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(&project.target, &connect)?;
    let lock = take_lock(project, "reset", &mut database, observe)?;
    let also = AlsoEmptied {
        schemas: report.plan.schemas.clone(),
        extensions: report.plan.extensions.clone(),
    };
    let execute = &project.settings.execute;
    let at_work = execute.interrupt.work();
    match database.empty(&also, execute.lock_timeout, &execute.interrupt)? {
        Emptying::Done => {}
        Emptying::Interrupted => project.settings.go_on()?,
        Emptying::Unknown(error) => return Err(Error::PerhapsEmptied(error)),
    }
    drop(at_work);
    report.emptied = true;
    if report.plan.database_exists {
        observe(Event::Emptied);
    }
    // The policies have been heard and shown; here only what is new would be worth a word, and nothing is.
    let mut quiet = |event: Event| {
        if !matches!(event, Event::Judged(_) | Event::Judging { .. }) {
            observe(event);
        }
    };
    let (options, ready) = (DeployOptions::default(), || Ok(project.clone()));
    let deploy = deploy_on(project, database, lock, &ready, &options, &mut quiet, started)
        .map_err(|error: Error| Error::Emptied(Box::new(error)))?;
    report.blocked = deploy.outcome == DeployOutcome::Blocked;
    report.deploy = Some(deploy);
    Ok(report)
}

/// What is there, and what of it goes.
fn look(project: &Project, checked: &[CheckedMigration], observe: Observer<'_>) -> Result<ResetPlan, Error> {
    let mut plan = ResetPlan {
        database_exists: false,
        relations: Vec::new(),
        schemas: Vec::new(),
        extensions: Vec::new(),
        dependents: Vec::new(),
        migrations: checked.iter().map(|migration| migration.name.clone()).collect(),
    };
    let options = ConnectOptions {
        read_only: true,
        ..ConnectOptions::default()
    };
    let mut database = match Database::connect(&project.target, &options) {
        Ok(database) => database,
        Err(DatabaseError::Missing { .. }) => return Ok(plan),
        Err(error) => return Err(error.into()),
    };
    plan.database_exists = true;
    let connected = Schema::over(database.catalog()?, database.context());
    let own = project.target.schema();
    let (schemas, extensions) = made_elsewhere(project)?;
    let there = connected.schemas()?;
    plan.schemas = schemas.into_iter().filter(|schema| there.contains(schema)).collect();
    let kept = database.schemas_with_ledger(&plan.schemas)?;
    for schema in &kept {
        observe(Event::Warning(format!(
            "the schema {schema} has a ledger of its own and is left alone, although the migrations create it"
        )));
    }
    plan.schemas.retain(|schema| !kept.contains(schema));
    let extensions = database.extensions_at_hand(&extensions)?;
    for extension in &extensions.kept {
        observe(Event::Warning(format!(
            "the extension {extension} belongs to another role and is left alone, although the migrations create it"
        )));
    }
    plan.extensions = extensions.dropped;
    let also = AlsoEmptied {
        schemas: plan.schemas.clone(),
        extensions: plan.extensions.clone(),
    };
    plan.dependents = database.hanging_on(&also)?;
    for name in connected.relations()? {
        let schema = name.schema.as_deref();
        if schema == own || schema.is_some_and(|schema| plan.schemas.iter().any(|gone| gone == schema)) {
            plan.relations.push(name.to_string());
        }
    }
    Ok(plan)
}

/// Schemas and extensions that the migrations create: they would stand in their own way.
fn made_elsewhere(project: &Project) -> Result<(Vec<String>, Vec<String>), Error> {
    let (mut schemas, mut extensions) = (Vec::new(), Vec::new());
    let folder = &project.folder;
    let own = project.target.schema();
    for migration in plan::read_scripts(folder, 0..folder.migrations.len(), project.target.dialect())? {
        for effect in migration
            .script()
            .statements
            .iter()
            .flat_map(|statement| &statement.effects)
        {
            match &effect.operation {
                Operation::CreateSchema { name, .. } if Some(name.as_str()) != own && !schemas.contains(name) => {
                    schemas.push(name.clone());
                }
                Operation::CreateExtension { name, .. } if !extensions.contains(name) => extensions.push(name.clone()),
                _ => {}
            }
        }
    }
    schemas.retain(|schema| schema != "tollgate" && schema != "information_schema" && !schema.starts_with("pg_"));
    Ok((schemas, extensions))
}
