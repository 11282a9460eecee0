//! `tollgate resolve`

use super::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Tell the ledger what happened to a migration, without running anything
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Args {
    /// Its changes are in the database: record it as applied
    #[arg(long, value_name = "NAME")]
    pub applied: Option<String>,
    /// It failed and nothing of it is left: record that, so that it can be deployed again
    #[arg(long, value_name = "NAME")]
    pub rolled_back: Option<String>,
}

/// Runs the command.
pub fn run(_args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    config.migrations_dir()?;
    config.database_url()?;
    Ok(Exit::Done)
}
