//! Rules about transactions and the locks they keep.

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[];
