//! Collecting the locks of one statement: one entry a relation, the strongest mode wins.

use std::sync::Arc;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ObjectKind, Operation};

use super::families::Families;
use super::{LockMode, TableLock};
use crate::base::BaseError;
use crate::model::{ConstraintRule, Relation, RelationKind};
use crate::schema::{Schema, TEMPORARY};

/// What a statement does with the rows of a table that it locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Work {
    /// Nothing: the catalog alone changes.
    #[default]
    None,
    /// Reads them all.
    Scan,
    /// Writes them all anew.
    Rewrite,
}

/// One clause of an ALTER TABLE. The server takes the strongest mode of all clauses, on the table and on whatever
/// inherits from it if any of them reaches that far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clause {
    pub mode: LockMode,
    /// Partitions and other children are altered too.
    pub recurses: bool,
    pub work: Work,
}

impl Clause {
    pub fn new(mode: LockMode) -> Self {
        Self {
            mode,
            recurses: false,
            work: Work::None,
        }
    }

    pub fn recursing(mode: LockMode) -> Self {
        Self {
            recurses: true,
            ..Self::new(mode)
        }
    }

    pub fn with(self, work: Work) -> Self {
        Self { work, ..self }
    }
}

/// The locks found so far.
pub(super) struct Footprint<'a> {
    pub schema: &'a Schema,
    families: &'a Families,
    found: Vec<TableLock>,
    /// Tables of ALTER TABLE, by resolved name, with all their clauses together.
    altered: Vec<(ObjectName, Clause)>,
}

impl<'a> Footprint<'a> {
    pub fn new(schema: &'a Schema, families: &'a Families) -> Self {
        Self {
            schema,
            families,
            found: Vec::new(),
            altered: Vec::new(),
        }
    }

    /// Whether the server is known to be older than `major`.
    pub fn older_than(&self, major: u32) -> bool {
        self.schema.context().older_than(major)
    }

    /// Whether the server is known to be of version `major` or newer.
    pub fn at_least(&self, major: u32) -> bool {
        let version = self.schema.context().server_version;
        version.is_some_and(|(actual, ..)| actual >= major)
    }

    pub fn add(&mut self, operation: &Operation) -> Result<(), BaseError> {
        if self.alter(operation)? || self.change_partitions(operation)? || self.change_rows(operation)? {
            return Ok(());
        }
        match operation {
            Operation::Drop(drop) => self.drop(drop),
            other => self.change_object(other),
        }
    }

    /// Children of altered tables get the mode that all clauses together need.
    pub fn finish(mut self) -> Result<Vec<TableLock>, BaseError> {
        for (table, clause) in std::mem::take(&mut self.altered) {
            self.lock(&table, clause.mode, Work::None)?;
            if clause.recurses {
                for child in self.descendants(&table)? {
                    self.lock(&child, clause.mode, Work::None)?;
                }
            }
        }
        Ok(self.found)
    }

    /// One more clause of an ALTER TABLE. The work is that of every table that has rows.
    pub fn clause(&mut self, table: &ObjectName, clause: Clause) -> Result<(), BaseError> {
        let table = self.schema.find(ObjectKind::Table, table)?;
        self.lock(&table, clause.mode, clause.work)?;
        if clause.recurses {
            for child in self.descendants(&table)? {
                self.lock(&child, clause.mode, clause.work)?;
            }
        }
        match self.altered.iter_mut().find(|(known, _)| *known == table) {
            Some((_, all)) => {
                all.mode = all.mode.max(clause.mode);
                all.recurses |= clause.recurses;
            }
            None => self.altered.push((table, clause)),
        }
        Ok(())
    }

    /// A relation by the name that a script has for it.
    pub fn lock_named(&mut self, name: &ObjectName, mode: LockMode, work: Work) -> Result<(), BaseError> {
        let name = self.schema.find(ObjectKind::Table, name)?;
        self.lock(&name, mode, work)
    }

    /// A relation by its resolved name. A table without rows of its own has nothing to read or write.
    pub fn lock(&mut self, name: &ObjectName, mode: LockMode, work: Work) -> Result<(), BaseError> {
        let kind = self
            .schema
            .get(name)?
            .map_or(RelationKind::Table, |relation| relation.kind);
        let work = if kind == RelationKind::PartitionedTable || kind == RelationKind::View {
            Work::None
        } else {
            work
        };
        let kind = match kind {
            RelationKind::Table | RelationKind::PartitionedTable => ObjectKind::Table,
            RelationKind::View => ObjectKind::View,
            RelationKind::MaterializedView => ObjectKind::MaterializedView,
            RelationKind::ForeignTable => ObjectKind::ForeignTable,
        };
        self.lock_as(kind, name, mode, work);
        Ok(())
    }

    /// An object whose kind is known, by its resolved name.
    pub fn lock_as(&mut self, kind: ObjectKind, name: &ObjectName, mode: LockMode, work: Work) {
        // Nobody else sees a session's temporary tables.
        if name.schema.as_deref() == Some(TEMPORARY) {
            return;
        }
        let known = self.found.iter().position(|lock| lock.relation == *name);
        let at = known.unwrap_or_else(|| {
            self.found.push(TableLock {
                relation: name.clone(),
                kind,
                mode,
                scans: false,
                rewrites: false,
            });
            self.found.len() - 1
        });
        let lock = &mut self.found[at];
        lock.mode = lock.mode.max(mode);
        // What is written anew has been read on the way.
        lock.scans |= work >= Work::Scan;
        lock.rewrites |= work == Work::Rewrite;
    }

    /// A relation that a query reads and, of a view, what lies under it.
    pub fn read(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        self.read_with(name, LockMode::AccessShare)
    }

    /// The same with a mode that reaches through views.
    pub fn read_with(&mut self, name: &ObjectName, mode: LockMode) -> Result<(), BaseError> {
        let mut waiting = vec![name.clone()];
        let mut seen = Vec::new();
        while let Some(name) = waiting.pop() {
            // A query's names may be functions, too.
            let Some(relation) = self.relation(&name)? else {
                continue;
            };
            if seen.contains(&relation.name) {
                continue;
            }
            self.lock(&relation.name, mode, Work::None)?;
            if relation.kind == RelationKind::View {
                waiting.extend(relation.reads.iter().cloned());
            }
            seen.push(relation.name.clone());
        }
        Ok(())
    }

    /// A relation by the name that a script has for it.
    pub fn relation(&self, name: &ObjectName) -> Result<Option<Arc<Relation>>, BaseError> {
        self.schema.relation(name)
    }

    /// Partitions and children by INHERITS of a resolved name.
    pub fn children(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        if self.families.may_have_children(self.schema, table) {
            self.schema.children(table)
        } else {
            Ok(Vec::new())
        }
    }

    /// Partitions and children by INHERITS of a resolved name, and theirs.
    pub fn descendants(&self, table: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        let mut found: Vec<ObjectName> = Vec::new();
        let mut waiting = vec![table.clone()];
        while let Some(parent) = waiting.pop() {
            for child in self.children(&parent)? {
                if !found.contains(&child) {
                    found.push(child.clone());
                    waiting.push(child);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Tables that the foreign keys of a relation point at, itself left out.
    pub fn referenced(relation: &Relation) -> Vec<ObjectName> {
        let keys = relation
            .constraints
            .iter()
            .filter_map(|constraint| match &constraint.rule {
                ConstraintRule::ForeignKey { references, .. } => Some(references.clone()),
                _ => None,
            });
        keys.filter(|name| *name != relation.name).collect()
    }
}
