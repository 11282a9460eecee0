//! Each way to misbehave has its own message, and the next call is none the worse for it.

use serde_json::json;
use tollgate_host::FailureKind;

use crate::support::{ask, host, policy, policy_with, request, shown};

/// Loads the guest in a mode, asks it, and says what happened.
fn outcome(mode: &str) -> String {
    let plugin = match policy_with(mode, |limits| {
        limits.fuel = 500_000_000;
        limits.deadline_ms = 20_000;
    }) {
        Ok(plugin) => plugin,
        Err(error) => return format!("{mode}, when loaded: {}\n", shown(&error)),
    };
    match ask(&plugin) {
        Ok(findings) => format!("{mode}: {} findings\n", findings.len()),
        Err(error) => format!("{mode}: {}\n", shown(&error)),
    }
}

/// Which of the guest's own functions are on the stack is its compiler's choice; which export was called is not.
fn without_inner_functions(text: &str) -> String {
    let line = |line: &str| match (line.find("aborted in "), line.find(", called by tollgate:plugin")) {
        (Some(from), Some(to)) => format!("{}aborted in […]{}\n", &line[..from], &line[to..]),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn crashes_and_excesses_have_names() {
    let modes = [
        "loop",
        "loop-in-configure",
        "memory-bomb",
        "stack-overflow",
        "trap",
        "panic",
        "bad-settings",
    ];
    insta::assert_snapshot!(without_inner_functions(&modes.map(outcome).concat()), @"
    loop: plugin `misbehave` failed (out-of-fuel): used up its 500000000 units of fuel
        help: If the plugin is sound, give it a higher `fuel` under `limits` in its configuration.
    loop-in-configure, when loaded: plugin `misbehave` failed (out-of-fuel): used up its 500000000 units of fuel
        help: If the plugin is sound, give it a higher `fuel` under `limits` in its configuration.
    memory-bomb: plugin `misbehave` failed (out-of-memory): wanted more than 128 MiB of memory
        help: If the plugin is sound, give it a higher `memory_mib` under `limits` in its configuration.
    stack-overflow: plugin `misbehave` failed (trapped): call stack exhausted in guest_misbehave::harm::recurse
    trap: plugin `misbehave` failed (trapped): it panicked or aborted in […], called by tollgate:plugin/policy@0.1.0#check
    panic: plugin `misbehave` failed (trapped): it panicked or aborted in […], called by tollgate:plugin/policy@0.1.0#check; it said: panicked at misbehave/src/harm.rs:52:5: the sky is falling
    bad-settings, when loaded: plugin `misbehave` failed (bad-settings): /mode: must not be [31mbad[0m; /tables/2: no such table
    ");
}

#[test]
fn time_that_costs_no_fuel_is_bounded_by_the_clock() {
    let plugin = policy_with("ask-for-ever", |limits| limits.deadline_ms = 300).unwrap();
    let error = ask(&plugin).unwrap_err();
    assert_eq!(error.kind, FailureKind::TimedOut);
    insta::assert_snapshot!(shown(&error), @r#"
    plugin `misbehave` failed (timed-out): ran for longer than 300 ms
        help: If the plugin is sound, give it a higher `deadline_ms` under `limits` in its configuration.
    "#);
}

#[test]
fn malformed_findings_have_names() {
    let modes = [
        "unknown-rule",
        "no-such-statement",
        "beyond-the-text",
        "backwards",
        "inside-a-character",
        "label-beyond-the-text",
        "overlapping-edits",
        "no-message",
        "million-findings",
        "too-many-findings",
        "huge-message",
        "enormous-message",
        "many-labels",
        "refuse",
    ];
    insta::assert_snapshot!(modes.map(outcome).concat(), @r#"
    unknown-rule: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that names the rule `made-up`, which the plugin does not describe
    no-such-statement: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that is about statement 99 of a script with 2
    beyond-the-text: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that points at bytes 0 to 52 of a script that has 51
    backwards: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that points at bytes 5 to 4, which is backwards
    inside-a-character: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that points at bytes 0 to 7, which is inside a character
    label-beyond-the-text: plugin `misbehave` failed (invalid-output): returned a finding (number 2) that points at bytes 51 to 61 of a script that has 51
    overlapping-edits: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that suggests edits that overlap
    no-message: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that has no message
    million-findings: plugin `misbehave` failed (out-of-memory): wanted more than 128 MiB of memory
        help: If the plugin is sound, give it a higher `memory_mib` under `limits` in its configuration.
    too-many-findings: plugin `misbehave` failed (invalid-output): returned 10001 findings; at most 10000 are allowed
    huge-message: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that has a message of 17408 bytes; at most 16384 are allowed
    enormous-message: plugin `misbehave` failed (invalid-output): handed over more than 32 MiB at once
    many-labels: plugin `misbehave` failed (invalid-output): returned a finding (number 1) that has 101 labels; at most 100 are allowed
    refuse: plugin `misbehave` failed (failed): no mood for it
    "#);
}

#[test]
fn what_is_just_within_bounds_is_fine() {
    let modes = [
        "nothing",
        "count",
        "up-to-the-end",
        "neighbouring-edits",
        "most-findings",
        "long-message",
        "escape-codes",
    ];
    insta::assert_snapshot!(modes.map(outcome).concat(), @r#"
    nothing: 0 findings
    count: 1 findings
    up-to-the-end: 1 findings
    neighbouring-edits: 1 findings
    most-findings: 10000 findings
    long-message: 1 findings
    escape-codes: 1 findings
    "#);
}

#[test]
fn a_call_that_fails_spoils_nothing_else() {
    let good = policy("count").unwrap();
    for mode in ["trap", "stack-overflow", "panic", "beyond-the-text"] {
        let bad = policy(mode).unwrap();
        for _ in 0..3 {
            assert!(ask(&bad).is_err(), "{mode}");
            assert_eq!(ask(&good).unwrap()[0].message, "2 statements");
        }
    }
}

#[test]
fn one_plugin_answers_many_threads() {
    let good = policy("count").unwrap();
    let bad = policy_with("loop", |limits| limits.fuel = 1_000_000).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(ask(&bad).unwrap_err().kind, FailureKind::OutOfFuel);
                    assert_eq!(ask(&good).unwrap()[0].message, "2 statements");
                }
            });
        }
    });
}

#[test]
fn nothing_that_moves_a_cursor_or_turns_text_around_gets_through() {
    let findings = ask(&policy("escape-codes").unwrap()).unwrap();
    assert_eq!(findings[0].message, "[2Jall is well");
}

#[test]
fn findings_of_rules_that_are_off_are_dropped() {
    let findings = ask(&policy("other-rule").unwrap()).unwrap();
    assert_eq!(
        findings.iter().map(|finding| finding.rule.as_str()).collect::<Vec<_>>(),
        ["seen"]
    );
}

#[test]
fn suggested_edits_come_in_order() {
    let findings = ask(&policy("neighbouring-edits").unwrap()).unwrap();
    let spans: Vec<_> = findings[0].suggestions[0]
        .edits
        .iter()
        .map(|edit| (edit.span.start, edit.span.end))
        .collect();
    assert_eq!(spans, [(0, 3), (3, 6)]);
}

#[test]
fn settings_come_back_with_the_places_that_are_wrong() {
    let error = policy("bad-settings").unwrap_err();
    let issues: Vec<_> = error
        .issues
        .iter()
        .map(|issue| (issue.path.as_str(), issue.message.as_str()))
        .collect();
    assert_eq!(
        issues,
        [("/mode", "must not be [31mbad[0m"), ("/tables/2", "no such table")]
    );
    let error = host().load(&request("misbehave", json!(["no", "table"]))).unwrap_err();
    insta::assert_snapshot!(error, @"plugin `misbehave` failed (bad-settings): the settings are not a table");
}
