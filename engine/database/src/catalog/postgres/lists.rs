//! Lists of names: one query each, whatever the size of the database.

use std::collections::{BTreeSet, HashMap, HashSet};

use ::postgres::types::Type;
use ::postgres::{Client, Error};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use super::rows::{OWN_FUNCTION, VISIBLE_SCHEMA, ask, name};
use crate::catalog::is_own;

pub(super) fn schemas(client: &mut Client) -> Result<Vec<String>, Error> {
    let sql = format!("SELECT n.nspname::text AS name FROM pg_namespace n WHERE {VISIBLE_SCHEMA}");
    strings(client, &sql)
}

pub(super) fn extensions(client: &mut Client) -> Result<Vec<(String, String)>, Error> {
    let sql = "SELECT e.extname::text AS name, n.nspname::text AS schema FROM pg_extension e
               JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY e.extname::text COLLATE \"C\"";
    ask(client, sql, &[])?
        .iter()
        .map(|row| Ok((row.try_get("name")?, row.try_get("schema")?)))
        .collect()
}

/// Relations of these kinds, one letter each as `pg_class.relkind` has them.
pub(super) fn relations(client: &mut Client, kinds: &str) -> Result<Vec<ObjectName>, Error> {
    let kinds: Vec<String> = kinds.chars().map(String::from).collect();
    let sql = format!(
        "SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {VISIBLE_SCHEMA} AND c.relkind::text = ANY ($1) AND {}",
        no_member("pg_class", "c.oid"),
    );
    let rows = ask(client, &sql, &[(&kinds, Type::TEXT_ARRAY)])?;
    sorted(rows.iter().map(|row| name(row, "schema", "name")))
}

/// Everything that shares the names of relations: tables, views, indexes, sequences, composite types, also those of
/// extensions. What is not here need not be asked for.
pub(super) fn classes(client: &mut Client) -> Result<HashSet<ObjectName>, Error> {
    let sql = format!(
        "SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {VISIBLE_SCHEMA}"
    );
    ask(client, &sql, &[])?
        .iter()
        .map(|row| name(row, "schema", "name"))
        .collect()
}

/// All objects of a kind; kinds that have no names of their own have none here.
pub(super) fn names(client: &mut Client, kind: ObjectKind) -> Result<Vec<ObjectName>, Error> {
    match kind {
        ObjectKind::Table => relations(client, "rp"),
        ObjectKind::View => relations(client, "v"),
        ObjectKind::MaterializedView => relations(client, "m"),
        ObjectKind::ForeignTable => relations(client, "f"),
        ObjectKind::Index => relations(client, "iI"),
        ObjectKind::Sequence => relations(client, "S"),
        ObjectKind::Type => types(client, "true"),
        ObjectKind::Domain => types(client, "t.typtype = 'd'"),
        ObjectKind::Function => functions(client, &["f", "w"]),
        ObjectKind::Procedure => functions(client, &["p"]),
        ObjectKind::Aggregate => functions(client, &["a"]),
        ObjectKind::Schema => Ok(schemas(client)?.into_iter().map(ObjectName::bare).collect()),
        ObjectKind::Extension => Ok(extensions(client)?
            .into_iter()
            .map(|(name, _)| ObjectName::bare(name))
            .collect()),
        _ => Ok(Vec::new()),
    }
}

/// Types that somebody made: no row types of relations, no arrays, no multiranges.
fn types(client: &mut Client, condition: &str) -> Result<Vec<ObjectName>, Error> {
    let sql = format!(
        "SELECT n.nspname::text AS schema, t.typname::text AS name FROM pg_type t
         JOIN pg_namespace n ON n.oid = t.typnamespace
         LEFT JOIN pg_class c ON c.oid = t.typrelid
         LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
         WHERE {VISIBLE_SCHEMA} AND t.typtype::text <> 'm' AND coalesce(c.relkind = 'c', true) AND e.oid IS NULL
           AND {condition} AND {}",
        no_member("pg_type", "t.oid"),
    );
    sorted(ask(client, &sql, &[])?.iter().map(|row| name(row, "schema", "name")))
}

fn functions(client: &mut Client, kinds: &[&str]) -> Result<Vec<ObjectName>, Error> {
    let sql = format!(
        "SELECT DISTINCT n.nspname::text AS schema, p.proname::text AS name FROM pg_proc p
         JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE {VISIBLE_SCHEMA} AND p.prokind::text = ANY ($1) AND {OWN_FUNCTION} AND {}",
        no_member("pg_proc", "p.oid"),
    );
    let rows = ask(client, &sql, &[(&kinds, Type::TEXT_ARRAY)])?;
    sorted(rows.iter().map(|row| name(row, "schema", "name")))
}

/// The table of every index.
pub(super) fn index_owners(client: &mut Client) -> Result<HashMap<ObjectName, ObjectName>, Error> {
    let sql = format!(
        "SELECT n.nspname::text AS schema, x.relname::text AS name, c.relname::text AS owner FROM pg_index i
         JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
         JOIN pg_namespace n ON n.oid = x.relnamespace WHERE {VISIBLE_SCHEMA}"
    );
    let rows = ask(client, &sql, &[])?;
    let pairs = rows
        .iter()
        .map(|row| Ok((name(row, "schema", "name")?, name(row, "schema", "owner")?)));
    Ok(pairs
        .collect::<Result<Vec<_>, Error>>()?
        .into_iter()
        .filter(|(_, owner)| !is_own(owner))
        .collect())
}

/// For every table that foreign keys point at, the tables that hold them.
pub(super) fn referencing(client: &mut Client) -> Result<HashMap<ObjectName, BTreeSet<ObjectName>>, Error> {
    let sql = format!(
        "SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS name, fn.nspname::text AS to_schema,
                f.relname::text AS to_name
         FROM pg_constraint k
         JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
         WHERE k.contype = 'f' AND {VISIBLE_SCHEMA}"
    );
    let mut pairs: HashMap<_, BTreeSet<_>> = HashMap::new();
    for row in ask(client, &sql, &[])? {
        pairs
            .entry(name(&row, "to_schema", "to_name")?)
            .or_default()
            .insert(name(&row, "schema", "name")?);
    }
    Ok(pairs)
}

/// A condition: the object is not a member of an extension.
fn no_member(class: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = '{class}'::regclass AND m.objid = {oid}
                     AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e')"
    )
}

fn sorted(names: impl Iterator<Item = Result<ObjectName, Error>>) -> Result<Vec<ObjectName>, Error> {
    let mut names: Vec<_> = names.collect::<Result<_, _>>()?;
    names.retain(|name| !is_own(name));
    names.sort();
    Ok(names)
}

fn strings(client: &mut Client, sql: &str) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = ask(client, sql, &[])?
        .iter()
        .map(|row| row.try_get("name"))
        .collect::<Result<_, _>>()?;
    names.sort();
    Ok(names)
}
