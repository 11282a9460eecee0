//! Outgoing HTTP, to endpoints that the operator named in the configuration and nowhere else.

pub use crate::bindings::http::{Error as HttpError, HeaderValue, Method, Request, Response, SecretValue};

/// Sends requests. The engine supplies scheme, host and base path of the endpoint, and the secrets.
pub trait Http {
    /// Sends one request and waits for the answer; any status is an answer.
    fn send(&self, request: &Request) -> Result<Response, HttpError>;
}

/// The engine's HTTP. Needs the capability `http:ENDPOINT`.
pub(crate) struct HostHttp;

impl Http for HostHttp {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        crate::bindings::http::send(request)
    }
}

impl Request {
    /// A POST of `body` to the endpoint configured under that name.
    pub fn post(endpoint: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            endpoint: endpoint.into(),
            method: Method::Post,
            path: None,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A POST of a JSON document.
    pub fn post_json(endpoint: impl Into<String>, document: &serde_json::Value) -> Self {
        Self::post(endpoint, document.to_string()).header("content-type", "application/json")
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), HeaderValue::Literal(value.into())));
        self
    }

    /// The same with a header whose value is the secret of that name; the plugin never sees it.
    #[must_use]
    pub fn secret_header(self, name: impl Into<String>, secret: impl Into<String>) -> Self {
        self.prefixed_secret_header(name, "", secret)
    }

    /// The same with a text before the secret, for example `Bearer `.
    #[must_use]
    pub fn prefixed_secret_header(
        mut self,
        name: impl Into<String>,
        prefix: impl Into<String>,
        secret: impl Into<String>,
    ) -> Self {
        let value = SecretValue {
            secret: secret.into(),
            prefix: prefix.into(),
        };
        self.headers.push((name.into(), HeaderValue::Secret(value)));
        self
    }
}

impl Response {
    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The status says that the same request may succeed later: 408, 429, 5xx.
    pub fn is_retryable(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..=599)
    }
}
