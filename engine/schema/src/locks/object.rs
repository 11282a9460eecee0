//! Indexes, views, triggers, sequences, domains, and statements that have no operation of their own.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{
    CreateFunction, CreateIndex, CreateView, DomainChange, ObjectKind, Operation, OtherOperation,
};

use super::LockMode as L;
use super::footprint::{Clause, Footprint, Work};
use crate::base::BaseError;

impl Footprint<'_> {
    pub(super) fn change_object(&mut self, operation: &Operation) -> Result<(), BaseError> {
        use Operation as O;
        match operation {
            O::CreateIndex(index) => self.create_index(index),
            O::CreateView(view) => self.create_view(view),
            O::RefreshView { name, concurrently } => self.refresh(name, *concurrently),
            O::CreateTrigger(trigger) => self.clause(&trigger.table, Clause::recursing(L::ShareRowExclusive)),
            O::CreateRule { table, .. } => self.clause(table, Clause::new(L::AccessExclusive)),
            O::CreatePolicy(policy) | O::AlterPolicy(policy) => {
                self.clause(&policy.table, Clause::new(L::AccessExclusive))
            }
            O::CreateSequence {
                owned_by: Some((table, _)),
                ..
            } => self.lock_named(table, L::AccessShare, Work::None),
            O::AlterSequence { name, owned_by, .. } => {
                let sequence = self.schema.find(ObjectKind::Sequence, name)?;
                self.lock_as(ObjectKind::Sequence, &sequence, L::ShareRowExclusive, Work::None);
                match owned_by {
                    Some(Some((table, _))) => self.lock_named(table, L::AccessShare, Work::None),
                    _ => Ok(()),
                }
            }
            O::CreateFunction(function) => self.create_function(function),
            O::AlterDomain { name, change } => self.alter_domain(name, change),
            O::Comment { kind, name, .. } => self.comment(*kind, name),
            O::Other(other) => self.other(other),
            // Types, functions, schemas, privileges and the session: no relation is locked for them.
            _ => Ok(()),
        }
    }

    /// The body of a function in SQL is analysed when it is made, and what it reads and changes is locked for that.
    fn create_function(&mut self, function: &CreateFunction) -> Result<(), BaseError> {
        if function.language != "sql" {
            return Ok(());
        }
        for operation in &function.body_operations {
            if let Operation::Insert(change) | Operation::Update(change) | Operation::Delete(change) = operation {
                self.lock_named(&change.table, L::RowExclusive, Work::None)?;
                for read in &change.reads {
                    self.read(read)?;
                }
            }
        }
        Ok(())
    }

    fn create_index(&mut self, index: &CreateIndex) -> Result<(), BaseError> {
        let mode = if index.concurrently {
            L::ShareUpdateExclusive
        } else {
            L::Share
        };
        let there = match &index.name {
            Some(name) if index.if_not_exists => {
                let relation = self.relation(&index.table)?;
                relation.is_some_and(|relation| relation.indexes.iter().any(|known| known.name == *name))
            }
            _ => false,
        };
        let work = if there { Work::None } else { Work::Scan };
        let clause = Clause {
            recurses: false,
            ..Clause::new(mode).with(work)
        };
        self.clause(&index.table, clause)?;
        if !index.only {
            let table = self.schema.find(ObjectKind::Table, &index.table)?;
            for partition in self.descendants_of_partitioned(&table)? {
                self.lock(&partition, mode, work)?;
            }
        }
        Ok(())
    }

    fn create_view(&mut self, view: &CreateView) -> Result<(), BaseError> {
        for read in &view.reads {
            self.read(read)?;
        }
        if view.or_replace && self.relation(&view.name)?.is_some() {
            self.lock_named(&view.name, L::AccessExclusive, Work::None)?;
        }
        Ok(())
    }

    fn refresh(&mut self, name: &ObjectName, concurrently: bool) -> Result<(), BaseError> {
        let reads = self.relation(name)?.map(|relation| relation.reads.clone());
        let resolved = self.schema.find(ObjectKind::Table, name)?;
        let (mode, work) = if concurrently {
            (L::Exclusive, Work::Scan)
        } else {
            (L::AccessExclusive, Work::Rewrite)
        };
        self.lock_as(ObjectKind::MaterializedView, &resolved, mode, work);
        for read in reads.unwrap_or_default() {
            self.read(&read)?;
        }
        Ok(())
    }

    /// A domain's new constraint is tested in every table that has a column of it.
    fn alter_domain(&mut self, name: &ObjectName, change: &DomainChange) -> Result<(), BaseError> {
        let tests = match change {
            DomainChange::AddConstraint(constraint) => !constraint.not_valid,
            DomainChange::SetNotNull(set) => *set,
            DomainChange::ValidateConstraint(_) => true,
            DomainChange::SetDefault(_)
            | DomainChange::DropConstraint { .. }
            | DomainChange::RenameConstraint { .. } => false,
        };
        if !tests {
            return Ok(());
        }
        for dependent in self.schema.dependents(ObjectKind::Domain, name)? {
            if dependent.kind == ObjectKind::Column {
                self.lock(&dependent.name, L::Share, Work::Scan)?;
            }
        }
        Ok(())
    }

    fn comment(&mut self, kind: ObjectKind, name: &ObjectName) -> Result<(), BaseError> {
        match kind {
            ObjectKind::Table
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::ForeignTable
            | ObjectKind::Column => self.lock_named(name, L::ShareUpdateExclusive, Work::None),
            ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
                self.lock_named(name, L::AccessShare, Work::None)
            }
            ObjectKind::Index => {
                let index = self.index_name(name)?;
                self.lock_as(ObjectKind::Index, &index, L::ShareUpdateExclusive, Work::None);
                Ok(())
            }
            ObjectKind::Sequence => {
                let sequence = self.schema.find(ObjectKind::Sequence, name)?;
                self.lock_as(ObjectKind::Sequence, &sequence, L::ShareUpdateExclusive, Work::None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn other(&mut self, other: &OtherOperation) -> Result<(), BaseError> {
        let on = |name: &str| {
            let found = other.details.iter().find(|(key, _)| key == name);
            found.is_some_and(|(_, value)| !matches!(value.as_str(), "false" | "off" | "0"))
        };
        match other.tag.as_str() {
            "lock-table" => self.lock_table(other),
            "vacuum" if on("full") => self.each(&other.objects, L::AccessExclusive, Work::Rewrite),
            "vacuum" => self.each(&other.objects, L::ShareUpdateExclusive, Work::Scan),
            "cluster" => self.each(&other.objects, L::AccessExclusive, Work::Rewrite),
            "analyze" | "cluster-on" | "set-without-cluster" | "create-statistics" => {
                self.each(&other.objects, L::ShareUpdateExclusive, Work::None)
            }
            "enable-rule" | "disable-rule" | "of-type" | "not-of-type" | "foreign-options" | "alter-table"
            | "set-without-oids" => {
                for table in &other.objects {
                    self.clause(table, Clause::new(L::AccessExclusive))?;
                }
                Ok(())
            }
            "create-publication" | "alter-publication" => self.each(
                other.objects.get(1..).unwrap_or_default(),
                L::ShareUpdateExclusive,
                Work::None,
            ),
            "reindex" => self.reindex(other, on("concurrently")),
            _ => Ok(()),
        }
    }

    /// Those of the objects that are relations, with their partitions.
    fn each(&mut self, objects: &[ObjectName], mode: L, work: Work) -> Result<(), BaseError> {
        for name in objects {
            let name = self.schema.find(ObjectKind::Table, name)?;
            if self.schema.get(&name)?.is_none() && self.schema.complete() {
                continue;
            }
            self.lock(&name, mode, work)?;
            for partition in self.descendants_of_partitioned(&name)? {
                self.lock(&partition, mode, work)?;
            }
        }
        Ok(())
    }

    fn lock_table(&mut self, other: &OtherOperation) -> Result<(), BaseError> {
        let words = other.details.iter().find(|(key, _)| key == "mode");
        let mode = words
            .and_then(|(_, words)| L::from_words(words))
            .unwrap_or(L::AccessExclusive);
        for name in &other.objects {
            let name = self.schema.find(ObjectKind::Table, name)?;
            self.lock(&name, mode, Work::None)?;
            self.read_with(&name, mode)?;
            for child in self.descendants(&name)? {
                self.lock(&child, mode, Work::None)?;
            }
        }
        Ok(())
    }

    fn reindex(&mut self, other: &OtherOperation, concurrently: bool) -> Result<(), BaseError> {
        let target = other.details.iter().find(|(key, _)| key == "target");
        let target = target.map_or("table", |(_, target)| target.as_str());
        let mode = if concurrently {
            L::ShareUpdateExclusive
        } else {
            L::Share
        };
        match target {
            "index" => {
                for index in &other.objects {
                    if let Some(table) = self.schema.index_owner(index)? {
                        self.lock(&table, mode, Work::Scan)?;
                    }
                    let index = self.index_name(index)?;
                    let own = if concurrently { mode } else { L::AccessExclusive };
                    self.lock_as(ObjectKind::Index, &index, own, Work::Rewrite);
                }
                Ok(())
            }
            "table" => self.each(&other.objects, mode, Work::Scan),
            _ => {
                let schema = other.objects.first().map(|name| name.name.clone());
                let all = self.schema.relations()?.into_iter();
                let names: Vec<_> = all.filter(|name| target != "schema" || name.schema == schema).collect();
                for name in names {
                    let tables = self
                        .schema
                        .get(&name)?
                        .is_some_and(|relation| !relation.indexes.is_empty());
                    if tables {
                        self.lock(&name, mode, Work::Scan)?;
                    }
                }
                Ok(())
            }
        }
    }
}
