//! A policy that does whatever its setting `mode` says: everything a policy must not do, and, in the mode `witness`,
//! everything it may, reporting all that it sees.

mod harm;
mod memory;
mod witness;

wit_bindgen::generate!({ path: "../../../wit", world: "policy-plugin" });

use std::sync::OnceLock;

use exports::tollgate::plugin::{about, policy};
use tollgate::plugin::catalog::Snapshot;
use tollgate::plugin::log;
use tollgate::plugin::script::Migration;
use tollgate::plugin::types::{Description, Failure, Finding, Rule, SettingsIssue, Severity};

static MODE: OnceLock<String> = OnceLock::new();

struct Guest;

/// The value of a string setting. A search for the key is all the JSON that a test needs.
fn setting<'a>(settings: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = settings.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()
}

fn rule(id: &str) -> Rule {
    Rule {
        id: id.to_owned(),
        summary: format!("Summary of {id}."),
        default_severity: Severity::Medium,
        enabled_by_default: true,
        needs_database: false,
        triggers: Vec::new(),
        explanation: "For tests.".to_owned(),
        bad_example: Some("DROP TABLE t;".to_owned()),
        good_example: None,
    }
}

impl about::Guest for Guest {
    fn describe() -> Description {
        Description {
            name: "misbehave".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "Does whatever its setting says.".to_owned(),
            rules: vec![rule("seen"), rule("other")],
            capabilities: vec!["catalog.probe".to_owned()],
            settings_schema: Some(r#"{"type":"object"}"#.to_owned()),
            properties: vec![("purpose".to_owned(), "tests".to_owned())],
        }
    }

    fn configure(settings: String) -> Result<(), Vec<SettingsIssue>> {
        let mode = setting(&settings, "mode").unwrap_or("nothing");
        let issue = |path: &str, message: &str| SettingsIssue { path: path.to_owned(), message: message.to_owned() };
        match mode {
            "bad-settings" => Err(vec![
                issue("/mode", "must not be \u{1b}[31mbad\u{1b}[0m"),
                issue("/tables/2", "no such table"),
            ]),
            "loop-in-configure" => harm::spin(),
            _ => {
                // One instance is configured once; a second time would be a bug of the host.
                MODE.set(mode.to_owned()).map_err(|_| vec![issue("", "configured twice")])
            }
        }
    }
}

impl policy::Guest for Guest {
    fn check(
        request: policy::Request,
        migration: &Migration,
        before: &Snapshot,
        after: &Snapshot,
    ) -> Result<Vec<Finding>, Failure> {
        let mode = MODE.get().map_or("not configured", String::as_str);
        match mode {
            "nothing" => Ok(Vec::new()),
            "count" => Ok(vec![finding("seen", &format!("{} statements", migration.statements().len()))]),
            "witness" => Ok(witness::everything(&request, migration, before, after)),
            "names" => Ok(witness::names(before, after)),
            "ddl" => Ok(witness::ddl(before, after)),
            "probe" => witness::probe(before),
            "log" => {
                log::emit(log::Level::Info, "one\nline", &[("table".to_owned(), "t\u{1b}[0m".to_owned())]);
                log::emit(log::Level::Debug, "for the author", &[]);
                Ok(vec![finding("seen", &format!("debug is {}", log::enabled(log::Level::Debug)))])
            }
            "obey" => memory::obey(&migration.text(), before, after),
            "loop" => harm::spin(),
            "ask-for-ever" => harm::ask_for_ever(before),
            "memory-bomb" => harm::eat_memory(),
            "stack-overflow" => Ok(vec![finding("seen", &harm::recurse(1).to_string())]),
            "trap" => harm::trap(),
            "panic" => harm::say_and_panic(),
            "log-flood" => harm::flood_the_log(),
            "long-line" => {
                log::emit(log::Level::Info, &"x".repeat(1 << 20), &[]);
                Ok(Vec::new())
            }
            "refuse" => Err(Failure { message: "no mood for it\u{7}".to_owned(), retryable: true }),
            mode => harm::findings(mode, &migration.text()),
        }
    }
}

fn finding(rule: &str, message: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Medium,
        message: message.to_owned(),
        statement: None,
        at: None,
        labels: Vec::new(),
        help: None,
        suggestions: Vec::new(),
        properties: Vec::new(),
    }
}

export!(Guest);
