//! How long a question of ours is kept waiting by others. A limit that the server is told would hold for what files do as
//! well, or cost a round trip; and once it has struck, it is too late to see who was in the way. So whoever waits for the
//! answer looks from another session, and cancels the question when somebody holds what it needs.

use std::time::{Duration, Instant};

use tokio_postgres::CancelToken;

use crate::connection::Connection;
use crate::error::{ServerDetails, ServerError};
use crate::execute::blockers::{names_in_short, of_waiting, way_out};
use crate::postgres::cancel::CancelRequest;
use crate::postgres::client::Client;
use crate::postgres::connect::{SessionOptions, open};
use crate::postgres::target::PostgresTarget;
use crate::sessions::LockHolder;

/// How long somebody may hold what is asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How one looks.
pub(crate) struct Patience {
    target: PostgresTarget,
    session: SessionOptions,
    /// The process of the server that waits.
    pid: Option<i32>,
}

impl Patience {
    /// For a connection to `target`.
    pub(crate) fn new(target: &PostgresTarget, session: SessionOptions) -> Self {
        Self {
            target: target.clone(),
            session: SessionOptions {
                read_only: true,
                ..session
            },
            pid: None,
        }
    }

    /// Says which process waits. Behind a transaction pooler it is another one each time, and nobody is accused.
    pub(crate) fn is_for(&mut self, pid: i32) {
        self.pid = Some(pid).filter(|_| !self.target.pooler);
    }
}

/// One question that is waited for.
pub(crate) struct Wait<'a> {
    /// How to look, and what cancels it. `None`: nobody looks.
    by: Option<(&'a Patience, i32, CancelToken)>,
    began: Instant,
    eye: Option<Connection>,
    seen: Vec<LockHolder>,
}

impl<'a> Wait<'a> {
    /// Begins.
    pub(crate) fn begin(patience: Option<&'a Patience>, client: &mut Client) -> Self {
        let by = patience.and_then(|patience| Some((patience, patience.pid?, client.cancel_token())));
        Self {
            by,
            began: Instant::now(),
            eye: None,
            seen: Vec::new(),
        }
    }

    /// Called every so often. Work that takes its time is left alone.
    pub(crate) fn look(&mut self) {
        let Some((patience, pid, token)) = &self.by else { return };
        if self.began.elapsed() < PATIENCE || !self.seen.is_empty() {
            return;
        }
        if self.eye.is_none() {
            let opened = open(&patience.target, &patience.session).ok();
            self.eye = opened.map(|eye| Connection::Postgres(Box::new(eye)));
        }
        let Some(eye) = &mut self.eye else {
            self.by = None;
            return;
        };
        let seen = of_waiting(eye, *pid);
        let cancel = || CancelRequest::new(token.clone(), patience.target.clone()).send();
        if !seen.is_empty() && cancel().is_ok() {
            self.seen = seen;
        }
    }

    /// What the end of the question means.
    pub(crate) fn end(self, error: ServerError) -> ServerError {
        // 57014: it was cancelled.
        if self.seen.is_empty() || !error.is("57014") {
            return error;
        }
        ServerError {
            sqlstate: Some("55P03".to_owned()),
            more: Box::new(ServerDetails {
                hint: Some(format!("{}, then run the command again", way_out(&self.seen))),
                ..ServerDetails::default()
            }),
            ..ServerError::text(format!(
                "kept waiting for {} s by {}",
                self.began.elapsed().as_secs(),
                names_in_short(&self.seen)
            ))
        }
    }
}
