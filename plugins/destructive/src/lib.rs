//! The bundled policy that reports what loses data or objects, or fails on the data that is there.
//!
//! One file a rule in [`rules`]. What several rules need lies beside them: `types` (what a change of type does to values)
//! and `dynamic` (SQL that cannot be seen).

mod dynamic;
#[cfg(test)]
mod judge;
pub mod rules;
mod types;

use tollgate_plugin::rules::{rebuild, words};
use tollgate_plugin::{
    Catalog, Description, Failure, Finding, Migration, NoSettings, Policy, PolicyRequest, SettingsIssue,
};

/// The policy.
#[derive(Debug, Clone, Copy)]
pub struct Destructive;

impl Policy for Destructive {
    type Settings = NoSettings;

    fn describe() -> Description {
        Description::new(
            "destructive",
            env!("CARGO_PKG_VERSION"),
            "Reports what loses data or objects",
        )
        .capability("catalog.probe")
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

tollgate_plugin::export_policy!(Destructive);
