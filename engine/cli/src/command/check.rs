//! `tollgate check`

use super::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Ask the policies about every migration, without applying anything
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    context.config()?.migrations_dir()?;
    Ok(Exit::Done)
}
