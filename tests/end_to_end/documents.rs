//! What programs read: every JSON document follows its committed schema.

use std::path::Path;

use serde_json::Value;
use tollgate_tests::{Outcome, Project, Receiver, repository};

use crate::session::{DROP, ROWS, blog, both};

/// Validates a document against `engine/cli/schemas/NAME.json`.
#[track_caller]
fn follows(outcome: &Outcome, name: &str) -> Value {
    let path = repository().join(format!("engine/cli/schemas/{name}.json"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let document = outcome.json();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "against {name}.json: {errors:#?}\n{outcome}");
    assert_eq!(
        outcome.raw_stderr, "",
        "a program reads standard output, and everything is there"
    );
    document
}

fn json(project: &Project, command: &str) -> Outcome {
    project.run(&command.split(' ').chain(["--format", "json"]).collect::<Vec<_>>())
}

#[test]
fn every_command_on_both_databases() {
    both(|project, database| {
        let receiver = Receiver::start();
        blog(project);
        project.file(
            "tollgate.toml",
            &format!(
                "[plugins.webhook.endpoints.webhook]\nurl = \"{}\"\nallow_private = true\n",
                receiver.url()
            ),
        );
        for (command, schema, status) in [
            ("check", "check", 0),
            ("approve --list", "approve", 0),
            ("status", "status", 5),
            ("deploy --dry-run", "deploy", 0),
            ("deploy", "deploy", 0),
            ("deploy", "deploy", 0),
            ("rollback --dry-run", "rollback", 0),
            ("rollback", "error", 2),
            ("rollback --force", "rollback", 0),
            ("status", "status", 5),
            ("resolve", "resolve", 0),
            ("resolve 3_views", "resolve", 5),
            ("resolve --applied 3_views", "error", 5),
            ("resolve --applied 3_views --force", "resolve", 0),
            ("resolve --applied 3_views", "error", 5),
            ("baseline --yes", "error", 5),
            ("reset --force", "error", 2),
            ("seed --force", "error", 2),
            ("status", "status", 0),
            ("plugin list", "plugin-list", 0),
            ("plugin list --rules", "plugin-list", 0),
            ("config show --origin", "config-show", 0),
        ] {
            let outcome = json(project, command);
            assert_eq!(outcome.status, Some(status), "{command}\n{outcome}");
            let document = follows(&outcome, schema);
            // Since it looks before it records, its document holds more than one migration.
            let version = if schema == "resolve" { 2 } else { 1 };
            assert_eq!(document["version"], version, "{command}");
            assert!(command.starts_with(document["command"].as_str().unwrap()), "{command}");
        }
        database.run(ROWS);
        project.migration("4_drop", DROP);
        for command in ["check", "deploy", "deploy --dry-run"] {
            let outcome = json(project, command);
            assert_eq!(outcome.status, Some(3), "{command}\n{outcome}");
            let document = follows(&outcome, command.split(' ').next().unwrap());
            assert!(document["counts"]["blocking"].as_u64() > Some(0), "{command}");
        }
        project.migration("4_drop", "INSERT INTO nowhere VALUES (1);\n");
        let failed = json(project, "deploy");
        assert_eq!(failed.status, Some(1));
        let document = follows(&failed, "error");
        assert_eq!(document["errors"][0]["place"]["line"], 1);
        assert_eq!(document["errors"][0]["place"]["column"], 13);
        String::new()
    });
}

#[test]
fn what_writes_files_and_what_cannot_even_begin() {
    let project = Project::new();
    blog(&project);
    project.file("migrations/migration_lock.toml", "provider = \"sqlite\"\n");
    follows(&json(&project, "new add_tags"), "new");
    follows(&json(&project, "init"), "init");
    follows(&json(&project, "deploy"), "error");
    project.file("tollgate.toml", "[nonsense]\n");
    let outcome = json(&project, "status");
    assert_eq!(outcome.status, Some(2));
    let document = follows(&outcome, "error");
    assert_eq!(document["status"], 2);
    assert_eq!(document["errors"][0]["code"], "config::unknown-key");
}

#[test]
fn there_is_a_schema_for_every_command_and_no_other() {
    let mut names: Vec<String> = std::fs::read_dir(repository().join("engine/cli/schemas"))
        .unwrap()
        .map(|entry| {
            Path::new(&entry.unwrap().file_name())
                .with_extension("")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let expected = [
        "approve",
        "baseline",
        "check",
        "ci-comment",
        "ci-gate",
        "ci-init",
        "config-show",
        "deploy",
        "doctor",
        "drift",
        "error",
        "explain",
        "init",
        "lock-acquire",
        "lock-release",
        "lock-status",
        "new",
        "notify",
        "plugin-list",
        "preview",
        "reset",
        "resolve",
        "rollback",
        "seed",
        "status",
    ];
    assert_eq!(names, expected);
}
