//! Cancelling, from another thread, what runs on a connection.

use crate::error::{DatabaseError, redact};
use crate::postgres::errors::chain;
use crate::postgres::target::PostgresTarget;
use crate::postgres::tls;

/// Asks the server to cancel what runs on one connection. It is the server that decides whether it still can.
#[derive(Clone)]
pub struct Canceller {
    token: postgres::CancelToken,
    target: PostgresTarget,
}

impl Canceller {
    pub(crate) fn new(token: postgres::CancelToken, target: PostgresTarget) -> Self {
        Self { token, target }
    }

    /// Sends the request.
    pub fn cancel(&self) -> Result<(), DatabaseError> {
        let connector = tls::connector(&self.target)?;
        self.token
            .cancel_query(connector)
            .map_err(|error| DatabaseError::Unreachable {
                target: self.target.describe(),
                reason: redact(&chain(&error), &self.target.secrets()),
            })
    }
}
