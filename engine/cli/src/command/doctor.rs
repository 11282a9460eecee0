//! `tollgate doctor`

use std::time::Duration;

use serde::Serialize;
use textwrap::{Options, WordSeparator, WordSplitter};
use tollgate_engine::{Diagnosis, Examination, Finding, Group, LockOptions, Status, doctor};

use super::Context;
use crate::engine::findings::count;
use crate::engine::{locking, project};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Verbosity;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};

/// Look at everything that a deploy depends on: connection, privileges, locks, load, ledger
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Changes nothing and takes no lock. An SQLite file with a transaction that a crash has cut off is not opened, because SQLite
undoes that then. --verbose shows what is in order in detail, too; --quiet only what is not.
Ends with 5 when something would make a deploy fail, and with 1 when the database cannot be reached.")]
pub struct Args {}

/// The document of `doctor`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Examined {
    /// The database, without credentials.
    target: String,
    /// It could be reached.
    connected: bool,
    /// Nothing is `bad`.
    healthy: bool,
    /// How many findings there are of each status.
    counts: Counts,
    /// What was looked at, in order.
    findings: Vec<FindingDocument>,
}

impl Body for Examined {}

/// How many findings there are of each status.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Counts {
    /// As it should be.
    ok: usize,
    /// Good to know.
    note: usize,
    /// It can go wrong.
    warn: usize,
    /// A deploy fails or hangs because of it, or has failed.
    bad: usize,
    /// Not looked at.
    skipped: usize,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FindingDocument {
    /// `connection`, `server`, `privileges`, `replication`, `load`, `locks`, `ledger`, `database` or `migrations`.
    group: &'static str,
    /// Stable name.
    name: &'static str,
    /// `ok`, `note`, `warn`, `bad` or `skipped`.
    status: &'static str,
    /// What was seen.
    line: String,
    /// What to do.
    help: Option<String>,
    /// The single things behind the line.
    details: Vec<String>,
    /// How long it took, in milliseconds, for what is about time.
    milliseconds: Option<f64>,
}

/// Runs the command.
pub fn run(_: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let target = project::target(&config, ui)?;
    // How the lock is got is looked at, and that only works with a lock.url that can be read.
    let lock: LockOptions = locking::options(&config, ui, &target)?;
    let folder = project::folder(&config, ui).map_err(|failure| {
        let message = failure.reports().first().map(|report| report.message.clone());
        message.unwrap_or_default()
    });
    let examination = Examination {
        folder: folder.as_ref().map_err(Clone::clone),
        target: &target,
        lock: &lock,
    };
    ui.line(paint(DIM, shortened(&target.describe())));
    let mut printer = Printer { context, group: None };
    let diagnosis = doctor(&examination, &mut |finding| printer.show(finding));
    let counts = Counts::of(&diagnosis);
    ui.line(summary(&counts));
    let exit = match (diagnosis.connected, counts.bad) {
        (false, _) => Exit::Failed,
        (true, 0) => Exit::Done,
        (true, _) => Exit::Unexpected,
    };
    ui.document(&Examined {
        target: target.describe(),
        connected: diagnosis.connected,
        healthy: counts.bad == 0,
        findings: diagnosis
            .findings
            .iter()
            .map(|finding| document(finding, context))
            .collect(),
        counts,
    });
    Ok(exit)
}

impl Counts {
    fn of(diagnosis: &Diagnosis) -> Self {
        let number = |status| {
            let of = diagnosis.findings.iter().filter(|finding| finding.status == status);
            of.count()
        };
        Self {
            ok: number(Status::Ok),
            note: number(Status::Note),
            warn: number(Status::Warn),
            bad: number(Status::Bad),
            skipped: number(Status::Skipped),
        }
    }
}

fn document(finding: &Finding, context: &Context<'_>) -> FindingDocument {
    FindingDocument {
        group: finding.group.name(),
        name: finding.name,
        status: finding.status.name(),
        line: finding.line.clone(),
        help: finding.help.as_deref().map(|help| context.with_flags(help)),
        details: finding.details.clone(),
        milliseconds: finding.elapsed.map(|elapsed| {
            // Microseconds are as exact as it gets.
            (elapsed.as_secs_f64() * 1e6).round() / 1e3
        }),
    }
}

/// How far the names of findings reach: the longest has this many letters.
const NAMES: usize = 23;

/// The most things behind a line that are shown unasked.
const DETAILS: usize = 10;

/// Prints findings as they come, group by group.
struct Printer<'a> {
    context: &'a Context<'a>,
    group: Option<Group>,
}

impl Printer<'_> {
    fn show(&mut self, finding: &Finding) {
        let verbosity = self.context.ui.verbosity();
        if self.context.ui.json() || (verbosity == Verbosity::Quiet && finding.status == Status::Ok) {
            return;
        }
        if self.group != Some(finding.group) {
            self.group = Some(finding.group);
            self.context
                .ui
                .line(format!("\n{}", paint(NAME, heading(finding.group))));
        }
        let (mark, style) = match finding.status {
            Status::Ok => ("ok", GOOD),
            Status::Note => ("i ", NAME),
            Status::Warn => ("! ", WARN),
            Status::Bad => ("x ", BAD),
            Status::Skipped => ("- ", DIM),
        };
        let mut text = finding.line.clone();
        if let Some(elapsed) = finding.elapsed {
            text.push_str(&milliseconds(elapsed));
        }
        let head = format!("  {} {:<NAMES$} ", paint(style, mark), finding.name);
        self.wrapped(&head, &shortened(&text));
        // What is not in order and what is wanted in detail, the line itself left out where it says it all.
        if finding.status >= Status::Note || verbosity == Verbosity::Verbose {
            let new = finding
                .details
                .iter()
                .filter(|detail| !finding.line.contains(detail.as_str()));
            let shown = if verbosity == Verbosity::Verbose {
                usize::MAX
            } else {
                DETAILS
            };
            let new: Vec<&String> = new.collect();
            let indent = " ".repeat(NAMES + 6);
            for detail in new.iter().take(shown) {
                self.wrapped(&indent, &shortened(detail));
            }
            if let Some(more) = new.len().checked_sub(shown).filter(|more| *more > 0) {
                self.wrapped(&indent, &format!("… and {more} more: --verbose shows all"));
            }
        }
        if let Some(help) = &finding.help {
            let head = format!("{}{} ", " ".repeat(NAMES + 6), paint(NAME, "→"));
            self.wrapped(&head, &shortened(&self.context.with_flags(help)));
        }
    }

    /// A text behind what begins its first line; the others begin where it does.
    fn wrapped(&self, head: &str, text: &str) {
        let indent = " ".repeat(anstream::adapter::strip_str(head).to_string().chars().count());
        let options = Options::new(crate::output::width())
            .initial_indent(&indent)
            .subsequent_indent(&indent)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false);
        let lines = textwrap::fill(text, options);
        self.context
            .ui
            .line(format!("{head}{}", lines.strip_prefix(&indent).unwrap_or(&lines)));
    }
}

/// ` (0.04 ms)`, ` (4.2 ms)`
fn milliseconds(elapsed: Duration) -> String {
    let number = elapsed.as_secs_f64() * 1e3;
    let decimals = if number < 1.0 { 2 } else { 1 };
    format!(" ({number:.decimals$} ms)")
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Connection => "Connection",
        Group::Server => "Server",
        Group::Privileges => "Privileges",
        Group::Replication => "Pooler and replicas",
        Group::Load => "Load",
        Group::Locks => "Locks",
        Group::Ledger => "Ledger",
        Group::Database => "Database",
        Group::Migrations => "Migrations",
    }
}

fn summary(counts: &Counts) -> String {
    let parts: Vec<String> = [
        (counts.bad, count(counts.bad, "problem"), BAD),
        (counts.warn, count(counts.warn, "warning"), WARN),
        (counts.note, count(counts.note, "note"), NAME),
        (counts.skipped, format!("{} not looked at", counts.skipped), DIM),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(_, text, style)| paint(style, text))
    .collect();
    if parts.is_empty() {
        return format!("\n{}", paint(GOOD, "everything is in order"));
    }
    format!("\n{}; {} in order; nothing was changed", parts.join(", "), counts.ok)
}
