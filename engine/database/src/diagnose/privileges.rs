//! What the role needs to be allowed, and what it is not.

use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::Request;
use crate::diagnose::session::Session;
use crate::diagnose::words::{some, sql_name};
use crate::error::DatabaseError;
use crate::ledger::TABLE;
use crate::sql_text::literal;
use crate::state::setup::{SCHEMA, TABLES};

fn finding(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Privileges, name, status, line)
}

fn number(rows: &[impl Sized]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// There is no such database; a deploy makes it, if it may.
pub(super) fn missing_database(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = session.row("SELECT rolcreatedb OR rolsuper AS may FROM pg_roles WHERE rolname = current_user")?;
    let line = format!("the database \"{}\" does not exist", session.target.database);
    let name = "database-exists";
    Ok(vec![if row.flag("may") {
        Finding::new(Group::Connection, name, Status::Note, format!("{line} yet")).help("`tollgate deploy` creates it")
    } else {
        let line = format!("{line}, and this role may not create it");
        Finding::new(Group::Connection, name, Status::Bad, line).help(format!(
            "check its name in the URL, create it, or ALTER ROLE {} CREATEDB",
            sql_name(&session.facts.role)
        ))
    }])
}

pub(super) fn role(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = session.row(
        "SELECT current_user::text AS role, session_user::text AS login, r.rolsuper AS superuser, r.rolcreatedb AS \
         databases, r.rolcreaterole AS roles, \
         (SELECT l.rolvaliduntil FROM pg_roles l WHERE l.rolname = session_user) AS until, \
         (SELECT l.rolvaliduntil < now() FROM pg_roles l WHERE l.rolname = session_user) AS over, \
         has_database_privilege(current_user, current_database(), 'CONNECT') AS connect, \
         (SELECT string_agg(g.rolname, ', ' ORDER BY g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid \
         WHERE m.member = r.oid) AS groups FROM pg_roles r WHERE r.rolname = current_user",
    )?;
    let mut line = row.text("role");
    if row.text("login") != line {
        line.push_str(&format!(", logged in as {}", row.text("login")));
    }
    let kind = match (row.flag("superuser"), row.flag("databases")) {
        (true, _) => ", a superuser: it may do everything",
        (false, true) => ", no superuser, may create databases",
        (false, false) => ", no superuser",
    };
    line.push_str(kind);
    let mut details = Vec::new();
    if let Some(groups) = row.some("groups") {
        details.push(format!("member of {groups}"));
    }
    if !row.flag("databases") && !row.flag("superuser") {
        details.push("may not create databases: a missing one cannot be made by a deploy".to_owned());
    }
    let mut findings = vec![finding("role", Status::Ok, line).details(details)];
    if let Some(until) = row.some("until").filter(|until| until != "infinity") {
        let line = if row.flag("over") {
            format!("its password was good until {until}: it gets in without one only")
        } else {
            format!("its password is good until {until}")
        };
        findings.push(finding("password-expiry", Status::Note, line).help(format!(
            "ALTER ROLE {} VALID UNTIL 'infinity', or set a new one in time",
            sql_name(&row.text("login"))
        )));
    }
    if !row.flag("connect") {
        findings.push(
            finding(
                "connect",
                Status::Warn,
                "it has lost CONNECT on the database: the next login is refused",
            )
            .help(format!(
                "GRANT CONNECT ON DATABASE {} TO {}",
                sql_name(&session.target.database),
                sql_name(&session.facts.role)
            )),
        );
    }
    Ok(findings)
}

/// Where migrations make their tables.
pub(super) fn schema(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let schema = session.target.schema.clone();
    let row = session.row(&format!(
        "SELECT n.oid IS NOT NULL AS there, COALESCE(has_schema_privilege(current_user, n.oid, 'USAGE'), false) AS usage, \
         COALESCE(has_schema_privilege(current_user, n.oid, 'CREATE'), false) AS create, \
         has_database_privilege(current_user, current_database(), 'CREATE') AS make \
         FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = {}",
        literal(&schema)
    ))?;
    let (name, role) = (sql_name(&schema), sql_name(&session.facts.role));
    let missing: Vec<&str> = [("usage", "USAGE"), ("create", "CREATE")]
        .into_iter()
        .filter(|(column, _)| !row.flag(column))
        .map(|(_, privilege)| privilege)
        .collect();
    Ok(vec![match (row.flag("there"), missing.is_empty(), row.flag("make")) {
        (true, true, _) => finding("schema", Status::Ok, format!("may create in schema {name}")),
        (true, false, _) => {
            let missing = missing.join(" and ");
            finding("schema", Status::Bad, format!("lacks {missing} on schema {name}")).help(format!(
                "GRANT {} ON SCHEMA {name} TO {role}",
                missing.replace(" and ", ", ")
            ))
        }
        (false, _, true) => finding(
            "schema",
            Status::Ok,
            format!("schema {name} is not there yet; a deploy creates it"),
        ),
        (false, _, false) => finding(
            "schema",
            Status::Bad,
            format!("schema {name} is not there, and the role may not create it"),
        )
        .help(format!(
            "check `schema` in the URL, or CREATE SCHEMA {name} AUTHORIZATION {role}"
        )),
    }])
}

/// Privileges on one table: those that are missing. `None`: there is no such table.
fn missing_on(
    session: &mut Session<'_>,
    schema: &str,
    table: &str,
    needed: &[&str],
) -> Result<Option<Vec<String>>, DatabaseError> {
    let checks: Vec<String> = needed
        .iter()
        .map(|privilege| {
            format!(
                "CASE WHEN has_table_privilege(current_user, c.oid, '{privilege}') THEN NULL ELSE '{privilege}' END"
            )
        })
        .collect();
    let rows = session.rows(&format!(
        "SELECT concat_ws(', ', {}) AS missing FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {}",
        checks.join(", "),
        literal(schema),
        literal(table)
    ))?;
    Ok(rows.first().map(|row| {
        let missing = row.text("missing");
        missing
            .split(", ")
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }))
}

pub(super) fn ledger(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let schema = session.target.schema.clone();
    let missing = missing_on(session, &schema, TABLE, &["SELECT", "INSERT", "UPDATE"])?;
    Ok(vec![match missing {
        None => finding(
            "ledger-access",
            Status::Ok,
            "there is no ledger yet; a deploy creates it",
        ),
        Some(missing) if missing.is_empty() => finding("ledger-access", Status::Ok, "may read and write the ledger"),
        Some(missing) => {
            let missing = missing.join(", ");
            finding(
                "ledger-access",
                Status::Bad,
                format!("lacks {missing} on the ledger {schema}.{TABLE}"),
            )
            .help(format!(
                "GRANT {missing} ON {}.{TABLE} TO {}",
                sql_name(&schema),
                sql_name(&session.facts.role)
            ))
        }
    }])
}

/// Tollgate's own tables.
pub(super) fn state(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let name = "state-access";
    let role = sql_name(&session.facts.role);
    let row = session.row(&format!(
        "SELECT n.oid IS NOT NULL AS there, COALESCE(has_schema_privilege(current_user, n.oid, 'USAGE'), false) AS usage, \
         COALESCE(has_schema_privilege(current_user, n.oid, 'CREATE'), false) AS add, \
         has_database_privilege(current_user, current_database(), 'CREATE') AS make, (SELECT count(*) FROM pg_class c \
         WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname IN ('{}')) AS tables, (SELECT string_agg(c.relname, ', ' \
         ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND NOT \
         (has_table_privilege(current_user, c.oid, 'SELECT') AND has_table_privilege(current_user, c.oid, 'INSERT') AND \
         has_table_privilege(current_user, c.oid, 'UPDATE') AND has_table_privilege(current_user, c.oid, 'DELETE'))) AS \
         closed FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = '{SCHEMA}'",
        TABLES.join("', '")
    ))?;
    if !row.flag("there") {
        return Ok(vec![if row.flag("make") {
            let line = format!("may create schema {SCHEMA} for Tollgate's own tables");
            finding(name, Status::Ok, line)
        } else {
            let line = format!("lacks CREATE on the database, to make schema {SCHEMA} for Tollgate's own tables");
            finding(name, Status::Bad, line).help(format!(
                "let an administrator run: CREATE SCHEMA {SCHEMA} AUTHORIZATION {role}"
            ))
        }]);
    }
    let grants = format!(
        "GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO \
         {role}"
    );
    Ok(vec![match (row.flag("usage"), row.some("closed")) {
        (false, _) => finding(
            name,
            Status::Bad,
            format!("lacks USAGE on schema {SCHEMA}, Tollgate's own"),
        )
        .help(grants),
        (true, Some(closed)) => {
            let line = format!("lacks SELECT, INSERT, UPDATE or DELETE on Tollgate's own tables: {closed}");
            finding(name, Status::Bad, line).help(grants)
        }
        // Each is made by whoever writes it first.
        (true, None) if !row.flag("add") && usize::try_from(row.int("tables")).unwrap_or(0) < TABLES.len() => finding(
            name,
            Status::Bad,
            format!("lacks CREATE on schema {SCHEMA}, to make those of Tollgate's own tables that are not there yet"),
        )
        .help(grants),
        (true, None) => finding(name, Status::Ok, "may read and write Tollgate's own tables"),
    }])
}

/// ALTER and DROP need ownership; no GRANT gives that.
pub(super) fn ownership(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let schema = session.target.schema.clone();
    let rows = session.rows(&format!(
        "SELECT c.relname AS name, pg_get_userbyid(c.relowner) AS owner, pg_has_role(current_user, c.relowner, 'USAGE') AS \
         ours, (SELECT rolsuper FROM pg_roles r WHERE r.oid = c.relowner) AS super FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relkind IN \
         ('r', 'p', 'v', 'm', 'S', 'f') AND c.relname <> '{TABLE}' AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE \
         d.objid = c.oid AND d.deptype = 'e') ORDER BY c.relname",
        literal(&schema)
    ))?;
    let others: Vec<_> = rows.iter().filter(|row| !row.flag("ours")).collect();
    if others.is_empty() {
        let line = match number(&rows) {
            0 => format!("there are no tables in schema \"{schema}\" yet"),
            1 => "owns the one table, view or sequence of the schema".to_owned(),
            all => format!("owns all {all} tables, views and sequences of the schema"),
        };
        return Ok(vec![finding("ownership", Status::Ok, line)]);
    }
    let details: Vec<String> = others
        .iter()
        .map(|row| format!("{} (owner {})", row.text("name"), row.text("owner")))
        .collect();
    let line = format!(
        "may not alter or drop {} of {} tables, views and sequences: {}",
        others.len(),
        rows.len(),
        some(&details, 3)
    );
    let role = sql_name(&session.facts.role);
    let help = if others.iter().any(|row| row.flag("super")) {
        // A member of a superuser is one.
        format!("ALTER TABLE … OWNER TO {role}, for those that migrations change")
    } else {
        let mut owners: Vec<String> = others.iter().map(|row| sql_name(&row.text("owner"))).collect();
        owners.sort_unstable();
        owners.dedup();
        format!(
            "make the role a member of the owner: GRANT {} TO {role}",
            owners.join(", ")
        )
    };
    Ok(vec![
        finding("ownership", Status::Warn, line).help(help).details(details),
    ])
}

/// What makes diagnosis and the way out of a blocked deploy possible.
pub(super) fn monitoring(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = session.row(
        "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS stats, \
         pg_has_role(current_user, 'pg_signal_backend', 'USAGE') AS signal",
    )?;
    let role = sql_name(&session.facts.role);
    let mut findings = Vec::new();
    findings.push(if row.flag("stats") {
        finding("monitoring", Status::Ok, "sees what other sessions do")
    } else {
        finding("monitoring", Status::Note, "does not see what other roles' sessions do").help(format!(
            "to have whoever blocks a deploy named with query and state: GRANT pg_monitor TO {role}"
        ))
    });
    findings.push(if row.flag("signal") {
        finding(
            "signalling",
            Status::Ok,
            "may end other sessions (`tollgate lock release --force`)",
        )
    } else {
        finding("signalling", Status::Note, "may end only sessions of its own role").help(format!(
            "to end a session of another role that hangs with the lock: GRANT pg_signal_backend TO {role}"
        ))
    });
    Ok(findings)
}
