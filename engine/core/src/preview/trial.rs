//! Applying a migration to the scratch database, taking it back, comparing, and applying it again.

use tollgate_database::scratch::RowDigests;
use tollgate_database::{Database, LockOptions, Target};
use tollgate_host::types::{Outcome, Severity};
use tollgate_schema::Schema;
use tollgate_schema::difference::{self, Options};

use super::{PreviewedMigration, RollbackResult, TriedRollback, connect};
use crate::approval::Approvals;
use crate::deploy::{DeployOptions, deploy};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Observer};
use crate::history::History;
use crate::project::{Project, Settings, Tolerance};
use crate::rollback::{RollbackPlan, RollbackReport, Selection, Source, rollback};
use crate::rules::EngineRules;

/// The project on the scratch database.
pub(super) struct Trial {
    project: Project,
}

/// A migration that was tried.
pub(super) struct Tried {
    pub migration: PreviewedMigration,
    /// The database is not what it would be after the migration alone.
    pub spoilt: bool,
}

/// What a database is like at one moment.
struct Moment {
    schema: Schema,
    rows: Option<RowDigests>,
}

impl Trial {
    pub(super) fn new(project: &Project, target: &Target) -> Self {
        Self {
            project: untold(project, target),
        }
    }

    /// The migrations to try, in order. What is irregular about the history of a copy is refused or pointed out, as a
    /// deploy does it.
    pub(super) fn pending(&self, project: &Project, observe: Observer<'_>) -> Result<Vec<String>, Error> {
        let mut database = connect(&self.project.target)?;
        let rows = database.ledger()?;
        let history = History::of(&project.folder, rows.as_deref(), &mut database, false)?;
        project.settings.examine(&history, observe)?;
        Ok(history.to_apply().map(|entry| entry.name.clone()).collect())
    }

    /// Tries one.
    ///
    /// # Errors
    /// The run was asked to stop, or the database cannot be looked at.
    pub(super) fn one(&self, name: &str, take_back: bool, observe: Observer<'_>) -> Result<Tried, Error> {
        let before = if take_back { Some(self.look()?) } else { None };
        let applied = self.apply(name, observe)?;
        let failed = applied.is_err();
        let mut migration = PreviewedMigration {
            name: name.to_owned(),
            applied,
            taken_back: None,
        };
        let mut spoilt = failed;
        if let Some(before) = before.filter(|_| !failed) {
            let (tried, broken) = self.take_back(name, &before, observe)?;
            migration.taken_back = Some(tried);
            spoilt = broken;
        }
        Ok(Tried { migration, spoilt })
    }

    /// Applies everything up to a migration at once, on a database that has taken no part in any attempt.
    pub(super) fn catch_up(&self, name: &str, observe: Observer<'_>) -> Result<(), Error> {
        self.apply(name, observe)?.map(drop).map_err(|error| *error)
    }

    fn look(&self) -> Result<Moment, Error> {
        let mut database: Database = connect(&self.project.target)?;
        let schema = database.picture()?;
        let rows = database.row_digests(&schema)?;
        Ok(Moment { schema, rows })
    }

    /// How long it took; or why it failed, unless that is that somebody asked to stop.
    fn apply(&self, name: &str, observe: Observer<'_>) -> Result<Result<u64, Box<Error>>, Error> {
        let options = DeployOptions {
            to: Some(name.to_owned()),
            ..DeployOptions::default()
        };
        match deploy(&self.project, &options, &mut |event| relay(event, observe)) {
            Ok(report) => Ok(Ok(report.applied.iter().map(|applied| applied.duration_ms).sum())),
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => Ok(Err(Box::new(error))),
        }
    }

    /// How taking it back went, and whether the database is of no use any more.
    fn take_back(&self, name: &str, before: &Moment, observe: Observer<'_>) -> Result<(TriedRollback, bool), Error> {
        let after = self.look()?;
        let mut plan = None;
        let mut keep_plan = |plans: &[RollbackPlan]| {
            plan = plans.first().cloned();
            true
        };
        let done = rollback(
            &self.project,
            &Selection::Steps(1),
            false,
            &mut keep_plan,
            &mut |event| relay(event, observe),
        );
        let report = match done {
            Ok(report) => report,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(Error::Irreversible { why, .. }) => {
                let result = RollbackResult::Irreversible(why);
                return Ok((TriedRollback { plan, result }, false));
            }
            Err(error) => {
                // In one transaction nothing is left of it, and one can go on.
                let broken = !differences(&after.schema, &self.look()?.schema)?.is_empty();
                let result = RollbackResult::Failed(Box::new(error));
                return Ok((TriedRollback { plan, result }, broken));
            }
        };
        let result = compare(before, &self.look()?, plan.as_ref(), &report)?;
        let spoilt = matches!(result, RollbackResult::Differs { .. });
        let result = match (self.apply(name, observe)?, result) {
            (Err(error), RollbackResult::Restored { .. }) => RollbackResult::NotAgain(error),
            (_, result) => result,
        };
        let spoilt = spoilt || matches!(result, RollbackResult::NotAgain(_));
        Ok((TriedRollback { plan, result }, spoilt))
    }
}

/// The project on another database, with the same scripts run in the same way: nobody is told of it, no lock and no lease of
/// the real database counts, and the policies are asked apart.
pub(crate) fn untold(project: &Project, target: &Target) -> Project {
    let settings = &project.settings;
    let mut execute = settings.execute.clone();
    execute.resume = false;
    let settings = Settings {
        lock: LockOptions {
            timeout: settings.lock.timeout,
            interrupt: settings.lock.interrupt.clone(),
            ..LockOptions::default()
        },
        execute,
        rules: EngineRules {
            off: true,
            ..EngineRules::default()
        },
        approvals: Approvals::default(),
        requirement: None,
        block_at: Severity::High,
        out_of_order: Tolerance::Allow,
        missing: Tolerance::Allow,
        edited: Tolerance::Allow,
        ..settings.clone()
    };
    Project {
        folder: project.folder.clone(),
        target: target.clone(),
        policies: Vec::new(),
        generators: project.generators.clone(),
        notifiers: Vec::new(),
        settings,
    }
}

/// What is worth saying of the runs on the scratch database.
fn relay(event: Event, observe: Observer<'_>) {
    if matches!(event, Event::Execution { .. } | Event::Lock(_) | Event::Warning(_)) {
        observe(event);
    }
}

fn compare(
    before: &Moment,
    now: &Moment,
    plan: Option<&RollbackPlan>,
    report: &RollbackReport,
) -> Result<RollbackResult, Error> {
    let duration_ms = report.taken_back.iter().map(|done| done.duration_ms).sum();
    let schema = differences(&before.schema, &now.schema)?;
    let promised = plan.is_some_and(|plan| plan.source != Source::DownFile && plan.outcome() == Outcome::Lossless);
    let rows = match (&before.rows, &now.rows) {
        (Some(before), Some(now)) if promised => {
            let changed = before.iter().filter(|(table, digest)| now.get(*table) != Some(digest));
            changed.map(|(table, _)| table.to_string()).collect()
        }
        _ => Vec::new(),
    };
    Ok(if schema.is_empty() && rows.is_empty() {
        RollbackResult::Restored { duration_ms }
    } else {
        RollbackResult::Differs {
            duration_ms,
            schema,
            rows,
        }
    })
}

/// Where the schema is not what it was. A column that comes back comes last, and nobody who names it notices.
fn differences(before: &Schema, now: &Schema) -> Result<Vec<String>, Error> {
    let options = Options {
        left: "the schema before",
        right: "the schema after taking it back",
        privileges: true,
        statements: false,
        ..Options::default()
    };
    let mut found = difference::compare(before, now, &options)?;
    found.retain(|difference| !difference.text.starts_with("order of columns"));
    Ok(found.iter().map(ToString::to_string).collect())
}
