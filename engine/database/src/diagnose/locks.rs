//! Who holds the migration lock, and other advisory locks.

use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::load::describe;
use crate::diagnose::run::Request;
use crate::diagnose::session::{Session, VERY_LONG};
use crate::diagnose::words::{age, count};
use crate::error::DatabaseError;
use crate::postgres::lock::KEY;
use crate::sql_text::literal;
use crate::state::setup::SCHEMA;

fn finding(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Locks, name, status, line)
}

/// Advisory locks of this database with their holders; `WHERE` goes on.
const LOCKS: &str = "SELECT l.pid, l.granted, a.usename::text AS username, NULLIF(a.application_name, '') AS application, \
     host(a.client_addr) AS client, a.state, a.backend_start::timestamptz(0)::text AS since, \
     extract(epoch FROM clock_timestamp() - a.backend_start)::float8 AS held, \
     CASE WHEN l.objsubid = 1 THEN ((l.classid::int8 << 32) | l.objid::int8)::text ELSE l.classid || ', ' || l.objid END AS \
     key FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.database = \
     (SELECT oid FROM pg_database WHERE datname = current_database())";

pub(super) fn migration_lock(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(&format!(
        "{LOCKS} AND l.classid = 0 AND l.objid = {KEY} AND l.objsubid = 1 ORDER BY l.granted DESC, a.backend_start"
    ))?;
    let Some(holder) = rows.iter().find(|row| row.flag("granted")) else {
        let line = format!("nobody holds the migration lock ({KEY})");
        return Ok(vec![finding("migration-lock", Status::Ok, line)]);
    };
    let waiting = rows.iter().filter(|row| !row.flag("granted")).count();
    let mut line = format!("the migration lock ({KEY}) is held by {}", describe(holder));
    if let Some(since) = holder.some("since") {
        line.push_str(&format!(", connected since {since}"));
    }
    if waiting > 0 {
        line.push_str(&format!("; {} for it", if waiting == 1 { "1 waits".to_owned() } else { format!("{waiting} wait") }));
    }
    let status = if holder.seconds("held") >= VERY_LONG.as_secs_f64() {
        Status::Warn
    } else {
        Status::Note
    };
    let held = holder.number("held").map_or_else(String::new, |held| format!(" (connected for {})", age(held)));
    Ok(vec![
        finding("migration-lock", status, line)
            .help(format!(
                "a deploy waits for it: let that run end; if it hangs, SELECT pg_terminate_backend({})",
                holder.int("pid")
            ))
            .details(rows.iter().map(|row| describe(row) + &held).collect()),
    ])
}

/// Advisory locks that are not ours are the application's business; seen all the same.
pub(super) fn others(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(&format!(
        "{LOCKS} AND NOT (l.classid = 0 AND l.objid = {KEY} AND l.objsubid = 1) ORDER BY l.pid, key"
    ))?;
    let line = match rows.len() {
        0 => "no other advisory locks".to_owned(),
        number => format!("{}, not ours", count(number.try_into().unwrap_or(i64::MAX), "other advisory lock")),
    };
    let details = rows
        .iter()
        .map(|row| {
            let verb = if row.flag("granted") { "held by" } else { "waited for by" };
            format!("{} {verb} {}", row.text("key"), describe(row))
        })
        .collect();
    Ok(vec![finding("advisory-locks", Status::Ok, line).details(details)])
}

pub(super) fn lease(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let there = session.row(&format!("SELECT to_regclass('{SCHEMA}.leases') IS NOT NULL AS there"))?;
    if !there.flag("there") {
        return Ok(vec![no_lease()]);
    }
    // Times are RFC 3339 in UTC and sort as text.
    let rows = session.rows(&format!(
        "SELECT owner, host, pid, reason, acquired_at, expires_at FROM {SCHEMA}.leases WHERE ledger = {} AND expires_at > \
         to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        literal(&session.target.schema)
    ))?;
    let Some(row) = rows.first() else {
        return Ok(vec![no_lease()]);
    };
    Ok(vec![leased(
        &row.text("owner"),
        row.some("host"),
        row.some("reason"),
        &row.text("acquired_at"),
        &row.text("expires_at"),
    )])
}

pub(super) fn no_lease() -> Finding {
    finding("lease", Status::Ok, "nobody has leased the migration lock")
}

pub(super) fn leased(
    owner: &str,
    host: Option<String>,
    reason: Option<String>,
    since: &str,
    until: &str,
) -> Finding {
    let host = host.map_or_else(String::new, |host| format!(" at {host}"));
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let line = format!("{owner}{host} has leased the migration lock from {since} to {until}{reason}");
    finding("lease", Status::Note, line).help("deploys without its token are refused until then: `tollgate lock status`")
}
