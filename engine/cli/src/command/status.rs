//! `tollgate status`

use serde::Serialize;
use tollgate_engine::{
    GivenUp, MigrationProgress, MigrationStatus, Overlooked, Standing, StatusReport, Unfinished, status,
};

use super::Context;
use crate::again::quoted;
use crate::config::model::{Migrations, Reaction};
use crate::engine::findings::count;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};

/// Show which migrations are applied, pending, failed, missing or edited
///
/// Takes no lock and changes nothing. Ends with status 5 when there is something to do: something to deploy or to resolve, an
/// edited migration unless `migrations.edited` lets it pass, a missing one unless `migrations.missing` is "allow".
#[derive(Debug, clap::Args)]
pub struct Args {
    /// List every migration; of more than 30, those that are applied and in order are only counted otherwise
    #[arg(long)]
    all: bool,
}

/// So many migrations are listed whole: a page of a terminal.
const PAGE: usize = 30;

/// Characters of what a run's session does.
const EXCERPT: usize = 60;

/// The document of `status`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct Stands {
    /// The database, without credentials.
    target: String,
    /// It is there.
    database_exists: bool,
    /// So is the ledger.
    ledger_exists: bool,
    /// Nothing to do and nothing wrong.
    up_to_date: bool,
    /// The newest migration that is both applied and in the folder.
    last_common: Option<String>,
    /// Every migration of folder and ledger, by name.
    migrations: Vec<MigrationDocument>,
    /// There are tables and no ledger: a deploy refuses that, `baseline` takes it over.
    needs_baseline: bool,
    /// Who holds the lock now.
    lock: Vec<HolderDocument>,
    /// Who keeps others from deploying.
    lease: Option<LeaseDocument>,
}

/// Somebody who holds the lock.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HolderDocument {
    /// Process of the server, or of this machine for SQLite; none where it is a prepared transaction.
    pid: Option<i32>,
    /// Role.
    user: Option<String>,
    /// Application name.
    application: Option<String>,
    /// Since when, RFC 3339.
    since: Option<String>,
}

/// A lease that holds.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LeaseDocument {
    /// Who has it.
    owner: String,
    /// On which machine it was taken.
    host: Option<String>,
    /// What for.
    reason: Option<String>,
    /// Until when, RFC 3339.
    expires_at: String,
}

/// One migration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
struct MigrationDocument {
    /// Its name.
    name: String,
    /// `applied`, `pending`, `rolled-back`, `interrupted` or `failed`.
    standing: &'static str,
    /// The folder has it.
    in_folder: bool,
    /// Changed after it was applied.
    edited: bool,
    /// Applied, but not in the folder.
    missing: bool,
    /// Not applied, although later ones are.
    out_of_order: bool,
    /// Started and not finished, although another attempt of it is recorded as applied.
    applied_before: bool,
    /// When it was started, RFC 3339.
    started_at: Option<String>,
    /// When it was finished.
    finished_at: Option<String>,
    /// When it was taken back.
    rolled_back_at: Option<String>,
    /// What the ledger keeps of a failure.
    logs: Option<String>,
    /// Of one that was started and not finished: `running`, `failed`, `died` (Tollgate's run ended in the middle) or
    /// `unknown` (another program's, which did not say how it ended).
    unfinished: Option<&'static str>,
    /// Of one that was rolled back without ever having been applied: how its last attempt ended, `failed`, `interrupted` (it
    /// was asked to stop) or `unsaid`.
    given_up: Option<&'static str>,
    /// Of one that was started and not finished: how far it came, where that is on record.
    progress: Option<ProgressDocument>,
}

/// How far a migration came.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ProgressDocument {
    /// Statements that are in.
    done: usize,
    /// Statements of the file, where it is there.
    statements: Option<usize>,
    /// Line of the statement that comes next.
    next_line: Option<usize>,
    /// That statement may be in, or have left something.
    in_doubt: bool,
}

impl Body for Stands {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let folder = project::folder(&config, ui)?;
    let target = project::target(&config, ui)?;
    let report = status(&folder, &target)?;
    let migrations = &config.settings.migrations;
    let up_to_date = report.up_to_date(overlooked(migrations));
    show(args, context, &report, &target.describe(), migrations);
    ui.document(&Stands {
        target: target.describe(),
        database_exists: report.database_exists,
        ledger_exists: report.ledger_exists,
        up_to_date,
        last_common: report.last_common.clone(),
        migrations: report.migrations.iter().map(document).collect(),
        needs_baseline: report.needs_baseline,
        lock: report
            .holders
            .iter()
            .map(|holder| HolderDocument {
                pid: holder.process(),
                user: holder.user.clone(),
                application: holder.application.clone(),
                since: holder.since.map(|since| since.to_string()),
            })
            .collect(),
        lease: report.lease.as_ref().map(|lease| LeaseDocument {
            owner: lease.owner.clone(),
            host: lease.host.clone(),
            reason: lease.reason.clone(),
            expires_at: lease.expires_at.to_string(),
        }),
    });
    Ok(if up_to_date { Exit::Done } else { Exit::Unexpected })
}

/// What the configuration lets pass. An applied file stays edited, whatever anybody does: a deploy that goes on says enough.
/// A folder that is behind its database is worth a look, unless that is how it is meant to be.
fn overlooked(migrations: &Migrations) -> Overlooked {
    Overlooked {
        edited: migrations.edited.is_some_and(|reaction| reaction != Reaction::Error),
        missing: migrations.missing == Some(Reaction::Allow),
    }
}

fn document(migration: &MigrationStatus) -> MigrationDocument {
    MigrationDocument {
        name: migration.name.clone(),
        standing: standing(migration.standing),
        in_folder: migration.in_folder,
        edited: migration.edited,
        missing: migration.missing,
        out_of_order: migration.out_of_order,
        applied_before: migration.applied_before,
        started_at: migration.started_at.clone(),
        finished_at: migration.finished_at.clone(),
        rolled_back_at: migration.rolled_back_at.clone(),
        logs: migration.logs.clone(),
        unfinished: migration.unfinished.map(|unfinished| match unfinished {
            Unfinished::Running => "running",
            Unfinished::Failed => "failed",
            Unfinished::Died => "died",
            Unfinished::Unknown => "unknown",
        }),
        given_up: migration.given_up.map(|given_up| match given_up {
            GivenUp::Failed => "failed",
            GivenUp::Interrupted => "interrupted",
            GivenUp::Unsaid => "unsaid",
        }),
        progress: migration.progress.map(|progress| ProgressDocument {
            done: progress.done,
            statements: progress.statements,
            next_line: progress.next_line,
            in_doubt: progress.in_doubt,
        }),
    }
}

/// A standing as documents name it.
pub(super) fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Applied => "applied",
        Standing::Pending => "pending",
        Standing::RolledBack => "rolled-back",
        Standing::Interrupted => "interrupted",
        Standing::Failed => "failed",
    }
}

fn show(args: &Args, context: &Context<'_>, report: &StatusReport, target: &str, migrations: &Migrations) {
    let ui = context.ui;
    ui.line(paint(DIM, shortened(target)));
    if !report.database_exists {
        let deploy = context.call("deploy");
        ui.line(format!("the database does not exist yet; {deploy} creates it"));
    }
    for holder in &report.holders {
        // A run has two sessions: one keeps the lock, the other works.
        let runs = holder
            .excerpt(EXCERPT)
            .filter(|_| holder.state.as_deref() == Some("active"));
        ui.line(format!(
            "{} {} holds the lock{}",
            paint(WARN, "at work:"),
            holder.describe(),
            runs.map_or_else(String::new, |query| format!(" and runs {query}"))
        ));
    }
    if let Some(lease) = &report.lease {
        let reason = lease
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(": {reason}"));
        let until = format!("{:.0}", lease.expires_at);
        ui.line(format!(
            "{} {} keeps the lock until {until}{reason}",
            paint(WARN, "leased:"),
            lease.holder()
        ));
    }
    if report.state_hidden {
        ui.warn(
            "this role may not read Tollgate's own tables (schema tollgate): leases, and how far an unfinished migration \
             came, are not shown",
        );
    }
    let whole = args.all || report.migrations.len() <= PAGE;
    for migration in report.migrations.iter().filter(|migration| whole || notable(migration)) {
        ui.line(line(migration, report.state_hidden));
        if let Some(logs) = &migration.logs.as_ref().filter(|_| says_why(migration) || args.all) {
            // SQLite has no codes.
            let says = |line: &&str| !line.trim().is_empty() && *line != "Database error code: none";
            let lines = essence(logs).lines().filter(says);
            ui.line(lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"));
        }
    }
    let missing = report.migrations.iter().any(|migration| migration.missing);
    let diverged = missing && !overlooked(migrations).missing;
    if let Some(last) = report.last_common.as_ref().filter(|_| diverged) {
        ui.line(format!(
            "the last one in both folder and database is {}",
            paint(NAME, last)
        ));
    }
    ui.line(summary(context, report, migrations));
}

/// The logs say why there is something to do. Those of an applied migration hold what the server said on the side: for
/// those who want to see everything.
fn says_why(migration: &MigrationStatus) -> bool {
    let failed = migration.standing == Standing::Failed || migration.given_up == Some(GivenUp::Failed);
    failed && is_open(migration)
}

/// There is something to do about it: not so when it was rolled back and its folder is gone.
fn is_open(migration: &MigrationStatus) -> bool {
    match migration.standing {
        Standing::Applied => false,
        Standing::RolledBack => migration.in_folder,
        Standing::Pending | Standing::Interrupted | Standing::Failed => true,
    }
}

/// What the database said, without the general words that the ledger has before it for Prisma's readers, and without the
/// places in Prisma's own code that it writes behind it.
fn essence(logs: &str) -> &str {
    let said = logs.find("Database error code:").map_or(logs, |at| &logs[at..]);
    said.find("\n   0: ").map_or(said, |at| &said[..at])
}

fn notable(migration: &MigrationStatus) -> bool {
    migration.standing != Standing::Applied || migration.edited || migration.missing
}

fn line(migration: &MigrationStatus, state_hidden: bool) -> String {
    let style = match migration.standing {
        Standing::Applied => GOOD,
        Standing::Pending | Standing::RolledBack | Standing::Interrupted => WARN,
        Standing::Failed => BAD,
    };
    let mut notes = Vec::new();
    if migration.edited {
        notes.push("edited since it was applied".to_owned());
    }
    if !migration.in_folder {
        notes.push("not in the folder".to_owned());
    }
    if migration.out_of_order {
        notes.push("later ones are applied".to_owned());
    }
    if migration.applied_before {
        notes.push("another attempt of it is recorded as applied".to_owned());
    }
    notes.extend(migration.given_up.map(|given_up| match given_up {
        GivenUp::Failed => "failed when it was last tried".to_owned(),
        GivenUp::Interrupted => "interrupted when it was last tried".to_owned(),
        GivenUp::Unsaid => "not finished when it was last tried".to_owned(),
    }));
    notes.extend(
        migration
            .unfinished
            .and_then(|unfinished| how(unfinished, state_hidden)),
    );
    notes.extend(migration.progress.as_ref().map(far));
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("  {}", paint(WARN, notes.join("; ")))
    };
    format!(
        "{} {}{notes}",
        paint(style, format!("{:<11}", word(migration))),
        paint(NAME, &migration.name)
    )
}

/// What a migration is, in a word.
fn word(migration: &MigrationStatus) -> String {
    match migration.unfinished {
        Some(Unfinished::Running) => "running".to_owned(),
        Some(Unfinished::Died) => "interrupted".to_owned(),
        Some(Unfinished::Unknown) => "unfinished".to_owned(),
        Some(Unfinished::Failed) | None => standing(migration.standing).replace('-', " "),
    }
}

/// How it came to be unfinished, where the word does not say it.
fn how(unfinished: Unfinished, state_hidden: bool) -> Option<String> {
    match unfinished {
        Unfinished::Died => Some("its run ended in the middle".to_owned()),
        Unfinished::Unknown if state_hidden => Some("how it ended is not shown to this role".to_owned()),
        Unfinished::Unknown => Some("another program started it and did not say how it ended".to_owned()),
        Unfinished::Running | Unfinished::Failed => None,
    }
}

/// `3 of 7 statements are in; line 12 may be`.
fn far(progress: &MigrationProgress) -> String {
    let are = if progress.done == 1 { "is" } else { "are" };
    let text = match (progress.done, progress.statements) {
        (0, _) if progress.in_doubt => "nothing of it is known to be in".to_owned(),
        (0, _) => "nothing of it is in".to_owned(),
        (done, Some(all)) => format!("{done} of {} {are} in", count(all, "statement")),
        (done, None) => format!("{} {are} in", count(done, "statement")),
    };
    match progress.next_line {
        Some(line) if progress.in_doubt => format!("{text}; line {line} may be"),
        Some(line) if progress.done > 0 => format!("{text}; line {line} comes next"),
        _ => text,
    }
}

/// Tells one kind of migration from the others.
type Pick<'a> = &'a dyn Fn(&MigrationStatus) -> bool;

fn summary(context: &Context<'_>, report: &StatusReport, settings: &Migrations) -> String {
    let number = |pick: Pick<'_>| report.migrations.iter().filter(|migration| pick(migration)).count();
    let is = |migration: &MigrationStatus, wanted: &str| word(migration) == wanted;
    let mut parts = vec![format!("{} applied", number(&|migration| is(migration, "applied")))];
    let others: [(&str, Pick<'_>); 8] = [
        ("running", &|migration| is(migration, "running")),
        ("interrupted", &|migration| is(migration, "interrupted")),
        ("unfinished", &|migration| is(migration, "unfinished")),
        ("pending", &|migration| is(migration, "pending")),
        ("rolled back", &|migration| is(migration, "rolled back")),
        ("failed", &|migration| is(migration, "failed")),
        ("edited", &|migration| migration.edited),
        ("missing", &|migration| migration.missing),
    ];
    for (word, pick) in others {
        let number = number(pick);
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    let list = format!("{}: {}", count(report.migrations.len(), "migration"), parts.join(", "));
    if report.up_to_date(overlooked(settings)) {
        return format!("{list}; {}", paint(GOOD, "the database is up to date"));
    }
    format!("{list}; next: {}", next(context, report, settings))
}

/// What to do first about what is not in order.
fn next(context: &Context<'_>, report: &StatusReport, settings: &Migrations) -> String {
    let find = |pick: Pick<'_>| report.migrations.iter().find(|migration| pick(migration));
    // A migration that is one transaction is recorded at its end: while it runs it is pending.
    if !report.holders.is_empty() || find(&|migration| migration.unfinished == Some(Unfinished::Running)).is_some() {
        return "wait until the run that holds the lock is done".to_owned();
    }
    if let Some(failed) = find(&|migration| migration.standing == Standing::Failed) {
        if failed.progress.is_some() && failed.unfinished == Some(Unfinished::Failed) {
            let resume = context.call("deploy --resume");
            return format!("mend the cause and go on with {resume}");
        }
        let resolve = context.call(&format!("resolve {}", quoted(&failed.name)));
        return format!("{resolve} looks what of it is in the database");
    }
    if let Some(edited) = find(&|migration| migration.edited && settings.edited == Some(Reaction::Error)) {
        return format!("put {} back as it was applied", edited.name);
    }
    if let Some(missing) = find(&|migration| migration.missing && settings.missing == Some(Reaction::Error)) {
        return format!("bring the folder {} back", missing.name);
    }
    if let Some(late) = find(&|migration| migration.out_of_order && settings.out_of_order == Some(Reaction::Error)) {
        return format!("give {} a name that sorts last", late.name);
    }
    if report.needs_baseline {
        let baseline = context.call("baseline");
        return format!("the database has tables and no ledger: {baseline} records what is in it");
    }
    match (find(&is_open), find(&|migration| migration.missing)) {
        (None, Some(missing)) => format!(
            "bring the folder {} back, or set `migrations.missing = \"allow\"` where it is gone for good",
            missing.name
        ),
        _ => context.call("deploy"),
    }
}
