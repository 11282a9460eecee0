//! Rules about operations that write a whole table anew.

mod add_serial_or_identity;
mod cluster;
mod column_type_rewrite;
mod refresh_matview_not_concurrent;
mod set_access_method;
mod set_logged;
mod set_tablespace;
mod stored_generated_column;
mod target;
mod types;
mod vacuum_full;
mod volatile_default;

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    column_type_rewrite::RULE,
    volatile_default::RULE,
    stored_generated_column::RULE,
    add_serial_or_identity::RULE,
    set_logged::RULE,
    set_tablespace::RULE,
    set_access_method::RULE,
    vacuum_full::RULE,
    cluster::RULE,
    refresh_matview_not_concurrent::RULE,
];
