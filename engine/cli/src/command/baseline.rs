//! `tollgate baseline`

use std::cell::Cell;

use serde::Serialize;
use tollgate_engine::{BaselineOptions, BaselineReport, baseline};

use super::Context;
use crate::engine::events::Show;
use crate::engine::findings::count;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::report::Report;
use crate::output::style::{DIM, GOOD, NAME, WARN, paint};

/// Take over a database that has tables and no ledger
///
/// Compares what the migrations make with what is in the database, and records as applied those first migrations whose
/// result is there. Runs nothing of them. What is in the database and in no migration is shown and left alone; what is
/// missing or different is an error.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Record the migrations up to this one [default: as many as the database has]
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Show what would be recorded; change nothing
    #[arg(long, conflicts_with_all = ["yes", "force"])]
    dry_run: bool,
    /// Record them although the database differs; asks nothing
    #[arg(long, requires = "to")]
    force: bool,
}

/// The document of `baseline`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Baselined {
    /// The database, without credentials.
    target: String,
    /// They are recorded as applied now.
    recorded: bool,
    /// The migrations whose result is in the database, in order.
    migrations: Vec<String>,
    /// Those of them of which the catalog shows nothing: they change rows, privileges, or the query of a view.
    unclear: Vec<String>,
    /// Those after them, which the next deploy applies.
    pending: Vec<String>,
    /// What differs all the same; empty unless that was to be overlooked.
    differences: Vec<String>,
    /// Expressions and bodies of functions that are written in other words than in the migrations: they may mean the same.
    wording: Vec<String>,
    /// What is in the database and in no migration.
    unknown: Vec<String>,
}

impl Body for Baselined {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let (project, _) = project::project(&config, ui, &[])?;
    let target = project.target.describe();
    let options = BaselineOptions {
        to: args.to.clone(),
        force: args.force,
    };
    let nobody_to_ask = Cell::new(false);
    let mut show = Show::new(ui);
    let mut confirm = |report: &BaselineReport| confirm(args, ui, &target, report, &nobody_to_ask);
    let report = baseline(&project, &options, &mut confirm, &mut |event| show.event(event))?;
    drop(show);
    if nobody_to_ask.get() {
        let report = Report::error(
            "baseline::unconfirmed",
            "there is nobody here to ask whether to record this",
        )
        .help(format!("when it is right, run {}", context.call("baseline --yes")))
        .database("nothing was changed");
        return Err(Failure::unanswered(report));
    }
    let declined = !report.recorded && !args.dry_run;
    summary(context, &report);
    ui.document(&document(target, report));
    Ok(if declined { Exit::Failed } else { Exit::Done })
}

/// Shows what was found, and asks, as far as that was asked for and there is somebody.
fn confirm(args: &Args, ui: &Ui, target: &str, report: &BaselineReport, nobody_to_ask: &Cell<bool>) -> bool {
    ui.line(paint(DIM, shortened(target)));
    for name in &report.migrations {
        let (style, word) = if report.unclear.contains(name) {
            (WARN, "unclear")
        } else if report.differences.is_empty() {
            (GOOD, "is there")
        } else {
            (WARN, "to record")
        };
        ui.line(format!("{} {}", paint(style, format!("{word:<11}")), paint(NAME, name)));
    }
    for name in &report.pending {
        ui.line(format!("{} {}", paint(WARN, "to deploy  "), paint(NAME, name)));
    }
    if !report.unclear.is_empty() {
        ui.line("unclear: the catalog does not show what they change; --to NAME records only those up to a migration");
    }
    notes(ui, "in no migration, left alone", &report.unknown);
    notes(ui, "written in other words, may mean the same", &report.wording);
    if args.dry_run {
        return false;
    }
    if args.yes || args.force {
        return true;
    }
    let question = format!("Record {} as applied?", count(report.migrations.len(), "migration"));
    let answer = ui.confirm(&question);
    nobody_to_ask.set(answer.is_none());
    answer.unwrap_or(false)
}

/// Lines that are shown before it says how many more there are.
const SHOWN: usize = 10;

fn notes(ui: &Ui, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    ui.line(format!("{title}:"));
    for line in lines.iter().take(SHOWN) {
        ui.line(format!("  {line}"));
    }
    if lines.len() > SHOWN {
        ui.line(format!(
            "  … and {} more (--format json lists all)",
            lines.len() - SHOWN
        ));
    }
}

fn summary(context: &Context<'_>, report: &BaselineReport) {
    let migrations = count(report.migrations.len(), "migration");
    if !report.recorded {
        context.ui.line(format!("{migrations} to record; nothing was changed"));
        return;
    }
    let next = if report.pending.is_empty() {
        String::new()
    } else {
        format!("; next: {}", context.call("deploy"))
    };
    let recorded = paint(GOOD, format!("{migrations} recorded as applied"));
    context.ui.line(format!("{recorded}{next}"));
}

fn document(target: String, report: BaselineReport) -> Baselined {
    Baselined {
        target,
        recorded: report.recorded,
        migrations: report.migrations,
        unclear: report.unclear,
        pending: report.pending,
        differences: report.differences,
        wording: report.wording,
        unknown: report.unknown,
    }
}
