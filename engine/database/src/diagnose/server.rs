//! The server: how old, whether it takes writes, how many connections are left, what time it thinks it is.

use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use crate::diagnose::finding::{Finding, Group, Status};
use crate::diagnose::run::Request;
use crate::diagnose::session::{CLIENT, Session};
use crate::diagnose::words::sql_name;
use crate::error::DatabaseError;
use crate::greeting::OLDEST_POSTGRES;

/// When the community's support of a major version ends, as its release policy says.
const SUPPORT_ENDS: [(i64, Date); 8] = [
    (11, date(2023, 11, 9)),
    (12, date(2024, 11, 21)),
    (13, date(2025, 11, 13)),
    (14, date(2026, 11, 12)),
    (15, date(2027, 11, 11)),
    (16, date(2028, 11, 9)),
    (17, date(2029, 11, 8)),
    (18, date(2030, 11, 14)),
];

/// Connections that a deploy has open at once: its own, the lock's, the catalog's.
const NEEDED: i64 = 3;

/// Seconds between the server's clock and ours that are worth a word, and worth a warning.
const SKEW: [f64; 2] = [1.0, 30.0];

fn server(name: &'static str, status: Status, line: impl Into<String>) -> Finding {
    Finding::new(Group::Server, name, status, line)
}

#[expect(clippy::unnecessary_wraps, reason = "one of many that are called alike")]
pub(super) fn version(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let facts = &session.facts;
    Ok(vec![
        judge_version(facts.version, &facts.version_text, today).details(vec![facts.version_text.clone()]),
    ])
}

fn judge_version((major, minor): (i64, i64), text: &str, today: Date) -> Finding {
    let name = format!("PostgreSQL {major}.{minor}");
    if major < i64::from(OLDEST_POSTGRES) {
        let line = format!("{name} is too old");
        return server("version", Status::Bad, line).help(format!(
            "PostgreSQL {OLDEST_POSTGRES} or newer is needed: upgrade the server"
        ));
    }
    // `PostgreSQL 19beta1 on x86_64…`
    let release = text.split_whitespace().nth(1).unwrap_or_default();
    if ["beta", "rc", "devel"].iter().any(|word| release.contains(word)) {
        let line = format!("PostgreSQL {release} is not a release yet");
        return server("version", Status::Note, line).help("use a released version for data that matters");
    }
    match SUPPORT_ENDS.iter().find(|(known, _)| *known == major) {
        Some((_, end)) if *end < today => {
            let line = format!("{name} gets no more fixes: its support ended on {end}");
            server("version", Status::Note, line).help("plan an upgrade to a newer major version")
        }
        Some((_, end)) => server("version", Status::Ok, format!("{name}, supported until {end}")),
        None => server("version", Status::Ok, name),
    }
}

pub(super) fn writable(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    if session.facts.in_recovery {
        return Ok(vec![
            server("writable", Status::Bad, "the server is a standby: it takes no writes")
                .help("deploy to the primary: write its host into the URL"),
        ]);
    }
    let row = session.row(
        "SELECT setting, source, session_user::text AS login FROM pg_settings \
         WHERE name = 'default_transaction_read_only'",
    )?;
    if row.text("setting") != "on" {
        return Ok(vec![server("writable", Status::Ok, "the server takes writes")]);
    }
    let (role, database) = (sql_name(&row.text("login")), sql_name(&session.target.database));
    let setting = "RESET default_transaction_read_only";
    let (whose, undo) = match row.text("source").as_str() {
        "user" => ("this role", format!("ALTER ROLE {role} {setting}")),
        "database user" => (
            "this role in this database",
            format!("ALTER ROLE {role} IN DATABASE {database} {setting}"),
        ),
        "database" => ("this database", format!("ALTER DATABASE {database} {setting}")),
        "client" => (
            "this connection",
            "take default_transaction_read_only out of `options` in the URL".to_owned(),
        ),
        _ => (
            "the whole server",
            format!("take it out of postgresql.conf, or ALTER SYSTEM {setting}; SELECT pg_reload_conf() makes it hold"),
        ),
    };
    let line = format!("transactions are read-only by default for {whose}: nothing can be applied");
    let help = format!("find out who wanted that, then {undo}");
    Ok(vec![server("writable", Status::Bad, line).help(help)])
}

pub(super) fn connections(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let row = session.row(&format!(
        "SELECT current_setting('max_connections')::int8 AS most, \
         current_setting('superuser_reserved_connections')::int8 + \
         COALESCE(current_setting('reserved_connections', true), '0')::int8 AS reserved, \
         (SELECT count(*) FROM pg_stat_activity WHERE {CLIENT}) AS used, \
         (SELECT rolconnlimit FROM pg_roles WHERE rolname = session_user) AS role_most, \
         (SELECT count(*) FROM pg_stat_activity WHERE usename = session_user) AS role_used, \
         (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS database_most, \
         (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {CLIENT}) AS \
         database_used"
    ))?;
    let room = Room {
        most: row.int("most"),
        used: row.int("used"),
        reserved: if session.facts.superuser {
            0
        } else {
            row.int("reserved")
        },
    };
    let mut findings = vec![room.judge("connections", "the server")];
    let limits = [
        ("role-connections", "this role", "role_most", "role_used"),
        (
            "database-connections",
            "this database",
            "database_most",
            "database_used",
        ),
    ];
    // Superusers are not counted; -1 is no limit.
    for (name, whose, most, used) in limits {
        let most = row.int(most);
        if most >= 0 && !session.facts.superuser {
            let room = Room {
                most,
                used: row.int(used),
                reserved: 0,
            };
            findings.push(room.judge(name, whose));
        }
    }
    Ok(findings)
}

/// How many connections there may be.
struct Room {
    most: i64,
    used: i64,
    reserved: i64,
}

impl Room {
    fn judge(&self, name: &'static str, whose: &str) -> Finding {
        // Ours goes when this is over.
        let free = self.most - self.reserved - self.used + 1;
        let reserved = if self.reserved > 0 {
            format!(", {} reserved for others", self.reserved)
        } else {
            String::new()
        };
        let line = format!(
            "{whose} allows {}: {} used{reserved}, {} free for us",
            self.most,
            self.used - 1,
            free.max(0)
        );
        let help = "close what is not needed, put a pooler before the application, or raise the limit";
        if free < NEEDED {
            server(name, Status::Bad, format!("{line}; a deploy needs {NEEDED}")).help(help)
        } else if free * 10 < self.most && free < 20 {
            server(name, Status::Warn, line).help(help)
        } else {
            server(name, Status::Ok, line)
        }
    }
}

pub(super) fn clock(session: &mut Session<'_>, _: &Request) -> Result<Vec<Finding>, DatabaseError> {
    let question = "SELECT extract(epoch FROM clock_timestamp())::float8 AS now";
    // Asked in the middle of a transaction: the time between the two is that of five messages, and the third asks.
    let begin = Instant::now();
    let before = Timestamp::now();
    let row = session.row(question)?;
    let elapsed = begin.elapsed().as_secs_f64();
    let ours = before.as_microsecond();
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit")]
    let ours = ours as f64 / 1e6 + elapsed / 2.0;
    Ok(vec![judge_clock(row.seconds("now") - ours, elapsed / 2.0)])
}

fn judge_clock(skew: f64, uncertain: f64) -> Finding {
    let size = skew.abs();
    if size <= SKEW[0] + uncertain {
        let line = "server and this machine agree about the time";
        return server("clock", Status::Ok, line);
    }
    let direction = if skew > 0.0 { "ahead of" } else { "behind" };
    let line = format!("the server's clock is {size:.1} s {direction} this machine's");
    let status = if size > SKEW[1] + uncertain {
        Status::Warn
    } else {
        Status::Note
    };
    server("clock", status, line).help("synchronise both (NTP): times in the ledger and of leases are compared")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_by_what_is_known_of_them() {
        let today = date(2026, 1, 1);
        let judge = |version, text| judge_version(version, text, today);
        let cases = [
            ((10, 4), "PostgreSQL 10.4 on x", Status::Bad),
            ((13, 9), "PostgreSQL 13.9 on x", Status::Note),
            ((15, 2), "PostgreSQL 15.2 on x", Status::Ok),
            ((19, 0), "PostgreSQL 19beta1 on x", Status::Note),
            ((25, 1), "PostgreSQL 25.1 on x", Status::Ok),
        ];
        for (version, text, expected) in cases {
            let finding = judge(version, text);
            assert_eq!(finding.status, expected, "{finding:?}");
        }
    }

    #[test]
    fn a_clock_is_judged_by_what_can_be_known() {
        let cases = [
            (0.5, 0.0, Status::Ok),
            (-1.5, 0.0, Status::Note),
            (1.5, 1.0, Status::Ok),
            (29.0, 0.0, Status::Note),
            (-31.0, 0.0, Status::Warn),
        ];
        for (skew, uncertain, expected) in cases {
            assert_eq!(judge_clock(skew, uncertain).status, expected, "{skew}");
        }
        assert_eq!(
            judge_clock(-2.0, 0.0).line,
            "the server's clock is 2.0 s behind this machine's"
        );
    }

    #[test]
    fn room_counts_without_our_own_connection() {
        let judge = |most, used, reserved| Room { most, used, reserved }.judge("connections", "the server");
        assert_eq!(judge(100, 10, 3).status, Status::Ok);
        assert_eq!(judge(100, 95, 3).status, Status::Warn, "{:?}", judge(100, 95, 3));
        assert_eq!(judge(100, 97, 3).status, Status::Bad);
        assert_eq!(judge(4, 1, 0).status, Status::Ok);
        assert_eq!(judge(2, 1, 0).status, Status::Bad);
    }
}
