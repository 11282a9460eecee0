//! The catalog of a native test: the engine's own schema, seen through the contract.

use std::rc::Rc;

use tollgate_schema::Schema;

use super::convert;
use crate::catalog::Catalog;
use crate::contract::{ColumnName, Constraint, Dependent, ObjectKind, ObjectName, ProbeError};
use crate::relation::Relation;

/// A catalog made from SQL.
pub struct SchemaCatalog {
    schema: Schema,
}

impl SchemaCatalog {
    /// A catalog that shows `schema`.
    pub fn new(schema: Schema) -> Self {
        Self { schema }
    }
}

/// A replay does not fail, because nothing lies below it that could.
fn sure<T>(answer: Result<T, tollgate_schema::BaseError>) -> T {
    answer.unwrap_or_else(|error| panic!("a replayed schema cannot fail: {error}"))
}

impl Catalog for SchemaCatalog {
    fn complete(&self) -> bool {
        self.schema.complete()
    }

    fn resolve(&self, kind: ObjectKind, name: &ObjectName) -> ObjectName {
        convert::object_name(
            &self
                .schema
                .resolve(convert::from_object_kind(kind), &convert::from_object_name(name)),
        )
    }

    fn relations(&self) -> Vec<ObjectName> {
        sure(self.schema.relations()).iter().map(convert::object_name).collect()
    }

    fn relation(&self, name: &ObjectName) -> Option<Rc<Relation<'_>>> {
        sure(self.schema.relation(&convert::from_object_name(name)))
            .map(|relation| Rc::new(convert::relation(&relation, self.schema.context().dialect)))
    }

    fn exists(&self, kind: ObjectKind, name: &ObjectName) -> Option<bool> {
        sure(
            self.schema
                .exists(convert::from_object_kind(kind), &convert::from_object_name(name)),
        )
    }

    fn known_empty(&self, table: &ObjectName) -> bool {
        self.schema.known_empty(&convert::from_object_name(table))
    }

    fn index_owner(&self, index: &ObjectName) -> Option<ObjectName> {
        sure(self.schema.index_owner(&convert::from_object_name(index)))
            .as_ref()
            .map(convert::object_name)
    }

    fn referencing(&self, name: &ObjectName) -> Vec<(ObjectName, Constraint)> {
        sure(self.schema.referencing(&convert::from_object_name(name)))
            .iter()
            .map(|(table, constraint)| (convert::object_name(table), convert::constraint(constraint)))
            .collect()
    }

    fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Vec<Dependent> {
        let dependents = self
            .schema
            .dependents(convert::from_object_kind(kind), &convert::from_object_name(name));
        sure(dependents).iter().map(convert::dependent).collect()
    }

    fn enum_values(&self, name: &ObjectName) -> Option<Vec<String>> {
        sure(self.schema.enum_values(&convert::from_object_name(name)))
    }

    fn functions(&self) -> Vec<ObjectName> {
        let names = sure(self.schema.function_names());
        names.iter().map(convert::object_name).collect()
    }

    fn ddl(&self, kind: ObjectKind, name: &ObjectName) -> Option<Vec<String>> {
        let kind = convert::from_object_kind(kind);
        sure(tollgate_schema::render::ddl(
            &self.schema,
            kind,
            &convert::from_object_name(name),
        ))
    }

    fn member_ddl(&self, kind: ObjectKind, of: &ObjectName, member: &str) -> Option<Vec<String>> {
        let kind = convert::from_object_kind(kind);
        sure(tollgate_schema::render::member_ddl(
            &self.schema,
            kind,
            &convert::from_object_name(of),
            member,
        ))
    }

    fn restore_table(&self, name: &ObjectName, target: &dyn Catalog) -> Option<Vec<String>> {
        let name = convert::from_object_name(name);
        sure(tollgate_schema::render::restore_table(
            &self.schema,
            target.schema()?,
            &name,
        ))
    }

    fn count_rows(&self, table: &ObjectName, limit: u64) -> Result<u64, ProbeError> {
        self.schema
            .count_rows(&convert::from_object_name(table), limit)
            .map_err(convert::probe_error)
    }

    fn count_values(&self, column: &ColumnName, limit: u64) -> Result<u64, ProbeError> {
        let table = convert::from_object_name(&column.table);
        self.schema
            .count_values(&table, &column.column, limit)
            .map_err(convert::probe_error)
    }

    fn count_nulls(&self, column: &ColumnName, limit: u64) -> Result<u64, ProbeError> {
        let table = convert::from_object_name(&column.table);
        self.schema
            .count_nulls(&table, &column.column, limit)
            .map_err(convert::probe_error)
    }

    fn count_duplicates(&self, table: &ObjectName, columns: &[String], limit: u64) -> Result<u64, ProbeError> {
        let table = convert::from_object_name(table);
        self.schema
            .count_duplicates(&table, columns, limit)
            .map_err(convert::probe_error)
    }

    fn schema(&self) -> Option<&Schema> {
        Some(&self.schema)
    }
}
