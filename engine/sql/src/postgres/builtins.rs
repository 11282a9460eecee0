//! Which functions the server brings along, and how volatile they are.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::operation::Volatility;

static BUILTINS: LazyLock<HashMap<&'static str, Volatility>> = LazyLock::new(|| {
    let mut volatility = Volatility::Unknown;
    let mut functions = HashMap::new();
    for line in include_str!("builtins.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        match line {
            "[immutable]" => volatility = Volatility::Immutable,
            "[stable]" => volatility = Volatility::Stable,
            "[volatile]" => volatility = Volatility::Volatile,
            names => functions.extend(names.split(' ').map(|name| (name, volatility))),
        }
    }
    functions
});

/// Volatility of a function by its name; [`Volatility::Unknown`] for one that the server does not bring along.
pub(super) fn volatility(parts: &[String]) -> Volatility {
    let name = match parts {
        [name] => name,
        [schema, name] if schema == "pg_catalog" => name,
        [.., name] if EXTENSION_FUNCTIONS.contains(&name.as_str()) => name,
        _ => return Volatility::Unknown,
    };
    BUILTINS.get(name.as_str()).copied().unwrap_or(Volatility::Unknown)
}

/// Extension functions that live in whatever schema the extension was put in.
const EXTENSION_FUNCTIONS: [&str; 9] = [
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v3",
    "uuid_generate_v4",
    "uuid_generate_v5",
    "gen_random_bytes",
    "gen_random_uuid",
    "digest",
    "crypt",
];

/// Whether calling the built-in `name` changes something that outlives the statement.
pub(super) fn has_side_effect(name: &str) -> bool {
    const WRITES: [&str; 21] = [
        "nextval",
        "setval",
        "brin_desummarize_range",
        "brin_summarize_new_values",
        "brin_summarize_range",
        "gin_clean_pending_list",
        "loread",
        "lowrite",
        "pg_cancel_backend",
        "pg_create_restore_point",
        "pg_drop_replication_slot",
        "pg_extension_config_dump",
        "pg_import_system_collations",
        "pg_log_backend_memory_contexts",
        "pg_logical_emit_message",
        "pg_notify",
        "pg_promote",
        "pg_reload_conf",
        "pg_rotate_logfile",
        "pg_switch_wal",
        "pg_terminate_backend",
    ];
    const PREFIXES: [&str; 10] = [
        "lo_",
        "pg_advisory_",
        "pg_try_advisory_",
        "pg_backup_",
        "pg_copy_",
        "pg_create_",
        "pg_replication_origin_",
        "pg_replication_slot_",
        "pg_stat_reset",
        "pg_wal_replay_",
    ];
    WRITES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_functions_that_migrations_use() {
        let of = |name: &str| volatility(&name.split('.').map(str::to_owned).collect::<Vec<_>>());
        for (name, expected) in [
            ("lower", Volatility::Immutable),
            ("now", Volatility::Stable),
            ("pg_catalog.now", Volatility::Stable),
            ("gen_random_uuid", Volatility::Volatile),
            ("extensions.uuid_generate_v4", Volatility::Volatile),
            ("nextval", Volatility::Volatile),
            ("clock_timestamp", Volatility::Volatile),
            ("my.lower", Volatility::Unknown),
            ("cuid", Volatility::Unknown),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }
}
