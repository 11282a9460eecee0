//! The bundled policy that reports what loses no data but is dangerous to run on a live system: locks, rewrites,
//! transactions, and what breaks the application that is running meanwhile.
//!
//! One file a rule in [`rules`], in one folder a theme.

mod details;
#[cfg(test)]
mod judge;
pub mod rules;
mod size;
mod sql;
mod tables;
mod tokens;
mod transactions;

use tollgate_plugin::{
    Catalog, Description, Failure, Finding, Migration, NoSettings, Policy, PolicyRequest, SettingsIssue,
};

/// The policy.
#[derive(Debug, Clone, Copy)]
pub struct Safety;

impl Policy for Safety {
    type Settings = NoSettings;

    fn describe() -> Description {
        Description::new(
            "safety",
            env!("CARGO_PKG_VERSION"),
            "Reports what is dangerous to run on a live system",
        )
        .capability("catalog.probe")
        .rules(rules::all())
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
            rules::all(),
            request,
            migration,
            before,
            after,
        ))
    }
}

tollgate_plugin::export_policy!(Safety);
