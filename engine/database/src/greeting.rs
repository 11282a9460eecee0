//! The first question to a server: which one it is, and what the session begins with.

use diesel::sql_types::{Integer, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use tollgate_sql::Dialect;

use crate::connection::Connection;
use crate::error::DatabaseError;
use crate::guard::{SESSION, Session};
use crate::target::Target;

/// Oldest PostgreSQL that is known to work.
pub(crate) const OLDEST_POSTGRES: u32 = 11;

/// What answers at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Whose grammar.
    pub dialect: Dialect,
    /// Major, minor, patch. PostgreSQL since 10 has no patch: 0.
    pub version: (u32, u32, u32),
    /// In its own words.
    pub text: String,
}

/// What there is to know of a session that has just begun, and of the server behind it.
pub(crate) struct Greeting {
    pub server: ServerInfo,
    /// The role that it begins with, when it is not its user.
    pub role: Option<String>,
    /// Which session of the server this is.
    pub session: Option<Session>,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct PostgresGreeting {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    text: String,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Integer)]
    pid: i32,
    /// A session that has taken another role may not see its own.
    #[diesel(sql_type = Nullable<Text>)]
    began: Option<String>,
}

/// Asks the server who it is, and who we are to it.
///
/// # Errors
/// It is too old, or does not answer.
pub(crate) fn greet(connection: &mut Connection, target: &Target) -> Result<Greeting, DatabaseError> {
    let doing = "ask for the server's version";
    match connection {
        Connection::Sqlite(inner) => {
            let lines: Result<Vec<Line>, _> = sql_query("SELECT sqlite_version() AS line").load(&mut **inner);
            let lines = lines.map_err(|error| connection.explain(doing, &error))?;
            let line = lines.into_iter().next().map(|line| line.line).unwrap_or_default();
            let mut parts = line.split('.').map(|part| part.parse().unwrap_or(0));
            let mut next = || parts.next().unwrap_or(0);
            let version = (next(), next(), next());
            let text = format!("SQLite {line}");
            let (dialect, role, session) = (Dialect::Sqlite, None, None);
            let server = ServerInfo { dialect, version, text };
            Ok(Greeting { server, role, session })
        }
        Connection::Postgres(inner) => {
            let greeting: Result<PostgresGreeting, _> = sql_query(format!(
                "SELECT pg_catalog.current_setting('server_version_num') AS version, pg_catalog.version() AS text, \
                 pg_catalog.current_setting('role') AS role, {SESSION}"
            ))
            .get_result(&mut **inner);
            if let Ok(greeting) = &greeting {
                inner.is_process(greeting.pid);
            }
            let greeting = greeting.map_err(|error| connection.explain(doing, &error))?;
            let number: u32 = greeting.version.parse().unwrap_or(0);
            let version = (number / 10_000, number % 10_000, 0);
            let text = greeting.text;
            if version.0 < OLDEST_POSTGRES {
                let reason = format!("it is too old: {text}; PostgreSQL {OLDEST_POSTGRES} or newer is needed");
                return Err(DatabaseError::Unsupported {
                    target: target.describe(),
                    reason,
                });
            }
            let dialect = Dialect::Postgres;
            Ok(Greeting {
                server: ServerInfo { dialect, version, text },
                role: Some(greeting.role).filter(|role| role != "none"),
                session: greeting.began.map(|began| Session {
                    pid: greeting.pid,
                    began,
                }),
            })
        }
    }
}
