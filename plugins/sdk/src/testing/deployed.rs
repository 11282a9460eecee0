//! A connected database: the deployed schema, and numbers for the probes.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_schema::Schema;
use tollgate_schema::base::{Base, BaseError, ProbeError};
use tollgate_schema::model::{Dependent, Function, Relation, Sequence, UserType};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use super::ByColumns;

/// What probes answer, by the table's name without schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) rows: BTreeMap<String, u64>,
    pub(super) nulls: BTreeMap<(String, String), u64>,
    pub(super) duplicates: ByColumns,
    /// Indexes without their schema.
    pub(super) invalid: BTreeSet<String>,
}

/// See the module.
pub(super) struct Deployed {
    schema: Schema,
    answers: Answers,
}

impl Deployed {
    pub(super) fn new(schema: Schema, answers: Answers) -> Self {
        Self { schema, answers }
    }

    fn rows(&self, table: &ObjectName) -> Result<u64, ProbeError> {
        self.answers
            .rows
            .get(&table.name)
            .copied()
            .ok_or(ProbeError::NotAvailable)
    }
}

impl Base for Deployed {
    fn complete(&self) -> bool {
        self.schema.complete()
    }

    fn schemas(&self) -> Result<Vec<String>, BaseError> {
        self.schema.schemas()
    }

    fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        self.schema.relations()
    }

    fn names(&self, kind: ObjectKind) -> Result<Vec<ObjectName>, BaseError> {
        match kind {
            ObjectKind::Type => self.schema.type_names(),
            ObjectKind::Sequence => self.schema.sequence_names(),
            ObjectKind::Function => self.schema.function_names(),
            _ => Ok(Vec::new()),
        }
    }

    fn prefetch(&self, _names: &[ObjectName]) -> Result<(), BaseError> {
        Ok(())
    }

    fn relation(&self, name: &ObjectName) -> Result<Option<Relation>, BaseError> {
        let relation = self.schema.relation(name)?;
        Ok(relation.map(|relation| {
            let mut relation = Relation {
                estimated_rows: self.answers.rows.get(&name.name).copied(),
                ..(*relation).clone()
            };
            for index in &mut relation.indexes {
                index.valid &= !self.answers.invalid.contains(&index.name);
            }
            relation
        }))
    }

    fn index_owner(&self, index: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        self.schema.index_owner(index)
    }

    fn user_type(&self, name: &ObjectName) -> Result<Option<UserType>, BaseError> {
        Ok(self.schema.user_type(name)?.map(|found| (*found).clone()))
    }

    fn sequence(&self, name: &ObjectName) -> Result<Option<Sequence>, BaseError> {
        Ok(self.schema.sequence(name)?.map(|found| (*found).clone()))
    }

    fn functions(&self, name: &ObjectName) -> Result<Vec<Function>, BaseError> {
        self.schema.functions(name)
    }

    fn extensions(&self) -> Result<Vec<(String, String)>, BaseError> {
        self.schema.extensions()
    }

    fn referencing(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        Ok(self
            .schema
            .referencing(table)?
            .into_iter()
            .map(|(name, _)| name)
            .collect())
    }

    fn dependents(&self, kind: ObjectKind, name: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
        self.schema.dependents(kind, name)
    }

    fn count_rows(&self, table: &ObjectName, limit: u64) -> Result<u64, ProbeError> {
        Ok(self.rows(table)?.min(limit))
    }

    fn count_values(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        let nulls = self.count_nulls(table, column, u64::MAX)?;
        Ok(self.rows(table)?.saturating_sub(nulls).min(limit))
    }

    fn count_nulls(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        self.rows(table)?;
        let nulls = self.answers.nulls.get(&(table.name.clone(), column.to_owned()));
        Ok(nulls.copied().unwrap_or(0).min(limit))
    }

    fn count_duplicates(&self, table: &ObjectName, columns: &[String], limit: u64) -> Result<u64, ProbeError> {
        self.rows(table)?;
        let groups = self.answers.duplicates.get(&(table.name.clone(), columns.to_vec()));
        Ok(groups.copied().unwrap_or(0).min(limit))
    }
}
