//! What a step of GitHub Actions finds in its environment. Source: "Variables reference" in GitHub's documentation.

use serde_json::Value;

use crate::engine::github::{GithubError, Repository};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::report::Report;

/// The API where nothing else is said.
const API: &str = "https://api.github.com";

/// A variable that is set to something.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable that must be set.
pub fn required(name: &str, what: &str) -> Result<String, Failure> {
    variable(name).ok_or_else(|| {
        let message = format!("{name} is not set: it holds {what}");
        let help = "GitHub Actions sets its own variables; `env:` of the step hands secrets on";
        Failure::new(Exit::Usage, Report::error("ci::variable", message).help(help))
    })
}

/// The repository of this run, with the token of this run.
pub fn repository(ui: &Ui) -> Result<Repository, Failure> {
    let token = required("GITHUB_TOKEN", "the token for GitHub's API")?;
    ui.hide(&token);
    let name = required("GITHUB_REPOSITORY", "the repository as OWNER/NAME")?;
    let api = variable("GITHUB_API_URL").unwrap_or_else(|| API.to_owned());
    Repository::new(&api, &name, &token).map_err(|error| failure(&error))
}

/// The number of the pull request that this run is for.
pub fn pull_request() -> Option<u64> {
    let path = variable("GITHUB_EVENT_PATH")?;
    let event: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    event["pull_request"]["number"].as_u64()
}

/// A request that did not do what it should, as the end of a command.
pub fn failure(error: &GithubError) -> Failure {
    let (code, help) = match error {
        GithubError::Forbidden { .. } => (
            "github::forbidden",
            "give the job the permission it needs (`permissions:` in the workflow)",
        ),
        GithubError::Refused { .. } | GithubError::Unreachable { .. } => ("github::failed", "run the job again"),
        GithubError::Insecure(_) => ("github::insecure", "set GITHUB_API_URL to an https address"),
    };
    Failure::new(Exit::Failed, Report::error(code, error.to_string()).help(help))
}
