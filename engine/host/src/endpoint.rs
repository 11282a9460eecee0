//! Where a plugin may send HTTP requests, and what of that it must never learn.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use url::Url;

use crate::error::{FailureKind, PluginError, SettingsIssue};
use crate::secrets::Secrets;

/// One endpoint under `[plugins.<name>.endpoints]`. Its URL counts as a secret: whoever knows a webhook's can use it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Endpoint {
    /// Scheme, host and base path; http or https, without user name and password.
    pub url: String,
    /// Sent with every request; a plugin cannot replace them.
    pub headers: Vec<(String, String)>,
    /// What a plugin can have put into a header by name, or used as the key of a signature.
    pub secrets: BTreeMap<String, String>,
    /// Requests may append a path.
    pub allow_path: bool,
    /// The host may be on this machine or in a private network.
    pub allow_private: bool,
    /// For the whole exchange, name resolution included.
    pub timeout: Duration,
    /// Bytes of an answer's body.
    pub max_response_bytes: u64,
}

impl Endpoint {
    /// An endpoint with the defaults: no paths, no private addresses, ten seconds, answers of up to a megabyte (what a
    /// notification service says fits a hundred times over).
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            secrets: BTreeMap::new(),
            allow_path: false,
            allow_private: false,
            timeout: Duration::from_secs(10),
            max_response_bytes: 1 << 20,
        }
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field(
                "headers",
                &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .field("secrets", &self.secrets.keys().collect::<Vec<_>>())
            .field("allow_path", &self.allow_path)
            .field("allow_private", &self.allow_private)
            .field("timeout", &self.timeout)
            .field("max_response_bytes", &self.max_response_bytes)
            .finish_non_exhaustive()
    }
}

/// An endpoint whose URL has been read.
pub(crate) struct ReadEndpoint {
    pub(crate) url: Url,
    pub(crate) rest: Endpoint,
}

/// The endpoints of one plugin, by name.
pub(crate) type Endpoints = BTreeMap<String, ReadEndpoint>;

/// Reads the URLs. What is wrong with one is said without repeating it.
pub(crate) fn read(plugin: &str, endpoints: &BTreeMap<String, Endpoint>) -> Result<Endpoints, PluginError> {
    let mut issues = Vec::new();
    let mut read = Endpoints::new();
    for (name, endpoint) in endpoints {
        match read_url(&endpoint.url) {
            Ok(url) => {
                read.insert(
                    name.clone(),
                    ReadEndpoint {
                        url,
                        rest: endpoint.clone(),
                    },
                );
            }
            Err(message) => issues.push(SettingsIssue {
                path: format!("/endpoints/{name}/url"),
                message: message.to_owned(),
            }),
        }
    }
    if issues.is_empty() {
        return Ok(read);
    }
    let message = issues
        .iter()
        .map(|issue| format!("{}: {}", issue.path, issue.message))
        .collect::<Vec<_>>()
        .join("; ");
    let mut error = PluginError::new(plugin, FailureKind::BadSettings, message);
    error.issues = issues;
    Err(error)
}

fn read_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("is not an http or https URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; send them in a header instead");
    }
    if url.fragment().is_some() {
        return Err("has a fragment (`#…`), which servers never see");
    }
    Ok(url)
}

/// Everything about the endpoints that must not come out.
pub(crate) fn secrets(endpoints: &Endpoints) -> Secrets {
    Secrets::new(endpoints.values().flat_map(|endpoint| {
        let url = &endpoint.url;
        let path = url.path().trim_matches('/').to_owned();
        let parts = [
            endpoint.rest.url.clone(),
            url.as_str().to_owned(),
            path,
            url.query().unwrap_or("").to_owned(),
        ];
        let headers = endpoint.rest.headers.iter().filter(|(name, _)| carries_a_secret(name));
        // A short path such as `/api` tells nothing and is too common a word to replace.
        let parts = parts.into_iter().filter(|part| part.len() >= 16);
        parts
            .chain(endpoint.rest.secrets.values().cloned())
            .chain(headers.flat_map(|(_, value)| [value.clone(), value.rsplit(' ').next().unwrap_or("").to_owned()]))
            .collect::<Vec<_>>()
    }))
}

/// Headers whose value is not for everybody.
fn carries_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "authorization",
        "cookie",
        "token",
        "secret",
        "key",
        "signature",
        "password",
    ]
    .iter()
    .any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_bad_url_is_refused_without_being_repeated() {
        let cases = [
            ("hooks.example.com/services/T0/B0/MARKER", "is not a URL"),
            ("ftp://example.com/MARKER", "is not an http or https URL"),
            (
                "https://user:MARKER@example.com/",
                "holds a user name or password; send them in a header instead",
            ),
            (
                "https://example.com/#MARKER",
                "has a fragment (`#…`), which servers never see",
            ),
        ];
        for (url, expected) in cases {
            let endpoints = BTreeMap::from([("hook".to_owned(), Endpoint::new(url))]);
            let Err(error) = read("slack", &endpoints) else {
                panic!("{url} was accepted")
            };
            assert_eq!(error.message, format!("/endpoints/hook/url: {expected}"));
            assert!(!format!("{error:?}").contains("MARKER"));
        }
    }

    #[test]
    fn debug_shows_no_values() {
        let mut endpoint = Endpoint::new("https://hooks.example.com/MARKER");
        endpoint
            .headers
            .push(("authorization".to_owned(), "Bearer MARKER".to_owned()));
        endpoint.secrets.insert("signing".to_owned(), "MARKER".to_owned());
        let text = format!("{endpoint:?}");
        assert!(
            text.contains("authorization") && text.contains("signing") && !text.contains("MARKER"),
            "{text}"
        );
    }

    #[test]
    fn what_must_not_come_out() {
        let mut endpoint = Endpoint::new("https://hooks.example.com/services/T000/B000/XXXXXXXX");
        endpoint
            .headers
            .push(("Authorization".to_owned(), "Bearer abcdefgh".to_owned()));
        endpoint.headers.push(("accept".to_owned(), "text/plain".to_owned()));
        endpoint.secrets.insert("signing".to_owned(), "s3cr3t".to_owned());
        let read = read("slack", &BTreeMap::from([("hook".to_owned(), endpoint)])).unwrap();
        let text = "POST /services/T000/B000/XXXXXXXX abcdefgh s3cr3t text/plain hooks.example.com";
        assert_eq!(
            secrets(&read).redact(text),
            "POST /[redacted] [redacted] [redacted] text/plain hooks.example.com"
        );
    }
}
