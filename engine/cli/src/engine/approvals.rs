//! Approvals on their way between the file beside the migrations, the configuration and the engine; and the commands that
//! approve what a deploy stops at.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use tollgate_engine::approval::{self, Approval, ApprovalFile, Approvals, level_name};
use tollgate_engine::host::types::TimeLimits;
use tollgate_engine::{
    CheckReport, CheckRequest, CheckedMigration, Context as SchemaContext, Folder, JudgedFinding, Scope, check,
};

use super::plugins::Loaded;
use super::project;
use crate::again::quoted;
use crate::config::Config;
use crate::config::model::Severity;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::path::shown;
use crate::output::report::{Report, Snippet};

/// Where approvals stand.
pub fn path(folder: &Folder) -> PathBuf {
    folder.dir.join(approval::FILE_NAME)
}

/// The file with the approvals; an empty one where there is none.
pub fn read(folder: &Folder) -> Result<ApprovalFile, Failure> {
    let path = path(folder);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ApprovalFile::default()),
        Err(error) => return Err(Failure::file("approvals::file", "read", &path, &error)),
    };
    ApprovalFile::parse(&text).map_err(|error| {
        let report = Report::error("approvals::file", format!("{} cannot be used: {error}", shown(&path)))
            .snippet(Snippet::new(shown(&path), text).label(error.span, "here"))
            .help("nothing is approved until the whole file can be read");
        Failure::new(Exit::Usage, report)
    })
}

/// Writes it, all or nothing; removes it when nothing is left in it.
pub fn write(folder: &Folder, file: &ApprovalFile) -> Result<(), Failure> {
    let path = path(folder);
    let failed = |error: std::io::Error| Failure::file("approvals::file", "write", &path, &error);
    if file.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
    }
    let text = file.text();
    if let Err(error) = ApprovalFile::parse(&text) {
        let message = format!("{} would be unreadable: {error}", shown(&path));
        return Err(Failure::new(Exit::Failed, Report::error("approvals::file", message)));
    }
    let mut beside = tempfile::NamedTempFile::new_in(&folder.dir).map_err(failed)?;
    beside.write_all(text.as_bytes()).map_err(failed)?;
    // A temporary file is its owner's alone; this one is as open as it was, or as the migrations are.
    let models = [
        Some(path.as_path()),
        folder.migrations.first().map(|file| file.path.as_path()),
    ];
    if let Some(model) = models
        .into_iter()
        .flatten()
        .find_map(|path| std::fs::metadata(path).ok())
    {
        beside.as_file().set_permissions(model.permissions()).map_err(failed)?;
    }
    beside.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// What is approved in the chosen environment, and by whom it may be.
pub fn given(config: &Config, folder: &Folder) -> Result<Approvals, Failure> {
    Ok(Approvals {
        given: read(folder)?.approvals().cloned().collect(),
        actor: config.actor(),
        command_line: config.approves_on_command_line(),
        approvers: config.approvers()?,
        environment: config.environment.clone(),
        now: Timestamp::now(),
        ..Approvals::default()
    })
}

/// What the policies say of some migrations with nothing but the files, as `check` says it.
pub fn judge(
    config: &Config,
    folder: &Folder,
    context: SchemaContext,
    loaded: &Loaded,
    names: impl IntoIterator<Item = String>,
) -> Result<CheckReport, Failure> {
    let limit = |milliseconds: Option<u64>| milliseconds.filter(|&milliseconds| milliseconds > 0);
    let deploy = &config.settings.deploy;
    Ok(check(&CheckRequest {
        scope: Scope::Only(names.into_iter().collect()),
        policies: &loaded.policies,
        generators: &loaded.generators,
        rules: loaded.rules.clone(),
        time_limits: TimeLimits {
            lock_ms: limit(deploy.statement_lock_timeout_ms),
            statement_ms: limit(deploy.statement_timeout_ms),
        },
        environment: config.environment.clone(),
        block_at: project::severity(config.settings.check.block_at.unwrap_or(Severity::High)),
        ..CheckRequest::new(folder, context)
    })?)
}

/// A finding that stops a deploy, with the commands that approve it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AwaitingDocument {
    /// The migration.
    pub migration: String,
    /// `PLUGIN/RULE`.
    pub rule: String,
    /// The statement's place in the file, counted from 1; none for the file as a whole.
    pub statement: Option<usize>,
    /// `low`, `medium` or `high`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// The command that approves it, but for the reason.
    pub approve: String,
    /// What approves it with a deploy, where the environment lets a deploy do that: the value of `--approve`.
    pub approve_with_deploy: Option<String>,
}

/// Everything that stops a deploy and that somebody could approve, each rule and statement once.
pub fn awaiting(
    config: &Config,
    ui: &Ui,
    folder: &Folder,
    loaded: &Loaded,
    plan: &[&CheckedMigration],
) -> Vec<AwaitingDocument> {
    let blocked: Vec<&&CheckedMigration> = plan
        .iter()
        .filter(|migration| migration.judgement.findings.iter().any(|judged| judged.blocking))
        .collect();
    if blocked.is_empty() {
        return Vec::new();
    }
    // Of what the files alone do not show, or show to be less bad, the command has to say how bad it is.
    let names = blocked.iter().map(|migration| migration.name.clone());
    let seen = project::context(config, folder, ui).and_then(|context| judge(config, folder, context, loaded, names));
    let seen = seen.map(|report| report.migrations).unwrap_or_default();
    let mut awaiting: Vec<AwaitingDocument> = Vec::new();
    for migration in blocked {
        let twin = seen.iter().find(|twin| twin.name == migration.name);
        for judged in migration.judgement.findings.iter().filter(|judged| judged.blocking) {
            let shows = |other: &JudgedFinding| {
                (&other.plugin, &other.finding.rule, other.finding.statement)
                    == (&judged.plugin, &judged.finding.rule, judged.finding.statement)
                    && other.finding.severity >= judged.finding.severity
            };
            let shown = twin.is_some_and(|twin| twin.judgement.findings.iter().any(shows));
            let document = document(config, ui, &migration.name, judged, shown);
            // One approval is for all that a rule finds at a statement.
            let same = |other: &&mut AwaitingDocument| other.approve == document.approve;
            if awaiting.iter_mut().find(same).is_none() {
                awaiting.push(document);
            }
        }
    }
    awaiting
}

fn document(config: &Config, ui: &Ui, migration: &str, judged: &JudgedFinding, shown: bool) -> AwaitingDocument {
    let finding = &judged.finding;
    let rule = format!("{}/{}", judged.plugin, finding.rule);
    let statement = finding.statement.map(|index| index + 1);
    let place = statement.map_or_else(|| "file".to_owned(), |number| number.to_string());
    let severity = level_name(finding.severity);
    let level = if shown {
        String::new()
    } else {
        format!(" --level {severity}")
    };
    let command = format!(
        "approve {} --rule {rule} --statement {place}{level} --reason \"…\"",
        quoted(migration)
    );
    let with_deploy = format!("{migration}:{rule}:{place}");
    AwaitingDocument {
        migration: migration.to_owned(),
        rule,
        statement,
        severity,
        message: finding.message.clone(),
        approve: ui.call(&command).trim_matches('`').to_owned(),
        approve_with_deploy: config.approves_on_command_line().then(|| quoted(&with_deploy)),
    }
}

/// What a deploy says that stops for want of approvals.
pub fn show_awaiting(ui: &Ui, awaiting: &[AwaitingDocument]) {
    if awaiting.is_empty() {
        return;
    }
    ui.line("what is meant can be approved, to be reviewed with the migration:");
    for one in awaiting {
        ui.line(format!("  {}", one.approve));
    }
    let with_deploy: Vec<&str> = awaiting
        .iter()
        .filter_map(|one| one.approve_with_deploy.as_deref())
        .collect();
    if !with_deploy.is_empty() {
        let flags: String = with_deploy.iter().map(|one| format!("--approve {one} ")).collect();
        let command = ui.call(&format!("deploy {flags}--reason \"…\""));
        ui.line(format!("or with this deploy:\n  {}", command.trim_matches('`')));
    }
}

/// An approval, for people, on one line: `alice@example.org: nothing reads it any more`.
pub fn word(approval: &Approval) -> String {
    let one_line = |text: &str| text.replace(char::is_control, " ");
    format!("{}: {}", one_line(&approval.by), one_line(&approval.reason))
}

/// An approval for a program.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ApprovalDocument {
    /// The migration.
    pub migration: String,
    /// `PLUGIN/RULE`.
    pub rule: String,
    /// The statement's place in the file, counted from 1; none for the file as a whole.
    pub statement: Option<usize>,
    /// Its beginning.
    pub sql: Option<String>,
    /// The highest level of a finding that it is good for: `low`, `medium` or `high`.
    pub level: &'static str,
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: String,
    /// Why.
    pub reason: String,
    /// `file` or `command-line`.
    pub source: &'static str,
    /// The environments that it is for; all where there are none.
    pub environments: Vec<String>,
    /// Until when it is good.
    pub until: Option<String>,
    /// SHA-256 of the migration that was approved.
    pub checksum: String,
    /// Why it does not count, where it does not.
    pub void: Option<String>,
}

impl ApprovalDocument {
    /// The same with why it does not count.
    #[must_use]
    pub fn void(mut self, why: String) -> Self {
        self.void = Some(why);
        self
    }
}

impl From<&Approval> for ApprovalDocument {
    fn from(approval: &Approval) -> Self {
        let statement = approval.statement.as_ref();
        Self {
            migration: approval.migration.clone(),
            rule: format!("{}/{}", approval.plugin, approval.rule),
            statement: statement.map(|statement| statement.number),
            sql: statement.map(|statement| statement.sql.clone()),
            level: level_name(approval.level),
            by: approval.by.clone(),
            at: approval.at.to_string(),
            reason: approval.reason.clone(),
            source: approval.source.name(),
            environments: approval.environments.clone(),
            until: approval.until.map(|until| until.to_string()),
            checksum: approval.checksum.clone(),
            void: None,
        }
    }
}

/// The person that git knows here, by mail address.
pub fn git_user(folder: &Path) -> Option<String> {
    let output = std::process::Command::new("git")
        .args(["config", "--get", "user.email"])
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
