//! `tollgate rollback`

use super::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Take applied migrations back
///
/// The SQL for it is the migration's down.sql, else the plan that was kept when it was deployed, else what the rollback
/// plugin writes now. On a terminal the plan is shown and you are asked; elsewhere --force is needed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many, the newest first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "target")]
    pub steps: u32,
    /// Everything that was applied after this migration, which stays
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// Print the SQL, what it restores and where it is from; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub force: bool,
}

/// Runs the command.
pub fn run(_args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    config.migrations_dir()?;
    config.database_url()?;
    Ok(Exit::Done)
}
