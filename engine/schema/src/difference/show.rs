//! Values for people.

use tollgate_sql::operation::Identity;

use crate::model::Privilege;

/// Names and values: `fillfactor=70, autovacuum_enabled=false`.
pub(super) fn pairs(pairs: &[(String, String)]) -> String {
    let each: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    listed(&each)
}

/// Roles and what they may: `reader: select`.
pub(super) fn grants(grants: &[Privilege]) -> String {
    let each: Vec<_> = grants
        .iter()
        .map(|grant| format!("{}: {}", grant.role, grant.privileges.join(" ")))
        .collect();
    listed(&each)
}

/// `always`, `by default`, `autoincrement` or `none`.
pub(super) fn identity(identity: Option<Identity>) -> String {
    match identity {
        None => "none".to_owned(),
        Some(Identity::Always) => "always".to_owned(),
        Some(Identity::ByDefault) => "by default".to_owned(),
        Some(Identity::Autoincrement) => "autoincrement".to_owned(),
    }
}

fn listed(items: &[String]) -> String {
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(", ")
    }
}
