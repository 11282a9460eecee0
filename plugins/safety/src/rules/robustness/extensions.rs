//! Which extensions only a superuser may install.

/// Who may make an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Installer {
    /// Marked trusted (PostgreSQL 13): whoever may create objects in the database.
    Owner,
    /// Never marked trusted.
    Superuser,
    /// Not one of those that come with the server; its control file decides.
    Unknown,
}

/// Who may make the extension on PostgreSQL 13 or newer. Before that only superusers make any.
pub(super) fn installer(name: &str) -> Installer {
    if TRUSTED.binary_search(&name).is_ok() {
        Installer::Owner
    } else if UNTRUSTED.binary_search(&name).is_ok() {
        Installer::Superuser
    } else {
        Installer::Unknown
    }
}

/// Trusted ones of the server's own, and `vector`. Ascending.
#[rustfmt::skip]
const TRUSTED: &[&str] = &[
    "bool_plperl", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "fuzzystrmatch", "hstore", "hstore_plperl",
    "intarray", "isn", "jsonb_plperl", "lo", "ltree", "pg_trgm", "pgcrypto", "plperl", "plpgsql", "pltcl", "seg",
    "tablefunc", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "vector",
];

/// The server's others, and well-known ones that only a superuser installs. Ascending.
#[rustfmt::skip]
const UNTRUSTED: &[&str] = &[
    "adminpack", "amcheck", "autoinc", "bloom", "dblink", "dict_xsyn", "earthdistance", "file_fdw", "hstore_plpython3u",
    "insert_username", "intagg", "jsonb_plpython3u", "ltree_plpython3u", "moddatetime", "old_snapshot", "pageinspect",
    "pg_buffercache", "pg_freespacemap", "pg_logicalinspect", "pg_prewarm", "pg_repack", "pg_stat_statements",
    "pg_surgery", "pg_visibility", "pg_walinspect", "pgaudit", "pgrowlocks", "pgstattuple", "plperlu", "plpython3u",
    "pltclu", "postgis", "postgis_raster", "postgis_tiger_geocoder", "postgis_topology", "postgres_fdw", "refint",
    "sslinfo", "test_decoding", "xml2",
];

#[cfg(test)]
mod tests {
    use super::{Installer, TRUSTED, UNTRUSTED, installer};

    #[test]
    fn each_is_in_one_list() {
        assert!(TRUSTED.is_sorted() && UNTRUSTED.is_sorted());
        assert!(TRUSTED.iter().all(|name| !UNTRUSTED.contains(name)));
        assert_eq!(installer("uuid-ossp"), Installer::Owner);
        assert_eq!(installer("dblink"), Installer::Superuser);
        assert_eq!(installer("pg_partman"), Installer::Unknown);
    }
}
