//! Rules about transactions and the locks they keep.

mod add_enum_value_in_transaction;
mod backfill;
mod condition;
mod ddl_and_backfill_in_one_transaction;
mod detach_partition_not_concurrent;
mod disable_trigger;
mod drop_trigger;
mod dynamic_sql_opaque;
mod enum_value_used_in_same_transaction;
mod explicit_lock_table;
mod held;
mod long_build_on_large_table;
mod many_tables_locked_in_one_transaction;
mod missing_lock_timeout;
mod routine;
mod rows;
mod statement_after_access_exclusive;
mod transaction_control_in_file;
mod trigger_on_hot_table;
mod unbatched_backfill;

use tollgate_plugin::rules::Rule;

/// The rules of this theme.
pub(super) const RULES: &[Rule] = &[
    ddl_and_backfill_in_one_transaction::RULE,
    unbatched_backfill::RULE,
    statement_after_access_exclusive::RULE,
    many_tables_locked_in_one_transaction::RULE,
    missing_lock_timeout::RULE,
    explicit_lock_table::RULE,
    transaction_control_in_file::RULE,
    enum_value_used_in_same_transaction::RULE,
    add_enum_value_in_transaction::RULE,
    detach_partition_not_concurrent::RULE,
    trigger_on_hot_table::RULE,
    drop_trigger::RULE,
    disable_trigger::RULE,
    long_build_on_large_table::RULE,
    dynamic_sql_opaque::RULE,
];
