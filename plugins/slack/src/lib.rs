//! Tells a Slack channel how a run ended, through an incoming webhook with a Block Kit message.

mod message;

use tollgate_plugin::http::{HttpError, Request};
use tollgate_plugin::{Description, Event, Failure, Http, Notifier, Run, SettingsIssue};

pub use message::message;

/// `[plugins.slack.settings]`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Put before the message of a run that failed or was blocked: `<!here>`, `<@U012AB3CD>`.
    pub mention_on_failure: Option<String>,
    /// Say nothing of runs that went well.
    pub only_failures: bool,
    /// Say so when a run has to wait for the lock, too.
    pub waiting_for_lock: bool,
}

/// The notifier.
pub struct Slack {
    settings: Settings,
}

/// Name of the endpoint in the configuration; its URL is the incoming webhook's.
const ENDPOINT: &str = "webhook";

impl Notifier for Slack {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "slack",
            env!("CARGO_PKG_VERSION"),
            "Tells a Slack channel how a run ended",
        )
        .capability("http:webhook")
        .settings_schema(include_str!("settings.schema.json"))
        // Where the configuration names no endpoint, this variable does.
        .property("default-endpoint", "webhook=SLACK_WEBHOOK_URL")
    }

    fn configure(settings: Settings) -> Result<Self, Vec<SettingsIssue>> {
        Ok(Self { settings })
    }

    fn interests(&self) -> Vec<String> {
        let mut interests = vec!["awaiting-approval", "failed", "finished"];
        if self.settings.waiting_for_lock {
            interests.push("waiting-for-lock");
        }
        interests.into_iter().map(str::to_owned).collect()
    }

    fn notify(&self, run: &Run, event: &Event, http: &dyn Http) -> Result<(), Failure> {
        if !self.worth_telling(event) {
            return Ok(());
        }
        let message = message(run, event, self.settings.mention_on_failure.as_deref());
        let response = http
            .send(&Request::post_json(ENDPOINT, &message))
            .map_err(|error| failure(&error))?;
        if response.is_success() {
            return Ok(());
        }
        // Slack answers with a word such as `invalid_payload` or `channel_is_archived`.
        let word: String = String::from_utf8_lossy(&response.body).chars().take(60).collect();
        let message = format!("Slack answered {} {word}", response.status)
            .trim_end()
            .to_owned();
        Err(if response.is_retryable() {
            Failure::retryable(message)
        } else {
            Failure::new(message)
        })
    }
}

impl Slack {
    /// One message for each run: that it is blocked, what failed, or that all is well. A run that failed is told of by
    /// `failed`, so its `finished` adds nothing.
    fn worth_telling(&self, event: &Event) -> bool {
        match event {
            Event::AwaitingApproval(_) | Event::Failed(_) => true,
            Event::WaitingForLock(_) => self.settings.waiting_for_lock,
            Event::Finished(finished) => finished.succeeded && !self.settings.only_failures,
            Event::Planned(_) | Event::Checked(_) | Event::Applied(_) | Event::RolledBack(_) | Event::Other(_) => false,
        }
    }
}

fn failure(error: &HttpError) -> Failure {
    match error {
        HttpError::TimedOut => Failure::retryable("Slack did not answer in time"),
        HttpError::Transport(reason) => Failure::retryable(format!("cannot reach Slack: {reason}")),
        HttpError::UnknownEndpoint(name) => Failure::new(format!(
            "no endpoint {name} is configured: set SLACK_WEBHOOK_URL or plugins.slack.endpoints.{name}.url"
        )),
        HttpError::Denied(reason) => Failure::new(reason.clone()),
        HttpError::TooLarge => Failure::new("Slack's answer is too large"),
    }
}

tollgate_plugin::export_notifier!(Slack);

#[cfg(test)]
mod tests;
