//! What a question is about, and what of it has been put into the contract's words already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tollgate_schema::locks::Locks;
use tollgate_schema::model::{Column, Constraint, Index, Relation};
use tollgate_schema::{BaseError, List, Schema};

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
    relations: Kept<Arc<Relation>, Arc<catalog::Relation>>,
    columns: Kept<List<Column>, Arc<[catalog::Column]>>,
    indexes: Kept<List<Index>, Arc<[catalog::Index]>>,
    constraints: Kept<List<Constraint>, Arc<[catalog::Constraint]>>,
    occurring: OnceLock<Occurring>,
}

/// What has been converted, by the address of the original. That is held, so that nothing else can come to be there, and
/// whoever changes it changes a copy.
struct Kept<Original, To>(Mutex<HashMap<usize, Converted<Original, To>>>);

struct Converted<Original, To> {
    _held: Original,
    to: To,
}

impl<Original, To> Default for Kept<Original, To> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Original: Clone, To: Clone> Kept<Original, To> {
    fn of(&self, address: usize, from: &Original, convert: impl FnOnce(&Original) -> To) -> To {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let converted = kept.entry(address).or_insert_with(|| Converted {
            to: convert(from),
            _held: from.clone(),
        });
        converted.to.clone()
    }
}

impl<Original, To> Kept<List<Original>, Arc<[To]>> {
    fn list(&self, from: &List<Original>, convert: impl Fn(&Original) -> To) -> Arc<[To]> {
        self.of(from.as_ptr().addr(), from, |from| from.iter().map(convert).collect())
    }
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
            relations: Kept::default(),
            columns: Kept::default(),
            indexes: Kept::default(),
            constraints: Kept::default(),
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
    pub(crate) fn relation(&self, found: &Arc<Relation>) -> Arc<catalog::Relation> {
        let convert = |found: &Arc<Relation>| Arc::new(convert::relation(found));
        self.0.relations.of(Arc::as_ptr(found).addr(), found, convert)
    }

    /// The columns of a relation in one of the two snapshots.
    pub(crate) fn columns(&self, of: &Relation) -> Arc<[catalog::Column]> {
        let dialect = self.before().context().dialect;
        self.0
            .columns
            .list(&of.columns, |found| convert::column(found, dialect))
    }

    /// Its indexes.
    pub(crate) fn indexes(&self, of: &Relation) -> Arc<[catalog::Index]> {
        self.0.indexes.list(&of.indexes, convert::index)
    }

    /// Its constraints.
    pub(crate) fn constraints(&self, of: &Relation) -> Arc<[catalog::Constraint]> {
        self.0.constraints.list(&of.constraints, convert::constraint)
    }
}
