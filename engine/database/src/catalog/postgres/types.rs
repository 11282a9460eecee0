//! User-defined types.

use ::postgres::{Client, Error, Row};
use tollgate_schema::model::{TypeKind, UserType};
use tollgate_sql::operation::DataType;
use tollgate_sql::{Dialect, ObjectName};

use super::rows::{TYPE_COLUMNS, VISIBLE_SCHEMA, ask_named, ask_of, data_type, expression, foreign_name, type_of};
use crate::catalog::text;

pub(super) fn read(client: &mut Client, name: &ObjectName) -> Result<Option<UserType>, Error> {
    let type_of = type_of("t.typbasetype", "t.typtypmod");
    let sql = format!(
        "SELECT t.oid, t.typtype::text AS kind, t.typrelid, obj_description(t.oid, 'pg_type') AS comment,
                pg_get_userbyid(t.typowner)::text AS owner, t.typnotnull, t.typndims, {TYPE_COLUMNS},
                coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)) AS expression,
                cn.nspname::text AS collation_schema, co.collname::text AS collation_name
         FROM pg_type t
         JOIN pg_namespace n ON n.oid = t.typnamespace
         LEFT JOIN pg_class c ON c.oid = t.typrelid
         LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
         LEFT JOIN pg_type b ON b.oid = t.typbasetype
         {type_of}
         LEFT JOIN pg_collation co ON co.oid = t.typcollation AND t.typcollation <> b.typcollation
         LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
         WHERE n.nspname = $1 AND t.typname = $2 AND {VISIBLE_SCHEMA} AND t.typtype::text <> 'm'
           AND coalesce(c.relkind = 'c', true) AND e.oid IS NULL"
    );
    let Some(row) = ask_named(client, &sql, name)?.into_iter().next() else {
        return Ok(None);
    };
    let oid: u32 = row.try_get("oid")?;
    let kind = match row.try_get("kind")? {
        "e" => TypeKind::Enum {
            values: enum_values(client, oid)?,
        },
        "d" => domain(client, oid, &row)?,
        "c" => TypeKind::Composite {
            attributes: attributes(client, row.try_get("typrelid")?)?,
        },
        "r" => TypeKind::Other {
            definition: range(client, oid, name)?,
        },
        _ => TypeKind::Other {
            definition: base(client, oid, name)?,
        },
    };
    Ok(Some(UserType {
        name: name.clone(),
        kind,
        comment: row.try_get("comment")?,
        owner: row.try_get("owner")?,
        uncertain: false,
    }))
}

fn enum_values(client: &mut Client, oid: u32) -> Result<Vec<String>, Error> {
    let sql = "SELECT e.enumlabel::text AS label FROM pg_enum e WHERE e.enumtypid = ANY ($1) ORDER BY e.enumsortorder";
    ask_of(client, sql, &[oid])?
        .iter()
        .map(|row| row.try_get("label"))
        .collect()
}

fn domain(client: &mut Client, oid: u32, row: &Row) -> Result<TypeKind, Error> {
    let sql = "SELECT k.conname::text AS name, pg_get_expr(k.conbin, 0) AS expression FROM pg_constraint k
               WHERE k.contypid = ANY ($1) AND k.contype = 'c' ORDER BY k.conname::text COLLATE \"C\"";
    let check = |row: &Row| Ok((row.try_get("name")?, expression(row, "expression")?.unwrap_or_default()));
    Ok(TypeKind::Domain {
        base: data_type(row, row.try_get("typndims")?)?,
        not_null: row.try_get("typnotnull")?,
        default: expression(row, "expression")?,
        checks: ask_of(client, sql, &[oid])?
            .iter()
            .map(check)
            .collect::<Result<_, Error>>()?,
        collation: foreign_name(row, "collation_schema", "collation_name")?,
    })
}

fn attributes(client: &mut Client, relation: u32) -> Result<Vec<(String, DataType)>, Error> {
    let type_of = type_of("a.atttypid", "a.atttypmod");
    let sql = format!(
        "SELECT a.attname::text AS name, a.attndims::int4 AS dimensions, {TYPE_COLUMNS} FROM pg_attribute a {type_of}
         WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    );
    let attribute = |row: &Row| Ok((row.try_get("name")?, data_type(row, row.try_get("dimensions")?)?));
    ask_of(client, &sql, &[relation])?.iter().map(attribute).collect()
}

/// The CREATE TYPE statement of a range.
fn range(client: &mut Client, oid: u32, name: &ObjectName) -> Result<String, Error> {
    let sql = "SELECT format_type(r.rngsubtype, NULL) AS subtype,
                      CASE WHEN NOT o.opcdefault THEN o.opcname::text END AS subtype_opclass,
                      CASE WHEN co.oid <> t.typcollation THEN quote_ident(co.collname) END AS collation,
                      nullif(r.rngcanonical, 0)::regproc::text AS canonical,
                      nullif(r.rngsubdiff, 0)::regproc::text AS subtype_diff
               FROM pg_range r JOIN pg_type t ON t.oid = r.rngsubtype JOIN pg_opclass o ON o.oid = r.rngsubopc
               LEFT JOIN pg_collation co ON co.oid = r.rngcollation WHERE r.rngtypid = ANY ($1)";
    let fields = ["subtype", "subtype_opclass", "collation", "canonical", "subtype_diff"];
    let rows = ask_of(client, sql, &[oid])?;
    let given = given(rows.first(), &fields)?;
    Ok(format!(
        "CREATE TYPE {} AS RANGE ({given})",
        name.sql(Dialect::Postgres)
    ))
}

/// The CREATE TYPE statement of a base type, as far as the catalog tells.
fn base(client: &mut Client, oid: u32, name: &ObjectName) -> Result<String, Error> {
    let sql = "SELECT t.typinput::text AS input, t.typoutput::text AS output,
                      nullif(t.typreceive, 0)::regproc::text AS receive, nullif(t.typsend, 0)::regproc::text AS send,
                      CASE WHEN t.typlen < 0 THEN 'variable' ELSE t.typlen::text END AS internallength,
                      CASE t.typalign WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'd' THEN 'double' ELSE 'int4' END
                        AS alignment,
                      CASE t.typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main'
                        ELSE 'extended' END AS storage
               FROM pg_type t WHERE t.oid = ANY ($1) AND t.typisdefined";
    let fields = [
        "input",
        "output",
        "receive",
        "send",
        "internallength",
        "alignment",
        "storage",
    ];
    let rows = ask_of(client, sql, &[oid])?;
    let name = name.sql(Dialect::Postgres);
    Ok(match given(rows.first(), &fields)? {
        // A shell type: announced, not defined yet.
        given if given.is_empty() => format!("CREATE TYPE {name}"),
        given => format!("CREATE TYPE {name} ({given})"),
    })
}

/// `field = value` for the fields that are not NULL.
fn given(row: Option<&Row>, fields: &[&str]) -> Result<String, Error> {
    let mut parts = Vec::new();
    for field in fields {
        if let Some(value) = row
            .map(|row| row.try_get::<_, Option<&str>>(*field))
            .transpose()?
            .flatten()
        {
            parts.push(format!("{field} = {}", text::unwrapped(value)));
        }
    }
    Ok(parts.join(", "))
}
