//! `tollgate ci`: what a workflow on a code host needs.

pub mod comment;
pub mod gate;
pub mod init;
mod surroundings;

use super::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Set a workflow up that checks, previews and deploys migrations, and the steps that it consists of
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Init(init::Args),
    Comment(comment::Args),
    Gate(gate::Args),
}

impl Args {
    /// The command's name in JSON documents.
    pub fn name(&self) -> &'static str {
        match self.command {
            Command::Init(_) => "ci init",
            Command::Comment(_) => "ci comment",
            Command::Gate(_) => "ci gate",
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    match &args.command {
        Command::Init(args) => init::run(args, context),
        Command::Comment(args) => comment::run(args, context),
        Command::Gate(args) => gate::run(args, context),
    }
}
