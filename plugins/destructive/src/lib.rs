//! The bundled policy that reports what loses data or objects.

use tollgate_plugin::{
    Catalog, Description, Failure, Finding, Migration, NoSettings, Policy, PolicyRequest, SettingsIssue, rules,
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
        .rules(&[])
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
        Ok(rules::check(&[], request, migration, before, after))
    }
}

tollgate_plugin::export_policy!(Destructive);
