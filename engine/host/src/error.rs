//! What goes wrong with a plugin, by name.

use serde::{Deserialize, Serialize};

/// Why the host itself could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The WebAssembly engine refuses its configuration on this machine.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
    /// Machine code from this folder could have been put there by somebody else.
    #[error("the cache folder {path} is not safe to run compiled code from: {reason}")]
    UnsafeCache {
        /// The folder.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The names of failures. A policy that fails in any of these ways blocks, unless configuration says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureKind {
    /// Not a plugin, or built for another version of the contract.
    Incompatible,
    /// The plugin refuses its settings.
    BadSettings,
    /// It wants something that it was not given or that nobody gets.
    RefusedCapability,
    /// It crashed.
    Trapped,
    /// It computed for longer than its fuel lasts; the same on every machine.
    OutOfFuel,
    /// It ran for longer than the wall clock allows.
    TimedOut,
    /// It wanted more memory than allowed.
    OutOfMemory,
    /// What it returned breaks the contract.
    InvalidOutput,
    /// It said that it could not do its job, or the catalog could not be read for it.
    Failed,
}

impl FailureKind {
    /// The name in messages and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Incompatible => "incompatible",
            Self::BadSettings => "bad-settings",
            Self::RefusedCapability => "refused-capability",
            Self::Trapped => "trapped",
            Self::OutOfFuel => "out-of-fuel",
            Self::TimedOut => "timed-out",
            Self::OutOfMemory => "out-of-memory",
            Self::InvalidOutput => "invalid-output",
            Self::Failed => "failed",
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing a plugin does not like about its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsIssue {
    /// JSON Pointer into the settings, for example `/allowed_schemas/0`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// A plugin failed. The run goes on; what that means for it is decided above.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{} failed ({kind}): {message}", subject(plugin))]
#[non_exhaustive]
pub struct PluginError {
    /// Name of the plugin in the configuration.
    pub plugin: String,
    /// Which failure.
    pub kind: FailureKind,
    /// What happened. Never holds a secret or an endpoint's URL.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The same call may succeed later.
    pub retryable: bool,
    /// Of [`FailureKind::BadSettings`]: where in the settings.
    pub issues: Vec<SettingsIssue>,
}

/// A component that is only looked at has no name yet.
fn subject(plugin: &str) -> String {
    if plugin.is_empty() {
        "the plugin".to_owned()
    } else {
        format!("plugin `{plugin}`")
    }
}

impl PluginError {
    /// A failure of `plugin`.
    pub(crate) fn new(plugin: &str, kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            plugin: plugin.to_owned(),
            kind,
            message: message.into(),
            help: None,
            retryable: false,
            issues: Vec::new(),
        }
    }

    /// The same with advice.
    #[must_use]
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
