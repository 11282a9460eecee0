//! Posts what happens in a run as JSON to one endpoint, signed when a key is configured.
//!
//! The receiver verifies the header `x-tollgate-signature: sha256=DIGITS`: HMAC-SHA256 of the body, in hexadecimal. The
//! key is a secret of the endpoint, and the engine signs: this code never sees it.

mod payload;

use tollgate_plugin::bindings::http::Signature;
use tollgate_plugin::http::{HeaderValue, HttpError};
use tollgate_plugin::{Description, Event, Failure, Http, Notifier, Run, SettingsIssue};

pub use payload::{FORMAT_VERSION, payload, tag};

/// `[plugins.webhook.settings]`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Tags of the events to post; all where none is named.
    pub events: Vec<String>,
    /// Name of the endpoint's secret that signs. Nothing is signed without one.
    pub signing_secret: Option<String>,
}

/// The notifier.
pub struct Webhook {
    settings: Settings,
}

/// Name of the endpoint in the configuration.
const ENDPOINT: &str = "webhook";

/// Tags that the engine sends.
const TAGS: &[&str] = &[
    "waiting-for-lock",
    "planned",
    "checked",
    "awaiting-approval",
    "applied",
    "failed",
    "rolled-back",
    "finished",
];

impl Notifier for Webhook {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "webhook",
            env!("CARGO_PKG_VERSION"),
            "Posts every event as JSON, signed with HMAC-SHA256",
        )
        .capability("http:webhook")
        .settings_schema(include_str!("settings.schema.json"))
    }

    fn configure(settings: Settings) -> Result<Self, Vec<SettingsIssue>> {
        let unknown = |(index, tag): (usize, &String)| {
            let message = format!("there is no event {tag:?}; the events are {}", TAGS.join(", "));
            (!TAGS.contains(&tag.as_str())).then(|| SettingsIssue::new(format!("/events/{index}"), message))
        };
        let issues: Vec<_> = settings.events.iter().enumerate().filter_map(unknown).collect();
        if issues.is_empty() {
            Ok(Self { settings })
        } else {
            Err(issues)
        }
    }

    fn interests(&self) -> Vec<String> {
        self.settings.events.clone()
    }

    fn notify(&self, run: &Run, event: &Event, http: &dyn Http) -> Result<(), Failure> {
        let mut request = tollgate_plugin::http::Request::post_json(ENDPOINT, &payload(run, event))
            .header("x-tollgate-event", tag(event))
            .header("x-tollgate-run", &run.id);
        if let Some(secret) = &self.settings.signing_secret {
            let signature = Signature {
                secret: secret.clone(),
                prefix: "sha256=".to_owned(),
                preamble: String::new(),
            };
            let header = ("x-tollgate-signature".to_owned(), HeaderValue::HmacSha256(signature));
            request.headers.push(header);
        }
        let response = http.send(&request).map_err(|error| failure(&error))?;
        if response.is_success() {
            return Ok(());
        }
        let message = format!("the receiver answered {}", response.status);
        Err(if response.is_retryable() {
            Failure::retryable(message)
        } else {
            Failure::new(message)
        })
    }
}

/// What went wrong on the way, and whether trying again can help.
fn failure(error: &HttpError) -> Failure {
    match error {
        HttpError::TimedOut => Failure::retryable("the receiver did not answer in time"),
        HttpError::Transport(reason) => Failure::retryable(format!("cannot reach the receiver: {reason}")),
        HttpError::UnknownEndpoint(name) => Failure::new(format!(
            "no endpoint {name} is configured: set plugins.webhook.endpoints.{name}.url"
        )),
        HttpError::Denied(reason) => Failure::new(reason.clone()),
        HttpError::TooLarge => Failure::new("the receiver's answer is too large"),
    }
}

tollgate_plugin::export_notifier!(Webhook);

#[cfg(test)]
mod tests;
