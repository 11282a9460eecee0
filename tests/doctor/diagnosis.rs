//! What the tests look at: the document, finding by finding.

use serde_json::Value;
use tollgate_tests::{Outcome, Project, repository};

/// No plugin is needed here, and each project would compile them anew.
const NO_PLUGINS: &str = "[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n[plugins.rollback]\nenabled = false\n";

/// A project on this database, with two migrations.
pub(crate) fn on(url: &str) -> Project {
    let mut project = Project::new();
    project.set("DATABASE_URL", url);
    project
        .file("tollgate.toml", NO_PLUGINS)
        .migration("1_users", "CREATE TABLE users (id integer PRIMARY KEY, email text);\n")
        .migration(
            "2_posts",
            "CREATE TABLE posts (id integer PRIMARY KEY, author integer);\n",
        );
    project
}

/// The document that `doctor` makes.
pub(crate) struct Diagnosis {
    pub status: Option<i32>,
    pub document: Value,
}

impl Diagnosis {
    /// Runs `doctor`.
    #[track_caller]
    pub(crate) fn of(project: &Project) -> Self {
        Self::from(&project.run(&["doctor", "--format", "json"]))
    }

    /// Reads what it said, and holds it against the committed schema.
    #[track_caller]
    pub(crate) fn from(outcome: &Outcome) -> Self {
        let path = repository().join("engine/cli/schemas/doctor.json");
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let document = outcome.json();
        let errors: Vec<String> = jsonschema::validator_for(&schema)
            .unwrap()
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}\n{outcome}");
        Self {
            status: outcome.status,
            document,
        }
    }

    /// The finding of this name.
    #[track_caller]
    pub(crate) fn finding(&self, name: &str) -> &Value {
        let findings = self.document["findings"].as_array().unwrap();
        let found: Vec<&Value> = findings.iter().filter(|finding| finding["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name} in {:#}", self.document);
        found[0]
    }

    /// Status, line and help of the finding of this name.
    #[track_caller]
    pub(crate) fn says(&self, name: &str) -> String {
        let finding = self.finding(name);
        let mut text = format!(
            "{} {}",
            finding["status"].as_str().unwrap(),
            finding["line"].as_str().unwrap()
        );
        if let Some(help) = finding["help"].as_str() {
            text.push_str(&format!("\n  → {help}"));
        }
        text
    }

    /// The same of all that are not in order, but for what every test's server has.
    pub(crate) fn complaints(&self) -> String {
        let findings = self.document["findings"].as_array().unwrap();
        let complaints = findings.iter().filter(|finding| {
            let usual = ["fsync", "version"].contains(&finding["name"].as_str().unwrap());
            finding["status"] != "ok" && !usual
        });
        let said: Vec<String> = complaints
            .map(|finding| {
                let name = finding["name"].as_str().unwrap();
                format!("{name}: {}\n", self.says(name))
            })
            .collect();
        said.concat()
    }

    /// Whether there is a finding of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let findings = self.document["findings"].as_array().unwrap();
        findings.iter().any(|finding| finding["name"] == name)
    }

    /// The details of the finding of this name, one a line.
    #[track_caller]
    pub(crate) fn details(&self, name: &str) -> String {
        let details = self.finding(name)["details"].as_array().unwrap();
        let lines: Vec<&str> = details.iter().map(|detail| detail.as_str().unwrap()).collect();
        lines.join("\n")
    }
}

/// A text with every number replaced, where it counts something that others change, too.
pub(crate) fn without_numbers(text: &str) -> String {
    let number = regex::Regex::new(r"\d+(\.\d+)?").unwrap();
    number.replace_all(text, "N").into_owned()
}
