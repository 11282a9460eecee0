//! `tollgate check`

mod baseline;
mod fix;
pub mod targets;
mod trace;

use serde::Serialize;
use tollgate_engine::host::Kind;
use tollgate_engine::{CheckRequest, Context as SchemaContext, check};

use self::baseline::{Baseline, Filter};
use self::fix::Fix;
use self::targets::{Selected, Targets};
use self::trace::TraceDocument;
use super::Context;
use crate::config::Config;
use crate::config::model::Severity;
use crate::engine::approvals;
use crate::engine::findings::{Counts, Findings, JudgedDocument};
use crate::engine::fix::Fixed;
use crate::engine::plugins::{Loaded, Loader};
use crate::engine::project;
use crate::engine::sheet::sheet;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::reports;
use crate::signal::OnSignal;

/// Ask the policies about the migrations, without a database and without applying anything
///
/// Each migration is judged with the schema that all earlier ones make.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    baseline: Baseline,
    #[command(flatten)]
    fix: Fix,
    /// Run the migrations on a scratch database, show which locks each statement takes and what it writes anew, and compare
    /// that with what was predicted (PostgreSQL; the server is that of `preview`)
    #[arg(long)]
    trace: bool,
    /// Write a report for another program: sarif, github, gitlab, junit or markdown; to standard output, or with =FILE to a
    /// file. Can be given several times.
    #[arg(long, value_name = "FORM[=FILE]")]
    report: Vec<reports::Wanted>,
}

impl Args {
    /// What it does when it is asked to end: a scratch database has to be removed.
    pub fn on_signal(&self) -> OnSignal {
        if self.trace { OnSignal::Cancel } else { OnSignal::End }
    }
}

/// The document of `check`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checked {
    /// A deploy of these migrations would stop.
    blocked: bool,
    /// How many of each kind there are.
    counts: Counts,
    /// Every migration that was judged, in order.
    migrations: Vec<JudgedDocument>,
    /// What they really lock and write anew, with --trace.
    trace: Option<TraceDocument>,
    /// What has been changed first, with --fix.
    fix: Option<Fixed>,
}

impl Body for Checked {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    if reports::claims_stdout(&args.report, ui.json())? {
        ui.leave_stdout();
    }
    let config = context.config()?;
    args.baseline.expect_sense(&args.targets)?;
    let mut selected = args.targets.select(&config, ui)?;
    let schema = project::context(&config, &selected.folder, ui)?;
    let dialect = schema.dialect;
    let loaded = Loader::new(&config, ui).load(&[Kind::Policy, Kind::Rollback])?;
    let asked = request(&config, &selected, schema.clone(), &loaded)?;
    let fixed = args
        .fix
        .run(&config, (&args.targets, &args.baseline), &selected, asked, ui)?;
    if let Some(fixed) = fixed.as_ref().filter(|fixed| fixed.any()) {
        selected = args.targets.select(&config, ui)?;
        selected.add(fixed.made());
    }
    let mut report = check(&request(&config, &selected, schema, &loaded)?)?;
    loaded.show_log(ui);
    let files = selected.files();
    let filter = Filter {
        config: &config,
        selected: &selected,
        files: &files,
        dialect,
        loaded: &loaded,
    };
    let known = args.baseline.apply(&filter, &mut report, ui)?;
    let findings = Findings::new(&files, dialect);
    let counts = Counts {
        known,
        ..findings.show(ui, &report.migrations)
    };
    ui.line(counts.summary());
    if !args.report.is_empty() {
        let sheet = sheet(&files, dialect, &report.migrations, &loaded.policies, counts);
        reports::write(ui, &args.report, &sheet)?;
    }
    let trace = args.trace.then(|| trace::run(&config, &selected, ui)).transpose()?;
    let unfixed = fixed.as_ref().is_some_and(|fixed| !fixed.complete());
    let failed = unfixed || trace.as_ref().is_some_and(|trace| !trace.succeeded);
    if ui.json() {
        let migrations = report
            .migrations
            .iter()
            .map(|migration| findings.document(migration))
            .collect();
        ui.document(&Checked {
            blocked: report.blocked(),
            counts,
            migrations,
            trace,
            fix: fixed,
        });
    }
    Ok(match (report.blocked(), failed) {
        (true, _) => Exit::Blocked,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    })
}

/// The question to the engine.
fn request<'a>(
    config: &Config,
    selected: &'a Selected,
    schema: SchemaContext,
    loaded: &'a Loaded,
) -> Result<CheckRequest<'a>, Failure> {
    Ok(CheckRequest {
        loose: &selected.loose,
        scope: selected.scope.clone(),
        history: selected.history,
        policies: &loaded.policies,
        generators: &loaded.generators,
        approvals: approvals::given(config, &selected.folder)?,
        rules: loaded.rules.clone(),
        time_limits: project::time_limits(config),
        environment: config.environment.clone(),
        block_at: project::severity(config.settings.check.block_at.unwrap_or(Severity::High)),
        ..CheckRequest::new(&selected.folder, schema)
    })
}
