//! A PostgreSQL database's schema, written as SQL and run in another database.
//!
//! Every object is one list of statements that is run as a whole. Lists come in the usual order (types before tables,
//! tables before views); what fails for want of something else is tried again when everything else is there, until
//! nothing gets any further.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_schema::model::RelationKind;
use tollgate_schema::{BaseError, Schema, render};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::connection::on_backend;
use crate::database::Database;
use crate::error::{DatabaseError, ServerError};

/// The statements of one object.
struct Object {
    what: String,
    statements: Vec<String>,
}

#[derive(QueryableByName)]
struct Other {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Copies everything but rows, and what the ledger says is applied. Says what could not be copied.
pub(super) fn copy(from: &mut Database, to: &mut Database) -> Result<Vec<String>, DatabaseError> {
    let source = from.picture().map_err(unreadable)?;
    let mut missing = Vec::new();
    let (objects, keys, privileges) = objects(&source, &mut missing).map_err(unreadable)?;
    // Bodies may call what comes later; and types of the server's own must be found without their schema.
    to.connection
        .run_own("begin the copy", "SET check_function_bodies = off")?;
    for list in [objects, keys, privileges] {
        missing.extend(run(to, list));
    }
    missing.extend(others(from)?);
    let applied: Vec<_> = from.ledger()?.unwrap_or_default();
    let rows: Vec<(&str, &str)> = applied
        .iter()
        .filter(|row| row.is_applied())
        .map(|row| (row.migration_name.as_str(), row.checksum.as_str()))
        .collect();
    if !rows.is_empty() {
        to.mark_applied(&rows).map_err(|error| match error {
            crate::ResolveError::Database(error) => error,
            other => DatabaseError::server("copy the ledger", ServerError::text(other.to_string())),
        })?;
    }
    missing.sort();
    missing.dedup();
    Ok(missing)
}

fn unreadable(error: BaseError) -> DatabaseError {
    DatabaseError::server("read the schema to copy", ServerError::text(error.message))
}

/// Everything, what points at other objects (foreign keys, attachments), and privileges.
type Lists = (Vec<Object>, Vec<Object>, Vec<Object>);

fn objects(schema: &Schema, missing: &mut Vec<String>) -> Result<Lists, BaseError> {
    let (mut objects, mut keys, mut privileges) = (Vec::new(), Vec::new(), Vec::new());
    objects.extend(schema.schemas()?.into_iter().map(|name| Object {
        statements: vec![format!(
            "CREATE SCHEMA IF NOT EXISTS {}",
            Dialect::Postgres.quote_if_needed(&name)
        )],
        what: format!("schema {name}"),
    }));
    objects.extend(schema.extensions()?.into_iter().map(|(name, home)| Object {
        statements: vec![format!(
            "CREATE EXTENSION IF NOT EXISTS {} SCHEMA {}",
            Dialect::Postgres.quote_if_needed(&name),
            Dialect::Postgres.quote_if_needed(&home)
        )],
        what: format!("extension {name}"),
    }));
    for (kind, name) in named(schema)? {
        let what = format!("{} {name}", word(kind));
        let Some(statements) = render::ddl(schema, kind, &name)? else {
            missing.push(format!("{what}: the catalog does not hold what it is made of"));
            continue;
        };
        let mut object = Object {
            what: what.clone(),
            statements: Vec::new(),
        };
        let mut later = Object {
            what: what.clone(),
            statements: Vec::new(),
        };
        for sql in statements {
            if sql.contains(" OWNER TO ") && sql.starts_with("ALTER ") {
                // Everything belongs to whoever made it, as after a deploy.
            } else if sql.starts_with("GRANT ") || sql.starts_with("REVOKE ") {
                privileges.push(Object {
                    what: format!("privileges on {what}"),
                    statements: vec![sql],
                });
            } else if sql.starts_with("ALTER ")
                && (sql.contains(" FOREIGN KEY (") || sql.contains(" ATTACH PARTITION "))
            {
                later.statements.push(sql);
            } else if later.statements.is_empty() {
                object.statements.push(sql);
            } else {
                later.statements.push(sql);
            }
        }
        objects.push(object);
        if !later.statements.is_empty() {
            keys.push(later);
        }
    }
    Ok((objects, keys, privileges))
}

/// Every object with a name of its own, roughly in the order in which they need each other.
fn named(schema: &Schema) -> Result<Vec<(ObjectKind, ObjectName)>, BaseError> {
    let mut found = Vec::new();
    found.extend(schema.type_names()?.into_iter().map(|name| (ObjectKind::Type, name)));
    for name in schema.sequence_names()? {
        let owned = schema.sequence(&name)?.is_some_and(|found| found.owned_by.is_some());
        // That of a column comes with its table.
        if !owned {
            found.push((ObjectKind::Sequence, name));
        }
    }
    let mut relations = Vec::new();
    for name in schema.relations()? {
        let Some(relation) = schema.relation(&name)? else {
            continue;
        };
        relations.push(match relation.kind {
            RelationKind::Table | RelationKind::PartitionedTable => (0, ObjectKind::Table, name),
            RelationKind::ForeignTable => (1, ObjectKind::ForeignTable, name),
            RelationKind::View => (2, ObjectKind::View, name),
            RelationKind::MaterializedView => (3, ObjectKind::MaterializedView, name),
        });
    }
    relations.sort();
    // Tables before functions, which may take or return their rows; with the bodies unchecked nothing else is needed.
    let tables = relations.iter().take_while(|(rank, ..)| *rank == 0).count();
    let views = relations.split_off(tables);
    found.extend(relations.into_iter().map(|(_, kind, name)| (kind, name)));
    for name in schema.function_names()? {
        let mut kinds: Vec<_> = schema.functions(&name)?.iter().map(|function| function.kind).collect();
        kinds.dedup();
        found.extend(kinds.into_iter().map(|kind| (kind, name.clone())));
    }
    found.extend(views.into_iter().map(|(_, kind, name)| (kind, name)));
    Ok(found)
}

/// Runs each list in a transaction, again and again as long as that gets any further. Says what is left.
fn run(to: &mut Database, mut lists: Vec<Object>) -> Vec<String> {
    loop {
        let before = lists.len();
        let mut failures = Vec::new();
        lists.retain(|object| match whole(to, &object.statements) {
            Ok(()) => false,
            Err(error) => {
                failures.push(error);
                true
            }
        });
        if lists.is_empty() {
            return Vec::new();
        }
        if lists.len() == before {
            let left = lists.iter().zip(failures);
            return left.flat_map(|(object, error)| in_parts(to, object, &error)).collect();
        }
    }
}

fn whole(to: &mut Database, statements: &[String]) -> Result<(), ServerError> {
    let sql = format!("BEGIN; {}; COMMIT", statements.join("; "));
    let done = to.connection.run(&sql);
    if done.is_err() {
        let _ = to.connection.run("ROLLBACK");
    }
    done
}

/// What can be had of an object that cannot be had as a whole: a table without one of its policies, for example.
fn in_parts(to: &mut Database, object: &Object, error: &ServerError) -> Vec<String> {
    let [first, rest @ ..] = object.statements.as_slice() else {
        return Vec::new();
    };
    let left = |error: &ServerError| format!("{}: {}", object.what, error.message);
    if rest.is_empty() || to.connection.run(first).is_err() {
        return vec![left(error)];
    }
    let failures = rest.iter().filter_map(|sql| to.connection.run(sql).err());
    failures.map(|error| left(&error)).collect()
}

/// What nobody reads into the model. Extensions bring along what is theirs.
fn others(from: &mut Database) -> Result<Vec<String>, DatabaseError> {
    const CLASSES: [&str; 15] = [
        "pg_cast",
        "pg_collation",
        "pg_conversion",
        "pg_event_trigger",
        "pg_foreign_data_wrapper",
        "pg_foreign_server",
        "pg_operator",
        "pg_opclass",
        "pg_opfamily",
        "pg_publication",
        "pg_statistic_ext",
        "pg_ts_config",
        "pg_ts_dict",
        "pg_ts_parser",
        "pg_ts_template",
    ];
    // What the server itself brings has lower numbers.
    let each = CLASSES.map(|class| {
        format!("SELECT '{class}'::pg_catalog.regclass AS class, oid FROM pg_catalog.{class} WHERE oid >= 16384")
    });
    let query = format!(
        "SELECT i.type AS kind, i.identity AS name FROM ({}) o \
         CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) i \
         WHERE i.identity IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
         WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype IN ('e', 'i')) ORDER BY 1, 2",
        each.join(" UNION ALL ")
    );
    let found: Result<Vec<Other>, _> = on_backend!(&mut from.connection, inner => sql_query(query).load(inner));
    let found = found.map_err(|error| from.connection.explain("look for what cannot be copied", &error))?;
    let line = |other: Other| format!("{} {}: Tollgate does not copy these", other.kind, other.name);
    Ok(found.into_iter().map(line).collect())
}

/// The word before an object's name.
fn word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Type => "type",
        ObjectKind::Sequence => "sequence",
        ObjectKind::Table => "table",
        ObjectKind::View => "view",
        ObjectKind::MaterializedView => "materialized view",
        ObjectKind::ForeignTable => "foreign table",
        ObjectKind::Procedure => "procedure",
        ObjectKind::Aggregate => "aggregate",
        _ => "function",
    }
}
