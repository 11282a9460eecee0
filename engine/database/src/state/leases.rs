//! Leases: the run lock for longer than a process lives. Whoever has a lease's token may deploy, all others wait until it
//! ends. The table has only the token's digest, so that reading it gives nobody the lease.
//!
//! PostgreSQL's clock decides when a lease ends, so the clocks of the machines that deploy need not agree.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use diesel::connection::LoadConnection;
use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::sql_types::{Double, Integer, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use sha2::{Digest, Sha256};

use crate::connection::Found;
use crate::database::Database;
use crate::error::DatabaseError;
use crate::sqlite::connect::{Access, open_file, sqlite_error};
use crate::state::{State, query, time};
use crate::target::{Secret, TargetKind};

/// What proves that a lease, or a lock, is one's own: 128 random bits. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct LockToken(Secret);

/// Hexadecimal digits of a token.
const DIGITS: usize = 32;

impl LockToken {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Secret::new(hex::encode(rand::rng().random::<[u8; DIGITS / 2]>())))
    }

    /// Reads one back: 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let fits = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(Secret::new(text)))
    }

    /// The token itself: a secret, for the one place that keeps or hands it on.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// What may be known of it: its SHA-256.
    pub(crate) fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.reveal()))
    }
}

impl fmt::Debug for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lease, running or over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Schema of the ledger that it is for, or `main`.
    pub ledger: String,
    /// Who has it.
    pub owner: String,
    /// On which machine it was taken.
    pub host: Option<String>,
    /// By which process of that machine, which may be gone since.
    pub pid: Option<i32>,
    /// What for.
    pub reason: Option<String>,
    /// Since when.
    pub acquired_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// How long that is from now, by the clock that counts. `None`: it is over.
    pub remaining: Option<Duration>,
    digest: String,
}

impl Lease {
    /// Whether this token is its token.
    pub fn is_of(&self, token: &LockToken) -> bool {
        self.digest == token.digest()
    }

    /// Whether it still counts.
    pub fn is_valid(&self) -> bool {
        self.remaining.is_some()
    }

    /// Who has it, and on which machine: `alice on laptop`.
    pub fn holder(&self) -> String {
        match &self.host {
            Some(host) => format!("{} on {host}", self.owner),
            None => self.owner.clone(),
        }
    }
}

/// A lease to be taken.
#[derive(Debug, Clone, Copy)]
pub struct NewLease<'a> {
    /// Who takes it.
    pub owner: &'a str,
    /// On which machine.
    pub host: Option<&'a str>,
    /// In which process.
    pub pid: Option<i32>,
    /// What for.
    pub reason: Option<&'a str>,
    /// For how long.
    pub ttl: Duration,
}

#[derive(QueryableByName)]
struct Raw {
    #[diesel(sql_type = Text)]
    ledger: String,
    #[diesel(sql_type = Text)]
    token_digest: String,
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = Nullable<Text>)]
    host: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    pid: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Text)]
    acquired_at: String,
    #[diesel(sql_type = Text)]
    expires_at: String,
    #[diesel(sql_type = Text)]
    now: String,
}

impl Raw {
    fn read(self) -> Lease {
        let (expires_at, now) = (time::parse(&self.expires_at), time::parse(&self.now));
        let remaining = Duration::try_from(expires_at.duration_since(now)).ok();
        Lease {
            ledger: self.ledger,
            owner: self.owner,
            host: self.host,
            pid: self.pid,
            reason: self.reason,
            acquired_at: time::parse(&self.acquired_at),
            expires_at,
            remaining: remaining.filter(|left| !left.is_zero()),
            digest: self.token_digest,
        }
    }
}

/// The server's time, `$n` seconds from now, as the tables hold it.
fn server_time(seconds: &str) -> String {
    format!(
        "pg_catalog.to_char((pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => {seconds})) \
         AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    )
}

fn select(prefix: &str, now: &str) -> String {
    format!(
        "SELECT ledger, token_digest, owner, host, pid, reason, acquired_at, expires_at, {now} AS now \
         FROM {prefix}leases ORDER BY ledger"
    )
}

/// All leases of a server's database, on any connection to it. None where there are no state tables.
pub(crate) fn on_postgres<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> QueryResult<Vec<Lease>> {
    // See `Tables::of`.
    let exists: Vec<Found> = sql_query(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'tollgate' AND c.relname = 'leases') AS found",
    )
    .load(connection)?;
    if !exists.iter().any(|answer| answer.found) {
        return Ok(Vec::new());
    }
    read_on_postgres(connection)
}

fn read_on_postgres<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> QueryResult<Vec<Lease>> {
    let rows: Vec<Raw> = sql_query(select("tollgate.", &server_time("0"))).load(connection)?;
    Ok(rows.into_iter().map(Raw::read).collect())
}

/// The same of a sidecar file.
pub(crate) fn on_sqlite(connection: &mut SqliteConnection) -> QueryResult<Vec<Lease>> {
    let exists: Vec<Found> =
        sql_query("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'leases') AS found").load(connection)?;
    if !exists.iter().any(|answer| answer.found) {
        return Ok(Vec::new());
    }
    let now = crate::sql_text::literal(&time::text(Timestamp::now()));
    let rows: Vec<Raw> = sql_query(select("", &now)).load(connection)?;
    Ok(rows.into_iter().map(Raw::read).collect())
}

/// The same of a sidecar file that is not open. None where there is no file.
pub(crate) fn in_file(path: &Path, busy_timeout: Duration) -> Result<Vec<Lease>, DatabaseError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut file = open_file(path, Access::Read, busy_timeout, &path.display().to_string())?;
    on_sqlite(&mut file).map_err(|error| DatabaseError::server(READING, sqlite_error(&error)))
}

/// What is being done, in errors.
pub(crate) const READING: &str = "see whether somebody has a lease";

impl Database {
    /// All leases of this database, those of other schemas' ledgers and those that are over included.
    pub fn leases(&mut self) -> Result<Vec<Lease>, DatabaseError> {
        use crate::connection::Connection;
        if let (TargetKind::Sqlite(target), false) = (&self.target.kind, self.has_sidecar()) {
            return in_file(&target.state_path(), target.busy_timeout);
        }
        // Somebody may have made the table since it was looked for last.
        self.tables = None;
        if !self.known_tables()?.has("leases") {
            return Ok(Vec::new());
        }
        let connection = self.state_connection();
        let leases = match &mut *connection {
            Connection::Postgres(inner) => read_on_postgres(&mut **inner),
            Connection::Sqlite(inner) => on_sqlite(inner),
        };
        leases.map_err(|error| connection.explain(READING, &error))
    }

    /// The lease of this database's ledger, running or over.
    pub fn lease(&mut self) -> Result<Option<Lease>, DatabaseError> {
        let ledger = self.ledger_name();
        Ok(self.leases()?.into_iter().find(|lease| lease.ledger == ledger))
    }
}

impl State<'_> {
    /// Takes the lease of this ledger, in the place of whatever lease there is. With the token of one that still runs that
    /// is only made longer: it counts from when it was taken first, and keeps its reason unless there is a new one. The
    /// caller holds the run lock.
    pub fn take_lease(&mut self, lease: &NewLease<'_>, token: &LockToken) -> Result<(), DatabaseError> {
        self.make("leases")?;
        let (now, then) = if self.connection.is_postgres() {
            (server_time("0"), server_time("$7"))
        } else {
            let now = Timestamp::now();
            let then = now.saturating_add(SignedDuration::try_from(lease.ttl).unwrap_or(SignedDuration::MAX));
            let text = |time| crate::sql_text::literal(&time::text(time));
            // The parameter has to be there on both.
            let then = then.unwrap_or(Timestamp::MAX);
            (text(now), format!("CASE WHEN $7 >= 0 THEN {} END", text(then)))
        };
        let renewed = format!("old.token_digest = excluded.token_digest AND old.expires_at > {now}");
        let sql = format!(
            "INSERT INTO {{}}leases AS old (ledger, token_digest, owner, host, pid, reason, acquired_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, {now}, {then}) ON CONFLICT (ledger) DO UPDATE SET \
             token_digest = excluded.token_digest, owner = excluded.owner, host = excluded.host, pid = excluded.pid, \
             reason = CASE WHEN {renewed} THEN COALESCE(excluded.reason, old.reason) ELSE excluded.reason END, \
             acquired_at = CASE WHEN {renewed} THEN old.acquired_at ELSE excluded.acquired_at END, \
             expires_at = excluded.expires_at"
        );
        query!(
            self,
            "take the lease",
            sql,
            [
                Text => &self.ledger,
                Text => token.digest(),
                Text => lease.owner,
                Nullable<Text> => lease.host,
                Nullable<Integer> => lease.pid,
                Nullable<Text> => lease.reason,
                Double => lease.ttl.as_secs_f64(),
            ]
        )
        .map(drop)
    }

    /// Ends a lease as it was read: one that somebody has taken since stays. Says whether it was there.
    pub fn end_lease(&mut self, lease: &Lease) -> Result<bool, DatabaseError> {
        self.make("leases")?;
        let ended = query!(
            self,
            "end the lease",
            "DELETE FROM {}leases WHERE ledger = $1 AND token_digest = $2",
            [Text => &lease.ledger, Text => &lease.digest]
        )?;
        Ok(ended > 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn tokens_are_random_and_never_shown() {
        let (one, other) = (LockToken::random(), LockToken::random());
        assert_ne!(one, other);
        assert_eq!(LockToken::parse(one.reveal()).unwrap(), one);
        assert_eq!(format!("{one:?}"), "***");
        assert!(!one.digest().contains(one.reveal()));
        for text in ["", "1234", "zz", &"g".repeat(32), &"0".repeat(33)] {
            assert_eq!(LockToken::parse(text), None, "{text}");
        }
    }
}
