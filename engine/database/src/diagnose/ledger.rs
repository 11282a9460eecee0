//! What is recorded: the ledger's shape and rows, Tollgate's own tables, notifications that nobody got.

use std::collections::{BTreeMap, BTreeSet};

use crate::connection::Connection;
use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::Request;
use crate::diagnose::session::{Row, Session};
use crate::diagnose::words::{count, some};
use crate::error::DatabaseError;
use crate::ledger::store::{self, Place};
use crate::ledger::{LedgerRow, TABLE};
use crate::sql_text::literal;
use crate::state::setup::{MIGRATIONS, SCHEMA};

/// How many rows of the ledger are looked at one by one.
const LAST: usize = 10;

pub(super) fn finding(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Ledger, name, status, line)
}

fn number<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

pub(super) fn postgres(session: &mut Session<'_>, request: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let schema = session.target.schema.clone();
    let tables = session.row(&format!(
        "SELECT count(*) AS number FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND \
         n.nspname = {} AND c.relname <> '{TABLE}'",
        literal(&schema)
    ))?;
    let place = Place { schema: Some(schema) };
    session.bounded(|connection| read(connection, &place, tables.int("number"), request))
}

/// The findings about a ledger. A ledger of the wrong shape is one, too.
pub(super) fn read(
    connection: &mut Connection,
    place: &Place,
    tables: i64,
    request: &Request,
) -> Result<Vec<Finding>, DatabaseError> {
    match store::read(connection, place) {
        Ok(None) => Ok(vec![no_ledger(tables)]),
        Ok(Some(rows)) => Ok(judge(&rows, request)),
        Err(DatabaseError::Ledger(error)) => Ok(vec![
            finding("ledger", Status::Bad, error.to_string()).help(error.help()),
        ]),
        Err(error) => Err(error),
    }
}

fn no_ledger(tables: i64) -> Finding {
    if tables == 0 {
        return finding("ledger", Status::Ok, "there is no ledger yet; a deploy creates it");
    }
    let tables = if tables == 1 {
        "1 table".to_owned()
    } else {
        format!("{tables} tables")
    };
    finding(
        "ledger",
        Status::Bad,
        format!("there is no ledger, and {tables}: a deploy refuses that"),
    )
    .help("`tollgate baseline` records the migrations whose result is in the database already")
}

fn judge(rows: &[LedgerRow], request: &Request) -> Vec<Finding> {
    let applied = rows.iter().filter(|row| row.is_applied()).count();
    let applied: i64 = applied.try_into().unwrap_or(i64::MAX);
    let line = format!("{}, {applied} of them applied", count(number(rows), "row"));
    let mut findings = vec![finding("ledger", Status::Ok, line)];
    findings.extend(last(rows));
    findings.push(failed(rows));
    findings.push(twice(rows));
    if let Some(migrations) = &request.migrations {
        findings.push(unknown(rows, migrations));
        findings.push(pending(rows, migrations));
    }
    findings
}

fn last(rows: &[LedgerRow]) -> Option<Finding> {
    let newest: Vec<&LedgerRow> = rows.iter().rev().take(LAST).collect();
    let details = newest.iter().map(|row| describe(row)).collect();
    let line = format!("newest row: {}", describe(newest.first()?));
    Some(finding("last-rows", Status::Ok, line).details(details))
}

/// `2_posts applied 2026-01-02T03:04:05Z in 12 ms`
fn describe(row: &LedgerRow) -> String {
    let started = format!("{:.0}", row.started_at);
    let name = &row.migration_name;
    match (row.finished_at, row.rolled_back_at) {
        (_, Some(_)) => format!("{name} begun {started}, rolled back"),
        (None, None) => format!("{name} begun {started}, not finished"),
        (Some(finished), None) => {
            let took = finished.duration_since(row.started_at).as_millis().max(0);
            format!("{name} applied {started} in {took} ms")
        }
    }
}

fn failed(rows: &[LedgerRow]) -> Finding {
    let names: Vec<&str> = rows
        .iter()
        .filter(|row| row.is_failed())
        .map(|row| row.migration_name.as_str())
        .collect();
    let Some(first) = names.first() else {
        return finding("unfinished-migrations", Status::Ok, "no migration is left unfinished");
    };
    let line = format!(
        "{} begun and not finished: {}",
        if names.len() == 1 {
            "1 migration was".to_owned()
        } else {
            format!("{} migrations were", names.len())
        },
        some(&names, 3)
    );
    let details = rows.iter().filter(|row| row.is_failed()).map(describe).collect();
    finding("unfinished-migrations", Status::Bad, line)
        .help(format!(
            "unless a deploy is running now: `tollgate status` says what is left of it; a deploy goes on where that is \
             certain, otherwise `tollgate resolve --applied {first}` or `--rolled-back {first}`"
        ))
        .details(details)
}

fn twice(rows: &[LedgerRow]) -> Finding {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_applied()) {
        *seen.entry(&row.migration_name).or_default() += 1;
    }
    let names: Vec<&str> = seen
        .iter()
        .filter(|(_, times)| **times > 1)
        .map(|(name, _)| *name)
        .collect();
    if names.is_empty() {
        return finding("duplicate-rows", Status::Ok, "no migration is recorded twice");
    }
    let line = format!("recorded as applied more than once: {}", some(&names, 3));
    finding("duplicate-rows", Status::Warn, line)
        .help(format!(
            "find out which run was the real one, and delete the other row of {TABLE} by hand"
        ))
        .details(names.into_iter().map(str::to_owned).collect())
}

fn unknown(rows: &[LedgerRow], migrations: &[String]) -> Finding {
    let local: BTreeSet<&str> = migrations.iter().map(String::as_str).collect();
    let names: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.is_applied() && !local.contains(row.migration_name.as_str()))
        .map(|row| row.migration_name.as_str())
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        return finding(
            "missing-migrations",
            Status::Ok,
            "every applied migration is in the folder",
        );
    }
    let verb = if names.len() == 1 { "is" } else { "are" };
    let line = format!(
        "{} {verb} applied and not in the folder: {}",
        names.len(),
        some(&names, 3)
    );
    finding("missing-migrations", Status::Warn, line)
        .help("bring the folders back, or look whether this is the right database and the right branch")
        .details(names.into_iter().map(str::to_owned).collect())
}

fn pending(rows: &[LedgerRow], migrations: &[String]) -> Finding {
    let applied: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.is_applied())
        .map(|row| row.migration_name.as_str())
        .collect();
    let names: Vec<&String> = migrations
        .iter()
        .filter(|name| !applied.contains(name.as_str()))
        .collect();
    let line = match names.len() {
        0 => "every migration of the folder is applied".to_owned(),
        1 => format!("1 migration of the folder is not applied: {}", names[0]),
        several => format!(
            "{several} migrations of the folder are not applied: {}",
            some(&names, 3)
        ),
    };
    finding("pending-migrations", Status::Ok, line).details(names.into_iter().cloned().collect())
}

pub(super) fn postgres_state(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let table = "__diesel_schema_migrations";
    let there = session.row(&format!("SELECT to_regclass('{SCHEMA}.{table}') IS NOT NULL AS there"))?;
    if !there.flag("there") {
        return Ok(vec![no_state()]);
    }
    let row = session.row(&format!("SELECT count(*) AS number FROM {SCHEMA}.{table}"))?;
    Ok(vec![judge_state(row.int("number"))])
}

pub(super) fn no_state() -> Finding {
    finding(
        "state",
        Status::Ok,
        "Tollgate's own tables are not there yet; a deploy creates them",
    )
}

/// How many migrations Tollgate's own tables have had tells their version.
pub(super) fn judge_state(number: i64) -> Finding {
    let line = match number.cmp(&MIGRATIONS) {
        std::cmp::Ordering::Equal => format!("Tollgate's own tables are there (version {number})"),
        std::cmp::Ordering::Less => {
            format!("Tollgate's own tables have version {number}; the next deploy brings them to {MIGRATIONS}")
        }
        std::cmp::Ordering::Greater => {
            let line = format!("Tollgate's own tables have version {number}, and this program knows {MIGRATIONS}");
            return finding("state", Status::Note, line).help("use the newer Tollgate that others use, too");
        }
    };
    finding("state", Status::Ok, line)
}

/// The question about messages, for both backends; `{}` stands before the table's name.
pub(super) const MESSAGES: &str = "SELECT notifier, status, count(*) AS number, min(created_at) AS oldest, \
                                   max(attempts) AS attempts FROM {}outbox WHERE status <> 'done' AND ledger = ";

pub(super) fn postgres_outbox(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let there = session.row(&format!("SELECT to_regclass('{SCHEMA}.outbox') IS NOT NULL AS there"))?;
    if !there.flag("there") {
        let made = session.row(&format!("SELECT to_regclass('{SCHEMA}.runs') IS NOT NULL AS there"))?;
        // The table is made by who has the first message to keep.
        return Ok(if made.flag("there") {
            vec![judge_outbox(&[])]
        } else {
            Vec::new()
        });
    }
    let question = MESSAGES.replace("{}", &format!("{SCHEMA}."));
    let ledger = literal(&session.target.schema);
    let rows = session.rows(&format!(
        "{question}{ledger} GROUP BY notifier, status ORDER BY notifier, status"
    ))?;
    Ok(vec![judge_outbox(&rows)])
}

pub(super) fn judge_outbox(rows: &[Row]) -> Finding {
    let sum = |status: &str| -> i64 {
        let of = rows.iter().filter(|row| row.text("status") == status);
        of.map(|row| row.int("number")).sum()
    };
    let (due, failed) = (sum("due"), sum("failed"));
    if due + failed == 0 {
        return finding("outbox", Status::Ok, "no notification waits to be delivered");
    }
    let details = rows
        .iter()
        .map(|row| {
            let word = if row.text("status") == "due" {
                "waiting"
            } else {
                "given up"
            };
            format!(
                "{}: {} {word} since {}, tried up to {}",
                row.text("notifier"),
                count(row.int("number"), "notification"),
                row.text("oldest"),
                count(row.int("attempts"), "time")
            )
        })
        .collect();
    let line = match (due, failed) {
        (due, 0) => format!("{} not delivered yet", count(due, "notification")),
        (0, failed) => format!("{} given up", count(failed, "notification")),
        (due, failed) => format!("{} not delivered yet, {failed} given up", count(due, "notification")),
    };
    let status = if failed > 0 { Status::Warn } else { Status::Note };
    finding("outbox", status, line)
        .help("look at the notifier's endpoint; the next deploy tries again those that are not given up")
        .details(details)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn row(name: &str, finished: bool, rolled_back: bool) -> LedgerRow {
        let time = |second: i64| jiff::Timestamp::from_second(1_700_000_000 + second).unwrap();
        LedgerRow {
            id: name.to_owned(),
            checksum: String::new(),
            finished_at: finished.then(|| time(2)),
            migration_name: name.to_owned(),
            logs: None,
            rolled_back_at: rolled_back.then(|| time(3)),
            started_at: time(0),
            applied_steps_count: 1,
        }
    }

    #[test]
    fn every_irregularity_of_a_ledger_is_a_finding() {
        let rows = [
            row("1_a", true, false),
            row("1_a", true, false),
            row("2_gone", true, false),
            row("3_b", true, true),
            row("4_c", false, false),
        ];
        let request = Request {
            migrations: Some(["1_a", "3_b", "4_c"].map(str::to_owned).to_vec()),
            ..Request::default()
        };
        let seen: Vec<String> = judge(&rows, &request)
            .iter()
            .map(|finding| format!("{} {}: {}", finding.status.name(), finding.name, finding.line))
            .collect();
        assert_eq!(
            seen,
            [
                "ok ledger: 5 rows, 3 of them applied",
                "ok last-rows: newest row: 4_c begun 2023-11-14T22:13:20Z, not finished",
                "bad unfinished-migrations: 1 migration was begun and not finished: 4_c",
                "warn duplicate-rows: recorded as applied more than once: 1_a",
                "warn missing-migrations: 1 is applied and not in the folder: 2_gone",
                "ok pending-migrations: 2 migrations of the folder are not applied: 3_b, 4_c",
            ]
        );
    }

    #[test]
    fn tables_without_a_ledger_stop_a_deploy() {
        assert_eq!(no_ledger(0).status, Status::Ok);
        assert_eq!(no_ledger(3).status, Status::Bad);
    }

    #[test]
    fn the_version_of_the_state_tables_is_compared() {
        assert_eq!(judge_state(MIGRATIONS).status, Status::Ok);
        assert_eq!(judge_state(0).status, Status::Ok);
        assert_eq!(judge_state(MIGRATIONS + 1).status, Status::Note);
    }

    #[test]
    fn notifications_that_were_given_up_are_a_warning() {
        let row = |status: &str, number: u32| {
            Row::parse(&format!(
                r#"{{"notifier": "slack", "status": "{status}", "number": {number}, "oldest": "T", "attempts": 1}}"#
            ))
        };
        assert_eq!(judge_outbox(&[]).status, Status::Ok);
        assert_eq!(judge_outbox(&[row("due", 2)]).line, "2 notifications not delivered yet");
        let both = judge_outbox(&[row("due", 1), row("failed", 3)]);
        assert_eq!(both.status, Status::Warn);
        assert_eq!(both.line, "1 notification not delivered yet, 3 given up");
        assert_eq!(
            both.details[0],
            "slack: 1 notification waiting since T, tried up to 1 time"
        );
    }
}
