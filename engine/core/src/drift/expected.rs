//! What the applied migrations make.

use tollgate_database::{ConnectOptions, Database, Scratch, ScratchOptions, Start};
use tollgate_schema::{Context, Schema};

use super::ScratchPlace;
use crate::deploy::{DeployOptions, deploy};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::folder::Folder;
use crate::plan;
use crate::preview::untold;
use crate::project::Project;

/// By replaying their files.
pub(super) fn replayed(project: &Project, context: &Context, applied: &[usize]) -> Result<Schema, Error> {
    let mut schema = Schema::empty(context.clone());
    for migration in plan::read_scripts(&project.folder, applied.iter().copied(), context.dialect)? {
        schema.apply_script(migration.script())?;
    }
    Ok(schema)
}

/// By applying them to a scratch database.
pub(super) fn on_scratch(
    project: &Project,
    place: &ScratchPlace,
    applied: &[usize],
    observe: Observer<'_>,
) -> Result<Schema, Error> {
    let options = ScratchOptions {
        start: Start::Empty,
        schema: project.target.schema().map(str::to_owned),
        folder: place.folder.clone(),
        application_name: "tollgate drift".to_owned(),
    };
    let _at_work = project.settings.execute.interrupt.work();
    let server = place.place.as_ref().unwrap_or(&project.target);
    let scratch = Scratch::create(server, &options)?;
    let made = make(project, &scratch, applied, observe);
    let removed = scratch.remove();
    if let (Err(_), Err(error)) = (&made, &removed) {
        // Why it ended early matters more.
        observe(Event::Warning(error.to_string()));
    }
    let made = made?;
    removed?;
    Ok(made)
}

fn make(project: &Project, scratch: &Scratch, applied: &[usize], observe: Observer<'_>) -> Result<Schema, Error> {
    let connect = ConnectOptions {
        create_missing: true,
        application_name: "tollgate drift".to_owned(),
        read_only: false,
    };
    let mut trial = untold(project, scratch.target());
    trial.generators.clear();
    // A database gets its migrations in the order of their names, unless one came late.
    let mut done = 0;
    while done < applied.len() {
        let rising = applied[done..].windows(2).take_while(|pair| pair[0] < pair[1]).count() + 1;
        done += rising;
        let mut upto = applied[..done].to_vec();
        upto.sort_unstable();
        trial.folder = Folder {
            migrations: upto
                .iter()
                .map(|local| project.folder.migrations[*local].clone())
                .collect(),
            ..project.folder.clone()
        };
        let mut relay = |event| {
            if matches!(event, Event::Execution { .. } | Event::Warning(_)) {
                observe(event);
            }
        };
        deploy(&trial, &DeployOptions::default(), &mut relay)?;
    }
    Ok(Database::connect(scratch.target(), &connect)?.picture()?)
}
