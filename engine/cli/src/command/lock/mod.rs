//! `tollgate lock`

pub mod acquire;
mod child;
mod documents;
pub mod release;
mod run;
pub mod status;
mod table;
mod time;

use super::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::OnSignal;

/// Keep deploys away for a while, see who does, take the lock away
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Acquire(acquire::Args),
    Status(status::Args),
    Release(release::Args),
    Run(run::Args),
}

impl Args {
    /// Its name in JSON documents.
    pub fn name(&self) -> &'static str {
        match self.command {
            Command::Acquire(_) => "lock acquire",
            Command::Status(_) => "lock status",
            Command::Release(_) => "lock release",
            Command::Run(_) => "lock run",
        }
    }

    /// What it does when it is asked to end.
    pub fn on_signal(&self) -> OnSignal {
        match self.command {
            Command::Acquire(_) | Command::Release(_) => OnSignal::Ask,
            Command::Status(_) => OnSignal::End,
            Command::Run(_) => OnSignal::Own,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: Context<'_>) -> Result<Exit, Failure> {
    match &args.command {
        Command::Acquire(args) => acquire::run(args, context),
        Command::Status(args) => status::run(args, &context),
        Command::Release(args) => release::run(args, &context),
        Command::Run(args) => run::run(args, context),
    }
}
