//! Everything that is in a catalog at one moment, with nothing left open.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_schema::model::{Dependent, Function, Relation, Sequence, UserType};
use tollgate_schema::{Base, BaseError, Schema};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::database::Database;

/// A catalog whose lists and objects have all been read, and whose connection is closed.
struct Picture {
    read: Arc<dyn Base>,
    relations: BTreeSet<ObjectName>,
    sequences: BTreeSet<ObjectName>,
    types: BTreeSet<ObjectName>,
    functions: BTreeSet<ObjectName>,
}

impl Database {
    /// Reads the whole catalog. Unlike [`Database::catalog`] the schema needs no connection any more: it can be kept while
    /// the database changes, and holds nothing up. Who depends on what, and rows, cannot be asked for.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub fn picture(&mut self) -> Result<Schema, BaseError> {
        let base = self.catalog().map_err(|error| BaseError {
            message: error.to_string(),
            help: error.help(),
        })?;
        let names = base.relation_names()?;
        base.prefetch(&names)?;
        let schema = Schema::over(Arc::clone(&base), self.context());
        schema.schemas()?;
        schema.extensions()?;
        for name in &names {
            schema.relation(name)?;
        }
        // Any name will do: the lists of all of them are read.
        let nothing = ObjectName::qualified("public", "");
        base.index_owner(&nothing)?;
        base.referencing(&nothing)?;
        let mut picture = Picture {
            read: base,
            relations: names.into_iter().collect(),
            sequences: BTreeSet::new(),
            types: BTreeSet::new(),
            functions: BTreeSet::new(),
        };
        for name in schema.type_names()? {
            schema.user_type(&name)?;
            picture.types.insert(name);
        }
        for name in schema.sequence_names()? {
            schema.sequence(&name)?;
            picture.sequences.insert(name);
        }
        for name in schema.function_names()? {
            schema.functions(&name)?;
            picture.functions.insert(name);
        }
        self.end_catalogs();
        Ok(Schema::over(Arc::new(picture), self.context()))
    }
}

impl Base for Picture {
    fn complete(&self) -> bool {
        true
    }

    fn schemas(&self) -> Result<Vec<String>, BaseError> {
        self.read.schemas()
    }

    fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        self.read.relation_names()
    }

    fn names(&self, kind: ObjectKind) -> Result<Vec<ObjectName>, BaseError> {
        self.read.names(kind)
    }

    fn relation(&self, name: &ObjectName) -> Result<Option<Relation>, BaseError> {
        if self.relations.contains(name) {
            self.read.relation(name)
        } else {
            Ok(None)
        }
    }

    fn index_owner(&self, index: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        self.read.index_owner(index)
    }

    fn user_type(&self, name: &ObjectName) -> Result<Option<UserType>, BaseError> {
        if self.types.contains(name) {
            self.read.user_type(name)
        } else {
            Ok(None)
        }
    }

    fn sequence(&self, name: &ObjectName) -> Result<Option<Sequence>, BaseError> {
        if self.sequences.contains(name) {
            self.read.sequence(name)
        } else {
            Ok(None)
        }
    }

    fn functions(&self, name: &ObjectName) -> Result<Vec<Function>, BaseError> {
        if self.functions.contains(name) {
            self.read.functions(name)
        } else {
            Ok(Vec::new())
        }
    }

    fn extensions(&self) -> Result<Vec<(String, String)>, BaseError> {
        self.read.extensions()
    }

    fn referencing(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        self.read.referencing(table)
    }

    fn dependents(&self, _kind: ObjectKind, _name: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
        Err(BaseError {
            message: "who depends on what is not in a picture of the catalog".to_owned(),
            help: None,
        })
    }
}
