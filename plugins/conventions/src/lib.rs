//! The bundled policy of naming, types and house style. Most of its rules are off until a team switches them on.
//!
//! One file a rule in [`rules`]; [`settings`] holds what a team may say differently.

mod columns;
#[cfg(test)]
mod judge;
mod keywords;
mod names;
pub mod rules;
pub mod settings;
mod tokens;
mod touched;
mod types;

use tollgate_plugin::rules::{Context, check_in};
use tollgate_plugin::{Catalog, Description, Failure, Finding, Migration, Policy, PolicyRequest, SettingsIssue};

pub use settings::Settings;

/// The policy.
#[derive(Debug, Clone)]
pub struct Conventions {
    settings: Settings,
}

impl Policy for Conventions {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "conventions",
            env!("CARGO_PKG_VERSION"),
            "Naming, types and house style",
        )
        .rules(rules::RULES)
        .settings_schema(include_str!("settings.schema.json"))
    }

    fn configure(settings: Settings) -> Result<Self, Vec<SettingsIssue>> {
        let issues = settings.issues();
        if issues.is_empty() {
            Ok(Self { settings })
        } else {
            Err(issues)
        }
    }

    fn check(
        &self,
        request: &PolicyRequest,
        migration: &Migration<'_>,
        before: &dyn Catalog,
        after: &dyn Catalog,
    ) -> Result<Vec<Finding>, Failure> {
        let context = Context::new(request, migration, before, after).with_settings(&self.settings);
        Ok(check_in(rules::RULES, &context))
    }
}

tollgate_plugin::export_policy!(Conventions);
