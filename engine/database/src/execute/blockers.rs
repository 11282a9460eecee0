//! Who keeps a statement from getting its lock.

use std::fmt::Write as _;
use std::time::Duration;

use diesel::sql_types::Bool;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_sql::operation::Operation;
use tollgate_sql::{Dialect, Statement};

use crate::connection::Connection;
use crate::error::ServerError;
use crate::query_text::SHOWN;
use crate::sessions::{COLUMNS, LockHolder, SessionRow};
use crate::sql_text::literal;

/// More of them tell nobody more.
const MOST: u32 = 10;

#[derive(QueryableByName)]
struct Raw {
    #[diesel(embed)]
    session: SessionRow,
    #[diesel(sql_type = Bool)]
    conflicts: bool,
}

/// Sessions that keep `statement` from getting its locks, those that do so for certain first. Asked after the fact, so
/// one may have gone already; that nothing can be said must not hide what it is said about.
pub(crate) fn find(connection: &mut Connection, statement: &Statement, error: &ServerError) -> Vec<LockHolder> {
    let query = match error.more.detail.as_deref().map(blocked_by) {
        Some(pids) if error.is("40P01") && !pids.is_empty() => of_processes(&pids),
        _ => match of_locks(statement) {
            Some(query) => query,
            None => return Vec::new(),
        },
    };
    let Connection::Postgres(connection) = connection else {
        return Vec::new();
    };
    let mut found: Vec<Raw> = sql_query(query).load(&mut **connection).unwrap_or_default();
    if found.iter().any(|raw| raw.conflicts) {
        found.retain(|raw| raw.conflicts);
    }
    found.into_iter().map(|raw| raw.session.into_public()).collect()
}

/// `Process 4711 waits for ShareLock on transaction 5; blocked by process 4712.`: who blocks. The victim is ourselves.
fn blocked_by(detail: &str) -> Vec<i32> {
    let mut pids: Vec<i32> = detail
        .split("blocked by process ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .collect();
    pids.dedup();
    pids
}

fn of_processes(pids: &[i32]) -> String {
    let pids = pids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT {COLUMNS}, true AS conflicts FROM pg_catalog.pg_stat_activity a \
         WHERE a.pid IN ({pids}) AND a.pid <> pg_catalog.pg_backend_pid()"
    )
}

/// Who holds, or waits for, locks on the relations that the statement names.
fn of_locks(statement: &Statement) -> Option<String> {
    let relations: Vec<String> = statement
        .objects()
        .iter()
        .map(|object| {
            format!(
                "pg_catalog.to_regclass({})::oid",
                literal(&object.sql(Dialect::Postgres))
            )
        })
        .collect();
    if relations.is_empty() {
        return None;
    }
    let modes: Vec<String> = in_conflict(statement)
        .iter()
        .map(|mode| format!("'{mode}Lock'"))
        .collect();
    let conflicts = format!("l.mode IN ({})", modes.join(", "));
    // What is done to a table is done to its partitions and children.
    Some(format!(
        "WITH named AS (SELECT pg_catalog.unnest(ARRAY[{}]) AS oid) \
         SELECT {COLUMNS}, l.conflicts FROM (\
           SELECT l.pid, bool_or({conflicts}) AS conflicts, bool_or(l.granted AND {conflicts}) AS holds \
           FROM pg_catalog.pg_locks l WHERE l.pid <> pg_catalog.pg_backend_pid() AND l.relation IN (\
             SELECT oid FROM named UNION \
             SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent IN (SELECT oid FROM named)) \
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
           GROUP BY l.pid\
         ) l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         ORDER BY l.conflicts DESC, l.holds DESC, a.xact_start NULLS LAST LIMIT {MOST}",
        relations.join(", ")
    ))
}

/// Who keeps another session waiting at this moment.
pub(crate) fn of_waiting(connection: &mut Connection, pid: i32) -> Vec<LockHolder> {
    let Connection::Postgres(connection) = connection else {
        return Vec::new();
    };
    let query = format!(
        "SELECT {COLUMNS}, true AS conflicts FROM pg_catalog.pg_stat_activity a \
         WHERE a.pid = ANY (pg_catalog.pg_blocking_pids({pid})) ORDER BY a.xact_start NULLS LAST LIMIT {MOST}"
    );
    let found: Vec<Raw> = sql_query(query).load(&mut **connection).unwrap_or_default();
    found.into_iter().map(|raw| raw.session.into_public()).collect()
}

/// Table-level lock modes that the statement has to wait for: those in conflict with the one that it takes. Rows are
/// changed under a mode that does not conflict with itself; who holds the row then is one of those who change rows.
fn in_conflict(statement: &Statement) -> &'static [&'static str] {
    const ALL: [&str; 8] = [
        "AccessShare",
        "RowShare",
        "RowExclusive",
        "ShareUpdateExclusive",
        "Share",
        "ShareRowExclusive",
        "Exclusive",
        "AccessExclusive",
    ];
    let rows = |operation: &Operation| {
        matches!(
            operation,
            Operation::Insert(_) | Operation::Update(_) | Operation::Delete(_)
        )
    };
    let index = |operation: &Operation| matches!(operation, Operation::CreateIndex(_));
    let all = |test: &dyn Fn(&Operation) -> bool| {
        !statement.effects.is_empty() && statement.effects.iter().all(|effect| test(&effect.operation))
    };
    if all(&rows) || all(&index) { &ALL[2..] } else { &ALL }
}

impl LockHolder {
    /// How long its transaction is open, by the server's clock.
    pub fn transaction_age(&self) -> Option<Duration> {
        let (since, start, age) = (self.since?, self.query_start?, self.query_age?);
        let before_query = u64::try_from(start.duration_since(since).as_millis()).unwrap_or(0);
        Some(age + Duration::from_millis(before_query))
    }

    /// Who stands in the way and what it does: `session 4711 (user app, application psql, idle in transaction, open for
    /// 3 min, last query 2 min ago: "UPDATE t SET …")`.
    pub fn as_blocker(&self) -> String {
        let mut about: Vec<String> = Vec::new();
        about.extend(self.user.iter().map(|user| format!("user {user}")));
        about.extend(
            self.application
                .iter()
                .map(|application| format!("application {application}")),
        );
        about.extend(self.state.clone());
        about.extend(self.transaction_age().map(|age| format!("open for {}", rough(age))));
        about.extend(self.query_age.map(|age| match self.state.as_deref() {
            Some("active") => format!("query for {}", rough(age)),
            _ => format!("last query {} ago", rough(age)),
        }));
        let mut text = format!("session {}", self.pid);
        if !about.is_empty() {
            let query = self
                .excerpt(SHOWN)
                .map(|query| format!(": \"{query}\""))
                .unwrap_or_default();
            // Writing to a string does not fail.
            let _ = write!(text, " ({}{query})", about.join(", "));
        }
        text
    }
}

/// A duration in its largest unit.
fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocker_is_described_as_far_as_it_is_seen() {
        let start = jiff::Timestamp::UNIX_EPOCH;
        let idle = LockHolder {
            pid: 4711,
            user: Some("app".to_owned()),
            application: Some("psql".to_owned()),
            state: Some("idle in transaction".to_owned()),
            since: Some(start),
            query_start: Some(start + Duration::from_mins(1)),
            query_age: Some(Duration::from_secs(130)),
            query: Some("UPDATE t SET a = 1".to_owned()),
            ..LockHolder::default()
        };
        let active = LockHolder {
            state: Some("active".to_owned()),
            application: None,
            query_age: Some(Duration::from_millis(20)),
            ..idle.clone()
        };
        let hidden = LockHolder {
            pid: 7,
            ..LockHolder::default()
        };
        for (holder, expected) in [
            (
                idle,
                "session 4711 (user app, application psql, idle in transaction, open for 3 min, last query 2 min ago: \
                 \"UPDATE t SET a = ?\")",
            ),
            (
                active,
                "session 4711 (user app, active, open for 60 s, query for 20 ms: \"UPDATE t SET a = ?\")",
            ),
            (hidden, "session 7"),
        ] {
            assert_eq!(holder.as_blocker(), expected);
        }
    }

    #[test]
    fn a_deadlock_names_who_blocks() {
        let detail = "Process 12 waits for AccessExclusiveLock on relation 1 of database 2; blocked by process 34.\n\
                      Process 34 waits for ShareLock on transaction 5; blocked by process 12.";
        assert_eq!(blocked_by(detail), [34, 12]);
        assert!(blocked_by("Reason code: Canceled on identification as a pivot.").is_empty());
    }
}
