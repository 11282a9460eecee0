//! What a question is about, and what of it has been put into the contract's words already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tollgate_schema::locks::Locks;
use tollgate_schema::model::Relation;
use tollgate_schema::{BaseError, Schema};

use crate::bindings::{catalog, script};
use crate::convert::{self, Occurring};
use crate::types::MigrationInput;

/// A migration and the schema around it. Clones are cheap, and share what was converted or worked out for the first
/// plugin that wanted to know: ask all plugins about the same one.
#[derive(Clone)]
pub struct Subject(Arc<Parts>);

struct Parts {
    migration: MigrationInput,
    /// Before and after.
    snapshots: [Schema; 2],
    locks: Locks,
    statements: OnceLock<Arc<[script::Statement]>>,
    changes: OnceLock<Arc<[script::Change]>>,
    table_locks: OnceLock<Result<Arc<[Vec<script::TableLock>]>, BaseError>>,
    relations: Mutex<HashMap<Version, Converted>>,
    occurring: OnceLock<Occurring>,
}

/// Address of a version of a relation. No other can come to be there while its [`Converted`] holds it.
type Version = usize;

struct Converted {
    _held: Arc<Relation>,
    record: Arc<catalog::Relation>,
}

impl Subject {
    /// A migration, the schema without it and the schema with it.
    pub fn new(migration: MigrationInput, before: Schema, after: Schema) -> Self {
        Self::with_locks(migration, before, after, Locks::default())
    }

    /// The same where what the migration locks, seen from `before`, has been worked out already.
    pub fn with_locks(migration: MigrationInput, before: Schema, after: Schema, locks: Locks) -> Self {
        Self(Arc::new(Parts {
            migration,
            snapshots: [before, after],
            locks,
            statements: OnceLock::new(),
            changes: OnceLock::new(),
            table_locks: OnceLock::new(),
            relations: Mutex::default(),
            occurring: OnceLock::new(),
        }))
    }

    /// The migration.
    pub fn migration(&self) -> &MigrationInput {
        &self.0.migration
    }

    /// The schema without the migration.
    pub fn before(&self) -> &Schema {
        &self.0.snapshots[0]
    }

    /// The schema with it.
    pub fn after(&self) -> &Schema {
        &self.0.snapshots[1]
    }

    /// [`Subject::before`] and [`Subject::after`] by number.
    pub(crate) fn snapshot(&self, number: usize) -> Option<&Schema> {
        self.0.snapshots.get(number)
    }

    pub(crate) fn statements(&self) -> Arc<[script::Statement]> {
        let convert = || convert::statements(&self.migration().script);
        Arc::clone(self.0.statements.get_or_init(convert))
    }

    /// Which operations the script holds.
    pub(crate) fn occurring(&self) -> &Occurring {
        let find = || Occurring::of(&self.statements(), &self.changes());
        self.0.occurring.get_or_init(find)
    }

    pub(crate) fn changes(&self) -> Arc<[script::Change]> {
        let convert = || convert::changes(&self.migration().script);
        Arc::clone(self.0.changes.get_or_init(convert))
    }

    /// Worked out when somebody asks: most rules never do.
    pub(crate) fn locks(&self) -> Result<Arc<[Vec<script::TableLock>]>, BaseError> {
        let find = || {
            let found = self.0.locks.of(self.before(), &self.migration().script)?;
            Ok(convert::table_locks(found))
        };
        self.0.table_locks.get_or_init(find).clone()
    }

    /// The record of a relation, `found` in one of the two snapshots.
    pub(crate) fn relation(&self, found: Arc<Relation>) -> Arc<catalog::Relation> {
        let mut relations = self.0.relations.lock().unwrap_or_else(PoisonError::into_inner);
        let converted = relations
            .entry(Arc::as_ptr(&found).addr())
            .or_insert_with(|| Converted {
                record: Arc::new(convert::relation(&found)),
                _held: found,
            });
        Arc::clone(&converted.record)
    }
}
