//! Reads a workflow and runs its jobs' `run:` steps, as far as these tests need it. What it does not know makes a test
//! fail: an expression or an action that was added to the workflow has to be taught here first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A workflow file.
pub struct Workflow(Value);

/// What a run of it knows.
pub struct Run<'a> {
    /// The checked-out repository.
    pub workspace: &'a Path,
    /// `runner.temp`.
    pub temp: PathBuf,
    /// Values of expressions: `github.base_ref`, `secrets.X`.
    pub values: BTreeMap<&'a str, String>,
    /// Variables that GitHub Actions sets.
    pub variables: BTreeMap<&'a str, String>,
    /// Variables of the workflow that are replaced.
    pub replaced: BTreeMap<&'a str, String>,
}

/// How a step ended.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    /// `None`: it was skipped.
    pub status: Option<i32>,
    pub output: String,
}

/// How a job ended.
pub struct Job {
    pub steps: Vec<Step>,
}

impl Job {
    pub fn succeeded(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.status, None | Some(0)))
    }

    /// The steps that ran, with their exit statuses.
    pub fn summary(&self) -> String {
        let lines = self.steps.iter().map(|step| match step.status {
            Some(status) => format!("{}: {status}\n", step.name),
            None => format!("{}: skipped\n", step.name),
        });
        lines.collect()
    }

    #[track_caller]
    pub fn step(&self, name: &str) -> &Step {
        let found = self.steps.iter().find(|step| step.name == name);
        found.unwrap_or_else(|| panic!("no step {name} in\n{}", self.summary()))
    }
}

impl Workflow {
    pub fn read(path: &Path) -> Self {
        Self(serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    pub fn job(&self, name: &str) -> &Value {
        &self.0["jobs"][name]
    }

    /// Every action that is used.
    pub fn actions(&self) -> Vec<String> {
        let jobs = self.0["jobs"].as_object().unwrap().values();
        let steps = jobs.flat_map(|job| job["steps"].as_array().unwrap());
        steps
            .filter_map(|step| step["uses"].as_str().map(str::to_owned))
            .collect()
    }

    /// Runs a job's steps in order.
    pub fn run(&self, job: &str, run: &Run<'_>) -> Job {
        std::fs::create_dir_all(&run.temp).unwrap();
        let mut ended = Job { steps: Vec::new() };
        let mut outcomes: BTreeMap<String, &str> = BTreeMap::new();
        for step in self.job(job)["steps"].as_array().unwrap() {
            let failed = !ended.succeeded();
            let wanted = wanted(step["if"].as_str(), failed, &outcomes);
            let name = step["name"].as_str().unwrap_or("check out").to_owned();
            let done = match step["run"].as_str().filter(|_| wanted) {
                Some(script) => self.step(&name, script, step, run),
                // An action: what it does is not ours to test.
                None => Step {
                    name,
                    status: None,
                    output: String::new(),
                },
            };
            if let Some(id) = step["id"].as_str() {
                let outcome = match done.status {
                    None => "skipped",
                    Some(0) => "success",
                    Some(_) => "failure",
                };
                outcomes.insert(id.to_owned(), outcome);
            }
            ended.steps.push(done);
        }
        ended
    }

    fn step(&self, name: &str, script: &str, step: &Value, run: &Run<'_>) -> Step {
        let file = |name: &str| run.temp.join(name);
        let path = std::fs::read_to_string(file("path")).unwrap_or_default();
        let path: String = path.lines().map(|line| format!("{line}:")).collect();
        let mut command = Command::new("bash");
        // As `shell: bash` of GitHub Actions.
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .env_clear()
            .current_dir(run.workspace.join(step["working-directory"].as_str().unwrap_or(".")))
            .env("PATH", path + &std::env::var("PATH").unwrap())
            .env("HOME", &run.temp)
            .env("RUNNER_TEMP", &run.temp)
            .env("GITHUB_PATH", file("path"))
            .env("GITHUB_STEP_SUMMARY", file("summary"))
            .env("GITHUB_ACTIONS", "true")
            .envs(&run.variables)
            .stdin(Stdio::null());
        for variables in [&self.0["env"], &step["env"]] {
            for (name, value) in variables.as_object().into_iter().flatten() {
                let value = value.as_str().unwrap();
                let value = run
                    .replaced
                    .get(name.as_str())
                    .cloned()
                    .unwrap_or_else(|| run.evaluate(value));
                command.env(name, value);
            }
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Step {
            name: name.to_owned(),
            status: output.status.code(),
            output: text(&output.stdout) + &text(&output.stderr),
        }
    }
}

/// Whether a step's condition holds.
fn wanted(condition: Option<&str>, failed: bool, outcomes: &BTreeMap<String, &str>) -> bool {
    let Some(condition) = condition else { return !failed };
    let inner = condition.trim_start_matches("${{").trim_end_matches("}}").trim();
    match inner {
        "!cancelled()" => true,
        "failure() && steps.deploy.outcome == 'skipped'" => {
            failed && outcomes.get("deploy").is_none_or(|outcome| *outcome == "skipped")
        }
        other => panic!("the condition `{other}` is not known here"),
    }
}

impl Run<'_> {
    /// A text with its expressions replaced.
    fn evaluate(&self, text: &str) -> String {
        let mut parts = text.split("${{");
        let mut result = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").unwrap();
            let expression = expression.trim();
            let temp = self.temp.display().to_string();
            let value = if expression == "runner.temp" {
                Some(&temp)
            } else {
                self.values.get(expression)
            };
            result += value.unwrap_or_else(|| panic!("the expression `{expression}` is not known here"));
            result += rest;
        }
        result
    }
}
