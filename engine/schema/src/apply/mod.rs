//! What each operation does to a schema. One module a family of operations; nothing here reads anything but the schema.
//!
//! An operation the server would refuse (a column of a table that is not there) changes nothing: the server will say so.

mod column;
mod constraint;
mod drop;
mod exclude;
mod index;
mod inherit;
mod mysql;
mod object;
mod relocate;
mod rename;
mod routine;
mod rows;
mod sequence;
mod sqlite_key;
mod table;
mod types;

use std::sync::Arc;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ObjectKind, Operation};

use crate::base::BaseError;
use crate::model::Relation;
use crate::schema::Schema;

pub(crate) use relocate::texts;

impl Schema {
    /// Applies one operation.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), BaseError> {
        use Operation as O;
        if self.is_mysql() && self.apply_mysql(operation)? {
            return Ok(());
        }
        match operation {
            O::CreateSchema { name, .. } => {
                Arc::make_mut(&mut self.overlay.schemas).insert(name.clone(), true);
                Ok(())
            }
            O::CreateTable(table) => self.create_table(table),
            O::AddColumn(add) => self.add_column(add),
            O::DropColumn { table, column, .. } => self.drop_column(table, column),
            O::RenameColumn { table, from, to } => self.rename_column(table, from, to),
            O::AddConstraint { table, constraint } => self.add_constraint(table, constraint),
            O::DropConstraint { table, name, .. } => self.drop_constraint(table, name),
            O::ValidateConstraint { table, name } => self.validate_constraint(table, name),
            O::RenameConstraint { table, from, to } => self.rename_constraint(table, from, to),
            O::AlterConstraint {
                table,
                name,
                deferrable,
                initially_deferred,
            } => self.alter_constraint(table, name, *deferrable, *initially_deferred),
            O::AttachPartition {
                table,
                partition,
                bound,
            } => self.attach_partition(table, partition, bound),
            O::DetachPartition { partition, .. } => self.detach_partition(partition),
            O::Inherit { table, parent, inherit } => self.inherit(table, parent, *inherit),
            O::CreateIndex(index) => self.create_index(index).map(|_| ()),
            O::AttachIndex { index, child: _ } => self.attach_index(index),
            O::RefreshView { .. } | O::Transaction(_) => Ok(()),
            O::Drop(drop) => self.apply_drop(drop),
            O::Rename {
                kind,
                from,
                on,
                arguments,
                to,
            } => self.rename(*kind, from, on.as_ref(), arguments.as_deref(), to),
            O::SetSchema {
                kind,
                name,
                arguments,
                to,
            } => self.set_schema(*kind, name, arguments.as_deref(), to),
            O::SetOwner { kind, name, owner } => self.set_owner(*kind, name, owner),
            O::Comment {
                kind,
                name,
                member,
                arguments,
                text,
            } => self.comment(*kind, name, member.as_deref(), arguments.as_deref(), text.as_deref()),
            O::Grant(grant) => self.grant(grant),
            O::SetParameter {
                name,
                value,
                local: _,
                pragma: false,
            } => {
                self.set_parameter(name, value.as_deref());
                Ok(())
            }
            O::SetParameter { name, value, .. } => {
                if name.eq_ignore_ascii_case("legacy_alter_table") {
                    let on = ["on", "1", "true", "yes"];
                    let value = value
                        .as_deref()
                        .unwrap_or_default()
                        .trim_matches('\'')
                        .to_ascii_lowercase();
                    self.overlay.legacy_alter = on.contains(&value.as_str());
                }
                Ok(())
            }
            O::CreateView(view) => self.create_view(view),
            O::CreateFunction(function) => self.create_function(function),
            O::CreateTrigger(trigger) => self.create_trigger(trigger),
            O::CreateRule {
                name,
                table,
                definition,
                ..
            } => self.create_rule(name, table, definition),
            O::CreatePolicy(policy) => self.create_policy(policy),
            O::AlterPolicy(policy) => self.alter_policy(policy),
            O::CreateExtension { name, schema, .. } => self.create_extension(name, schema.as_deref()),
            O::Dynamic { .. } => {
                self.dynamic();
                Ok(())
            }
            O::Other(other) => self.other(other),
            O::Insert(_) | O::Update(_) | O::Delete(_) | O::Truncate { .. } => self.change_rows(operation),
            _ => self.apply_to_column_or_type(operation),
        }
    }

    fn apply_to_column_or_type(&mut self, operation: &Operation) -> Result<(), BaseError> {
        use Operation as O;
        match operation {
            O::AlterColumnType {
                table,
                column,
                to,
                using,
                collation,
            } => self.alter_column_type(table, column, to, using.as_ref(), collation.as_ref()),
            O::SetNotNull { table, column } => self.set_not_null(table, column, true),
            O::DropNotNull { table, column } => self.set_not_null(table, column, false),
            O::SetDefault { table, column, default } => self.set_default(table, column, Some(default)),
            O::DropDefault { table, column } => self.set_default(table, column, None),
            O::AddIdentity {
                table,
                column,
                identity,
                options,
            } => self.add_identity(table, column, *identity, options),
            O::AlterIdentity {
                table,
                column,
                identity,
                options,
            } => self.alter_identity(table, column, *identity, options),
            O::DropIdentity { table, column, .. } => self.drop_identity(table, column),
            O::SetExpression {
                table,
                column,
                expression,
            } => self.set_expression(table, column, expression),
            O::DropExpression { table, column, .. } => self.drop_expression(table, column),
            O::SetColumnOption {
                table,
                column,
                option,
                value,
            } => self.set_column_option(table, column, option, value),
            O::CreateEnum { name, values } => self.create_enum(name, values),
            O::AddEnumValue {
                name,
                value,
                if_not_exists: _,
                before,
                after,
            } => self.add_enum_value(name, value, before.as_deref(), after.as_deref()),
            O::RenameEnumValue { name, from, to } => self.rename_enum_value(name, from, to),
            O::CreateDomain {
                name,
                data_type,
                not_null,
                default,
                constraints,
                collation,
            } => self.create_domain(
                name,
                data_type,
                *not_null,
                default.as_ref(),
                constraints,
                collation.as_ref(),
            ),
            O::AlterDomain { name, change } => self.alter_domain(name, change),
            O::CreateComposite { name, attributes } => self.create_composite(name, attributes),
            O::AlterComposite { name, .. } => self.alter_composite(name),
            O::CreateOtherType { name, definition } => self.create_other_type(name, definition),
            O::CreateSequence {
                name,
                temporary,
                data_type,
                options,
                owned_by,
                ..
            } => self.create_sequence(name, *temporary, data_type.as_deref(), options, owned_by.as_ref()),
            O::AlterSequence {
                name,
                options,
                owned_by,
            } => self.alter_sequence(name, options, owned_by.as_ref()),
            _ => self.apply_to_property(operation),
        }
    }

    /// Operations that set one property of a relation.
    fn apply_to_property(&mut self, operation: &Operation) -> Result<(), BaseError> {
        use Operation as O;
        match operation {
            O::RowSecurity { table, enable } => self.alter(table, |relation| relation.row_security = *enable),
            O::ForceRowSecurity { table, force } => self.alter(table, |relation| relation.force_row_security = *force),
            O::EnableTrigger { table, name, enable } => self.alter(table, |relation| {
                for trigger in &mut relation.triggers {
                    if name.as_ref().is_none_or(|name| *name == trigger.name) {
                        trigger.enabled = *enable;
                    }
                }
            }),
            O::ReplicaIdentity { table, identity } => {
                self.alter(table, |relation| relation.replica_identity.clone_from(identity))
            }
            O::SetLogged { table, logged } => self.alter(table, |relation| relation.unlogged = !logged),
            O::SetTablespace { kind, name, tablespace } => {
                let tablespace = (tablespace != "pg_default").then(|| tablespace.clone());
                if *kind == ObjectKind::Index {
                    self.alter_index(name, |index| index.tablespace = tablespace)
                } else {
                    self.alter(name, |relation| relation.tablespace = tablespace)
                }
            }
            O::SetAccessMethod { table, method } => {
                let method = (method != "heap").then(|| method.clone());
                self.alter(table, |relation| relation.access_method = method)
            }
            O::SetStorageParameters { kind, name, parameters } => {
                if *kind == ObjectKind::Index {
                    self.alter_index(name, |index| set_options(&mut index.options, parameters))
                } else {
                    self.alter(name, |relation| set_options(&mut relation.options, parameters))
                }
            }
            // Every operation has its place above or in one of the two functions that lead here.
            _ => Ok(()),
        }
    }

    /// Changes a relation that a script names.
    pub(crate) fn alter(&mut self, name: &ObjectName, change: impl FnOnce(&mut Relation)) -> Result<(), BaseError> {
        let name = self.find(ObjectKind::Table, name)?;
        self.edit(&name, change).map(|_| ())
    }

    /// Changes an index that a script names.
    pub(crate) fn alter_index(
        &mut self,
        name: &ObjectName,
        change: impl FnOnce(&mut crate::model::Index),
    ) -> Result<(), BaseError> {
        let Some(owner) = self.index_owner(name)? else {
            return Ok(());
        };
        let folding = self.folding();
        self.edit(&owner, |relation| {
            if let Some(index) = relation
                .indexes
                .iter_mut()
                .find(|index| folding.same(&index.name, &name.name))
            {
                change(index);
            }
        })
        .map(|_| ())
    }
}

/// Sets the options that have a value and removes those that have none.
pub(crate) fn set_options(options: &mut Vec<(String, String)>, changes: &[(String, Option<String>)]) {
    for (name, value) in changes {
        options.retain(|(known, _)| known != name);
        options.extend(value.clone().map(|value| (name.clone(), value)));
    }
}
