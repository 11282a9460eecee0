//! Indexes of many relations.

use std::collections::HashMap;

use ::postgres::{Client, Error, Row};
use tollgate_schema::model::{Index, IndexKey};

use super::relations::Reading;
use super::rows::{ask_of, expression};
use crate::catalog::text;

pub(super) fn read(client: &mut Client, version: u32, reading: &mut Reading) -> Result<(), Error> {
    let mut keys = keys(client, &reading.oids)?;
    let distinct_nulls = if version >= 150_000 {
        "i.indnullsnotdistinct"
    } else {
        "false"
    };
    let sql = format!(
        "SELECT i.indrelid AS relation, i.indexrelid AS oid, x.relname::text AS name, i.indisunique, i.indisprimary,
                i.indisvalid AND i.indisready AS valid, {distinct_nulls} AS nulls_not_distinct,
                am.amname::text AS method, pg_get_expr(i.indpred, i.indrelid) AS predicate, x.reloptions,
                ts.spcname::text AS tablespace, pg_get_indexdef(i.indexrelid) AS definition,
                obj_description(x.oid, 'pg_class') AS comment, k.conname::text AS constrains,
                CASE WHEN x.relkind = 'i' THEN pg_relation_size(x.oid) END AS bytes
         FROM pg_index i
         JOIN pg_class x ON x.oid = i.indexrelid
         JOIN pg_am am ON am.oid = x.relam
         LEFT JOIN pg_tablespace ts ON ts.oid = x.reltablespace
         LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
           AND k.contype IN ('p', 'u', 'x')
         WHERE i.indrelid = ANY ($1) ORDER BY x.relname::text COLLATE \"C\""
    );
    for row in ask_of(client, &sql, &reading.oids)? {
        let (parts, include) = keys.remove(&row.try_get("oid")?).unwrap_or_default();
        let index = index(&row, parts, include)?;
        if let Some(relation) = reading.of(&row)? {
            relation.indexes.push(index);
        }
    }
    Ok(())
}

fn index(row: &Row, parts: Vec<IndexKey>, include: Vec<String>) -> Result<Index, Error> {
    let bytes: Option<i64> = row.try_get("bytes")?;
    Ok(Index {
        name: row.try_get("name")?,
        parts,
        include,
        unique: row.try_get("indisunique")?,
        nulls_not_distinct: row.try_get("nulls_not_distinct")?,
        primary: row.try_get("indisprimary")?,
        constraint: row.try_get("constrains")?,
        valid: row.try_get("valid")?,
        method: row.try_get("method")?,
        predicate: expression(row, "predicate")?,
        options: text::options(row.try_get("reloptions")?),
        tablespace: row.try_get("tablespace")?,
        definition: row.try_get("definition")?,
        comment: row.try_get("comment")?,
        bytes: bytes.and_then(|bytes| u64::try_from(bytes).ok()),
    })
}

/// By index: its keys and its INCLUDE columns.
type Keys = HashMap<u32, (Vec<IndexKey>, Vec<String>)>;

fn keys(client: &mut Client, relations: &[u32]) -> Result<Keys, Error> {
    let sql = "SELECT i.indexrelid AS oid, n >= i.indnkeyatts AS included, a.attname::text AS column_name,
                      CASE WHEN i.indkey[n] = 0 THEN pg_get_indexdef(i.indexrelid, n + 1, false) END AS expression,
                      CASE WHEN NOT o.opcdefault THEN o.opcname::text END AS operator_class,
                      CASE WHEN co.oid <> coalesce(a.attcollation, t.typcollation) THEN co.collname::text END AS collation,
                      coalesce(i.indoption[n] & 1, 0) = 1 AS descending,
                      coalesce(i.indoption[n] & 2, 0) = 2 AS nulls_first
               FROM pg_index i
               CROSS JOIN LATERAL generate_series(0, i.indnatts - 1) AS n
               JOIN pg_attribute x ON x.attrelid = i.indexrelid AND x.attnum = n + 1
               JOIN pg_type t ON t.oid = x.atttypid
               LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n] AND i.indkey[n] <> 0
               LEFT JOIN pg_opclass o ON o.oid = i.indclass[n]
               LEFT JOIN pg_collation co ON co.oid = i.indcollation[n]
               WHERE i.indrelid = ANY ($1) ORDER BY i.indexrelid, n";
    let mut keys = Keys::new();
    for row in ask_of(client, sql, relations)? {
        let (parts, include) = keys.entry(row.try_get("oid")?).or_default();
        let column: Option<String> = row.try_get("column_name")?;
        if row.try_get("included")? {
            include.extend(column);
            continue;
        }
        parts.push(IndexKey {
            column,
            expression: expression(&row, "expression")?,
            operator_class: row.try_get("operator_class")?,
            collation: row.try_get("collation")?,
            descending: row.try_get("descending")?,
            nulls_first: row.try_get("nulls_first")?,
        });
    }
    Ok(keys)
}
