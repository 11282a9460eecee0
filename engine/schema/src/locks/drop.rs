//! DROP, and what goes with it.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{Drop, ObjectKind};

use super::LockMode as L;
use super::footprint::{Clause, Footprint, Work};
use crate::base::BaseError;
use crate::model::{Dependent, RelationKind};

impl Footprint<'_> {
    pub(super) fn drop(&mut self, drop: &Drop) -> Result<(), BaseError> {
        match drop.kind {
            ObjectKind::Table | ObjectKind::ForeignTable | ObjectKind::View | ObjectKind::MaterializedView => {
                let name = self.schema.find(ObjectKind::Table, &drop.name)?;
                if self.schema.get(&name)?.is_none() {
                    // What is not there cannot be locked; what is not known can.
                    if self.schema.exists(drop.kind, &drop.name)? != Some(false) {
                        self.lock_as(drop.kind, &name, L::AccessExclusive, Work::None);
                    }
                    return Ok(());
                }
                self.drop_relation(&name, drop.cascade)
            }
            ObjectKind::Index => self.drop_index(drop),
            ObjectKind::Sequence => {
                let name = self.schema.find(ObjectKind::Sequence, &drop.name)?;
                if self.schema.exists(ObjectKind::Sequence, &drop.name)? != Some(false) {
                    self.lock_as(ObjectKind::Sequence, &name, L::AccessExclusive, Work::None);
                }
                self.cascade(drop)
            }
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => match &drop.on {
                Some(table) => {
                    let clause = Clause {
                        recurses: drop.kind == ObjectKind::Trigger,
                        ..Clause::new(L::AccessExclusive)
                    };
                    self.clause(table, clause)
                }
                None => Ok(()),
            },
            ObjectKind::Schema if drop.cascade => self.drop_schema(&drop.name.name),
            _ => self.cascade(drop),
        }
    }

    fn cascade(&mut self, drop: &Drop) -> Result<(), BaseError> {
        if !drop.cascade {
            return Ok(());
        }
        let dependents = self.schema.dependents(drop.kind, &drop.name)?;
        self.drop_dependents(dependents)
    }

    fn drop_index(&mut self, drop: &Drop) -> Result<(), BaseError> {
        let mode = if drop.concurrently {
            L::ShareUpdateExclusive
        } else {
            L::AccessExclusive
        };
        let owner = self.schema.index_owner(&drop.name)?;
        if owner.is_none() && drop.if_exists && self.schema.exists(ObjectKind::Index, &drop.name)? == Some(false) {
            return Ok(());
        }
        if let Some(table) = &owner {
            self.lock(table, mode, Work::None)?;
            for partition in self.descendants_of_partitioned(table)? {
                self.lock(&partition, mode, Work::None)?;
            }
        }
        let name = self.index_name(&drop.name)?;
        self.lock_as(ObjectKind::Index, &name, mode, Work::None);
        self.cascade(drop)
    }

    /// A relation with everything that belongs to it. Partitions always go with their table, other children only when
    /// CASCADE says so.
    fn drop_relation(&mut self, name: &ObjectName, cascade: bool) -> Result<(), BaseError> {
        let mut waiting = vec![name.clone()];
        let mut seen: Vec<ObjectName> = Vec::new();
        while let Some(name) = waiting.pop() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name.clone());
            self.lock(&name, L::AccessExclusive, Work::None)?;
            let Some(relation) = self.schema.get(&name)? else {
                continue;
            };
            if let Some((parent, _)) = &relation.partition_of {
                self.lock(parent, L::AccessExclusive, Work::None)?;
                if let Some(default) = self.find_default(parent)? {
                    self.lock(&default, L::AccessExclusive, Work::None)?;
                }
            }
            for referenced in Self::referenced(&relation) {
                self.lock(&referenced, L::AccessExclusive, Work::None)?;
            }
            self.sequences_of(&name, L::AccessExclusive)?;
            if cascade || relation.kind == RelationKind::PartitionedTable {
                waiting.extend(self.children(&name)?);
            }
            if cascade {
                self.keys_to(&name, None)?;
                for dependent in self.schema.dependents(ObjectKind::Table, &name)? {
                    if is_view(&dependent) {
                        waiting.push(dependent.name);
                    } else if dependent.member.is_some() {
                        self.lock(&dependent.name, L::AccessExclusive, Work::None)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What CASCADE takes along: whole views, or parts of tables.
    pub(super) fn drop_dependents(&mut self, dependents: Vec<Dependent>) -> Result<(), BaseError> {
        for dependent in dependents {
            if is_view(&dependent) {
                self.drop_relation(&dependent.name, true)?;
            } else if dependent.member.is_some() && self.schema.get(&dependent.name)?.is_some() {
                self.lock(&dependent.name, L::AccessExclusive, Work::None)?;
            }
        }
        Ok(())
    }

    fn drop_schema(&mut self, schema: &str) -> Result<(), BaseError> {
        let inside = |name: &ObjectName| name.schema.as_deref() == Some(schema);
        for name in self.schema.relations()?.into_iter().filter(inside) {
            self.drop_relation(&name, true)?;
        }
        for name in self.schema.sequence_names()?.into_iter().filter(inside) {
            self.lock_as(ObjectKind::Sequence, &name, L::AccessExclusive, Work::None);
        }
        Ok(())
    }
}

fn is_view(dependent: &Dependent) -> bool {
    dependent.member.is_none() && matches!(dependent.kind, ObjectKind::View | ObjectKind::MaterializedView)
}
