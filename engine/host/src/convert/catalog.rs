//! The contract's `catalog` interface: what a plugin sees of a schema.
//!
//! A catalog that cannot be read ends the call as a named failure. The plugin does not get to see an error that it
//! could mistake for "no such table".

use std::sync::Arc;

use tollgate_schema::model::{Column, Constraint, ConstraintRule, Dependent, Index, Relation, RelationKind};
use tollgate_schema::{BaseError, ProbeError, Schema, render};
use tollgate_sql::{Dialect, ObjectName, operation as sql};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use super::{from_object_kind, from_object_name, object_kind, object_name, object_names};
use crate::bindings::types::{self, ColumnName, ObjectKind};
use crate::bindings::{catalog as wit, script};
use crate::fault::Fault;
use crate::state::{PROBE, SnapshotHandle, State};
use crate::subject::Subject;

impl types::Host for State {}

impl wit::Host for State {}

type Handle = Resource<SnapshotHandle>;

/// What cannot be read ends the call.
pub(super) fn known<T>(answer: Result<T, BaseError>) -> wasmtime::Result<T> {
    answer.map_err(|error| Fault::Catalog(error.message).into())
}

/// Puts functions that hand out what the subject keeps, instead of copies of it, in the place of those below.
pub(super) fn add_shared_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("tollgate:plugin/catalog@0.1.0")?;
    instance.func_wrap(
        "[method]snapshot.relation",
        |store: StoreContextMut<'_, State>, (snapshot, name): (Handle, types::ObjectName)| {
            Ok((store.data().shared_relation(&snapshot, name)?,))
        },
    )?;
    instance.func_wrap(
        "[method]snapshot.columns",
        |store: StoreContextMut<'_, State>, (snapshot, of): (Handle, types::ObjectName)| {
            Ok((store.data().shared_parts(&snapshot, of, Subject::columns)?,))
        },
    )?;
    instance.func_wrap(
        "[method]snapshot.indexes",
        |store: StoreContextMut<'_, State>, (snapshot, of): (Handle, types::ObjectName)| {
            Ok((store.data().shared_parts(&snapshot, of, Subject::indexes)?,))
        },
    )?;
    instance.func_wrap(
        "[method]snapshot.constraints",
        |store: StoreContextMut<'_, State>, (snapshot, of): (Handle, types::ObjectName)| {
            Ok((store.data().shared_parts(&snapshot, of, Subject::constraints)?,))
        },
    )
}

impl State {
    fn shared_relation(
        &self,
        snapshot: &Handle,
        name: types::ObjectName,
    ) -> wasmtime::Result<Option<Arc<wit::Relation>>> {
        let found = known(self.snapshot(snapshot)?.relation(&from_object_name(name)))?;
        let subject = self.subject()?;
        Ok(found.map(|found| subject.relation(&found)))
    }

    /// One list of a relation's; empty where there is no such relation.
    fn shared_parts<T>(
        &self,
        snapshot: &Handle,
        of: types::ObjectName,
        parts: impl Fn(&Subject, &Relation) -> Arc<[T]>,
    ) -> wasmtime::Result<Arc<[T]>> {
        let found = known(self.snapshot(snapshot)?.relation(&from_object_name(of)))?;
        let subject = self.subject()?;
        Ok(found.map_or_else(|| Arc::from([]), |found| parts(subject, &found)))
    }

    /// Names of parts of a relation; none where there is no such relation.
    fn names_of_parts<P>(
        &self,
        snapshot: &Handle,
        of: types::ObjectName,
        parts: impl Fn(&Relation) -> &[P],
        name: impl Fn(&P) -> &String,
    ) -> wasmtime::Result<Vec<String>> {
        let found = known(self.snapshot(snapshot)?.relation(&from_object_name(of)))?;
        Ok(found.map_or_else(Vec::new, |found| parts(&found).iter().map(name).cloned().collect()))
    }

    fn probe(
        &mut self,
        handle: &Handle,
        count: impl FnOnce(&Schema) -> Result<u64, ProbeError>,
    ) -> wasmtime::Result<Result<u64, wit::ProbeError>> {
        if !self.allowed(PROBE) {
            return Ok(Err(wit::ProbeError::Denied));
        }
        let answer = count(self.snapshot(handle)?);
        Ok(answer.map_err(|error| match error {
            ProbeError::NotAvailable => wit::ProbeError::NotAvailable,
            ProbeError::TimedOut => wit::ProbeError::TimedOut,
            ProbeError::UnknownObject => wit::ProbeError::UnknownObject,
            ProbeError::Other(message) => wit::ProbeError::Other(message),
        }))
    }
}

impl wit::HostSnapshot for State {
    fn complete(&mut self, snapshot: Handle) -> wasmtime::Result<bool> {
        Ok(self.snapshot(&snapshot)?.complete())
    }

    fn resolve(
        &mut self,
        snapshot: Handle,
        kind: ObjectKind,
        name: types::ObjectName,
    ) -> wasmtime::Result<types::ObjectName> {
        Ok(object_name(
            &self
                .snapshot(&snapshot)?
                .resolve(from_object_kind(kind), &from_object_name(name)),
        ))
    }

    fn relations(&mut self, snapshot: Handle) -> wasmtime::Result<Vec<types::ObjectName>> {
        Ok(object_names(&known(self.snapshot(&snapshot)?.relations())?))
    }

    fn relation(&mut self, snapshot: Handle, name: types::ObjectName) -> wasmtime::Result<Option<wit::Relation>> {
        Ok(self.shared_relation(&snapshot, name)?.map(|shared| (*shared).clone()))
    }

    fn columns(&mut self, snapshot: Handle, of: types::ObjectName) -> wasmtime::Result<Vec<wit::Column>> {
        Ok(self.shared_parts(&snapshot, of, Subject::columns)?.to_vec())
    }

    fn column(&mut self, snapshot: Handle, name: ColumnName) -> wasmtime::Result<Option<wit::Column>> {
        let schema = self.snapshot(&snapshot)?;
        let (table, name) = from_column(name);
        let relation = known(schema.relation(&table))?;
        let found = relation
            .as_ref()
            .and_then(|of| of.columns.iter().find(|of| of.name == name));
        Ok(found.map(|found| column(found, schema.context().dialect)))
    }

    fn indexes(&mut self, snapshot: Handle, of: types::ObjectName) -> wasmtime::Result<Vec<wit::Index>> {
        Ok(self.shared_parts(&snapshot, of, Subject::indexes)?.to_vec())
    }

    fn constraints(&mut self, snapshot: Handle, of: types::ObjectName) -> wasmtime::Result<Vec<wit::Constraint>> {
        Ok(self.shared_parts(&snapshot, of, Subject::constraints)?.to_vec())
    }

    fn triggers(&mut self, snapshot: Handle, of: types::ObjectName) -> wasmtime::Result<Vec<String>> {
        self.names_of_parts(&snapshot, of, |of| &of.triggers, |trigger| &trigger.name)
    }

    fn policies(&mut self, snapshot: Handle, of: types::ObjectName) -> wasmtime::Result<Vec<String>> {
        self.names_of_parts(&snapshot, of, |of| &of.policies, |policy| &policy.name)
    }

    fn exists(
        &mut self,
        snapshot: Handle,
        kind: ObjectKind,
        name: types::ObjectName,
    ) -> wasmtime::Result<Option<bool>> {
        known(
            self.snapshot(&snapshot)?
                .exists(from_object_kind(kind), &from_object_name(name)),
        )
    }

    fn known_empty(&mut self, snapshot: Handle, table: types::ObjectName) -> wasmtime::Result<bool> {
        Ok(self.snapshot(&snapshot)?.known_empty(&from_object_name(table)))
    }

    fn index_owner(
        &mut self,
        snapshot: Handle,
        index: types::ObjectName,
    ) -> wasmtime::Result<Option<types::ObjectName>> {
        let owner = known(self.snapshot(&snapshot)?.index_owner(&from_object_name(index)))?;
        Ok(owner.as_ref().map(object_name))
    }

    fn referencing(
        &mut self,
        snapshot: Handle,
        name: types::ObjectName,
    ) -> wasmtime::Result<Vec<(types::ObjectName, wit::Constraint)>> {
        let found = known(self.snapshot(&snapshot)?.referencing(&from_object_name(name)))?;
        Ok(found
            .iter()
            .map(|(table, key)| (object_name(table), constraint(key)))
            .collect())
    }

    fn dependents(
        &mut self,
        snapshot: Handle,
        kind: ObjectKind,
        name: types::ObjectName,
    ) -> wasmtime::Result<Vec<wit::Dependent>> {
        let found = known(
            self.snapshot(&snapshot)?
                .dependents(from_object_kind(kind), &from_object_name(name)),
        )?;
        Ok(found.iter().map(dependent).collect())
    }

    fn enum_values(&mut self, snapshot: Handle, name: types::ObjectName) -> wasmtime::Result<Option<Vec<String>>> {
        known(self.snapshot(&snapshot)?.enum_values(&from_object_name(name)))
    }

    fn functions(&mut self, snapshot: Handle) -> wasmtime::Result<Vec<types::ObjectName>> {
        Ok(object_names(&known(self.snapshot(&snapshot)?.function_names())?))
    }

    fn ddl(
        &mut self,
        snapshot: Handle,
        kind: ObjectKind,
        name: types::ObjectName,
    ) -> wasmtime::Result<Option<Vec<String>>> {
        known(render::ddl(
            self.snapshot(&snapshot)?,
            from_object_kind(kind),
            &from_object_name(name),
        ))
    }

    fn member_ddl(
        &mut self,
        snapshot: Handle,
        kind: ObjectKind,
        of: types::ObjectName,
        member: String,
    ) -> wasmtime::Result<Option<Vec<String>>> {
        let schema = self.snapshot(&snapshot)?;
        known(render::member_ddl(
            schema,
            from_object_kind(kind),
            &from_object_name(of),
            &member,
        ))
    }

    fn restore_table(
        &mut self,
        snapshot: Handle,
        name: types::ObjectName,
        target: Handle,
    ) -> wasmtime::Result<Option<Vec<String>>> {
        let (wanted, current) = (self.snapshot(&snapshot)?, self.snapshot(&target)?);
        known(render::restore_table(wanted, current, &from_object_name(name)))
    }

    fn count_rows(
        &mut self,
        snapshot: Handle,
        name: types::ObjectName,
        limit: u64,
    ) -> wasmtime::Result<Result<u64, wit::ProbeError>> {
        self.probe(&snapshot, |schema| schema.count_rows(&from_object_name(name), limit))
    }

    fn count_values(
        &mut self,
        snapshot: Handle,
        column: ColumnName,
        limit: u64,
    ) -> wasmtime::Result<Result<u64, wit::ProbeError>> {
        let (table, column) = from_column(column);
        self.probe(&snapshot, |schema| schema.count_values(&table, &column, limit))
    }

    fn count_nulls(
        &mut self,
        snapshot: Handle,
        column: ColumnName,
        limit: u64,
    ) -> wasmtime::Result<Result<u64, wit::ProbeError>> {
        let (table, column) = from_column(column);
        self.probe(&snapshot, |schema| schema.count_nulls(&table, &column, limit))
    }

    fn count_duplicates(
        &mut self,
        snapshot: Handle,
        table: types::ObjectName,
        columns: Vec<String>,
        limit: u64,
    ) -> wasmtime::Result<Result<u64, wit::ProbeError>> {
        self.probe(&snapshot, |schema| {
            schema.count_duplicates(&from_object_name(table), &columns, limit)
        })
    }

    fn drop(&mut self, _: Handle) -> wasmtime::Result<()> {
        Ok(())
    }
}

fn from_column(column: ColumnName) -> (ObjectName, String) {
    (from_object_name(column.table), column.column)
}

pub(crate) fn relation(relation: &Relation) -> wit::Relation {
    wit::Relation {
        name: object_name(&relation.name),
        kind: match relation.kind {
            RelationKind::Table => wit::RelationKind::Table,
            RelationKind::PartitionedTable => wit::RelationKind::PartitionedTable,
            RelationKind::View => wit::RelationKind::View,
            RelationKind::MaterializedView => wit::RelationKind::MaterializedView,
            RelationKind::ForeignTable => wit::RelationKind::ForeignTable,
        },
        row_security: relation.row_security,
        replica_identity: relation.replica_identity.clone(),
        partition_of: relation.partition_of.as_ref().map(|(parent, _)| object_name(parent)),
        comment: relation.comment.clone(),
        estimated_rows: relation.estimated_rows,
        bytes: relation.bytes,
        uncertain: relation.uncertain,
    }
}

pub(crate) fn column(column: &Column, dialect: Dialect) -> wit::Column {
    wit::Column {
        name: column.name.clone(),
        data_type: column.data_type.sql(dialect),
        not_null: column.not_null,
        default: column.default.clone(),
        generated: column.generated.as_ref().map(|(expression, _)| expression.clone()),
        identity: column.identity.map(identity),
    }
}

pub(super) fn identity(identity: sql::Identity) -> script::Identity {
    match identity {
        sql::Identity::Always => script::Identity::Always,
        sql::Identity::ByDefault => script::Identity::ByDefault,
        sql::Identity::Autoincrement => script::Identity::Autoincrement,
    }
}

/// A key is a column or an expression; one that is neither cannot be, and would be an expression without text.
pub(super) fn index_key(column: Option<&String>, expression: Option<&String>) -> script::IndexKey {
    match column {
        Some(column) => script::IndexKey::Column(column.clone()),
        None => script::IndexKey::Expression(expression.cloned().unwrap_or_default()),
    }
}

pub(crate) fn index(index: &Index) -> wit::Index {
    wit::Index {
        name: index.name.clone(),
        keys: index
            .parts
            .iter()
            .map(|part| index_key(part.column.as_ref(), part.expression.as_ref()))
            .collect(),
        unique: index.unique,
        primary: index.primary,
        valid: index.valid,
        predicate: index.predicate.clone(),
        constraint: index.constraint.clone(),
        method: index.method.clone(),
        include: index.include.clone(),
        nulls_not_distinct: index.nulls_not_distinct,
    }
}

pub(crate) fn constraint(constraint: &Constraint) -> wit::Constraint {
    let mut found = wit::Constraint {
        name: constraint.name.clone(),
        kind: script::ConstraintKind::Check,
        columns: constraint.rule.columns().to_vec(),
        references: None,
        referenced_columns: Vec::new(),
        expression: None,
        validated: constraint.validated,
    };
    match &constraint.rule {
        ConstraintRule::PrimaryKey { .. } => found.kind = script::ConstraintKind::PrimaryKey,
        ConstraintRule::Unique { .. } => found.kind = script::ConstraintKind::Unique,
        ConstraintRule::ForeignKey {
            references,
            referenced_columns,
            ..
        } => {
            found.kind = script::ConstraintKind::ForeignKey;
            found.references = Some(object_name(references));
            found.referenced_columns.clone_from(referenced_columns);
        }
        ConstraintRule::Check { expression, .. } => found.expression = Some(expression.clone()),
        ConstraintRule::Exclude { definition, .. } => {
            found.kind = script::ConstraintKind::Exclude;
            found.expression = Some(definition.clone());
        }
    }
    found
}

fn dependent(dependent: &Dependent) -> wit::Dependent {
    wit::Dependent {
        kind: object_kind(dependent.kind),
        name: object_name(&dependent.name),
        member: dependent.member.clone(),
        column: dependent.column.clone(),
    }
}
