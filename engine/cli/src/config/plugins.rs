//! The plugins that a run asks, with their sources found and their secrets looked up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tollgate_engine::nearest::nearest;
use tollgate_engine::rules;

use super::error::ConfigError;
use super::model::{BUNDLED, NOTIFIERS, OnFailure, Plugin, RuleLevel};
use super::resolved::Config;
use super::secret::Secret;

/// Where a plugin's component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// Comes with the program.
    Builtin(String),
    /// A file.
    Path(PathBuf),
    /// The program itself: the engine's own rules.
    Engine,
}

/// A plugin as a run uses it.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// Its name in the configuration.
    pub name: String,
    /// Where its component is.
    pub source: PluginSource,
    /// Whether it is asked.
    pub enabled: bool,
    /// What it is granted if it asks for it.
    pub grant: Vec<String>,
    /// What its failure means, for a policy.
    pub on_failure: OnFailure,
    /// Whether its failure fails the run, for a notifier.
    pub required: bool,
    /// Levels of its rules.
    pub rules: BTreeMap<String, RuleLevel>,
    /// Rules that no comment may allow, each with the file and line that say so.
    pub enforced: BTreeMap<String, String>,
    /// Its own settings, as it gets them.
    pub settings: serde_json::Value,
    /// Limits of its own.
    pub limits: super::model::Limits,
}

/// A place that a plugin may send HTTP requests to, secrets looked up.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// The address.
    pub url: Secret,
    /// Private networks are allowed.
    pub allow_private: bool,
    /// The plugin may append a path.
    pub allow_path: bool,
    /// Headers that the engine adds.
    pub headers: BTreeMap<String, Secret>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Secret>,
}

const SOURCES: &str = "`source` is builtin:NAME or the path of a component";
const ENDPOINTS: &str = "`url` is a web address, or env:NAME for the variable that holds it";

impl Config {
    /// Every plugin that is configured or comes with the program, by name. The engine's own rules come first.
    pub fn plugins(&self) -> Result<Vec<PluginConfig>, ConfigError> {
        let others = self.settings.plugins.iter().filter(|(name, _)| *name != rules::NAME);
        let others = others.map(|(name, plugin)| self.plugin(name, plugin));
        std::iter::once(self.engine_rules()).chain(others).collect()
    }

    /// What is said of the engine's own rules, as if they were those of a plugin.
    pub fn engine_rules(&self) -> Result<PluginConfig, ConfigError> {
        let name = rules::NAME;
        let nothing = Plugin::default();
        let found = self.settings.plugins.get(name).unwrap_or(&nothing);
        let known = Plugin {
            enabled: found.enabled,
            rules: found.rules.clone(),
            ..Plugin::default()
        };
        if *found != known {
            let problem = "is Tollgate itself: it has `enabled` and `rules`, and no other settings".to_owned();
            let help = "give a plugin of your own another name";
            return Err(self.plugin_error(name, &format!("plugins.{name}"), problem, help));
        }
        self.plugin(name, found)
    }

    fn plugin(&self, name: &str, plugin: &Plugin) -> Result<PluginConfig, ConfigError> {
        let limits = plugin.limits.clone().unwrap_or_default();
        let general = self.settings.limits.clone();
        Ok(PluginConfig {
            name: name.to_owned(),
            source: self.source(name, plugin)?,
            enabled: plugin
                .enabled
                .unwrap_or(!NOTIFIERS.contains(&name) || !plugin.endpoints.is_empty()),
            grant: plugin.grant.clone().unwrap_or_default(),
            on_failure: plugin.on_failure.unwrap_or(OnFailure::Block),
            required: plugin.required.unwrap_or(false),
            rules: plugin.rules.clone(),
            enforced: self.enforced_rules(name),
            settings: serde_json::Value::Object(plugin.settings.clone().into_iter().collect()),
            limits: super::model::Limits {
                fuel: limits.fuel.or(general.fuel),
                memory_mib: limits.memory_mib.or(general.memory_mib),
                deadline_ms: limits.deadline_ms.or(general.deadline_ms),
                findings: limits.findings.or(general.findings),
                log_lines: limits.log_lines.or(general.log_lines),
                output_kib: limits.output_kib.or(general.output_kib),
            },
        })
    }

    fn enforced_rules(&self, plugin: &str) -> BTreeMap<String, String> {
        let of = |rule: &String| {
            let key = ["plugins", plugin, "rules", rule].map(ToOwned::to_owned);
            let by = self.enforced.of(&key).last()?.by();
            Some((rule.clone(), by))
        };
        let set = self.settings.plugins.get(plugin);
        set.into_iter()
            .flat_map(|plugin| plugin.rules.keys())
            .filter_map(of)
            .collect()
    }

    fn source(&self, name: &str, plugin: &Plugin) -> Result<PluginSource, ConfigError> {
        if name == rules::NAME {
            return Ok(PluginSource::Engine);
        }
        let key = format!("plugins.{name}.source");
        let Some(source) = plugin.source.as_deref() else {
            return Err(self.plugin_error(name, &format!("plugins.{name}"), "has no source".to_owned(), SOURCES));
        };
        match source.strip_prefix("builtin:") {
            None => Ok(PluginSource::Path(self.path_from(&key, source.as_ref()))),
            Some(wanted) => {
                let known: Vec<&str> = BUNDLED.iter().map(|(name, _)| *name).collect();
                if known.contains(&wanted) {
                    return Ok(PluginSource::Builtin(wanted.to_owned()));
                }
                let near = nearest(wanted, known).map_or_else(String::new, |near| format!("; did you mean {near}?"));
                Err(self.plugin_error(
                    name,
                    &key,
                    format!("is not one of those that come with Tollgate{near}"),
                    SOURCES,
                ))
            }
        }
    }

    /// An error about a plugin, at the place of `key`.
    pub fn plugin_error(&self, name: &str, key: &str, problem: String, help: &'static str) -> ConfigError {
        let path: Vec<String> = key.split('.').map(ToOwned::to_owned).collect();
        ConfigError::Plugin {
            plugin: name.to_owned(),
            problem,
            place: self.place_below(&path),
            help,
        }
    }

    /// Where the setting of a plugin stands that a JSON pointer names, or the nearest table around it.
    pub fn place_of_setting(&self, plugin: &str, pointer: &str) -> Option<super::error::Place> {
        let settings = ["plugins", plugin, "settings"].map(ToOwned::to_owned);
        let segments = pointer
            .split('/')
            .skip(1)
            .map(|segment| segment.replace("~1", "/").replace("~0", "~"));
        let path: Vec<String> = settings.into_iter().chain(segments).collect();
        (3..=path.len())
            .rev()
            .find_map(|depth| self.place_below(&path[..depth]))
    }

    /// Where a value stands; of a table, whose layers may differ, where its first value does.
    fn place_below(&self, path: &[String]) -> Option<super::error::Place> {
        self.origins.iter().rev().find_map(|origin| origin.place(path))
    }

    /// The endpoints of a plugin. Variables that are not set are errors only here, so that a run without notifications
    /// does not need them.
    pub fn endpoints(&self, plugin: &str) -> Result<BTreeMap<String, EndpointConfig>, ConfigError> {
        let Some(found) = self.settings.plugins.get(plugin) else {
            return Ok(BTreeMap::new());
        };
        let endpoint = |(name, endpoint): (&String, &super::model::Endpoint)| {
            let key = format!("plugins.{plugin}.endpoints.{name}");
            let Some(url) = endpoint.url.as_deref() else {
                return Err(self.plugin_error(
                    plugin,
                    &key,
                    format!("has an endpoint {name} without a url"),
                    ENDPOINTS,
                ));
            };
            let look_up = |table: &str, texts: &BTreeMap<String, String>| {
                let secret = |(name, text): (&String, &String)| {
                    Ok((name.clone(), self.text(&format!("{key}.{table}.{name}"), text)?))
                };
                texts
                    .iter()
                    .map(secret)
                    .collect::<Result<BTreeMap<_, _>, ConfigError>>()
            };
            let resolved = EndpointConfig {
                url: self.text(&format!("{key}.url"), url)?,
                allow_private: endpoint.allow_private.unwrap_or(false),
                allow_path: endpoint.allow_path.unwrap_or(false),
                headers: look_up("headers", &endpoint.headers)?,
                secrets: look_up("secrets", &endpoint.secrets)?,
            };
            Ok((name.clone(), resolved))
        };
        found.endpoints.iter().map(endpoint).collect()
    }
}
