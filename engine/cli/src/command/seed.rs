//! `tollgate seed`

use serde::Serialize;

use super::Context;
use crate::config::Config;
use crate::engine::project;
use crate::engine::seed::{SeedDocument, Seeds};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::report::Report;

/// Fill the database with rows to work with
///
/// Runs the SQL files of `seed.files`, each in one transaction, then `seed.command`; where the configuration has neither,
/// the `prisma.seed` command of package.json. The command runs without a shell, in the folder of the file that it is
/// written in, and finds the database in the variable `DATABASE_URL`. No ledger knows of it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do not ask where the environment is not marked with `development = true`
    #[arg(long)]
    force: bool,
}

/// The document of `seed`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seeded {
    /// The database, without credentials.
    target: String,
    /// What was run.
    seeded: SeedDocument,
}

impl Body for Seeded {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let Some(seeds) = Seeds::find(&config)? else {
        return Err(nothing());
    };
    let (project, _) = project::project(&config, ui, &[])?;
    seeds.check(&project)?;
    if !args.force && !config.development() && !may(&config, ui, &project.target.describe())? {
        ui.line("nothing was changed");
        return Ok(Exit::Failed);
    }
    let seeded = seeds.run(&project, ui)?;
    ui.document(&Seeded {
        target: project.target.describe(),
        seeded,
    });
    Ok(Exit::Done)
}

fn nothing() -> Failure {
    let report = Report::error("seed::nothing", "there is nothing to seed with").help(
        "write `files = [\"seed/*.sql\"]` or `command = \"npm run seed\"` under [seed] in tollgate.toml, or `prisma.seed` \
         into package.json",
    );
    Failure::new(Exit::Usage, report)
}

/// Asks whether rows may go into a database that is not there to be played with.
fn may(config: &Config, ui: &Ui, target: &str) -> Result<bool, Failure> {
    let what = match &config.environment {
        Some(environment) => format!("the environment {environment}"),
        None => "this configuration".to_owned(),
    };
    let question = format!(
        "{} is not marked as development. Seed {}?",
        capital(&what),
        shortened(target)
    );
    ui.confirm(&question).ok_or_else(|| {
        let report = Report::error(
            "seed::unconfirmed",
            format!("{what} is not marked as development, and there is nobody here to ask"),
        )
        .help("if this database is to be seeded all the same, run it with --force; or write `development = true` there")
        .database("nothing was changed");
        Failure::unanswered(report)
    })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
