//! What the policies said, for people and for programs.

use std::cell::{OnceCell, RefCell};
use std::path::Path;

use serde::Serialize;
use tollgate_engine::host::types::Severity;
use tollgate_engine::sql::{Dialect, Span};
use tollgate_engine::{CheckedMigration, Folder, JudgedFinding, MigrationFile};

use super::approvals::{ApprovalDocument, word};
use crate::output::documents::PlaceDocument;
use crate::output::path::shown;
use crate::output::report::{Level, Report, Snippet};
use crate::output::style::{BAD, DIM, GOOD, WARN, paint};
use crate::output::{Ui, Verbosity};

/// One migration and what was said of it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JudgedDocument {
    /// The migration.
    pub name: String,
    /// What the policies found.
    pub findings: Vec<FindingDocument>,
    /// Policies that could not judge it.
    pub failures: Vec<FailureDocument>,
    /// Approvals that it could do with and that do not count.
    pub void_approvals: Vec<ApprovalDocument>,
}

/// One finding.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FindingDocument {
    /// The policy.
    pub plugin: String,
    /// Its rule.
    pub rule: String,
    /// `low`, `medium` or `high`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// It stops a deploy.
    pub blocking: bool,
    /// The reason for which the script allows it.
    pub allowed: Option<String>,
    /// The script would allow it, but that does not count: the file and line that enforce the rule.
    pub enforced_by: Option<String>,
    /// The approval by which it passes.
    pub approved: Option<ApprovalDocument>,
    /// Where.
    pub place: Option<PlaceDocument>,
    /// Machine-readable extras.
    pub properties: std::collections::BTreeMap<String, String>,
}

/// A policy that could not judge.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailureDocument {
    /// The policy.
    pub plugin: String,
    /// The name of the failure, for example `out-of-fuel`.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// It stops a deploy.
    pub blocking: bool,
}

/// How many of each kind there are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Migrations that were judged.
    pub migrations: usize,
    /// Findings and failures that block.
    pub blocking: usize,
    /// Findings of medium or high severity, and failures, that do not.
    pub warnings: usize,
    /// Findings of low severity.
    pub notes: usize,
    /// Findings that a script allows.
    pub allowed: usize,
    /// Findings that the file of known findings names.
    pub known: usize,
    /// Findings that somebody has approved.
    pub approved: usize,
}

/// Turns judgements into reports and documents.
pub struct Findings<'a> {
    folder: &'a Folder,
    dialect: Dialect,
    /// The file that was asked about last.
    last: RefCell<Option<LastFile<'a>>>,
    /// Findings of level low are printed, too.
    notes: bool,
}

impl<'a> Findings<'a> {
    /// Of the migrations in this folder.
    pub fn new(folder: &'a Folder, dialect: Dialect) -> Self {
        Self {
            folder,
            dialect,
            last: RefCell::default(),
            notes: true,
        }
    }

    /// The same for a run that changes something: what is only good to know was said when the migrations were checked, so
    /// it is counted, and printed for the curious.
    #[must_use]
    pub fn at_work(mut self, ui: &Ui) -> Self {
        self.notes = ui.verbosity() >= Verbosity::Verbose;
        self
    }

    /// Prints everything that was said and not allowed, and counts.
    pub fn show<'b>(&self, ui: &Ui, migrations: impl IntoIterator<Item = &'b CheckedMigration>) -> Counts {
        let mut counts = Counts::default();
        for migration in migrations {
            counts.migrations += 1;
            for judged in &migration.judgement.findings {
                if let Some(approval) = &judged.approved {
                    counts.approved += 1;
                    let message = &judged.finding.message;
                    ui.line(format!(
                        "{} {approval}: {message} ({})",
                        paint(GOOD, "approved"),
                        word(approval)
                    ));
                    continue;
                }
                match (judged.allowed.is_some(), level(judged)) {
                    (true, _) => counts.allowed += 1,
                    (_, Level::Error) => counts.blocking += 1,
                    (_, Level::Warning) => counts.warnings += 1,
                    (_, Level::Note) => counts.notes += 1,
                }
                let wanted = self.notes || level(judged) != Level::Note;
                if judged.allowed.is_none() && wanted && !ui.json() {
                    ui.report(&self.drawn(&migration.name, judged));
                }
            }
            for void in &migration.judgement.void_approvals {
                let approval = &void.approval;
                ui.warn(format!(
                    "the approval of {approval} by {} does not count: {}",
                    approval.by, void.why
                ));
            }
            for failure in &migration.judgement.failures {
                if failure.blocking {
                    counts.blocking += 1;
                } else {
                    counts.warnings += 1;
                }
                if !ui.json() {
                    let level = if failure.blocking { Level::Error } else { Level::Warning };
                    let message = format!(
                        "{} could not judge {}: {}",
                        failure.plugin, migration.name, failure.message
                    );
                    let help =
                        "what is not judged is not let through; `on_failure = \"warn\"` of a plugin changes that";
                    ui.report(&Report::new(level, format!("plugin::{}", failure.kind), message).help(help));
                }
            }
        }
        counts
    }

    /// One migration for a program.
    pub fn document(&self, migration: &CheckedMigration) -> JudgedDocument {
        let failures = migration.judgement.failures.iter().map(|failure| FailureDocument {
            plugin: failure.plugin.clone(),
            kind: failure.kind.clone(),
            message: failure.message.clone(),
            blocking: failure.blocking,
        });
        JudgedDocument {
            name: migration.name.clone(),
            findings: migration
                .judgement
                .findings
                .iter()
                .map(|judged| self.finding(&migration.name, judged))
                .collect(),
            failures: failures.collect(),
            void_approvals: migration
                .judgement
                .void_approvals
                .iter()
                .map(|void| ApprovalDocument::from(&void.approval).void(void.why.clone()))
                .collect(),
        }
    }

    fn finding(&self, migration: &str, judged: &JudgedFinding) -> FindingDocument {
        let report = crate::output::documents::ReportDocument::from(&self.report(migration, judged));
        FindingDocument {
            plugin: judged.plugin.clone(),
            rule: judged.finding.rule.clone(),
            severity: severity(judged.finding.severity),
            message: judged.finding.message.clone(),
            help: judged.finding.help.clone(),
            blocking: judged.blocking,
            allowed: judged.allowed.clone(),
            enforced_by: judged.enforced_by.clone(),
            approved: judged.approved.as_ref().map(ApprovalDocument::from),
            place: report.place,
            properties: judged.finding.properties.iter().cloned().collect(),
        }
    }

    /// The report for people: what is about a file as a whole has no place in it to draw.
    fn drawn(&self, migration: &str, judged: &JudgedFinding) -> Report {
        let mut report = self.report(migration, judged);
        let finding = &judged.finding;
        let whole = finding.statement.is_none() && finding.span.is_none() && finding.labels.is_empty();
        if let Some(snippet) = report.snippet.take_if(|_| whole) {
            let stops = if judged.blocking { " (blocks a deploy)" } else { "" };
            report.message = format!("{}: {}{stops}", snippet.name, report.message);
        }
        report
    }

    fn report(&self, migration: &str, judged: &JudgedFinding) -> Report {
        let finding = &judged.finding;
        let code = format!("{}::{}", judged.plugin, finding.rule);
        let mut report = Report::new(level(judged), code, finding.message.clone());
        let fixes = finding
            .suggestions
            .iter()
            .map(|suggestion| format!("fix: {}", suggestion.title));
        let enforced = judged
            .enforced_by
            .iter()
            .map(|by| format!("the comment that allows it does not count: {by} enforces the rule"));
        let help: Vec<String> = finding.help.iter().cloned().chain(fixes).chain(enforced).collect();
        if !help.is_empty() {
            report = report.help(help.join("\n"));
        }
        match self.folder.find(migration) {
            Some(file) => report.snippet(self.snippet(file, judged)),
            None => report,
        }
    }

    fn snippet(&self, file: &'a MigrationFile, judged: &JudgedFinding) -> Snippet {
        let finding = &judged.finding;
        let span = finding
            .span
            .or_else(|| self.statement(file, finding.statement?))
            .unwrap_or(Span::new(0, 0));
        let what = if judged.blocking {
            format!("{}: blocks a deploy", severity(finding.severity))
        } else {
            severity(finding.severity).to_owned()
        };
        let name = self.of_last(file, |last| last.shown.clone());
        let snippet = Snippet::new(name, file.text.clone()).label(span.start..span.end, what);
        finding.labels.iter().fold(snippet, |snippet, label| {
            snippet.label(label.span.start..label.span.end, label.text.clone())
        })
    }

    /// Where a statement stands. The script has been parsed before, without an error.
    fn statement(&self, file: &'a MigrationFile, index: usize) -> Option<Span> {
        self.of_last(file, |last| {
            let parse = || {
                let script = tollgate_engine::sql::parse(self.dialect, &file.text).ok();
                let statements = script.map(|script| script.statements).unwrap_or_default();
                statements.iter().map(|statement| statement.span).collect()
            };
            last.statements.get_or_init(parse).get(index).copied()
        })
    }

    /// Most findings are about the file that the one before was about.
    fn of_last<T>(&self, file: &'a MigrationFile, ask: impl FnOnce(&LastFile<'a>) -> T) -> T {
        let mut last = self.last.borrow_mut();
        let known = last.take_if(|last| last.path == file.path);
        ask(last.insert(known.unwrap_or_else(|| LastFile::new(&file.path))))
    }
}

/// What of a file does not change from one finding to the next.
struct LastFile<'a> {
    path: &'a Path,
    /// How people see its path.
    shown: String,
    /// Where its statements stand.
    statements: OnceCell<Vec<Span>>,
}

impl<'a> LastFile<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            shown: shown(path),
            statements: OnceCell::new(),
        }
    }
}

impl Counts {
    /// The last line of a run: what was found.
    pub fn summary(self) -> String {
        let migrations = count(self.migrations, "migration");
        let mut parts = Vec::new();
        if self.blocking > 0 {
            parts.push(paint(BAD, format!("{} blocking", self.blocking)));
        }
        if self.warnings > 0 {
            parts.push(paint(WARN, count(self.warnings, "warning")));
        }
        if self.notes > 0 {
            parts.push(count(self.notes, "note"));
        }
        if self.approved > 0 {
            parts.push(paint(DIM, format!("{} approved", self.approved)));
        }
        if self.allowed > 0 {
            parts.push(paint(DIM, format!("{} allowed by comments", self.allowed)));
        }
        if self.known > 0 {
            parts.push(paint(DIM, format!("{} known before", self.known)));
        }
        if parts.is_empty() {
            return format!("{migrations} checked: {}", paint(GOOD, "nothing found"));
        }
        format!("{migrations} checked: {}", parts.join(", "))
    }
}

/// `1 migration`, `2 migrations`.
pub fn count(number: usize, what: &str) -> String {
    tollgate_engine::error::count(number, what)
}

fn level(judged: &JudgedFinding) -> Level {
    match judged.finding.severity {
        _ if judged.blocking => Level::Error,
        Severity::High | Severity::Medium => Level::Warning,
        Severity::Low => Level::Note,
    }
}

/// A level as it is written.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
    }
}
