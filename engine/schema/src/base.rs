//! What lies under a view: nothing (replay) or a connected database (read lazily).

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::model::{Dependent, Function, Relation, Sequence, UserType};

/// Why the base could not answer. The text never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BaseError {
    /// What happened, lower case, no full stop.
    pub message: String,
    /// What to do, where that is known.
    pub help: Option<String>,
}

/// Why a probe of rows gave no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No database is connected, or the object is not there yet.
    #[error("no database to ask")]
    NotAvailable,
    /// The probe ran into its statement timeout: treat as unknown.
    #[error("the probe took too long")]
    TimedOut,
    /// The object does not exist in the database.
    #[error("no such object")]
    UnknownObject,
    /// The server refused for another reason.
    #[error("{0}")]
    Other(String),
}

/// The ground a [`crate::Schema`] stands on. Implementations answer from one consistent moment and keep what they have
/// read, so asking twice costs nothing. Names come resolved: with a schema on PostgreSQL, without on `SQLite`.
pub trait Base: Send + Sync {
    /// Everything that exists is visible here. `false` when there may be objects the base does not know.
    fn complete(&self) -> bool;
    /// Whether it is certain that every question about an object is answered with nothing, so that it need not be asked.
    fn holds_nothing(&self) -> bool {
        false
    }
    /// Schemas that exist (PostgreSQL; without the system's own).
    fn schemas(&self) -> Result<Vec<String>, BaseError>;
    /// Whether there is a schema of that name.
    fn has_schema(&self, name: &str) -> Result<bool, BaseError> {
        Ok(self.schemas()?.iter().any(|known| known == name))
    }
    /// Names of all relations, system schemas and Tollgate's and Prisma's own tables left out.
    fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError>;
    /// Names of all user-defined types, sequences and functions of a kind, ascending. Domains are types too; the row types
    /// of relations, and arrays and multiranges that come with another type, are not listed.
    fn names(&self, kind: ObjectKind) -> Result<Vec<ObjectName>, BaseError>;
    /// Reads many relations in as few round trips as possible; a hint, later calls answer from it. Where nothing has to be
    /// read any more, there is nothing to do.
    fn prefetch(&self, _names: &[ObjectName]) -> Result<(), BaseError> {
        Ok(())
    }
    /// One relation with all that belongs to it.
    fn relation(&self, name: &ObjectName) -> Result<Option<Relation>, BaseError>;
    /// Table of an index.
    fn index_owner(&self, index: &ObjectName) -> Result<Option<ObjectName>, BaseError>;
    /// A user-defined type.
    fn user_type(&self, name: &ObjectName) -> Result<Option<UserType>, BaseError>;
    /// A sequence.
    fn sequence(&self, name: &ObjectName) -> Result<Option<Sequence>, BaseError>;
    /// All overloads of a function.
    fn functions(&self, name: &ObjectName) -> Result<Vec<Function>, BaseError>;
    /// Extensions: name and schema.
    fn extensions(&self) -> Result<Vec<(String, String)>, BaseError>;
    /// Tables with a foreign key to `table`; itself included when it refers to itself.
    fn referencing(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError>;
    /// What directly needs the object (views, functions, columns of a type, foreign keys of other tables, partitions,
    /// policies, triggers…), as the server records it. What belongs to the object itself and goes with it (its indexes,
    /// constraints, owned sequences) is left out, except where it stands in the way of dropping one of its columns: its
    /// generated columns, policies and triggers, with that column.
    fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Result<Vec<Dependent>, BaseError>;
    /// Rows, counted up to `limit`. Of this and the following, only a connected database knows anything.
    fn count_rows(&self, _table: &ObjectName, _limit: u64) -> Result<u64, ProbeError> {
        Err(ProbeError::NotAvailable)
    }
    /// Rows whose `column` is not null, counted up to `limit`.
    fn count_values(&self, _table: &ObjectName, _column: &str, _limit: u64) -> Result<u64, ProbeError> {
        Err(ProbeError::NotAvailable)
    }
    /// Rows whose `column` is null, counted up to `limit`.
    fn count_nulls(&self, _table: &ObjectName, _column: &str, _limit: u64) -> Result<u64, ProbeError> {
        Err(ProbeError::NotAvailable)
    }
    /// Groups of rows with equal values in `columns` (nulls differ from each other), up to `limit`.
    fn count_duplicates(&self, _table: &ObjectName, _columns: &[String], _limit: u64) -> Result<u64, ProbeError> {
        Err(ProbeError::NotAvailable)
    }
}
