//! `tollgate approve`

mod meaning;

use jiff::Timestamp;
use serde::Serialize;
use tollgate_engine::approval::{self, Approval, ApprovalFile, Choice, RuleName, Subject, Void, level_name};
use tollgate_engine::host::Kind;
use tollgate_engine::host::types::Severity as EngineSeverity;
use tollgate_engine::nearest::{nearest, nearest_migration};
use tollgate_engine::sql::{Dialect, Position, Script};
use tollgate_engine::{Folder, JudgedFinding, MigrationFile};

use super::Context;
use super::deploy::reason;
use crate::config::Config;
use crate::engine::approvals::{self, ApprovalDocument, word};
use crate::engine::plugins::{Loaded, Loader};
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::documents::Body;
use crate::output::path::shown;
use crate::output::report::Report;
use crate::output::style::{BAD, DIM, GOOD, NAME, paint};

/// Approve what a policy found: writes approvals.toml beside the migrations, to be reviewed with them
///
/// An approval holds for one rule at one statement of one migration as its file is now: when the file is edited, it is void.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The migration
    #[arg(value_name = "MIGRATION", required_unless_present_any = ["list", "prune"])]
    migration: Option<String>,
    /// The rule that found something: PLUGIN/RULE, or RULE. Can be given several times
    #[arg(long, value_name = "RULE", required_unless_present_any = ["list", "prune", "revoke"])]
    rule: Vec<RuleName>,
    /// The statement: its number in the file, `all`, or `file` for what is found in the file as a whole [default: the only
    /// one]
    #[arg(long, value_name = "N")]
    statement: Option<Choice>,
    /// Why it is meant
    #[arg(long, value_name = "TEXT", value_parser = reason, required_unless_present_any = ["list", "prune", "revoke"])]
    reason: Option<String>,
    /// Who approves [default: the mail address that git knows, or the user]
    #[arg(long, value_name = "NAME", value_parser = name)]
    by: Option<String>,
    /// Only for deploys to this environment. Can be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    environment: Vec<String>,
    /// Until when it is good: 2026-12-01 or 2026-12-01T12:00:00Z [default: without end]
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Timestamp>,
    /// What a deploy reports although the files alone do not show it, or show it to be less bad: low, medium or high
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Option<EngineSeverity>,
    /// Show the approvals that there are, and whether they count
    #[arg(long, conflicts_with_all = ["revoke", "prune", "rule", "reason", "by", "environment", "until", "level", "statement"])]
    list: bool,
    /// Take approvals of the migration back
    #[arg(long, conflicts_with_all = ["prune", "reason", "by", "environment", "until", "level"])]
    revoke: bool,
    /// Take out approvals that will never count again: of files that were edited, or are gone, and those that are over
    #[arg(long, conflicts_with_all = ["rule", "reason", "by", "environment", "until", "level", "statement"])]
    prune: bool,
}

/// The document of `approve`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shown {
    /// The file that approvals stand in.
    file: String,
    /// Those that were added.
    added: Vec<ApprovalDocument>,
    /// Those that were taken out.
    removed: Vec<ApprovalDocument>,
    /// Those that there are now, each with why it does not count in the chosen environment, where it does not.
    approvals: Vec<ApprovalDocument>,
}

impl Body for Shown {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let folder = project::folder(&config, ui)?;
    let dialect = project::context(&config, &folder, ui)?.dialect;
    let mut desk = Desk {
        ui,
        config: &config,
        folder: &folder,
        dialect,
        file: approvals::read(&folder)?,
    };
    let (added, removed) = if args.list {
        desk.list(args.migration.as_deref())?;
        (Vec::new(), Vec::new())
    } else if args.prune {
        (Vec::new(), desk.prune(args.migration.as_deref())?)
    } else if args.revoke {
        (Vec::new(), desk.revoke(args)?)
    } else {
        (desk.approve(args)?, Vec::new())
    };
    ui.document(&Shown {
        file: shown(&approvals::path(&folder)),
        added: added.iter().map(ApprovalDocument::from).collect(),
        removed: removed.iter().map(ApprovalDocument::from).collect(),
        approvals: desk.documents()?,
    });
    Ok(Exit::Done)
}

/// Somebody's name or mail address.
fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_control) {
        return Err("that is nobody's name".to_owned());
    }
    Ok(text.to_owned())
}

fn until(text: &str) -> Result<Timestamp, String> {
    let time = approval::time(text).ok_or("a time is like 2026-12-01 or 2026-12-01T12:00:00Z")?;
    if time <= Timestamp::now() {
        return Err("that is over already".to_owned());
    }
    Ok(time)
}

fn level(text: &str) -> Result<EngineSeverity, String> {
    match text {
        "low" => Ok(EngineSeverity::Low),
        "medium" => Ok(EngineSeverity::Medium),
        "high" => Ok(EngineSeverity::High),
        _ => Err("a level is low, medium or high".to_owned()),
    }
}

/// An approval, and whether it counts in the chosen environment.
type Standing<'a> = (&'a Approval, Result<(), Void>);

/// Where approvals are given, looked at and taken back.
struct Desk<'a> {
    ui: &'a Ui,
    config: &'a Config,
    folder: &'a Folder,
    dialect: Dialect,
    file: ApprovalFile,
}

impl<'a> Desk<'a> {
    fn approve(&mut self, args: &Args) -> Result<Vec<Approval>, Failure> {
        let name = args.migration.as_deref().unwrap_or_default();
        self.expect_environments(&args.environment)?;
        let by = self.who(args)?;
        let loaded = Loader::new(self.config, self.ui).load(&[Kind::Policy, Kind::Rollback])?;
        let findings = self.findings(name, &loaded)?;
        let file = self.file_of(name)?;
        let script = self.script(file)?;
        let subject = subject(file, &script);
        let mut added = Vec::new();
        for rule in &args.rule {
            for found in meaning::find(
                self.ui,
                (rule, args.statement, args.level),
                &findings,
                &loaded,
                &subject,
            )? {
                let reason = args.reason.as_deref().unwrap_or_default();
                let word = (by.as_str(), now());
                let rule = (found.plugin.as_str(), found.rule.as_str());
                let Some(mut approval) = subject.approve(rule, found.statement, found.level, word, reason) else {
                    return Err(meaning::no_statement(name, &script, found.statement));
                };
                approval.environments.clone_from(&args.environment);
                approval.until = args.until;
                self.say(&approval, found.message.as_deref(), &script);
                self.file.add(approval.clone());
                added.push(approval);
            }
        }
        approvals::write(self.folder, &self.file)?;
        let path = shown(&approvals::path(self.folder));
        self.ui
            .line(format!("wrote {}: commit it with the migration", paint(NAME, path)));
        Ok(added)
    }

    fn say(&self, approval: &Approval, message: Option<&str>, script: &Script) {
        let number = approval.statement.as_ref().map(|statement| statement.number);
        let place = number.and_then(|number| script.statements.get(number - 1));
        let line = place.map(|statement| Position::of(&script.text, statement.span.start).line);
        let line = line.map_or_else(String::new, |line| format!(" (line {line})"));
        let message = message.map_or_else(
            || format!("up to {}, as a deploy reports it", level_name(approval.level)),
            str::to_owned,
        );
        self.ui
            .line(format!("{} {approval}{line}: {message}", paint(GOOD, "approved")));
    }

    /// The findings that there are with nothing but the files.
    fn findings(&self, name: &str, loaded: &Loaded) -> Result<Vec<JudgedFinding>, Failure> {
        let context = project::context(self.config, self.folder, self.ui)?;
        let report = approvals::judge(self.config, self.folder, context, loaded, [name.to_owned()])?;
        loaded.show_log(self.ui);
        let judged = report.migrations.into_iter().find(|migration| migration.name == name);
        Ok(judged.map(|migration| migration.judgement.findings).unwrap_or_default())
    }

    fn who(&self, args: &Args) -> Result<String, Failure> {
        let by = args
            .by
            .clone()
            .or_else(|| approvals::git_user(&self.folder.dir))
            .or_else(|| self.config.actor());
        let Some(by) = by else {
            let report = Report::error("approve::nobody", "it is not known who approves").help("say it with --by");
            return Err(Failure::new(Exit::Usage, report));
        };
        let approvers = self.config.approvers()?;
        match approvers {
            Some(approvers) if !approval::is_among(&approvers, &by) => {
                let list = if approvers.is_empty() {
                    "nobody".to_owned()
                } else {
                    approvers.join(", ")
                };
                let report = Report::error(
                    "approve::not-an-approver",
                    format!("{by} is not among the approvers: {list}"),
                )
                .help("--by names somebody else, who then has to review it");
                Err(Failure::new(Exit::Usage, report))
            }
            _ => Ok(by),
        }
    }

    fn expect_environments(&self, names: &[String]) -> Result<(), Failure> {
        let known = self.config.environments();
        let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        let help = match nearest(unknown, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None if known.is_empty() => "the configuration has none".to_owned(),
            None => format!("the configuration has {}", known.join(", ")),
        };
        let report = Report::error(
            "approve::environment",
            format!("there is no environment named {unknown}"),
        );
        Err(Failure::new(Exit::Usage, report.help(help)))
    }

    fn file_of(&self, name: &str) -> Result<&'a MigrationFile, Failure> {
        self.folder.find(name).ok_or_else(|| {
            let names = self.folder.migrations.iter().map(|file| file.name.as_str());
            let similar = nearest_migration(name, names);
            let migration = name.to_owned();
            tollgate_engine::Error::NotFound { migration, similar }.into()
        })
    }

    fn script(&self, file: &MigrationFile) -> Result<Script, Failure> {
        tollgate_engine::sql::parse(self.dialect, &file.text).map_err(|error| {
            let message = format!("{} cannot be read: {}", file.name, error.message);
            Failure::new(Exit::Failed, Report::error("script::syntax", message))
        })
    }

    /// Whether each approval counts in the chosen environment.
    fn standings(&self) -> Result<Vec<Standing<'_>>, Failure> {
        let given = approvals::given(self.config, self.folder)?;
        let mut scripts: Vec<(&MigrationFile, Script)> = Vec::new();
        for approval in self.file.approvals() {
            let read = scripts.iter().any(|(file, _)| file.name == approval.migration);
            if let Some(file) = self.folder.find(&approval.migration).filter(|_| !read) {
                scripts.push((file, self.script(file)?));
            }
        }
        let standing = |approval: &Approval| {
            let found = scripts.iter().find(|(file, _)| file.name == approval.migration);
            let subject = found.map(|(file, script)| subject(file, script));
            given.holds(approval, subject.as_ref())
        };
        Ok(self
            .file
            .approvals()
            .map(|approval| (approval, standing(approval)))
            .collect())
    }

    fn list(&self, only: Option<&str>) -> Result<(), Failure> {
        let standings = self.standings()?;
        let shown = standings
            .iter()
            .filter(|(approval, _)| only.is_none_or(|name| name == approval.migration));
        let mut number = 0;
        for (approval, holds) in shown {
            number += 1;
            let sql = approval
                .statement
                .as_ref()
                .map_or_else(String::new, |statement| format!(": {}", statement.sql));
            self.ui.line(format!("{}{}", paint(NAME, approval), paint(DIM, sql)));
            self.ui.line(format!("   {}", word(approval)));
            self.ui.line(match holds {
                Ok(()) => format!("   {}{}", paint(GOOD, "counts"), limits(approval)),
                Err(why) => format!("   {}: {why}", paint(BAD, "does not count")),
            });
        }
        if number == 0 {
            self.ui.line("there are no approvals");
        }
        Ok(())
    }

    fn prune(&mut self, only: Option<&str>) -> Result<Vec<Approval>, Failure> {
        let void: Vec<(Approval, String)> = self
            .standings()?
            .into_iter()
            .filter(|(approval, _)| only.is_none_or(|name| name == approval.migration))
            .filter_map(|(approval, holds)| {
                let why = holds.err().filter(Void::is_lasting)?;
                Some((approval.clone(), why.to_string()))
            })
            .collect();
        for (approval, why) in &void {
            self.ui.line(format!("took out {approval}: {why}"));
        }
        self.take_out(|approval| void.iter().any(|(gone, _)| gone == approval))
    }

    fn revoke(&mut self, args: &Args) -> Result<Vec<Approval>, Failure> {
        let name = args.migration.as_deref().unwrap_or_default();
        let meant = |approval: &Approval| {
            let number = approval.statement.as_ref().map(|statement| statement.number);
            let rule = |rule: &RuleName| {
                rule.rule == approval.rule && rule.plugin.as_ref().is_none_or(|plugin| *plugin == approval.plugin)
            };
            let statement = match args.statement.unwrap_or(Choice::All) {
                Choice::Only | Choice::All => true,
                Choice::File => number.is_none(),
                Choice::Number(wanted) => number == Some(wanted),
            };
            approval.migration == name && statement && (args.rule.is_empty() || args.rule.iter().any(rule))
        };
        let gone = self.take_out(meant)?;
        if gone.is_empty() {
            let there: Vec<String> = self.file.approvals().map(ToString::to_string).collect();
            let report = Report::error(
                "approve::nothing-to-revoke",
                format!("there is no such approval of {name}"),
            );
            let help = if there.is_empty() {
                "there are none at all".to_owned()
            } else {
                there.join("\n")
            };
            return Err(Failure::new(Exit::Usage, report.help(help)));
        }
        for approval in &gone {
            self.ui.line(format!("took back {approval} by {}", word(approval)));
        }
        Ok(gone)
    }

    fn take_out(&mut self, goes: impl FnMut(&Approval) -> bool) -> Result<Vec<Approval>, Failure> {
        let gone = self.file.remove(goes);
        if !gone.is_empty() {
            approvals::write(self.folder, &self.file)?;
        }
        Ok(gone)
    }

    fn documents(&self) -> Result<Vec<ApprovalDocument>, Failure> {
        let document = |(approval, holds): Standing<'_>| {
            let document = ApprovalDocument::from(approval);
            match holds {
                Ok(()) => document,
                Err(why) => document.void(why.to_string()),
            }
        };
        Ok(self.standings()?.into_iter().map(document).collect())
    }
}

/// Now, to the second: nobody needs more in a file.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn subject<'a>(file: &'a MigrationFile, script: &'a Script) -> Subject<'a> {
    Subject {
        name: &file.name,
        checksum: &file.checksum,
        script,
    }
}

/// Where and how long an approval counts.
fn limits(approval: &Approval) -> String {
    let until = approval
        .until
        .map(|until| format!(" until {until:.0}"))
        .unwrap_or_default();
    match approval.environments.as_slice() {
        [] => until,
        environments => format!(" for {}{until}", environments.join(" and ")),
    }
}
