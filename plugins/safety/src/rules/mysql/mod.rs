//! Rules about what MySQL and MariaDB do in their own way.

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[];
