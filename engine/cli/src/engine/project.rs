//! From the configuration to the engine's project.

use std::time::Duration;

use tollgate_engine::host::Kind;
use tollgate_engine::host::types::{Severity as EngineSeverity, TimeLimits};
use tollgate_engine::sql::Dialect;
use tollgate_engine::{
    Context as SchemaContext, ExecuteOptions, Folder, LockOptions, Project, Settings, SynchronousCommit, Target,
    Tolerance,
};

use super::locking;
use super::plugins::{Loaded, Loader};
use crate::config::model::{self, Provider, Reaction, Severity};
use crate::config::{Config, DatabaseUrl};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::path::shortened;
use crate::output::report::Report;
use crate::signal;

/// The folder of migrations, read.
pub fn folder(config: &Config, ui: &Ui) -> Result<Folder, Failure> {
    let folder = Folder::read(&config.migrations_dir()?).map_err(tollgate_engine::Error::from)?;
    for warning in &folder.warnings {
        ui.warn(shortened(warning));
    }
    Ok(folder)
}

/// The database.
pub fn target(config: &Config, ui: &Ui) -> Result<Target, Failure> {
    let found = config.database_url()?;
    parse_target(
        config,
        ui,
        "database.url",
        config.settings.database.url.as_deref(),
        &found,
    )
}

/// The database that a setting names.
pub fn parse_target(
    config: &Config,
    ui: &Ui,
    key: &str,
    text: Option<&str>,
    found: &DatabaseUrl,
) -> Result<Target, Failure> {
    let target = Target::parse(found.url.expose(), &found.relative_to).map_err(|error| {
        let report = Report::error(format!("config::{}", key.replace(['.', '_'], "-")), error.to_string());
        let from = format!("it is from {}", config.named_by(key, text));
        let help = error
            .help()
            .map_or_else(|| from.clone(), |help| format!("{help}; {from}"));
        Failure::new(Exit::Usage, report.help(help))
    })?;
    for secret in target.secrets() {
        ui.hide(&secret);
    }
    Ok(target)
}

/// Everything for a run on a database, with the plugins that it needs.
pub fn project(config: &Config, ui: &Ui, needs: &[Kind]) -> Result<(Project, Loaded), Failure> {
    let project = without_plugins(config, ui)?;
    let loaded = Loader::new(config, ui).load(needs)?;
    Ok((loaded.plugins().join(project), loaded))
}

/// The same without its plugins.
pub fn without_plugins(config: &Config, ui: &Ui) -> Result<Project, Failure> {
    unused(config, ui);
    let folder = folder(config, ui)?;
    let target = target(config, ui)?;
    let settings = settings(config, locking::options(config, ui, &target)?)?;
    Ok(Project {
        folder,
        target,
        policies: Vec::new(),
        generators: Vec::new(),
        notifiers: Vec::new(),
        settings,
    })
}

/// Nobody should rely on a setting that has no effect.
fn unused(config: &Config, ui: &Ui) {
    let settings = &config.settings;
    let set = [("state.url", settings.state.url.is_some())];
    for (key, _) in set.into_iter().filter(|(_, set)| *set) {
        ui.warn(format!(
            "{key} (from {}) has no effect in this version",
            config.origin(key)
        ));
    }
}

fn settings(config: &Config, lock: LockOptions) -> Result<Settings, Failure> {
    let deploy = &config.settings.deploy;
    let migrations = &config.settings.migrations;
    let defaults = Settings::default();
    let limit = |key, milliseconds| limit(config, key, milliseconds);
    Ok(Settings {
        environment: config.environment.clone(),
        actor: config.actor(),
        commit: config.commit(),
        link: config.link(),
        block_at: severity(config.settings.check.block_at.unwrap_or(Severity::High)),
        out_of_order: migrations.out_of_order.map_or(defaults.out_of_order, tolerance),
        missing: migrations.missing.map_or(defaults.missing, tolerance),
        edited: migrations.edited.map_or(defaults.edited, tolerance),
        lock,
        execute: ExecuteOptions {
            lock_timeout: limit("deploy.statement_lock_timeout_ms", deploy.statement_lock_timeout_ms)?,
            statement_timeout: limit("deploy.statement_timeout_ms", deploy.statement_timeout_ms)?,
            idle_timeout: limit("deploy.idle_timeout_ms", deploy.idle_timeout_ms)?,
            retries: deploy.retries.unwrap_or_default(),
            interrupt: signal::interrupt(),
            ..ExecuteOptions::default()
        },
        synchronous_commit: deploy
            .synchronous_commit
            .map_or(defaults.synchronous_commit, synchronous_commit),
        ..defaults
    })
}

/// How long a statement of a deploy may wait and run, as policies hear of it.
pub fn time_limits(config: &Config) -> TimeLimits {
    let deploy = &config.settings.deploy;
    TimeLimits {
        lock_ms: deploy.statement_lock_timeout_ms,
        statement_ms: deploy.statement_timeout_ms,
    }
}

/// The longest limit that servers take, in milliseconds.
const LONGEST: u64 = i32::MAX.unsigned_abs() as u64;

/// A limit that a server can keep. 0 is none, whatever the server says of itself; what is not set is left to the server.
fn limit(config: &Config, key: &str, milliseconds: Option<u64>) -> Result<Option<Duration>, Failure> {
    if let Some(long) = milliseconds.filter(|milliseconds| *milliseconds > LONGEST) {
        let message = format!("{key} is {long} ms, and servers count up to {LONGEST}, which is 24 days");
        let help = format!("0 is no limit; it is from {}", config.origin(key));
        return Err(Failure::new(
            Exit::Usage,
            Report::error("config::time-limit", message).help(help),
        ));
    }
    Ok(milliseconds.map(Duration::from_millis))
}

fn synchronous_commit(which: model::SynchronousCommit) -> SynchronousCommit {
    match which {
        model::SynchronousCommit::Each => SynchronousCommit::Each,
        model::SynchronousCommit::Last => SynchronousCommit::Last,
    }
}

fn tolerance(reaction: Reaction) -> Tolerance {
    match reaction {
        Reaction::Allow => Tolerance::Allow,
        Reaction::Warn => Tolerance::Warn,
        Reaction::Error => Tolerance::Error,
    }
}

/// The engine's word for a configured severity.
pub fn severity(severity: Severity) -> EngineSeverity {
    match severity {
        Severity::Low => EngineSeverity::Low,
        Severity::Medium => EngineSeverity::Medium,
        Severity::High => EngineSeverity::High,
    }
}

/// What is known about the server without asking it.
pub fn context(config: &Config, folder: &Folder, ui: &Ui) -> Result<SchemaContext, Failure> {
    let target = if config.settings.database.url.is_some() {
        target(config, ui).ok()
    } else {
        None
    };
    let configured = config.settings.database.provider.map(dialect);
    let known = configured
        .or(folder.provider)
        .or_else(|| target.as_ref().map(Target::dialect));
    let Some(dialect) = known.or_else(|| config.provider().map(dialect)) else {
        let help = "write `provider = \"postgresql\"`, `\"sqlite\"` or `\"mysql\"` under [database] in tollgate.toml, or into the \
                    folder's migration_lock.toml";
        let report = Report::error(
            "config::provider",
            "it is not known which database the migrations are for",
        );
        return Err(Failure::new(Exit::Usage, report.help(help)));
    };
    let mut context = SchemaContext::new(dialect);
    context.server_version = version(config)?;
    if let Some(schema) = target
        .as_ref()
        .and_then(Target::schema)
        .filter(|_| dialect == Dialect::Postgres)
    {
        context.search_path = vec![schema.to_owned()];
    }
    Ok(context)
}

fn dialect(provider: Provider) -> Dialect {
    match provider {
        Provider::Postgresql => Dialect::Postgres,
        Provider::Sqlite => Dialect::Sqlite,
        Provider::Mysql => Dialect::Mysql,
    }
}

/// `15`, `15.4` or `3.45.1` of `database.server_version`.
fn version(config: &Config) -> Result<Option<(u32, u32, u32)>, Failure> {
    let Some(text) = config.settings.database.server_version.as_deref() else {
        return Ok(None);
    };
    let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([major]) => Ok(Some((*major, 0, 0))),
        Ok([major, minor]) => Ok(Some((*major, *minor, 0))),
        Ok([major, minor, patch]) => Ok(Some((*major, *minor, *patch))),
        _ => {
            let report = Report::error(
                "config::server-version",
                "database.server_version must be like 15 or 15.4",
            )
            .help(format!("it is from {}", config.origin("database.server_version")));
            Err(Failure::new(Exit::Usage, report))
        }
    }
}
