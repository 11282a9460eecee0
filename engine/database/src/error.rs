//! What can go wrong with a database, in words that never hold a secret.

use crate::ledger::LedgerError;
use crate::url::UrlError;

/// What the server said about a statement it refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ServerError {
    /// The server's primary message.
    pub message: String,
    /// Five-character SQLSTATE. `SQLite` has none.
    pub sqlstate: Option<String>,
    /// Where in the text that was sent, in bytes from its start.
    pub position: Option<usize>,
    /// The connection is gone: nothing more can be asked on it.
    pub connection_lost: bool,
    /// What else the server said.
    pub more: Box<ServerDetails>,
}

/// What a server adds to its message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerDetails {
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// CONTEXT: the call stack inside functions.
    pub context: Option<String>,
    /// The server function that raised it: tells errors apart that share a SQLSTATE.
    pub routine: Option<String>,
}

impl ServerError {
    /// An error of which only the text is known.
    pub fn text(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            sqlstate: None,
            position: None,
            connection_lost: false,
            more: Box::default(),
        }
    }

    /// Whether the SQLSTATE is `code`.
    pub fn is(&self, code: &str) -> bool {
        self.sqlstate.as_deref() == Some(code)
    }
}

/// Why a database operation failed. Nothing here holds a password, however it is printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The connection URL cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Nothing answered at the address.
    #[error("cannot reach {target}: {reason}")]
    Unreachable {
        /// Where, without credentials.
        target: String,
        /// The operating system's or driver's words.
        reason: String,
    },
    /// The server refused user or password.
    #[error("{target} refused the login: {reason}")]
    LoginRefused {
        /// Where, without credentials.
        target: String,
        /// The server's words.
        reason: String,
    },
    /// An `SQLite` file could not be opened or made.
    #[error("cannot open {target}: {reason}")]
    NotOpened {
        /// Which file.
        target: String,
        /// The operating system's or `SQLite`'s words.
        reason: String,
    },
    /// No encrypted connection could be made.
    #[error("no encrypted connection to {target}: {reason}")]
    Tls {
        /// Where, without credentials.
        target: String,
        /// What failed.
        reason: String,
        /// What to do, where that is known.
        help: Option<String>,
    },
    /// The database, or the `SQLite` file, does not exist.
    #[error("{target} does not exist")]
    Missing {
        /// Which one, without credentials.
        target: String,
    },
    /// The database could not be created.
    #[error("cannot create {target}: {reason}")]
    NotCreated {
        /// Which one, without credentials.
        target: String,
        /// Why.
        reason: String,
    },
    /// The server is older than what Tollgate knows how to talk to, or is none.
    #[error("{target} cannot be used: {reason}")]
    Unsupported {
        /// Which one, without credentials.
        target: String,
        /// Why.
        reason: String,
    },
    /// The server refused a statement of ours.
    #[error("failed to {doing}: {error}")]
    Server {
        /// What was being done: `read the ledger`.
        doing: String,
        /// What the server said.
        error: ServerError,
    },
    /// The ledger is not what Prisma or Tollgate writes.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The state tables could not be made or read.
    #[error("cannot prepare Tollgate's own tables in {place}: {reason}")]
    State {
        /// Schema or file.
        place: String,
        /// Why.
        reason: String,
        /// What to do, where that is known.
        help: Option<String>,
    },
}

impl DatabaseError {
    /// A server error, and what was being done.
    pub(crate) fn server(doing: impl Into<String>, error: ServerError) -> Self {
        Self::Server {
            doing: doing.into(),
            error,
        }
    }

    /// SQLSTATE, when the server gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server { error, .. } => error.sqlstate.as_deref(),
            _ => None,
        }
    }

    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Url(error) => error.help(),
            Self::Unreachable { .. } => Some("check that the server runs and that host and port are right".to_owned()),
            Self::LoginRefused { .. } => Some(
                "check user and password in the URL; characters such as @ : / ? # % have to be percent-encoded there"
                    .to_owned(),
            ),
            Self::Missing { .. } => Some("deploy creates it, or create it yourself".to_owned()),
            Self::NotCreated { .. } => Some("create it yourself, or use a role that may".to_owned()),
            Self::Tls { help, .. } | Self::State { help, .. } => help.clone(),
            Self::NotOpened { reason, .. } => Some(not_opened(reason).to_owned()),
            Self::Server { error, .. } => error.more.hint.clone().or_else(|| refused(error)),
            Self::Ledger(error) => Some(error.help()),
            Self::Unsupported { .. } => None,
        }
    }
}

fn not_opened(reason: &str) -> &'static str {
    if reason.contains("not a database") {
        "the file holds something else: name another one in the URL"
    } else if reason.contains("locked") {
        "another program is using it: run the command again when that is done"
    } else {
        "check the path in the URL, and that this user may read and write the file and its folder"
    }
}

/// What to do about errors that mean the same wherever they come up.
fn refused(error: &ServerError) -> Option<String> {
    if error.is("42501") {
        return Some("give that right to the role in the URL, or use a role that has it".to_owned());
    }
    let locked = error.sqlstate.is_none() && error.message == "database is locked";
    locked.then(|| "another program is writing to the database: run the command again when that is done".to_owned())
}

/// Replaces every secret in `text` by `***`: a server or library that repeats what it was sent must not spill it.
pub(crate) fn redact(text: &str, secrets: &[String]) -> String {
    let mut clean = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() > 2) {
        clean = clean.replace(secret.as_str(), "***");
    }
    clean
}
