//! Scratch databases: made for one run, filled as it likes, and gone when it is over.
//!
//! On PostgreSQL it is a database of its own on the server, on `SQLite` a file in a folder of its own. Either is removed
//! when its [`Scratch`] ends. A process that was killed leaves one behind: the next run recognises it by the lock that
//! nobody holds any more, and removes it. What it did not make it never removes, whatever it is called.

mod copy;
mod file;
mod picture;
mod rows;
mod server;

use std::path::PathBuf;

use crate::error::DatabaseError;
use crate::target::{Target, TargetKind};

use file::ScratchFile;
pub use rows::RowDigests;
use server::ScratchOnServer;

/// What a scratch database has in it when it begins.
#[derive(Debug, Clone, Default)]
pub enum Start {
    /// Nothing.
    #[default]
    Empty,
    /// Everything that this database of the same server has, rows included. PostgreSQL only; nobody may be connected to it.
    Template(String),
    /// PostgreSQL: everything that this database has but its rows, and what its ledger says is applied. `SQLite`: a copy of
    /// the file. The database is only read.
    CopyOf(Box<Target>),
}

/// How to make one.
#[derive(Debug, Clone)]
pub struct ScratchOptions {
    /// What it begins with.
    pub start: Start,
    /// PostgreSQL: the schema that the ledger and unqualified names live in. `None`: that of the URL.
    pub schema: Option<String>,
    /// `SQLite`: the folder in which a folder for the file is made.
    pub folder: PathBuf,
    /// What the server shows as our name, unless the URL says otherwise.
    pub application_name: String,
}

/// A database for one run. It ends with the value.
pub struct Scratch {
    target: Target,
    kind: Kind,
    removed: Vec<String>,
    not_copied: Vec<String>,
}

enum Kind {
    Server(Box<ScratchOnServer>),
    File(ScratchFile),
}

impl Scratch {
    /// Makes one: on the server of `place`, or for a file beside nothing of it, in the options' folder. What dead runs have
    /// left there is removed first.
    ///
    /// # Errors
    /// The server or the folder does not let us, or what it is to begin with cannot be read. Then nothing is left.
    pub fn create(place: &Target, options: &ScratchOptions) -> Result<Self, DatabaseError> {
        match &place.kind {
            TargetKind::Postgres(place) => server::create(place, options),
            TargetKind::Sqlite(place) => file::create(place, options),
        }
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The database's name, or the file.
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Server(server) => server.name(),
            Kind::File(file) => file.path().display().to_string(),
        }
    }

    /// What dead runs had left, and was removed.
    pub fn removed_leftovers(&self) -> &[String] {
        &self.removed
    }

    /// What the database that it was copied from has besides, and why it is not here.
    pub fn not_copied(&self) -> &[String] {
        &self.not_copied
    }

    /// Removes it, with everybody who is connected to it.
    ///
    /// # Errors
    /// It is still there. The next run tries again.
    pub fn remove(self) -> Result<(), DatabaseError> {
        match self.kind {
            Kind::Server(mut server) => server.remove(),
            Kind::File(file) => file.remove(),
        }
    }

    /// Leaves it for people to look at; no later run removes it. Says what it is called.
    ///
    /// # Errors
    /// The server does not answer any more.
    pub fn keep(self) -> Result<String, DatabaseError> {
        match self.kind {
            Kind::Server(server) => server.keep(),
            Kind::File(file) => Ok(file.keep().display().to_string()),
        }
    }
}

/// A place and what to begin with that do not go together.
fn impossible(place: String, reason: &str) -> DatabaseError {
    DatabaseError::Unsupported {
        target: place,
        reason: reason.to_owned(),
    }
}
