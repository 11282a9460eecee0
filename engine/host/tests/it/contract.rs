//! What is refused before it runs: other versions, other imports, other things than components.

use serde_json::json;
use tollgate_host::{FailureKind, Kind, LoadRequest, PluginError};

use crate::support::{ask, guest, host, request, shown};

fn refusal(bytes: Vec<u8>) -> PluginError {
    host().load(&LoadRequest::new("odd", bytes)).unwrap_err()
}

/// The guest with one text replaced by another of the same length, wherever it stands: a component stays valid.
fn altered(name: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = without_description(name);
    let found: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, part)| *part == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!found.is_empty(), "{name} has no {from}");
    for at in found {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// The guest as it was before `describe` was embedded.
fn without_description(name: &str) -> Vec<u8> {
    let mut bytes = guest(name);
    let mut depth = 0;
    let mut section = None;
    for payload in wasmparser::Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            wasmparser::Payload::ModuleSection { .. } | wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::CustomSection(found) if depth == 0 && found.name() == "tollgate:describe" => {
                section = Some(found.range());
            }
            _ => {}
        }
    }
    if let Some(range) = section {
        assert_eq!(range.end, bytes.len(), "the section is expected last");
        // Before the content stand the section's number and its length in LEB128.
        let length = range.end - range.start;
        let prefix = 1 + (1..=5).find(|&size| length < 1 << (7 * size)).unwrap();
        bytes.truncate(range.start - prefix);
    }
    bytes
}

/// The guest with another description embedded.
fn described(name: &str, description: &serde_json::Value) -> Vec<u8> {
    let mut bytes = without_description(name);
    let section = "tollgate:describe";
    let content = description.to_string();
    let mut length = 1 + section.len() + content.len();
    bytes.push(0);
    loop {
        let low = u8::try_from(length & 0x7f).unwrap();
        length >>= 7;
        bytes.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    bytes.push(u8::try_from(section.len()).unwrap());
    bytes.extend(section.bytes());
    bytes.extend(content.bytes());
    bytes
}

#[test]
fn other_versions_of_the_contract_are_named() {
    let error = refusal(altered("misbehave", "@0.1.0", "@0.2.0"));
    assert_eq!(error.kind, FailureKind::Incompatible);
    insta::assert_snapshot!(shown(&error), @r#"
    plugin `odd` failed (incompatible): wants tollgate:plugin 0.2, this engine speaks 0.1
        help: Use a build of the plugin for this version of Tollgate, or the version of Tollgate it was built for.
    "#);
    let error = refusal(altered("misbehave", "plugin/policy@0.1.0", "plugin/policy@1.4.0"));
    insta::assert_snapshot!(error, @"plugin `odd` failed (incompatible): wants tollgate:plugin 1.4, this engine speaks 0.1");
}

#[test]
fn a_later_patch_of_the_same_version_is_welcome() {
    let plugin = host()
        .load(&LoadRequest::new("newer", altered("misbehave", "@0.1.0", "@0.1.9")))
        .unwrap();
    assert_eq!(plugin.kind(), Kind::Policy);
    assert!(ask(&plugin).unwrap().is_empty());
}

#[test]
fn other_shapes_under_the_same_version_are_noticed() {
    // A field has another name, as in a build against an older draft.
    let error = refusal(altered("misbehave", "estimated-rows", "estimated-cows"));
    assert_eq!(error.kind, FailureKind::Incompatible);
    assert!(
        error
            .message
            .starts_with("was built for another state of tollgate:plugin 0.1: "),
        "{error}"
    );
}

#[test]
fn imports_that_nobody_offers_are_refused_by_name() {
    let error = refusal(altered(
        "caller",
        "tollgate:plugin/log@0.1.0",
        "wasi:random/random@0.2.10",
    ));
    assert_eq!(error.kind, FailureKind::RefusedCapability);
    insta::assert_snapshot!(shown(&error), @r#"
    plugin `odd` failed (refused-capability): imports `wasi:random/random@0.2.10`, and plugins get no WASI
        help: Build it without WASI; for Rust that is the target wasm32-unknown-unknown.
    "#);
    let error = refusal(altered(
        "caller",
        "tollgate:plugin/log@0.1.0",
        "somebody:else/thing@0.1.0",
    ));
    insta::assert_snapshot!(error, @"plugin `odd` failed (refused-capability): imports `somebody:else/thing@0.1.0`, which the contract does not offer");
}

#[test]
fn what_is_no_plugin_is_refused() {
    let mut cut = guest("misbehave");
    cut.truncate(2_000);
    let cases: [(&str, Vec<u8>); 6] = [
        ("nothing", Vec::new()),
        ("text", b"DROP TABLE users;".to_vec()),
        ("core module", b"\0asm\x01\0\0\0".to_vec()),
        ("empty component", b"\0asm\x0d\0\x01\0".to_vec()),
        ("cut off", cut),
        (
            "without about",
            altered(
                "misbehave",
                "tollgate:plugin/about@0.1.0",
                "tollgate:plugin/abort@0.1.0",
            ),
        ),
    ];
    let messages = cases.map(|(name, bytes)| format!("{name}: {}\n", refusal(bytes)));
    insta::assert_snapshot!(messages.concat(), @"
    nothing: plugin `odd` failed (incompatible): is not a WebAssembly component
    text: plugin `odd` failed (incompatible): is not a WebAssembly component
    core module: plugin `odd` failed (incompatible): is a core WebAssembly module, not a component
    empty component: plugin `odd` failed (incompatible): exports neither policy, rollback nor notifier of tollgate:plugin
    cut off: plugin `odd` failed (incompatible): is not a valid WebAssembly component: unexpected end-of-file (at offset 0x442)
    without about: plugin `odd` failed (incompatible): does not export tollgate:plugin/about
    ");
}

#[test]
fn a_description_is_the_same_embedded_and_asked_for() {
    for name in ["misbehave", "undo", "caller"] {
        let embedded = host().describe(&guest(name)).unwrap();
        let asked = host().describe(&without_description(name)).unwrap();
        assert_eq!(embedded, asked);
    }
    let (kind, description) = host().describe(&guest("misbehave")).unwrap();
    assert_eq!(kind, Kind::Policy);
    insta::assert_json_snapshot!(description, @r#"
    {
      "name": "misbehave",
      "version": "0.1.0",
      "summary": "Does whatever its setting says.",
      "rules": [
        {
          "id": "seen",
          "summary": "Summary of seen.",
          "default-severity": "medium",
          "enabled-by-default": true,
          "needs-database": false,
          "triggers": [],
          "explanation": "For tests.",
          "bad-example": "DROP TABLE t;",
          "good-example": null
        },
        {
          "id": "other",
          "summary": "Summary of other.",
          "default-severity": "medium",
          "enabled-by-default": true,
          "needs-database": false,
          "triggers": [],
          "explanation": "For tests.",
          "bad-example": "DROP TABLE t;",
          "good-example": null
        }
      ],
      "capabilities": [
        "catalog.probe"
      ],
      "settings-schema": "{\"type\":\"object\"}",
      "properties": [
        [
          "purpose",
          "tests"
        ]
      ]
    }
    "#);
}

#[test]
fn an_embedded_description_is_believed() {
    let mut description = serde_json::to_value(host().describe(&guest("undo")).unwrap().1).unwrap();
    description["summary"] = json!("embedded");
    let (_, described) = host().describe(&described("undo", &description)).unwrap();
    assert_eq!(described.summary, "embedded");
}

#[test]
fn malformed_descriptions_are_refused() {
    let sound = || serde_json::to_value(host().describe(&guest("misbehave")).unwrap().1).unwrap();
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut description = sound();
        change(&mut description);
        description
    };
    let cases = [
        ("another shape", json!({ "rules": [] })),
        ("no name", with(&|description| description["name"] = json!(""))),
        (
            "bad rule name",
            with(&|description| description["rules"][0]["id"] = json!("Not Kebab")),
        ),
        (
            "same rule twice",
            with(&|description| description["rules"][0]["id"] = json!("other")),
        ),
        (
            "bad schema",
            with(&|description| description["settings-schema"] = json!("{")),
        ),
        (
            "odd capability",
            with(&|description| description["capabilities"] = json!(["http:a b"])),
        ),
        (
            "unknown capability",
            with(&|description| description["capabilities"] = json!(["fs.read"])),
        ),
        (
            "notifier's capability",
            with(&|description| description["capabilities"] = json!(["http:hook"])),
        ),
    ];
    let messages =
        cases.map(|(name, description)| format!("{name}: {}\n", refusal(described("misbehave", &description))));
    insta::assert_snapshot!(messages.concat(), @r#"
    another shape: plugin `odd` failed (invalid-output): its section tollgate:describe is no description: missing field `name` at line 1 column 12
    no name: plugin `odd` failed (invalid-output): describes itself without a name or version
    bad rule name: plugin `odd` failed (invalid-output): describes a rule `Not Kebab`; rules are named in kebab-case
    same rule twice: plugin `odd` failed (invalid-output): describes the rule `other` twice
    bad schema: plugin `odd` failed (invalid-output): describes a settings schema that is no JSON: EOF while parsing an object at line 1 column 1
    odd capability: plugin `odd` failed (invalid-output): asks for a capability `http:a b`, which is no name of one
    unknown capability: plugin `odd` failed (refused-capability): asks for the capability `fs.read`, which a policy cannot have
    notifier's capability: plugin `odd` failed (refused-capability): asks for the capability `http:hook`, which a policy cannot have
    "#);
}

#[test]
fn a_plugin_answers_only_questions_of_its_kind() {
    let plugin = host().load(&request("undo", json!({}))).unwrap();
    insta::assert_snapshot!(ask(&plugin).unwrap_err(), @"plugin `undo` failed (incompatible): is a rollback generator, not a policy");
}
