//! `tollgate completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Exit;
use crate::output::stream;

/// Print a completion script for your shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bash  tollgate completions bash > ~/.local/share/bash-completion/completions/tollgate
  zsh   tollgate completions zsh > \"${fpath[1]}/_tollgate\"
  fish  tollgate completions fish > ~/.config/fish/completions/tollgate.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tollgate", &mut script);
    stream::stdout(&String::from_utf8_lossy(&script));
    Exit::Done
}
