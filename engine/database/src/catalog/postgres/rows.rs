//! Asking, and reading rows into parts of the model.

use std::collections::BTreeMap;

use ::postgres::types::{ToSql, Type};
use ::postgres::{Client, Error, Row};
use tollgate_schema::model::Privilege;
use tollgate_sql::ObjectName;
use tollgate_sql::operation::DataType;

use crate::catalog::text;

/// Schemas that nobody sees: the system's, temporary ones, and Tollgate's own. The namespace is called `n`.
pub(super) const VISIBLE_SCHEMA: &str = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'tollgate')";

/// Functions that somebody made: no constructors that come with a range type. The function is called `p`.
pub(super) const OWN_FUNCTION: &str = "NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = 'pg_proc'::regclass \
     AND o.objid = p.oid AND o.deptype = 'i')";

/// A query's parameter.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Runs a query without a prepared statement: one round trip, and nothing that a pooler could lose.
pub(super) fn ask(client: &mut Client, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
    client.query_typed(sql, parameters)
}

/// The same with a list of object ids as the only parameter.
pub(super) fn ask_of(client: &mut Client, sql: &str, oids: &[u32]) -> Result<Vec<Row>, Error> {
    client.query_typed(sql, &[(&oids, Type::OID_ARRAY)])
}

/// The same with a name's schema as `$1` and the name as `$2`.
pub(super) fn ask_named(client: &mut Client, sql: &str, name: &ObjectName) -> Result<Vec<Row>, Error> {
    let schema = name.schema.as_deref().unwrap_or("public");
    client.query_typed(sql, &[(&schema, Type::TEXT), (&name.name, Type::TEXT)])
}

/// The name in two columns.
pub(super) fn name(row: &Row, schema: &str, name: &str) -> Result<ObjectName, Error> {
    Ok(ObjectName {
        schema: row.try_get(schema)?,
        name: row.try_get(name)?,
    })
}

/// A name that may be absent, bare when it is the system's.
pub(super) fn foreign_name(row: &Row, schema: &str, name: &str) -> Result<Option<ObjectName>, Error> {
    let (schema, name): (Option<String>, Option<String>) = (row.try_get(schema)?, row.try_get(name)?);
    Ok(name.map(|name| ObjectName {
        schema: schema.filter(|schema| schema != "pg_catalog"),
        name,
    }))
}

/// A list that may be NULL.
pub(super) fn list(row: &Row, column: &str) -> Result<Vec<String>, Error> {
    Ok(row.try_get::<_, Option<Vec<String>>>(column)?.unwrap_or_default())
}

/// An expression that may be NULL.
pub(super) fn expression(row: &Row, column: &str) -> Result<Option<String>, Error> {
    Ok(row.try_get::<_, Option<&str>>(column)?.map(text::unwrapped))
}

/// A lateral join, called `ty`, that gives what [`data_type`] reads of the type with this id and modifier.
pub(super) fn type_of(oid: &str, modifier: &str) -> String {
    format!(
        "LEFT JOIN LATERAL (
           SELECT tn.nspname::text AS type_schema, e.typname::text AS type_name,
                  format_type(e.oid, {modifier}) AS type_printed, x.oid IS NOT NULL AS type_array
           FROM pg_type whole
           LEFT JOIN pg_type x ON x.oid = whole.typelem AND x.typarray = whole.oid
           JOIN pg_type e ON e.oid = coalesce(x.oid, whole.oid)
           JOIN pg_namespace tn ON tn.oid = e.typnamespace
           WHERE whole.oid = {oid}) ty ON true"
    )
}

/// The columns of [`type_of`] for a select list.
pub(super) const TYPE_COLUMNS: &str = "ty.type_schema, ty.type_name, ty.type_printed, ty.type_array";

/// The type that [`type_of`] found; `declared` are the array dimensions the catalog has.
pub(super) fn data_type(row: &Row, declared: i32) -> Result<DataType, Error> {
    let schema: String = row.try_get("type_schema")?;
    let mut data_type = text::data_type(row.try_get("type_printed")?);
    if schema != "pg_catalog" {
        data_type.schema = Some(schema);
        data_type.name = row.try_get("type_name")?;
    }
    if row.try_get("type_array")? {
        // The server does not record dimensions everywhere (CREATE TABLE AS), but an array has one at least.
        data_type.dimensions = u32::try_from(declared).unwrap_or(1).max(1);
    }
    Ok(data_type)
}

/// The select list that [`Acl`] collects, from `aclexplode(…) AS acl`.
pub(super) const ACL_COLUMNS: &str = "CASE WHEN acl.grantee = 0 THEN 'public' ELSE pg_get_userbyid(acl.grantee)::text END \
     AS role, lower(acl.privilege_type) AS privilege, acl.is_grantable AS grantable";

/// Collects privileges, one row each, into one entry a role.
#[derive(Default)]
pub(super) struct Acl(BTreeMap<(String, bool), Vec<String>>);

impl Acl {
    pub fn add(&mut self, row: &Row) -> Result<(), Error> {
        let entry = self
            .0
            .entry((row.try_get("role")?, row.try_get("grantable")?))
            .or_default();
        entry.push(row.try_get("privilege")?);
        Ok(())
    }

    pub fn into_privileges(self) -> Vec<Privilege> {
        let privilege = |((role, grantable), mut privileges): ((String, bool), Vec<String>)| {
            privileges.sort();
            privileges.dedup();
            Privilege {
                role,
                privileges,
                grantable,
            }
        };
        self.0.into_iter().map(privilege).collect()
    }
}
