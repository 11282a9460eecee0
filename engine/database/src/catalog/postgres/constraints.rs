//! Constraints of many relations.

use ::postgres::{Client, Error, Row};
use tollgate_schema::model::{Constraint, ConstraintRule};
use tollgate_sql::operation::ReferentialAction;

use super::relations::Reading;
use super::rows::{ask_of, expression, list, name};

pub(super) fn read(client: &mut Client, version: u32, reading: &mut Reading) -> Result<(), Error> {
    let recent = version >= 150_000;
    let distinct_nulls = if recent {
        "coalesce(i.indnullsnotdistinct, false)"
    } else {
        "false"
    };
    let set_columns = if recent {
        names_of("k.confdelsetcols", "k.conrelid")
    } else {
        "NULL::text[]".to_owned()
    };
    // A foreign key to a partitioned table has helpers on the same table for each partition: they are not somebody's.
    let sql = format!(
        "SELECT k.conrelid AS relation, k.conname::text AS name, k.contype::text AS kind, k.condeferrable,
                k.condeferred, k.convalidated, k.connoinherit, {columns} AS columns, {referenced} AS referenced_columns,
                {set_columns} AS set_columns, {distinct_nulls} AS nulls_not_distinct,
                (SELECT array_agg(a.attname::text ORDER BY n) FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS n
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n]) AS include,
                fn.nspname::text AS referenced_schema, f.relname::text AS referenced_name,
                k.confupdtype::text AS on_update, k.confdeltype::text AS on_delete, k.confmatchtype::text AS matching,
                CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END AS expression,
                CASE WHEN k.contype = 'x' THEN pg_get_constraintdef(k.oid) END AS definition,
                obj_description(k.oid, 'pg_constraint') AS comment
         FROM pg_constraint k
         LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u')
         LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
         WHERE k.conrelid = ANY ($1) AND k.contype IN ('p', 'u', 'f', 'c', 'x')
           AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
         ORDER BY k.conname::text COLLATE \"C\"",
        columns = names_of("k.conkey", "k.conrelid"),
        referenced = names_of("k.confkey", "k.confrelid"),
    );
    for row in ask_of(client, &sql, &reading.oids)? {
        let constraint = constraint(&row)?;
        if let Some(relation) = reading.of(&row)? {
            relation.constraints.push(constraint);
        }
    }
    Ok(())
}

/// An expression: names of the columns whose numbers an array holds, in its order.
fn names_of(numbers: &str, relation: &str) -> String {
    format!(
        "(SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest({numbers}) WITH ORDINALITY AS u (number, place)
          JOIN pg_attribute a ON a.attrelid = {relation} AND a.attnum = u.number)"
    )
}

fn constraint(row: &Row) -> Result<Constraint, Error> {
    Ok(Constraint {
        name: row.try_get("name")?,
        rule: rule(row)?,
        deferrable: row.try_get("condeferrable")?,
        initially_deferred: row.try_get("condeferred")?,
        validated: row.try_get("convalidated")?,
        comment: row.try_get("comment")?,
    })
}

fn rule(row: &Row) -> Result<ConstraintRule, Error> {
    let columns = list(row, "columns")?;
    Ok(match row.try_get("kind")? {
        "p" => ConstraintRule::PrimaryKey {
            columns,
            include: list(row, "include")?,
        },
        "u" => ConstraintRule::Unique {
            columns,
            include: list(row, "include")?,
            nulls_not_distinct: row.try_get("nulls_not_distinct")?,
        },
        "f" => ConstraintRule::ForeignKey {
            columns,
            references: name(row, "referenced_schema", "referenced_name")?,
            referenced_columns: list(row, "referenced_columns")?,
            on_update: action(row.try_get("on_update")?),
            on_delete: action(row.try_get("on_delete")?),
            on_delete_columns: list(row, "set_columns")?,
            match_full: row.try_get::<_, &str>("matching")? == "f",
        },
        "x" => ConstraintRule::Exclude {
            definition: exclusion(row.try_get("definition")?),
            columns,
        },
        _ => ConstraintRule::Check {
            expression: expression(row, "expression")?.unwrap_or_default(),
            columns,
            no_inherit: row.try_get("connoinherit")?,
        },
    })
}

fn action(letter: &str) -> ReferentialAction {
    match letter {
        "r" => ReferentialAction::Restrict,
        "c" => ReferentialAction::Cascade,
        "n" => ReferentialAction::SetNull,
        "d" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}

/// `EXCLUDE … DEFERRABLE INITIALLY DEFERRED` without first and last.
fn exclusion(definition: &str) -> String {
    let text = definition.trim_start_matches("EXCLUDE ");
    let text = text.strip_suffix(" INITIALLY DEFERRED").unwrap_or(text);
    text.strip_suffix(" DEFERRABLE").unwrap_or(text).to_owned()
}
