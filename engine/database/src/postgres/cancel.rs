//! Asking a server to cancel what runs on a connection.

use crate::error::{DatabaseError, redact};
use crate::postgres::errors::chain;
use crate::postgres::target::PostgresTarget;
use crate::postgres::tls;

/// Asks the server to cancel what runs on one connection.
#[derive(Clone)]
pub(crate) struct CancelRequest {
    token: tokio_postgres::CancelToken,
    target: PostgresTarget,
}

impl CancelRequest {
    pub(crate) fn new(token: tokio_postgres::CancelToken, target: PostgresTarget) -> Self {
        Self { token, target }
    }

    /// Sends the request.
    pub(crate) fn send(&self) -> Result<(), DatabaseError> {
        let connector = tls::connector(&self.target)?;
        let unreachable = |reason: String| DatabaseError::Unreachable {
            target: self.target.describe(),
            reason: redact(&reason, &self.target.secrets()),
            help: "the statement may still run: look for it in pg_stat_activity".to_owned(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| unreachable(error.to_string()))?;
        let token = self.token.clone();
        // A runtime cannot be started on a thread that runs one: a run cancels its own statement from within its own.
        std::thread::scope(|scope| {
            let request = scope.spawn(|| runtime.block_on(token.cancel_query(connector)));
            match request.join() {
                Ok(answer) => answer.map_err(|error| unreachable(chain(&error))),
                Err(_) => Err(unreachable("the request broke off".to_owned())),
            }
        })
    }
}
