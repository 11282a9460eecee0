//! Which objects an operation names.

use crate::name::ObjectName;
use crate::operation::{ConstraintDefinition, ConstraintKind, DataType, DomainChange, Operation};

impl Operation {
    /// The objects the operation names: what it changes first, then what it reads or refers to.
    pub fn objects(&self) -> Vec<ObjectName> {
        let mut names = vec![];
        self.name_objects(&mut names);
        let mut seen: Vec<ObjectName> = Vec::with_capacity(names.len());
        for name in names.into_iter().filter(|name| !name.name.is_empty()) {
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
        seen
    }

    fn name_objects(&self, names: &mut Vec<ObjectName>) {
        match self {
            Self::CreateSchema { name, .. } => names.push(ObjectName::bare(name)),
            Self::CreateTable(table) => {
                names.push(table.name.clone());
                names.extend(table.partition_of.iter().map(|(parent, _)| parent.clone()));
                names.extend(table.inherits.iter().cloned());
                names.extend(table.like.iter().map(|(source, _)| source.clone()));
                names.extend(table.columns.iter().filter_map(|column| user_type(&column.data_type)));
                referenced(&table.constraints, names);
                names.extend(table.reads.iter().cloned());
            }
            Self::AddColumn(add) => {
                names.push(add.table.clone());
                names.extend(user_type(&add.column.data_type));
                referenced(&add.constraints, names);
            }
            Self::AlterColumnType { table, to, .. } => {
                names.push(table.clone());
                names.extend(user_type(to));
            }
            Self::AddConstraint { table, constraint } => {
                names.push(table.clone());
                referenced(std::slice::from_ref(constraint), names);
            }
            Self::AttachPartition { table, partition, .. } | Self::DetachPartition { table, partition, .. } => {
                names.extend([table.clone(), partition.clone()]);
            }
            Self::Inherit { table, parent, .. } => names.extend([table.clone(), parent.clone()]),
            Self::CreateIndex(index) => {
                let name = index.name.as_ref();
                names.extend(name.map(|name| ObjectName {
                    schema: index.table.schema.clone(),
                    name: name.clone(),
                }));
                names.push(index.table.clone());
            }
            Self::AttachIndex { index, child } => names.extend([index.clone(), child.clone()]),
            Self::Insert(change) | Self::Update(change) | Self::Delete(change) => {
                names.push(change.table.clone());
                names.extend(change.reads.iter().cloned());
            }
            Self::Transaction(_) | Self::SetParameter { .. } | Self::Dynamic { .. } => {}
            Self::Other(other) => names.extend(other.objects.iter().cloned()),
            _ => self.name_other_objects(names),
        }
    }

    /// Types, views, functions and statements that take any object.
    fn name_other_objects(&self, names: &mut Vec<ObjectName>) {
        match self {
            Self::CreateDomain { name, data_type, .. } => {
                names.push(name.clone());
                names.extend(user_type(data_type));
            }
            Self::AlterDomain { name, change } => {
                names.push(name.clone());
                if let DomainChange::AddConstraint(constraint) = change {
                    referenced(std::slice::from_ref(constraint), names);
                }
            }
            Self::CreateComposite { name, attributes } => {
                names.push(name.clone());
                names.extend(
                    attributes
                        .iter()
                        .filter_map(|attribute| user_type(&attribute.data_type)),
                );
            }
            Self::CreateView(view) => {
                names.push(view.name.clone());
                names.extend(view.reads.iter().cloned());
            }
            Self::CreateFunction(function) => {
                names.push(function.name.clone());
                names.extend(function.body_operations.iter().flat_map(Self::objects));
            }
            Self::CreateTrigger(trigger) => {
                names.extend([ObjectName::bare(&trigger.name), trigger.table.clone()]);
                names.extend(trigger.function.clone());
            }
            Self::CreateRule { name, table, .. } => names.extend([ObjectName::bare(name), table.clone()]),
            Self::CreateSequence { name, owned_by, .. } => {
                names.push(name.clone());
                names.extend(owned_by.iter().map(|(table, _)| table.clone()));
            }
            Self::AlterSequence { name, owned_by, .. } => {
                names.push(name.clone());
                names.extend(owned_by.iter().flatten().map(|(table, _)| table.clone()));
            }
            Self::CreatePolicy(policy) | Self::AlterPolicy(policy) => {
                names.extend([ObjectName::bare(&policy.name), policy.table.clone()]);
            }
            Self::CreateExtension { name, .. } => names.push(ObjectName::bare(name)),
            Self::Drop(drop) => {
                names.push(drop.name.clone());
                names.extend(drop.on.clone());
            }
            Self::Rename { from, on, to, .. } => {
                names.push(from.clone());
                names.push(ObjectName {
                    schema: from.schema.clone(),
                    name: to.clone(),
                });
                names.extend(on.clone());
            }
            Self::Grant(grant) => names.push(grant.object.clone()),
            Self::RenameColumn { table, .. }
            | Self::DropColumn { table, .. }
            | Self::SetNotNull { table, .. }
            | Self::DropNotNull { table, .. }
            | Self::SetDefault { table, .. }
            | Self::DropDefault { table, .. }
            | Self::AddIdentity { table, .. }
            | Self::AlterIdentity { table, .. }
            | Self::DropIdentity { table, .. }
            | Self::SetExpression { table, .. }
            | Self::DropExpression { table, .. }
            | Self::SetColumnOption { table, .. }
            | Self::DropConstraint { table, .. }
            | Self::ValidateConstraint { table, .. }
            | Self::RenameConstraint { table, .. }
            | Self::AlterConstraint { table, .. }
            | Self::RowSecurity { table, .. }
            | Self::ForceRowSecurity { table, .. }
            | Self::EnableTrigger { table, .. }
            | Self::ReplicaIdentity { table, .. }
            | Self::SetLogged { table, .. }
            | Self::SetAccessMethod { table, .. }
            | Self::Truncate { table, .. } => names.push(table.clone()),
            Self::SetTablespace { name, .. }
            | Self::SetStorageParameters { name, .. }
            | Self::CreateEnum { name, .. }
            | Self::AddEnumValue { name, .. }
            | Self::RenameEnumValue { name, .. }
            | Self::AlterComposite { name, .. }
            | Self::CreateOtherType { name, .. }
            | Self::RefreshView { name, .. }
            | Self::SetSchema { name, .. }
            | Self::SetOwner { name, .. }
            | Self::Comment { name, .. } => names.push(name.clone()),
            // Named by name_objects.
            _ => {}
        }
    }
}

/// Tables that foreign keys point at.
fn referenced(constraints: &[ConstraintDefinition], names: &mut Vec<ObjectName>) {
    names.extend(constraints.iter().filter_map(|constraint| match &constraint.kind {
        ConstraintKind::ForeignKey { references, .. } => Some(references.clone()),
        _ => None,
    }));
}

/// The name of a type that is surely not the server's own: one with a schema, or with upper-case letters.
fn user_type(data_type: &DataType) -> Option<ObjectName> {
    let quoted = data_type.name.starts_with(|first: char| first.is_ascii_uppercase()) && !data_type.name.contains(' ');
    let is_declared_sqlite_type = data_type.name.chars().all(|letter| !letter.is_ascii_lowercase());
    if data_type.schema.is_some() || (quoted && !is_declared_sqlite_type) {
        return Some(ObjectName {
            schema: data_type.schema.clone(),
            name: data_type.name.clone(),
        });
    }
    None
}
