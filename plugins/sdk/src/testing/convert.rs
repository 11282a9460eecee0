//! The engine's types as the contract shows them, as the host converts them for components.
//!
//! Operations go through the host's own source files, so that the two cannot disagree; the rest is matched without
//! wildcards.

#[path = "../../../../engine/host/src/convert/locks.rs"]
mod locks;
#[path = "../../../../engine/host/src/convert/operation.rs"]
mod operation;
#[path = "../../../../engine/host/src/convert/parts.rs"]
mod parts;
#[allow(dead_code, reason = "the host's own tests use all of it")]
#[path = "../../../../engine/host/src/convert/triggers.rs"]
mod triggers;

use tollgate_schema::{ProbeError as Probe, model};
use tollgate_sql::operation as sql;
use tollgate_sql::{Change, Dialect, Effect, ObjectName, Span, Statement};

use crate::bindings::{catalog as wit, script, types};

pub(super) use locks::table_lock;
pub(super) use triggers::Occurring;

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

pub(super) fn object_name(name: &ObjectName) -> types::ObjectName {
    types::ObjectName {
        schema: name.schema.clone(),
        name: name.name.clone(),
    }
}

fn object_names(names: &[ObjectName]) -> Vec<types::ObjectName> {
    names.iter().map(object_name).collect()
}

pub(super) fn from_object_name(name: &types::ObjectName) -> ObjectName {
    ObjectName {
        schema: name.schema.clone(),
        name: name.name.clone(),
    }
}

fn column_name(table: &ObjectName, column: &str) -> types::ColumnName {
    types::ColumnName {
        table: object_name(table),
        column: column.to_owned(),
    }
}

pub(super) fn dialect(dialect: Dialect) -> types::Dialect {
    match dialect {
        Dialect::Postgres => types::Dialect::Postgres,
        Dialect::Sqlite => types::Dialect::Sqlite,
        Dialect::Mysql => types::Dialect::Mysql,
    }
}

pub(super) fn from_dialect(dialect: types::Dialect) -> Dialect {
    match dialect {
        types::Dialect::Postgres => Dialect::Postgres,
        types::Dialect::Sqlite => Dialect::Sqlite,
        types::Dialect::Mysql => Dialect::Mysql,
    }
}

/// Both directions from one list, so that they cannot disagree.
macro_rules! object_kinds {
    ($($kind:ident),* $(,)?) => {
        fn object_kind(kind: sql::ObjectKind) -> types::ObjectKind {
            match kind { $(sql::ObjectKind::$kind => types::ObjectKind::$kind,)* }
        }

        pub(super) fn from_object_kind(kind: types::ObjectKind) -> sql::ObjectKind {
            match kind { $(types::ObjectKind::$kind => sql::ObjectKind::$kind,)* }
        }
    };
}

#[rustfmt::skip]
object_kinds!(
    Table, View, MaterializedView, ForeignTable, Index, Sequence, Type, Domain, Function, Procedure, Aggregate, Trigger,
    Policy, Rule, Schema, Database, Extension, Column, Constraint, Role, Other,
);

fn span(span: Span) -> types::Span {
    types::Span {
        start: narrow(span.start),
        end: narrow(span.end),
    }
}

pub(super) fn statement(statement: &Statement, dialect: Dialect) -> script::Statement {
    script::Statement {
        index: narrow(statement.index),
        span: span(statement.span),
        effects: statement.effects.iter().map(|of| effect(of, dialect)).collect(),
        transactional: statement.transactional,
        part_of: statement.part_of.map(narrow),
    }
}

fn effect(effect: &Effect, dialect: Dialect) -> script::Effect {
    script::Effect {
        at: span(effect.span),
        operation: operation::operation(&effect.operation, dialect),
        conditional: effect.conditional,
    }
}

pub(super) fn change(change: &Change) -> script::Change {
    match change {
        Change::TableRebuild(rebuild) => script::Change::TableRebuild(script::TableRebuild {
            table: object_name(&rebuild.table),
            temporary: object_name(&rebuild.temporary),
            statements: rebuild.statements.iter().copied().map(narrow).collect(),
            drop_statement: narrow(rebuild.drop_statement),
            copied: rebuild.copied.clone(),
            all_rows: rebuild.all_rows,
        }),
        Change::EnumRebuild(rebuild) => script::Change::EnumRebuild(script::EnumRebuild {
            name: object_name(&rebuild.name),
            statements: rebuild.statements.iter().copied().map(narrow).collect(),
            drop_statement: narrow(rebuild.drop_statement),
            values: rebuild.values.clone(),
            columns: rebuild
                .columns
                .iter()
                .map(|(table, column)| column_name(table, column))
                .collect(),
        }),
    }
}

pub(super) fn relation(relation: &model::Relation, dialect: Dialect) -> crate::Relation<'static> {
    let head = wit::Relation {
        name: object_name(&relation.name),
        kind: match relation.kind {
            model::RelationKind::Table => wit::RelationKind::Table,
            model::RelationKind::PartitionedTable => wit::RelationKind::PartitionedTable,
            model::RelationKind::View => wit::RelationKind::View,
            model::RelationKind::MaterializedView => wit::RelationKind::MaterializedView,
            model::RelationKind::ForeignTable => wit::RelationKind::ForeignTable,
        },
        row_security: relation.row_security,
        replica_identity: relation.replica_identity.clone(),
        partition_of: relation.partition_of.as_ref().map(|(parent, _)| object_name(parent)),
        comment: relation.comment.clone(),
        estimated_rows: relation.estimated_rows,
        bytes: relation.bytes,
        uncertain: relation.uncertain,
    };
    let names = (
        relation.triggers.iter().map(|trigger| trigger.name.clone()).collect(),
        relation.policies.iter().map(|policy| policy.name.clone()).collect(),
    );
    crate::Relation::given(
        head,
        relation.columns.iter().map(|found| column(found, dialect)).collect(),
        relation.indexes.iter().map(index).collect(),
        relation.constraints.iter().map(constraint).collect(),
        names,
    )
}

fn column(column: &model::Column, dialect: Dialect) -> wit::Column {
    wit::Column {
        name: column.name.clone(),
        data_type: column.data_type.sql(dialect),
        not_null: column.not_null,
        default: column.default.clone(),
        generated: column.generated.as_ref().map(|(expression, _)| expression.clone()),
        identity: column.identity.map(catalog::identity),
    }
}

fn index(index: &model::Index) -> wit::Index {
    wit::Index {
        name: index.name.clone(),
        keys: index
            .parts
            .iter()
            .map(|part| catalog::index_key(part.column.as_ref(), part.expression.as_ref()))
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

pub(super) fn constraint(constraint: &model::Constraint) -> wit::Constraint {
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
        model::ConstraintRule::PrimaryKey { .. } => found.kind = script::ConstraintKind::PrimaryKey,
        model::ConstraintRule::Unique { .. } => found.kind = script::ConstraintKind::Unique,
        model::ConstraintRule::ForeignKey {
            references,
            referenced_columns,
            ..
        } => {
            found.kind = script::ConstraintKind::ForeignKey;
            found.references = Some(object_name(references));
            found.referenced_columns.clone_from(referenced_columns);
        }
        model::ConstraintRule::Check { expression, .. } => found.expression = Some(expression.clone()),
        model::ConstraintRule::Exclude { definition, .. } => {
            found.kind = script::ConstraintKind::Exclude;
            found.expression = Some(definition.clone());
        }
    }
    found
}

pub(super) fn dependent(dependent: &model::Dependent) -> wit::Dependent {
    wit::Dependent {
        kind: object_kind(dependent.kind),
        name: object_name(&dependent.name),
        member: dependent.member.clone(),
        column: dependent.column.clone(),
    }
}

pub(super) fn probe_error(error: Probe) -> wit::ProbeError {
    match error {
        Probe::NotAvailable => wit::ProbeError::NotAvailable,
        Probe::TimedOut => wit::ProbeError::TimedOut,
        Probe::UnknownObject => wit::ProbeError::UnknownObject,
        Probe::Other(message) => wit::ProbeError::Other(message),
    }
}

/// What the host's `operation.rs` shares with its neighbour of this name.
mod catalog {
    use super::{script, sql};

    pub(super) fn identity(identity: sql::Identity) -> script::Identity {
        match identity {
            sql::Identity::Always => script::Identity::Always,
            sql::Identity::ByDefault => script::Identity::ByDefault,
            sql::Identity::Autoincrement => script::Identity::Autoincrement,
        }
    }

    pub(super) fn index_key(column: Option<&String>, expression: Option<&String>) -> script::IndexKey {
        match column {
            Some(column) => script::IndexKey::Column(column.clone()),
            None => script::IndexKey::Expression(expression.cloned().unwrap_or_default()),
        }
    }
}
