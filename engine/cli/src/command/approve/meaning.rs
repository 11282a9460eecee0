//! What somebody means who names a rule and perhaps a statement: what the files show, or what a deploy is said to show.

use tollgate_engine::JudgedFinding;
use tollgate_engine::approval::{Choice, RuleName, Subject, level_name, select};
use tollgate_engine::host::types::Severity;
use tollgate_engine::sql::{Position, Script};

use crate::engine::findings::count;
use crate::engine::plugins::Loaded;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::report::Report;

/// What is to be approved: what the files show, or what a deploy is said to show at a level.
pub fn find(
    ui: &Ui,
    (rule, statement, level): (&RuleName, Option<Choice>, Option<Severity>),
    findings: &[JudgedFinding],
    loaded: &Loaded,
    subject: &Subject<'_>,
) -> Result<Vec<Meant>, Failure> {
    let why = match select(subject.name, findings, rule, statement.unwrap_or_default()) {
        Ok(found) => return Ok(found.into_iter().map(|judged| Meant::new(judged, level)).collect()),
        Err(why) => why,
    };
    if let Some(level) = level {
        return Ok(vec![unseen(rule, statement, level, loaded)?]);
    }
    let there = findings.iter().filter(|judged| judged.allowed.is_none());
    let mut help: Vec<String> = there.map(|judged| listed(judged, subject.script)).collect();
    if help.is_empty() {
        help.push("there is nothing to approve in it".to_owned());
    }
    help.push(format!(
        "what only a deploy with its database reports is approved with {}",
        ui.call("approve … --statement N --level LEVEL")
    ));
    let report = Report::error("approve::no-finding", format!("{rule} {why}"));
    Err(Failure::new(Exit::Usage, report.help(help.join("\n"))))
}

/// One thing that is to be approved.
pub struct Meant {
    /// The policy.
    pub plugin: String,
    /// Its rule.
    pub rule: String,
    /// The statement's place in the file, counted from 1; `None` for the file as a whole.
    pub statement: Option<usize>,
    /// The level up to which it is approved.
    pub level: Severity,
    /// What the files show.
    pub message: Option<String>,
}

impl Meant {
    /// A finding, up to this level where that is higher than what the files show.
    fn new(judged: &JudgedFinding, level: Option<Severity>) -> Self {
        let found = judged.finding.severity;
        Self {
            plugin: judged.plugin.clone(),
            rule: judged.finding.rule.clone(),
            statement: judged.finding.statement.map(|index| index + 1),
            level: level.map_or(found, |level| level.max(found)),
            message: Some(judged.finding.message.clone()),
        }
    }
}

/// What the files do not show. The rule has to be there, and the place has to be said.
fn unseen(rule: &RuleName, statement: Option<Choice>, level: Severity, loaded: &Loaded) -> Result<Meant, Failure> {
    let policies = loaded.policies.iter().filter(|policy| {
        let plugin = policy.plugin.name();
        rule.plugin.as_deref().is_none_or(|wanted| wanted == plugin) && policy.rules().contains(&rule.rule)
    });
    let plugins: Vec<&str> = policies.map(|policy| policy.plugin.name()).collect();
    let wrong = |message: String, help: &str| {
        let report = Report::error("approve::no-finding", message).help(help);
        Err(Failure::new(Exit::Usage, report))
    };
    let statement = match statement {
        Some(Choice::Number(number)) => Some(number),
        Some(Choice::File) => None,
        _ => {
            let message = format!("where {rule} finds something is not to be seen in the files");
            return wrong(message, "say it with --statement N, as the deploy's message has it");
        }
    };
    match plugins.as_slice() {
        [plugin] => Ok(Meant {
            plugin: (*plugin).to_owned(),
            rule: rule.rule.clone(),
            statement,
            level,
            message: None,
        }),
        [] => wrong(
            format!("no policy has a rule {rule} that is on"),
            "`tollgate plugin list` shows them",
        ),
        _ => wrong(
            format!("{rule} is a rule of several policies: {}", plugins.join(", ")),
            "name it as PLUGIN/RULE",
        ),
    }
}

/// The file has fewer statements.
pub fn no_statement(name: &str, script: &Script, number: Option<usize>) -> Failure {
    let there = count(script.statements.len(), "statement");
    let message = format!("{name} has no statement {}: it has {there}", number.unwrap_or_default());
    Failure::new(Exit::Usage, Report::error("approve::no-statement", message))
}

/// A finding that could be approved: `--rule destructive/drop-table --statement 2 (line 3): drops the table a (high)`.
fn listed(judged: &JudgedFinding, script: &Script) -> String {
    let finding = &judged.finding;
    let place = match finding.statement {
        Some(index) => {
            let statement = script.statements.get(index);
            let line = statement.map(|statement| Position::of(&script.text, statement.span.start).line);
            format!("{} (line {})", index + 1, line.unwrap_or_default())
        }
        None => "file".to_owned(),
    };
    format!(
        "--rule {}/{} --statement {place}: {} ({})",
        judged.plugin,
        finding.rule,
        finding.message,
        level_name(finding.severity)
    )
}
