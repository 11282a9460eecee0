//! One connection of either backend, and the few things that are asked of both.

use std::sync::Arc;

use diesel::QueryableByName;
use diesel::connection::SimpleConnection;
use diesel::sql_types::Bool;

use crate::error::{DatabaseError, ServerError};
use crate::postgres::client::Driver;
use crate::postgres::connection::{Notice, PgConnection};
use crate::postgres::patience::Patience;
use crate::postgres::{self, connect::SessionOptions};
use crate::sqlite::connect::{Access, SqliteFile, sqlite_error};
use crate::target::{Target, TargetKind};

/// An open connection.
pub(crate) enum Connection {
    Postgres(Box<PgConnection>),
    Sqlite(SqliteFile),
}

/// Evaluates one expression for whichever backend it is.
macro_rules! on_backend {
    ($connection:expr, $inner:ident => $body:expr) => {
        match $connection {
            $crate::connection::Connection::Postgres($inner) => {
                let $inner = &mut **$inner;
                $body
            }
            $crate::connection::Connection::Sqlite($inner) => {
                let $inner = &mut **$inner;
                $body
            }
        }
    };
}
pub(crate) use on_backend;

/// The answer to whether something is there.
#[derive(QueryableByName)]
pub(crate) struct Found {
    #[diesel(sql_type = Bool)]
    pub found: bool,
}

/// What to do about a database that is not there, and what the session is for.
#[derive(Debug, Clone)]
pub(crate) struct OpenOptions {
    pub create_missing: bool,
    pub application_name: String,
    pub read_only: bool,
}

impl Connection {
    /// Opens a connection to `target`.
    pub(crate) fn open(target: &Target, options: &OpenOptions) -> Result<Self, DatabaseError> {
        Self::open_on(None, target, options)
    }

    /// The same with PostgreSQL's driver, where there is one that others share.
    pub(crate) fn open_on(
        driver: Option<&Arc<Driver>>,
        target: &Target,
        options: &OpenOptions,
    ) -> Result<Self, DatabaseError> {
        match &target.kind {
            TargetKind::Postgres(target) => {
                let own = || postgres::connect::driver(target);
                let driver = driver.cloned().map_or_else(own, Ok)?;
                let session = SessionOptions {
                    application_name: options.application_name.clone(),
                    read_only: options.read_only,
                };
                let mut connection = if options.create_missing {
                    postgres::connect::open_or_create(&driver, target, &session)?
                } else {
                    postgres::connect::open_on(&driver, target, &session)?
                };
                connection.lose_patience(Patience::new(target, session));
                Ok(Self::Postgres(Box::new(connection)))
            }
            TargetKind::Sqlite(target) => {
                let access = match (options.read_only, options.create_missing) {
                    (_, true) => Access::Create,
                    (true, false) => Access::Read,
                    (false, false) => Access::Write,
                };
                Ok(Self::Sqlite(crate::sqlite::connect::open(target, access)?))
            }
        }
    }

    /// Runs statements as they are. Results are thrown away.
    pub(crate) fn run(&mut self, sql: &str) -> Result<(), ServerError> {
        match self {
            Self::Postgres(connection) => connection.execute_script(sql),
            Self::Sqlite(connection) => connection
                .batch_execute(sql)
                .map_err(|error| connection.explain(&error)),
        }
    }

    /// The same, and tells meanwhile what the server says on the side: when it does, and every so often.
    pub(crate) fn run_telling(&mut self, sql: &str, tell: &mut dyn FnMut(Vec<Notice>)) -> Result<(), ServerError> {
        match self {
            Self::Postgres(connection) => connection.execute_script_telling(sql, tell),
            Self::Sqlite(_) => self.run(sql),
        }
    }

    /// The same, for a statement of ours.
    pub(crate) fn run_own(&mut self, doing: &str, sql: &str) -> Result<(), DatabaseError> {
        self.run(sql).map_err(|error| DatabaseError::server(doing, error))
    }

    /// A diesel error with all that the server said.
    pub(crate) fn explain(&mut self, doing: &str, error: &diesel::result::Error) -> DatabaseError {
        let error = match self {
            Self::Postgres(connection) => connection.explain(error),
            Self::Sqlite(_) => sqlite_error(error),
        };
        DatabaseError::server(doing, error)
    }

    /// What the server said on the side.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        match self {
            Self::Postgres(connection) => connection.take_notices(),
            Self::Sqlite(_) => Vec::new(),
        }
    }

    /// Whether this is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}
