//! `tollgate drift`

use clap::ValueEnum;
use serde::Serialize;
use tollgate_engine::sql::Dialect;
use tollgate_engine::{
    Difference, DriftOptions, DriftReport, Event, Pattern, Reconciliation, ScratchPlace, Sides, Subject, drift,
};

use super::Context;
use super::preview::place;
use crate::config::Config;
use crate::engine::events::Show;
use crate::engine::findings::count;
use crate::engine::preview::ended;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::report::Report;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};
use crate::signal::OnSignal;

/// Compare the database with what its migrations make
///
/// What the applied migrations make is found by replaying their files, or with --on-scratch by applying them to a database
/// that is made for it and removed. The database itself is only read. Prisma's ledger, Tollgate's own tables, owners and
/// privileges do not count. Ends with status 5 when something differs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is no drift: `public.tmp_*`, `extension:pg_stat_statements`, `schema:auth`; can be given several times, and adds to
    /// `ignore` under [drift] in tollgate.toml
    #[arg(long, value_name = "PATTERN")]
    ignore: Vec<String>,
    /// Make what the migrations make on a scratch database: exact, also for views and what a replay cannot follow
    #[arg(long)]
    on_scratch: bool,
    /// Print SQL that brings the two together: `database` turns the database into what the migrations make, `migrations` is a
    /// migration that makes what the database has
    #[arg(long, value_enum, value_name = "WHICH", hide_possible_values = true)]
    sql: Option<Which>,
}

impl Args {
    /// A replay only reads; a scratch database has to be removed.
    pub fn on_signal(&self) -> OnSignal {
        if self.on_scratch {
            OnSignal::Cancel
        } else {
            OnSignal::End
        }
    }
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The database.
    Database,
    /// The migrations, by one more.
    Migrations,
}

/// The document of `drift`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Drifted {
    /// The database, without credentials.
    target: String,
    /// It is what the migrations make, as far as that is certain.
    same: bool,
    /// How that was found out: `replay` or `scratch`.
    by: &'static str,
    /// Migrations that are applied.
    applied: usize,
    /// What differs, grouped by object.
    drift: Vec<ObjectDocument>,
    /// What may differ: a replay could not follow what the migrations do to it.
    uncertain: Vec<ObjectDocument>,
    /// Objects of which a replay does not know what has become of them.
    unfollowed: Vec<String>,
    /// Views that were only looked for, not compared.
    unread_views: usize,
    /// How many differences are ignored.
    ignored: usize,
    /// SQL that turns the database into what the migrations make.
    for_database: SqlDocument,
    /// SQL of a migration that makes what the database has.
    for_migrations: SqlDocument,
}

/// An object and what differs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ObjectDocument {
    /// The object, with its kind.
    object: String,
    /// What of it.
    differences: Vec<DifferenceDocument>,
}

/// One difference.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DifferenceDocument {
    /// The part of the object, with its kind; nothing when it is the object itself.
    part: Option<String>,
    /// `missing` (the migrations make it), `unexpected` (no migration makes it) or `different`.
    state: &'static str,
    /// What of it is different.
    property: Option<String>,
    /// What the migrations say.
    expected: Option<String>,
    /// What the database has.
    found: Option<String>,
}

/// SQL.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SqlDocument {
    /// Its statements, in order.
    steps: Vec<StepDocument>,
    /// Differences for which there is no statement.
    unable: Vec<String>,
}

/// A statement.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StepDocument {
    /// It, without a closing semicolon.
    sql: String,
    /// What is lost with it.
    loses: Option<String>,
}

impl Body for Drifted {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    if args.sql.is_some() {
        ui.leave_stdout();
    }
    let config = context.config()?;
    let (project, _) = project::project(&config, ui, &[])?;
    let options = options(args, &config, ui, project.target.dialect())?;
    let mut show = Show::new(ui);
    let result = drift(&project, &options, &mut |event| match event {
        Event::Execution { .. } => {}
        event => show.event(event),
    });
    drop(show);
    let report = result.map_err(ended)?;
    let target = project.target.describe();
    ui.line(paint(DIM, shortened(&target)));
    say(ui, &report, args);
    ui.line(summary(&report, context));
    if let Some(which) = args.sql.filter(|_| !ui.json()) {
        ui.raw(&script(&report, which));
    }
    ui.document(&document(target, &report, args));
    Ok(if report.same() { Exit::Done } else { Exit::Unexpected })
}

fn options(args: &Args, config: &Config, ui: &Ui, dialect: Dialect) -> Result<DriftOptions, Failure> {
    let configured = config.settings.drift.ignore.iter().flatten();
    let mut ignore = Vec::new();
    for text in configured.chain(&args.ignore) {
        ignore.push(
            text.parse::<Pattern>()
                .map_err(|error| unreadable(text, &error.to_string()))?,
        );
    }
    let on_scratch = if args.on_scratch {
        Some(ScratchPlace {
            place: place(config, ui, dialect)?,
            folder: std::env::temp_dir(),
        })
    } else {
        None
    };
    Ok(DriftOptions { ignore, on_scratch })
}

fn unreadable(text: &str, why: &str) -> Failure {
    let report = Report::error("drift::pattern", format!("the pattern `{text}` cannot be used: {why}"));
    let help = "write NAME or KIND:NAME, as in `public.tmp_*` or `extension:pg_stat_statements`";
    Failure::new(Exit::Usage, report.help(help))
}

/// The differences of one object, in the order in which they were found.
fn grouped(differences: &[Difference]) -> Vec<(&str, Vec<&Difference>)> {
    let mut groups: Vec<(&str, Vec<&Difference>)> = Vec::new();
    for difference in differences {
        match groups.last_mut() {
            Some((object, list)) if *object == difference.object => list.push(difference),
            _ => groups.push((&difference.object, vec![difference])),
        }
    }
    groups
}

fn say(ui: &Ui, report: &DriftReport, args: &Args) {
    for (object, differences) in grouped(&report.drift) {
        ui.line(of_object(object, &differences, true));
    }
    for (object, differences) in grouped(&report.uncertain) {
        ui.line(of_object(object, &differences, false));
    }
    if !report.uncertain.is_empty() {
        let number = count(report.uncertain.len(), "difference");
        ui.line(format!(
            "{} {number} may come from what a replay cannot follow; --on-scratch tells",
            paint(WARN, "uncertain:")
        ));
    }
    let shown = |subject: &&Subject| !report.uncertain.iter().any(|other| other.subject.name == subject.name);
    let unfollowed: Vec<&Subject> = report.unfollowed.iter().filter(shown).collect();
    if !unfollowed.is_empty() {
        let names: Vec<String> = unfollowed.iter().map(|subject| named(subject)).collect();
        ui.note(paint(
            DIM,
            format!("not compared, a replay cannot follow them: {}", names.join(", ")),
        ));
    }
    if report.unread_views > 0 && !args.on_scratch {
        let views = count(report.unread_views, "view");
        ui.note(paint(
            DIM,
            format!("{views} compared by name; --on-scratch compares what they show"),
        ));
    }
    let which = match args.sql {
        Some(Which::Database) => Some(&report.for_database),
        Some(Which::Migrations) => Some(&report.for_migrations),
        None => None,
    };
    for text in which.into_iter().flat_map(|which| &which.unable) {
        ui.warn(format!("no SQL for {text}"));
    }
}

/// An object in one line when it is on one side only; otherwise a line for each thing.
fn of_object(object: &str, differences: &[&Difference], certain: bool) -> String {
    let name = paint(NAME, object);
    if let [only] = differences
        && only.member.is_none()
        && only.property.is_none()
    {
        return format!("{name}: {}", side(&only.sides, certain));
    }
    let mut text = name;
    for difference in differences {
        text.push_str("\n  ");
        text.push_str(&line(difference, certain));
    }
    text
}

fn side(sides: &Sides, certain: bool) -> String {
    let (style, text) = match (sides, certain) {
        (Sides::OnlyLeft, true) => (BAD, "missing: the migrations make it"),
        (Sides::OnlyRight, true) => (BAD, "unexpected: no migration makes it"),
        (Sides::OnlyLeft, false) => (WARN, "not there; the migrations may make it"),
        (Sides::OnlyRight, false) => (WARN, "there; the migrations may make it"),
        (Sides::Both { .. }, _) => (WARN, "different"),
    };
    paint(style, text)
}

fn part(difference: &Difference) -> Option<String> {
    let member = difference.member.as_ref()?;
    let kind = format!("{:?}", member.kind).to_lowercase();
    Some(format!("{kind} {}", member.name))
}

fn line(difference: &Difference, certain: bool) -> String {
    let style = if certain { BAD } else { WARN };
    let what: Vec<String> = part(difference)
        .into_iter()
        .chain(difference.property.clone())
        .collect();
    let what = if what.is_empty() {
        String::new()
    } else {
        format!("{}: ", what.join(", "))
    };
    match &difference.sides {
        Sides::Both { left, right } if left == "one" && right == "another one" => {
            format!("{what}{}", paint(style, "not as the migrations make it"))
        }
        Sides::Both { left, right } => format!("{what}{} (the migrations say {left})", paint(style, right)),
        sides => format!("{what}{}", side(sides, certain)),
    }
}

fn summary(report: &DriftReport, context: &Context<'_>) -> String {
    let compared = format!("{} compared", count(report.applied, "applied migration"));
    let ignored = match report.ignored {
        0 => String::new(),
        number => format!(", {number} ignored"),
    };
    if report.same() {
        let same = if report.uncertain.is_empty() {
            "no drift"
        } else {
            "no certain drift"
        };
        return format!("{compared}: {}{ignored}", paint(GOOD, same));
    }
    let objects = grouped(&report.drift).len();
    let found = format!(
        "{} in {}",
        count(report.drift.len(), "difference"),
        count(objects, "object")
    );
    let way = context.call("drift --sql database");
    format!(
        "{compared}: {}{ignored}; {way} or `--sql migrations` prints the way back",
        paint(BAD, found)
    )
}

/// The SQL with a remark before each statement that loses something.
fn script(report: &DriftReport, which: Which) -> String {
    let (way, what) = match which {
        Which::Database => (&report.for_database, "turns the database into what its migrations make"),
        Which::Migrations => (
            &report.for_migrations,
            "makes what the database has: apply it nowhere else before you have read it,\n-- and record it for this \
             database with `tollgate resolve --applied`",
        ),
    };
    let mut text = format!("-- {what}\n");
    for step in &way.steps {
        if let Some(loses) = &step.loses {
            text.push_str(&format!("-- LOSES {}\n", loses.replace('\n', " ")));
        }
        text.push_str(step.sql.trim_end());
        text.push_str(";\n");
    }
    for unable in &way.unable {
        text.push_str(&format!("-- by hand: {}\n", unable.replace('\n', " ")));
    }
    text
}

fn document(target: String, report: &DriftReport, args: &Args) -> Drifted {
    Drifted {
        target,
        same: report.same(),
        by: if args.on_scratch { "scratch" } else { "replay" },
        applied: report.applied,
        drift: objects(&report.drift),
        uncertain: objects(&report.uncertain),
        unfollowed: report.unfollowed.iter().map(named).collect(),
        unread_views: report.unread_views,
        ignored: report.ignored,
        for_database: sql(&report.for_database),
        for_migrations: sql(&report.for_migrations),
    }
}

fn named(subject: &Subject) -> String {
    subject.name.to_string()
}

fn objects(differences: &[Difference]) -> Vec<ObjectDocument> {
    let of = |difference: &&Difference| {
        let (state, expected, found) = match &difference.sides {
            Sides::OnlyLeft => ("missing", None, None),
            Sides::OnlyRight => ("unexpected", None, None),
            Sides::Both { left, right } => ("different", Some(left.clone()), Some(right.clone())),
        };
        DifferenceDocument {
            part: part(difference),
            state,
            property: difference.property.clone(),
            expected,
            found,
        }
    };
    let groups = grouped(differences).into_iter();
    let object = |(object, differences): (&str, Vec<&Difference>)| ObjectDocument {
        object: object.to_owned(),
        differences: differences.iter().map(of).collect(),
    };
    groups.map(object).collect()
}

fn sql(way: &Reconciliation) -> SqlDocument {
    let step = |step: &tollgate_engine::Step| StepDocument {
        sql: step.sql.clone(),
        loses: step.loses.clone(),
    };
    SqlDocument {
        steps: way.steps.iter().map(step).collect(),
        unable: way.unable.clone(),
    }
}
