//! Whether a pooler stands in between that lends server processes out per transaction: a session lock protects nothing
//! there.

use diesel::sql_types::Integer;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use crate::connection::Connection;
use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::{Request, told};
use crate::diagnose::session::Session;
use crate::error::DatabaseError;
use crate::postgres::target::PostgresTarget;
use crate::target::{Target, TargetKind};

/// What to do.
const DIRECT: &str = "give a direct URL of the server for the lock (lock.url), or deploy with a direct URL";

fn finding(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Replication, name, status, line)
}

pub(super) fn pooler(session: &mut Session<'_>, request: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let mut other = session.another()?;
    let pooled = is_pooled(session.connection(), &mut other)?;
    drop(other);
    let lock = request.lock.as_ref();
    let mut findings = vec![judge(session.target, pooled, lock.is_some(), &seen(session)?)];
    if let Some(lock) = lock {
        findings.push(lock_url(session, lock));
    }
    Ok(findings)
}

fn judge(target: &PostgresTarget, pooled: bool, has_lock_url: bool, seen: &[String]) -> Finding {
    let line = match (pooled, target.pooler) {
        (true, _) => "a pooler lends server processes out per transaction",
        (false, true) => "the URL says pgbouncer=true, but each connection has a server process of its own",
        (false, false) => "none that lends server processes out per transaction",
    };
    let finding = match (pooled, target.pooler, has_lock_url) {
        (false, false, _) => finding("pooler", Status::Ok, line),
        (_, _, true) => finding("pooler", Status::Note, format!("{line}; the lock has a URL of its own")),
        (true, _, false) => finding(
            "pooler",
            Status::Bad,
            format!("{line}: no lock can be held, so deploys are refused"),
        )
        .help(DIRECT),
        (false, true, false) => finding(
            "pooler",
            Status::Bad,
            format!("{line}; deploys are refused all the same"),
        )
        .help("take pgbouncer=true out of the URL if no transaction pooler is there, or set lock.url"),
    };
    finding.details(seen.to_vec())
}

/// What the server says about who calls it.
fn seen(session: &mut Session<'_>) -> Result<Vec<String>, DatabaseError> {
    let row = session.row("SELECT host(inet_server_addr()) AS address, inet_server_port() AS port")?;
    let port = row.int("port");
    let other = port != 0 && port != i64::from(session.target.port);
    let line = format!(
        "the server listens at {}:{port}, and the URL says port {}: something stands in between (a pooler, a proxy, a \
         container's port)",
        row.text("address"),
        session.target.port
    );
    Ok(other.then_some(line).into_iter().collect())
}

#[derive(QueryableByName)]
struct Pid {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

fn pid(connection: &mut Connection) -> Result<i32, DatabaseError> {
    let query = sql_query("SELECT pg_catalog.pg_backend_pid() AS pid");
    let rows: Result<Vec<Pid>, _> = match &mut *connection {
        Connection::Postgres(inner) => query.load(&mut **inner),
        Connection::Sqlite(inner) => query.load(&mut **inner),
    };
    let rows = rows.map_err(|error| connection.explain("ask for the session's process", &error))?;
    Ok(rows.first().map_or(0, |row| row.pid))
}

/// While one connection keeps its server process busy with a transaction, another one gets that same process, or a
/// second one: so it is behind a pooler, and never else. One that lends them out in turn does not give anybody the same one
/// twice running.
pub(crate) fn is_pooled(first: &mut Connection, other: &mut Connection) -> Result<bool, DatabaseError> {
    let before = pid(first)?;
    if pid(first)? != before {
        return Ok(true);
    }
    other.run_own("begin to look for a pooler", "BEGIN READ ONLY")?;
    let busy = pid(other)?;
    let after = pid(first);
    other.run_own("end looking for a pooler", "ROLLBACK")?;
    Ok(busy == before || after? != before)
}

/// The lock's own URL has to lead to the same server, without a pooler.
fn lock_url(session: &mut Session<'_>, lock: &Target) -> Finding {
    let TargetKind::Postgres(target) = &lock.kind else {
        return finding("lock-url", Status::Bad, "lock.url is no PostgreSQL URL").help(DIRECT);
    };
    match same_server(session, target) {
        Ok(_) if target.pooler => finding("lock-url", Status::Bad, "lock.url says pgbouncer=true").help(DIRECT),
        Ok((true, false)) => finding("lock-url", Status::Ok, "lock.url leads straight to the same server"),
        Ok((_, true)) => finding(
            "lock-url",
            Status::Bad,
            "lock.url leads through a transaction pooler, too",
        )
        .help(DIRECT),
        Ok((false, _)) => finding("lock-url", Status::Bad, "lock.url leads to another server or database")
            .help("the lock has to be where the database is: write the same host, port and database"),
        Err(error) => finding(
            "lock-url",
            Status::Bad,
            format!("lock.url cannot be used: {}", told(&error)),
        )
        .help(DIRECT),
    }
}

/// Whether it is the same server and database, and whether it is pooled.
fn same_server(session: &mut Session<'_>, target: &PostgresTarget) -> Result<(bool, bool), DatabaseError> {
    let identity = "SELECT extract(epoch FROM pg_postmaster_start_time())::text AS started, \
                    (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database";
    let here = session.row(identity)?;
    let there = session.at(target)?.row(identity)?;
    let same = ["started", "database"]
        .iter()
        .all(|name| here.text(name) == there.text(name));
    let pooled = is_pooled(&mut session.to(target)?, &mut session.to(target)?)?;
    Ok((same, pooled))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    #[test]
    fn a_pooler_is_bad_unless_the_lock_goes_round_it() {
        let target = |url| PostgresTarget::parse(url, Path::new("/")).unwrap();
        let plain = target("u@h/d");
        let said = target("u@h/d?pgbouncer=true");
        let status = |target, pooled, lock| judge(target, pooled, lock, &[]).status;
        assert_eq!(status(&plain, false, false), Status::Ok);
        assert_eq!(status(&plain, true, false), Status::Bad);
        assert_eq!(status(&plain, true, true), Status::Note);
        assert_eq!(status(&said, false, false), Status::Bad);
        assert_eq!(status(&said, false, true), Status::Note);
    }
}
