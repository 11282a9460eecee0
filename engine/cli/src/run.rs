//! One run, from the command line to the exit status.

use std::ffi::OsString;

use clap::Parser;

use crate::args::Cli;
use crate::command;
use crate::exit::Exit;
use crate::output::Ui;
use crate::output::redact::Redactor;

/// Runs the program.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    cli.global.color.apply();
    let ui = Ui::new(cli.global.format, cli.global.verbosity(), cli.command.name());
    match command::run(&cli, &ui) {
        Ok(exit) => exit,
        Err(failure) => {
            ui.failure(&failure);
            failure.exit()
        }
    }
}

/// Help and version are no mistakes; everything else is. What was typed may hold a URL, so it is redacted too.
fn usage(error: &clap::Error) -> Exit {
    let text = Redactor::default().redact(&error.render().ansi().to_string());
    if error.use_stderr() {
        crate::output::stream::stderr(&text);
        Exit::Usage
    } else {
        crate::output::stream::stdout(&text);
        Exit::Done
    }
}
