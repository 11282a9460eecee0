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

    /// What to do about an error that means the same wherever it comes up: nothing is wrong with the statement then.
    pub fn cure(&self) -> Option<&'static str> {
        match self.sqlstate.as_deref() {
            Some(code) => cure_by_code(code),
            None => cure_of_sqlite(&self.message),
        }
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
        /// What to do.
        help: String,
    },
    /// The server does not let this user in: user, password, or where and how it connects.
    #[error("{target} refused the login: {reason}")]
    LoginRefused {
        /// Where, without credentials.
        target: String,
        /// The server's words.
        reason: String,
        /// What to do.
        help: String,
    },
    /// The server answers and takes no connection now: it is starting, recovering, or has no room.
    #[error("{target} accepts no connection: {reason}")]
    Unavailable {
        /// Where, without credentials.
        target: String,
        /// The server's words.
        reason: String,
        /// What to do.
        help: String,
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
        /// What to do.
        help: String,
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
    /// The lock file beside an `SQLite` database could not be made, read or locked.
    #[error("cannot use the lock file {path}: {reason}")]
    LockFile {
        /// Which file.
        path: String,
        /// The operating system's words.
        reason: String,
    },
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
    /// A schema or database that the server did not make.
    pub(crate) fn not_created(target: String, error: ServerError) -> Self {
        // Who may not make it can ask for it to be made.
        let cure = error.cure().filter(|_| !error.is("42501"));
        Self::NotCreated {
            target,
            help: cure.unwrap_or("create it yourself, or use a role that may").to_owned(),
            reason: error.message,
        }
    }

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
            Self::Unreachable { help, .. } | Self::LoginRefused { help, .. } | Self::Unavailable { help, .. } => {
                Some(help.clone())
            }
            Self::Missing { .. } => Some("deploy creates it, or create it yourself".to_owned()),
            Self::NotCreated { help, .. } => Some(help.clone()),
            Self::Tls { help, .. } | Self::State { help, .. } => help.clone(),
            Self::NotOpened { target, reason } => Some(not_opened(target, reason).to_owned()),
            Self::LockFile { .. } => Some(
                "the lock file is made beside the database: this user has to be able to write the folder, and the file"
                    .to_owned(),
            ),
            // Who stands in the way, where that is known.
            Self::Server { error, .. } if error.is("55P03") && error.more.hint.is_some() => error.more.hint.clone(),
            Self::Server { error, .. } => error.cure().map(str::to_owned).or_else(|| error.more.hint.clone()),
            Self::Ledger(error) => Some(error.help()),
            Self::Unsupported { .. } => None,
        }
    }
}

fn cure_by_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "42501" => "give that right to the role in the URL, or use a role that has it",
        "25006" => {
            "give the URL of the primary server, which takes writes; where this is one, look at \
             default_transaction_read_only of the role and the database"
        }
        "53100" => "make room on the server's disk, or on that of the tablespace",
        "53200" => "give the server more memory, or look at its settings",
        "53300" => crate::postgres::refusal::CROWDED,
        "55P03" => "another session uses it: `tollgate doctor` shows who; run the command again when that is done",
        "57P01" | "57P02" | "57P03" => "wait until the server accepts connections",
        _ => return None,
    })
}

/// `SQLite` has codes, too, but diesel passes on only its words, which are the same everywhere.
fn cure_of_sqlite(message: &str) -> Option<&'static str> {
    const CURES: [(&str, &str); 6] = [
        (
            "database is locked",
            "another program is writing to the database: run the command again when that is done",
        ),
        ("database or disk is full", "make room on the disk of the database"),
        (
            "attempt to write a readonly database",
            "let this user write the database's file and the .tollgate.db file beside it, or use a user who may",
        ),
        (
            "unable to open database file",
            "let this user write to the database's folder, where SQLite keeps a journal, or use a user who may",
        ),
        (
            "disk I/O error",
            "look at the disk of the database: it fails, or is full",
        ),
        (
            "database disk image is malformed",
            "the file is damaged: put back a backup; where it is the .tollgate.db file beside the database, move it away, \
             and the next deploy makes a new one, without the rollback plans and leases that were in it",
        ),
    ];
    let cure = CURES.iter().find(|(words, _)| message.contains(words));
    cure.map(|(_, cure)| *cure)
}

fn not_opened(target: &str, reason: &str) -> &'static str {
    if reason.contains("not a database") && target.ends_with(".tollgate.db") {
        "Tollgate keeps its own tables there, and the file holds something else: move it away, or put back a backup; the \
         next deploy makes a new one, without the rollback plans and leases that were in it"
    } else if reason.contains("not a database") {
        "the file holds something else: name another one in the URL"
    } else if reason.contains("locked") {
        "another program is using it: run the command again when that is done"
    } else {
        "check the path in the URL, and that this user may read and write the file and its folder"
    }
}

/// Replaces every secret in `text` by `***`: a server or library that repeats what it was sent must not spill it.
pub(crate) fn redact(text: &str, secrets: &[String]) -> String {
    let mut clean = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() > 2) {
        clean = clean.replace(secret.as_str(), "***");
    }
    clean
}
