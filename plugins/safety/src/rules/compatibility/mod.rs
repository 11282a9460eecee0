//! Rules about what breaks the application that runs while and after the migration does.

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[];
