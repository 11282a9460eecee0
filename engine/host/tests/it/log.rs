//! What plugins log: bounded and printable.

use serde_json::json;
use tollgate_host::LogLevel;

use crate::support::{ask, logging_host, messages, request};

#[test]
fn a_line_comes_with_its_plugin_and_without_control_characters() {
    let (host, lines) = logging_host();
    let plugin = host.load(&request("misbehave", json!({ "mode": "log" }))).unwrap();
    let findings = ask(&plugin).unwrap();
    assert_eq!(messages(&findings), "debug is false");
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].plugin.as_str(), lines[0].level),
        ("misbehave", LogLevel::Info)
    );
    assert_eq!(lines[0].message, "one line");
    assert_eq!(lines[0].fields, [("table".to_owned(), "t[0m".to_owned())]);
}

#[test]
fn a_flood_is_counted_and_dropped() {
    let (host, lines) = logging_host();
    let plugin = host
        .load(&request("misbehave", json!({ "mode": "log-flood" })))
        .unwrap();
    ask(&plugin).unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 1_001);
    assert_eq!(lines[999].message, "line 999");
    assert_eq!(lines[1_000].level, LogLevel::Warn);
    assert_eq!(
        lines[1_000].message,
        "4000 more log lines dropped (at most 1000 a call)"
    );
}

#[test]
fn a_long_line_is_cut() {
    let (host, lines) = logging_host();
    let plugin = host
        .load(&request("misbehave", json!({ "mode": "long-line" })))
        .unwrap();
    ask(&plugin).unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines[0].message.len(), (4 << 10) + '…'.len_utf8());
}
