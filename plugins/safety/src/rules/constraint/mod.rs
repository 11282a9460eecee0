//! Rules about constraints that scan or lock a table that is in use.

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[];
