//! One thing that was looked at, and what was seen.

use std::time::Duration;

/// How good or bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It was not looked at, or could not be.
    Skipped,
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// It can go wrong.
    Warn,
    /// A deploy fails or hangs because of it, or has failed.
    Bad,
}

impl Status {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The way to the database.
    Connection,
    /// The server and its settings.
    Server,
    /// What the role may do.
    Privileges,
    /// Poolers, standbys and whatever else hangs on the server.
    Replication,
    /// What others are doing.
    Load,
    /// Advisory locks and leases.
    Locks,
    /// What is recorded.
    Ledger,
    /// What is stored.
    Database,
    /// The folder of migrations.
    Migrations,
}

impl Group {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Privileges => "privileges",
            Self::Replication => "replication",
            Self::Load => "load",
            Self::Locks => "locks",
            Self::Ledger => "ledger",
            Self::Database => "database",
            Self::Migrations => "migrations",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub group: Group,
    /// Stable name in kebab case.
    pub name: &'static str,
    /// How good or bad it is.
    pub status: Status,
    /// What was seen, in one line.
    pub line: String,
    /// What to do, for those that need doing something.
    pub help: Option<String>,
    /// The single things behind the line.
    pub details: Vec<String>,
    /// How long it took, for those that are about time.
    pub elapsed: Option<Duration>,
}

impl Finding {
    /// A finding of any status.
    pub fn new(group: Group, name: &'static str, status: Status, line: impl Into<String>) -> Self {
        Self {
            group,
            name,
            status,
            line: line.into(),
            help: None,
            details: Vec::new(),
            elapsed: None,
        }
    }

    /// The same with what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with what is behind the line.
    #[must_use]
    pub fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// The same with the time it took.
    #[must_use]
    pub(crate) fn took(mut self, elapsed: Duration) -> Self {
        self.elapsed = Some(elapsed);
        self
    }
}
