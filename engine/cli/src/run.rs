//! One run, from the command line to the exit status.

use std::ffi::OsString;

use clap::Parser;

use crate::again;
use crate::args::Cli;
use crate::command;
use crate::exit::Exit;
use crate::output::redact::Redactor;
use crate::output::{Format, Ui, Verbosity};
use crate::signal;

/// Runs the program.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut redactor = Redactor::default();
    // A URL in the wrong place, a forgotten `--database-url` for example, must not show its password either.
    let urls = args
        .iter()
        .map(|arg| arg.to_string_lossy())
        .filter(|arg| arg.contains("://"));
    urls.for_each(|url| redactor.add(&url));
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &redactor),
    };
    cli.global.color.apply();
    let ui = Ui::new(cli.global.format, cli.global.verbosity(), cli.command.name(), redactor)
        .again(again::flags(&cli.global));
    let told = cli.global.format == Format::Human && cli.global.verbosity() >= Verbosity::Normal;
    signal::listen(cli.command.on_signal(), told);
    match command::run(&cli, &ui) {
        Ok(exit) => exit,
        Err(failure) => {
            ui.failure(&failure);
            failure.exit()
        }
    }
}

/// Help and version are no mistakes; everything else is.
fn usage(error: &clap::Error, redactor: &Redactor) -> Exit {
    let text = redactor.redact(&error.render().ansi().to_string());
    if error.use_stderr() {
        crate::output::stream::stderr(&text);
        Exit::Usage
    } else {
        crate::output::stream::stdout(&text);
        Exit::Done
    }
}
