//! Bases without a database: the empty one, on which scripts are replayed, and the unknown one, for loose files.

use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::base::{Base, BaseError};
use crate::model::{Dependent, Function, Relation, Sequence, UserType};

/// A base that holds nothing but the schemas every fresh database has.
#[derive(Debug)]
pub(crate) struct Ground {
    complete: bool,
    schemas: Vec<String>,
}

impl Ground {
    /// A fresh database: it holds nothing, and that is known. The schemas of the search path exist, because whoever
    /// replays into them has made them.
    pub fn empty(dialect: Dialect, search_path: &[String]) -> Self {
        let mut schemas = search_path.to_vec();
        if dialect == Dialect::Postgres && !schemas.iter().any(|schema| schema == "public") {
            schemas.push("public".to_owned());
        }
        Self {
            complete: true,
            schemas,
        }
    }

    /// A database of which nothing is known.
    pub fn unknown(dialect: Dialect, search_path: &[String]) -> Self {
        Self {
            complete: false,
            ..Self::empty(dialect, search_path)
        }
    }
}

impl Base for Ground {
    fn complete(&self) -> bool {
        self.complete
    }

    fn holds_nothing(&self) -> bool {
        true
    }

    fn schemas(&self) -> Result<Vec<String>, BaseError> {
        Ok(self.schemas.clone())
    }

    fn has_schema(&self, name: &str) -> Result<bool, BaseError> {
        Ok(self.schemas.iter().any(|known| known == name))
    }

    fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        Ok(Vec::new())
    }

    fn names(&self, _kind: ObjectKind) -> Result<Vec<ObjectName>, BaseError> {
        Ok(Vec::new())
    }

    fn relation(&self, _name: &ObjectName) -> Result<Option<Relation>, BaseError> {
        Ok(None)
    }

    fn index_owner(&self, _index: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        Ok(None)
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

    fn referencing(&self, _table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        Ok(Vec::new())
    }

    fn dependents(&self, _kind: ObjectKind, _name: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
        Ok(Vec::new())
    }
}
