//! `tollgate resolve`

use serde::Serialize;
use tollgate_engine::{Extent, Inspection, Presence, Proposal, Resolution, Standing, inspect, resolve};

use super::Context;
use crate::again::quoted;
use crate::engine::events::Show;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::path::shown;
use crate::output::report::Report;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};
use crate::signal;

/// Tell the ledger what happened to migrations, without running anything
///
/// Without --applied or --rolled-back it looks which statements of a failed migration are in the database, and proposes
/// what to record. With them, what the database clearly contradicts is refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Migrations to look at; changes nothing without asking [default: those that failed]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Their changes are in the database: record them as applied
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with_all = ["rolled_back", "names"])]
    applied: Vec<String>,
    /// They failed and nothing of them is left: record that, so that they can be deployed again
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "names")]
    rolled_back: Vec<String>,
    /// Record it although the database shows something else
    #[arg(long)]
    force: bool,
}

/// The document of `resolve`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resolved {
    /// What was recorded, in order.
    recorded: Vec<RecordedDocument>,
    /// What was found of the migrations that were looked at.
    inspected: Vec<InspectedDocument>,
}

/// A migration that was recorded.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RecordedDocument {
    /// The migration.
    migration: String,
    /// `applied` or `rolled-back`.
    recorded: &'static str,
}

/// What was found of a migration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct InspectedDocument {
    /// The migration.
    migration: String,
    /// `applied`, `pending`, `rolled-back`, `interrupted` or `failed`.
    standing: &'static str,
    /// How much of it is in the database: `all`, `none`, `partly` (some first statements), `mixed` (some, but not the first
    /// ones) or `untold`.
    extent: &'static str,
    /// What to do: `nothing`, `applied`, `rolled-back` (record that), `deploy`, `resume` (`deploy --resume`) or `by-hand`.
    proposal: &'static str,
    /// Its statements.
    statements: Vec<StatementDocument>,
    /// What is there in a form that the file does not explain.
    surprises: Vec<String>,
    /// The file is not the one that was started or applied.
    edited: bool,
    /// Started and not finished, although another attempt of it is recorded as applied.
    applied_before: bool,
    /// Of one that was started and not finished: how many statements are in by Tollgate's own record.
    done: Option<usize>,
    /// Line of a statement that may have left something when it was cut off, and would run again.
    in_doubt: Option<usize>,
    /// Its folder is gone.
    missing: bool,
}

/// A statement.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StatementDocument {
    /// Its line, counted from 1.
    line: usize,
    /// Its beginning.
    excerpt: String,
    /// `in`, `out`, or `untold`: the catalog does not show it.
    presence: &'static str,
}

impl Body for Resolved {
    const VERSION: u32 = 2;
}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let resolution = if args.applied.is_empty() && args.rolled_back.is_empty() {
        return look(args, context);
    } else if args.applied.is_empty() {
        Resolution::RolledBack(args.rolled_back.clone())
    } else {
        Resolution::Applied(args.applied.clone())
    };
    let recorded = record(&resolution, args.force, context)?;
    context.ui.document(&Resolved {
        recorded,
        inspected: Vec::new(),
    });
    Ok(Exit::Done)
}

/// Records and says so.
fn record(resolution: &Resolution, force: bool, context: &Context<'_>) -> Result<Vec<RecordedDocument>, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let (project, _) = project::project(&config, ui, &[])?;
    let mut show = Show::new(ui);
    resolve(&project, resolution, force, &mut |event| show.event(event))?;
    let (names, recorded) = match resolution {
        Resolution::Applied(names) => (names, "applied"),
        Resolution::RolledBack(names) => (names, "rolled-back"),
    };
    for name in names {
        let words = recorded.replace('-', " ");
        ui.line(format!("{} is recorded as {words}", paint(NAME, name)));
    }
    let document = |name: &String| RecordedDocument {
        migration: name.clone(),
        recorded,
    };
    Ok(names.iter().map(document).collect())
}

/// Looks what is in the database, says what to do, and does it when it is to be recorded and somebody agrees.
fn look(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let folder = project::folder(&config, ui)?;
    let target = project::target(&config, ui)?;
    let inspections = inspect(&folder, &target, &args.names)?;
    if inspections.is_empty() {
        ui.line(format!("{}: no migration failed", paint(GOOD, "nothing to resolve")));
    }
    let (mut recorded, mut open) = (Vec::new(), false);
    for inspection in &inspections {
        show(context, inspection);
        let resolution = match inspection.proposal {
            Proposal::Nothing => continue,
            Proposal::Applied => Resolution::Applied(vec![inspection.migration.clone()]),
            Proposal::RolledBack => Resolution::RolledBack(vec![inspection.migration.clone()]),
            Proposal::Deploy | Proposal::Resume | Proposal::ByHand => {
                open = true;
                continue;
            }
        };
        let word = match &resolution {
            Resolution::Applied(_) => "applied",
            Resolution::RolledBack(_) => "rolled back",
        };
        match ui.confirm(&format!("Record {} as {word}?", inspection.migration)) {
            Some(true) => recorded.extend(record(&resolution, false, context)?),
            // Ctrl-C is an answer to all questions.
            None if signal::interrupt().asked() > 0 => return Err(interrupted(&inspection.migration, &recorded)),
            _ => open = true,
        }
    }
    ui.document(&Resolved {
        recorded,
        inspected: inspections.iter().map(document).collect(),
    });
    Ok(if open { Exit::Unexpected } else { Exit::Done })
}

fn interrupted(migration: &str, recorded: &[RecordedDocument]) -> Failure {
    let before: Vec<&str> = recorded.iter().map(|recorded| recorded.migration.as_str()).collect();
    let state = if before.is_empty() {
        "nothing was changed".to_owned()
    } else {
        format!("recorded before: {}", before.join(", "))
    };
    let report = Report::error("interrupted", format!("interrupted before {migration} was recorded"));
    Failure::new(signal::exit(), report.database(state))
}

fn show(context: &Context<'_>, inspection: &Inspection) {
    let ui = context.ui;
    let name = paint(NAME, &inspection.migration);
    if inspection.missing {
        let done = match inspection.done {
            None | Some(0) => String::new(),
            Some(1) => "; when it stopped, 1 of its statements was in".to_owned(),
            Some(done) => format!("; when it stopped, {done} of its statements were in"),
        };
        ui.line(format!(
            "{name}: its folder is gone, so there is nothing to look for{done}"
        ));
    } else {
        let file = paint(DIM, shown(&inspection.path));
        ui.line(format!("{name} {file}"));
        for statement in &inspection.statements {
            let word = match statement.presence {
                Presence::In => paint(GOOD, "in       "),
                Presence::Out => paint(BAD, "not in   "),
                Presence::Untold => paint(WARN, "unclear  "),
            };
            ui.line(format!("  {word} line {:<4} {}", statement.line, statement.excerpt));
        }
        for surprise in &inspection.surprises {
            ui.line(format!("  {} {surprise}", paint(WARN, "but")));
        }
        if inspection.edited {
            let then = match inspection.standing {
                Standing::Applied => "applied",
                _ => "started",
            };
            ui.line(format!(
                "  {} the file was changed since it was {then}",
                paint(WARN, "but")
            ));
        }
        ui.line(found(inspection));
    }
    ui.line(advice(context, inspection));
}

/// What was found, in a sentence.
fn found(inspection: &Inspection) -> String {
    let untold = inspection
        .statements
        .iter()
        .filter(|statement| statement.presence == Presence::Untold)
        .count();
    let rest = match (inspection.extent, untold) {
        (Extent::Untold | Extent::Mixed, _) | (_, 0) => String::new(),
        (_, 1) => "; one statement leaves no trace in the catalog".to_owned(),
        (_, number) => format!("; {number} statements leave no trace in the catalog"),
    };
    let all = if untold == 0 {
        "all of it is"
    } else {
        "all that can be seen of it is"
    };
    let text = match inspection.extent {
        Extent::All => format!("{all} in the database"),
        Extent::None => "nothing of it is in the database".to_owned(),
        Extent::Partly => format!("{} in the database", lines(inspection)),
        Extent::Mixed => "some of it is in the database, but not as running the file leaves it".to_owned(),
        Extent::Untold => "the catalog does not show whether it is in the database".to_owned(),
    };
    text + &rest
}

/// Which statements are in, up to the verb.
fn lines(inspection: &Inspection) -> String {
    let mut present = inspection
        .statements
        .iter()
        .filter(|statement| statement.presence == Presence::In)
        .map(|statement| statement.line);
    let first = present.next().unwrap_or_default();
    match present.next_back() {
        Some(last) => format!("its statements from line {first} to line {last} are"),
        None => format!("of its statements only the one in line {first} is"),
    }
}

/// What to do, with the commands for it.
fn advice(context: &Context<'_>, inspection: &Inspection) -> String {
    let name = quoted(&inspection.migration);
    let applied = context.call(&format!("resolve --applied {name}"));
    let rolled_back = context.call(&format!("resolve --rolled-back {name}"));
    let deploy = context.call("deploy");
    // Of a migration that was not started, or rolled back, there is no attempt to give up.
    let started = matches!(inspection.standing, Standing::Failed | Standing::Interrupted);
    let undone = if started { &rolled_back } else { &deploy };
    match inspection.proposal {
        Proposal::Nothing if inspection.standing == Standing::Applied => {
            "it is recorded as applied: nothing to resolve".to_owned()
        }
        Proposal::Nothing => "nothing to resolve".to_owned(),
        Proposal::Applied => format!("next: {applied}"),
        Proposal::RolledBack if inspection.applied_before => format!(
            "another attempt of it is recorded as applied; next: {rolled_back} gives up this one, and it stays applied"
        ),
        Proposal::RolledBack => format!("next: {rolled_back}, then {deploy}"),
        Proposal::Deploy if inspection.standing == Standing::Interrupted && inspection.done > Some(0) => {
            format!("next: {deploy}, which goes on after what is in")
        }
        Proposal::Deploy => format!("next: {deploy}"),
        Proposal::Resume => resume(context, inspection),
        Proposal::ByHand if inspection.missing => {
            format!("next: bring its folder back to see what is in; or undo that by hand, then {rolled_back}")
        }
        Proposal::ByHand if inspection.extent == Extent::Untold => format!(
            "next: look at what it changes, then {applied} when that is as it leaves it, or {undone} when nothing was done"
        ),
        Proposal::ByHand => {
            let then = if started {
                format!(" and {deploy}")
            } else {
                String::new()
            };
            format!("next: run the rest by hand, then {applied}; or undo by hand what is in, then {undone}{then}")
        }
    }
}

/// How to go on after what is in.
fn resume(context: &Context<'_>, inspection: &Inspection) -> String {
    let resume = context.call("deploy --resume");
    match inspection.in_doubt {
        Some(line) => format!(
            "next: undo what line {line} may have left, and run {resume}, which runs it again and goes on behind it"
        ),
        None => format!("next: mend the cause and run {resume}, which goes on after what is in"),
    }
}

fn document(inspection: &Inspection) -> InspectedDocument {
    let statements = inspection.statements.iter().map(|statement| StatementDocument {
        line: statement.line,
        excerpt: statement.excerpt.clone(),
        presence: match statement.presence {
            Presence::In => "in",
            Presence::Out => "out",
            Presence::Untold => "untold",
        },
    });
    InspectedDocument {
        migration: inspection.migration.clone(),
        standing: super::status::standing(inspection.standing),
        extent: match inspection.extent {
            Extent::All => "all",
            Extent::None => "none",
            Extent::Partly => "partly",
            Extent::Mixed => "mixed",
            Extent::Untold => "untold",
        },
        proposal: match inspection.proposal {
            Proposal::Nothing => "nothing",
            Proposal::Applied => "applied",
            Proposal::RolledBack => "rolled-back",
            Proposal::Deploy => "deploy",
            Proposal::Resume => "resume",
            Proposal::ByHand => "by-hand",
        },
        statements: statements.collect(),
        surprises: inspection.surprises.clone(),
        edited: inspection.edited,
        applied_before: inspection.applied_before,
        done: inspection.done,
        in_doubt: inspection.in_doubt,
        missing: inspection.missing,
    }
}
