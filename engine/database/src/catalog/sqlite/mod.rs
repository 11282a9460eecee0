//! SQLite's catalog. The whole of it is read in one short transaction, with a constant number of queries, when the first
//! question is asked; what has to be parsed is parsed when somebody asks for it. No transaction stays open, because in
//! rollback-journal mode a reader keeps every writer from committing.

mod definition;
mod dependents;
mod picture;
mod probes;
mod relations;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::SqliteConnection;
use tollgate_schema::model::{Dependent, Function, Relation, Sequence, UserType};
use tollgate_schema::{Base, BaseError, ProbeError};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use self::picture::Picture;
use super::{failure, is_own};

type Connect = Box<dyn FnOnce() -> Result<SqliteConnection, BaseError> + Send>;

/// The catalog of a connected SQLite database.
pub struct SqliteCatalog {
    inner: Mutex<Inner>,
}

struct Inner {
    link: Link,
    picture: Option<Arc<Picture>>,
    relations: HashMap<String, Option<Arc<Relation>>>,
}

enum Link {
    Waiting(Connect),
    Open(SqliteConnection),
    /// Not to be had any more, and why.
    Ended(BaseError),
}

/// Names that differ only in the case of ASCII letters are one name.
fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl SqliteCatalog {
    /// A catalog that calls `connect` when the first question is asked.
    pub fn new(connect: impl FnOnce() -> Result<SqliteConnection, BaseError> + Send + 'static) -> Self {
        let link = Link::Waiting(Box::new(connect));
        Self {
            inner: Mutex::new(Inner {
                link,
                picture: None,
                relations: HashMap::new(),
            }),
        }
    }

    /// Closes the connection. What has been read stays; probes are not available from now on.
    pub fn end(&self) {
        self.lock().link = Link::Ended(failure("the catalog's connection has been closed"));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in the middle of a read leaves nothing half done here: caches are filled by single assignments.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn picture(&self) -> Result<Arc<Picture>, BaseError> {
        self.lock().picture()
    }
}

impl Inner {
    fn connection(&mut self) -> Result<&mut SqliteConnection, BaseError> {
        if let Link::Waiting(_) = self.link {
            let waiting = std::mem::replace(&mut self.link, Link::Ended(failure("the catalog could not be opened")));
            if let Link::Waiting(connect) = waiting {
                self.link = connect().map_or_else(Link::Ended, Link::Open);
            }
        }
        match &mut self.link {
            Link::Open(connection) => Ok(connection),
            Link::Ended(error) => Err(error.clone()),
            Link::Waiting(_) => Err(failure("the catalog is not open")),
        }
    }

    fn picture(&mut self) -> Result<Arc<Picture>, BaseError> {
        if let Some(picture) = &self.picture {
            return Ok(Arc::clone(picture));
        }
        let read = picture::read(self.connection()?);
        let picture = Arc::new(read.map_err(|error| failure(format!("cannot read the catalog: {error}")))?);
        self.picture = Some(Arc::clone(&picture));
        Ok(picture)
    }

    fn relation(&mut self, name: &ObjectName) -> Result<Option<Arc<Relation>>, BaseError> {
        // Attached databases are not ours to look into.
        if name.schema.is_some() || is_own(name) {
            return Ok(None);
        }
        let key = key(&name.name);
        if let Some(known) = self.relations.get(&key) {
            return Ok(known.clone());
        }
        let relation = relations::assemble(&*self.picture()?, &key).map(Arc::new);
        self.relations.insert(key, relation.clone());
        Ok(relation)
    }

    fn probe(&mut self, query: &probes::Probe) -> Result<u64, ProbeError> {
        let moment = self
            .picture()
            .map_err(|error| ProbeError::Other(error.message))?
            .schema_version;
        let connection = self.connection().map_err(|_| ProbeError::NotAvailable)?;
        probes::run(connection, moment, query)
    }
}

impl Base for SqliteCatalog {
    fn complete(&self) -> bool {
        true
    }

    fn schemas(&self) -> Result<Vec<String>, BaseError> {
        Ok(Vec::new())
    }

    fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        Ok(self.picture()?.names(&["table", "view"]))
    }

    fn names(&self, kind: ObjectKind) -> Result<Vec<ObjectName>, BaseError> {
        let kinds: &[&str] = match kind {
            ObjectKind::Table => &["table"],
            ObjectKind::View => &["view"],
            ObjectKind::Index => &["index"],
            ObjectKind::Trigger => &["trigger"],
            _ => return Ok(Vec::new()),
        };
        Ok(self.picture()?.names(kinds))
    }

    fn prefetch(&self, _names: &[ObjectName]) -> Result<(), BaseError> {
        self.picture().map(|_| ())
    }

    fn relation(&self, name: &ObjectName) -> Result<Option<Relation>, BaseError> {
        Ok(self.lock().relation(name)?.as_deref().cloned())
    }

    fn index_owner(&self, index: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        let picture = self.picture()?;
        Ok(picture
            .object("index", &key(&index.name))
            .map(|object| ObjectName::bare(&object.tbl_name)))
    }

    fn user_type(&self, _name: &ObjectName) -> Result<Option<UserType>, BaseError> {
        Ok(None)
    }

    fn sequence(&self, _name: &ObjectName) -> Result<Option<Sequence>, BaseError> {
        Ok(None)
    }

    fn functions(&self, _name: &ObjectName) -> Result<Vec<Function>, BaseError> {
        Ok(Vec::new())
    }

    fn extensions(&self) -> Result<Vec<(String, String)>, BaseError> {
        Ok(Vec::new())
    }

    fn referencing(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        Ok(self.picture()?.referencing(&key(&table.name)))
    }

    fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
        if !matches!(kind, ObjectKind::Table | ObjectKind::View) {
            return Ok(Vec::new());
        }
        let mut inner = self.lock();
        let picture = inner.picture()?;
        let mut relations = Vec::new();
        for other in picture.names(&["table", "view"]) {
            relations.extend(inner.relation(&other)?);
        }
        Ok(dependents::of(&key(&name.name), &relations))
    }

    fn count_rows(&self, table: &ObjectName, limit: u64) -> Result<u64, ProbeError> {
        self.lock().probe(&probes::rows(table, limit))
    }

    fn count_values(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        self.lock().probe(&probes::values(table, column, limit))
    }

    fn count_nulls(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        self.lock().probe(&probes::nulls(table, column, limit))
    }

    fn count_duplicates(&self, table: &ObjectName, columns: &[String], limit: u64) -> Result<u64, ProbeError> {
        if columns.is_empty() {
            return Ok(0);
        }
        self.lock().probe(&probes::duplicates(table, columns, limit))
    }
}
