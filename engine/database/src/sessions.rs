//! Sessions of a server as other sessions see them: who holds a lock, who they are, what they do.

use std::time::Duration;

use diesel::connection::LoadConnection;
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use jiff::Timestamp;

use crate::connection::Connection;
use crate::database::Database;
use crate::error::DatabaseError;
use crate::postgres::lock::TRANSACTIONS;
use crate::query_text::excerpt;
use crate::sql_text::literal;
use crate::target::TargetKind;

/// A session that holds a lock, or a transaction that goes on holding it without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockHolder {
    /// Server process, or process of this machine for `SQLite`. 0: it has none, see [`LockHolder::prepared`].
    pub pid: i32,
    /// Identifier of a transaction that was prepared (`PREPARE TRANSACTION`): it keeps its locks until somebody commits it
    /// or rolls it back.
    pub prepared: Option<String>,
    /// What kind of process it is, where it is none that works for a client: `autovacuum worker`, `walsender`, …
    pub kind: Option<String>,
    /// Role. A process of the server's own has none.
    pub user: Option<String>,
    /// `application_name`. Prisma's commands have none unless their URL says one.
    pub application: Option<String>,
    /// Since when its transaction, or else its session, is there.
    pub since: Option<Timestamp>,
    /// Address of its other end. `None`: a socket of the server's machine, or not ours to see.
    pub client: Option<String>,
    /// `active`, `idle`, `idle in transaction`, …
    pub state: Option<String>,
    /// When its newest statement began, which may be over already.
    pub query_start: Option<Timestamp>,
    /// How long ago that was, by the server's clock.
    pub query_age: Option<Duration>,
    /// The beginning of that statement's text. It may hold anything, passwords too: see [`LockHolder::excerpt`].
    pub query: Option<String>,
}

/// The columns of `pg_stat_activity a` that make a [`LockHolder`], for [`SessionRow`].
pub(crate) const COLUMNS: &str = "a.pid, a.usename::text AS username, NULLIF(a.application_name, '') AS application, \
    (extract(epoch FROM COALESCE(a.xact_start, a.backend_start)) * 1000000)::int8 AS since, \
    pg_catalog.host(a.client_addr) AS client, a.state, \
    (extract(epoch FROM a.query_start) * 1000000)::int8 AS query_start, \
    (extract(epoch FROM pg_catalog.statement_timestamp() - a.query_start) * 1000000)::int8 AS query_age, \
    pg_catalog.left(NULLIF(NULLIF(a.query, ''), '<insufficient privilege>'), 1000) AS query, NULL::text AS prepared, \
    NULLIF(a.backend_type, 'client backend') AS kind";

/// Prepared transactions `p` and the locks `l` that they hold. The server says of such a lock only that it has the virtual
/// transaction of another one: that on the transaction itself.
const PREPARED: &str = "SELECT 0 AS pid, p.owner::text AS username, NULL::text AS application, \
    (extract(epoch FROM p.prepared) * 1000000)::int8 AS since, NULL::text AS client, \
    'prepared as ' || p.gid AS state, NULL::int8 AS query_start, NULL::int8 AS query_age, NULL::text AS query, \
    p.gid AS prepared, NULL::text AS kind \
    FROM pg_catalog.pg_prepared_xacts p WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_locks x JOIN pg_catalog.pg_locks l \
    ON l.virtualtransaction = x.virtualtransaction AND l.pid IS NULL \
    WHERE x.locktype = 'transactionid' AND x.pid IS NULL AND x.transactionid = p.transaction AND ";

/// Prepared transactions that hold a lock which is like this in `pg_locks l`, the oldest first.
pub(crate) fn prepared_with<C: LoadConnection<Backend = Pg>>(
    connection: &mut C,
    like: &str,
) -> Result<Vec<LockHolder>, diesel::result::Error> {
    let rows: Vec<SessionRow> = sql_query(format!("{PREPARED}{like}) ORDER BY p.prepared")).load(connection)?;
    Ok(rows.into_iter().map(SessionRow::into_public).collect())
}

/// A row of [`COLUMNS`].
#[derive(QueryableByName)]
pub(crate) struct SessionRow {
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Nullable<Text>)]
    username: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    application: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    since: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    client: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    query_start: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    query_age: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    query: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    prepared: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    kind: Option<String>,
}

impl SessionRow {
    pub(crate) fn into_public(self) -> LockHolder {
        let time = |micros: Option<i64>| micros.and_then(|micros| Timestamp::from_microsecond(micros).ok());
        LockHolder {
            pid: self.pid,
            prepared: self.prepared,
            kind: self.kind,
            user: self.username,
            application: self.application,
            since: time(self.since),
            client: self.client,
            state: self.state,
            query_start: time(self.query_start),
            query_age: self
                .query_age
                .map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))),
            query: self.query,
        }
    }
}

impl LockHolder {
    /// Its process: none where a prepared transaction holds the lock.
    pub fn process(&self) -> Option<i32> {
        Some(self.pid).filter(|pid| *pid != 0)
    }

    /// The beginning of its statement in one line of at most `width` characters, without values: they are nobody's
    /// business.
    pub fn excerpt(&self, width: usize) -> Option<String> {
        Some(excerpt(self.query.as_deref()?, width))
    }

    /// What ends it, as a statement.
    pub fn ending(&self) -> String {
        match &self.prepared {
            Some(gid) => {
                let gid = literal(gid);
                format!("COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid}")
            }
            None => format!("SELECT pg_terminate_backend({})", self.pid),
        }
    }

    /// Whether ending it lets go of what it holds and harms only whoever it works for. A process of the server's own, and one
    /// of replication, only begins anew, with more to do.
    pub fn may_be_ended(&self) -> bool {
        self.prepared.is_some() || self.kind.is_none() && self.user.is_some()
    }

    /// Who it is, in brackets: `PID 123 (user app, application tollgate, since 2026-01-01T00:00:00Z)`.
    pub fn describe(&self) -> String {
        let name = match &self.prepared {
            Some(gid) => format!("the prepared transaction \"{gid}\""),
            None => format!("PID {}", self.pid),
        };
        let mut about = Vec::new();
        if let Some(user) = &self.user {
            about.push(format!("user {user}"));
        }
        match &self.application {
            Some(application) => about.push(format!("application {application}")),
            // Of a role's session that names itself nothing; a file's holder always does.
            None if self.user.is_some() && self.prepared.is_none() => {
                about.push("no application name, as Prisma's commands".to_owned());
            }
            None => {}
        }
        if let Some(since) = self.since {
            about.push(format!("since {since:.0}"));
        }
        if about.is_empty() {
            return name;
        }
        format!("{name} ({})", about.join(", "))
    }
}

/// Everybody who holds this advisory lock in the session's database, or is at work under it: a run's sessions.
pub(crate) fn advisory_holders<C: LoadConnection<Backend = Pg>>(
    connection: &mut C,
    key: i32,
) -> Result<Vec<LockHolder>, diesel::result::Error> {
    let like = format!(
        "l.locktype = 'advisory' AND l.granted AND ((l.classid = 0 AND l.objid = {key} AND l.objsubid = 1) \
         OR (l.classid = {key} AND l.objid = {TRANSACTIONS} AND l.objsubid = 2)) \
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    );
    let query = format!(
        "SELECT {COLUMNS} FROM pg_catalog.pg_stat_activity a WHERE a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l \
         WHERE {like}) ORDER BY a.pid"
    );
    let rows: Vec<SessionRow> = sql_query(query).load(connection)?;
    let mut holders: Vec<LockHolder> = rows.into_iter().map(SessionRow::into_public).collect();
    holders.extend(prepared_with(connection, &like)?);
    Ok(holders)
}

/// Who holds the advisory lock, where that can be seen. A courtesy: that it cannot be said must hide nothing else.
pub(crate) fn advisory_holder<C: LoadConnection<Backend = Pg>>(connection: &mut C, key: i32) -> Option<LockHolder> {
    advisory_holders(connection, key).unwrap_or_default().into_iter().next()
}

impl Database {
    /// Who holds the run lock: sessions with the advisory lock, or the process that has locked `SQLite`'s lock file.
    pub fn lock_holders(&mut self) -> Result<Vec<LockHolder>, DatabaseError> {
        match (&mut self.connection, &self.target.kind) {
            (Connection::Postgres(connection), _) => {
                let holders = advisory_holders(&mut **connection, crate::postgres::lock::KEY);
                holders.map_err(|error| {
                    DatabaseError::server("see who holds the migration lock", connection.explain(&error))
                })
            }
            (Connection::Sqlite(_), TargetKind::Sqlite(target)) => crate::sqlite::lock::holder(&target.lock_path()),
            // A connection is always of its target's kind.
            (Connection::Sqlite(_), TargetKind::Postgres(_)) => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn running(query: &str) -> LockHolder {
        LockHolder {
            pid: 7,
            query: Some(query.to_owned()),
            ..LockHolder::default()
        }
    }

    #[test]
    fn who_it_is_is_said_as_far_as_it_is_known() {
        let full = LockHolder {
            pid: 123,
            user: Some("app".to_owned()),
            application: Some("tollgate".to_owned()),
            since: "2026-01-02T03:04:05.678Z".parse().ok(),
            ..LockHolder::default()
        };
        let prisma = LockHolder {
            application: None,
            since: None,
            ..full.clone()
        };
        assert_eq!(
            full.describe(),
            "PID 123 (user app, application tollgate, since 2026-01-02T03:04:05Z)"
        );
        assert_eq!(
            prisma.describe(),
            "PID 123 (user app, no application name, as Prisma's commands)"
        );
        assert_eq!(running("").describe(), "PID 7");
        let prepared = LockHolder {
            pid: 0,
            prepared: Some("it's".to_owned()),
            application: None,
            ..full
        };
        assert_eq!(
            prepared.describe(),
            "the prepared transaction \"it's\" (user app, since 2026-01-02T03:04:05Z)"
        );
        assert_eq!(
            prepared.ending(),
            "COMMIT PREPARED 'it''s' or ROLLBACK PREPARED 'it''s'"
        );
    }
}
