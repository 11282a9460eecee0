//! The driver's asynchronous client, driven from synchronous code.
//!
//! The driver has a synchronous client too; this one can do what that cannot: run many statements as one message and
//! learn of each when it is done, with what the server said while it ran.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::error::DbError;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, CancelToken, Config, Error, Row, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::postgres::dial::{self, Open};

/// Reads what the server sends; the second half of the driver's client.
type Poller = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> + Send>;

/// What moves connections on, whenever one of them is waited for.
pub(crate) struct Driver {
    /// Taken only when the driver is dropped.
    runtime: Option<Runtime>,
}

impl Driver {
    /// Starts one.
    pub(crate) fn start() -> Result<Arc<Self>, OpenError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(OpenError::Runtime)?;
        Ok(Arc::new(Self { runtime: Some(runtime) }))
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken only by drop")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Looking a host's name up cannot be broken off; it must not be waited for, either.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A connection that is being opened while its driver waits for another one: a thread of its own would have to be waited
/// for until a busy machine gives it a processor.
pub(crate) struct Opening {
    driver: Arc<Driver>,
    task: JoinHandle<Result<Open, OpenError>>,
}

impl Opening {
    /// Begins.
    pub(crate) fn start(driver: &Arc<Driver>, config: Config, tls: MakeRustlsConnect) -> Self {
        let connecting = async move { dial::connect(&config, &tls).await };
        Self {
            driver: Arc::clone(driver),
            task: driver.runtime().spawn(connecting),
        }
    }

    /// Waits until it is open. `None`: it did not come about. `hear` is as in [`Client::open`].
    pub(crate) fn finish(self, hear: impl FnMut(DbError) + Send + 'static) -> Option<Client> {
        let open = self.driver.runtime().block_on(self.task).ok()?.ok()?;
        Some(Client::new(self.driver, open, hear))
    }
}

/// An open connection.
pub(crate) struct Client {
    /// Taken only when the connection is dropped.
    client: Option<tokio_postgres::Client>,
    wire: Wire,
}

/// What is below the client.
struct Wire {
    driver: Arc<Driver>,
    /// Gone once nothing more will come: then whoever still waits for an answer is told.
    poller: Option<Poller>,
    /// Hears notices.
    hear: Box<dyn FnMut(DbError) + Send>,
    /// A notice that came after the answer that was waited for.
    held: Option<DbError>,
    /// How long an answer may take. `None`: as long as it takes.
    limit: Option<Duration>,
    /// One has not come within that time.
    silent: bool,
}

/// What came back for a message of several statements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Statements that are known to be done.
    pub completed: usize,
}

/// What is told of several messages.
pub(crate) enum Told {
    /// A statement of the message that is being answered is done.
    Completed(Answer),
    /// In the middle of a message the server has said something on the side, or nothing at all for a while: which message,
    /// and how far it has come.
    Meanwhile(usize, Answer),
    /// A message is answered: which one, how far it came, and what ended it.
    Answered(usize, Answer, Option<Error>),
}

/// How often whoever waits for an answer is told that there is none yet.
const WHILE: Duration = Duration::from_secs(1);

/// How long saying goodbye to the server may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// This machine has no room for it.
    #[error("cannot start the driver: {0}")]
    Runtime(std::io::Error),
    /// The host's name leads to no address.
    #[error("the host is not known: {0}")]
    UnknownHost(std::io::Error),
    /// No answer came in time.
    #[error("no answer")]
    Silent(Duration),
    /// The server, the network, or the driver.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl Client {
    /// Connects. `hear` gets what the server says without refusing anything.
    pub(crate) fn open(
        driver: &Arc<Driver>,
        config: &Config,
        tls: &MakeRustlsConnect,
        hear: impl FnMut(DbError) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let open = driver.runtime().block_on(dial::connect(config, tls))?;
        Ok(Self::new(Arc::clone(driver), open, hear))
    }

    fn new(driver: Arc<Driver>, open: Open, hear: impl FnMut(DbError) + Send + 'static) -> Self {
        let (client, mut connection) = open;
        Self {
            client: Some(client),
            wire: Wire {
                driver,
                poller: Some(Box::new(move |context| connection.poll_message(context))),
                hear: Box::new(hear),
                held: None,
                limit: None,
                silent: false,
            },
        }
    }

    fn halves(&mut self) -> (&tokio_postgres::Client, &mut Wire) {
        let client = self.client.as_ref().expect("it is taken only by drop");
        (client, &mut self.wire)
    }

    /// Runs statements by the simple protocol. Results are thrown away.
    pub(crate) fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        let mut end = Ok(());
        self.run_together(&[sql], &mut |told| {
            if let Told::Answered(_, _, Some(error)) = told {
                end = Err(error);
            }
        });
        end
    }

    /// Sends several messages of statements by the simple protocol without waiting for answers, then reads these and tells
    /// of each. Notices are heard in order: those of a message before its answer is told.
    pub(crate) fn run_together(&mut self, messages: &[&str], tell: &mut dyn FnMut(Told)) {
        let (client, wire) = self.halves();
        let tell = RefCell::new(tell);
        // Sending only queues; answers come in the same order.
        let sent: Vec<_> = messages
            .iter()
            .map(|sql| wire.driver.runtime().block_on(client.simple_query_raw(sql)))
            .collect();
        for (at, answers) in sent.into_iter().enumerate() {
            let completed = Cell::new(0);
            let so_far = || Answer {
                completed: completed.get(),
            };
            let end = answers.and_then(|answers| {
                let mut answers = pin!(answers);
                let mut poll = |context: &mut Context<'_>| {
                    loop {
                        match answers.as_mut().poll_next(context) {
                            Poll::Ready(Some(Ok(SimpleQueryMessage::CommandComplete(_)))) => {
                                completed.set(completed.get() + 1);
                                tell.borrow_mut()(Told::Completed(so_far()));
                            }
                            Poll::Ready(Some(Ok(_))) => {}
                            Poll::Ready(Some(Err(error))) if is_of_copy(&error) => {}
                            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                            Poll::Ready(None) => return Poll::Ready(Ok(())),
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                };
                wire.wait(&mut poll, &mut || {
                    tell.borrow_mut()(Told::Meanwhile(at, so_far()));
                })
            });
            tell.borrow_mut()(Told::Answered(at, so_far(), end.err()));
        }
    }

    /// Runs a query with parameters and counts the rows that it touched. `meanwhile` is called every so often until it is
    /// answered.
    pub(crate) fn execute_typed(
        &mut self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
        meanwhile: &mut dyn FnMut(),
    ) -> Result<u64, Error> {
        let (client, wire) = self.halves();
        wire.drive(client.execute_typed(sql, parameters), meanwhile)
    }

    /// Runs a query with parameters. `meanwhile` is called every so often until it is answered.
    pub(crate) fn query_typed(
        &mut self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Vec<Row>, Error> {
        let (client, wire) = self.halves();
        wire.drive(client.query_typed(sql, parameters), meanwhile)
    }

    /// Gives every answer this long from now on: a line that was cut without a word would be listened at for ever. Once one
    /// does not come in time, the connection is closed.
    pub(crate) fn limit_answers(&mut self, limit: Duration) {
        self.wire.limit = Some(limit);
    }

    /// How long was listened in vain, where that has closed the connection.
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.wire.limit.filter(|_| self.wire.silent)
    }

    /// What cancels the statement that runs.
    pub(crate) fn cancel_token(&mut self) -> CancelToken {
        self.halves().0.cancel_token()
    }
}

/// A message that the driver does not expect in the answer to a plain query, and that says nothing of how it ends: the rows
/// of a COPY … TO stdout, which are thrown away like those of any query. The answer goes on behind them.
fn is_of_copy(error: &Error) -> bool {
    error.as_db_error().is_none() && !error.is_closed() && std::error::Error::source(error).is_none()
}

impl Wire {
    /// Waits for an answer.
    fn drive<T>(
        &mut self,
        answer: impl Future<Output = Result<T, Error>>,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<T, Error> {
        let mut answer = pin!(answer);
        self.wait(&mut |context| answer.as_mut().poll(context), meanwhile)
    }

    /// The same. `meanwhile` is called when something was heard before it, and every so often; not from within the runtime,
    /// so that it may open connections of its own.
    fn wait<T>(
        &mut self,
        answer: &mut dyn FnMut(&mut Context<'_>) -> Poll<Result<T, Error>>,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<T, Error> {
        let Self {
            driver,
            poller,
            hear,
            held,
            limit,
            silent,
        } = self;
        let runtime = driver.runtime();
        let Some(limit) = *limit else {
            loop {
                let mut heard = false;
                let reading = poll_fn(|context| {
                    let mut hear = |notice| {
                        heard = true;
                        hear(notice);
                    };
                    match read(context, poller, &mut hear, held, answer) {
                        Poll::Pending if heard => Poll::Ready(None),
                        other => other.map(Some),
                    }
                });
                match runtime.block_on(async { tokio::time::timeout(WHILE, reading).await }) {
                    Ok(Some(answered)) => return answered,
                    Ok(None) | Err(_) => meanwhile(),
                }
            }
        };
        let reading = poll_fn(|context| read(context, poller, hear, held, answer));
        if let Ok(answered) = runtime.block_on(async { tokio::time::timeout(limit, reading).await }) {
            return answered;
        }
        *silent = true;
        // Nobody reads any more what may still come; so whoever waits for it is told that the connection is closed.
        *poller = None;
        runtime.block_on(poll_fn(answer))
    }
}

/// Reads all that has arrived. Before each notice the answer gets the chance to take its part: so the two keep the order
/// in which the server sent them. A notice that comes after the answer is `held` for the next one.
fn read<T>(
    context: &mut Context<'_>,
    poller: &mut Option<Poller>,
    hear: &mut dyn FnMut(DbError),
    held: &mut Option<DbError>,
    answer: &mut dyn FnMut(&mut Context<'_>) -> Poll<Result<T, Error>>,
) -> Poll<Result<T, Error>> {
    if held.is_some() {
        let ready = answer(context);
        if ready.is_ready() {
            return ready;
        }
        held.take().into_iter().for_each(&mut *hear);
    }
    while let Some(poll) = poller {
        match poll(context) {
            Poll::Pending => break,
            Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                let ready = answer(context);
                if ready.is_ready() {
                    *held = Some(notice);
                    return ready;
                }
                hear(notice);
            }
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(None) => *poller = None,
            Poll::Ready(Some(Err(error))) => {
                *poller = None;
                // What ended the connection says more than that it is closed, which is what the answer would be now.
                return match answer(context) {
                    Poll::Ready(Ok(answer)) => Poll::Ready(Ok(answer)),
                    // The server's own last word says most.
                    Poll::Ready(Err(answer)) if answer.as_db_error().is_some() => Poll::Ready(Err(answer)),
                    _ => Poll::Ready(Err(error)),
                };
            }
        }
    }
    answer(context)
}

impl Drop for Client {
    fn drop(&mut self) {
        // Without its client the connection says goodbye, so that the server need not find out by itself.
        drop(self.client.take());
        let Wire { driver, poller, .. } = &mut self.wire;
        let farewell = poll_fn(|context| {
            while let Some(poll) = poller {
                match poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(None | Some(Err(_))) => *poller = None,
                }
            }
            Poll::Ready(())
        });
        let _ = driver
            .runtime()
            .block_on(async { tokio::time::timeout(FAREWELL, farewell).await });
    }
}
