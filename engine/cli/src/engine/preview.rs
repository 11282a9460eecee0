//! What came of a preview, for programs and for a pull request.

use std::fmt::Write as _;

use serde::Serialize;
use tollgate_engine::host::types::Outcome;
use tollgate_engine::rollback::Source;
use tollgate_engine::{ErrorKind, PreviewedMigration, RollbackResult, TriedRollback};

use super::findings::{Counts, JudgedDocument, count};
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::ReportDocument;
use crate::output::markdown::{code, prose};
use crate::output::report::{Level, Report};

/// How one migration went.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// It went through.
    pub applied: bool,
    /// How long that took.
    pub duration_ms: Option<u64>,
    /// Why it did not.
    pub errors: Vec<ReportDocument>,
    /// How taking it back went, where that was tried.
    pub rollback: Option<TriedBack>,
    #[serde(skip)]
    reports: Vec<Report>,
}

/// How taking a migration back went.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TriedBack {
    /// `down-file`, `kept` or `generated`.
    pub source: Option<&'static str>,
    /// `lossless`, `lossy` or `irreversible`; `unknown` of a down.sql, which only its author can judge.
    pub promise: &'static str,
    /// What stays lost, or why it cannot be undone.
    pub reason: Option<String>,
    /// `restored`, `differs`, `irreversible`, `failed`, or `not-again`: the migration could not be applied again.
    pub result: &'static str,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// Where the schema is not what it was before.
    pub schema: Vec<String>,
    /// Tables whose rows are not what they were, although nothing was to be lost.
    pub rows: Vec<String>,
    /// Why it failed.
    pub errors: Vec<ReportDocument>,
}

impl Tried {
    /// Takes over what the engine reports.
    pub fn of(migration: PreviewedMigration) -> Self {
        let mut tried = Self {
            name: migration.name,
            applied: migration.applied.is_ok(),
            duration_ms: migration.applied.as_ref().ok().copied(),
            errors: Vec::new(),
            rollback: None,
            reports: Vec::new(),
        };
        if let Err(error) = migration.applied {
            tried.reports = reports(*error);
            tried.errors = tried.reports.iter().map(ReportDocument::from).collect();
        }
        tried.rollback = migration.taken_back.map(|back| {
            let (mut document, error) = back_document(back);
            if let Some(error) = error {
                tried.reports = reports(*error);
                document.errors = tried.reports.iter().map(ReportDocument::from).collect();
            }
            document
        });
        tried
    }

    /// It went through, and back as promised.
    pub fn is_good(&self) -> bool {
        let back = self.rollback.as_ref();
        self.applied && back.is_none_or(TriedBack::is_good)
    }

    /// Shows why it did not go well.
    pub fn explain(&self, ui: &Ui) {
        if ui.json() {
            return;
        }
        let level = if self.is_good() { Level::Warning } else { Level::Error };
        for report in &self.reports {
            ui.report(&Report {
                level,
                ..report.clone()
            });
        }
        if let Some(back) = self.rollback.as_ref().filter(|back| back.result == "differs") {
            let tables = back.rows.iter().map(|table| format!("the rows of {table} differ"));
            let lines: Vec<String> = back.schema.iter().cloned().chain(tables).collect();
            let message = format!("{} is taken back, and something is not what it was before", self.name);
            let report = Report::new(level, "preview::not-restored", message);
            ui.report(&report.help(lines.join("\n")));
        }
    }
}

impl TriedBack {
    /// Nothing is wrong with it that the plan does not say itself.
    fn is_good(&self) -> bool {
        match self.result {
            "restored" | "irreversible" => true,
            "differs" | "not-again" => self.promise == "lossy",
            _ => false,
        }
    }
}

/// What happened on the scratch database happened to no other.
fn reports(error: tollgate_engine::Error) -> Vec<Report> {
    let failure = Failure::from(error).in_state("only the scratch database was changed");
    failure.reports().iter().cloned().map(once_more).collect()
}

/// What is to be run again is the preview.
fn once_more(mut report: Report) -> Report {
    report.help = report
        .help
        .map(|help| help.replace("`tollgate deploy`", "`tollgate preview`"));
    report
}

/// An error that ended the whole run.
pub fn ended(error: tollgate_engine::Error) -> Failure {
    if error.kind() != ErrorKind::Interrupted {
        return error.into();
    }
    let failure = Failure::from(error);
    let report = |report: &Report| Report {
        help: None,
        database: Some("the scratch database is gone; no other database was changed".to_owned()),
        ..report.clone()
    };
    Failure::several(failure.exit(), failure.reports().iter().map(report).collect())
}

fn back_document(back: TriedRollback) -> (TriedBack, Option<Box<tollgate_engine::Error>>) {
    let (promise, reason) = match (back.plan.is_some(), back.promise()) {
        (_, Some(Outcome::Lossless)) => ("lossless", None),
        (_, Some(Outcome::Lossy(what))) => ("lossy", Some(what)),
        (_, Some(Outcome::Irreversible(why))) => ("irreversible", Some(why)),
        (false, None) => ("irreversible", None),
        (_, Some(Outcome::Declined) | None) => ("unknown", None),
    };
    let mut document = TriedBack {
        source: back.plan.as_ref().map(|plan| match plan.source {
            Source::DownFile => "down-file",
            Source::Kept => "kept",
            Source::Generated => "generated",
        }),
        promise,
        reason,
        result: "restored",
        duration_ms: None,
        schema: Vec::new(),
        rows: Vec::new(),
        errors: Vec::new(),
    };
    let mut error = None;
    match back.result {
        RollbackResult::Restored { duration_ms } => document.duration_ms = Some(duration_ms),
        RollbackResult::Differs {
            duration_ms,
            schema,
            rows,
        } => {
            document.result = "differs";
            document.duration_ms = Some(duration_ms);
            (document.schema, document.rows) = (schema, rows);
        }
        RollbackResult::Irreversible(why) => {
            document.result = "irreversible";
            document.promise = "irreversible";
            document.reason = Some(why);
        }
        RollbackResult::Failed(source) => {
            document.result = "failed";
            error = Some(source);
        }
        RollbackResult::NotAgain(source) => {
            document.result = "not-again";
            error = Some(source);
        }
    }
    (document, error)
}

/// What a comment on a pull request is made of.
pub struct View<'a> {
    /// `succeeded`, `failed` or `blocked`.
    pub outcome: &'static str,
    /// How many findings there are.
    pub counts: Counts,
    /// The findings.
    pub judged: &'a [JudgedDocument],
    /// How each migration went.
    pub migrations: &'a [Tried],
    /// Those that were not tried.
    pub not_tried: &'a [String],
}

/// GitHub refuses comments of more than 65,536 characters; what comes around this text needs some of them.
const LIMIT: usize = 60_000;

/// The preview as Markdown: a table of the migrations, and below it what went wrong.
pub fn markdown(view: &View<'_>) -> String {
    let title = match view.outcome {
        "failed" => "Preview: failed",
        "blocked" => "Preview: everything went through, and a deploy would be blocked",
        _ if view.migrations.is_empty() => "Preview: nothing to do",
        _ => "Preview: everything went through",
    };
    let mut text = format!("### {title}\n");
    if !view.migrations.is_empty() {
        text += "\n| migration | applied | taken back | |\n| --- | ---: | ---: | --- |\n";
    }
    let mut left_out = 0;
    for tried in view.migrations {
        let row = row(tried);
        if text.len() + row.len() > LIMIT {
            left_out += 1;
        } else {
            text += &row;
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "\n… and {left_out} more.");
    }
    if !view.not_tried.is_empty() {
        let names: Vec<_> = view.not_tried.iter().map(|name| code(name)).collect();
        let _ = writeln!(text, "\nNot tried: {}", names.join(", "));
    }
    for tried in view.migrations.iter().filter(|tried| !tried.is_good()) {
        let trouble = trouble(tried);
        if text.len() + trouble.len() <= LIMIT {
            text += &trouble;
        }
    }
    let counts = view.counts;
    let found = counts.blocking + counts.warnings + counts.notes;
    if found > 0 {
        let _ = writeln!(
            text,
            "\nFindings: {} blocking, {}, {}.",
            counts.blocking,
            count(counts.warnings, "warning"),
            count(counts.notes, "note")
        );
        for (name, finding) in blocking(view.judged) {
            let line = format!("- {} {}: {}\n", code(name), code(&finding.0), prose(&finding.1));
            if text.len() + line.len() <= LIMIT {
                text += &line;
            }
        }
    }
    text
}

/// Findings that block: the migration, the rule, the message.
fn blocking(judged: &[JudgedDocument]) -> impl Iterator<Item = (&str, (String, String))> {
    judged.iter().flat_map(|migration| {
        let findings = migration.findings.iter().filter(|finding| finding.blocking);
        findings.map(|finding| {
            let rule = format!("{}::{}", finding.plugin, finding.rule);
            (migration.name.as_str(), (rule, finding.message.clone()))
        })
    })
}

fn row(tried: &Tried) -> String {
    let time = |time: Option<u64>| time.map_or_else(|| "-".to_owned(), |time| format!("{time} ms"));
    let (back, note) = match &tried.rollback {
        _ if !tried.applied => ("-".to_owned(), "**failed**".to_owned()),
        None => ("-".to_owned(), String::new()),
        Some(back) => {
            let reason = back
                .reason
                .as_deref()
                .map_or_else(String::new, |reason| format!(": {reason}"));
            let note = match back.result {
                "restored" if back.promise == "lossy" => format!("the schema as before; lossy{reason}"),
                "restored" => "as before".to_owned(),
                "irreversible" => format!("cannot be taken back{reason}"),
                "differs" if back.promise == "lossy" => format!("not all as before; lossy{reason}"),
                "differs" => "**something is not what it was before**".to_owned(),
                "failed" => "**taking it back failed**".to_owned(),
                _ if back.promise == "lossy" => format!("could not be applied again; lossy{reason}"),
                _ => "**could not be applied again**".to_owned(),
            };
            (time(back.duration_ms), note)
        }
    };
    format!(
        "| {} | {} | {back} | {} |\n",
        code(&tried.name),
        time(tried.duration_ms),
        prose(&note).replace('|', "\\|")
    )
}

fn trouble(tried: &Tried) -> String {
    let mut text = format!("\n#### {}\n", code(&tried.name));
    let back = tried.rollback.as_ref();
    for error in tried.errors.iter().chain(back.iter().flat_map(|back| &back.errors)) {
        let place = error.place.as_ref().map_or_else(String::new, |place| {
            format!("  \n{}", code(&format!("{}:{}", place.file, place.line)))
        });
        let _ = writeln!(text, "\n{}{place}", prose(&error.message));
        if let Some(help) = &error.help {
            let _ = writeln!(text, "\n> {}", prose(help).replace('\n', "\n> "));
        }
    }
    for difference in back.iter().flat_map(|back| &back.schema) {
        let _ = writeln!(text, "- {}", prose(difference));
    }
    for table in back.iter().flat_map(|back| &back.rows) {
        let _ = writeln!(text, "- the rows of {} differ", code(table));
    }
    text
}
