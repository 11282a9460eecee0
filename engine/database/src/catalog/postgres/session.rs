//! The catalog's own connection and its one transaction.

use ::postgres::{Client, SimpleQueryMessage, error::SqlState};
use tollgate_schema::{BaseError, ProbeError};

use super::CatalogOptions;
use crate::catalog::failure;
use crate::postgres::errors::server_error;

type Connect = Box<dyn FnOnce() -> Result<Client, BaseError> + Send>;

/// The catalog's connection, opened at the first question.
pub(super) struct Session {
    link: Link,
    options: CatalogOptions,
}

enum Link {
    Waiting(Connect),
    Open {
        client: Box<Client>,
        version: u32,
    },
    /// Not to be had any more, and why.
    Ended(BaseError),
}

/// Everything after it is undone when a question has been answered, its locks with it.
const SAVEPOINT: &str = "tollgate_catalog";

impl Session {
    pub fn new(connect: Connect, options: CatalogOptions) -> Self {
        Self {
            link: Link::Waiting(connect),
            options,
        }
    }

    pub fn end(&mut self) {
        self.link = Link::Ended(failure("the catalog's snapshot has been closed"));
    }

    /// Asks something. `work` gets the server's version as `server_version_num` has it.
    pub fn read<T>(
        &mut self,
        work: impl FnOnce(&mut Client, u32) -> Result<T, ::postgres::Error>,
    ) -> Result<T, BaseError> {
        let (client, version) = self.open()?;
        let answer = work(client, version);
        let undone = client.batch_execute(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}"));
        if undone.is_err() {
            self.link = Link::Ended(lost());
        }
        answer.map_err(|error| told("cannot read the catalog", &error))
    }

    /// Counts rows under the probe's own time limit.
    pub fn probe(&mut self, query: &str) -> Result<u64, ProbeError> {
        let limit = self.options.probe_timeout.as_millis();
        let (client, _) = self.open().map_err(|error| ProbeError::Other(error.message))?;
        // Rows that row-level security hides would make the number a lie: an error is better.
        let sql = format!("SET LOCAL statement_timeout = {limit}; SET LOCAL row_security = off; {query}");
        let answer = client.simple_query(&sql);
        if client
            .batch_execute(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}"))
            .is_err()
        {
            self.link = Link::Ended(lost());
        }
        answer
            .map_err(|error| probe_error(&error))
            .and_then(|messages| counted(&messages))
    }

    fn open(&mut self) -> Result<(&mut Client, u32), BaseError> {
        if let Link::Waiting(_) = self.link {
            let waiting = std::mem::replace(&mut self.link, Link::Ended(failure("the catalog could not be opened")));
            if let Link::Waiting(connect) = waiting {
                self.link = match connect().and_then(|client| begin(client, &self.options)) {
                    Ok((client, version)) => Link::Open {
                        client: Box::new(client),
                        version,
                    },
                    Err(error) => Link::Ended(error),
                };
            }
        }
        match &mut self.link {
            Link::Open { client, version } => Ok((client, *version)),
            Link::Ended(error) => Err(error.clone()),
            Link::Waiting(_) => Err(failure("the catalog is not open")),
        }
    }
}

/// Starts the snapshot. With an empty search path the server prints every name with its schema; the other settings make
/// constants in expressions look the same whatever the database's or role's own settings are.
fn begin(mut client: Client, options: &CatalogOptions) -> Result<(Client, u32), BaseError> {
    let sql = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''; SET LOCAL lock_timeout = {}; \
         SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
         SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL intervalstyle = postgres; SET LOCAL timezone = 'UTC'; \
         SET LOCAL quote_all_identifiers = off; SAVEPOINT {SAVEPOINT}; SHOW server_version_num",
        options.lock_timeout.as_millis(),
    );
    let messages = client
        .simple_query(&sql)
        .map_err(|error| told("cannot start reading the catalog", &error))?;
    let version = first_value(&messages).and_then(|text| text.parse().ok());
    version
        .map(|version| (client, version))
        .ok_or_else(|| failure("the server did not tell its version"))
}

fn first_value(messages: &[SimpleQueryMessage]) -> Option<&str> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}

fn counted(messages: &[SimpleQueryMessage]) -> Result<u64, ProbeError> {
    first_value(messages)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ProbeError::Other("the server gave no number".to_owned()))
}

fn probe_error(error: &::postgres::Error) -> ProbeError {
    match error.code() {
        Some(&SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE) => ProbeError::TimedOut,
        Some(&SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_COLUMN | &SqlState::INVALID_SCHEMA_NAME) => {
            ProbeError::UnknownObject
        }
        _ => ProbeError::Other(in_words(error)),
    }
}

/// What to do when the server has gone.
const LOST: &str = "run the command again when the server answers";

fn lost() -> BaseError {
    BaseError {
        message: "the connection that reads the catalog was lost".to_owned(),
        help: Some(LOST.to_owned()),
    }
}

fn told(doing: &str, error: &::postgres::Error) -> BaseError {
    let said = server_error(error, "");
    let help = if said.connection_lost { Some(LOST) } else { said.cure() };
    BaseError {
        message: format!("{doing}: {}", in_words(error)),
        help: help.map(str::to_owned),
    }
}

/// The server's message, or the driver's; neither contains the URL.
fn in_words(error: &::postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
