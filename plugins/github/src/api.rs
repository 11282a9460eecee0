//! The requests. Sources: "REST API endpoints for deployments", "… for deployment statuses", "… for issue comments" and
//! "… for commits" in GitHub's documentation, API version 2022-11-28.

use serde_json::{Value, json};
use tollgate_plugin::http::{HttpError, Method, Request, Response};
use tollgate_plugin::{Failure, Http, Run};

use crate::text::{Status, environment};

/// Name of the endpoint in the configuration; its URL is that of the repository, `https://api.github.com/repos/OWNER/NAME`.
const ENDPOINT: &str = "api";
/// Name of the endpoint's secret.
const TOKEN: &str = "token";
/// Comments a page, GitHub's most.
const PAGE: usize = 100;
/// Pages that are looked through for an earlier comment; a run may send a hundred requests in all.
const PAGES: usize = 20;
/// Characters of a status's description, GitHub's most.
const DESCRIPTION: usize = 140;

/// GitHub's API, at one repository.
pub(crate) struct Api<'a> {
    http: &'a dyn Http,
}

impl<'a> Api<'a> {
    pub(crate) fn new(http: &'a dyn Http) -> Self {
        Self { http }
    }

    /// The deployment that an earlier event of the run has made.
    pub(crate) fn deployment(&self, run: &Run, commit: &str) -> Result<Option<u64>, Failure> {
        let query = format!(
            "sha={}&environment={}&task={}&per_page=30",
            escape(commit),
            escape(environment(run)),
            escape(&task(run))
        );
        let found = self.read(
            "look for the deployment",
            Method::Get,
            &format!("/deployments?{query}"),
            None,
        )?;
        let ours = found.as_array().into_iter().flatten().find(|deployment| {
            // GitHub gives a payload back as it was sent, as an object or as its text.
            let payload = &deployment["payload"];
            let parsed: Option<Value> = payload.as_str().and_then(|text| serde_json::from_str(text).ok());
            parsed.as_ref().unwrap_or(payload)["run"] == run.id.as_str()
        });
        Ok(ours.and_then(|deployment| deployment["id"].as_u64()))
    }

    /// Makes one. The checks of the commit do not matter: the run is on its way.
    pub(crate) fn create_deployment(&self, run: &Run, commit: &str) -> Result<u64, Failure> {
        let body = json!({
            "ref": commit,
            "task": task(run),
            "auto_merge": false,
            "required_contexts": [],
            "environment": environment(run),
            "description": format!("Database migrations of {}", run.target),
            "payload": { "run": run.id },
        });
        let made = self.read("make a deployment", Method::Post, "/deployments", Some(&body))?;
        made["id"]
            .as_u64()
            .ok_or_else(|| Failure::new("GitHub's answer to a new deployment has no id"))
    }

    pub(crate) fn add_status(&self, run: &Run, deployment: u64, status: &Status) -> Result<(), Failure> {
        let description: String = status.description.chars().take(DESCRIPTION).collect();
        let mut body = json!({ "state": status.state, "description": description, "auto_inactive": false });
        if let Some(link) = &run.link {
            body["log_url"] = json!(link);
        }
        let path = format!("/deployments/{deployment}/statuses");
        self.send("write the deployment's status", Method::Post, &path, Some(&body))
            .map(drop)
    }

    /// The pull request that brought the commit: an open one before one that was merged.
    pub(crate) fn pull_request(&self, commit: &str) -> Result<Option<u64>, Failure> {
        let path = format!("/commits/{}/pulls", escape(commit));
        let found = self.read("look for the pull request", Method::Get, &path, None)?;
        let pulls = || found.as_array().into_iter().flatten();
        let open = pulls().find(|pull| pull["state"] == "open");
        let merged = || pulls().find(|pull| pull["merged_at"].is_string());
        Ok(open.or_else(merged).and_then(|pull| pull["number"].as_u64()))
    }

    /// The comment of an earlier event or run. What somebody else has written, with the same beginning, is not ours to
    /// change.
    pub(crate) fn comment(&self, number: u64, marker: &str, login: Option<&str>) -> Result<Option<u64>, Failure> {
        for page in 1..=PAGES {
            let path = format!("/issues/{number}/comments?per_page={PAGE}&page={page}");
            let found = self.read("read the comments", Method::Get, &path, None)?;
            let comments = found.as_array().map(Vec::as_slice).unwrap_or_default();
            let ours = comments.iter().find(|comment| {
                let marked = comment["body"].as_str().is_some_and(|body| body.starts_with(marker));
                let author = &comment["user"];
                marked && (author["type"] == "Bot" || login.is_some_and(|login| author["login"] == login))
            });
            if let Some(ours) = ours {
                return Ok(ours["id"].as_u64());
            }
            if comments.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }

    pub(crate) fn create_comment(&self, number: u64, body: &str) -> Result<(), Failure> {
        let path = format!("/issues/{number}/comments");
        let body = json!({ "body": body });
        self.send("write a comment", Method::Post, &path, Some(&body)).map(drop)
    }

    pub(crate) fn update_comment(&self, comment: u64, body: &str) -> Result<(), Failure> {
        let path = format!("/issues/comments/{comment}");
        let body = json!({ "body": body });
        self.send("update the comment", Method::Patch, &path, Some(&body))
            .map(drop)
    }

    fn read(&self, doing: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let response = self.send(doing, method, path, body)?;
        serde_json::from_slice(&response.body).map_err(|_| Failure::new(format!("GitHub could not {doing}: no JSON")))
    }

    fn send(&self, doing: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Response, Failure> {
        let mut request = Request::post_json(ENDPOINT, body.unwrap_or(&Value::Null))
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
            .prefixed_secret_header("authorization", "Bearer ", TOKEN);
        request.method = method;
        request.path = Some(path.to_owned());
        if body.is_none() {
            request.body.clear();
        }
        let response = self.http.send(&request).map_err(|error| failure(doing, &error))?;
        if response.is_success() {
            return Ok(response);
        }
        let said: Option<Value> = serde_json::from_slice(&response.body).ok();
        let said = said
            .and_then(|said| said["message"].as_str().map(str::to_owned))
            .unwrap_or_default();
        let message = format!("GitHub could not {doing}: it answered {} {said}", response.status)
            .trim_end()
            .to_owned();
        // A secondary rate limit is answered with 403.
        let limited = response.status == 403 && said.contains("rate limit");
        Err(if response.is_retryable() || limited {
            Failure::retryable(message)
        } else {
            Failure::new(message)
        })
    }
}

/// What is deployed: a rollback is told apart.
fn task(run: &Run) -> String {
    format!("migrations:{}", run.command)
}

/// A value of a query, or a part of a path.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn failure(doing: &str, error: &HttpError) -> Failure {
    match error {
        HttpError::TimedOut => Failure::retryable(format!("GitHub did not answer in time to {doing}")),
        HttpError::Transport(reason) => Failure::retryable(format!("cannot reach GitHub to {doing}: {reason}")),
        HttpError::UnknownEndpoint(name) => Failure::new(format!(
            "no endpoint {name} is configured: set plugins.github.endpoints.{name}.url to https://api.github.com/repos/OWNER/NAME"
        )),
        HttpError::Denied(reason) => Failure::new(reason.clone()),
        HttpError::TooLarge => Failure::new(format!("GitHub's answer is too large to {doing}")),
    }
}
