//! Rules about what works, until something unexpected happens.

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[];
