//! The three kinds of plugin: implement one of these traits and name it in the matching `export_…!` macro.

use serde::de::DeserializeOwned;

use crate::catalog::Catalog;
use crate::contract::{Description, Event, Failure, Finding, RollbackRequest, RollbackStep, Run, SettingsIssue};
use crate::http::Http;
use crate::migration::Migration;
use crate::request::PolicyRequest;

/// Judges a migration before it runs.
///
/// ```
/// use tollgate_plugin::{
///     Catalog, Description, Failure, Finding, Migration, NoSettings, Operation, Policy, PolicyRequest, SettingsIssue, Severity,
/// };
///
/// struct NoTruncate;
///
/// impl Policy for NoTruncate {
///     type Settings = NoSettings;
///
///     fn describe() -> Description {
///         Description::new("no-truncate", env!("CARGO_PKG_VERSION"), "TRUNCATE is not for migrations")
///             .rule("truncate", Severity::High, "TRUNCATE in a migration")
///     }
///
///     fn configure(_: NoSettings) -> Result<Self, Vec<SettingsIssue>> {
///         Ok(Self)
///     }
///
///     fn check(
///         &self,
///         _: &PolicyRequest,
///         migration: &Migration<'_>,
///         _before: &dyn Catalog,
///         _after: &dyn Catalog,
///     ) -> Result<Vec<Finding>, Failure> {
///         let mut findings = Vec::new();
///         for statement in migration.statements() {
///             for effect in &statement.effects {
///                 if let Operation::Truncate(truncation) = &effect.operation {
///                     let message = format!("empties the table {}", truncation.table);
///                     let mut finding = Finding::new("truncate", Severity::High, message);
///                     finding.at(statement.index, effect.at);
///                     findings.push(finding);
///                 }
///             }
///         }
///         Ok(findings)
///     }
/// }
///
/// tollgate_plugin::export_policy!(NoTruncate);
/// # fn main() {}
/// ```
///
/// A policy of several rules is shorter with [`crate::rules`].
pub trait Policy: Sized + 'static {
    /// The plugin's table in the configuration; [`NoSettings`] where there is none.
    type Settings: DeserializeOwned;

    /// Who the plugin is and which rules it has. Pure: the same answer every time.
    fn describe() -> Description;

    /// Takes the settings, or says what is wrong with them. Called before `check`.
    fn configure(settings: Self::Settings) -> Result<Self, Vec<SettingsIssue>>;

    /// Judges one migration: `before` and `after` are the schema without and with it. Report what could be dangerous;
    /// stay silent only about what is known to be safe.
    fn check(
        &self,
        request: &PolicyRequest,
        migration: &Migration<'_>,
        before: &dyn Catalog,
        after: &dyn Catalog,
    ) -> Result<Vec<Finding>, Failure>;
}

/// Writes the SQL that takes a migration back.
pub trait Rollback: Sized + 'static {
    /// The plugin's table in the configuration; [`NoSettings`] where there is none.
    type Settings: DeserializeOwned;

    /// Who the plugin is. Pure: the same answer every time.
    fn describe() -> Description;

    /// Takes the settings, or says what is wrong with them. Called before `generate`.
    fn configure(settings: Self::Settings) -> Result<Self, Vec<SettingsIssue>>;

    /// Exactly one step for each statement, in the order in which they must run. `before` and `after` are the schema
    /// without and with the migration.
    fn generate(
        &self,
        request: &RollbackRequest,
        migration: &Migration<'_>,
        before: &dyn Catalog,
        after: &dyn Catalog,
    ) -> Result<Vec<RollbackStep>, Failure>;
}

/// Tells somebody what happened.
pub trait Notifier: Sized + 'static {
    /// The plugin's table in the configuration; [`NoSettings`] where there is none.
    type Settings: DeserializeOwned;

    /// Who the plugin is. Pure: the same answer every time.
    fn describe() -> Description;

    /// Takes the settings, or says what is wrong with them. Called before `notify`.
    fn configure(settings: Self::Settings) -> Result<Self, Vec<SettingsIssue>>;

    /// Tags of the events to deliver, named like the cases of [`Event`] in kebab-case; empty means all.
    fn interests(&self) -> Vec<String> {
        Vec::new()
    }

    /// Delivers one event. A [`Failure::retryable`] event is kept and delivered again later.
    fn notify(&self, run: &Run, event: &Event, http: &dyn Http) -> Result<(), Failure>;
}

/// The settings of a plugin that has none: every key is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

impl Description {
    /// A plugin without rules or capabilities; add them with the methods below.
    pub fn new(name: impl Into<String>, version: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            summary: summary.into(),
            rules: Vec::new(),
            capabilities: Vec::new(),
            settings_schema: None,
            properties: Vec::new(),
        }
    }

    /// Asks for a capability, for example `catalog.probe` or `http:ENDPOINT`.
    #[must_use]
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.capabilities.push(capability.into());
        self
    }

    /// The JSON Schema of the settings table.
    #[must_use]
    pub fn settings_schema(mut self, schema: impl Into<String>) -> Self {
        self.settings_schema = Some(schema.into());
        self
    }

    /// A machine-readable extra.
    #[must_use]
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((key.into(), value.into()));
        self
    }

    /// A rule in one line, switched on by default. With explanation and examples: [`Description::rules`].
    #[must_use]
    pub fn rule(mut self, id: &str, severity: crate::contract::Severity, summary: &str) -> Self {
        self.rules.push(crate::contract::RuleDescription {
            id: id.to_owned(),
            summary: summary.to_owned(),
            default_severity: severity,
            enabled_by_default: true,
            needs_database: false,
            triggers: Vec::new(),
            explanation: String::new(),
            bad_example: None,
            good_example: None,
        });
        self
    }

    /// A table of rules, with everything they say about themselves.
    #[must_use]
    pub fn rules(mut self, rules: &[crate::rules::Rule]) -> Self {
        self.rules.extend(rules.iter().map(crate::rules::Rule::describe));
        self
    }
}
