//! The component under the engine's host: it must judge as the same code does natively.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollgate_host::types::{MigrationInput, PolicyCall, Server, TimeLimits};
use tollgate_host::{FailureKind, Host, HostOptions, LoadRequest, Plugin, PluginError, Subject};
use tollgate_plugin::rules::{Rule, example_name, split_example};
use tollgate_plugin::{Policy as _, testing};
use tollgate_plugin_conventions::{Conventions, rules::RULES};
use tollgate_schema::{Context, Schema};
use tollgate_sql::Dialect;

/// The committed component, a freshly built one where the variable names a folder of those, or one that was built
/// without being committed.
fn component() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("TOLLGATE_BUNDLE_DIR").map(PathBuf::from);
    let folders = ["plugins/bundle", "target/guests/components"].map(|folder| root.join(folder));
    let mut paths = named
        .into_iter()
        .chain(folders)
        .map(|folder| folder.join("conventions.wasm"));
    let path = paths.find(|path| path.exists());
    let path = path.unwrap_or_else(|| panic!("build it first: cargo run -p tollgate-build -- conventions"));
    std::fs::read(path).unwrap()
}

fn load(settings: serde_json::Value) -> Result<Plugin, PluginError> {
    let host = Host::new(HostOptions::default()).unwrap();
    let mut request = LoadRequest::new("conventions", component());
    request.settings = settings;
    host.load(&request)
}

fn dialect(rule: &Rule) -> Dialect {
    match rule.dialects[0] {
        tollgate_plugin::Dialect::Sqlite => Dialect::Sqlite,
        _ => Dialect::Postgres,
    }
}

/// Rule, message and place of each finding, and what its suggestions write.
type Found = Vec<(String, String, Option<(usize, usize)>, Vec<String>)>;

fn under_the_host(plugin: &Plugin, rule: &Rule, example: &str) -> Found {
    let (before, text) = split_example(example);
    let context = Context::new(dialect(rule));
    let mut schema = if before.is_empty() {
        Schema::unknown(context)
    } else {
        Schema::empty(context)
    };
    schema
        .apply_script(&tollgate_sql::parse(dialect(rule), before).unwrap())
        .unwrap();
    schema.settle();
    let script = tollgate_sql::parse(dialect(rule), text).unwrap();
    let mut after = schema.clone();
    after.apply_script(&script).unwrap();
    let call = PolicyCall {
        server: Server {
            dialect: dialect(rule),
            version: None,
        },
        rules: [rule.id.to_owned()].into(),
        environment: None,
        time_limits: TimeLimits::default(),
        subject: Subject::new(
            MigrationInput {
                name: example_name(example).unwrap_or("0_init").to_owned(),
                checksum: String::new(),
                script: Arc::new(script),
                down: None,
            },
            schema,
            after,
        ),
    };
    let findings = plugin.check(&call).unwrap().into_iter();
    let edits = |found: &tollgate_host::types::Finding| {
        let edits = found.suggestions.iter().flat_map(|suggestion| &suggestion.edits);
        edits.map(|edit| edit.text.clone()).collect()
    };
    findings
        .map(|found| {
            let edits = edits(&found);
            (
                found.rule,
                found.message,
                found.span.map(|at| (at.start, at.end)),
                edits,
            )
        })
        .collect()
}

fn natively(rule: &Rule, example: &str) -> Found {
    let (before, text) = split_example(example);
    let test = testing::policy::<Conventions>()
        .dialect(rule.dialects[0])
        .rules(&[rule.id])
        .named(example_name(example).unwrap_or("0_init"));
    let test = if before.is_empty() { test } else { test.before(before) };
    let findings = test.check(text).into_iter();
    findings
        .map(|found| {
            let place = found.at.map(|at| (at.start as usize, at.end as usize));
            let edits = found.suggestions.into_iter().flat_map(|suggestion| suggestion.edits);
            (found.rule, found.message, place, edits.map(|edit| edit.text).collect())
        })
        .collect()
}

#[test]
fn the_component_describes_itself_as_the_source_does() {
    let host = Host::new(HostOptions::default()).unwrap();
    let (_, described) = host.describe(&component()).unwrap();
    let native = Conventions::describe();
    assert_eq!(described.name, native.name);
    assert_eq!(described.settings_schema, native.settings_schema);
    let texts = described
        .rules
        .iter()
        .map(|rule| (&rule.id, rule.enabled_by_default, &rule.explanation));
    let expected = native
        .rules
        .iter()
        .map(|rule| (&rule.id, rule.enabled_by_default, &rule.explanation));
    assert_eq!(texts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn the_component_judges_every_example_as_the_source_does() {
    let plugin = load(serde_json::json!({})).unwrap();
    for rule in RULES {
        for example in [rule.bad, rule.good] {
            assert_eq!(
                under_the_host(&plugin, rule, example),
                natively(rule, example),
                "{}: {example}",
                rule.id
            );
        }
    }
}

#[test]
fn settings_count_and_are_refused_where_they_are_wrong() {
    let orders = RULES.iter().find(|rule| rule.id == "forbidden-types").unwrap();
    let plugin = load(serde_json::json!({"forbidden_types": {"numeric": "money"}})).unwrap();
    assert!(under_the_host(&plugin, orders, orders.bad).is_empty());
    assert_eq!(under_the_host(&plugin, orders, orders.good).len(), 1);
    let error = load(serde_json::json!({"verbs": ["ship", "Two words"]})).err().unwrap();
    assert_eq!(error.kind, FailureKind::BadSettings);
    assert!(error.message.contains("/verbs/1"), "{}", error.message);
}
