//! `tollgate resolve`

use serde::Serialize;
use tollgate_engine::{Resolution, resolve};

use super::Context;
use crate::engine::events::Show;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::style::{NAME, paint};

/// Tell the ledger what happened to a migration, without running anything
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Args {
    /// Its changes are in the database: record it as applied
    #[arg(long, value_name = "NAME")]
    applied: Option<String>,
    /// It failed and nothing of it is left: record that, so that it can be deployed again
    #[arg(long, value_name = "NAME")]
    rolled_back: Option<String>,
}

/// The document of `resolve`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resolved {
    /// The migration.
    migration: String,
    /// `applied` or `rolled-back`.
    recorded: &'static str,
}

impl Body for Resolved {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let (project, _) = project::project(&config, ui, &[])?;
    // clap sees to it that there is exactly one of the two.
    let (name, recorded, resolution) = match (&args.applied, &args.rolled_back) {
        (Some(name), _) => (name, "applied", Resolution::Applied(name.clone())),
        (None, name) => {
            let name = name.clone().unwrap_or_default();
            (&name.clone(), "rolled-back", Resolution::RolledBack(name))
        }
    };
    let mut show = Show::new(ui);
    resolve(&project, &resolution, &mut |event| show.event(event))?;
    ui.line(format!(
        "{} is recorded as {}",
        paint(NAME, name),
        recorded.replace('-', " ")
    ));
    ui.document(&Resolved {
        migration: name.clone(),
        recorded,
    });
    Ok(Exit::Done)
}
