//! The records that operations are made of.

use tollgate_sql::operation as sql;
use tollgate_sql::{Dialect, ObjectName};

use super::{object_kind, object_name, object_names};
use crate::bindings::script as wit;

pub(super) fn created(kind: sql::ObjectKind, name: &ObjectName) -> wit::Created {
    wit::Created {
        kind: object_kind(kind),
        name: object_name(name),
        on: None,
        or_replace: false,
        if_not_exists: false,
        arguments: None,
        language: None,
        security_definer: false,
        settings: Vec::new(),
    }
}

pub(super) fn created_on(kind: sql::ObjectKind, name: &str, table: &ObjectName) -> wit::Created {
    wit::Created {
        on: Some(object_name(table)),
        ..created(kind, &ObjectName::bare(name))
    }
}

pub(super) fn created_table(table: &sql::CreateTable, dialect: Dialect) -> wit::CreatedTable {
    wit::CreatedTable {
        name: object_name(&table.name),
        if_not_exists: table.if_not_exists,
        columns: table
            .columns
            .iter()
            .map(|definition| column(definition, dialect))
            .collect(),
        constraints: table.constraints.iter().map(constraint).collect(),
        temporary: table.temporary,
        partition_of: table.partition_of.as_ref().map(|(parent, _)| object_name(parent)),
        from_query: table.as_query.is_some(),
        parameters: table.options.clone(),
    }
}

pub(super) fn created_index(index: &sql::CreateIndex) -> wit::CreatedIndex {
    wit::CreatedIndex {
        name: index.name.clone(),
        table: object_name(&index.table),
        keys: index
            .parts
            .iter()
            .map(|part| super::catalog::index_key(part.column.as_ref(), part.expression.as_ref()))
            .collect(),
        unique: index.unique,
        concurrently: index.concurrently,
        if_not_exists: index.if_not_exists,
        predicate: index.predicate.as_ref().map(|predicate| predicate.text.clone()),
        method: index.method.clone(),
        include: index.include.clone(),
        only: index.only,
    }
}

pub(super) fn column(column: &sql::ColumnDefinition, dialect: Dialect) -> wit::ColumnDefinition {
    wit::ColumnDefinition {
        name: column.name.clone(),
        data_type: column.data_type.sql(dialect),
        not_null: column.not_null,
        default: column.default.as_ref().map(expression),
        generated: column
            .generated
            .as_ref()
            .map(|generated| (expression(&generated.expression), generated.stored)),
        identity: column.identity.map(super::catalog::identity),
        serial: column.serial,
    }
}

pub(super) fn expression(expression: &sql::Expression) -> wit::Expression {
    wit::Expression {
        text: expression.text.clone(),
        is_null: expression.is_null,
        volatility: match expression.volatility {
            sql::Volatility::Immutable => wit::Volatility::Immutable,
            sql::Volatility::Stable => wit::Volatility::Stable,
            sql::Volatility::Volatile => wit::Volatility::Volatile,
            sql::Volatility::Unknown => wit::Volatility::Unknown,
        },
    }
}

pub(super) fn constraint(definition: &sql::ConstraintDefinition) -> wit::ConstraintDefinition {
    let mut constraint = wit::ConstraintDefinition {
        name: definition.name.clone(),
        kind: wit::ConstraintKind::Check,
        columns: Vec::new(),
        references: None,
        referenced_columns: Vec::new(),
        expression: None,
        using_index: None,
        not_valid: definition.not_valid,
    };
    match &definition.kind {
        sql::ConstraintKind::PrimaryKey {
            columns,
            include: _,
            using_index,
        } => {
            constraint.kind = wit::ConstraintKind::PrimaryKey;
            constraint.columns.clone_from(columns);
            constraint.using_index.clone_from(using_index);
        }
        sql::ConstraintKind::Unique {
            columns,
            include: _,
            nulls_not_distinct: _,
            using_index,
        } => {
            constraint.kind = wit::ConstraintKind::Unique;
            constraint.columns.clone_from(columns);
            constraint.using_index.clone_from(using_index);
        }
        sql::ConstraintKind::ForeignKey {
            columns,
            references,
            referenced_columns,
            ..
        } => {
            constraint.kind = wit::ConstraintKind::ForeignKey;
            constraint.columns.clone_from(columns);
            constraint.references = Some(object_name(references));
            constraint.referenced_columns.clone_from(referenced_columns);
        }
        sql::ConstraintKind::Check { expression } => {
            constraint.columns.clone_from(&expression.columns);
            constraint.expression = Some(expression.text.clone());
        }
        sql::ConstraintKind::Exclude { columns, definition } => {
            constraint.kind = wit::ConstraintKind::Exclude;
            constraint.columns.clone_from(columns);
            constraint.expression = Some(definition.clone());
        }
        sql::ConstraintKind::NotNull { column } => {
            constraint.kind = wit::ConstraintKind::NotNull;
            constraint.columns = vec![column.clone()];
        }
    }
    constraint
}

pub(super) fn dropped(drop: &sql::Drop) -> wit::Dropped {
    wit::Dropped {
        kind: object_kind(drop.kind),
        other_kind: drop.other_kind.clone(),
        name: object_name(&drop.name),
        on: drop.on.as_ref().map(object_name),
        arguments: drop.arguments.clone(),
        if_exists: drop.if_exists,
        cascade: drop.cascade,
        concurrently: drop.concurrently,
    }
}

pub(super) fn row_change(rows: &sql::RowChange) -> wit::RowChange {
    wit::RowChange {
        table: object_name(&rows.table),
        filtered: rows.filtered,
        columns: rows.columns.clone(),
        reads: object_names(&rows.reads),
    }
}

pub(super) fn transaction_word(control: &sql::TransactionControl) -> &'static str {
    match control {
        sql::TransactionControl::Begin => "begin",
        sql::TransactionControl::Commit => "commit",
        sql::TransactionControl::Rollback => "rollback",
        sql::TransactionControl::Savepoint(_) => "savepoint",
        sql::TransactionControl::Release(_) => "release",
        sql::TransactionControl::RollbackTo(_) => "rollback-to",
        sql::TransactionControl::Prepared => "prepared",
    }
}
