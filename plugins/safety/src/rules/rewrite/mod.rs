//! Rules about operations that write a whole table anew.

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[];
