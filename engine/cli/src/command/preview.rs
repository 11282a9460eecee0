//! `tollgate preview`

use serde::Serialize;
use tollgate_engine::host::Kind;
use tollgate_engine::host::types::Outcome;
use tollgate_engine::sql::Dialect;
use tollgate_engine::{
    Event, PreviewOptions, PreviewReport, PreviewedMigration, Project, RollbackResult, Start, Target, preview,
};

use super::Context;
use crate::config::Config;
use crate::engine::approvals;
use crate::engine::events::Show;
use crate::engine::findings::{Counts, Findings, JudgedDocument, count};
use crate::engine::preview::{Tried, View, ended, markdown};
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::report::Report;
use crate::output::reports::Destination;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};

/// Try the migrations on a database that is made for it and removed afterwards
///
/// Applies everything to an empty scratch database, takes each migration back, looks whether the schema is what it was
/// before, and applies it again. The database is made on the server of the database URL, or on that of `[preview] url`; for
/// SQLite it is a file in a temporary folder. Your own database is not changed: it is only read, and only with --copy.
/// Nobody is notified.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Begin with a copy of the database and try what is pending: on PostgreSQL its schema and ledger without rows, on SQLite
    /// the whole file
    #[arg(long)]
    copy: bool,
    /// Begin with this database of the same server, rows included (PostgreSQL); nobody may be connected to it
    #[arg(long, value_name = "NAME", conflicts_with = "copy")]
    template: Option<String>,
    /// Do not take the migrations back
    #[arg(long)]
    skip_rollbacks: bool,
    /// Leave the scratch database there, and say what it is called
    #[arg(long)]
    keep: bool,
    /// Write a report for another program: markdown; to standard output, or with =FILE to a file
    #[arg(long, value_name = "FORM[=FILE]", value_parser = markdown_to)]
    report: Option<Destination>,
}

/// The document of `preview`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Previewed {
    /// `succeeded`, `failed` or `blocked`: everything went through, but the policies would not let it.
    outcome: &'static str,
    /// The scratch database, without credentials.
    target: String,
    /// Its name, or its file.
    database: String,
    /// It is still there.
    kept: bool,
    /// Scratch databases of dead runs that were removed.
    leftovers: Vec<String>,
    /// What the copied database has besides.
    not_copied: Vec<String>,
    /// How many findings of each kind there are.
    counts: Counts,
    /// What the policies found.
    judged: Vec<JudgedDocument>,
    /// How each migration went, in order.
    migrations: Vec<Tried>,
    /// Those that were not tried, because one before them did not go through.
    not_tried: Vec<String>,
    /// How long it took.
    duration_ms: u64,
}

impl Body for Previewed {}

/// The one form that there is, and where it goes.
fn markdown_to(text: &str) -> Result<Destination, String> {
    match Destination::split(text)? {
        ("markdown", destination) => Ok(destination),
        _ => Err("there is no such form; there is markdown".to_owned()),
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let to_stdout = args.report.as_ref().is_some_and(Destination::is_stdout);
    if to_stdout {
        if ui.json() {
            let report = Report::error("usage::reports", "only one report can go to standard output");
            let report = report.help("give the other one a file: `--report markdown=preview.md`");
            return Err(Failure::new(Exit::Usage, report));
        }
        ui.leave_stdout();
    }
    let config = context.config()?;
    let (mut project, loaded) = project::project(&config, ui, &[Kind::Policy, Kind::Rollback])?;
    project.settings.approvals = approvals::given(&config, &project.folder)?;
    let options = options(args, &config, ui, &project)?;
    let findings = Findings::new(&project.folder, project.target.dialect());
    let mut counts = Counts::default();
    let show = std::cell::RefCell::new(Show::new(ui));
    let mut tell = |migration: &PreviewedMigration| show.borrow_mut().result(line(migration));
    let result = preview(&project, &options, &mut tell, &mut |event| match event {
        Event::Judged(checked) => counts = findings.show(ui, &checked),
        event => show.borrow_mut().event(event),
    });
    drop(show);
    loaded.show_log(ui);
    let mut report = result.map_err(ended)?;
    let migrations: Vec<Tried> = report.migrations.drain(..).map(Tried::of).collect();
    let judged = report.checked.iter().map(|checked| findings.document(checked));
    let document = Previewed {
        outcome: outcome(&report, &migrations),
        target: report.target.clone(),
        database: report.database.clone(),
        kept: report.kept,
        leftovers: report.leftovers.clone(),
        not_copied: report.not_copied.clone(),
        counts,
        judged: judged.collect(),
        migrations,
        not_tried: report.not_tried.clone(),
        duration_ms: report.duration_ms,
    };
    summary(ui, &document);
    if let Some(wanted) = &args.report {
        wanted.write(ui, &markdown(&document.view()))?;
    }
    ui.document(&document);
    Ok(match document.outcome {
        "failed" => Exit::Failed,
        "blocked" => Exit::Blocked,
        _ => Exit::Done,
    })
}

/// The server for scratch databases, where the configuration names one.
pub fn place(config: &Config, ui: &Ui, dialect: Dialect) -> Result<Option<Target>, Failure> {
    let Some(url) = config.preview_url()? else {
        return Ok(None);
    };
    let text = config.settings.preview.url.as_deref();
    let place = project::parse_target(config, ui, "preview.url", text, &url)?;
    if place.dialect() != dialect {
        let report = Report::error("config::preview-url", "preview.url is another kind of database")
            .help("scratch databases have to be of the same kind as the database itself");
        return Err(Failure::new(Exit::Usage, report));
    }
    Ok(Some(place))
}

fn options(args: &Args, config: &Config, ui: &Ui, project: &Project) -> Result<PreviewOptions, Failure> {
    let place = place(config, ui, project.target.dialect())?;
    let start = match (&args.template, args.copy) {
        (Some(template), _) => Start::Template(template.clone()),
        (None, true) => Start::CopyOf(Box::new(project.target.clone())),
        (None, false) => Start::Empty,
    };
    Ok(PreviewOptions {
        place,
        start,
        folder: std::env::temp_dir(),
        keep: args.keep,
        take_back: !args.skip_rollbacks,
    })
}

fn outcome(report: &PreviewReport, migrations: &[Tried]) -> &'static str {
    let good = report.not_tried.is_empty() && migrations.iter().all(Tried::is_good);
    match (good, report.blocked()) {
        (false, _) => "failed",
        (true, true) => "blocked",
        (true, false) => "succeeded",
    }
}

/// How one migration went, in a line.
fn line(migration: &PreviewedMigration) -> String {
    let name = paint(NAME, &migration.name);
    let milliseconds = |number: u64| paint(DIM, format!("{number} ms"));
    let took = match &migration.applied {
        Ok(took) => *took,
        Err(_) => return format!("{} {name}", paint(BAD, "failed")),
    };
    let applied = format!("{} {name} {}", paint(GOOD, "applied"), milliseconds(took));
    let Some(back) = &migration.taken_back else {
        return applied;
    };
    let style = if back.is_good() { WARN } else { BAD };
    let back = match &back.result {
        RollbackResult::Restored { duration_ms } => {
            let lossy = match back.promise() {
                Some(Outcome::Lossy(what)) => paint(DIM, format!(" (loses {what})")),
                _ => String::new(),
            };
            format!("{} {}{lossy}", paint(GOOD, "taken back"), milliseconds(*duration_ms))
        }
        RollbackResult::Differs { .. } => paint(style, "taken back, but something is not what it was before"),
        RollbackResult::Irreversible(why) => format!("{}: {why}", paint(WARN, "cannot be taken back")),
        RollbackResult::Failed(_) => paint(BAD, "taking it back failed"),
        RollbackResult::NotAgain(_) => paint(style, "taken back, and then it could not be applied again"),
    };
    format!("{applied}, {back}")
}

fn summary(ui: &Ui, document: &Previewed) {
    for what in &document.not_copied {
        ui.note(paint(DIM, format!("not copied: {what}")));
    }
    if !document.leftovers.is_empty() {
        let leftovers = count(document.leftovers.len(), "scratch database");
        ui.note(paint(DIM, format!("removed {leftovers} that a dead run had left")));
    }
    for tried in &document.migrations {
        tried.explain(ui);
    }
    ui.line(document.counts.summary());
    if !document.not_tried.is_empty() {
        let names = document.not_tried.join(", ");
        ui.line(format!(
            "{} not tried: {names}",
            count(document.not_tried.len(), "migration")
        ));
    }
    if document.kept {
        ui.line(format!("kept: {}", shortened(&document.target)));
    }
    let tried = count(document.migrations.len(), "migration");
    ui.line(match document.outcome {
        "failed" => paint(BAD, "the preview failed"),
        "blocked" => format!("{}; a deploy would be blocked", paint(BAD, "went through")),
        _ if document.migrations.is_empty() => paint(GOOD, "nothing to preview: no migration is pending"),
        _ => format!(
            "{} in {} ms",
            paint(GOOD, format!("{tried} went through")),
            document.duration_ms
        ),
    });
}

impl Previewed {
    fn view(&self) -> View<'_> {
        View {
            outcome: self.outcome,
            counts: self.counts,
            judged: &self.judged,
            migrations: &self.migrations,
            not_tried: &self.not_tried,
        }
    }
}
