//! `tollgate plugin`

use serde::Serialize;
use tollgate_engine::host::Kind;
use tollgate_engine::host::types::{Description, Rule, Severity};
use tollgate_engine::rules;

use super::Context;
use crate::config::Config;
use crate::config::model::RuleLevel;
use crate::config::plugins::{PluginConfig, PluginSource};
use crate::engine::plugins::{Loader, bytes, unknown_rule};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::{Body, ReportDocument};
use crate::output::path::shown;
use crate::output::style::{BAD, DIM, GOOD, NAME, paint};

/// Look at the plugins
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
}

/// List the plugins of this project, what each is for and what it may do
#[derive(Debug, clap::Args)]
struct List {
    /// List the rules of policies, too, with their levels
    #[arg(long)]
    rules: bool,
}

/// The document of `plugin list`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listed {
    /// Every plugin that is configured or comes with the program.
    plugins: Vec<PluginDocument>,
}

/// One plugin.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PluginDocument {
    /// Its name in the configuration.
    name: String,
    /// `builtin:NAME` or a path; of Tollgate itself some words.
    source: String,
    /// It is asked.
    enabled: bool,
    /// Why it is not.
    off_because: Option<&'static str>,
    /// What it says about itself, if it can be read.
    about: Option<AboutDocument>,
    /// Why it cannot.
    errors: Vec<ReportDocument>,
}

/// What a plugin says about itself, and what the configuration makes of it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AboutDocument {
    /// `policy`, `rollback` or `notifier`.
    kind: &'static str,
    /// Its version.
    version: String,
    /// What it is for.
    summary: String,
    /// Capabilities that it asks for and gets.
    granted: Vec<String>,
    /// Capabilities that it asks for and does not get.
    withheld: Vec<String>,
    /// Its rules.
    rules: Vec<RuleDocument>,
}

/// One rule.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RuleDocument {
    /// Its name.
    id: String,
    /// What it is about.
    summary: String,
    /// The level it has here: `off`, `low`, `medium` or `high`.
    level: &'static str,
    /// The configuration sets it.
    configured: bool,
}

impl Body for Listed {}

/// Runs the command.
pub fn run(args: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let Command::List(list) = &args.command;
    let config = context.config()?;
    let loader = Loader::new(&config, context.ui);
    let describe = |plugin: PluginConfig| {
        let described = match plugin.source {
            PluginSource::Engine => Ok((Kind::Policy, rules::description())),
            _ => bytes(&plugin).and_then(|bytes| loader.describe(&plugin, &bytes)),
        };
        document(&config, &plugin, described)
    };
    let plugins: Vec<PluginDocument> = config.plugins()?.into_iter().map(describe).collect();
    for plugin in &plugins {
        show(context, list, plugin);
    }
    let unusable = plugins.iter().any(|plugin| plugin.enabled && !plugin.errors.is_empty());
    context.ui.document(&Listed { plugins });
    Ok(if unusable { Exit::Failed } else { Exit::Done })
}

fn show(context: &Context<'_>, list: &List, plugin: &PluginDocument) {
    let state = match plugin.off_because {
        None => paint(GOOD, "on"),
        Some(why) => paint(DIM, format!("off, {why}")),
    };
    let version = plugin
        .about
        .as_ref()
        .map_or_else(String::new, |about| format!(" {}", about.version));
    let source = paint(DIM, format!("({})", plugin.source));
    context
        .ui
        .line(format!("{}{version} {source}: {state}", paint(NAME, &plugin.name)));
    for error in &plugin.errors {
        context
            .ui
            .line(format!("  {} {}", paint(BAD, "cannot be used:"), error.message));
    }
    if let Some(about) = &plugin.about {
        show_about(context, list, plugin.enabled, about);
    }
}

fn show_about(context: &Context<'_>, list: &List, enabled: bool, about: &AboutDocument) {
    context.ui.line(format!("  {}: {}", about.kind, about.summary));
    if !about.granted.is_empty() {
        context.ui.line(format!("  may use {}", about.granted.join(", ")));
    }
    if !about.withheld.is_empty() {
        context
            .ui
            .line(format!("  asks for {}, not granted", about.withheld.join(", ")));
    }
    if list.rules {
        for rule in &about.rules {
            context.ui.line(format!(
                "  {:<6} {} {}",
                rule.level,
                paint(NAME, &rule.id),
                paint(DIM, &rule.summary)
            ));
        }
    } else if enabled && !about.rules.is_empty() {
        let on = about.rules.iter().filter(|rule| rule.level != "off").count();
        context
            .ui
            .line(format!("  {on} of {} rules on (--rules lists them)", about.rules.len()));
    }
}

fn document(config: &Config, plugin: &PluginConfig, described: Result<(Kind, Description), Failure>) -> PluginDocument {
    let source = match &plugin.source {
        PluginSource::Builtin(name) => format!("builtin:{name}"),
        PluginSource::Path(path) => shown(path),
        PluginSource::Engine => "the engine's own rules".to_owned(),
    };
    let (about, errors) = match described {
        Ok((kind, description)) => {
            let known: Vec<&str> = description.rules.iter().map(|rule| rule.id.as_str()).collect();
            let unknown = plugin.rules.keys().filter(|rule| !known.contains(&rule.as_str()));
            let failures = unknown.map(|rule| unknown_rule(config, plugin, rule, &known));
            let errors = failures
                .flat_map(|failure| failure.reports().iter().map(ReportDocument::from).collect::<Vec<_>>())
                .collect();
            (Some(about(plugin, kind, description)), errors)
        }
        Err(failure) => (None, failure.reports().iter().map(ReportDocument::from).collect()),
    };
    PluginDocument {
        name: plugin.name.clone(),
        source,
        enabled: plugin.enabled,
        off_because: off_because(config, plugin),
        about,
        errors,
    }
}

fn off_because(config: &Config, plugin: &PluginConfig) -> Option<&'static str> {
    let configured = config.settings.plugins.get(&plugin.name);
    match (plugin.enabled, configured.and_then(|plugin| plugin.enabled)) {
        (true, _) => None,
        (false, Some(_)) => Some("it is disabled"),
        (false, None) if plugin.name == "slack" => Some("SLACK_WEBHOOK_URL is not set"),
        (false, None) => Some("it has no endpoint"),
    }
}

fn about(plugin: &PluginConfig, kind: Kind, description: Description) -> AboutDocument {
    let rules = description.rules.iter().map(|rule| self::rule(plugin, rule)).collect();
    let (granted, withheld) = description
        .capabilities
        .into_iter()
        .partition(|capability| plugin.grant.contains(capability));
    AboutDocument {
        kind: match kind {
            Kind::Policy => "policy",
            Kind::Rollback => "rollback",
            Kind::Notifier => "notifier",
        },
        version: description.version,
        summary: description.summary,
        granted,
        withheld,
        rules,
    }
}

/// The level that a rule has here: `off`, `low`, `medium` or `high`.
pub fn level(plugin: &PluginConfig, rule: &Rule) -> &'static str {
    match (
        plugin.rules.get(&rule.id),
        rule.enabled_by_default,
        rule.default_severity,
    ) {
        (Some(RuleLevel::Off), ..) | (None, false, _) => "off",
        (Some(RuleLevel::Low), ..) | (None, _, Severity::Low) => "low",
        (Some(RuleLevel::Medium), ..) | (None, _, Severity::Medium) => "medium",
        (Some(RuleLevel::High), ..) | (None, _, Severity::High) => "high",
    }
}

fn rule(plugin: &PluginConfig, rule: &Rule) -> RuleDocument {
    let configured = plugin.rules.get(&rule.id);
    let level = level(plugin, rule);
    RuleDocument {
        id: rule.id.clone(),
        summary: rule.summary.clone(),
        level,
        configured: configured.is_some(),
    }
}
