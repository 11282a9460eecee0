//! Standbys and replication slots.

use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::Request;
use crate::diagnose::session::Session;
use crate::diagnose::words::{age, bytes, count, sql_name};
use crate::error::DatabaseError;

/// How far a standby may be behind: seconds and bytes.
const LAG: (f64, i64) = (60.0, 1 << 30);

/// What a slot may keep of the write-ahead log.
const KEPT: i64 = 1 << 30;

fn finding(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Replication, name, status, line)
}

/// The place in the write-ahead log that others are measured against.
const HERE: &str = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END";

pub(super) fn replicas(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(&format!(
        "SELECT COALESCE(NULLIF(application_name, ''), 'pid ' || pid) AS name, host(client_addr) AS address, state, \
         sync_state AS sync, pg_wal_lsn_diff({HERE}, replay_lsn)::int8 AS bytes, \
         extract(epoch FROM replay_lag)::float8 AS seconds FROM pg_stat_replication ORDER BY 1"
    ))?;
    if rows.is_empty() {
        return Ok(vec![finding("replicas", Status::Ok, "no standby is connected")]);
    }
    let standbys = count(rows.len().try_into().unwrap_or(i64::MAX), "standby");
    if !session.facts.sees_others {
        let line = format!("{standbys} connected; how far behind is hidden from this role");
        return Ok(vec![
            finding("replicas", Status::Note, line)
                .help(format!("GRANT pg_monitor TO {}", sql_name(&session.facts.role))),
        ]);
    }
    let mut late = false;
    let details: Vec<String> = rows
        .iter()
        .map(|row| {
            let (seconds, behind) = (row.seconds("seconds"), row.int("bytes"));
            late |= seconds > LAG.0 || behind > LAG.1 || row.text("state") != "streaming";
            let address = row
                .some("address")
                .map_or_else(String::new, |address| format!(" at {address}"));
            let lag = match row.number("seconds") {
                Some(seconds) => format!("{} behind, {}", bytes(behind), age(seconds)),
                None => format!("{} behind", bytes(behind)),
            };
            format!(
                "{}{address}: {}, {}, {lag}",
                row.text("name"),
                row.text("state"),
                row.text("sync")
            )
        })
        .collect();
    let line = format!("{standbys} connected: {}", details.join("; "));
    let finding = if late {
        finding("replicas", Status::Warn, line)
            .help("a migration that rewrites a table puts them further back: wait until they have caught up")
    } else {
        finding("replicas", Status::Ok, line)
    };
    Ok(vec![finding.details(details)])
}

/// A commit that waits for a standby which is not there waits for ever.
pub(super) fn synchronous(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = session.row(
        "SELECT current_setting('synchronous_standby_names') AS names, current_setting('synchronous_commit') AS level, \
         current_setting('max_wal_senders')::int8 AS senders, \
         (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS there",
    )?;
    let names = row.text("names");
    let waits = !matches!(row.text("level").as_str(), "off" | "local") && row.int("senders") > 0;
    if names.is_empty() || session.facts.in_recovery {
        return Ok(Vec::new());
    }
    let name = "synchronous-standbys";
    let there = count(row.int("there"), "synchronous standby");
    let finding = if !waits {
        finding(
            name,
            Status::Ok,
            format!("commits of this role do not wait for {names}"),
        )
    } else if row.int("there") > 0 {
        finding(name, Status::Ok, format!("commits wait for {names}: {there} connected"))
    } else if !session.facts.sees_others {
        finding(
            name,
            Status::Note,
            format!("commits wait for {names}; whether they are there is hidden from this role"),
        )
        .help(format!("GRANT pg_monitor TO {}", sql_name(&session.facts.role)))
    } else {
        finding(
            name,
            Status::Bad,
            format!("commits wait for {names}, and none of them is connected: every commit hangs"),
        )
        .help("bring the standby back, or change synchronous_standby_names and reload the server")
    };
    Ok(vec![finding])
}

pub(super) fn slots(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(&format!(
        "SELECT slot_name::text AS name, slot_type AS kind, active, pg_wal_lsn_diff({HERE}, restart_lsn)::int8 AS kept, \
         CASE WHEN xmin IS NOT NULL OR catalog_xmin IS NOT NULL THEN true ELSE false END AS holds FROM \
         pg_replication_slots WHERE NOT temporary ORDER BY 1"
    ))?;
    let idle: Vec<_> = rows.iter().filter(|row| !row.flag("active")).collect();
    if idle.is_empty() {
        let line = match rows.len() {
            0 => "no replication slots".to_owned(),
            number => format!(
                "{}, all in use",
                count(number.try_into().unwrap_or(i64::MAX), "replication slot")
            ),
        };
        return Ok(vec![finding("replication-slots", Status::Ok, line)]);
    }
    let details: Vec<String> = idle
        .iter()
        .map(|row| {
            let vacuum = if row.flag("holds") { ", holds vacuum back" } else { "" };
            let kept = bytes(row.int("kept").max(0));
            format!(
                "{} ({}): keeps {kept} of the log{vacuum}",
                row.text("name"),
                row.text("kind")
            )
        })
        .collect();
    let status = if idle.iter().any(|row| row.int("kept") > KEPT) {
        Status::Warn
    } else {
        Status::Note
    };
    let line = format!("nobody reads from {}", details.join("; "));
    Ok(vec![
        finding("replication-slots", status, line)
            .help(
                "a slot without a reader fills the disk: start the reader, or SELECT pg_drop_replication_slot('NAME')",
            )
            .details(details),
    ])
}
