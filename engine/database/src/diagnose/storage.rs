//! What is stored: sizes, broken indexes, constraints that nobody checked, extensions.

use std::collections::BTreeSet;

use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::{Request, WantedExtension};
use crate::diagnose::session::{Row, Session};
use crate::diagnose::words::{bytes, count, some, sql_name};
use crate::error::DatabaseError;
use crate::ledger::TABLE;
use crate::sql_text::{identifier, literal};

/// How many tables are named.
const TABLES: usize = 10;

fn finding(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Database, name, status, line)
}

fn number<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

pub(super) fn size(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = session.row("SELECT pg_database_size(current_database()) AS size, current_database()::text AS name")?;
    let line = format!("{} has {}", row.text("name"), bytes(row.int("size")));
    Ok(vec![finding("size", Status::Ok, line)])
}

pub(super) fn largest(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    // Measuring a table takes its weakest lock for a moment; one that somebody has to himself, or waits for, is left out,
    // so that nobody queues behind us.
    let rows = session.rows(&format!(
        "SELECT n.nspname || '.' || c.relname AS name, pg_total_relation_size(c.oid) AS size, c.reltuples::int8 AS rows \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN \
         ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%' AND \
         NOT EXISTS (SELECT 1 FROM pg_locks l WHERE l.relation = c.oid AND l.mode = 'AccessExclusiveLock') \
         ORDER BY 2 DESC NULLS LAST, 1 LIMIT {TABLES}"
    ))?;
    Ok(vec![largest_of(
        &rows
            .iter()
            .map(|row| Table {
                name: row.text("name"),
                size: row.int("size"),
                // -1: nobody has counted yet.
                rows: Some(row.int("rows")).filter(|rows| *rows >= 0),
            })
            .collect::<Vec<_>>(),
    )])
}

/// A table and what is known of its size.
pub(super) struct Table {
    pub name: String,
    pub size: i64,
    pub rows: Option<i64>,
}

/// The finding about the largest tables.
pub(super) fn largest_of(tables: &[Table]) -> Finding {
    if tables.is_empty() {
        return finding("largest-tables", Status::Ok, "there are no tables");
    }
    let short: Vec<String> = tables
        .iter()
        .take(3)
        .map(|table| format!("{} {}", table.name, bytes(table.size)))
        .collect();
    let details = tables
        .iter()
        .map(|table| match table.rows {
            Some(rows) => format!("{}: {}, about {}", table.name, bytes(table.size), count(rows, "row")),
            None => format!("{}: {}", table.name, bytes(table.size)),
        })
        .collect();
    finding("largest-tables", Status::Ok, format!("largest: {}", short.join(", "))).details(details)
}

pub(super) fn invalid_indexes(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    // Before version 12 it cannot be seen which ones are being built.
    let building = if session.facts.version.0 >= 12 {
        "AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
    } else {
        ""
    };
    let rows = session.rows(&format!(
        "SELECT n.nspname AS schema, c.relname AS name, t.relname AS table, c.relkind = 'I' AS partitioned FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = \
         c.relnamespace WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname NOT LIKE 'pg\\_toast%' {building} \
         ORDER BY 1, 2"
    ))?;
    let Some(first) = rows.first() else {
        return Ok(vec![finding("invalid-indexes", Status::Ok, "all indexes are valid")]);
    };
    let details: Vec<String> = rows
        .iter()
        .map(|row| format!("{}.{} on {}", row.text("schema"), row.text("name"), row.text("table")))
        .collect();
    let line = format!("{} invalid: {}", count(number(&rows), "index"), some(&details, 3));
    let help = if first.flag("partitioned") {
        "attach the missing index of a partition: ALTER INDEX … ATTACH PARTITION".to_owned()
    } else {
        format!(
            "it costs writes and helps no query: DROP INDEX CONCURRENTLY {}.{}, then build it again",
            sql_name(&first.text("schema")),
            sql_name(&first.text("name"))
        )
    };
    Ok(vec![
        finding("invalid-indexes", Status::Warn, line)
            .help(help)
            .details(details),
    ])
}

pub(super) fn unvalidated(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(
        "SELECT n.nspname AS schema, t.relname AS table, c.conname AS name FROM pg_constraint c JOIN pg_class t ON t.oid = \
         c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace WHERE NOT c.convalidated AND c.contype IN ('c', 'f') \
         ORDER BY 1, 2, 3",
    )?;
    let Some(first) = rows.first() else {
        return Ok(vec![finding(
            "unvalidated-constraints",
            Status::Ok,
            "all constraints are validated",
        )]);
    };
    let details: Vec<String> = rows
        .iter()
        .map(|row| format!("{} on {}.{}", row.text("name"), row.text("schema"), row.text("table")))
        .collect();
    let line = format!(
        "{} not validated: {}",
        count(number(&rows), "constraint"),
        some(&details, 3)
    );
    Ok(vec![
        finding("unvalidated-constraints", Status::Note, line)
            .help(format!(
                "older rows may break it: ALTER TABLE {}.{} VALIDATE CONSTRAINT {}",
                sql_name(&first.text("schema")),
                sql_name(&first.text("table")),
                sql_name(&first.text("name"))
            ))
            .details(details),
    ])
}

pub(super) fn extensions(session: &mut Session<'_>, request: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let installed = session.rows(
        "SELECT e.extname AS name, e.extversion AS version, a.default_version AS newest FROM pg_extension e LEFT JOIN \
         pg_available_extensions a ON a.name = e.extname WHERE e.extname <> 'plpgsql' ORDER BY 1",
    )?;
    let mut findings = vec![installed_extensions(&installed)];
    let has = |name: &str| installed.iter().any(|row| row.text("name") == name) || name == "plpgsql";
    let wanted: Vec<&WantedExtension> = request.extensions.iter().filter(|wanted| !has(&wanted.name)).collect();
    if wanted.is_empty() {
        return Ok(findings);
    }
    let applied = applied(session);
    let major = session.facts.version.0;
    let role = sql_name(&session.facts.role);
    let database = sql_name(&session.target.database);
    for extension in wanted {
        findings.push(if applied.contains(&extension.migration) {
            judge_lost(extension)
        } else {
            let offer = offered(session, &extension.name)?;
            judge_wanted(extension, &offer, major, (&role, &database))
        });
    }
    Ok(findings)
}

/// Migrations that will not run again. None where the ledger cannot be read: that is said elsewhere.
fn applied(session: &mut Session<'_>) -> BTreeSet<String> {
    let rows = session.rows(&format!(
        "SELECT migration_name AS name FROM {}.{TABLE} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL",
        identifier(&session.target.schema)
    ));
    rows.unwrap_or_default().iter().map(|row| row.text("name")).collect()
}

fn installed_extensions(installed: &[Row]) -> Finding {
    let names: Vec<String> = installed
        .iter()
        .map(|row| format!("{} {}", row.text("name"), row.text("version")))
        .collect();
    let older = installed
        .iter()
        .filter(|row| row.some("newest").is_some_and(|newest| newest != row.text("version")));
    let details = older
        .map(|row| {
            format!(
                "{} {} could be updated to {}",
                row.text("name"),
                row.text("version"),
                row.text("newest")
            )
        })
        .collect();
    let line = if names.is_empty() {
        "no extensions are installed".to_owned()
    } else {
        format!("installed extensions: {}", names.join(", "))
    };
    finding("extensions", Status::Ok, line).details(details)
}

/// What the server says about an extension that is not installed.
enum Offer {
    Missing,
    /// It may be created.
    Free,
    /// By whoever may create in the database, and this role may not.
    Trusted,
    /// Only by a superuser.
    Superuser,
}

fn offered(session: &mut Session<'_>, name: &str) -> Result<Offer, DatabaseError> {
    // Before version 13 no extension was trusted.
    let trusted = if session.facts.version.0 >= 13 {
        "v.trusted"
    } else {
        "false"
    };
    let rows = session.rows(&format!(
        "SELECT v.superuser AS restricted, {trusted} AS trusted, \
         has_database_privilege(current_user, current_database(), 'CREATE') AS creates \
         FROM pg_available_extensions a JOIN pg_available_extension_versions \
         v ON v.name = a.name AND v.version = a.default_version WHERE a.name = {}",
        literal(name)
    ))?;
    Ok(match rows.first() {
        None => Offer::Missing,
        Some(row) if session.facts.superuser || !row.flag("restricted") => Offer::Free,
        Some(row) if !row.flag("trusted") => Offer::Superuser,
        Some(row) if row.flag("creates") => Offer::Free,
        Some(_) => Offer::Trusted,
    })
}

/// An extension that a migration has created and that is gone since.
fn judge_lost(wanted: &WantedExtension) -> Finding {
    let WantedExtension { name, migration } = wanted;
    let line = format!("{name}, which {migration} has created, is not installed any more");
    finding("wanted-extension", Status::Warn, line).help(format!(
        "no deploy creates it again: CREATE EXTENSION {}, unless it was dropped on purpose",
        sql_name(name)
    ))
}

fn judge_wanted(wanted: &WantedExtension, offer: &Offer, major: i64, (role, database): (&str, &str)) -> Finding {
    let WantedExtension { name, migration } = wanted;
    match offer {
        Offer::Free => finding(
            "wanted-extension",
            Status::Ok,
            format!("{name}, which {migration} creates, is available"),
        ),
        Offer::Trusted => {
            let line = format!("{name}, which {migration} creates, needs CREATE on the database");
            finding("wanted-extension", Status::Bad, line).help(format!(
                "GRANT CREATE ON DATABASE {database} TO {role}, or let an administrator run: CREATE EXTENSION {}",
                sql_name(name)
            ))
        }
        Offer::Superuser => {
            let line = format!("{name}, which {migration} creates, can only be created by a superuser");
            finding("wanted-extension", Status::Bad, line).help(format!(
                "let an administrator run: CREATE EXTENSION {}, and have the migration say CREATE EXTENSION IF NOT EXISTS",
                sql_name(name)
            ))
        }
        Offer::Missing => {
            let line = format!("{name}, which {migration} creates, is not available on the server");
            let package = debian_package(name, major).map_or_else(String::new, |package| {
                format!(" (Debian, Ubuntu: apt-get install {package})")
            });
            finding("wanted-extension", Status::Bad, line).help(format!("install it on the server{package}"))
        }
    }
}

/// The package that brings an extension, where that is certain.
fn debian_package(name: &str, major: i64) -> Option<String> {
    let package = match name {
        "postgis" => "postgis-3",
        "vector" => "pgvector",
        "pg_cron" => "cron",
        "pg_partman" => "partman",
        "pg_repack" => "repack",
        "hypopg" => "hypopg",
        // Those that PostgreSQL brings itself lie in the server's own package.
        "bloom" | "btree_gin" | "btree_gist" | "citext" | "cube" | "dblink" | "earthdistance" | "fuzzystrmatch"
        | "hstore" | "intarray" | "isn" | "lo" | "ltree" | "pg_stat_statements" | "pg_trgm" | "pgcrypto"
        | "pgrowlocks" | "postgres_fdw" | "seg" | "tablefunc" | "unaccent" | "uuid-ossp" => {
            return Some(format!("postgresql-{major}"));
        }
        _ => return None,
    };
    Some(format!("postgresql-{major}-{package}"))
}
