//! `tollgate reset`

use std::cell::Cell;

use serde::Serialize;
use tollgate_engine::host::Kind;
use tollgate_engine::{Error, Event, Project, ResetOptions, ResetPlan, ResetReport, reset};

use super::Context;
use crate::engine::approvals;
use crate::engine::events::Show;
use crate::engine::findings::{Counts, Findings, JudgedDocument, count};
use crate::engine::project;
use crate::engine::seed::{SeedDocument, Seeds};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::report::Report;
use crate::output::style::{BAD, DIM, GOOD, NAME, paint};
use crate::signal;

/// Drop everything and apply all migrations again, then seed
///
/// Works only where the configuration says `development = true`: in the environment that --env chooses, or at the top of
/// the file when none is chosen. On PostgreSQL everything in the schema of the URL goes, and the other schemas and the
/// extensions that the migrations create, with whatever depends on any of it elsewhere, which is shown before; on SQLite
/// everything in the file. What Tollgate knows about that ledger goes too.
/// Scripts, policies and seed files are looked at before anything is dropped. On a terminal you are asked; elsewhere --force
/// is needed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// Do not seed afterwards
    #[arg(long)]
    skip_seed: bool,
    /// Show what would be dropped and applied; change nothing
    #[arg(long, conflicts_with = "force")]
    dry_run: bool,
}

/// The document of `reset`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reset {
    /// `reset`, `blocked`, `declined` or `planned`.
    outcome: &'static str,
    /// The database, without credentials.
    target: String,
    /// Tables and views that are dropped, the ledger not counted.
    relations: Vec<String>,
    /// Other schemas that are dropped, because the migrations make them.
    schemas: Vec<String>,
    /// Extensions that are dropped: those that the migrations make, and those in the schema of the URL.
    extensions: Vec<String>,
    /// What lies outside of all that and is dropped with it, because it depends on it.
    dependents: Vec<String>,
    /// Migrations that are applied.
    migrations: Vec<String>,
    /// What the policies found.
    judged: Vec<JudgedDocument>,
    /// What was seeded.
    seeded: Option<SeedDocument>,
}

impl Body for Reset {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    if config.url_overruled {
        return Err(overruled());
    }
    let options = ResetOptions {
        development: config.development(),
    };
    let seeds = if args.skip_seed || !options.development {
        None
    } else {
        Seeds::find(&config)?
    };
    // Nobody has to be told that a database to play with begins anew.
    let (mut project, loaded) = project::project(&config, ui, &[Kind::Policy, Kind::Rollback])?;
    project.settings.approvals = approvals::given(&config, &project.folder)?;
    if let Some(seeds) = &seeds {
        seeds.check(&project)?;
    }
    let target = project.target.describe();
    let findings = Findings::new(&project.folder, project.target.dialect()).at_work(ui);
    let (mut counts, mut judged) = (Counts::default(), Vec::new());
    let nobody_to_ask = Cell::new(false);
    let mut show = Show::new(ui);
    let mut confirm = |plan: &ResetPlan| confirm(args, ui, &target, plan, seeds.is_some(), &nobody_to_ask);
    let result = reset(&project, &options, &mut confirm, &mut |event| match event {
        Event::Judged(checked) => {
            counts = findings.show(ui, &checked);
            judged = checked.iter().map(|checked| findings.document(checked)).collect();
        }
        event => show.event(event),
    });
    drop(show);
    loaded.show_log(ui);
    let report = result.map_err(|error| match error {
        Error::Emptied(inner) if seeds.is_some() && is_interrupted_at_its_end(&inner) => not_seeded(&inner),
        error => error.into(),
    })?;
    if nobody_to_ask.get() {
        return Err(unconfirmed(context));
    }
    summary(args, ui, &report, counts);
    let seeded = match &seeds {
        Some(seeds) if report.emptied && !report.blocked => Some(seed(seeds, &project, &report, ui)?),
        _ => None,
    };
    let outcome = outcome(args, &report);
    ui.document(&document(target, report, judged, seeded, outcome));
    Ok(match outcome {
        "blocked" => Exit::Blocked,
        "declined" => Exit::Failed,
        _ => Exit::Done,
    })
}

/// All migrations had been applied when it was asked to stop.
fn is_interrupted_at_its_end(error: &Error) -> bool {
    matches!(error, Error::Interrupted { next: None, finished, .. } if !finished.is_empty())
}

/// What was left to be done then.
fn not_seeded(error: &Error) -> Failure {
    let report = Report::error("interrupted", "interrupted before the database was seeded")
        .help("run `tollgate seed`: it does the rest")
        .database(error.state_after_reset());
    Failure::new(signal::exit(), report).finished(error.finished().to_vec())
}

/// Seeds what was made anew. What goes wrong then is said with what was done before.
fn seed(seeds: &Seeds, project: &Project, report: &ResetReport, ui: &Ui) -> Result<SeedDocument, Failure> {
    let applied = report.deploy.iter().flat_map(|deploy| &deploy.applied);
    let applied: Vec<String> = applied.map(|migration| migration.name.clone()).collect();
    seeds.run(project, ui).map_err(|failure| {
        let made = match applied.len() {
            1 => "1 migration is applied".to_owned(),
            number => format!("{} are applied", count(number, "migration")),
        };
        let done = if report.plan.database_exists {
            format!("everything that was there was dropped; {made}")
        } else {
            made
        };
        failure.after(&done).finished(applied)
    })
}

/// What may be dropped is the database of the environment, and no other one.
fn overruled() -> Failure {
    let message = "the variable DATABASE_URL leads to another database than the one that the environment names";
    let help = "unset it, or have the environment name a variable of its own: `database.url = \"env:NAME\"`";
    let report = Report::error("reset::another-database", message).help(help);
    Failure::new(Exit::Usage, report.database("nothing was changed"))
}

fn outcome(args: &Args, report: &ResetReport) -> &'static str {
    match (report.blocked, report.emptied) {
        (true, _) => "blocked",
        (false, true) => "reset",
        (false, false) if args.dry_run => "planned",
        (false, false) => "declined",
    }
}

/// Says what goes, and asks, as far as that was asked for and there is somebody.
fn confirm(args: &Args, ui: &Ui, target: &str, plan: &ResetPlan, seeded: bool, nobody_to_ask: &Cell<bool>) -> bool {
    ui.line(paint(DIM, shortened(target)));
    ui.line(drops(plan));
    if !plan.dependents.is_empty() {
        let what = "what depends on that elsewhere";
        ui.line(format!(
            "{} {what}: {}",
            paint(BAD, "drops"),
            some(&plan.dependents).join(", ")
        ));
    }
    let then = if seeded { ", then seeds" } else { "" };
    ui.line(format!("applies {}{then}", count(plan.migrations.len(), "migration")));
    if args.dry_run {
        return false;
    }
    if args.force {
        return true;
    }
    let answer = ui.confirm("Drop everything?");
    nobody_to_ask.set(answer.is_none());
    answer.unwrap_or(false)
}

/// The most names in one line.
const NAMES: usize = 10;

/// The first of many names.
fn some(names: &[String]) -> Vec<&str> {
    let more = (names.len() > NAMES).then_some("…");
    names.iter().take(NAMES).map(String::as_str).chain(more).collect()
}

fn drops(plan: &ResetPlan) -> String {
    if !plan.database_exists {
        return "the database does not exist yet: nothing to drop".to_owned();
    }
    let mut parts = Vec::new();
    if !plan.relations.is_empty() {
        let names = some(&plan.relations);
        let word = if plan.relations.len() == 1 {
            "table or view"
        } else {
            "tables and views"
        };
        parts.push(format!("{} {word} ({})", plan.relations.len(), names.join(", ")));
    }
    for (word, names) in [("schema", &plan.schemas), ("extension", &plan.extensions)] {
        if !names.is_empty() {
            parts.push(format!("{} ({})", count(names.len(), word), names.join(", ")));
        }
    }
    if parts.is_empty() {
        return "drops everything; there are no tables".to_owned();
    }
    format!("{} everything: {}", paint(BAD, "drops"), parts.join(", "))
}

fn unconfirmed(context: &Context<'_>) -> Failure {
    let help = format!(
        "look at what would go with --dry-run, then run {}",
        context.call("reset --force")
    );
    let report = Report::error(
        "reset::unconfirmed",
        "there is nobody here to ask whether to drop everything",
    )
    .help(help)
    .database("nothing was changed");
    Failure::new(Exit::Usage, report)
}

fn summary(args: &Args, ui: &Ui, report: &ResetReport, counts: Counts) {
    if report.blocked {
        ui.line(counts.summary());
    }
    let state = match (report.blocked, report.emptied, &report.deploy) {
        (true, false, _) => format!("{}; nothing was dropped", paint(BAD, "blocked")),
        (true, true, _) => format!("{}; the database is empty now", paint(BAD, "blocked")),
        (false, true, Some(deploy)) => {
            let applied = count(deploy.applied.len(), "migration");
            let dropped = if report.plan.database_exists {
                "everything dropped, "
            } else {
                ""
            };
            paint(GOOD, format!("{dropped}{applied} applied"))
        }
        _ if args.dry_run => "nothing was changed".to_owned(),
        _ => format!("{} was changed", paint(NAME, "nothing")),
    };
    ui.line(state);
}

fn document(
    target: String,
    report: ResetReport,
    judged: Vec<JudgedDocument>,
    seeded: Option<SeedDocument>,
    outcome: &'static str,
) -> Reset {
    let plan = report.plan;
    Reset {
        outcome,
        target,
        relations: plan.relations,
        schemas: plan.schemas,
        extensions: plan.extensions,
        dependents: plan.dependents,
        migrations: plan.migrations,
        judged,
        seeded,
    }
}
