//! PostgreSQL's catalog, versions 11 to 18, read from one snapshot.
//!
//! The first question opens a REPEATABLE READ READ ONLY transaction on a connection of its own. Whatever reads is rolled
//! back to a savepoint, so that no lock outlives the question: a migration on another connection never waits for it.
//! The transaction itself does hold something up: CREATE INDEX CONCURRENTLY waits for older snapshots. So end it
//! ([`PostgresCatalog::end`], or drop the catalog) before such a statement runs.

mod constraints;
mod dependents;
mod functions;
mod indexes;
mod lists;
mod probes;
mod relations;
mod rows;
mod sequences;
mod session;
mod types;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::postgres::Client;
use tollgate_schema::model::{Dependent, Function, Relation, Sequence, UserType};
use tollgate_schema::{Base, BaseError, ProbeError};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use self::session::Session;
use super::is_own;

/// How long the catalog may wait or work.
#[derive(Debug, Clone, Copy)]
pub struct CatalogOptions {
    /// The longest a probe of rows may take.
    pub probe_timeout: Duration,
    /// The longest a question may wait for a lock that a running migration holds.
    pub lock_timeout: Duration,
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self {
            probe_timeout: Duration::from_secs(2),
            lock_timeout: Duration::from_secs(5),
        }
    }
}

/// The catalog of a connected PostgreSQL database.
pub struct PostgresCatalog {
    inner: Mutex<Inner>,
}

struct Inner {
    session: Session,
    cache: Cache,
}

/// What has been read. An absence is remembered too.
#[derive(Default)]
struct Cache {
    schemas: Option<Vec<String>>,
    extensions: Option<Vec<(String, String)>>,
    relation_names: Option<Vec<ObjectName>>,
    classes: Option<HashSet<ObjectName>>,
    names: HashMap<ObjectKind, Vec<ObjectName>>,
    index_owners: Option<HashMap<ObjectName, ObjectName>>,
    referencing: Option<HashMap<ObjectName, BTreeSet<ObjectName>>>,
    relations: HashMap<ObjectName, Option<Arc<Relation>>>,
    types: HashMap<ObjectName, Option<UserType>>,
    sequences: HashMap<ObjectName, Option<Sequence>>,
    functions: HashMap<ObjectName, Vec<Function>>,
    dependents: HashMap<(ObjectKind, ObjectName), Vec<Dependent>>,
}

impl PostgresCatalog {
    /// A catalog that calls `connect` when the first question is asked.
    pub fn new(connect: impl FnOnce() -> Result<Client, BaseError> + Send + 'static, options: CatalogOptions) -> Self {
        let session = Session::new(Box::new(connect), options);
        Self {
            inner: Mutex::new(Inner {
                session,
                cache: Cache::default(),
            }),
        }
    }

    /// Ends the snapshot and closes the connection. What has been read stays; other questions are errors from now on.
    pub fn end(&self) {
        self.lock().session.end();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in the middle of a read leaves nothing half done here: caches are filled by single assignments.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// The names among `wanted` whose relations have not been asked for yet.
    fn unread(&self, wanted: &[ObjectName]) -> Vec<ObjectName> {
        let mut names: Vec<_> = wanted
            .iter()
            .filter(|name| !is_own(name) && !self.relations.contains_key(*name))
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Inner {
    /// Names of everything that may be a relation or a sequence.
    fn classes(&mut self) -> Result<&HashSet<ObjectName>, BaseError> {
        let Self { session, cache } = self;
        filled(&mut cache.classes, || session.read(|client, _| lists::classes(client)))
    }

    fn prefetch(&mut self, names: &[ObjectName]) -> Result<(), BaseError> {
        let mut names = self.cache.unread(names);
        if names.is_empty() {
            return Ok(());
        }
        // Most names asked for are those of tables that a migration is about to make.
        let classes = self.classes()?;
        let absent: Vec<_> = names.extract_if(.., |name| !classes.contains(name)).collect();
        self.cache.relations.extend(absent.into_iter().map(|name| (name, None)));
        if names.is_empty() {
            return Ok(());
        }
        let mut found = self
            .session
            .read(|client, version| relations::read(client, version, &names))?;
        for name in names {
            let relation = found.remove(&name).map(Arc::new);
            self.cache.relations.insert(name, relation);
        }
        Ok(())
    }
}

/// What `map` holds under `key`, after `read` has put it there if need be.
fn remembered<K: Eq + Hash, V: Clone>(
    map: &mut HashMap<K, V>,
    key: K,
    read: impl FnOnce(&K) -> Result<V, BaseError>,
) -> Result<V, BaseError> {
    if let Some(known) = map.get(&key) {
        return Ok(known.clone());
    }
    let value = read(&key)?;
    map.insert(key, value.clone());
    Ok(value)
}

/// What `slot` holds, after `read` has filled it if need be.
fn filled<V>(slot: &mut Option<V>, read: impl FnOnce() -> Result<V, BaseError>) -> Result<&V, BaseError> {
    let value = match slot.take() {
        Some(value) => value,
        None => read()?,
    };
    Ok(slot.insert(value))
}

impl Base for PostgresCatalog {
    fn complete(&self) -> bool {
        true
    }

    fn schemas(&self) -> Result<Vec<String>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        filled(&mut cache.schemas, || session.read(|client, _| lists::schemas(client))).cloned()
    }

    fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        filled(&mut cache.relation_names, || {
            session.read(|client, _| lists::relations(client, "rpvmf"))
        })
        .cloned()
    }

    fn names(&self, kind: ObjectKind) -> Result<Vec<ObjectName>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        remembered(&mut cache.names, kind, |kind| {
            session.read(|client, _| lists::names(client, *kind))
        })
    }

    fn prefetch(&self, names: &[ObjectName]) -> Result<(), BaseError> {
        self.lock().prefetch(names)
    }

    fn relation(&self, name: &ObjectName) -> Result<Option<Relation>, BaseError> {
        let mut inner = self.lock();
        inner.prefetch(std::slice::from_ref(name))?;
        Ok(inner.cache.relations.get(name).and_then(Option::as_deref).cloned())
    }

    fn index_owner(&self, index: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        let owners = filled(&mut cache.index_owners, || {
            session.read(|client, _| lists::index_owners(client))
        })?;
        Ok(owners.get(index).cloned())
    }

    fn user_type(&self, name: &ObjectName) -> Result<Option<UserType>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        remembered(&mut cache.types, name.clone(), |name| {
            session.read(|client, _| types::read(client, name))
        })
    }

    fn sequence(&self, name: &ObjectName) -> Result<Option<Sequence>, BaseError> {
        let mut inner = self.lock();
        if !inner.classes()?.contains(name) {
            return Ok(None);
        }
        let Inner { session, cache } = &mut *inner;
        remembered(&mut cache.sequences, name.clone(), |name| {
            session.read(|client, _| sequences::read(client, name))
        })
    }

    fn functions(&self, name: &ObjectName) -> Result<Vec<Function>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        remembered(&mut cache.functions, name.clone(), |name| {
            session.read(|client, _| functions::read(client, name))
        })
    }

    fn extensions(&self) -> Result<Vec<(String, String)>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        filled(&mut cache.extensions, || {
            session.read(|client, _| lists::extensions(client))
        })
        .cloned()
    }

    fn referencing(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        let pairs = filled(&mut cache.referencing, || {
            session.read(|client, _| lists::referencing(client))
        })?;
        Ok(pairs
            .get(table)
            .map(|tables| tables.iter().cloned().collect())
            .unwrap_or_default())
    }

    fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
        let Inner { session, cache } = &mut *self.lock();
        remembered(&mut cache.dependents, (kind, name.clone()), |(kind, name)| {
            session.read(|client, _| dependents::read(client, *kind, name))
        })
    }

    fn count_rows(&self, table: &ObjectName, limit: u64) -> Result<u64, ProbeError> {
        self.lock().session.probe(&probes::rows(table, limit))
    }

    fn count_values(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        self.lock().session.probe(&probes::values(table, column, limit))
    }

    fn count_nulls(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        self.lock().session.probe(&probes::nulls(table, column, limit))
    }

    fn count_duplicates(&self, table: &ObjectName, columns: &[String], limit: u64) -> Result<u64, ProbeError> {
        if columns.is_empty() {
            return Ok(0);
        }
        self.lock().session.probe(&probes::duplicates(table, columns, limit))
    }
}
