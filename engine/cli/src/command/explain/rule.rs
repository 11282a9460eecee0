//! What a rule reports and what to do about it, in its plugin's own words.

use serde::Serialize;
use tollgate_engine::host::types::Rule;
use tollgate_engine::nearest::nearest;
use tollgate_engine::rules;

use crate::command::Context;
use crate::command::plugin::level;
use crate::config::Config;
use crate::config::plugins::{PluginConfig, PluginSource};
use crate::engine::findings::severity;
use crate::engine::plugins::{Loader, bytes};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::report::Report;
use crate::output::style::{DIM, NAME, paint};

/// One rule of one plugin.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RuleDocument {
    /// The plugin, by its name in the configuration.
    plugin: String,
    /// The rule.
    rule: String,
    /// What it reports, in a line.
    summary: String,
    /// The level it has here: `off`, `low`, `medium` or `high`.
    level: &'static str,
    /// The level where the configuration says nothing.
    default_level: &'static str,
    /// It is on where the configuration says nothing.
    enabled_by_default: bool,
    /// Markdown: what it does, why it matters, what to do instead.
    explanation: String,
    /// SQL that is reported.
    bad_example: Option<String>,
    /// SQL that is not.
    good_example: Option<String>,
}

/// Whether any plugin has the rule.
pub fn is_known(name: &str, context: &Context<'_>, config: &Config) -> Result<bool, Failure> {
    Ok(!meant(name, &all(context, config)?).is_empty())
}

/// Prints the rules of that name.
pub fn explain_rule(name: &str, context: &Context<'_>, config: &Config) -> Result<Vec<RuleDocument>, Failure> {
    let all = all(context, config)?;
    let found = meant(name, &all);
    if found.is_empty() {
        return Err(unknown(name, &all));
    }
    let mut documents = Vec::new();
    for (plugin, rule) in found {
        let document = document(plugin, rule);
        show(context, &document, plugin.enabled);
        documents.push(document);
    }
    Ok(documents)
}

/// Every rule of every plugin that can be read, those that are switched off included.
fn all(context: &Context<'_>, config: &Config) -> Result<Vec<(PluginConfig, Vec<Rule>)>, Failure> {
    let loader = Loader::new(config, context.ui);
    let mut all = Vec::new();
    for plugin in config.plugins()? {
        let described = match plugin.source {
            PluginSource::Engine => Ok(rules::description()),
            _ => bytes(&plugin).and_then(|bytes| Ok(loader.describe(&plugin, &bytes)?.1)),
        };
        match described {
            Ok(description) => all.push((plugin, description.rules)),
            // Another one may have the rule.
            Err(failure) => failure
                .reports()
                .iter()
                .for_each(|report| context.ui.warn(&report.message)),
        }
    }
    Ok(all)
}

/// `RULE` of any plugin, or `PLUGIN/RULE`.
fn meant<'a>(name: &str, all: &'a [(PluginConfig, Vec<Rule>)]) -> Vec<(&'a PluginConfig, &'a Rule)> {
    let (wanted, id) = match name.split_once('/') {
        Some((plugin, id)) => (Some(plugin), id),
        None => (None, name),
    };
    all.iter()
        .filter(|(plugin, _)| wanted.is_none_or(|wanted| wanted == plugin.name))
        .flat_map(|(plugin, rules)| rules.iter().map(move |rule| (plugin, rule)))
        .filter(|(_, rule)| rule.id == id)
        .collect()
}

fn unknown(name: &str, all: &[(PluginConfig, Vec<Rule>)]) -> Failure {
    let id = name.split_once('/').map_or(name, |(_, id)| id);
    let known: Vec<&str> = all
        .iter()
        .flat_map(|(_, rules)| rules)
        .map(|rule| rule.id.as_str())
        .collect();
    let report = Report::error(
        "explain::unknown",
        format!("there is no migration, file or rule called {name}"),
    );
    let help = match nearest(id, known) {
        Some(similar) => format!("is {similar} meant? `tollgate plugin list --rules` lists the rules"),
        None => "`tollgate plugin list --rules` lists the rules, `tollgate status` the migrations".to_owned(),
    };
    Failure::new(Exit::Usage, report.help(help))
}

fn document(plugin: &PluginConfig, rule: &Rule) -> RuleDocument {
    RuleDocument {
        plugin: plugin.name.clone(),
        rule: rule.id.clone(),
        summary: rule.summary.clone(),
        level: level(plugin, rule),
        default_level: severity(rule.default_severity),
        enabled_by_default: rule.enabled_by_default,
        explanation: rule.explanation.clone(),
        bad_example: rule.bad_example.clone(),
        good_example: rule.good_example.clone(),
    }
}

fn show(context: &Context<'_>, rule: &RuleDocument, enabled: bool) {
    let ui = context.ui;
    let level = match (enabled, rule.level) {
        (false, _) => format!("off, like all of {}", rule.plugin),
        (true, "off") => format!("off here, {} when it is on", rule.default_level),
        (true, level) => level.to_owned(),
    };
    ui.line(format!(
        "{} {}",
        paint(NAME, format!("{}/{}", rule.plugin, rule.rule)),
        paint(DIM, format!("({level})"))
    ));
    ui.line(&rule.summary);
    let indented = |text: &str| -> Vec<String> { text.trim_end().lines().map(|line| format!("  {line}")).collect() };
    if !rule.explanation.trim().is_empty() {
        ui.line(format!("\n{}", rule.explanation.trim()));
    }
    for (title, example) in [("Reported:", &rule.bad_example), ("Not reported:", &rule.good_example)] {
        if let Some(example) = example {
            ui.line(format!("\n{title}\n"));
            ui.line(indented(example).join("\n"));
        }
    }
}
