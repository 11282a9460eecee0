//! The bundled component under the engine's host: it must judge as the same code does natively.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tollgate_host::types::{MigrationInput, PolicyCall, Server, TimeLimits};
use tollgate_host::{Host, HostOptions, LoadRequest, Plugin, Subject};
use tollgate_plugin::Policy as _;
use tollgate_plugin::rules::{Rule, split_example};
use tollgate_plugin::testing;
use tollgate_plugin_destructive::{Destructive, rules::RULES};
use tollgate_schema::{Context, Schema};
use tollgate_sql::Dialect;

/// The committed component, or a freshly built one where the variable names a folder of those.
fn component() -> Vec<u8> {
    let folder = std::env::var_os("TOLLGATE_BUNDLE_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bundle"),
        PathBuf::from,
    );
    let path = folder.join("destructive.wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn load() -> Plugin {
    let host = Host::new(HostOptions::default()).unwrap();
    let mut request = LoadRequest::new("destructive", component());
    request.granted = vec!["catalog.probe".to_owned()];
    host.load(&request).unwrap()
}

/// A question about a script that comes after another one.
fn call(dialect: Dialect, before: &str, text: &str) -> PolicyCall {
    let mut schema = Schema::empty(Context::new(dialect));
    if before.is_empty() {
        schema = Schema::unknown(Context::new(dialect));
    }
    schema
        .apply_script(&tollgate_sql::parse(dialect, before).unwrap())
        .unwrap();
    schema.settle();
    let script = tollgate_sql::parse(dialect, text).unwrap();
    let mut after = schema.clone();
    after.apply_script(&script).unwrap();
    PolicyCall {
        server: Server { dialect, version: None },
        rules: RULES.iter().map(|rule| rule.id.to_owned()).collect(),
        environment: None,
        time_limits: TimeLimits::default(),
        subject: Subject::new(
            MigrationInput {
                name: testing::MIGRATION.to_owned(),
                checksum: String::new(),
                script: Arc::new(script),
                down: None,
            },
            schema,
            after,
        ),
    }
}

#[test]
fn the_component_describes_itself_as_the_source_does() {
    let (_, described) = Host::new(HostOptions::default())
        .unwrap()
        .describe(&component())
        .unwrap();
    let native = Destructive::describe();
    assert_eq!(described.name, native.name);
    assert_eq!(described.capabilities, native.capabilities);
    let texts: Vec<_> = described
        .rules
        .iter()
        .map(|rule| (&rule.id, &rule.summary, &rule.explanation))
        .collect();
    let expected: Vec<_> = native
        .rules
        .iter()
        .map(|rule| (&rule.id, &rule.summary, &rule.explanation))
        .collect();
    assert_eq!(texts, expected);
}

#[test]
fn the_component_judges_every_example_as_the_source_does() {
    let plugin = load();
    for rule in RULES {
        for example in [rule.bad, rule.good] {
            let (before, text) = split_example(example);
            assert_eq!(
                under_the_host(&plugin, rule, before, text),
                natively(rule, before, text),
                "{}: {text}",
                rule.id
            );
        }
    }
}

/// Rule, message and place of each finding.
type Found = Vec<(String, String, Option<(usize, usize)>)>;

fn under_the_host(plugin: &Plugin, rule: &Rule, before: &str, text: &str) -> Found {
    let dialect = match rule.dialects[0] {
        tollgate_plugin::Dialect::Sqlite => Dialect::Sqlite,
        _ => Dialect::Postgres,
    };
    let findings = plugin.check(&call(dialect, before, text)).unwrap();
    findings
        .into_iter()
        .map(|found| (found.rule, found.message, found.span.map(|at| (at.start, at.end))))
        .collect()
}

fn natively(rule: &Rule, before: &str, script: &str) -> Found {
    let test = testing::policy::<Destructive>().dialect(rule.dialects[0]);
    let test = if before.is_empty() { test } else { test.before(before) };
    let place = |at: tollgate_plugin::Span| (at.start as usize, at.end as usize);
    test.check(script)
        .into_iter()
        .map(|found| (found.rule, found.message, found.at.map(place)))
        .collect()
}

const CALLS: u32 = 200;

#[test]
fn a_warm_call_is_short() {
    let plugin = load();
    let script = "ALTER TABLE users ADD COLUMN a int;\n".repeat(10);
    let call = call(Dialect::Postgres, "CREATE TABLE users (id int PRIMARY KEY);", &script);
    plugin.check(&call).unwrap();
    let start = Instant::now();
    for _ in 0..CALLS {
        plugin.check(&call).unwrap();
    }
    let each = start.elapsed() / CALLS;
    println!("a warm call on ten statements takes {each:?}");
    assert!(
        each.as_millis() < 20,
        "a warm call takes {each:?}: it seems to compile each time"
    );
}
