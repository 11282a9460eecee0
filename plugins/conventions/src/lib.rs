//! The bundled policy of naming, types and house style. Most of its rules are off until a team switches them on.
//!
//! One file a rule in [`rules`].

#[cfg(test)]
mod judge;
pub mod rules;

use tollgate_plugin::{
    Catalog, Description, Failure, Finding, Migration, NoSettings, Policy, PolicyRequest, SettingsIssue,
};

/// The policy.
#[derive(Debug, Clone, Copy)]
pub struct Conventions;

impl Policy for Conventions {
    type Settings = NoSettings;

    fn describe() -> Description {
        Description::new(
            "conventions",
            env!("CARGO_PKG_VERSION"),
            "Naming, types and house style",
        )
        .rules(rules::RULES)
    }

    fn configure(_: NoSettings) -> Result<Self, Vec<SettingsIssue>> {
        Ok(Self)
    }

    fn check(
        &self,
        request: &PolicyRequest,
        migration: &Migration<'_>,
        before: &dyn Catalog,
        after: &dyn Catalog,
    ) -> Result<Vec<Finding>, Failure> {
        Ok(tollgate_plugin::rules::check(
            rules::RULES,
            request,
            migration,
            before,
            after,
        ))
    }
}

tollgate_plugin::export_policy!(Conventions);
