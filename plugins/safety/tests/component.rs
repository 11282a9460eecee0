//! The bundled component under the engine's host: it must judge as the same code does natively, locks included.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::sync::Arc;

use tollgate_host::types::{MigrationInput, PolicyCall, Server, TimeLimits};
use tollgate_host::{Host, HostOptions, LoadRequest, Plugin, Subject};
use tollgate_plugin::Policy as _;
use tollgate_plugin::rules::{Rule, example_name, split_example};
use tollgate_plugin::testing;
use tollgate_plugin_safety::{Safety, rules};
use tollgate_schema::{Context, Schema};
use tollgate_sql::Dialect;

/// The committed component, or a freshly built one where the variable names a folder of those.
fn component() -> Vec<u8> {
    let folder = std::env::var_os("TOLLGATE_BUNDLE_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bundle"),
        PathBuf::from,
    );
    let path = folder.join("safety.wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn load() -> Plugin {
    let host = Host::new(HostOptions::default()).unwrap();
    let mut request = LoadRequest::new("safety", component());
    request.granted = vec!["catalog.probe".to_owned()];
    host.load(&request).unwrap()
}

/// An example of a rule.
struct Example<'a> {
    dialect: Dialect,
    before: &'a str,
    text: &'a str,
    name: &'a str,
    version: Option<(u32, u32, u32)>,
}

impl<'a> Example<'a> {
    /// `None` when it says how many rows a table has: that a component hears from a database only.
    fn of(rule: &Rule, example: &'a str) -> Option<Self> {
        let (before, text) = split_example(example);
        if before.lines().any(|line| line.starts_with("-- rows ")) {
            return None;
        }
        let major = before.lines().find_map(|line| line.strip_prefix("-- server "));
        Some(Self {
            dialect: match rule.dialects[0] {
                tollgate_plugin::Dialect::Postgres => Dialect::Postgres,
                tollgate_plugin::Dialect::Sqlite => Dialect::Sqlite,
                tollgate_plugin::Dialect::Mysql => Dialect::Mysql,
            },
            before,
            text,
            name: example_name(example).unwrap_or(testing::MIGRATION),
            version: major.map(|major| (major.trim().parse().unwrap(), 0, 0)),
        })
    }

    fn call(&self) -> PolicyCall {
        let context = Context {
            server_version: self.version,
            ..Context::new(self.dialect)
        };
        let mut before = if self.before.is_empty() {
            Schema::unknown(context)
        } else {
            Schema::empty(context)
        };
        before
            .apply_script(&tollgate_sql::parse(self.dialect, self.before).unwrap())
            .unwrap();
        before.settle();
        let script = tollgate_sql::parse(self.dialect, self.text).unwrap();
        let mut after = before.clone();
        after.apply_script(&script).unwrap();
        PolicyCall {
            server: Server {
                dialect: self.dialect,
                version: self.version,
            },
            rules: rules::all().iter().map(|rule| rule.id.to_owned()).collect(),
            environment: None,
            // What a native test has, too.
            time_limits: TimeLimits {
                lock_ms: Some(5_000),
                statement_ms: None,
            },
            subject: Subject::new(
                MigrationInput {
                    name: self.name.to_owned(),
                    checksum: String::new(),
                    script: Arc::new(script),
                    down: None,
                },
                before,
                after,
            ),
        }
    }

    fn under_the_host(&self, plugin: &Plugin) -> Found {
        let findings = plugin.check(&self.call()).unwrap();
        findings
            .into_iter()
            .map(|found| (found.rule, found.message, found.span.map(|at| (at.start, at.end))))
            .collect()
    }

    fn natively(&self, rule: &Rule) -> Found {
        let mut test = testing::policy::<Safety>().dialect(rule.dialects[0]).named(self.name);
        if let Some((major, minor, patch)) = self.version {
            test = test.version(major, minor, patch);
        }
        if !self.before.is_empty() {
            test = test.before(self.before);
        }
        let place = |at: tollgate_plugin::Span| (at.start as usize, at.end as usize);
        test.check(self.text)
            .into_iter()
            .map(|found| (found.rule, found.message, found.at.map(place)))
            .collect()
    }
}

/// Rule, message and place of each finding.
type Found = Vec<(String, String, Option<(usize, usize)>)>;

#[test]
fn the_component_describes_itself_as_the_source_does() {
    let (_, described) = Host::new(HostOptions::default())
        .unwrap()
        .describe(&component())
        .unwrap();
    let native = Safety::describe();
    assert_eq!(described.name, native.name);
    assert_eq!(described.capabilities, native.capabilities);
    let expected: Vec<_> = native
        .rules
        .iter()
        .map(|rule| (&rule.id, &rule.summary, &rule.explanation, rule.needs_database))
        .collect();
    let texts: Vec<_> = described
        .rules
        .iter()
        .map(|rule| (&rule.id, &rule.summary, &rule.explanation, rule.needs_database))
        .collect();
    assert_eq!(texts, expected);
}

#[test]
fn the_component_judges_every_example_as_the_source_does() {
    let plugin = load();
    for rule in rules::all() {
        for example in [rule.bad, rule.good]
            .into_iter()
            .filter_map(|text| Example::of(rule, text))
        {
            assert_eq!(
                example.under_the_host(&plugin),
                example.natively(rule),
                "{}: {}",
                rule.id,
                example.text
            );
        }
    }
}
