//! Says on GitHub how a run stands: a deployment of the commit with its statuses, and a comment on the pull request that
//! brought the commit.
//!
//! A notifier remembers nothing from one event to the next, so what it has written is found again: the deployment by the
//! run in its payload, the comment by its first line.

mod api;
mod text;

use tollgate_plugin::{Description, Event, Failure, Http, Notifier, Run, SettingsIssue};

use crate::api::Api;

/// `[plugins.github.settings]`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Make a deployment of the commit and say how it stands.
    pub deployments: bool,
    /// Comment on the pull request that brought the commit.
    pub comments: bool,
    /// Whose token it is, where that is a person: only their comments are written over. Comments of bots always are.
    pub login: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deployments: true,
            comments: true,
            login: None,
        }
    }
}

/// The notifier.
pub struct Github {
    settings: Settings,
}

impl Notifier for Github {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "github",
            env!("CARGO_PKG_VERSION"),
            "Writes deployment statuses and a comment on the pull request on GitHub",
        )
        .capability("http:api")
        .settings_schema(include_str!("settings.schema.json"))
    }

    fn configure(settings: Settings) -> Result<Self, Vec<SettingsIssue>> {
        Ok(Self { settings })
    }

    fn interests(&self) -> Vec<String> {
        ["planned", "awaiting-approval", "failed", "finished"]
            .map(str::to_owned)
            .to_vec()
    }

    fn notify(&self, run: &Run, event: &Event, http: &dyn Http) -> Result<(), Failure> {
        // A run that is started by hand, away from any repository, has nothing to say there.
        let Some(commit) = &run.commit else {
            tollgate_plugin::log::debug("the commit is not known: nothing is said on GitHub");
            return Ok(());
        };
        let api = Api::new(http);
        let status = text::status(event);
        if let Some(status) = status.filter(|_| self.settings.deployments) {
            let deployment = match api.deployment(run, commit)? {
                Some(deployment) => deployment,
                None => api.create_deployment(run, commit)?,
            };
            api.add_status(run, deployment, &status)?;
        }
        if let Some(comment) = text::comment(run, event).filter(|_| self.settings.comments)
            && let Some(number) = api.pull_request(commit)?
        {
            let marker = text::marker(run);
            let body = format!("{marker}\n{comment}");
            match api.comment(number, &marker, self.settings.login.as_deref())? {
                Some(comment) => api.update_comment(comment, &body)?,
                None => api.create_comment(number, &body)?,
            }
        }
        Ok(())
    }
}

tollgate_plugin::export_notifier!(Github);

#[cfg(test)]
mod tests;
