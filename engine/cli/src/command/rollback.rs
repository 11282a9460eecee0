//! `tollgate rollback`

use std::cell::Cell;

use serde::Serialize;
use tollgate_engine::host::Kind;
use tollgate_engine::rollback::RollbackPlan;
use tollgate_engine::{RollbackReport, Selection, rollback};

use super::Context;
use crate::engine::events::{DeliveryDocument, Show, told};
use crate::engine::findings::count;
use crate::engine::project;
use crate::engine::rollback::{PlanDocument, lines};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::report::Report;
use crate::output::style::{GOOD, paint};
use crate::signal::OnSignal;

/// Take applied migrations back
///
/// The SQL for it is the migration's down.sql, else the plan that was kept when it was deployed, else what the rollback
/// plugin writes now. On a terminal the plan is shown and you are asked; elsewhere --force is needed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many, the newest first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "target")]
    steps: u32,
    /// Everything that was applied after this migration, which stays
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Print the SQL, what it restores and where it is from; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    force: bool,
}

impl Args {
    /// A dry run only reads.
    pub fn on_signal(&self) -> OnSignal {
        if self.dry_run { OnSignal::End } else { OnSignal::Ask }
    }
}

/// The document of `rollback`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RolledBack {
    /// Nothing was to be changed.
    dry_run: bool,
    /// The database, without credentials.
    target: String,
    /// How each migration is taken back, the newest first.
    plans: Vec<PlanDocument>,
    /// Those that were.
    taken_back: Vec<DoneDocument>,
    /// What became of the notifications.
    deliveries: Vec<DeliveryDocument>,
}

/// A migration that was taken back.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DoneDocument {
    /// Its name.
    name: String,
    /// How long it took.
    duration_ms: u64,
}

impl Body for RolledBack {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let needs: &[Kind] = if args.dry_run {
        &[Kind::Rollback]
    } else {
        &[Kind::Rollback, Kind::Notifier]
    };
    let (project, loaded) = project::project(&config, ui, needs)?;
    let selection = match &args.target {
        Some(name) => Selection::After(name.clone()),
        None => Selection::Steps(args.steps as usize),
    };
    let nobody_to_ask = Cell::new(false);
    let mut show = Show::new(ui);
    let mut confirm = |plans: &[RollbackPlan]| confirm(args, ui, plans, &nobody_to_ask);
    let result = rollback(&project, &selection, args.dry_run, &mut confirm, &mut |event| {
        show.event(event);
    });
    drop(show);
    loaded.show_log(ui);
    let report = result?;
    if nobody_to_ask.get() {
        let help = "look at the plan with --dry-run, then run it with --force";
        let report = Report::error(
            "rollback::unconfirmed",
            "there is nobody here to ask whether to take it back",
        )
        .help(help)
        .database("nothing was changed");
        return Err(Failure::new(Exit::Usage, report));
    }
    summary(ui, args, &report);
    ui.document(&document(args, &report, project.target.describe()));
    Ok(if report.declined { Exit::Failed } else { Exit::Done })
}

/// Shows the plan and asks, as far as that was asked for and there is somebody.
fn confirm(args: &Args, ui: &Ui, plans: &[RollbackPlan], nobody_to_ask: &Cell<bool>) -> bool {
    if args.force && !args.dry_run {
        return true;
    }
    for plan in plans {
        ui.line(lines(plan));
    }
    if args.dry_run {
        return false;
    }
    let answer = ui.confirm(&format!("Take {} back?", count(plans.len(), "migration")));
    nobody_to_ask.set(answer.is_none());
    answer.unwrap_or(false)
}

fn summary(ui: &Ui, args: &Args, report: &RollbackReport) {
    if let Some(told) = told(&report.deliveries) {
        ui.line(told);
    }
    ui.line(if report.plans.is_empty() {
        "nothing to take back".to_owned()
    } else if args.dry_run || report.declined {
        format!(
            "{} to take back; nothing was changed",
            count(report.plans.len(), "migration")
        )
    } else {
        paint(
            GOOD,
            format!("{} taken back", count(report.taken_back.len(), "migration")),
        )
    });
}

fn document(args: &Args, report: &RollbackReport, target: String) -> RolledBack {
    let taken_back = report.taken_back.iter().map(|done| DoneDocument {
        name: done.name.clone(),
        duration_ms: done.duration_ms,
    });
    RolledBack {
        dry_run: args.dry_run,
        target,
        plans: report.plans.iter().map(PlanDocument::from).collect(),
        taken_back: taken_back.collect(),
        deliveries: report.deliveries.iter().map(DeliveryDocument::from).collect(),
    }
}
