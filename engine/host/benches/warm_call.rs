//! How long a warm call of a policy takes, by an instance that has been asked before: `cargo bench -p tollgate-host`.
//!
//! The guest asks for all statements and reports one finding; the bundled policy, where it has been built, judges them.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_host::types::{Server, TimeLimits};
use tollgate_host::{Host, HostOptions, LoadRequest, MigrationInput, Plugin, PolicyCall, Subject};
use tollgate_schema::{Context, Schema};
use tollgate_sql::Dialect;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guests = [
        (
            "count",
            root.join("tests/guests/bundle/misbehave.wasm"),
            serde_json::json!({ "mode": "count" }),
        ),
        (
            "destructive",
            root.join("plugins/bundle/destructive.wasm"),
            serde_json::Value::Null,
        ),
    ];
    for (name, path, settings) in guests {
        let (cold, plugin) = load(folder.path(), &path, &settings);
        drop(plugin);
        let (warm, plugin) = load(folder.path(), &path, &settings);
        println!("{name}: loaded in {cold:?}, with compiled code in {warm:?}");
        for statements in [0, 10, 100, 1_000] {
            let call = call(&plugin, statements);
            println!(
                "{name}: {statements} statements: {:?}",
                median(|| plugin.check(&fresh(&call)).unwrap())
            );
        }
    }
}

fn load(folder: &Path, path: &PathBuf, settings: &serde_json::Value) -> (Duration, Plugin) {
    let bytes = std::fs::read(path).unwrap();
    let start = Instant::now();
    let mut options = HostOptions::default();
    options.cache = Some(folder.join("cache"));
    let mut request = LoadRequest::new("bench", bytes);
    request.settings = settings.clone();
    let plugin = Host::new(options).unwrap().load(&request).unwrap();
    (start.elapsed(), plugin)
}

fn call(plugin: &Plugin, statements: usize) -> PolicyCall {
    let mut text = String::new();
    for number in 0..statements {
        match number % 3 {
            0 => writeln!(
                text,
                "CREATE TABLE t{number} (id integer PRIMARY KEY, name text NOT NULL);"
            ),
            1 => writeln!(text, "ALTER TABLE users ADD COLUMN c{number} integer;"),
            _ => writeln!(text, "CREATE INDEX i{number} ON users (id);"),
        }
        .unwrap();
    }
    let mut before = Schema::empty(Context::new(Dialect::Postgres));
    let earlier = tollgate_sql::parse(Dialect::Postgres, "CREATE TABLE users (id integer PRIMARY KEY);").unwrap();
    before.apply_script(&earlier).unwrap();
    let script = Arc::new(tollgate_sql::parse(Dialect::Postgres, &text).unwrap());
    let mut after = before.clone();
    after.apply_script(&script).unwrap();
    PolicyCall {
        server: Server {
            dialect: Dialect::Postgres,
            version: Some((15, 0, 0)),
        },
        rules: plugin.description().rules.iter().map(|rule| rule.id.clone()).collect(),
        environment: None,
        time_limits: TimeLimits::default(),
        subject: Subject::new(
            MigrationInput {
                name: "m".to_owned(),
                checksum: String::new(),
                script,
                down: None,
            },
            before,
            after,
        ),
    }
}

/// The same question about a migration of which nothing has been converted yet.
fn fresh(call: &PolicyCall) -> PolicyCall {
    let asked = &call.subject;
    PolicyCall {
        subject: Subject::new(asked.migration().clone(), asked.before().clone(), asked.after().clone()),
        ..call.clone()
    }
}

/// Median of many runs, after some to warm up.
fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..600)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed()
        })
        .collect();
    times.drain(..100);
    times.sort_unstable();
    times[times.len() / 2]
}
