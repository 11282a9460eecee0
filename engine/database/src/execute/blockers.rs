//! Who keeps a statement from getting its lock.

use std::fmt::Write as _;
use std::time::Duration;

use diesel::sql_types::Bool;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_sql::operation::Operation;
use tollgate_sql::{Dialect, Statement};

use crate::connection::Connection;
use crate::error::ServerError;
use crate::postgres::connection::PgConnection;
use crate::query_text::SHOWN;
use crate::sessions::{COLUMNS, LockHolder, SessionRow, prepared_with};
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

/// Sessions and prepared transactions that keep `statement` from getting its locks. Asked after the fact, so one may have
/// gone already; that nothing can be said must not hide what it is said about.
pub(crate) fn find(connection: &mut Connection, statement: &Statement, error: &ServerError) -> Vec<LockHolder> {
    let Connection::Postgres(connection) = connection else {
        return Vec::new();
    };
    let pids = error.more.detail.as_deref().map(blocked_by).unwrap_or_default();
    if error.is("40P01") && !pids.is_empty() {
        return load(connection, &of_processes(&pids))
            .into_iter()
            .map(Raw::into_public)
            .collect();
    }
    let Some(named) = named(statement) else {
        return Vec::new();
    };
    let found = load(connection, &of_locks(&named, statement));
    let (certain, possible): (Vec<Raw>, Vec<Raw>) = found.into_iter().partition(|raw| raw.conflicts);
    if certain.is_empty() && possible.len() == 1 {
        return possible.into_iter().map(Raw::into_public).collect();
    }
    // Whoever changes rows may have changed others. Of several nobody is accused: another attempt sees whom it waits for.
    let mut found: Vec<LockHolder> = certain.into_iter().map(Raw::into_public).collect();
    let like = format!("{} AND {}", on(&named), modes(in_conflict(statement)));
    found.extend(prepared_with(&mut **connection, &like).unwrap_or_default());
    found
}

fn load(connection: &mut PgConnection, query: &str) -> Vec<Raw> {
    sql_query(query).load(connection).unwrap_or_default()
}

impl Raw {
    fn into_public(self) -> LockHolder {
        self.session.into_public()
    }
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

/// The relations that the statement names, as an array of SQL.
fn named(statement: &Statement) -> Option<String> {
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
    (!relations.is_empty()).then(|| format!("ARRAY[{}]", relations.join(", ")))
}

/// The condition that a lock `l` is on one of these relations. What is done to a table is done to its partitions and children.
fn on(named: &str) -> String {
    format!(
        "l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
         AND (l.relation = ANY ({named}) \
         OR l.relation IN (SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = ANY ({named})))"
    )
}

/// The condition that a lock `l` is in one of these modes.
fn modes(modes: &[&str]) -> String {
    let modes: Vec<String> = modes.iter().map(|mode| format!("'{mode}Lock'")).collect();
    format!("l.mode = ANY (ARRAY[{}]::text[])", modes.join(", "))
}

/// Who holds, or waits for, locks on these relations that the statement has to wait for, or may have to.
fn of_locks(named: &str, statement: &Statement) -> String {
    let (conflicts, may_conflict) = (modes(in_conflict(statement)), modes(with_rows(statement)));
    format!(
        "SELECT {COLUMNS}, l.conflicts FROM (\
           SELECT l.pid, bool_or({conflicts}) AS conflicts, bool_or(l.granted AND {conflicts}) AS holds \
           FROM pg_catalog.pg_locks l WHERE l.pid <> pg_catalog.pg_backend_pid() AND {} AND ({conflicts} OR {may_conflict}) \
           GROUP BY l.pid\
         ) l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         AND a.backend_type IS DISTINCT FROM 'parallel worker' \
         ORDER BY l.conflicts DESC, l.holds DESC, a.xact_start NULLS LAST LIMIT {MOST}",
        on(named)
    )
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
    let mut found: Vec<LockHolder> = load(connection, &query).into_iter().map(Raw::into_public).collect();
    // The server says process 0 for each prepared transaction.
    let what =
        "{0}locktype, {0}database, {0}relation, {0}page, {0}tuple, {0}transactionid, {0}classid, {0}objid, {0}objsubid";
    let (waited_for, held) = (what.replace("{0}", "w."), what.replace("{0}", "l."));
    let like = format!(
        "0 = ANY (pg_catalog.pg_blocking_pids({pid})) AND EXISTS (SELECT 1 FROM pg_catalog.pg_locks w \
         WHERE w.pid = {pid} AND NOT w.granted AND ({waited_for}) IS NOT DISTINCT FROM ({held}))"
    );
    found.extend(prepared_with(&mut **connection, &like).unwrap_or_default());
    found
}

const MODES: [&str; 8] = [
    "AccessShare",
    "RowShare",
    "RowExclusive",
    "ShareUpdateExclusive",
    "Share",
    "ShareRowExclusive",
    "Exclusive",
    "AccessExclusive",
];

/// Table-level lock modes that the statement has to wait for: those in conflict with the one that it takes.
fn in_conflict(statement: &Statement) -> &'static [&'static str] {
    let index = |operation: &Operation| matches!(operation, Operation::CreateIndex(_));
    if changes_rows(statement) {
        &MODES[4..]
    } else if all(statement, index) {
        &MODES[2..]
    } else {
        &MODES
    }
}

/// Those of sessions that may have locked the rows themselves which the statement wants.
fn with_rows(statement: &Statement) -> &'static [&'static str] {
    if changes_rows(statement) { &MODES[1..3] } else { &[] }
}

fn changes_rows(statement: &Statement) -> bool {
    all(statement, |operation| {
        matches!(
            operation,
            Operation::Insert(_) | Operation::Update(_) | Operation::Delete(_)
        )
    })
}

fn all(statement: &Statement, test: impl Fn(&Operation) -> bool) -> bool {
    !statement.effects.is_empty() && statement.effects.iter().all(|effect| test(&effect.operation))
}

impl LockHolder {
    /// How long its transaction is open, by the server's clock.
    pub fn transaction_age(&self) -> Option<Duration> {
        let (since, start, age) = (self.since?, self.query_start?, self.query_age?);
        let before_query = u64::try_from(start.duration_since(since).as_millis()).unwrap_or(0);
        Some(age + Duration::from_millis(before_query))
    }

    /// Its name alone.
    pub(crate) fn name(&self) -> String {
        match (&self.prepared, &self.kind) {
            (Some(gid), _) => format!("the prepared transaction \"{gid}\""),
            (None, Some(kind)) => format!("{kind} {}", self.pid),
            (None, None) if self.user.is_none() => format!("the server's process {}", self.pid),
            (None, None) => format!("session {}", self.pid),
        }
    }

    /// Who stands in the way and what it does, `autovacuum worker 7` or `session 4711 (user app, application psql, idle in transaction, open for
    /// 3 min, last query 2 min ago: "UPDATE t SET …")`.
    pub fn as_blocker(&self) -> String {
        if self.prepared.is_some() {
            return self.describe();
        }
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
        let mut text = self.name();
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

/// Who they are: the first, with what it does, and how many more.
pub fn named_in_short(blockers: &[LockHolder]) -> String {
    in_short(blockers, LockHolder::as_blocker)
}

/// The same without what they do.
pub(crate) fn names_in_short(blockers: &[LockHolder]) -> String {
    in_short(blockers, LockHolder::name)
}

fn in_short(blockers: &[LockHolder], name: fn(&LockHolder) -> String) -> String {
    let first = blockers.first().map(name).unwrap_or_default();
    match blockers.len() {
        0 | 1 => first,
        2 => format!("{first} and one more"),
        number => format!("{first} and {} more", number - 1),
    }
}

/// What to do about them: wait, and end those whom it harms to nobody but themselves.
pub fn way_out(blockers: &[LockHolder]) -> String {
    let (are, them) = if blockers.len() == 1 {
        ("is", "it")
    } else {
        ("are", "them")
    };
    let wait = format!("wait until {} {are} done", named_in_short(blockers));
    let ending: Vec<String> = blockers
        .iter()
        .filter(|blocker| blocker.may_be_ended())
        .map(LockHolder::ending)
        .collect();
    let which = if ending.len() == blockers.len() {
        them
    } else {
        "those that are not the server's own"
    };
    match ending.as_slice() {
        [] => format!("{wait} (ending {them} helps nobody: the server begins that work anew)"),
        _ => format!("{wait}, or end {which} with {}", ending.join("; ")),
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
            (hidden.clone(), "the server's process 7"),
            (
                LockHolder {
                    kind: Some("autovacuum worker".to_owned()),
                    state: Some("active".to_owned()),
                    query: Some("autovacuum: VACUUM public.a (to prevent wraparound)".to_owned()),
                    ..hidden
                },
                "autovacuum worker 7 (active: \"autovacuum: VACUUM public.a (to prevent wraparound)\")",
            ),
        ] {
            assert_eq!(holder.as_blocker(), expected);
        }
    }

    #[test]
    fn nobody_is_told_to_end_what_the_server_begins_anew() {
        let person = LockHolder {
            pid: 1,
            user: Some("app".to_owned()),
            ..LockHolder::default()
        };
        let prepared = LockHolder {
            prepared: Some("two".to_owned()),
            ..LockHolder::default()
        };
        let of_kind = |pid, kind: &str, user: Option<&str>| LockHolder {
            pid,
            kind: Some(kind.to_owned()),
            user: user.map(str::to_owned),
            ..LockHolder::default()
        };
        let vacuum = of_kind(2, "autovacuum worker", None);
        let walsender = of_kind(3, "walsender", Some("replica"));
        let subscriber = of_kind(4, "logical replication worker", Some("owner"));
        for (blockers, expected) in [
            (
                vec![person.clone()],
                "wait until session 1 (user app) is done, or end it with SELECT pg_terminate_backend(1)",
            ),
            (
                vec![prepared],
                "wait until the prepared transaction \"two\" is done, or end it with COMMIT PREPARED 'two' or ROLLBACK \
                 PREPARED 'two'",
            ),
            (
                vec![vacuum.clone()],
                "wait until autovacuum worker 2 is done (ending it helps nobody: the server begins that work anew)",
            ),
            (
                vec![walsender, subscriber],
                "wait until walsender 3 (user replica) and one more are done (ending them helps nobody: the server begins \
                 that work anew)",
            ),
            (
                vec![vacuum, person],
                "wait until autovacuum worker 2 and one more are done, or end those that are not the server's own with \
                 SELECT pg_terminate_backend(1)",
            ),
        ] {
            assert_eq!(way_out(&blockers), expected);
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
