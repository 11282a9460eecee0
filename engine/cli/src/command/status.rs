//! `tollgate status`

use super::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show which migrations are applied, pending, failed, missing or edited
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    config.migrations_dir()?;
    config.database_url()?;
    Ok(Exit::Done)
}
