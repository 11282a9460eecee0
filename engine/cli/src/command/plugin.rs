//! `tollgate plugin`

use super::Context;
use crate::config::plugins::PluginSource;
use crate::exit::Exit;
use crate::failure::Failure;

/// Look at the plugins
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
}

/// List the plugins of this project, what each is for and what it may do
#[derive(Debug, clap::Args)]
struct List {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let Command::List(List {}) = &args.command;
    for plugin in context.config()?.plugins()? {
        let source = match &plugin.source {
            PluginSource::Builtin(name) => format!("builtin:{name}"),
            PluginSource::Path(path) => path.display().to_string(),
        };
        context.ui.line(format!("{} {source}", plugin.name));
    }
    Ok(Exit::Done)
}
