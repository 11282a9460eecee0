//! Loading guests and asking them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;
use tollgate_host::types::{Finding, Server, TimeLimits};
use tollgate_host::{
    Endpoint, Host, HostOptions, Limits, LoadRequest, LogLine, MigrationInput, Plugin, PluginError, PolicyCall, Subject,
};
use tollgate_schema::{Context, Schema};
use tollgate_sql::{Dialect, Script};

/// A script with a character of two bytes, for spans to be wrong about.
pub const SCRIPT: &str = "-- café\nCREATE TABLE t (a integer);\nDROP TABLE u;\n";

/// The committed component, or a freshly built one where the variable names a folder of those.
pub fn guest(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("TOLLGATE_GUESTS_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/bundle"),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One host for all tests; its cache lives as long as the process.
pub fn host() -> &'static Host {
    static HOST: OnceLock<(Host, tempfile::TempDir)> = OnceLock::new();
    let (host, _) = HOST.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut options = HostOptions::default();
        options.cache = Some(folder.path().join("cache"));
        (Host::new(options).unwrap(), folder)
    });
    host
}

/// A host whose log lines are kept.
pub fn logging_host() -> (Host, Arc<Mutex<Vec<LogLine>>>) {
    let lines: Arc<Mutex<Vec<LogLine>>> = Arc::default();
    let mut options = HostOptions::default();
    let sink = Arc::clone(&lines);
    options.log = Arc::new(move |line: LogLine| sink.lock().unwrap().push(line));
    (Host::new(options).unwrap(), lines)
}

/// A request for a guest of the tests, named like it.
pub fn request(guest_name: &str, settings: serde_json::Value) -> LoadRequest<'static> {
    let mut request = LoadRequest::new(guest_name, guest(guest_name));
    request.settings = settings;
    request
}

pub fn policy(mode: &str) -> Result<Plugin, PluginError> {
    host().load(&request("misbehave", json!({ "mode": mode })))
}

pub fn policy_with(mode: &str, change: impl FnOnce(&mut Limits)) -> Result<Plugin, PluginError> {
    let mut limits = Limits::default();
    change(&mut limits);
    let mut request = request("misbehave", json!({ "mode": mode }));
    request.limits = Some(limits);
    host().load(&request)
}

pub fn notifier(
    host: &Host,
    settings: serde_json::Value,
    granted: &[&str],
    endpoints: BTreeMap<String, Endpoint>,
) -> Result<Plugin, PluginError> {
    let mut request = request("caller", settings);
    request.granted = granted.iter().map(|&name| name.to_owned()).collect();
    request.endpoints = endpoints;
    host.load(&request)
}

pub fn parse(dialect: Dialect, text: &str) -> Arc<Script> {
    Arc::new(tollgate_sql::parse(dialect, text).unwrap())
}

pub fn migration(script: Arc<Script>) -> MigrationInput {
    MigrationInput {
        name: "20260101000000_test".to_owned(),
        checksum: "c0ffee".to_owned(),
        script,
        down: Some("-- by hand".to_owned()),
    }
}

/// A question about `text`, to be run after `earlier`.
pub fn call(dialect: Dialect, earlier: &str, text: &str) -> PolicyCall {
    let mut before = Schema::empty(Context::new(dialect));
    before.apply_script(&parse(dialect, earlier)).unwrap();
    let script = parse(dialect, text);
    let mut after = before.clone();
    after.apply_script(&script).unwrap();
    PolicyCall {
        server: Server {
            dialect,
            version: Some((15, 4, 0)),
        },
        rules: ["seen".to_owned()].into(),
        environment: Some("production".to_owned()),
        time_limits: TimeLimits {
            lock_ms: Some(5_000),
            statement_ms: None,
        },
        subject: Subject::new(migration(script), before, after),
    }
}

/// The question most tests ask.
pub fn ask(plugin: &Plugin) -> Result<Vec<Finding>, PluginError> {
    plugin.check(&call(Dialect::Sqlite, "CREATE TABLE u (b text);", SCRIPT))
}

/// A failure with everything a person gets to see.
pub fn shown(error: &PluginError) -> String {
    match &error.help {
        Some(help) => format!("{error}\n    help: {help}"),
        None => error.to_string(),
    }
}

pub fn messages(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| finding.message.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}
