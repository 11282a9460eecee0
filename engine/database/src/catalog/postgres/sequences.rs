//! Sequences.

use ::postgres::{Client, Error, Row};
use tollgate_schema::model::Sequence;
use tollgate_sql::operation::SequenceOptions;
use tollgate_sql::{Dialect, ObjectName};

use super::rows::{VISIBLE_SCHEMA, ask, ask_named, foreign_name};

pub(super) fn read(client: &mut Client, name: &ObjectName) -> Result<Option<Sequence>, Error> {
    let sql = format!(
        "SELECT format_type(s.seqtypid, NULL) AS data_type, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache,
                s.seqcycle, obj_description(c.oid, 'pg_class') AS comment, p.deptype::text AS ownership,
                tn.nspname::text AS owner_schema, t.relname::text AS owner_name, a.attname::text AS owner_column,
                has_sequence_privilege(c.oid, 'SELECT') AS readable
         FROM pg_sequence s
         JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_depend p ON p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.objsubid = 0
           AND p.refclassid = 'pg_class'::regclass AND p.refobjsubid > 0 AND p.deptype IN ('a', 'i')
         LEFT JOIN pg_class t ON t.oid = p.refobjid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
         LEFT JOIN pg_attribute a ON a.attrelid = p.refobjid AND a.attnum = p.refobjsubid
         WHERE n.nspname = $1 AND c.relname = $2 AND {VISIBLE_SCHEMA}"
    );
    let Some(row) = ask_named(client, &sql, name)?.into_iter().next() else {
        return Ok(None);
    };
    let owner = foreign_name(&row, "owner_schema", "owner_name")?;
    let column: Option<String> = row.try_get("owner_column")?;
    let last_value = if row.try_get("readable")? {
        last_value(client, name)?
    } else {
        None
    };
    Ok(Some(Sequence {
        name: name.clone(),
        data_type: row.try_get("data_type")?,
        options: options(&row)?,
        owned_by: owner.zip(column),
        identity: row.try_get::<_, Option<&str>>("ownership")? == Some("i"),
        last_value,
        comment: row.try_get("comment")?,
    }))
}

/// Read as a table and not with `pg_sequence_last_value`, which would lock the sequence until the snapshot ends.
fn last_value(client: &mut Client, name: &ObjectName) -> Result<Option<i64>, Error> {
    let sql = format!("SELECT last_value FROM {} WHERE is_called", name.sql(Dialect::Postgres));
    ask(client, &sql, &[])?
        .first()
        .map(|row| row.try_get("last_value"))
        .transpose()
}

/// The options that differ from what the server takes for this type and direction.
fn options(row: &Row) -> Result<SequenceOptions, Error> {
    let (lowest, highest) = match row.try_get("data_type")? {
        "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let increment: i64 = row.try_get("seqincrement")?;
    let (minimum, maximum): (i64, i64) = (row.try_get("seqmin")?, row.try_get("seqmax")?);
    let (usual_minimum, usual_maximum) = if increment > 0 { (1, highest) } else { (lowest, -1) };
    let usual_start = if increment > 0 { minimum } else { maximum };
    let numbers = [
        ("increment", increment, 1),
        ("minvalue", minimum, usual_minimum),
        ("maxvalue", maximum, usual_maximum),
        ("start", row.try_get("seqstart")?, usual_start),
        ("cache", row.try_get("seqcache")?, 1),
    ];
    let unusual = numbers.into_iter().filter(|(_, value, usual)| value != usual);
    let mut options: SequenceOptions = unusual
        .map(|(name, value, _)| (name.to_owned(), value.to_string()))
        .collect();
    if row.try_get("seqcycle")? {
        options.push(("cycle".to_owned(), "true".to_owned()));
    }
    Ok(options)
}
