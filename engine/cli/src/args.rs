//! The command line: what all commands share, and the list of them. Each command's own arguments stand in its file.

#![expect(clippy::doc_markdown, reason = "these comments are the help texts that people read")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command::{
    approve, baseline, check, ci, completions, config, deploy, doctor, drift, explain, init, lock, new, notify, plugin,
    preview, reset, resolve, rollback, seed, status,
};
use crate::config::Flags;
use crate::exit;
use crate::output::{Format, Verbosity};
use crate::signal::OnSignal;

/// Applies SQL migrations and lets nothing through that your policies refuse
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, after_help = exit::HELP, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command has.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file [default: tollgate.toml here or in a folder above; or TOLLGATE_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Environment of the configuration, `[environments.NAME]` [or TOLLGATE_ENV]
    #[arg(short, long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub env: Option<String>,
    /// Database to work on [or DATABASE_URL, also from .env]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub database_url: Option<String>,
    /// Folder of the migrations [default: prisma/migrations or migrations]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub migrations: Option<PathBuf>,
    /// What to print: text (human) or one JSON document (json) [default: human]
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "FORMAT",
        help_heading = "Global options"
    )]
    pub format: Format,
    /// When to use colours: auto (on a terminal), always or never [default: auto; NO_COLOR is respected]
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    pub color: Color,
    /// Print results, warnings and errors only
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Global options"
    )]
    pub quiet: bool,
    /// Print more: which files are read, what plugins log
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub verbose: bool,
}

impl Global {
    /// How much is printed.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }

    /// What these flags say about the configuration.
    pub fn flags(&self) -> Flags {
        let mut flags = Flags {
            config: self.config.clone(),
            environment: self.env.clone(),
            settings: Vec::new(),
        };
        flags.text("--database-url", "database.url", self.database_url.as_deref());
        let migrations = self
            .migrations
            .as_deref()
            .map(|path| path.to_string_lossy().into_owned());
        flags.text("--migrations", "migrations.dir", migrations.as_deref());
        flags
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Makes the choice for everything this process prints.
    pub fn apply(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::Args),
    New(new::Args),
    Check(check::Args),
    Explain(explain::Args),
    Approve(approve::Args),
    Deploy(deploy::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    Rollback(rollback::Args),
    Resolve(resolve::Args),
    Lock(lock::Args),
    Preview(preview::Args),
    Drift(drift::Args),
    Baseline(baseline::Args),
    Reset(reset::Args),
    Seed(seed::Args),
    Ci(ci::Args),
    Notify(notify::Args),
    Plugin(plugin::Args),
    Config(config::Args),
    Completions(completions::Args),
}

impl Command {
    /// What it does when it is asked to end. Whatever takes the lock or writes to a database has to ask.
    pub fn on_signal(&self) -> OnSignal {
        match self {
            Self::Deploy(args) => args.on_signal(),
            Self::Rollback(args) => args.on_signal(),
            Self::Lock(args) => args.on_signal(),
            Self::Check(args) => args.on_signal(),
            Self::Preview(_) => OnSignal::Cancel,
            Self::Drift(args) => args.on_signal(),
            Self::Resolve(_) | Self::Baseline(_) | Self::Reset(_) | Self::Seed(_) => OnSignal::Ask,
            Self::Init(_)
            | Self::New(_)
            | Self::Explain(_)
            | Self::Approve(_)
            | Self::Status(_)
            | Self::Doctor(_)
            | Self::Ci(_)
            | Self::Notify(_)
            | Self::Plugin(_)
            | Self::Config(_)
            | Self::Completions(_) => OnSignal::End,
        }
    }

    /// Its name in JSON documents.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::New(_) => "new",
            Self::Check(_) => "check",
            Self::Explain(_) => "explain",
            Self::Approve(_) => "approve",
            Self::Deploy(_) => "deploy",
            Self::Status(_) => "status",
            Self::Doctor(_) => "doctor",
            Self::Rollback(_) => "rollback",
            Self::Resolve(_) => "resolve",
            Self::Lock(args) => args.name(),
            Self::Preview(_) => "preview",
            Self::Drift(_) => "drift",
            Self::Baseline(_) => "baseline",
            Self::Reset(_) => "reset",
            Self::Seed(_) => "seed",
            Self::Ci(args) => args.name(),
            Self::Notify(args) => args.name(),
            Self::Plugin(_) => "plugin list",
            Self::Config(_) => "config show",
            Self::Completions(_) => "completions",
        }
    }
}
