//! What breaks with an object, from `pg_depend`.

use ::postgres::types::Type;
use ::postgres::{Client, Error, Row};
use tollgate_schema::model::Dependent;
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use super::rows::{ask, ask_named};
use crate::catalog::is_own;

/// Direct dependents, ascending, without duplicates.
pub(super) fn read(client: &mut Client, kind: ObjectKind, name: &ObjectName) -> Result<Vec<Dependent>, Error> {
    let Some(find) = find(kind) else { return Ok(Vec::new()) };
    let targets = ask_named(client, find, name)?;
    let classes = targets
        .iter()
        .map(|row| row.try_get("class"))
        .collect::<Result<Vec<u32>, _>>()?;
    let objects = targets
        .iter()
        .map(|row| row.try_get("object"))
        .collect::<Result<Vec<u32>, _>>()?;
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let rows = ask(
        client,
        DEPENDENTS,
        &[(&classes, Type::OID_ARRAY), (&objects, Type::OID_ARRAY)],
    )?;
    let mut dependents = rows.iter().map(dependent).collect::<Result<Vec<_>, _>>()?;
    dependents.retain(|dependent| !is_own(&dependent.name));
    dependents.sort();
    dependents.dedup();
    Ok(dependents)
}

/// Finds the object's entries in the system: `class` and `object`. A relation also is a type, a type also is the element
/// of its array, an extension also is all of its members.
fn find(kind: ObjectKind) -> Option<&'static str> {
    Some(match kind {
        ObjectKind::Table
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::ForeignTable
        | ObjectKind::Sequence
        | ObjectKind::Index => {
            "WITH c AS (SELECT c.oid, c.reltype FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind <> 'c')
             SELECT 'pg_class'::regclass::oid AS class, c.oid AS object FROM c
             UNION ALL
             SELECT 'pg_type'::regclass::oid, t.oid FROM c JOIN pg_type r ON r.oid = c.reltype
             JOIN pg_type t ON t.oid IN (r.oid, r.typarray)"
        }
        ObjectKind::Type | ObjectKind::Domain => {
            "SELECT 'pg_type'::regclass::oid AS class, e.oid AS object FROM pg_type t
             JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_type e ON e.oid IN (t.oid, t.typarray)
             WHERE n.nspname = $1 AND t.typname = $2"
        }
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => {
            "SELECT 'pg_proc'::regclass::oid AS class, p.oid AS object FROM pg_proc p
             JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = $2"
        }
        ObjectKind::Schema => {
            "SELECT 'pg_namespace'::regclass::oid AS class, n.oid AS object FROM pg_namespace n
             WHERE n.nspname = $2 AND $1 IS NOT NULL"
        }
        ObjectKind::Extension => {
            "WITH e AS (SELECT oid FROM pg_extension WHERE extname = $2 AND $1 IS NOT NULL)
             SELECT 'pg_extension'::regclass::oid AS class, e.oid AS object FROM e
             UNION ALL
             SELECT m.classid, m.objid FROM e JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass
               AND m.refobjid = e.oid AND m.deptype = 'e'
             UNION ALL
             SELECT 'pg_type'::regclass::oid, t.typarray FROM e
             JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid AND m.deptype = 'e'
             JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid AND t.typarray <> 0"
        }
        _ => return None,
    })
}

/// One branch for each system table that an entry of `pg_depend` can be in. `kind` is `pg_class.relkind` for relations
/// and a letter of ours for the rest. Entries of the asked object's own parts are kept only where they name a column.
const DEPENDENTS: &str = "
WITH target AS (SELECT * FROM unnest($1, $2) AS t (class, object)),
d AS (SELECT DISTINCT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid
      FROM pg_depend d JOIN target t ON t.class = d.refclassid AND t.object = d.refobjid
      WHERE d.deptype IN ('n', 'a')
        AND NOT EXISTS (SELECT FROM target o WHERE o.class = d.classid AND o.object = d.objid AND d.objsubid = 0)),
found AS (
  -- views and rules
  SELECT CASE WHEN r.rulename = '_RETURN' THEN c.relkind::text ELSE 'rule' END AS kind, c.oid AS relation,
         CASE WHEN r.rulename <> '_RETURN' THEN r.rulename::text END AS member, d.refclassid, d.refobjid, d.refobjsubid
  FROM d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  JOIN pg_class c ON c.oid = r.ev_class
  WHERE NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = r.ev_class)
  UNION ALL
  -- columns of a type
  SELECT CASE WHEN c.relkind = 'c' THEN 'attribute' ELSE 'column' END, c.oid, a.attname::text,
         d.refclassid, d.refobjid, 0
  FROM d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 AND NOT a.attisdropped
  UNION ALL
  -- partitions and heirs, indexes over a function, everything in a schema
  SELECT c.relkind::text, c.oid, NULL, d.refclassid, d.refobjid, d.refobjsubid
  FROM d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND d.objsubid = 0
  LEFT JOIN pg_index i ON i.indexrelid = c.oid
  WHERE NOT (d.refclassid = 'pg_class'::regclass
             AND (c.relkind = 'S' OR coalesce(i.indrelid = d.refobjid, false) OR (i.indexrelid IS NOT NULL AND
                  EXISTS (SELECT FROM pg_index p WHERE p.indexrelid = d.refobjid))))
    AND NOT (c.relkind IN ('i', 'I') AND d.refclassid = 'pg_namespace'::regclass)
  UNION ALL
  -- defaults and generated columns
  SELECT 'column', f.adrelid, a.attname::text, d.refclassid, d.refobjid, d.refobjsubid
  FROM d JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
  JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
  WHERE NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = f.adrelid AND d.refobjsubid IN (0, f.adnum))
  UNION ALL
  -- constraints of other tables
  SELECT 'constraint', k.conrelid, k.conname::text, d.refclassid, d.refobjid, d.refobjsubid
  FROM d JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.conrelid <> 0
  WHERE NOT (d.refclassid = 'pg_class'::regclass AND k.conrelid = d.refobjid)
    AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
  UNION ALL
  SELECT 'trigger', t.tgrelid, t.tgname::text, d.refclassid, d.refobjid, d.refobjsubid
  FROM d JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid AND NOT t.tgisinternal
  WHERE NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.tgrelid AND d.refobjsubid = 0)
  UNION ALL
  SELECT 'policy', p.polrelid, p.polname::text, d.refclassid, d.refobjid, d.refobjsubid
  FROM d JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
  WHERE NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = p.polrelid AND d.refobjsubid = 0))
SELECT f.kind, n.nspname::text AS schema, c.relname::text AS name, f.member, a.attname::text AS column_name
FROM found f JOIN pg_class c ON c.oid = f.relation JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON f.refclassid = 'pg_class'::regclass AND a.attrelid = f.refobjid AND a.attnum = f.refobjsubid
  AND f.refobjsubid > 0
UNION
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, n.nspname::text,
       p.proname::text, NULL, a.attname::text
FROM d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_attribute a ON d.refclassid = 'pg_class'::regclass AND a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  AND d.refobjsubid > 0
UNION
-- domains over a type with their checks, ranges of it; not the types that come with another object
SELECT CASE WHEN t.typtype = 'd' THEN 'domain' ELSE 'type' END, n.nspname::text, t.typname::text, k.conname::text, NULL
FROM d LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
JOIN pg_type t ON t.oid = CASE WHEN d.classid = 'pg_type'::regclass THEN d.objid ELSE nullif(k.contypid, 0) END
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
WHERE coalesce(c.relkind = 'c', true) AND e.oid IS NULL AND t.typtype::text <> 'm'
  AND NOT EXISTS (SELECT FROM target o WHERE o.class = 'pg_type'::regclass AND o.object = t.oid)";

fn dependent(row: &Row) -> Result<Dependent, Error> {
    let kind = match row.try_get("kind")? {
        "v" => ObjectKind::View,
        "m" => ObjectKind::MaterializedView,
        "f" => ObjectKind::ForeignTable,
        "i" | "I" => ObjectKind::Index,
        "S" => ObjectKind::Sequence,
        "c" | "attribute" | "type" => ObjectKind::Type,
        "domain" => ObjectKind::Domain,
        "column" => ObjectKind::Column,
        "constraint" => ObjectKind::Constraint,
        "trigger" => ObjectKind::Trigger,
        "policy" => ObjectKind::Policy,
        "rule" => ObjectKind::Rule,
        "function" => ObjectKind::Function,
        "procedure" => ObjectKind::Procedure,
        "aggregate" => ObjectKind::Aggregate,
        _ => ObjectKind::Table,
    };
    Ok(Dependent {
        name: ObjectName::qualified(row.try_get::<_, String>("schema")?, row.try_get::<_, String>("name")?),
        member: row.try_get("member")?,
        kind,
        column: row.try_get("column_name")?,
    })
}
