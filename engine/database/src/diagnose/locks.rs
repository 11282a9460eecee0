//! Who holds the migration lock, and other advisory locks.

use crate::connection::Connection;
use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::load::describe;
use crate::diagnose::run::Request;
use crate::diagnose::session::{Row, Session, VERY_LONG};
use crate::diagnose::words::{age, count};
use crate::error::DatabaseError;
use crate::postgres::lock::{KEY, TRANSACTIONS};
use crate::state::{Lease, leases};

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

/// The condition that it is Prisma's lock, or one of those that a run of ours holds beside it.
fn ours() -> String {
    format!("((l.classid = 0 AND l.objid = {KEY} AND l.objsubid = 1) OR (l.classid = {KEY} AND l.objsubid = 2))")
}

pub(super) fn migration_lock(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    // The session that a run has for the lock comes first: when that ends, so does the run. Another one's place could be
    // taken by a new one.
    let rows = session.rows(&format!(
        "{LOCKS} AND {} ORDER BY l.granted DESC, l.objsubid = 2 AND l.objid <> {TRANSACTIONS} DESC, a.backend_start, l.pid",
        ours()
    ))?;
    let mut holders: Vec<&Row> = Vec::new();
    for row in rows.iter().filter(|row| row.flag("granted")) {
        if holders.iter().all(|holder| holder.int("pid") != row.int("pid")) {
            holders.push(row);
        }
    }
    let waiting: Vec<&Row> = rows.iter().filter(|row| !row.flag("granted")).collect();
    Ok(vec![judge_lock(&holders, &waiting)])
}

fn judge_lock(holders: &[&Row], waiting: &[&Row]) -> Finding {
    let Some(holder) = holders.first() else {
        let line = format!("nobody holds the migration lock ({KEY})");
        return finding("migration-lock", Status::Ok, line);
    };
    let mut line = format!("the migration lock ({KEY}) is held by {}", describe(holder));
    if let Some(since) = holder.some("since") {
        line.push_str(&format!(", connected since {since}"));
    }
    match waiting.len() {
        0 => {}
        1 => line.push_str("; 1 waits for it"),
        several => line.push_str(&format!("; {several} wait for it")),
    }
    let status = if holder.seconds("held") >= VERY_LONG.as_secs_f64() {
        Status::Warn
    } else {
        Status::Note
    };
    let about = |row: &&Row| {
        let held = row
            .number("held")
            .map_or_else(String::new, |held| format!(" (connected for {})", age(held)));
        let waits = if row.flag("granted") { "" } else { ", waits for it" };
        format!("{}{held}{waits}", describe(row))
    };
    finding("migration-lock", status, line)
        .help(format!(
            "a deploy waits for it: let that run end; if it hangs, `tollgate lock release --terminate {}`",
            holder.int("pid")
        ))
        .details(holders.iter().chain(waiting).map(about).collect())
}

/// Advisory locks that are not ours are the application's business; seen all the same.
pub(super) fn others(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(&format!("{LOCKS} AND NOT {} ORDER BY l.pid, key", ours()))?;
    let line = match rows.len() {
        0 => "no other advisory locks".to_owned(),
        number => format!(
            "{}, not ours",
            count(number.try_into().unwrap_or(i64::MAX), "other advisory lock")
        ),
    };
    let details = rows
        .iter()
        .map(|row| {
            let verb = if row.flag("granted") {
                "held by"
            } else {
                "waited for by"
            };
            format!("{} {verb} {}", row.text("key"), describe(row))
        })
        .collect();
    Ok(vec![finding("advisory-locks", Status::Ok, line).details(details)])
}

pub(super) fn lease(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let leases = session.bounded(|connection| {
        let found = match &mut *connection {
            Connection::Postgres(inner) => leases::on_postgres(&mut **inner),
            Connection::Sqlite(inner) => leases::on_sqlite(inner),
        };
        found.map_err(|error| connection.explain(leases::READING, &error))
    })?;
    let ledger = &session.target.schema;
    let ours = leases.iter().find(|lease| lease.ledger == *ledger);
    Ok(vec![judge_lease(ours)])
}

/// A lease of this ledger.
pub(super) fn judge_lease(lease: Option<&Lease>) -> Finding {
    match lease {
        None => finding("lease", Status::Ok, "nobody has leased the migration lock"),
        Some(lease) if !lease.is_valid() => {
            let line = format!(
                "the lease of {} is over since {:.0}: it does not count",
                lease.holder(),
                lease.expires_at
            );
            finding("lease", Status::Ok, line)
        }
        Some(lease) => {
            let reason = lease
                .reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(": {reason}"));
            let line = format!(
                "{} has leased the migration lock from {:.0} to {:.0}{reason}",
                lease.holder(),
                lease.acquired_at,
                lease.expires_at
            );
            finding("lease", Status::Note, line).help(
                "deploys without its token are refused until then; its owner ends it with `tollgate lock release`",
            )
        }
    }
}
