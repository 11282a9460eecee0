//! Settings of the server that a migration depends on.

use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::Request;
use crate::diagnose::session::Session;
use crate::error::DatabaseError;

fn server(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Server, name, status, line)
}

pub(super) fn settings(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    // Our questions set standard_conforming_strings themselves; what holds otherwise stands beside it.
    let row = session.row(
        "SELECT current_setting('TimeZone') AS zone, pg_encoding_to_char(encoding) AS encoding, datcollate AS collation, \
         current_setting('synchronous_commit') AS synchronous, current_setting('default_tablespace') AS tablespace, \
         (SELECT reset_val FROM pg_settings WHERE name = 'standard_conforming_strings') AS strings, \
         current_setting('fsync') AS fsync FROM pg_database WHERE datname = current_database()",
    )?;
    let line = format!(
        "time zone {}, encoding {}, collation {}",
        row.text("zone"),
        row.text("encoding"),
        row.text("collation")
    );
    let mut details = vec![format!("synchronous_commit = {}", row.text("synchronous"))];
    if let Some(tablespace) = row.some("tablespace") {
        details.push(format!("default_tablespace = {tablespace}"));
    }
    let mut findings = vec![server("settings", Status::Ok, line).details(details)];
    if row.text("strings") == "off" {
        findings.push(
            server(
                "standard-strings",
                Status::Note,
                "standard_conforming_strings is off; migrations run with it on",
            )
            .help("strings in migrations take a backslash for what it is; set the server to on, as everybody does"),
        );
    }
    if row.text("encoding") == "SQL_ASCII" {
        findings.push(
            server(
                "encoding",
                Status::Warn,
                "the database has no encoding (SQL_ASCII): any bytes get in",
            )
            .help("make the database again with ENCODING 'UTF8'"),
        );
    }
    if row.text("fsync") == "off" {
        findings.push(
            server(
                "fsync",
                Status::Warn,
                "fsync is off: a crash of the machine loses the database",
            )
            .help("switch it on, except for databases that may be lost"),
        );
    }
    Ok(findings)
}

/// Limits of the server that end a long statement or transaction of a migration. A deploy sets limits of its own for waiting
/// and for idle sessions.
pub(super) fn time_limits(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    // reset_val is what a new session of this role begins with; our own limits hold for this question alone.
    let rows = session.rows(
        "SELECT name, reset_val AS value FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout') AND \
         reset_val <> '0' ORDER BY name",
    )?;
    if rows.is_empty() {
        return Ok(vec![server(
            "time-limits",
            Status::Ok,
            "the server sets no time limits for this role",
        )]);
    }
    let limits: Vec<String> = rows
        .iter()
        .map(|row| format!("{} = {} ms", row.text("name"), row.text("value")))
        .collect();
    let line = format!("the server limits this role: {}", limits.join(", "));
    let statement = "a longer statement of a migration is cancelled: `-- tollgate:timeout 30min` in its file or \
                     deploy.statement_timeout_ms says otherwise";
    let transaction =
        "a longer transaction of a migration is cut off: options=-c%20transaction_timeout%3D0 in the URL lifts that";
    let help: Vec<&str> = [("statement_timeout", statement), ("transaction_timeout", transaction)]
        .into_iter()
        .filter(|(name, _)| rows.iter().any(|row| row.text("name") == *name))
        .map(|(_, help)| help)
        .collect();
    Ok(vec![server("time-limits", Status::Note, line).help(help.join("; "))])
}
