//! `tollgate deploy`

use std::cell::OnceCell;
use std::path::PathBuf;

use serde::Serialize;
use tollgate_engine::approval::Request;
use tollgate_engine::host::Kind;
use tollgate_engine::{
    CheckedMigration, DeployOptions, DeployOutcome, DeployReport, Event, Folder, PlannedMigration, Plugins, Pragmas,
    Transactions, deploy_with,
};

use super::Context;
use crate::engine::approvals::{self, AwaitingDocument};
use crate::engine::events::{DeliveryDocument, Show, told};
use crate::engine::findings::{Counts, Findings, JudgedDocument, count};
use crate::engine::plugins::{Loaded, Loader};
use crate::engine::project;
use crate::engine::receipts::{self, RequirementDocument};
use crate::engine::rollback::{PlanDocument, outcome_line};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::path::shown;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};
use crate::signal::OnSignal;

/// Check pending migrations, apply them, tell people
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show the plan and change nothing: order, findings, what runs outside a transaction, how each is taken back
    #[arg(long)]
    dry_run: bool,
    /// Stop after this migration; later ones stay pending
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Go on after the last statement that is in, where a migration failed outside a transaction
    #[arg(long, conflicts_with = "dry_run")]
    resume: bool,
    /// Approve a finding with this deploy, where the environment allows that. Can be given several times
    #[arg(long, value_name = "MIGRATION:PLUGIN/RULE[:STATEMENT]", requires = "reason")]
    approve: Vec<Request>,
    /// Why it is approved
    #[arg(long, value_name = "TEXT", requires = "approve", value_parser = reason)]
    reason: Option<String>,
    /// Write what is deployed here into a signed file, for a deploy elsewhere that requires it
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    receipt: Option<PathBuf>,
    /// Take this receipt as proof of what is deployed to the environment that has to come first
    #[arg(long, value_name = "FILE")]
    receipt_from: Option<PathBuf>,
    /// How long to wait for another deploy to finish: 500ms, 30s, 2min; a plain number is milliseconds [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    lock_timeout: Option<u64>,
    /// How long a statement may wait for a lock on a table before the attempt is given up and made again; 0: no limit
    /// [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    statement_lock_timeout: Option<u64>,
    /// How long a statement inside a transaction may run; 0: no limit [default: as the server is configured]
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    statement_timeout: Option<u64>,
}

impl Args {
    /// A dry run only reads.
    pub fn on_signal(&self) -> OnSignal {
        if self.dry_run { OnSignal::End } else { OnSignal::Ask }
    }
}

/// The document of `deploy`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deployed {
    /// `up-to-date`, `planned`, `blocked` or `deployed`.
    outcome: &'static str,
    /// Nothing was to be changed.
    dry_run: bool,
    /// The database, without credentials.
    target: String,
    /// How many findings of each kind there are.
    counts: Counts,
    /// What was pending, in order.
    plan: Vec<PlannedDocument>,
    /// What stops it and could be approved, with the commands for that.
    awaiting: Vec<AwaitingDocument>,
    /// The environment that has to come first, and whether it has.
    requires: Option<RequirementDocument>,
    /// What was applied, in order.
    applied: Vec<AppliedDocument>,
    /// What became of the notifications.
    deliveries: Vec<DeliveryDocument>,
    /// How long it took.
    duration_ms: u64,
}

/// A pending migration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PlannedDocument {
    /// Name and findings.
    judged: JudgedDocument,
    /// Its statements.
    statements: Vec<StatementDocument>,
    /// How it would be taken back.
    rollback: Option<PlanDocument>,
    /// Why there is no such plan.
    rollback_failure: Option<String>,
    /// A `down.sql` lies beside it, which a rollback prefers.
    has_down_file: bool,
}

/// A statement.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StatementDocument {
    /// Its line, counted from 1.
    line: usize,
    /// Its beginning.
    excerpt: String,
    /// It runs inside a transaction.
    transactional: bool,
}

/// An applied migration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AppliedDocument {
    /// Its name.
    name: String,
    /// How long it took.
    duration_ms: u64,
}

impl Body for Deployed {}

/// Runs the command.
pub fn run(args: &Args, mut context: Context<'_>) -> Result<Exit, Failure> {
    for (flag, key, value) in [
        ("--lock-timeout", "deploy.lock_timeout_ms", args.lock_timeout),
        (
            "--statement-lock-timeout",
            "deploy.statement_lock_timeout_ms",
            args.statement_lock_timeout,
        ),
        (
            "--statement-timeout",
            "deploy.statement_timeout_ms",
            args.statement_timeout,
        ),
    ] {
        context.flags.number(flag, key, value);
    }
    let ui = context.ui;
    let config = context.config()?;
    let needs: &[Kind] = if args.dry_run {
        &[Kind::Policy, Kind::Rollback]
    } else {
        &[Kind::Policy, Kind::Rollback, Kind::Notifier]
    };
    let mut project = project::without_plugins(&config, ui)?;
    project.settings.execute.resume = args.resume;
    project.settings.approvals = approvals::given(&config, &project.folder)?;
    project.settings.approvals.requested.clone_from(&args.approve);
    project.settings.approvals.reason = args.reason.clone().unwrap_or_default();
    project.settings.requirement = receipts::requirement(&config, ui, args.receipt_from.as_deref())?;
    let receipt = match &args.receipt {
        Some(path) => Some((path, receipts::environment(&config)?, receipts::key(&config)?)),
        None => None,
    };
    let options = DeployOptions {
        dry_run: args.dry_run,
        to: args.to.clone(),
    };
    let mut show = Show::new(ui);
    let mut findings = Findings::new(&project.folder, project.target.dialect());
    if !args.dry_run {
        findings = findings.at_work(ui);
    }
    let mut counts = Counts::default();
    // Loaded once something is to be deployed; then once.
    let found: OnceCell<Loaded> = OnceCell::new();
    let load = || -> Result<Plugins, Failure> {
        if let Some(loaded) = found.get() {
            return Ok(loaded.plugins());
        }
        let loaded = Loader::new(&config, ui).load(needs)?;
        Ok(found.get_or_init(|| loaded).plugins())
    };
    let result = deploy_with(&project, &load, &options, &mut |event| match event {
        Event::Judged(checked) => counts = findings.show(ui, &checked),
        event => show.event(event),
    });
    drop(show);
    let loaded = found.into_inner().unwrap_or_default();
    loaded.show_log(ui);
    let report = result?;
    if args.dry_run {
        plan(ui, &report.plan, &project.folder);
    }
    let checked: Vec<&CheckedMigration> = report.plan.iter().map(|migration| &migration.checked).collect();
    let awaiting = approvals::awaiting(&config, ui, &project.folder, &loaded, &checked);
    receipts::show(ui, report.requirement.as_ref());
    summary(ui, args, &report, counts, &awaiting);
    ui.document(&Deployed {
        awaiting,
        ..document(args, &report, counts, &findings, project.target.describe())
    });
    if report.outcome == DeployOutcome::Blocked {
        return Ok(Exit::Blocked);
    }
    if let Some((path, environment, key)) = receipt {
        receipts::write(path, environment, project.target.describe(), &report, &key)?;
        ui.line(format!("wrote {}", paint(NAME, shown(path))));
    }
    Ok(Exit::Done)
}

/// What a dry run shows of each migration.
fn plan(ui: &Ui, plan: &[PlannedMigration], folder: &Folder) {
    for (index, migration) in plan.iter().enumerate() {
        ui.line(format!(
            "{}. {} {}",
            index + 1,
            paint(NAME, &migration.checked.name),
            paint(DIM, size(migration))
        ));
        for statement in migration.statements.iter().filter(|statement| !statement.transactional) {
            ui.line(format!(
                "   line {} {}: {}",
                statement.line,
                paint(WARN, "outside a transaction"),
                statement.excerpt
            ));
        }
        ui.line(format!("   taken back: {}", way_back(migration, folder)));
    }
}

/// How many statements, and what the file says about them.
fn size(migration: &PlannedMigration) -> String {
    let mut text = count(migration.statements.len(), "statement");
    let Pragmas {
        transactions,
        statement_timeout,
        lock_timeout,
    } = migration.pragmas;
    text += match transactions {
        Some(Transactions::EachStatement) => ", each committed by itself",
        Some(Transactions::Whole) => ", in one transaction",
        None => "",
    };
    let limits = [("takes", statement_timeout), ("waits for a lock", lock_timeout)];
    for (what, limit) in limits.into_iter().filter_map(|(what, limit)| Some((what, limit?))) {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        text += &match limit {
            0 => format!(", each {what} as long as it may"),
            _ => format!(", each {what} {} at most", as_written(limit)),
        };
    }
    text
}

/// A limit in the largest unit that it is a whole number of.
fn as_written(milliseconds: u64) -> String {
    let units = [(3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    let unit = units
        .into_iter()
        .find(|(factor, _)| milliseconds.is_multiple_of(*factor));
    let (factor, unit) = unit.unwrap_or((1, "ms"));
    format!("{} {unit}", milliseconds / factor)
}

fn way_back(migration: &PlannedMigration, folder: &Folder) -> String {
    let down = folder.find(&migration.checked.name).and_then(|file| file.down.as_ref());
    match (down, &migration.rollback, &migration.rollback_failure) {
        (Some(_), _, _) => "by its down.sql".to_owned(),
        (None, Some(plan), _) => outcome_line(plan),
        (None, None, Some(failure)) => format!("{}: {failure}", paint(BAD, "no plan")),
        (None, None, None) => paint(BAD, "no plan"),
    }
}

fn summary(ui: &Ui, args: &Args, report: &DeployReport, counts: Counts, awaiting: &[AwaitingDocument]) {
    let nothing_found = counts
        == Counts {
            migrations: counts.migrations,
            ..Counts::default()
        };
    if counts.migrations > 0 && !(nothing_found && report.outcome == DeployOutcome::Deployed) {
        ui.line(counts.summary());
    }
    approvals::show_awaiting(ui, awaiting);
    if let Some(told) = told(&report.deliveries) {
        ui.line(told);
    }
    ui.line(match report.outcome {
        DeployOutcome::UpToDate => paint(GOOD, "nothing to deploy: the database is up to date"),
        DeployOutcome::Planned => format!(
            "{} to deploy; nothing was changed",
            count(report.plan.len(), "migration")
        ),
        DeployOutcome::Blocked if args.dry_run => {
            format!("{}; nothing was changed", paint(BAD, "a deploy would be blocked"))
        }
        DeployOutcome::Blocked => format!("{}; nothing was applied", paint(BAD, "blocked")),
        DeployOutcome::Deployed => {
            let applied = paint(GOOD, format!("{} applied", count(report.applied.len(), "migration")));
            format!("{applied} in {}", duration(report.duration_ms))
        }
    });
}

fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

fn document(args: &Args, report: &DeployReport, counts: Counts, findings: &Findings<'_>, target: String) -> Deployed {
    let plan = report.plan.iter().map(|migration| PlannedDocument {
        judged: findings.document(&migration.checked),
        statements: migration
            .statements
            .iter()
            .map(|statement| StatementDocument {
                line: statement.line,
                excerpt: statement.excerpt.clone(),
                transactional: statement.transactional,
            })
            .collect(),
        rollback: migration.rollback.as_ref().map(PlanDocument::from),
        rollback_failure: migration.rollback_failure.clone(),
        has_down_file: migration.has_down_file,
    });
    let applied = report.applied.iter().map(|migration| AppliedDocument {
        name: migration.name.clone(),
        duration_ms: migration.duration_ms,
    });
    Deployed {
        outcome: match report.outcome {
            DeployOutcome::UpToDate => "up-to-date",
            DeployOutcome::Planned => "planned",
            DeployOutcome::Blocked => "blocked",
            DeployOutcome::Deployed => "deployed",
        },
        dry_run: args.dry_run,
        target,
        counts,
        plan: plan.collect(),
        awaiting: Vec::new(),
        requires: report.requirement.as_ref().map(RequirementDocument::from),
        applied: applied.collect(),
        deliveries: report.deliveries.iter().map(DeliveryDocument::from).collect(),
        duration_ms: report.duration_ms,
    }
}

/// A reason that says something.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why".to_owned());
    }
    if text.contains(|c: char| c.is_control() && c != '\n') {
        return Err("it has control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// `500`, `500ms`, `30s`, `2min` as milliseconds.
pub(super) fn milliseconds(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        _ => return Err("a time is a number with ms, s or min".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "a time is a number with ms, s or min".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        let cases = [
            ("500", 500),
            ("0", 0),
            ("500ms", 500),
            ("30s", 30_000),
            ("2min", 120_000),
            ("1 s", 1_000),
        ];
        for (text, expected) in cases {
            assert_eq!(milliseconds(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "s",
            "-1",
            "1h",
            "1.5s",
            "99999999999999999999",
            "99999999999999999min",
        ] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_for_people() {
        for (milliseconds, text) in [(0, "0 ms"), (999, "999 ms"), (1_250, "1.2 s"), (61_000, "1 min 1 s")] {
            assert_eq!(duration(milliseconds), text);
        }
    }
}
