//! Opening PostgreSQL connections, and creating the database and schema where asked to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::sql_types::Text;
use diesel::{RunQueryDsl, sql_query};
use tokio_postgres::config::{ChannelBinding, SslMode};

use crate::connection::Found;
use crate::error::DatabaseError;
use crate::postgres::client::{Client, Driver, Opening};
use crate::postgres::connection::{Notice, Notices, PgConnection};
use crate::postgres::refusal::{refusal, refused};
use crate::postgres::target::{Binding, Encryption, PostgresTarget};
use crate::postgres::tls;
use crate::sql_text::identifier;

/// What the session is for.
#[derive(Debug, Clone)]
pub(crate) struct SessionOptions {
    pub application_name: String,
    pub read_only: bool,
}

/// Opens a connection. Its unqualified names mean the target's schema once it is settled.
pub(crate) fn open(target: &PostgresTarget, options: &SessionOptions) -> Result<PgConnection, DatabaseError> {
    open_on(&driver(target)?, target, options)
}

/// The same with a driver that others may share.
pub(crate) fn open_on(
    driver: &Arc<Driver>,
    target: &PostgresTarget,
    options: &SessionOptions,
) -> Result<PgConnection, DatabaseError> {
    let notices = Notices::default();
    let client = client(driver, target, options, &notices)?;
    Ok(ours(client, notices, target, options))
}

fn ours(client: Client, notices: Notices, target: &PostgresTarget, options: &SessionOptions) -> PgConnection {
    PgConnection::new(client, notices, preamble(target, options), options.read_only)
}

/// What is to move connections to `target` on.
pub(crate) fn driver(target: &PostgresTarget) -> Result<Arc<Driver>, DatabaseError> {
    Driver::start().map_err(|error| refusal(target, &error))
}

/// Begins to open a connection, which goes on while the driver waits for another one.
pub(crate) fn begin_to_open(
    driver: &Arc<Driver>,
    target: &PostgresTarget,
    options: &SessionOptions,
) -> Result<Opening, DatabaseError> {
    Ok(Opening::start(
        driver,
        configuration(target, options),
        tls::connector(target)?,
    ))
}

/// Waits until that is open. `None`: it did not come about.
pub(crate) fn finish_opening(
    opening: Opening,
    target: &PostgresTarget,
    options: &SessionOptions,
) -> Option<PgConnection> {
    let notices = Notices::default();
    let client = opening.finish(into(&notices))?;
    Some(ours(client, notices, target, options))
}

/// Opens a connection that leaves its session as the server has set it up: behind a pooler, what is set stays for others.
pub(crate) fn open_untouched(target: &PostgresTarget, options: &SessionOptions) -> Result<PgConnection, DatabaseError> {
    let notices = Notices::default();
    let client = client(&driver(target)?, target, options, &notices)?;
    Ok(PgConnection::new(client, notices, String::new(), false))
}

/// Opens a connection as the driver gives it, its session as the server has set it up.
pub(crate) fn open_client(
    target: &PostgresTarget,
    options: &SessionOptions,
) -> Result<postgres::Client, DatabaseError> {
    let config = postgres::Config::from(configuration(target, options));
    config
        .connect(tls::connector(target)?)
        .map_err(|error| refused(target, &error))
}

/// Creates the database when it is missing, as Prisma does, then opens it and creates the schema.
pub(crate) fn open_or_create(
    driver: &Arc<Driver>,
    target: &PostgresTarget,
    options: &SessionOptions,
) -> Result<PgConnection, DatabaseError> {
    let mut connection = match open_on(driver, target, options) {
        Err(DatabaseError::Missing { .. }) => {
            create_database(target, options)?;
            open_on(driver, target, options)?
        }
        other => other?,
    };
    // Asked first: CREATE SCHEMA IF NOT EXISTS wants the privilege even when there is nothing to create.
    let found: Result<Vec<Found>, _> =
        sql_query("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1) AS found")
            .bind::<Text, _>(&target.schema)
            .load(&mut connection);
    let found = found.map_err(|error| DatabaseError::server("look for the schema", connection.explain(&error)))?;
    if !found.iter().any(|answer| answer.found) {
        let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(&target.schema));
        connection
            .execute_script(&sql)
            .map_err(|error| DatabaseError::not_created(format!("schema \"{}\"", target.schema), error))?;
    }
    Ok(connection)
}

/// Connects to a database that is there on every server and creates the target's.
fn create_database(target: &PostgresTarget, options: &SessionOptions) -> Result<(), DatabaseError> {
    let mut refused = None;
    for neighbour in ["postgres", "template1"] {
        let neighbour = target.elsewhere(neighbour, "public");
        match open(
            &neighbour,
            &SessionOptions {
                read_only: false,
                ..options.clone()
            },
        ) {
            Ok(mut connection) => {
                return match connection.execute_script(&format!("CREATE DATABASE {}", identifier(&target.database))) {
                    Ok(()) => Ok(()),
                    // Another process was faster.
                    Err(error) if error.is("42P04") || error.is("23505") => Ok(()),
                    Err(error) => Err(DatabaseError::not_created(target.describe(), error)),
                };
            }
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| DatabaseError::Missing {
        target: target.describe(),
    }))
}

/// What makes a session ours; run at its start and after every reset.
fn preamble(target: &PostgresTarget, options: &SessionOptions) -> String {
    let mut sql = format!(
        // The parser reads backslashes in strings as the standard does; so must the server. A session waits in silence
        // while another one works; before version 14 nothing could end it for that.
        "SET search_path = {}; SET standard_conforming_strings = on; SET client_min_messages = notice; \
         SELECT pg_catalog.set_config('idle_session_timeout', '0', false) \
         WHERE pg_catalog.current_setting('idle_session_timeout', true) IS NOT NULL;",
        identifier(&target.schema)
    );
    // Whoever interrupts a deploy does not want its statement to go on for an hour with its locks. From version 14 a server
    // on Linux can notice in the middle of a statement that its client is gone; elsewhere it refuses the setting.
    sql.push_str(
        " SELECT pg_catalog.set_config('client_connection_check_interval', '1000', false) \
         WHERE pg_catalog.current_setting('client_connection_check_interval', true) IS NOT NULL \
         AND pg_catalog.version() LIKE '%linux%';",
    );
    if options.read_only {
        sql.push_str(" SET default_transaction_read_only = on;");
    }
    sql
}

fn client(
    driver: &Arc<Driver>,
    target: &PostgresTarget,
    options: &SessionOptions,
    notices: &Notices,
) -> Result<Client, DatabaseError> {
    let (config, tls) = (configuration(target, options), tls::connector(target)?);
    Client::open(driver, &config, &tls, into(notices)).map_err(|error| refusal(target, &error))
}

/// Keeps what the server says.
fn into(notices: &Notices) -> impl FnMut(postgres::error::DbError) + Send + 'static {
    let sink = Arc::clone(notices);
    move |notice| hear(&sink, &notice)
}

fn configuration(target: &PostgresTarget, options: &SessionOptions) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config
        .host(&target.host)
        .port(target.port)
        .dbname(&target.database)
        .application_name(target.application_name.as_deref().unwrap_or(&options.application_name))
        // A run may hold its lock for hours without a word: notice a dead peer, and keep NAT tables from forgetting.
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .keepalives_retries(3)
        .ssl_mode(match target.encryption {
            Encryption::Never => SslMode::Disable,
            Encryption::IfOffered => SslMode::Prefer,
            Encryption::Always => SslMode::Require,
        })
        .channel_binding(match target.channel_binding {
            Binding::Disable => ChannelBinding::Disable,
            Binding::Prefer => ChannelBinding::Prefer,
            Binding::Require => ChannelBinding::Require,
        });
    if let Some(user) = &target.user {
        config.user(user);
    }
    if let Some(password) = &target.password {
        config.password(password.reveal());
    }
    if let Some(words) = &target.options {
        config.options(words);
    }
    if let Some(timeout) = target.connect_timeout {
        config.connect_timeout(timeout);
    }
    config
}

fn hear(notices: &Mutex<Vec<Notice>>, notice: &postgres::error::DbError) {
    notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice {
        // What stands in the message itself is in the server's language.
        severity: notice
            .parsed_severity()
            .map_or_else(|| notice.severity().to_owned(), |severity| severity.to_string()),
        sqlstate: notice.code().code().to_owned(),
        message: notice.message().to_owned(),
        detail: notice.detail().map(str::to_owned),
        hint: notice.hint().map(str::to_owned),
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::Path;

    use super::*;

    /// A message of the protocol.
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    #[test]
    fn a_notice_is_known_by_its_kind_in_every_language() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut received = [0; 4096];
            let ready = message(b'Z', b"I");
            let welcome = message(b'R', &[0; 4]);
            let notice = message(b'N', "SHINWEIS\0VNOTICE\0C00000\0Mes gibt „t“ nicht\0\0".as_bytes());
            let done = message(b'C', b"SELECT 1\0");
            for answer in [[welcome, ready.clone()].concat(), [notice, done, ready].concat()] {
                assert!(stream.read(&mut received).unwrap() > 0);
                stream.write_all(&answer).unwrap();
            }
            // Until the client has said goodbye.
            let _ = stream.read(&mut received);
        });
        let url = format!("u@127.0.0.1:{port}/d?sslmode=disable");
        let target = PostgresTarget::parse(&url, Path::new("/")).unwrap();
        let options = SessionOptions {
            application_name: "test".to_owned(),
            read_only: false,
        };
        let mut connection = open(&target, &options).unwrap();
        connection.execute_script("DROP TABLE IF EXISTS t").unwrap();
        let heard = connection.take_notices();
        let heard: Vec<_> = heard
            .iter()
            .map(|notice| (&*notice.severity, &*notice.message))
            .collect();
        assert_eq!(heard, [("NOTICE", "es gibt „t“ nicht")]);
        drop(connection);
        server.join().unwrap();
    }
}
