//! `tollgate status`

use serde::Serialize;
use tollgate_engine::{MigrationStatus, Standing, StatusReport, status};

use super::Context;
use crate::config::model::{Migrations, Reaction};
use crate::engine::findings::count;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};

/// Show which migrations are applied, pending, failed, missing or edited
#[derive(Debug, clap::Args)]
pub struct Args {
    /// List every migration, also those that are applied and in order
    #[arg(long)]
    all: bool,
}

/// The document of `status`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stands {
    /// The database, without credentials.
    target: String,
    /// It is there.
    database_exists: bool,
    /// So is the ledger.
    ledger_exists: bool,
    /// Nothing to do and nothing wrong.
    up_to_date: bool,
    /// The newest migration that is both applied and in the folder.
    last_common: Option<String>,
    /// Every migration of folder and ledger, by name.
    migrations: Vec<MigrationDocument>,
}

/// One migration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MigrationDocument {
    /// Its name.
    name: String,
    /// `applied`, `pending`, `rolled-back`, `interrupted` or `failed`.
    standing: &'static str,
    /// Changed after it was applied.
    edited: bool,
    /// Applied, but not in the folder.
    missing: bool,
    /// Not applied, although later ones are.
    out_of_order: bool,
    /// When it was started, RFC 3339.
    started_at: Option<String>,
    /// When it was finished.
    finished_at: Option<String>,
    /// When it was taken back.
    rolled_back_at: Option<String>,
    /// What the ledger keeps of a failure.
    logs: Option<String>,
}

impl Body for Stands {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let folder = project::folder(&config, ui)?;
    let target = project::target(&config, ui)?;
    let report = status(&folder, &target)?;
    show(args, context, &report, &target.describe(), &config.settings.migrations);
    ui.document(&Stands {
        target: target.describe(),
        database_exists: report.database_exists,
        ledger_exists: report.ledger_exists,
        up_to_date: report.up_to_date,
        last_common: report.last_common.clone(),
        migrations: report.migrations.iter().map(document).collect(),
    });
    Ok(if report.up_to_date {
        Exit::Done
    } else {
        Exit::Unexpected
    })
}

fn document(migration: &MigrationStatus) -> MigrationDocument {
    MigrationDocument {
        name: migration.name.clone(),
        standing: standing(migration.standing),
        edited: migration.edited,
        missing: migration.missing,
        out_of_order: migration.out_of_order,
        started_at: migration.started_at.clone(),
        finished_at: migration.finished_at.clone(),
        rolled_back_at: migration.rolled_back_at.clone(),
        logs: migration.logs.clone(),
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Applied => "applied",
        Standing::Pending => "pending",
        Standing::RolledBack => "rolled-back",
        Standing::Interrupted => "interrupted",
        Standing::Failed => "failed",
    }
}

fn show(args: &Args, context: &Context<'_>, report: &StatusReport, target: &str, migrations: &Migrations) {
    let ui = context.ui;
    ui.line(paint(DIM, shortened(target)));
    if !report.database_exists {
        let deploy = context.call("deploy");
        ui.line(format!("the database does not exist yet; {deploy} creates it"));
    }
    for migration in report
        .migrations
        .iter()
        .filter(|migration| args.all || notable(migration))
    {
        ui.line(line(migration));
        if let Some(logs) = &migration
            .logs
            .as_ref()
            .filter(|_| migration.standing == Standing::Failed)
        {
            let lines = essence(logs).lines().filter(|line| !line.trim().is_empty());
            ui.line(lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"));
        }
    }
    ui.line(summary(context, report, migrations));
}

/// What the database said, without the general words that the ledger has before it for Prisma's readers.
fn essence(logs: &str) -> &str {
    logs.find("Database error code:").map_or(logs, |at| &logs[at..])
}

fn notable(migration: &MigrationStatus) -> bool {
    migration.standing != Standing::Applied || migration.edited || migration.missing
}

fn line(migration: &MigrationStatus) -> String {
    let style = match migration.standing {
        Standing::Applied => GOOD,
        Standing::Pending | Standing::RolledBack | Standing::Interrupted => WARN,
        Standing::Failed => BAD,
    };
    let mut notes = Vec::new();
    if migration.edited {
        notes.push("edited since it was applied");
    }
    if migration.missing {
        notes.push("not in the folder");
    }
    if migration.out_of_order {
        notes.push("later ones are applied");
    }
    if migration.standing == Standing::RolledBack && migration.finished_at.is_none() {
        notes.push("failed when it was last tried");
    }
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("  {}", paint(WARN, notes.join(", ")))
    };
    let word = format!("{:<11}", standing(migration.standing).replace('-', " "));
    format!("{} {}{notes}", paint(style, word), paint(NAME, &migration.name))
}

/// Tells one kind of migration from the others.
type Pick<'a> = &'a dyn Fn(&MigrationStatus) -> bool;

fn summary(context: &Context<'_>, report: &StatusReport, settings: &Migrations) -> String {
    let number = |pick: Pick<'_>| report.migrations.iter().filter(|migration| pick(migration)).count();
    let applied = number(&|migration| migration.standing == Standing::Applied);
    let mut parts = vec![format!("{applied} applied")];
    let others: [(&str, Pick<'_>); 6] = [
        ("interrupted", &|migration| migration.standing == Standing::Interrupted),
        ("pending", &|migration| migration.standing == Standing::Pending),
        ("rolled back", &|migration| migration.standing == Standing::RolledBack),
        ("failed", &|migration| migration.standing == Standing::Failed),
        ("edited", &|migration| migration.edited),
        ("missing", &|migration| migration.missing),
    ];
    for (word, pick) in others {
        let number = number(pick);
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    let list = format!("{}: {}", count(report.migrations.len(), "migration"), parts.join(", "));
    if report.up_to_date {
        return format!("{list}; {}", paint(GOOD, "the database is up to date"));
    }
    format!("{list}; next: {}", next(context, report, settings))
}

/// What to do first about what is not in order.
fn next(context: &Context<'_>, report: &StatusReport, settings: &Migrations) -> String {
    let find = |pick: Pick<'_>| report.migrations.iter().find(|migration| pick(migration));
    if let Some(failed) = find(&|migration| migration.standing == Standing::Failed) {
        let resolve = context.call(&format!("resolve --rolled-back {}", failed.name));
        return format!("{resolve} or `--applied {}`", failed.name);
    }
    if let Some(edited) = find(&|migration| migration.edited && settings.edited == Some(Reaction::Error)) {
        return format!("put {} back as it was applied", edited.name);
    }
    if let Some(missing) = find(&|migration| migration.missing && settings.missing == Some(Reaction::Error)) {
        return format!("bring the folder {} back", missing.name);
    }
    if report.needs_baseline {
        let resolve = context.call("resolve --applied NAME");
        return format!("the database has tables and no ledger: {resolve} records what is in it");
    }
    match find(&|migration| migration.standing != Standing::Applied) {
        Some(_) => context.call("deploy"),
        None => "find out why folder and ledger differ".to_owned(),
    }
}
