//! The few requests to GitHub's API that a workflow needs: the comment on a pull request, the protection of an environment.
//!
//! Source: "REST API endpoints for issue comments" and "… for deployment environments", API version 2022-11-28.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often a request is tried that the server could not answer.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// Comments a page, GitHub's most.
const PAGE: usize = 100;
/// Pages that are looked through for the comment of an earlier run.
const PAGES: usize = 50;
/// Answers longer than this are not GitHub's.
const ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// A repository, for somebody with a token.
pub struct Repository {
    agent: ureq::Agent,
    /// `https://api.github.com/repos/OWNER/NAME`
    base: String,
    api: String,
    authorization: String,
}

/// Why a request did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// The token may not do this: GitHub answers 403, or 404 where it does not even say that there is something.
    #[error("the token may not {doing}: GitHub answered {status}: {message}")]
    Forbidden {
        /// What was asked for.
        doing: &'static str,
        /// The HTTP status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// GitHub refused the request or could not answer it.
    #[error("GitHub could not {doing}: it answered {status}: {message}")]
    Refused {
        /// What was asked for.
        doing: &'static str,
        /// The HTTP status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// No answer.
    #[error("GitHub could not be asked to {doing}: {reason}")]
    Unreachable {
        /// What was asked for.
        doing: &'static str,
        /// Why.
        reason: String,
    },
    /// The API's address would show the token to everybody on the way.
    #[error("{0} is not an https address, and the token would be sent to it in the open")]
    Insecure(String),
}

/// What became of the comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// There was none before.
    Created(String),
    /// It took the place of an earlier run's.
    Updated(String),
}

#[derive(Debug, Deserialize)]
struct Comment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    html_url: String,
    user: Option<User>,
}

#[derive(Debug, Deserialize)]
struct User {
    login: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Repository {
    /// `OWNER/NAME` at an API, for the holder of a token.
    ///
    /// # Errors
    /// The API's address is neither `https:` nor this machine.
    pub fn new(api: &str, name: &str, token: &str) -> Result<Self, GithubError> {
        let api = api.trim_end_matches('/');
        if !is_confidential(api) {
            return Err(GithubError::Insecure(api.to_owned()));
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(TIMEOUT))
            .build();
        Ok(Self {
            agent: config.into(),
            base: format!("{api}/repos/{name}"),
            api: api.to_owned(),
            authorization: format!("Bearer {token}"),
        })
    }

    /// Writes the one comment that begins with `marker`: over that of an earlier run, if there is one.
    ///
    /// # Errors
    /// The token may not, or GitHub does not answer.
    pub fn comment(&self, number: u64, marker: &str, body: &str) -> Result<Written, GithubError> {
        let body = json!({ "body": body });
        if let Some(earlier) = self.earlier(number, marker)? {
            let url = format!("{}/issues/comments/{}", self.base, earlier.id);
            self.send("update the comment", "PATCH", &url, Some(&body))?;
            return Ok(Written::Updated(earlier.html_url));
        }
        let url = format!("{}/issues/{number}/comments", self.base);
        let made: Comment = self.read("write a comment", "POST", &url, Some(&body))?;
        Ok(Written::Created(made.html_url))
    }

    /// The comment of an earlier run. One that a person has written, with the same beginning, is not ours to change.
    fn earlier(&self, number: u64, marker: &str) -> Result<Option<Comment>, GithubError> {
        for page in 1..=PAGES {
            let url = format!("{}/issues/{number}/comments?per_page={PAGE}&page={page}", self.base);
            let comments: Vec<Comment> = self.read("read the comments", "GET", &url, None)?;
            let last = comments.len() < PAGE;
            for comment in comments {
                let marked = comment.body.as_deref().is_some_and(|body| body.starts_with(marker));
                if marked && self.is_ours(&comment) {
                    return Ok(Some(comment));
                }
            }
            if last {
                break;
            }
        }
        Ok(None)
    }

    /// Written by a bot, as a workflow's token does, or by whoever the token belongs to.
    fn is_ours(&self, comment: &Comment) -> bool {
        let Some(author) = &comment.user else { return false };
        if author.kind == "Bot" {
            return true;
        }
        let url = format!("{}/user", self.api);
        let me: Result<User, _> = self.read("ask who the token belongs to", "GET", &url, None);
        me.is_ok_and(|me| me.login == author.login)
    }

    /// Whether somebody has to approve what is deployed to an environment. An environment that is not there has no rules.
    ///
    /// # Errors
    /// The token may not ask, or GitHub does not answer.
    pub fn has_reviewers(&self, environment: &str) -> Result<bool, GithubError> {
        let name: String = url::form_urlencoded::byte_serialize(environment.as_bytes())
            .collect::<String>()
            .replace('+', "%20");
        let url = format!("{}/environments/{name}", self.base);
        let described: Value = self.read("read the environment's protection rules", "GET", &url, None)?;
        let rules = described["protection_rules"].as_array();
        Ok(rules.is_some_and(|rules| {
            rules.iter().any(|rule| {
                rule["type"] == "required_reviewers"
                    && rule["reviewers"]
                        .as_array()
                        .is_some_and(|reviewers| !reviewers.is_empty())
            })
        }))
    }

    fn read<T: serde::de::DeserializeOwned>(
        &self,
        doing: &'static str,
        method: &str,
        url: &str,
        body: Option<&Value>,
    ) -> Result<T, GithubError> {
        let text = self.send(doing, method, url, body)?;
        serde_json::from_str(&text).map_err(|error| GithubError::Unreachable {
            doing,
            reason: format!("the answer is not GitHub's: {error}"),
        })
    }

    /// Sends a request; what the server could not answer, or was too busy for, is tried again. Whether a comment was written
    /// by a request that ended in a 5xx is not known; the marker finds it again, if so.
    fn send(&self, doing: &'static str, method: &str, url: &str, body: Option<&Value>) -> Result<String, GithubError> {
        let mut pause = PAUSE;
        let mut answer = self.once(method, url, body);
        for _ in 1..ATTEMPTS {
            if !matches!(answer, Err(_) | Ok((429 | 500..600, _))) {
                break;
            }
            std::thread::sleep(pause);
            pause *= 2;
            answer = self.once(method, url, body);
        }
        let (status, text) = answer.map_err(|error| GithubError::Unreachable {
            doing,
            reason: error.to_string(),
        })?;
        if (200..300).contains(&status) {
            return Ok(text);
        }
        let said: Option<Value> = serde_json::from_str(&text).ok();
        let said = said.and_then(|said| said["message"].as_str().map(str::to_owned));
        let message = said.unwrap_or_else(|| "no reason".to_owned());
        Err(match status {
            403 | 404 => GithubError::Forbidden { doing, status, message },
            _ => GithubError::Refused { doing, status, message },
        })
    }

    fn once(&self, method: &str, url: &str, body: Option<&Value>) -> Result<(u16, String), ureq::Error> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("Accept", "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28")
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json");
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body.to_string())?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let text = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_string()?;
        Ok((response.status().as_u16(), text))
    }
}

/// What is sent there is read by nobody on the way.
fn is_confidential(address: &str) -> bool {
    let Ok(address) = url::Url::parse(address) else {
        return false;
    };
    match address.scheme() {
        "https" => true,
        "http" => matches!(address.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{GithubError, Repository};

    #[test]
    fn the_token_is_sent_to_nobody_in_the_open() {
        let insecure = Repository::new("http://api.example.org", "a/b", "secret");
        assert!(matches!(insecure, Err(GithubError::Insecure(_))));
        assert!(Repository::new("http://127.0.0.1:8080", "a/b", "secret").is_ok());
        // A name that only begins like this machine's.
        let insecure = Repository::new("http://127.0.0.1.example.org", "a/b", "secret");
        assert!(matches!(insecure, Err(GithubError::Insecure(_))));
        let insecure = Repository::new("http://localhost:x@example.org", "a/b", "secret");
        assert!(matches!(insecure, Err(GithubError::Insecure(_))));
    }
}
