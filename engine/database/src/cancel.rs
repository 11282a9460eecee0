//! Cancelling, from another thread, what runs on a connection.

use crate::postgres::cancel::CancelRequest;
use crate::sqlite::brake::Request;

/// Asks for the end of what runs on one connection. It is the other side that decides whether it still can.
#[derive(Clone)]
pub(crate) enum Canceller {
    Postgres(Box<CancelRequest>),
    Sqlite(Request),
}

impl Canceller {
    /// Asks. That the request does not get through changes nothing: the run still ends after its statement.
    pub(crate) fn cancel(&self) {
        match self {
            Self::Postgres(request) => {
                let _ = request.send();
            }
            Self::Sqlite(request) => request.send(),
        }
    }
}
