//! `tollgate explain`

mod rule;

use serde::Serialize;
use tollgate_engine::{Explained, Folder, explain};

use self::rule::RuleDocument;
use super::Context;
use super::check::targets::{self, Found};
use crate::config::{Config, ConfigError};
use crate::engine::footprints::{self, StatementDocument};
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::style::{DIM, NAME, paint};

/// Explain a migration (what each statement does, and what it locks) or a rule
///
/// Locks are those that PostgreSQL takes, computed from the files: what every migration before it makes is known. For each
/// relation there is the mode, what others cannot do meanwhile, and whether every row is read or written anew under it. Of
/// MySQL no locks are told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A migration, a file with SQL (- is standard input), or a rule: RULE or PLUGIN/RULE
    #[arg(value_name = "MIGRATION|FILE|RULE")]
    what: String,
    /// Explain a file as if nothing were known of the schema, without the migrations
    #[arg(long)]
    no_history: bool,
}

/// The document of `explain`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Answer {
    /// The script, when one was asked about.
    script: Option<ScriptDocument>,
    /// The rules of that name, one a plugin that has one, when a rule was asked about.
    rules: Vec<RuleDocument>,
}

/// A script, statement by statement.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ScriptDocument {
    /// The migration, or the file's name.
    name: String,
    /// Its statements in order.
    statements: Vec<StatementDocument>,
}

impl Body for Answer {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let config = context.config()?;
    let answer = if is_script(args, context, &config)? {
        Answer {
            script: Some(explain_script(args, context, &config)?),
            rules: Vec::new(),
        }
    } else {
        Answer {
            script: None,
            rules: rule::explain_rule(&args.what, context, &config)?,
        }
    };
    context.ui.document(&answer);
    Ok(Exit::Done)
}

/// A migration and a file come first; what is neither is a rule. A path is never one.
fn is_script(args: &Args, context: &Context<'_>, config: &Config) -> Result<bool, Failure> {
    let what = args.what.as_str();
    let path = config.cwd.join(what);
    if what == targets::STDIN || path.is_file() || path.join(tollgate_engine::folder::SCRIPT_FILE).is_file() {
        return Ok(true);
    }
    let known = folder(args, context, config)?.is_some_and(|folder| folder.find(what).is_some());
    if known || rule::is_known(what, context, config)? {
        return Ok(known);
    }
    // A slash may stand between plugin and rule, too.
    let extension = path.extension().is_some_and(|extension| extension == "sql");
    Ok(extension || what.starts_with('.') || what.starts_with('/'))
}

/// The migrations, where there are any.
fn folder(args: &Args, context: &Context<'_>, config: &Config) -> Result<Option<Folder>, Failure> {
    if args.no_history {
        return Ok(None);
    }
    match config.migrations_dir() {
        Err(ConfigError::NoMigrations { .. }) => Ok(None),
        _ => project::folder(config, context.ui).map(Some),
    }
}

fn explain_script(args: &Args, context: &Context<'_>, config: &Config) -> Result<ScriptDocument, Failure> {
    let ui = context.ui;
    let folder = folder(args, context, config)?;
    let empty = Folder {
        dir: config.migrations_dir_to_be(),
        provider: None,
        migrations: Vec::new(),
        warnings: Vec::new(),
    };
    let known = folder.as_ref().unwrap_or(&empty);
    let schema = project::context(config, known, ui)?;
    let found = targets::find(known, &config.cwd, &args.what)?;
    let (name, explained) = match &found {
        Found::Migration(name) => (name.clone(), Explained::Migration(name)),
        Found::Loose(loose) => (loose.file.name.clone(), Explained::File(&loose.file)),
    };
    let statements = explain(folder.as_ref(), schema, explained)?;
    ui.line(paint(NAME, &name));
    for statement in &statements {
        footprints::show(ui, statement);
    }
    if statements.is_empty() {
        ui.line("  no statements");
    } else if statements.iter().all(|statement| statement.locks.is_none()) {
        let untold = "what a statement locks is not told for MySQL: it depends on the storage engine and the algorithm";
        ui.line(format!("  {}", paint(DIM, untold)));
    }
    Ok(ScriptDocument {
        name,
        statements: statements.iter().map(StatementDocument::from).collect(),
    })
}
