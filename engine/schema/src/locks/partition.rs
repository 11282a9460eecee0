//! Making tables, and making them parts of others.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{CreateTable, ObjectKind, Operation};

use super::LockMode as L;
use super::footprint::{Clause, Footprint, Work};
use crate::base::BaseError;
use crate::model::{ConstraintRule, Relation, RelationKind};

impl Footprint<'_> {
    /// Whether the operation is one of these.
    pub(super) fn change_partitions(&mut self, operation: &Operation) -> Result<bool, BaseError> {
        match operation {
            Operation::CreateTable(table) => self.create_table(table)?,
            Operation::AttachPartition { table, partition, .. } => self.attach(table, partition)?,
            Operation::DetachPartition {
                table,
                partition,
                concurrently,
                finalize,
            } => self.detach(table, partition, *concurrently || *finalize)?,
            Operation::AttachIndex { index, child } => self.attach_index(index, child)?,
            Operation::Inherit { table, parent, inherit } => {
                self.clause(table, Clause::new(L::AccessExclusive))?;
                let mode = if *inherit {
                    L::ShareUpdateExclusive
                } else {
                    L::AccessShare
                };
                self.lock_named(parent, mode, Work::None)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn create_table(&mut self, table: &CreateTable) -> Result<(), BaseError> {
        let existing = self.schema.exists(ObjectKind::Table, &table.name)?;
        if table.if_not_exists && existing == Some(true) {
            return Ok(());
        }
        if let Some((parent, _)) = &table.partition_of {
            self.lock_named(parent, L::AccessExclusive, Work::None)?;
            self.default_partition(parent)?;
            self.keys_of_parent(parent)?;
        }
        for parent in &table.inherits {
            self.lock_named(parent, L::ShareUpdateExclusive, Work::None)?;
        }
        for (source, _) in &table.like {
            self.read(source)?;
        }
        for constraint in &table.constraints {
            if !refers_to(constraint, &table.name) {
                self.other_side(constraint)?;
            }
        }
        for read in &table.reads {
            self.read(read)?;
        }
        Ok(())
    }

    fn attach(&mut self, table: &ObjectName, partition: &ObjectName) -> Result<(), BaseError> {
        let mode = if self.older_than(12) {
            L::AccessExclusive
        } else {
            L::ShareUpdateExclusive
        };
        self.lock_named(table, mode, Work::None)?;
        let parent = self.relation(table)?;
        let child = self.relation(partition)?;
        let tested = match (&parent, &child) {
            (Some(parent), Some(child)) => is_tested(parent, child),
            _ => false,
        };
        let indexed = match (&parent, &child) {
            (Some(parent), Some(child)) => parent.indexes.iter().all(|index| has_twin(child, index)),
            _ => false,
        };
        let work = if tested && indexed { Work::None } else { Work::Scan };
        let name = self.schema.find(ObjectKind::Table, partition)?;
        self.lock(&name, L::AccessExclusive, work)?;
        for below in self.descendants(&name)? {
            self.lock(&below, L::AccessExclusive, work)?;
        }
        self.default_partition(table)?;
        self.keys_of_parent(table)
    }

    /// Rows of the default partition may belong into a new one: they are looked at while nobody else can.
    fn default_partition(&mut self, parent: &ObjectName) -> Result<(), BaseError> {
        if let Some(default) = self.find_default(parent)? {
            self.lock(&default, L::AccessExclusive, Work::Scan)?;
            for below in self.descendants(&default)? {
                self.lock(&below, L::AccessExclusive, Work::Scan)?;
            }
        }
        Ok(())
    }

    pub(super) fn find_default(&self, parent: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        let parent = self.schema.find(ObjectKind::Table, parent)?;
        for child in self.children(&parent)? {
            let relation = self.schema.get(&child)?;
            let bound = relation.as_ref().and_then(|relation| relation.partition_of.as_ref());
            if bound.is_some_and(|(_, bound)| bound.trim().eq_ignore_ascii_case("default")) {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// A partition gets the foreign keys of its parent, which puts triggers on the tables that they point at.
    fn keys_of_parent(&mut self, parent: &ObjectName) -> Result<(), BaseError> {
        let mode = if self.older_than(12) {
            L::RowShare
        } else {
            L::ShareRowExclusive
        };
        let Some(parent) = self.relation(parent)? else {
            return Ok(());
        };
        for referenced in Self::referenced(&parent) {
            self.lock(&referenced, mode, Work::None)?;
        }
        Ok(())
    }

    fn detach(&mut self, table: &ObjectName, partition: &ObjectName, gently: bool) -> Result<(), BaseError> {
        let mode = if gently {
            L::ShareUpdateExclusive
        } else {
            L::AccessExclusive
        };
        self.lock_named(table, mode, Work::None)?;
        let own = if self.older_than(14) {
            L::ShareUpdateExclusive
        } else {
            L::AccessExclusive
        };
        self.lock_named(partition, own, Work::None)?;
        if let Some(default) = self.find_default(table)? {
            self.lock(&default, L::AccessExclusive, Work::None)?;
        }
        // Its own foreign keys stand for themselves from now on.
        if let Some(parent) = self.relation(table)? {
            for referenced in Self::referenced(&parent) {
                self.lock(&referenced, L::ShareRowExclusive, Work::None)?;
            }
        }
        Ok(())
    }

    fn attach_index(&mut self, index: &ObjectName, child: &ObjectName) -> Result<(), BaseError> {
        let mode = if self.older_than(12) {
            L::AccessExclusive
        } else {
            L::ShareUpdateExclusive
        };
        for (name, mode) in [(index, mode), (child, L::AccessExclusive)] {
            let resolved = self.index_name(name)?;
            self.lock_as(ObjectKind::Index, &resolved, mode, Work::None);
            if let Some(owner) = self.schema.index_owner(name)? {
                self.lock(&owner, L::AccessShare, Work::None)?;
            }
        }
        Ok(())
    }

    /// Partitions of a partitioned table; what merely inherits from a table is not part of it.
    pub(super) fn descendants_of_partitioned(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        match self.schema.get(table)? {
            Some(relation) if relation.kind == RelationKind::PartitionedTable => self.descendants(table),
            _ => Ok(Vec::new()),
        }
    }
}

fn refers_to(constraint: &tollgate_sql::operation::ConstraintDefinition, table: &ObjectName) -> bool {
    matches!(
        &constraint.kind,
        tollgate_sql::operation::ConstraintKind::ForeignKey { references, .. } if references == table
    )
}

/// Whether a table has a valid CHECK on all columns of the parent's key: then it is taken for the one that says that
/// its rows fit. Whether it says just that only the server can prove.
fn is_tested(parent: &Relation, child: &Relation) -> bool {
    let Some(key) = &parent.partition_key else {
        return false;
    };
    let in_key = |column: &&crate::model::Column| {
        crate::text::mentions_column(tollgate_sql::Dialect::Postgres, key, &parent.name.name, &column.name)
    };
    let mut columns = parent.columns.iter().filter(in_key).peekable();
    columns.peek().is_some()
        && columns.all(|column| {
            child.constraints.iter().any(|constraint| match &constraint.rule {
                ConstraintRule::Check { columns, .. } => constraint.validated && columns.contains(&column.name),
                _ => false,
            })
        })
}

/// Whether a table has an index like one of its parent, so that none is built.
fn has_twin(child: &Relation, index: &crate::model::Index) -> bool {
    child.indexes.iter().any(|known| {
        known.valid
            && known.unique == index.unique
            && known.method == index.method
            && known.parts == index.parts
            && known.predicate == index.predicate
    })
}
