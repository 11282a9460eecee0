//! Rules about what SQLite does in its own way.

mod alter_not_supported_by_version;
mod pragmas;
mod rebuild_loses_index_or_trigger;
mod rebuild_under_view;
mod table_rebuild_without_foreign_keys_off;

use tollgate_plugin::rules::Rule;
use tollgate_plugin::rules::rebuild::Rebuilt;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    table_rebuild_without_foreign_keys_off::RULE,
    rebuild_loses_index_or_trigger::RULE,
    rebuild_under_view::RULE,
    alter_not_supported_by_version::RULE,
];

/// The last statement that belongs to a rebuild without a pragma: its rename or drop, or what it makes anew.
fn last_statement(rebuilt: &Rebuilt<'_>) -> u32 {
    rebuilt
        .rebuild
        .statements
        .last()
        .copied()
        .unwrap_or(rebuilt.rebuild.drop_statement)
}
