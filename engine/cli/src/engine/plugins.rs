//! Loads the plugins that a run needs, and no others: a check tells nobody and so needs nobody's secrets.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tollgate_engine::host::types::Description;
use tollgate_engine::host::{
    Endpoint, FailureKind, Host, HostError, HostOptions, Kind, Limits, LoadRequest, LogLevel, LogLine, Plugin,
    PluginError, written_description,
};
use tollgate_engine::nearest::nearest;
use tollgate_engine::rules::{self, EngineRules, SwitchedOff};
use tollgate_engine::{Level, Notifier, OnFailure, Plugins, Policy, bundled};

use crate::config::error::Place;
use crate::config::model::{self, RuleLevel};
use crate::config::plugins::{EndpointConfig, PluginConfig, PluginSource};
use crate::config::{Config, ConfigError};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::path::shown;
use crate::output::report::{Report, Snippet};
use crate::output::style::{DIM, paint};

/// What plugins have logged and nobody has seen yet.
type Lines = Arc<Mutex<Vec<LogLine>>>;

/// The plugins of a run, and what they log.
#[derive(Default)]
pub struct Loaded {
    /// Policies.
    pub policies: Vec<Policy>,
    /// Rollback generators; those of the project come before the bundled one.
    pub generators: Vec<Arc<Plugin>>,
    /// Notifiers.
    pub notifiers: Vec<Notifier>,
    /// The engine's own rules.
    pub rules: EngineRules,
    log: Lines,
}

impl Loaded {
    /// Those for a project.
    pub fn plugins(&self) -> Plugins {
        Plugins {
            policies: self.policies.clone(),
            generators: self.generators.clone(),
            notifiers: self.notifiers.clone(),
            rules: self.rules.clone(),
        }
    }

    /// Prints what the plugins have logged so far: warnings to everybody, the rest to the curious.
    pub fn show_log(&self, ui: &Ui) {
        let lines = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        for line in lines {
            let fields: String = line
                .fields
                .iter()
                .flat_map(|(name, value)| [" ", name, "=", value])
                .collect();
            let text = format!("{}: {}{fields}", line.plugin, line.message);
            if line.level >= LogLevel::Warn {
                ui.note(paint(DIM, text));
            } else {
                ui.detail(text);
            }
        }
    }
}

/// The host, made when a plugin is to be compiled or run: a deploy without any should not wait for it.
struct Hosting {
    options: HostOptions,
    made: OnceLock<Host>,
}

impl Hosting {
    fn new(options: HostOptions) -> Self {
        Self {
            options,
            made: OnceLock::new(),
        }
    }

    fn host(&self) -> Result<&Host, HostError> {
        if let Some(host) = self.made.get() {
            return Ok(host);
        }
        let host = Host::new(self.options.clone())?;
        Ok(self.made.get_or_init(|| host))
    }

    /// What a plugin says about itself.
    fn describe(&self, plugin: &PluginConfig, bytes: &[u8]) -> Result<(Kind, Description), Failure> {
        let described = match written_description(bytes) {
            Ok(None) => self.host().map_err(|error| host_failure(&error))?.describe(bytes),
            Ok(Some(described)) => Ok(described),
            Err(error) => Err(error),
        };
        described.map_err(|mut error| {
            error.plugin.clone_from(&plugin.name);
            plugin_failure(&error)
        })
    }
}

/// Why a plugin is not loaded, and its kind as far as it is known.
type LoadError = (Option<Kind>, PluginError);

/// Loads plugins.
pub struct Loader<'a> {
    config: &'a Config,
    ui: &'a Ui,
    hosting: Arc<Hosting>,
    log: Lines,
}

impl<'a> Loader<'a> {
    /// A loader with a cache of compiled code in the user's cache folder.
    pub fn new(config: &'a Config, ui: &'a Ui) -> Self {
        let log = Lines::default();
        let sink = Arc::clone(&log);
        let mut options = HostOptions::default();
        options.cache = config.cache_folder();
        options.log = Arc::new(move |line: LogLine| sink.lock().unwrap_or_else(PoisonError::into_inner).push(line));
        Self {
            config,
            ui,
            hosting: Arc::new(Hosting::new(options)),
            log,
        }
    }

    /// The enabled plugins of the kinds that are needed. What is not in the cache is compiled, all at the same time.
    pub fn load(self, needs: &[Kind]) -> Result<Loaded, Failure> {
        let rules = self.engine_rules(needs)?;
        let mut enabled: Vec<PluginConfig> = self
            .config
            .plugins()?
            .into_iter()
            .filter(|plugin| plugin.enabled && plugin.source != PluginSource::Engine)
            .collect();
        // A project's own rollback generator is asked before the bundled one.
        enabled.sort_by_key(|plugin| matches!(plugin.source, PluginSource::Builtin(_)));
        let mut requests = Vec::new();
        for plugin in &enabled {
            requests.extend(self.request(plugin, needs)?.map(|request| (plugin, request)));
        }
        let results = self.load_all(&requests, needs)?;
        let mut loaded = Loaded {
            rules,
            log: Arc::clone(&self.log),
            ..Loaded::default()
        };
        for ((plugin, request), result) in requests.iter().zip(results) {
            match result {
                Ok(None) => {}
                Ok(Some(found)) => self.add(&mut loaded, plugin, request, found)?,
                // That nobody can be told must not hold up a deploy.
                Err((Some(Kind::Notifier), error)) if !plugin.required => {
                    self.ui.warn(format!("{error}; nobody is told by it"));
                }
                Err((_, error)) if error.kind == FailureKind::BadSettings => {
                    return Err(bad_settings(self.config, &error));
                }
                Err((_, error)) => return Err(plugin_failure(&error)),
            }
        }
        Ok(loaded)
    }

    /// Each plugin, unless it is of a kind that is not needed.
    fn load_all(
        &self,
        requests: &[(&PluginConfig, LoadRequest<'static>)],
        needs: &[Kind],
    ) -> Result<Vec<Result<Option<Plugin>, LoadError>>, Failure> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let host = self.hosting.host().map_err(|error| host_failure(&error))?;
        Ok(std::thread::scope(|scope| {
            let start = |(_, request): &'_ (_, LoadRequest<'static>)| {
                let request = request.clone();
                scope.spawn(move || load_one(host, &request, needs))
            };
            let threads: Vec<_> = requests.iter().map(start).collect();
            threads.into_iter().map(join).collect()
        }))
    }

    /// What configuration says of the engine's own rules. The rules of policies that are switched off are only read out
    /// of their components.
    fn engine_rules(&self, needs: &[Kind]) -> Result<EngineRules, Failure> {
        let config = self.config.engine_rules()?;
        let description = rules::description();
        let known: Vec<&str> = description.rules.iter().map(|rule| rule.id.as_str()).collect();
        if let Some(rule) = config.rules.keys().find(|rule| !known.contains(&rule.as_str())) {
            return Err(unknown_rule(self.config, &config, rule, &known));
        }
        let switched_off = if needs.contains(&Kind::Policy) {
            self.switched_off()?
        } else {
            SwitchedOff::default()
        };
        Ok(EngineRules {
            off: !config.enabled,
            levels: config
                .rules
                .iter()
                .map(|(rule, level)| (rule.clone(), self::level(*level)))
                .collect(),
            enforced: config.enforced,
            switched_off,
        })
    }

    /// The rules of policies that are switched off, read out of their components when somebody asks.
    fn switched_off(&self) -> Result<SwitchedOff, Failure> {
        let plugins: Vec<PluginConfig> = self
            .config
            .plugins()?
            .into_iter()
            .filter(|plugin| !plugin.enabled)
            .collect();
        let hosting = Arc::clone(&self.hosting);
        Ok(SwitchedOff::new(move || {
            let mut switched_off = BTreeMap::new();
            for plugin in plugins {
                // One that cannot be read has no rules to speak of; it is not used.
                let described = bytes(&plugin).and_then(|bytes| hosting.describe(&plugin, &bytes));
                if let Ok((Kind::Policy, description)) = described {
                    let rules = description.rules.into_iter().map(|rule| rule.id).collect();
                    switched_off.insert(plugin.name, rules);
                }
            }
            switched_off
        }))
    }

    fn add(
        &self,
        loaded: &mut Loaded,
        config: &PluginConfig,
        request: &LoadRequest<'_>,
        plugin: Plugin,
    ) -> Result<(), Failure> {
        for capability in plugin.withheld() {
            self.ui
                .detail(format!("{} asks for {capability} and does not get it", config.name));
        }
        let kind = plugin.kind();
        let plugin = Arc::new(plugin);
        match kind {
            Kind::Rollback => loaded.generators.push(plugin),
            Kind::Notifier => {
                let hosts: Vec<String> = request
                    .endpoints
                    .values()
                    .map(|endpoint| host_of(&endpoint.url))
                    .collect();
                let destination = hosts.join(", ");
                loaded.notifiers.push(Notifier {
                    plugin,
                    required: config.required,
                    destination,
                });
            }
            Kind::Policy => {
                let levels = config.rules.iter();
                let policy = Policy::new(
                    plugin,
                    levels
                        .map(|(rule, level)| (rule.clone(), self::level(*level)))
                        .collect(),
                    config.enforced.clone(),
                    match config.on_failure {
                        model::OnFailure::Block => OnFailure::Block,
                        model::OnFailure::Warn => OnFailure::Warn,
                    },
                );
                if let Some(rule) = policy.unknown_rules().first() {
                    let rules = &policy.plugin.description().rules;
                    let known: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
                    return Err(unknown_rule(self.config, config, rule, &known));
                }
                loaded.policies.push(policy);
            }
        }
        Ok(())
    }

    /// What a plugin says about itself.
    pub fn describe(&self, plugin: &PluginConfig, bytes: &[u8]) -> Result<(Kind, Description), Failure> {
        self.hosting.describe(plugin, bytes)
    }

    /// What the host wants to know of a plugin; nothing of one that is not to be loaded.
    fn request(&self, plugin: &PluginConfig, needs: &[Kind]) -> Result<Option<LoadRequest<'static>>, Failure> {
        let Some(endpoints) = self.endpoints(plugin, needs)? else {
            return Ok(None);
        };
        let mut request = LoadRequest::new(plugin.name.clone(), bytes(plugin)?);
        request.settings = plugin.settings.clone();
        request.granted.clone_from(&plugin.grant);
        request.endpoints = endpoints;
        request.limits = Some(limits(&plugin.limits));
        Ok(Some(request))
    }

    /// The endpoints of a plugin, in a run that tells people. One whose address is in a variable that is not set is left
    /// out with a warning, unless it is required.
    fn endpoints(&self, plugin: &PluginConfig, needs: &[Kind]) -> Result<Option<BTreeMap<String, Endpoint>>, Failure> {
        if !needs.contains(&Kind::Notifier) {
            return Ok(Some(BTreeMap::new()));
        }
        match self.config.endpoints(&plugin.name) {
            Ok(endpoints) => Ok(Some(
                endpoints
                    .into_iter()
                    .map(|(name, found)| (name, endpoint(&found)))
                    .collect(),
            )),
            Err(ConfigError::Unset { variable, .. }) if !plugin.required => {
                self.ui
                    .warn(format!("{} tells nobody: {variable} is not set", plugin.name));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The plugin, unless it is of a kind that is not needed.
fn load_one(host: &Host, request: &LoadRequest<'_>, needs: &[Kind]) -> Result<Option<Plugin>, LoadError> {
    let (kind, _) = host.describe(&request.bytes).map_err(|mut error| {
        error.plugin.clone_from(&request.name);
        (None, error)
    })?;
    if !needs.contains(&kind) {
        return Ok(None);
    }
    host.load(request).map(Some).map_err(|error| (Some(kind), error))
}

/// A panic while loading goes on in the thread that asked for it.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The host of a web address: all of it that may be seen.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    place.rsplit_once('@').map_or(place, |(_, host)| host).to_owned()
}

/// The component of a plugin.
pub fn bytes(plugin: &PluginConfig) -> Result<Cow<'static, [u8]>, Failure> {
    match &plugin.source {
        PluginSource::Builtin(name) => bundled::component(name).map(Cow::Borrowed).ok_or_else(|| {
            let message = format!("the plugin {} is not in this build", plugin.name);
            Failure::new(Exit::Usage, Report::error("plugin::missing", message))
        }),
        PluginSource::Engine => Ok(Cow::Borrowed(&[])),
        PluginSource::Path(path) => std::fs::read(path).map(Cow::Owned).map_err(|error| {
            let message = format!("cannot read the plugin {} from {}: {error}", plugin.name, shown(path));
            let help = "`source` is relative to the file that names it; build the component first, or mend the path";
            Failure::new(Exit::Usage, Report::error("plugin::unreadable", message).help(help))
        }),
    }
}

fn endpoint(found: &EndpointConfig) -> Endpoint {
    let exposed = |(name, secret): (&String, &crate::config::Secret)| (name.clone(), secret.expose().to_owned());
    let mut endpoint = Endpoint::new(found.url.expose());
    endpoint.headers = found.headers.iter().map(exposed).collect();
    endpoint.secrets = found.secrets.iter().map(exposed).collect();
    endpoint.allow_path = found.allow_path;
    endpoint.allow_private = found.allow_private;
    endpoint
}

fn limits(configured: &model::Limits) -> Limits {
    let defaults = Limits::default();
    let size = |value: Option<u64>, unit: usize, default: usize| {
        value.map_or(default, |value| {
            usize::try_from(value).unwrap_or(usize::MAX).saturating_mul(unit)
        })
    };
    Limits {
        fuel: configured.fuel.unwrap_or(defaults.fuel),
        deadline_ms: configured.deadline_ms.unwrap_or(defaults.deadline_ms),
        memory_bytes: size(configured.memory_mib, 1 << 20, defaults.memory_bytes),
        findings: size(configured.findings, 1, defaults.findings),
        log_lines: size(configured.log_lines, 1, defaults.log_lines),
        output_bytes: size(configured.output_kib, 1 << 10, defaults.output_bytes),
        ..defaults
    }
}

fn level(level: RuleLevel) -> Level {
    match level {
        RuleLevel::Off => Level::Off,
        RuleLevel::Low => Level::Low,
        RuleLevel::Medium => Level::Medium,
        RuleLevel::High => Level::High,
    }
}

/// The configuration sets the level of a rule that the policy does not have.
pub fn unknown_rule(config: &Config, plugin: &PluginConfig, rule: &str, known: &[&str]) -> Failure {
    let plugin = &plugin.name;
    let own = rules::description();
    let problem = match nearest(rule, known.iter().copied()) {
        _ if plugin != rules::NAME && own.rule(rule).is_some() => {
            format!(
                "has no rule {rule}; that is one of Tollgate itself: [plugins.{}.rules]",
                rules::NAME
            )
        }
        Some(near) => format!("has no rule {rule}; did you mean {near}?"),
        None => format!("has no rule {rule}; it has {}", known.join(", ")),
    };
    config
        .plugin_error(
            plugin,
            &format!("plugins.{plugin}.rules.{rule}"),
            problem,
            "`tollgate plugin list --rules` names the rules",
        )
        .into()
}

/// Points at the first setting that the plugin does not accept.
fn bad_settings(config: &Config, error: &PluginError) -> Failure {
    let report = Report::error(format!("plugin::{}", error.kind), error.to_string())
        .help(format!("its settings are in [plugins.{}.settings]", error.plugin));
    let place = error
        .issues
        .first()
        .and_then(|issue| config.place_of_setting(&error.plugin, &issue.path));
    let report = match place {
        Some(Place { file, span }) => {
            report.snippet(Snippet::new(shown(&file.path), file.text.clone()).label(span, "here"))
        }
        None => report,
    };
    Failure::new(Exit::Usage, report)
}

fn plugin_failure(error: &PluginError) -> Failure {
    let mut report = Report::error(format!("plugin::{}", error.kind), error.to_string());
    let issues: Vec<String> = error
        .issues
        .iter()
        .map(|issue| format!("{}: {}", issue.path, issue.message))
        .filter(|issue| !error.message.contains(issue.as_str()))
        .collect();
    let help: Vec<String> = error.help.iter().cloned().chain(issues).collect();
    if !help.is_empty() {
        report = report.help(help.join("\n"));
    }
    Failure::new(Exit::Usage, report)
}

fn host_failure(error: &HostError) -> Failure {
    Failure::new(Exit::Failed, Report::error("plugin::host", error.to_string()))
}
