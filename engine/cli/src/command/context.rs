//! What every command works with, and the way to the right one.

use crate::again;
use crate::args::{Cli, Command};
use crate::config::{Config, Flags, load};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::path::shown;

/// What a command works with.
pub struct Context<'a> {
    /// What is printed goes through here.
    pub ui: &'a Ui,
    /// What the command line says about the configuration; a command may add its own flags.
    pub flags: Flags,
    /// The flags of this run that a command to run next needs, too.
    again: String,
}

impl Context<'_> {
    /// Reads the configuration. Only commands that need one call this.
    pub fn config(&self) -> Result<Config, Failure> {
        let config = load::load(&self.flags, &mut |secret| self.ui.hide(secret))?;
        for warning in &config.warnings {
            self.ui.warn(warning);
        }
        for path in config.file.iter().chain(config.env_files()) {
            self.ui.detail(format!("read {}", shown(path)));
        }
        Ok(config)
    }

    /// The text with the flags of this run in every command that it names.
    pub fn with_flags(&self, text: &str) -> String {
        again::with_flags(text, &self.again)
    }

    /// How to call a command for the environment that this one was called for: it must not hit another database.
    pub fn call(&self, command: &str) -> String {
        format!("`tollgate{} {command}`", self.again)
    }
}

/// Runs the command that was asked for.
pub fn run(cli: &Cli, ui: &Ui) -> Result<Exit, Failure> {
    let again = again::flags(&cli.global);
    let context = Context {
        ui,
        flags: cli.global.flags(),
        again: again.clone(),
    };
    dispatch(cli, context).map_err(|failure| failure.called_with(&again))
}

fn dispatch(cli: &Cli, context: Context<'_>) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Init(args) => super::init::run(args, &context),
        Command::New(args) => super::new::run(args, &context),
        Command::Check(args) => super::check::run(args, &context),
        Command::Explain(args) => super::explain::run(args, &context),
        Command::Approve(args) => super::approve::run(args, &context),
        Command::Deploy(args) => super::deploy::run(args, context),
        Command::Status(args) => super::status::run(args, &context),
        Command::Doctor(args) => super::doctor::run(args, &context),
        Command::Rollback(args) => super::rollback::run(args, &context),
        Command::Resolve(args) => super::resolve::run(args, &context),
        Command::Lock(args) => super::lock::run(args, context),
        Command::Preview(args) => super::preview::run(args, &context),
        Command::Drift(args) => super::drift::run(args, &context),
        Command::Baseline(args) => super::baseline::run(args, &context),
        Command::Reset(args) => super::reset::run(args, &context),
        Command::Seed(args) => super::seed::run(args, &context),
        Command::Notify(args) => super::notify::run(args, &context),
        Command::Plugin(args) => super::plugin::run(args, &context),
        Command::Ci(args) => super::ci::run(args, &context),
        Command::Config(args) => super::config::run(args, &context),
        Command::Completions(args) => Ok(super::completions::run(args)),
    }
}
