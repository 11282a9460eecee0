//! Rules about indexes that are made, dropped or rebuilt under a lock.

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[];
