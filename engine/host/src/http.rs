//! The contract's `http` interface: requests to endpoints that the configuration names, and to nowhere else.
//!
//! The plugin says what to send. The host knows where to, adds the secrets, and lets nothing come back that would tell
//! them. Errors are in words of our own, because those of libraries may repeat a URL.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ureq::http::header::{HeaderMap, HeaderName, HeaderValue};
use ureq::http::{Method, Request};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};
use url::Url;

use crate::address::{PrivateAddress, PublicResolver};
use crate::bindings::http as wit;
use crate::endpoint::ReadEndpoint;
use crate::state::State;

/// Headers that belong to the connection, or that would let a request reach somewhere else.
const RESERVED: [&str; 12] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
    "forwarded",
];

impl wit::Host for State {
    fn send(&mut self, request: wit::Request) -> wasmtime::Result<Result<wit::Response, wit::Error>> {
        Ok(self.exchange(request))
    }
}

impl State {
    fn exchange(&mut self, request: wit::Request) -> Result<wit::Response, wit::Error> {
        if !self.allowed(&format!("http:{}", request.endpoint)) {
            return Err(wit::Error::Denied(format!(
                "the capability `http:{}` was not granted",
                request.endpoint
            )));
        }
        self.requests += 1;
        if self.requests > self.limits.http_requests {
            return Err(wit::Error::Denied(format!(
                "at most {} requests a call",
                self.limits.http_requests
            )));
        }
        if request.body.len() > self.limits.http_body_bytes {
            return Err(wit::Error::TooLarge);
        }
        let setting = std::sync::Arc::clone(&self.setting);
        let Some(endpoint) = setting.endpoints.get(&request.endpoint) else {
            return Err(wit::Error::UnknownEndpoint(request.endpoint));
        };
        let answer = send(endpoint, request)?;
        Ok(wit::Response {
            status: answer.status,
            headers: answer
                .headers
                .into_iter()
                .map(|(name, value)| (name, setting.secrets.redact(&value)))
                .collect(),
            body: setting.secrets.redact_bytes(answer.body),
        })
    }
}

fn send(endpoint: &ReadEndpoint, request: wit::Request) -> Result<wit::Response, wit::Error> {
    let url = target(endpoint, request.path.as_deref())?;
    let headers = headers(endpoint, &request)?;
    let mut message = Request::new(request.body);
    *message.method_mut() = method(request.method);
    *message.uri_mut() = url.as_str().parse().map_err(|_| denied("the path cannot be sent"))?;
    *message.headers_mut() = headers;
    let response = agent(endpoint).run(message).map_err(|error| failure(&error))?;
    answer(response, endpoint.rest.max_response_bytes)
}

/// An agent of its own for each request: nothing is left for the next one, neither connections nor cookies.
fn agent(endpoint: &ReadEndpoint) -> Agent {
    let config = Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(endpoint.rest.timeout))
        .build();
    Agent::with_parts(
        config,
        DefaultConnector::default(),
        PublicResolver {
            allow_private: endpoint.rest.allow_private,
        },
    )
}

/// The URL, with the path appended where that is allowed.
fn target(endpoint: &ReadEndpoint, path: Option<&str>) -> Result<Url, wit::Error> {
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return Ok(endpoint.url.clone());
    };
    if !endpoint.rest.allow_path {
        return Err(denied("the endpoint does not allow a path"));
    }
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let climbs = path.split('/').any(|segment| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    });
    if climbs || path.contains(['\\', '#']) || path.chars().any(char::is_control) {
        return Err(denied("the path does not stay below the endpoint"));
    }
    let mut url = endpoint.url.clone();
    let joined = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
    url.set_path(&joined);
    if let Some(query) = query {
        let both = match endpoint.url.query() {
            Some(own) => format!("{own}&{query}"),
            None => query.to_owned(),
        };
        url.set_query(Some(&both));
    }
    Ok(url)
}

fn headers(endpoint: &ReadEndpoint, request: &wit::Request) -> Result<HeaderMap, wit::Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let text = header_text(endpoint, &request.body, value)?;
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| denied("a header has an invalid name"))?;
        if RESERVED.contains(&parsed.as_str()) {
            return Err(denied(&format!("the header `{parsed}` is not for plugins to set")));
        }
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| denied(&format!("the header `{parsed}` has an invalid value")))?;
        value.set_sensitive(true);
        headers.append(parsed, value);
    }
    for (name, value) in &endpoint.rest.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| denied("the endpoint's configuration has a header with an invalid name"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            denied(&format!(
                "the header `{parsed}` in the endpoint's configuration has an invalid value"
            ))
        })?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

fn header_text(endpoint: &ReadEndpoint, body: &[u8], value: &wit::HeaderValue) -> Result<String, wit::Error> {
    let secret = |name: &String| {
        endpoint
            .rest
            .secrets
            .get(name)
            .ok_or_else(|| denied(&format!("the endpoint has no secret `{name}`")))
    };
    match value {
        wit::HeaderValue::Literal(text) => Ok(text.clone()),
        wit::HeaderValue::Secret(value) => Ok(format!("{}{}", value.prefix, secret(&value.secret)?)),
        wit::HeaderValue::HmacSha256(signature) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret(&signature.secret)?.as_bytes())
                .map_err(|_| denied("the secret cannot be a key"))?;
            mac.update(signature.preamble.as_bytes());
            mac.update(body);
            Ok(format!(
                "{}{}",
                signature.prefix,
                hex::encode(mac.finalize().into_bytes())
            ))
        }
    }
}

fn method(method: wit::Method) -> Method {
    match method {
        wit::Method::Get => Method::GET,
        wit::Method::Post => Method::POST,
        wit::Method::Put => Method::PUT,
        wit::Method::Patch => Method::PATCH,
        wit::Method::Delete => Method::DELETE,
    }
}

fn answer(mut response: ureq::http::Response<Body>, limit: u64) -> Result<wit::Response, wit::Error> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = response
        .body_mut()
        .with_config()
        .limit(limit)
        .read_to_vec()
        .map_err(|error| failure(&error))?;
    Ok(wit::Response { status, headers, body })
}

fn denied(reason: &str) -> wit::Error {
    wit::Error::Denied(reason.to_owned())
}

/// A library's error in words of our own.
fn failure(error: &ureq::Error) -> wit::Error {
    let transport = |text: &str| wit::Error::Transport(text.to_owned());
    match error {
        ureq::Error::Timeout(_) => wit::Error::TimedOut,
        ureq::Error::BodyExceedsLimit(_) => wit::Error::TooLarge,
        ureq::Error::HostNotFound => transport("the endpoint's host name cannot be resolved"),
        ureq::Error::ConnectionFailed => transport("cannot connect to the endpoint"),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => transport("no secure connection to the endpoint"),
        ureq::Error::Io(error) => wit::Error::Transport(format!("the connection failed: {}", error.kind())),
        ureq::Error::Other(error) if error.is::<PrivateAddress>() => {
            denied("the endpoint's host has no public address, and `allow_private` is not set")
        }
        _ => transport("the endpoint gave no valid HTTP answer"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::endpoint::Endpoint;

    fn endpoint(url: &str) -> ReadEndpoint {
        let mut rest = Endpoint::new(url);
        rest.allow_path = true;
        rest.secrets.insert("signing".to_owned(), "key".to_owned());
        ReadEndpoint {
            url: Url::parse(url).unwrap(),
            rest,
        }
    }

    #[test]
    fn paths_stay_below_the_endpoint() {
        let endpoint = endpoint("https://example.com/base?a=1");
        let cases = [
            (None, Ok("https://example.com/base?a=1")),
            (Some("x/y"), Ok("https://example.com/base/x/y?a=1")),
            (Some("/x?b=2"), Ok("https://example.com/base/x?a=1&b=2")),
            (
                Some("//other.example/x"),
                Ok("https://example.com/base/other.example/x?a=1"),
            ),
            (
                Some("https://other.example/"),
                Ok("https://example.com/base/https://other.example/?a=1"),
            ),
            (Some("x/../../y"), Err("the path does not stay below the endpoint")),
            (Some("x/%2E%2e/y"), Err("the path does not stay below the endpoint")),
            (Some("x\\y"), Err("the path does not stay below the endpoint")),
            (Some("x\r\ny"), Err("the path does not stay below the endpoint")),
        ];
        for (path, expected) in cases {
            match (target(&endpoint, path), expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url.as_str(), expected),
                (Err(wit::Error::Denied(reason)), Err(expected)) => assert_eq!(reason, expected),
                (other, _) => panic!("{path:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn signatures_are_those_of_rfc_2104() {
        let signature = wit::HeaderValue::HmacSha256(wit::Signature {
            secret: "signing".to_owned(),
            prefix: "sha256=".to_owned(),
            preamble: "The quick brown fox ".to_owned(),
        });
        let text = header_text(
            &endpoint("https://example.com/"),
            b"jumps over the lazy dog",
            &signature,
        )
        .unwrap();
        assert_eq!(
            text,
            "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }

    #[test]
    fn reserved_and_malformed_headers_are_refused() {
        let cases = [
            ("Host", "x", "the header `host` is not for plugins to set"),
            (
                "content-length",
                "5",
                "the header `content-length` is not for plugins to set",
            ),
            ("bad name", "x", "a header has an invalid name"),
            ("x-ok", "a\r\nhost: other", "the header `x-ok` has an invalid value"),
        ];
        for (name, value, expected) in cases {
            let request = wit::Request {
                endpoint: "hook".to_owned(),
                method: wit::Method::Post,
                path: None,
                headers: vec![(name.to_owned(), wit::HeaderValue::Literal(value.to_owned()))],
                body: Vec::new(),
            };
            let Err(wit::Error::Denied(reason)) = headers(&endpoint("https://example.com/"), &request) else {
                panic!("{name} was accepted")
            };
            assert_eq!(reason, expected);
        }
    }
}
