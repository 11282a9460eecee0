//! What a statement does, seen through the contract: a smaller view of `tollgate_sql`'s operations. What has no case of
//! its own there becomes `other`, with its tag, its objects and its details as JSON.

use serde_json::{Value, json};
use tollgate_sql::operation as sql;
use tollgate_sql::operation::Operation as From;
use tollgate_sql::{Dialect, ObjectName};

use super::parts::{
    column, constraint, created, created_index, created_on, created_table, dropped, expression, row_change,
    transaction_word,
};
use super::{column_name, object_kind, object_name, object_names};
use crate::bindings::script as wit;
use crate::bindings::script::Operation as To;

pub(super) fn operation(operation: &From, dialect: Dialect) -> To {
    use sql::ObjectKind;
    match operation {
        // Columns
        From::CreateTable(table) => To::CreateTable(created_table(table, dialect)),
        From::AddColumn(add) => To::AddColumn(wit::AddedColumn {
            table: object_name(&add.table),
            column: column(&add.column, dialect),
            constraints: add.constraints.iter().map(constraint).collect(),
            if_not_exists: add.if_not_exists,
        }),
        From::DropColumn {
            table,
            column,
            if_exists,
            cascade,
        } => To::DropColumn(wit::DroppedColumn {
            column: column_name(table, column),
            if_exists: *if_exists,
            cascade: *cascade,
        }),
        From::RenameColumn { table, from, to } => To::RenameColumn(wit::ColumnRename {
            from: column_name(table, from),
            to: to.clone(),
        }),
        From::AlterColumnType {
            table,
            column,
            to,
            using,
            collation: _,
        } => To::AlterColumnType(wit::ColumnTypeChange {
            column: column_name(table, column),
            to: to.sql(dialect),
            using: using.as_ref().map(expression),
        }),
        From::SetNotNull { table, column } => To::SetNotNull(column_name(table, column)),
        From::DropNotNull { table, column } => To::DropNotNull(column_name(table, column)),
        From::SetDefault { table, column, default } => To::SetDefault(wit::ColumnDefault {
            column: column_name(table, column),
            default: expression(default),
        }),
        From::DropDefault { table, column } => To::DropDefault(column_name(table, column)),
        From::AddIdentity {
            table,
            column,
            identity,
            options: _,
        }
        | From::AlterIdentity {
            table,
            column,
            identity: Some(identity),
            options: _,
        } => set_identity(table, column, Some(*identity)),
        From::AlterIdentity {
            table,
            column,
            identity: None,
            options,
        } => on_column("alter-identity", table, column, json!({ "options": pairs(options) })),
        From::DropIdentity {
            table,
            column,
            if_exists: _,
        } => set_identity(table, column, None),
        From::SetExpression {
            table,
            column,
            expression,
        } => on_column(
            "set-expression",
            table,
            column,
            json!({ "expression": expression.text }),
        ),
        From::DropExpression {
            table,
            column,
            if_exists,
        } => on_column("drop-expression", table, column, json!({ "if-exists": if_exists })),
        From::SetColumnOption {
            table,
            column,
            option,
            value,
        } => on_column(
            "set-column-option",
            table,
            column,
            json!({ "option": option, "value": value }),
        ),
        // Constraints
        From::AddConstraint {
            table,
            constraint: added,
        } => To::AddConstraint(wit::AddedConstraint {
            table: object_name(table),
            constraint: constraint(added),
        }),
        From::DropConstraint {
            table,
            name,
            if_exists,
            cascade,
        } => To::DropConstraint(wit::NamedConstraint {
            table: object_name(table),
            name: name.clone(),
            if_exists: *if_exists,
            cascade: *cascade,
        }),
        From::ValidateConstraint { table, name } => To::ValidateConstraint(wit::NamedConstraint {
            table: object_name(table),
            name: name.clone(),
            if_exists: false,
            cascade: false,
        }),
        From::RenameConstraint { table, from, to } => To::Rename(wit::Rename {
            kind: object_kind(sql::ObjectKind::Constraint),
            from: object_name(&ObjectName::bare(from.as_str())),
            on: Some(object_name(table)),
            to: to.clone(),
        }),
        From::AlterConstraint {
            table,
            name,
            deferrable,
            initially_deferred,
        } => other(
            "alter-constraint",
            std::slice::from_ref(table),
            &json!({ "name": name, "deferrable": deferrable, "initially-deferred": initially_deferred }),
        ),
        // Tables
        From::AttachPartition {
            table,
            partition: child,
            bound: _,
        } => To::AttachPartition(partition(table, child, false)),
        From::DetachPartition {
            table,
            partition: child,
            concurrently,
            finalize: _,
        } => To::DetachPartition(partition(table, child, *concurrently)),
        From::Inherit { table, parent, inherit } => other(
            if *inherit { "inherit" } else { "no-inherit" },
            &[table.clone(), parent.clone()],
            &json!({}),
        ),
        From::RowSecurity { table, enable } => To::RowSecurity(toggle(table, None, *enable)),
        From::ForceRowSecurity { table, force } => To::ForceRowSecurity(toggle(table, None, *force)),
        From::EnableTrigger { table, name, enable } => To::EnableTrigger(toggle(table, name.as_ref(), *enable)),
        From::ReplicaIdentity { table, identity } => other(
            "replica-identity",
            std::slice::from_ref(table),
            &json!({ "identity": identity }),
        ),
        From::SetLogged { table, logged } => other(
            if *logged { "set-logged" } else { "set-unlogged" },
            std::slice::from_ref(table),
            &json!({}),
        ),
        From::SetTablespace { kind, name, tablespace } => other(
            "set-tablespace",
            std::slice::from_ref(name),
            &json!({ "kind": kind, "tablespace": tablespace }),
        ),
        From::SetAccessMethod { table, method } => other(
            "set-access-method",
            std::slice::from_ref(table),
            &json!({ "method": method }),
        ),
        From::SetStorageParameters { kind, name, parameters } => {
            let parameters: serde_json::Map<String, Value> = parameters
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            other(
                "set-storage-parameters",
                std::slice::from_ref(name),
                &json!({ "kind": kind, "parameters": parameters }),
            )
        }
        // Types
        From::CreateEnum { name, values } => To::CreateEnum(wit::EnumDefinition {
            name: object_name(name),
            values: values.clone(),
        }),
        From::AddEnumValue {
            name,
            value,
            if_not_exists,
            before,
            after,
        } => To::AddEnumValue(wit::EnumValue {
            name: object_name(name),
            value: value.clone(),
            if_not_exists: *if_not_exists,
            before: before.clone(),
            after: after.clone(),
        }),
        From::RenameEnumValue { name, from, to } => To::RenameEnumValue(wit::EnumValueRename {
            name: object_name(name),
            from: from.clone(),
            to: to.clone(),
        }),
        From::CreateDomain { name, .. } => To::Create(created(sql::ObjectKind::Domain, name)),
        From::AlterDomain { name, change } => alter_domain(name, change),
        From::CreateComposite { name, attributes: _ } | From::CreateOtherType { name, definition: _ } => {
            To::Create(created(sql::ObjectKind::Type, name))
        }
        From::AlterComposite { name, text } => {
            other("alter-type", std::slice::from_ref(name), &json!({ "text": text }))
        }
        // New objects
        From::CreateSchema { name, if_not_exists } => To::Create(wit::Created {
            if_not_exists: *if_not_exists,
            ..created(ObjectKind::Schema, &ObjectName::bare(name.as_str()))
        }),
        From::CreateIndex(index) => To::CreateIndex(created_index(index)),
        From::CreateView(view) => To::Create(wit::Created {
            or_replace: view.or_replace,
            if_not_exists: view.if_not_exists,
            ..created(
                if view.materialized {
                    ObjectKind::MaterializedView
                } else {
                    ObjectKind::View
                },
                &view.name,
            )
        }),
        From::CreateFunction(function) => To::Create(wit::Created {
            or_replace: function.or_replace,
            arguments: Some(function.arguments.clone()),
            language: Some(function.language.clone()).filter(|language| !language.is_empty()),
            security_definer: function.security_definer,
            settings: function.settings.clone(),
            ..created(function.kind, &function.name)
        }),
        From::CreateTrigger(trigger) => To::Create(wit::Created {
            or_replace: trigger.or_replace,
            if_not_exists: trigger.if_not_exists,
            ..created_on(ObjectKind::Trigger, &trigger.name, &trigger.table)
        }),
        From::CreateRule {
            name,
            table,
            or_replace,
            definition: _,
        } => To::Create(wit::Created {
            or_replace: *or_replace,
            ..created_on(ObjectKind::Rule, name, table)
        }),
        From::CreateSequence {
            name, if_not_exists, ..
        } => To::Create(wit::Created {
            if_not_exists: *if_not_exists,
            ..created(ObjectKind::Sequence, name)
        }),
        From::CreatePolicy(policy) => To::Create(created_on(ObjectKind::Policy, &policy.name, &policy.table)),
        From::CreateExtension {
            name,
            schema: _,
            if_not_exists,
        } => To::Create(wit::Created {
            if_not_exists: *if_not_exists,
            ..created(ObjectKind::Extension, &ObjectName::bare(name.as_str()))
        }),
        // Any object
        From::AttachIndex { index, child } => {
            other("attach-index-partition", &[index.clone(), child.clone()], &json!({}))
        }
        From::RefreshView { name, concurrently } => other(
            "refresh-materialized-view",
            std::slice::from_ref(name),
            &json!({ "concurrently": concurrently }),
        ),
        From::AlterSequence {
            name,
            options,
            owned_by,
        } => other(
            "alter-sequence",
            std::slice::from_ref(name),
            &json!({ "options": pairs(options), "changes-owner": owned_by.is_some() }),
        ),
        From::AlterPolicy(policy) => other(
            "alter-policy",
            std::slice::from_ref(&policy.table),
            &json!({ "name": policy.name, "roles": policy.roles, "using": policy.using, "check": policy.check }),
        ),
        From::Drop(drop) => To::Drop(dropped(drop)),
        From::Rename {
            kind,
            from,
            on,
            arguments: _,
            to,
        } => To::Rename(wit::Rename {
            kind: object_kind(*kind),
            from: object_name(from),
            on: on.as_ref().map(object_name),
            to: to.clone(),
        }),
        From::SetSchema {
            kind,
            name,
            arguments: _,
            to,
        } => To::SetSchema(wit::SchemaChange {
            kind: object_kind(*kind),
            name: object_name(name),
            to: to.clone(),
        }),
        From::SetOwner { kind, name, owner } => other(
            "set-owner",
            std::slice::from_ref(name),
            &json!({ "kind": kind, "owner": owner }),
        ),
        From::Comment {
            kind,
            name,
            member,
            arguments: _,
            text,
        } => To::Comment(wit::Comment {
            kind: object_kind(*kind),
            name: object_name(name),
            member: member.clone(),
            text: text.clone(),
        }),
        From::Grant(grant) => To::Privileges(wit::PrivilegeChange {
            grant: grant.grant,
            kind: object_kind(grant.kind),
            object: object_name(&grant.object),
            all_in_schema: grant.all_in_schema,
            privileges: grant.privileges.clone(),
            roles: grant.roles.clone(),
            grant_option: grant.grant_option,
        }),
        // Rows and session
        From::Insert(rows) => To::Insert(row_change(rows)),
        From::Update(rows) => To::Update(row_change(rows)),
        From::Delete(rows) => To::Delete(row_change(rows)),
        From::Truncate {
            table,
            cascade,
            restart_identity,
        } => To::Truncate(wit::Truncation {
            table: object_name(table),
            cascade: *cascade,
            restart_identity: *restart_identity,
        }),
        From::Transaction(control) => To::TransactionControl(transaction_word(control).to_owned()),
        From::SetParameter {
            name,
            value,
            local,
            pragma: _,
        } => To::SetParameter(wit::Parameter {
            name: name.clone(),
            value: value.clone(),
            local: *local,
        }),
        From::Dynamic { text } => To::Dynamic(text.clone()),
        From::Other(operation) => other(&operation.tag, &operation.objects, &pairs(&operation.details)),
    }
}

fn partition(table: &ObjectName, partition: &ObjectName, concurrently: bool) -> wit::Partition {
    wit::Partition {
        table: object_name(table),
        partition: object_name(partition),
        concurrently,
    }
}

fn toggle(table: &ObjectName, name: Option<&String>, enable: bool) -> wit::Toggle {
    wit::Toggle {
        table: object_name(table),
        name: name.cloned(),
        enable,
    }
}

fn alter_domain(name: &ObjectName, change: &sql::DomainChange) -> To {
    let details = match change {
        sql::DomainChange::SetDefault(default) => {
            json!({ "set-default": default.as_ref().map(|default| &default.text) })
        }
        sql::DomainChange::SetNotNull(not_null) => json!({ "not-null": not_null }),
        sql::DomainChange::AddConstraint(added) => {
            let added = constraint(added);
            json!({ "add-constraint": { "name": added.name, "expression": added.expression, "not-valid": added.not_valid } })
        }
        sql::DomainChange::DropConstraint {
            name,
            if_exists,
            cascade,
        } => {
            json!({ "drop-constraint": { "name": name, "if-exists": if_exists, "cascade": cascade } })
        }
        sql::DomainChange::RenameConstraint { from, to } => json!({ "rename-constraint": { "from": from, "to": to } }),
        sql::DomainChange::ValidateConstraint(constraint) => json!({ "validate-constraint": { "name": constraint } }),
    };
    other("alter-domain", std::slice::from_ref(name), &details)
}

fn other(tag: &str, objects: &[ObjectName], details: &Value) -> To {
    To::Other(wit::OtherOperation {
        tag: tag.to_owned(),
        objects: object_names(objects),
        details: details.to_string(),
    })
}

fn on_column(tag: &str, table: &ObjectName, column: &str, mut details: Value) -> To {
    details["column"] = json!(column);
    other(tag, std::slice::from_ref(table), &details)
}

fn pairs(pairs: &[(String, String)]) -> Value {
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
}

fn set_identity(table: &ObjectName, column: &str, identity: Option<sql::Identity>) -> To {
    To::SetIdentity(wit::IdentityChange {
        column: column_name(table, column),
        identity: identity.map(super::catalog::identity),
    })
}
