//! What a deploy would do: which migrations, in which order, and what is said of each.

use std::sync::mpsc;

use tollgate_database::Database;
use tollgate_host::PluginError;
use tollgate_host::types as wire;
use tollgate_schema::Schema;

use super::{DeployOptions, PlannedMigration, PlannedStatement};
use crate::check::{self, CheckedMigration};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::history::History;
use crate::plan::{self, ReadMigration};
use crate::policy::Court;
use crate::project::{self, Project};
use crate::rollback::{self, RollbackPlan, Source};

/// What is to be applied, and what is said of it. The catalog's snapshot ends here: an open one would make CREATE INDEX
/// CONCURRENTLY wait for us for ever.
pub(super) fn plan_on(
    project: &Project,
    database: &mut Database,
    read: Vec<ReadMigration>,
    observe: Observer<'_>,
) -> Result<Planned, Error> {
    let server = project::server(&database.server());
    let schema = || {
        // A connection for it would take longer than some deploys.
        if is_unseen(project) {
            return Ok(Schema::unknown(database.context()));
        }
        Ok(Schema::over(database.catalog()?, database.context()))
    };
    plan_for(project, read, server, schema, observe)
}

/// The same for a database that does not exist yet.
pub(super) fn plan_on_nothing(
    project: &Project,
    read: Vec<ReadMigration>,
    observe: Observer<'_>,
) -> Result<Planned, Error> {
    let server = wire::Server {
        dialect: project.target.dialect(),
        version: None,
    };
    let schema = || Ok(Schema::empty(project.context(None)));
    plan_for(project, read, server, schema, observe)
}

/// The scripts and their plan.
pub(super) type Planned = (Vec<ReadMigration>, Vec<PlannedMigration>);

/// Reads the scripts that are to be applied, in order.
pub(super) fn read(project: &Project, chosen: Vec<usize>) -> Result<Vec<ReadMigration>, Error> {
    Ok(plan::read_scripts(&project.folder, chosen, project.target.dialect())?)
}

fn plan_for(
    project: &Project,
    read: Vec<ReadMigration>,
    server: wire::Server,
    schema: impl FnOnce() -> Result<Schema, Error>,
    observe: Observer<'_>,
) -> Result<Planned, Error> {
    observe(Event::Judging { migrations: read.len() });
    let plan = make_plan(project, server, &read, &mut schema()?)?;
    let checked: Vec<CheckedMigration> = plan.iter().map(|migration| migration.checked.clone()).collect();
    let requested = project.settings.approvals.check_requests(&checked, &project.folder);
    observe(Event::Judged(checked));
    for request in requested? {
        observe(Event::Warning(format!(
            "--approve {request}: this migration is not about to be applied"
        )));
    }
    Ok((read, plan))
}

/// Ledger and folder, taken together. What is irregular about them is refused or pointed out.
pub(super) fn read_history(
    project: &Project,
    database: &mut Database,
    observe: Observer<'_>,
) -> Result<History, Error> {
    let rows = database.ledger()?;
    if rows.is_none() && database.has_tables()? {
        return Err(Error::NotEmpty);
    }
    let resume = project.settings.execute.resume;
    let history = History::of(&project.folder, rows.as_deref(), database, resume)?;
    project.settings.examine(&history, observe)?;
    Ok(history)
}

/// Indexes of the migrations to apply, in order.
pub(super) fn choose(history: &History, options: &DeployOptions) -> Result<Vec<usize>, Error> {
    let pending: Vec<_> = history.to_apply().collect();
    let end = match &options.to {
        None => pending.len(),
        Some(name) => match pending.iter().position(|entry| entry.name == *name) {
            Some(position) => position + 1,
            None if history.find(name).is_some() => 0,
            None => {
                let names = history.entries.iter().map(|entry| entry.name.as_str());
                let similar = crate::nearest::nearest_migration(name, names);
                return Err(Error::NotFound {
                    migration: name.clone(),
                    similar,
                });
            }
        },
    };
    Ok(pending[..end].iter().filter_map(|entry| entry.local).collect())
}

/// A migration on its way to the policies, with its way back.
struct Case<'a> {
    migration: &'a ReadMigration,
    before: Schema,
    after: Schema,
    way_back: Result<RollbackPlan, PluginError>,
}

/// How many migrations may wait to be judged.
const AHEAD: usize = 16;

/// Whether nobody looks at the schema.
fn is_unseen(project: &Project) -> bool {
    project.policies.is_empty() && project.generators.is_empty()
}

/// The policies judge on another thread while this one goes on replaying and having the ways back written.
fn make_plan(
    project: &Project,
    server: wire::Server,
    read: &[ReadMigration],
    schema: &mut Schema,
) -> Result<Vec<PlannedMigration>, Error> {
    let court = project.settings.court(server);
    if is_unseen(project) {
        let judged = |migration| {
            project.settings.go_on()?;
            let way_back = rollback::generate(&[], server, migration, schema, schema, Source::Kept);
            let case = Case {
                migration,
                before: schema.clone(),
                after: schema.clone(),
                way_back,
            };
            Ok(judge(project, &court, case))
        };
        return read.iter().map(judged).collect();
    }
    let scripts: Vec<_> = read.iter().map(|migration| migration.script().as_ref()).collect();
    schema.prefetch(&scripts);
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Case<'_>>(AHEAD);
        let judging = scope.spawn(move || receiver.iter().map(|case| judge(project, &court, case)).collect());
        let walked = plan::walk(schema, read, |migration, before, after| -> Result<(), Error> {
            project.settings.go_on()?;
            let way_back = rollback::generate(&project.generators, server, migration, before, after, Source::Kept);
            // The other end is gone only after a panic, which shows below.
            let _ = sender.send(Case {
                migration,
                before: before.clone(),
                after: after.clone(),
                way_back,
            });
            Ok(())
        });
        drop(sender);
        let plan = judging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        walked.map(|()| plan)
    })
}

fn judge(project: &Project, court: &Court, case: Case<'_>) -> PlannedMigration {
    let Case {
        migration,
        before,
        after,
        way_back,
    } = case;
    // A way back that cannot be written must not hold up the way forward; the plan says that there is none.
    let (rollback, rollback_failure) = match way_back {
        Ok(plan) => (Some(plan), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let checked = check::judge(
        court,
        &project.settings.approvals,
        &project.policies,
        migration,
        &before,
        &after,
        &mut || rollback.clone(),
    );
    PlannedMigration {
        checked,
        statements: statements(migration),
        rollback,
        rollback_failure,
        has_down_file: migration.input.down.is_some(),
        pragmas: migration.pragmas,
    }
}

fn statements(migration: &ReadMigration) -> Vec<PlannedStatement> {
    let script = migration.script();
    script
        .statements
        .iter()
        .zip(script.lines())
        .map(|(statement, line)| PlannedStatement {
            line,
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
