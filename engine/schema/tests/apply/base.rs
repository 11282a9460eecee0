//! A base for tests: shows a replayed schema as a database would, answers probes with fixed numbers, and remembers what it
//! was asked.

use std::sync::{Arc, Mutex};

use tollgate_schema::model::{Dependent, Function, Relation, Sequence, UserType};
use tollgate_schema::{Base, BaseError, ProbeError, Schema};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

pub struct Recorded {
    pub shown: Schema,
    pub asked: Mutex<Vec<String>>,
}

impl Recorded {
    pub fn over(shown: Schema) -> Arc<Self> {
        Arc::new(Self {
            shown,
            asked: Mutex::default(),
        })
    }

    /// The relations that were read, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

impl Base for Recorded {
    fn complete(&self) -> bool {
        true
    }

    fn schemas(&self) -> Result<Vec<String>, BaseError> {
        self.shown.schemas()
    }

    fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        self.shown.relations()
    }

    fn names(&self, kind: ObjectKind) -> Result<Vec<ObjectName>, BaseError> {
        match kind {
            ObjectKind::Type => self.shown.type_names(),
            ObjectKind::Sequence => self.shown.sequence_names(),
            ObjectKind::Function => self.shown.function_names(),
            _ => Ok(Vec::new()),
        }
    }

    fn prefetch(&self, names: &[ObjectName]) -> Result<(), BaseError> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        self.note(format!("prefetch {}", names.join(" ")));
        Ok(())
    }

    fn relation(&self, name: &ObjectName) -> Result<Option<Relation>, BaseError> {
        self.note(format!("relation {name}"));
        Ok(self.shown.relation(name)?.map(|relation| (*relation).clone()))
    }

    fn index_owner(&self, index: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        self.shown.index_owner(index)
    }

    fn user_type(&self, name: &ObjectName) -> Result<Option<UserType>, BaseError> {
        Ok(self.shown.user_type(name)?.map(|found| (*found).clone()))
    }

    fn sequence(&self, name: &ObjectName) -> Result<Option<Sequence>, BaseError> {
        Ok(self.shown.sequence(name)?.map(|found| (*found).clone()))
    }

    fn functions(&self, name: &ObjectName) -> Result<Vec<Function>, BaseError> {
        self.shown.functions(name)
    }

    fn extensions(&self) -> Result<Vec<(String, String)>, BaseError> {
        self.shown.extensions()
    }

    fn referencing(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        Ok(self
            .shown
            .referencing(table)?
            .into_iter()
            .map(|(name, _)| name)
            .collect())
    }

    fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
        self.shown.dependents(kind, name)
    }

    fn count_rows(&self, table: &ObjectName, limit: u64) -> Result<u64, ProbeError> {
        self.note(format!("rows {table}"));
        Ok(limit.min(1000))
    }

    fn count_values(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        self.note(format!("values {table}.{column}"));
        Ok(limit.min(900))
    }

    fn count_nulls(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        self.note(format!("nulls {table}.{column}"));
        Ok(limit.min(100))
    }

    fn count_duplicates(&self, table: &ObjectName, columns: &[String], limit: u64) -> Result<u64, ProbeError> {
        self.note(format!("duplicates {table} {}", columns.join(",")));
        Ok(limit.min(5))
    }
}
