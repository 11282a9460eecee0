//! The host: one WebAssembly engine, its cache and its clock, for all plugins of a process.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Engine};

use crate::bindings::{about, catalog, http, log, script, types};
use crate::cache::Cache;
use crate::check;
use crate::convert;
use crate::endpoint::{self, Endpoint};
use crate::error::{FailureKind, HostError, PluginError};
use crate::inspect::{Inspected, inspect};
use crate::instance::Exports;
use crate::limits::{Limits, STACK_BYTES};
use crate::log::{LogLevel, LogLine, LogSink, NoLog};
use crate::plugin::Plugin;
use crate::secrets::Secrets;
use crate::state::{PROBE, Setting, State};
use crate::ticker::Ticker;
use crate::types::{Description, Kind};

/// How to set up a [`Host`].
#[derive(Clone)]
#[non_exhaustive]
pub struct HostOptions {
    /// Folder for compiled code; made with mode 700 where it does not exist. Without one everything is compiled anew.
    pub cache: Option<PathBuf>,
    /// Bounds for plugins whose [`LoadRequest`] has none of its own.
    pub limits: Limits,
    /// Takes the plugins' log lines.
    pub log: Arc<dyn LogSink>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            cache: None,
            limits: Limits::default(),
            log: Arc::new(NoLog),
        }
    }
}

/// A plugin to load.
#[derive(Clone)]
#[non_exhaustive]
pub struct LoadRequest<'a> {
    /// Name in the configuration, for messages.
    pub name: String,
    /// The component.
    pub bytes: Cow<'a, [u8]>,
    /// The plugin's settings: an object, or null for none.
    pub settings: serde_json::Value,
    /// Capabilities given in the configuration.
    pub granted: Vec<String>,
    /// Where it may send requests, by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Bounds of its own.
    pub limits: Option<Limits>,
}

impl<'a> LoadRequest<'a> {
    /// A plugin without settings, capabilities and endpoints.
    pub fn new(name: impl Into<String>, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            settings: serde_json::Value::Null,
            granted: Vec::new(),
            endpoints: BTreeMap::new(),
            limits: None,
        }
    }
}

/// Settings and endpoints may hold secrets.
impl fmt::Debug for LoadRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadRequest")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .field("granted", &self.granted)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

/// What the plugins of a host share, and keep alive when the host itself is gone.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) log: Arc<dyn LogSink>,
}

/// Loads plugins. It can be shared between threads: loading several at once is how a cold start compiles in parallel.
pub struct Host {
    shared: Arc<Shared>,
    cache: Option<Cache>,
    limits: Limits,
    catalog_linker: Linker<State>,
    http_linker: Linker<State>,
}

/// A component that is asked about itself has no name in a configuration.
const NAMELESS: &str = "";

/// What a component says about itself in a section of its own, if it has one: nothing is compiled or run for that.
///
/// # Errors
/// It is no component of a kind that is known, or what it says cannot be used.
pub fn written_description(bytes: &[u8]) -> Result<Option<(Kind, Description)>, PluginError> {
    let inspected = inspect(NAMELESS, bytes)?;
    let kind = inspected.kind;
    Ok(inspected.written(NAMELESS)?.map(|description| (kind, description)))
}

impl Inspected {
    /// What the component says about itself, as far as that can be used.
    fn written(self, plugin: &str) -> Result<Option<Description>, PluginError> {
        self.description
            .map(|description| checked(plugin, self.kind, description))
            .transpose()
    }
}

impl Host {
    /// Starts the engine and checks the cache folder.
    ///
    /// # Errors
    /// [`HostError::UnsafeCache`] when others could write to the cache folder; [`HostError::Engine`] when WebAssembly
    /// cannot run on this machine. A cache that cannot be made is no error: it is logged, and there is none.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let failed = |error: wasmtime::Error| HostError::Engine(error.to_string());
        let engine = Engine::new(&config()).map_err(failed)?;
        let cache = match &options.cache {
            Some(folder) => Cache::open(folder, &engine)?,
            None => None,
        };
        if let (Some(folder), None) = (&options.cache, &cache) {
            options.log.emit(LogLine {
                plugin: String::new(),
                level: LogLevel::Warn,
                message: format!(
                    "no cache for compiled plugins: cannot make the folder {}",
                    folder.display()
                ),
                fields: Vec::new(),
            });
        }
        let (catalog_linker, http_linker) = (
            catalog_linker(&engine).map_err(failed)?,
            http_linker(&engine).map_err(failed)?,
        );
        let shared = Arc::new(Shared {
            ticker: Ticker::new(engine.clone()),
            engine,
            log: options.log,
        });
        Ok(Self {
            shared,
            cache,
            limits: options.limits,
            catalog_linker,
            http_linker,
        })
    }

    /// Loads a plugin: checks that it is one, compiles it (or takes the compiled code from the cache), decides on its
    /// capabilities, and has it read its settings once, so that mistakes in them show now and not in the middle of a run.
    ///
    /// # Errors
    /// Every [`FailureKind`] but those of a wrong answer to a question.
    pub fn load(&self, request: &LoadRequest<'_>) -> Result<Plugin, PluginError> {
        let name = request.name.as_str();
        let endpoints = endpoint::read(name, &request.endpoints)?;
        let inspected = inspect(name, &request.bytes)?;
        let (digest, pre) = self.prepare(name, inspected.kind, &request.bytes)?;
        let mut setting = Setting {
            plugin: name.into(),
            limits: request.limits.clone().unwrap_or_else(|| self.limits.clone()),
            granted: BTreeSet::new(),
            secrets: endpoint::secrets(&endpoints),
            endpoints,
        };
        let kind = inspected.kind;
        let description = match inspected.written(name)? {
            Some(description) => description,
            None => self.ask(&setting, kind, &pre)?,
        };
        setting.granted = granted(name, kind, &description.capabilities, &request.granted)?;
        let exports = Exports::of(kind, &pre).map_err(|error| incompatible(name, &error))?;
        let settings = settings(name, &request.settings)?;
        let plugin = Plugin::new(
            Arc::clone(&self.shared),
            setting,
            description,
            digest,
            exports,
            pre,
            settings,
        );
        plugin.try_settings()?;
        Ok(plugin)
    }

    /// What a component says about itself, without settings or capabilities. Runs nothing where the description is
    /// embedded in the component.
    ///
    /// # Errors
    /// As [`Host::load`].
    pub fn describe(&self, bytes: &[u8]) -> Result<(Kind, Description), PluginError> {
        let inspected = inspect(NAMELESS, bytes)?;
        let kind = inspected.kind;
        if let Some(description) = inspected.written(NAMELESS)? {
            return Ok((kind, description));
        }
        let (_, pre) = self.prepare(NAMELESS, kind, bytes)?;
        let setting = Setting {
            plugin: NAMELESS.into(),
            limits: self.limits.clone(),
            granted: BTreeSet::new(),
            endpoints: BTreeMap::new(),
            secrets: Secrets::default(),
        };
        Ok((kind, self.ask(&setting, kind, &pre)?))
    }

    fn prepare(&self, name: &str, kind: Kind, bytes: &[u8]) -> Result<(String, InstancePre<State>), PluginError> {
        let digest = hex::encode(Sha256::digest(bytes));
        let component = self.compile(name, bytes, &digest)?;
        let linker = match kind {
            Kind::Policy | Kind::Rollback => &self.catalog_linker,
            Kind::Notifier => &self.http_linker,
        };
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|error| incompatible(name, &error))?;
        Ok((digest, pre))
    }

    fn compile(&self, name: &str, bytes: &[u8], digest: &str) -> Result<Component, PluginError> {
        if let Some(component) = self
            .cache
            .as_ref()
            .and_then(|cache| cache.load(&self.shared.engine, digest))
        {
            return Ok(component);
        }
        let component = Component::from_binary(&self.shared.engine, bytes).map_err(|error| {
            let reason = error.root_cause().to_string();
            PluginError::new(
                name,
                FailureKind::Incompatible,
                format!("is not a component this engine can run: {reason}"),
            )
        })?;
        if let Some(cache) = &self.cache {
            cache.store(digest, &component);
        }
        Ok(component)
    }

    /// What a component says about itself that has not written it down.
    fn ask(&self, setting: &Setting, kind: Kind, pre: &InstancePre<State>) -> Result<Description, PluginError> {
        let name = &setting.plugin;
        let about = about::GuestIndices::new(pre).map_err(|error| incompatible(name, &error))?;
        let description = crate::instance::describe(&self.shared, setting, kind, pre, &about)?;
        checked(name, kind, description)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("cache", &self.cache)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The engine's settings. What could answer differently from one machine to the next is off or made the same.
fn config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false);
    config
}

fn catalog_linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    types::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    script::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    catalog::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    convert::add_shared_to_linker(&mut linker)?;
    Ok(linker)
}

fn http_linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    types::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    http::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// Right version, wrong types: built against another state of the contract.
fn incompatible(plugin: &str, error: &wasmtime::Error) -> PluginError {
    let reason = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    PluginError::new(
        plugin,
        FailureKind::Incompatible,
        format!("was built for another state of tollgate:plugin 0.1: {reason}"),
    )
    .with_help("Build it again with the current wit/ or SDK.")
}

fn checked(plugin: &str, kind: Kind, description: Description) -> Result<Description, PluginError> {
    check::description(kind, description)
        .map_err(|problem| PluginError::new(plugin, FailureKind::InvalidOutput, problem))
}

/// What was asked for and given. Asking for what nobody gets is a failure; not being given something is not: the
/// plugin may do without, and is refused when it tries.
fn granted(plugin: &str, kind: Kind, asked: &[String], given: &[String]) -> Result<BTreeSet<String>, PluginError> {
    let known = |capability: &str| match kind {
        Kind::Policy | Kind::Rollback => capability == PROBE,
        Kind::Notifier => capability.strip_prefix("http:").is_some_and(|name| !name.is_empty()),
    };
    if let Some(unknown) = asked.iter().find(|capability| !known(capability)) {
        let mut budget = 80;
        let unknown = crate::log::printable(unknown, false, &mut budget);
        return Err(PluginError::new(
            plugin,
            FailureKind::RefusedCapability,
            format!(
                "asks for the capability `{unknown}`, which {} cannot have",
                kind.with_article()
            ),
        ));
    }
    Ok(asked
        .iter()
        .filter(|capability| given.contains(capability))
        .cloned()
        .collect())
}

fn settings(plugin: &str, settings: &serde_json::Value) -> Result<String, PluginError> {
    match settings {
        serde_json::Value::Null => Ok("{}".to_owned()),
        serde_json::Value::Object(_) => Ok(settings.to_string()),
        _ => Err(PluginError::new(
            plugin,
            FailureKind::BadSettings,
            "the settings are not a table",
        )),
    }
}
