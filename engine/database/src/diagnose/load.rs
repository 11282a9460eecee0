//! What others are doing, and what of it a migration would have to wait for.

use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::Request;
use crate::diagnose::session::{CLIENT, LONG, Row, Session, VERY_LONG};
use crate::diagnose::words::{age, count, some};
use crate::error::DatabaseError;
use crate::query_text::{SHOWN, excerpt};

/// Transactions after whose number the server stops taking writes; autovacuum should have been there long before.
const WRAPAROUND: (i64, i64) = (500_000_000, 1_500_000_000);

fn finding(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Load, name, status, line)
}

fn number<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// What is said of a session.
const COLUMNS: &str = "a.pid, a.usename::text AS username, NULLIF(a.application_name, '') AS application, \
     host(a.client_addr) AS client, a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age, \
     extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS since, a.query";

/// `process 71, user app, "worker", idle in transaction for 3 min 2 s: UPDATE t SET …`
pub(super) fn describe(row: &Row) -> String {
    let mut text = format!("process {}", row.int("pid"));
    if let Some(user) = row.some("username") {
        text.push_str(&format!(", user {user}"));
    }
    if let Some(application) = row.some("application") {
        text.push_str(&format!(", \"{application}\""));
    }
    if let Some(client) = row.some("client") {
        text.push_str(&format!(" from {client}"));
    }
    if let Some(state) = row.some("state") {
        text.push_str(&format!(", {state}"));
    }
    if let Some(seconds) = row.number("age") {
        text.push_str(&format!(", transaction open for {}", age(seconds)));
    }
    if let Some(query) = row.some("query").map(|query| excerpt(&query, SHOWN)) {
        let last = if row.text("state").starts_with("idle") {
            "last "
        } else {
            ""
        };
        text.push_str(&format!(": {last}{query}"));
    }
    text
}

pub(super) fn sessions(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    // Connections of ours that were only tried out may not be quite gone yet.
    let rows = session.rows(&format!(
        "SELECT COALESCE(state, 'hidden') AS state, count(*) AS number FROM pg_stat_activity WHERE {CLIENT} AND \
         datname = current_database() AND pid <> pg_backend_pid() AND NOT \
         (application_name = current_setting('application_name') AND backend_start > clock_timestamp() - interval '10 \
         seconds') GROUP BY 1 ORDER BY 2 DESC, 1"
    ))?;
    let all: i64 = rows.iter().map(|row| row.int("number")).sum();
    let states: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row.int("number"), row.text("state")))
        .collect();
    let line = if all == 0 {
        "no other sessions in the database".to_owned()
    } else {
        format!("{} in the database: {}", count(all, "other session"), states.join(", "))
    };
    Ok(vec![finding("sessions", Status::Ok, line)])
}

/// Whatever has a transaction open in this database for long: DDL may wait for its locks, and CREATE INDEX CONCURRENTLY
/// waits for it in any case.
pub(super) fn long_transactions(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(&format!(
        "SELECT {COLUMNS} FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND \
         a.backend_type <> 'autovacuum worker' AND a.xact_start < clock_timestamp() - interval '{} seconds' \
         ORDER BY a.xact_start",
        LONG.as_secs()
    ))?;
    Ok(vec![as_far_as_seen(session, judge_long(&rows))?])
}

fn judge_long(rows: &[Row]) -> Finding {
    let Some(oldest) = rows.first() else {
        return finding("long-transactions", Status::Ok, "no transaction is older than a minute");
    };
    let status = if oldest.seconds("age") >= VERY_LONG.as_secs_f64() {
        Status::Warn
    } else {
        Status::Note
    };
    let details: Vec<String> = rows.iter().map(describe).collect();
    let line = format!(
        "{} older than a minute; the oldest for {}",
        count(number(rows), "transaction"),
        age(oldest.seconds("age"))
    );
    finding("long-transactions", status, line)
        .help(format!(
            "DDL on their tables and CREATE INDEX CONCURRENTLY wait for them: let them end, or SELECT pg_terminate_backend({})",
            oldest.int("pid")
        ))
        .details(details)
}

/// A transaction that does nothing keeps its locks all the same.
pub(super) fn idle_in_transaction(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(&format!(
        "SELECT {COLUMNS}, (SELECT string_agg(DISTINCT c.relname, ', ') FROM pg_locks l JOIN pg_class c ON c.oid = \
         l.relation AND c.relkind IN ('r', 'p', 'm') JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT LIKE \
         'pg\\_%' WHERE l.pid = a.pid AND l.granted AND l.database = a.datid) AS tables FROM pg_stat_activity a WHERE \
         a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.state LIKE 'idle in transaction%' \
         ORDER BY a.state_change"
    ))?;
    let Some(first) = rows.first() else {
        let none = finding("idle-in-transaction", Status::Ok, "no session idles in a transaction");
        return Ok(vec![as_far_as_seen(session, none)?]);
    };
    let details: Vec<String> = rows
        .iter()
        .map(|row| match row.some("tables") {
            Some(tables) => format!("{}; has locks on {tables}", describe(row)),
            None => describe(row),
        })
        .collect();
    let longest = rows.iter().map(|row| row.seconds("since")).fold(0.0, f64::max);
    let status = if longest >= LONG.as_secs_f64() {
        Status::Warn
    } else {
        Status::Note
    };
    let sessions = match number(&rows) {
        1 => "1 session idles in a transaction".to_owned(),
        several => format!("{several} sessions idle in transactions"),
    };
    let line = format!("{sessions}, the longest for {}", age(longest));
    Ok(vec![
        finding("idle-in-transaction", status, line)
            .help(format!(
                "DDL on their tables waits for them: have the program end its transaction, or SELECT pg_terminate_backend({})",
                first.int("pid")
            ))
            .details(details),
    ])
}

/// Nothing seen is no good news for a role from which the sessions of others are hidden.
fn as_far_as_seen(session: &mut Session<'_>, finding: Finding) -> Result<Finding, DatabaseError> {
    if session.facts.sees_others || finding.status != Status::Ok {
        return Ok(finding);
    }
    let row = session.row(&format!(
        "SELECT count(*) AS hidden FROM pg_stat_activity WHERE {CLIENT} AND backend_type IS NULL AND datname = \
         current_database()"
    ))?;
    Ok(match row.int("hidden") {
        0 => finding,
        hidden => Finding {
            status: Status::Note,
            line: format!(
                "{}, as far as this role sees: {} hidden",
                finding.line,
                count(hidden, "session")
            ),
            ..finding
        },
    })
}

/// Who waits for whom, right now.
pub(super) fn blocked(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(&format!(
        "SELECT {COLUMNS}, array_to_string(pg_blocking_pids(a.pid), ', ') AS by FROM pg_stat_activity a WHERE \
         a.pid IN (SELECT pid FROM pg_locks WHERE NOT granted) AND a.datname = current_database() AND a.pid <> \
         pg_backend_pid() ORDER BY a.state_change, a.pid"
    ))?;
    if rows.is_empty() {
        return Ok(vec![finding(
            "blocked-sessions",
            Status::Ok,
            "no session waits for a lock",
        )]);
    }
    let details: Vec<String> = rows
        .iter()
        .map(|row| format!("{}; waits for process {}", describe(row), row.text("by")))
        .collect();
    let mut blockers: Vec<String> = rows
        .iter()
        .flat_map(|row| row.text("by").split(", ").map(str::to_owned).collect::<Vec<_>>())
        .filter(|pid| !pid.is_empty())
        .collect();
    blockers.sort_unstable();
    blockers.dedup();
    let verb = if rows.len() == 1 { "waits" } else { "wait" };
    let line = format!(
        "{} {verb} for a lock, held up by process {}",
        count(number(&rows), "session"),
        some(&blockers, 5)
    );
    Ok(vec![
        finding("blocked-sessions", Status::Warn, line)
            .help("see what that process does before deploying: a migration would wait in the same queue")
            .details(details),
    ])
}

/// Two-phase transactions survive everything, with their locks.
pub(super) fn prepared(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let rows = session.rows(
        "SELECT gid, owner::text AS owner, extract(epoch FROM clock_timestamp() - prepared)::float8 AS age FROM \
         pg_prepared_xacts WHERE database = current_database() ORDER BY prepared",
    )?;
    let Some(oldest) = rows.first() else {
        return Ok(vec![finding(
            "prepared-transactions",
            Status::Ok,
            "no prepared transactions",
        )]);
    };
    let details: Vec<String> = rows
        .iter()
        .map(|row| {
            let age = age(row.seconds("age"));
            format!("'{}' of {}, prepared {age} ago", row.text("gid"), row.text("owner"))
        })
        .collect();
    let line = format!(
        "{} left open: {}",
        count(number(&rows), "prepared transaction"),
        some(&details, 2)
    );
    let status = if oldest.seconds("age") >= LONG.as_secs_f64() {
        Status::Warn
    } else {
        Status::Note
    };
    Ok(vec![
        finding("prepared-transactions", status, line)
            .help(format!(
                "they keep their locks for ever: COMMIT PREPARED or ROLLBACK PREPARED '{}'",
                oldest.text("gid")
            ))
            .details(details),
    ])
}

/// How near transaction numbers are to running out, and the vacuum that sees to it: DDL cannot push that one aside.
pub(super) fn wraparound(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = session.row(
        "SELECT age(datfrozenxid)::int8 AS age, (SELECT string_agg(regexp_replace(query, '^autovacuum: ', ''), '; ') \
         FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = current_database() AND \
         query LIKE '%to prevent wraparound%') AS running FROM pg_database WHERE datname = current_database()",
    )?;
    if let Some(running) = row.some("running") {
        let line = format!("a vacuum that gives way to nobody is running: {running}");
        return Ok(vec![finding("wraparound", Status::Warn, line).help(
            "DDL on that table waits until it is done: deploy later, or leave the table out",
        )]);
    }
    let age = row.int("age");
    let line = format!(
        "{} million of 2000 million transaction numbers are in use",
        age / 1_000_000
    );
    let help = "VACUUM (FREEZE) the database before the server has to, and see why autovacuum did not";
    Ok(vec![if age > WRAPAROUND.1 {
        finding(
            "wraparound",
            Status::Bad,
            format!("{line}; at the end the server stops taking writes"),
        )
        .help(help)
    } else if age > WRAPAROUND.0 {
        finding("wraparound", Status::Warn, line).help(help)
    } else {
        finding("wraparound", Status::Ok, line)
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Row {
        Row::parse(json)
    }

    #[test]
    fn a_long_transaction_is_judged_by_its_age_and_described_without_secrets() {
        let of = |age: u32| {
            row(&format!(
                r#"{{"pid": 7, "username": "app", "application": "worker", "client": "10.0.0.1", "state": "active",
                "age": {age}, "query": "UPDATE users SET token = 'secret' WHERE id = 5"}}"#
            ))
        };
        assert_eq!(judge_long(&[]).status, Status::Ok);
        assert_eq!(judge_long(&[of(61)]).status, Status::Note);
        let finding = judge_long(&[of(7500), of(61)]);
        assert_eq!(finding.status, Status::Warn);
        assert_eq!(
            finding.line,
            "2 transactions older than a minute; the oldest for 2 h 5 min"
        );
        assert_eq!(
            finding.details[0],
            "process 7, user app, \"worker\" from 10.0.0.1, active, transaction open for 2 h 5 min: UPDATE users SET token \
             = ? WHERE id = ?"
        );
    }

    #[test]
    fn what_is_hidden_is_left_out() {
        assert_eq!(
            describe(&row(
                r#"{"pid": 7, "username": null, "query": "<insufficient privilege>"}"#
            )),
            "process 7: <insufficient privilege>"
        );
        assert_eq!(
            describe(&row(r#"{"pid": 7, "state": "idle", "query": "COMMIT"}"#)),
            "process 7, idle: last COMMIT"
        );
    }
}
