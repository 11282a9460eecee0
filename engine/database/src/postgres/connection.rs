//! diesel's `Connection` over the pure-Rust driver.
//!
//! Queries go out with their parameter types in one round trip and without named prepared statements, so that they also
//! work behind a pooler. Scripts go out by the simple protocol, where error positions count in the text that was sent.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::RunQueryDsl;
use diesel::connection::{
    AnsiTransactionManager, CacheSize, Connection, ConnectionSealed, Instrumentation, LoadConnection, SimpleConnection,
    TransactionManager,
};
use diesel::expression::QueryMetadata;
use diesel::migration::MigrationConnection;
use diesel::pg::{GetPgMetadataCache, Pg, PgMetadataCache, PgQueryBuilder, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{Query, QueryBuilder, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, Error as DieselError, QueryResult};
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, private::BytesMut};

use crate::error::ServerError;
use crate::postgres::client::{Answer, Client, Told};
use crate::postgres::errors::{diesel_error, server_error};
use crate::postgres::patience::{Patience, Wait};
use crate::postgres::row::PgRow;

/// Something the server said without refusing the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, `INFO`, `LOG`.
    pub severity: String,
    /// SQLSTATE.
    pub sqlstate: String,
    /// The message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
}

/// Where the driver's callback puts what it hears.
pub(crate) type Notices = Arc<Mutex<Vec<Notice>>>;

/// What is heard of messages that were sent together.
pub(crate) struct Heard {
    /// Which message it is about.
    pub at: usize,
    /// What the server said since the last time, and behind how many of the message's statements.
    pub said: Vec<(usize, Notice)>,
    /// How far the message came, and what ended it. `None`: it is not answered yet.
    pub answered: Option<(Answer, Option<ServerError>)>,
}

/// Before the statements of one message that must not write.
const READ_ONLY: &str = "SET LOCAL transaction_read_only = on; ";

/// An open connection to PostgreSQL, over the pure-Rust driver: what diesel needs of one, without libpq.
pub struct PgConnection {
    client: Client,
    notices: Notices,
    /// What makes the session ours; see [`Self::settle`].
    preamble: String,
    settled: bool,
    read_only: bool,
    transactions: AnsiTransactionManager,
    metadata: PgMetadataCache,
    instrumentation: Option<Box<dyn Instrumentation>>,
    /// diesel's error has no room for all of it.
    last_error: Option<ServerError>,
    /// How long its queries are kept waiting by others. `None`: as long as it takes.
    patience: Option<Patience>,
}

impl PgConnection {
    /// Takes over an open connection. Its session stays as the server has set it up until [`Self::settle`].
    pub(crate) fn new(client: Client, notices: Notices, preamble: String, read_only: bool) -> Self {
        Self {
            client,
            notices,
            preamble,
            settled: false,
            read_only,
            transactions: AnsiTransactionManager::default(),
            metadata: PgMetadataCache::new(),
            instrumentation: None,
            last_error: None,
            patience: None,
        }
    }

    /// Has its queries, which are ours, not be kept waiting by others without end.
    pub(crate) fn lose_patience(&mut self, patience: Patience) {
        self.patience = Some(patience);
    }

    /// Says which process of the server this is, where that was asked.
    pub(crate) fn is_process(&mut self, pid: i32) {
        if let Some(patience) = &mut self.patience {
            patience.is_for(pid);
        }
    }

    /// Makes the session ours. Not before it is certain that it is: behind a transaction pooler what is set for a session
    /// is set for whoever gets that session next, and missing where our own next transaction runs.
    pub(crate) fn settle(&mut self) -> Result<(), ServerError> {
        if !self.settled {
            let preamble = self.preamble.clone();
            self.execute_script(&preamble)?;
            self.settled = true;
        }
        Ok(())
    }

    /// Whether that was done.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Where the session itself is not set to read only, each message is.
    fn guarded<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        if self.read_only && !self.settled {
            Cow::Owned(format!("{READ_ONLY}{sql}"))
        } else {
            Cow::Borrowed(sql)
        }
    }

    /// Runs statements by the simple protocol. Results are thrown away.
    pub(crate) fn execute_script(&mut self, sql: &str) -> Result<(), ServerError> {
        let sql = self.guarded(sql);
        self.client
            .batch_execute(&sql)
            .map_err(|error| self.problem(&error, &sql))
    }

    /// The same, and tells meanwhile what the server says: when it does, and every so often.
    pub(crate) fn execute_script_telling(
        &mut self,
        sql: &str,
        tell: &mut dyn FnMut(Vec<Notice>),
    ) -> Result<(), ServerError> {
        let sql = self.guarded(sql).into_owned();
        let mut end = None;
        self.run_together(&[&sql], &mut |heard| {
            tell(heard.said.into_iter().map(|(_, notice)| notice).collect());
            end = heard.answered.and_then(|(_, error)| error);
        });
        end.map_or(Ok(()), Err)
    }

    /// Sends several texts, each as one message, without waiting for answers, and tells of each answer with what the
    /// server said until then, and behind how many statements of the text it said that; and of what it says before it
    /// answers.
    pub(crate) fn run_together(&mut self, texts: &[&str], tell: &mut dyn FnMut(Heard)) {
        let notices = Arc::clone(&self.notices);
        let mut heard = Vec::new();
        self.client.run_together(texts, &mut |told| {
            let completed = match &told {
                // What is there now was said before this one was done.
                Told::Completed(answer) => answer.completed.saturating_sub(1),
                Told::Meanwhile(_, answer) | Told::Answered(_, answer, _) => answer.completed,
            };
            let said = std::mem::take(&mut *notices.lock().unwrap_or_else(PoisonError::into_inner));
            heard.extend(said.into_iter().map(|notice| (completed, notice)));
            let (at, answered) = match told {
                Told::Completed(_) => return,
                Told::Meanwhile(at, _) => (at, None),
                Told::Answered(at, answer, error) => {
                    (at, Some((answer, error.map(|error| server_error(&error, texts[at])))))
                }
            };
            tell(Heard {
                at,
                said: std::mem::take(&mut heard),
                answered,
            });
        });
    }

    /// What undoes what a script did to its session: role, settings, cursors, temporary tables, listeners.
    ///
    /// Not DISCARD ALL: that would also forget the driver's own prepared statements.
    pub(crate) fn restoring(&self) -> String {
        format!(
            "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES; \
             SELECT pg_catalog.pg_advisory_unlock_all(); {}",
            self.preamble
        )
    }

    /// Does that.
    pub(crate) fn restore_session(&mut self) -> Result<(), ServerError> {
        self.execute_script(&self.restoring())
    }

    /// What the server said since this was asked last.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The server error behind the diesel error that was returned last.
    pub(crate) fn explain(&mut self, error: &DieselError) -> ServerError {
        self.last_error
            .take()
            .unwrap_or_else(|| ServerError::text(error.to_string()))
    }

    /// Cancels what runs on this connection, from another thread.
    pub(crate) fn cancel_token(&mut self) -> tokio_postgres::CancelToken {
        self.client.cancel_token()
    }

    /// Gives every answer this long from now on; then the connection counts as lost.
    pub(crate) fn limit_answers(&mut self, limit: Duration) {
        self.client.limit_answers(limit);
    }

    /// What went wrong with what was sent.
    fn problem(&self, error: &postgres::Error, sent: &str) -> ServerError {
        match self.client.silence() {
            Some(limit) => ServerError {
                connection_lost: true,
                ..ServerError::text(format!("no answer within {} s", limit.as_secs()))
            },
            None => server_error(error, sent),
        }
    }

    fn fail(&mut self, error: ServerError) -> DieselError {
        let for_diesel = diesel_error(&error);
        self.last_error = Some(error);
        for_diesel
    }

    /// The SQL of a diesel query with its parameters.
    fn prepare<T>(&mut self, source: &T) -> QueryResult<(String, Vec<(Parameter, Type)>)>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        self.last_error = None;
        let mut builder = PgQueryBuilder::default();
        source.to_sql(&mut builder, &Pg)?;
        let mut binds = RawBytesBindCollector::<Pg>::new();
        source.collect_binds(&mut binds, self, &Pg)?;
        let parameters = binds
            .metadata
            .iter()
            .zip(binds.binds)
            .map(|(metadata, bytes)| Ok((Parameter(bytes), parameter_type(metadata)?)))
            .collect::<QueryResult<Vec<_>>>()?;
        Ok((builder.finish(), parameters))
    }
}

fn parameter_type(metadata: &PgTypeMetadata) -> QueryResult<Type> {
    let oid = metadata
        .oid()
        .map_err(|error| DieselError::SerializationError(Box::new(error)))?;
    Ok(Type::from_oid(oid).unwrap_or_else(|| Type::new(format!("type {oid}"), oid, Kind::Simple, String::new())))
}

/// A value that diesel has already serialised.
#[derive(Debug)]
struct Parameter(Option<Vec<u8>>);

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.to_sql(of, out)
    }
}

impl SimpleConnection for PgConnection {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.last_error = None;
        let query = self.guarded(query);
        self.client
            .batch_execute(&query)
            .map_err(|error| self.problem(&error, &query))
            .map_err(|error| self.fail(error))
    }
}

impl ConnectionSealed for PgConnection {}

impl Connection for PgConnection {
    type Backend = Pg;
    type TransactionManager = AnsiTransactionManager;

    fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection(
            "connections are opened from a parsed target, not from a URL".to_owned(),
        ))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        let (sql, parameters) = self.prepare(source)?;
        if self.read_only && !self.settled {
            let refused = ServerError {
                sqlstate: Some("25006".to_owned()),
                ..ServerError::text("cannot write in a read-only session")
            };
            let for_diesel = diesel_error(&refused);
            self.last_error = Some(refused);
            return Err(for_diesel);
        }
        let mut wait = Wait::begin(self.patience.as_ref(), &mut self.client);
        let count = self
            .client
            .execute_typed(&sql, &borrow(&parameters), &mut || wait.look())
            .map_err(|error| wait.end(self.problem(&error, &sql)));
        let count = count.map_err(|error| self.fail(error))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn transaction_state(
        &mut self,
    ) -> &mut <Self::TransactionManager as TransactionManager<Self>>::TransactionStateData {
        &mut self.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Some(Box::new(instrumentation));
    }

    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}

impl LoadConnection for PgConnection {
    type Cursor<'conn, 'query> = std::iter::Map<std::vec::IntoIter<PgRow>, fn(PgRow) -> QueryResult<PgRow>>;
    type Row<'conn, 'query> = PgRow;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        let (sql, parameters) = self.prepare(&source)?;
        let mut wait = Wait::begin(self.patience.as_ref(), &mut self.client);
        let rows = self
            .client
            .query_typed(&sql, &borrow(&parameters), &mut || wait.look())
            .map_err(|error| wait.end(self.problem(&error, &sql)));
        let rows = rows.map_err(|error| self.fail(error))?;
        let wrap: fn(PgRow) -> QueryResult<PgRow> = Ok;
        Ok(PgRow::all(rows).into_iter().map(wrap))
    }
}

fn borrow(parameters: &[(Parameter, Type)]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    parameters
        .iter()
        .map(|(value, of)| (value as &(dyn ToSql + Sync), of.clone()))
        .collect()
}

impl GetPgMetadataCache for PgConnection {
    fn get_metadata_cache(&mut self) -> &mut PgMetadataCache {
        &mut self.metadata
    }
}

impl MigrationConnection for PgConnection {
    fn setup(&mut self) -> QueryResult<usize> {
        diesel::sql_query(diesel::migration::CREATE_MIGRATIONS_TABLE).execute(self)
    }
}
