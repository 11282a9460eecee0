//! Functions, procedures and aggregates.

use ::postgres::{Client, Error, Row};
use tollgate_schema::model::Function;
use tollgate_sql::operation::{ObjectKind, Volatility};
use tollgate_sql::{Dialect, ObjectName};

use super::rows::{ACL_COLUMNS, Acl, OWN_FUNCTION, VISIBLE_SCHEMA, ask_named, ask_of, list};

/// All overloads, ordered by their arguments.
pub(super) fn read(client: &mut Client, name: &ObjectName) -> Result<Vec<Function>, Error> {
    let sql = format!(
        "SELECT p.oid, p.prokind::text AS kind, l.lanname::text AS language, nullif(p.prosrc, '') AS body,
                p.provolatile::text AS volatility, p.prosecdef, pg_get_function_result(p.oid) AS returns,
                (SELECT array_agg(format_type(u.type, NULL) ORDER BY u.place)
                 FROM unnest(p.proargtypes) WITH ORDINALITY AS u (type, place)) AS arguments,
                CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END AS definition,
                obj_description(p.oid, 'pg_proc') AS comment,
                pg_get_function_arguments(p.oid) AS aggregated, a.aggtransfn::text AS transition,
                format_type(a.aggtranstype, NULL) AS state, nullif(a.aggfinalfn, 0)::regproc::text AS final,
                nullif(a.aggcombinefn, 0)::regproc::text AS combine, quote_literal(a.agginitval) AS initial
         FROM pg_proc p
         JOIN pg_namespace n ON n.oid = p.pronamespace
         JOIN pg_language l ON l.oid = p.prolang
         LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
         WHERE n.nspname = $1 AND p.proname = $2 AND {VISIBLE_SCHEMA} AND {OWN_FUNCTION} ORDER BY p.proargtypes::text"
    );
    let rows = ask_named(client, &sql, name)?;
    let oids = rows
        .iter()
        .map(|row| row.try_get("oid"))
        .collect::<Result<Vec<u32>, _>>()?;
    let mut functions = rows
        .iter()
        .map(|row| function(row, name))
        .collect::<Result<Vec<_>, _>>()?;
    if !oids.is_empty() {
        grants(client, &oids, &mut functions)?;
    }
    functions.sort_by(|left, right| left.arguments.cmp(&right.arguments));
    Ok(functions)
}

fn function(row: &Row, name: &ObjectName) -> Result<Function, Error> {
    let kind = match row.try_get("kind")? {
        "p" => ObjectKind::Procedure,
        "a" => ObjectKind::Aggregate,
        _ => ObjectKind::Function,
    };
    let definition = match row.try_get::<_, Option<&str>>("definition")? {
        Some(definition) => definition.trim_end().to_owned(),
        None => aggregate(row, name)?,
    };
    Ok(Function {
        name: name.clone(),
        kind,
        arguments: list(row, "arguments")?,
        returns: row.try_get("returns")?,
        language: row.try_get("language")?,
        body: if kind == ObjectKind::Aggregate {
            None
        } else {
            row.try_get("body")?
        },
        volatility: match row.try_get("volatility")? {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        security_definer: row.try_get("prosecdef")?,
        definition,
        comment: row.try_get("comment")?,
        grants: Vec::new(),
    })
}

/// The CREATE AGGREGATE statement; the server has no function that prints it.
fn aggregate(row: &Row, name: &ObjectName) -> Result<String, Error> {
    let arguments: &str = row.try_get("aggregated")?;
    let fields = [
        ("SFUNC", "transition"),
        ("STYPE", "state"),
        ("FINALFUNC", "final"),
        ("COMBINEFUNC", "combine"),
        ("INITCOND", "initial"),
    ];
    let mut parts = Vec::new();
    for (word, column) in fields {
        if let Some(value) = row.try_get::<_, Option<&str>>(column)? {
            parts.push(format!("{word} = {value}"));
        }
    }
    let arguments = if arguments.is_empty() { "*" } else { arguments };
    Ok(format!(
        "CREATE AGGREGATE {}({arguments}) ({})",
        name.sql(Dialect::Postgres),
        parts.join(", ")
    ))
}

/// Everybody may execute a new function: that is the default and not listed.
fn grants(client: &mut Client, oids: &[u32], functions: &mut [Function]) -> Result<(), Error> {
    let sql = format!(
        "SELECT p.oid, {ACL_COLUMNS} FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) AS acl
         WHERE p.oid = ANY ($1) AND acl.grantee <> p.proowner AND acl.grantee <> 0"
    );
    let rows = ask_of(client, &sql, oids)?;
    for (oid, function) in oids.iter().zip(functions) {
        let mut acl = Acl::default();
        for row in &rows {
            if row.try_get::<_, u32>("oid")? == *oid {
                acl.add(row)?;
            }
        }
        function.grants = acl.into_privileges();
    }
    Ok(())
}
