//! `tollgate check`

use serde::Serialize;
use tollgate_engine::check_folder;
use tollgate_engine::host::Kind;

use super::Context;
use crate::config::model::Severity;
use crate::engine::findings::{Counts, Findings, JudgedDocument};
use crate::engine::plugins::Loader;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;

/// Ask the policies about the migrations, without a database and without applying anything
///
/// Each migration is judged with the schema that all earlier ones make.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Judge only these [default: all]
    #[arg(value_name = "MIGRATION")]
    only: Vec<String>,
}

/// The document of `check`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checked {
    /// A deploy of these migrations would stop.
    blocked: bool,
    /// How many of each kind there are.
    counts: Counts,
    /// Every migration that was judged, in order.
    migrations: Vec<JudgedDocument>,
}

impl Body for Checked {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let folder = project::folder(&config, ui)?;
    let schema = project::context(&config, &folder, ui)?;
    let dialect = schema.dialect;
    let loaded = Loader::new(&config, ui)?.load(&[Kind::Policy])?;
    let block_at = project::severity(config.settings.check.block_at.unwrap_or(Severity::High));
    let report = check_folder(
        &folder,
        schema,
        &loaded.policies,
        config.environment.clone(),
        block_at,
        &args.only,
    )?;
    loaded.show_log(ui);
    let findings = Findings::new(&folder, dialect);
    let counts = findings.show(ui, &report.migrations);
    ui.line(counts.summary());
    if ui.json() {
        let migrations = report
            .migrations
            .iter()
            .map(|migration| findings.document(migration))
            .collect();
        ui.document(&Checked {
            blocked: report.blocked(),
            counts,
            migrations,
        });
    }
    Ok(if report.blocked() { Exit::Blocked } else { Exit::Done })
}
