//! Between the types of the contract and those of the engine. Matches name every variant: a new one is a compile error
//! here, not a plugin that never hears of it.

mod catalog;
mod event;
mod finding;
mod locks;
mod operation;
mod parts;
mod script;
mod triggers;

use tollgate_sql::operation as sql;
use tollgate_sql::{Dialect, ObjectName};
use wasmtime::component::Linker;

use crate::bindings::types as wit;
use crate::state::State;
use crate::types::{Description, Rule, Server, Severity};

pub(crate) use catalog::{column, constraint, index, relation};
pub(crate) use event::{event, run};
pub(crate) use finding::finding;
pub(crate) use script::{changes, statements, table_locks};
pub(crate) use triggers::Occurring;

/// Has the linker answer the questions with the longest answers from what the subject keeps, without a copy.
pub(crate) fn add_shared_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    script::add_shared_to_linker(linker)?;
    catalog::add_shared_to_linker(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A position or count for the contract. Nothing the host handles is longer: the parsers refuse scripts whose
/// positions do not fit, and lists of statements are shorter than scripts.
pub(crate) fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A position from the contract.
pub(crate) fn widen(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

pub(crate) fn object_name(name: &ObjectName) -> wit::ObjectName {
    wit::ObjectName {
        schema: name.schema.clone(),
        name: name.name.clone(),
    }
}

pub(crate) fn object_names(names: &[ObjectName]) -> Vec<wit::ObjectName> {
    names.iter().map(object_name).collect()
}

pub(crate) fn from_object_name(name: wit::ObjectName) -> ObjectName {
    ObjectName {
        schema: name.schema,
        name: name.name,
    }
}

pub(crate) fn column_name(table: &ObjectName, column: &str) -> wit::ColumnName {
    wit::ColumnName {
        table: object_name(table),
        column: column.to_owned(),
    }
}

pub(crate) fn server(server: Server) -> wit::Server {
    wit::Server {
        dialect: match server.dialect {
            Dialect::Postgres => wit::Dialect::Postgres,
            Dialect::Sqlite => wit::Dialect::Sqlite,
            Dialect::Mysql => wit::Dialect::Mysql,
        },
        version: server.version,
    }
}

/// Both directions from one list, so that they cannot disagree.
macro_rules! object_kinds {
    ($($kind:ident),* $(,)?) => {
        pub(crate) fn object_kind(kind: sql::ObjectKind) -> wit::ObjectKind {
            match kind { $(sql::ObjectKind::$kind => wit::ObjectKind::$kind,)* }
        }

        pub(crate) fn from_object_kind(kind: wit::ObjectKind) -> sql::ObjectKind {
            match kind { $(wit::ObjectKind::$kind => sql::ObjectKind::$kind,)* }
        }
    };
}

object_kinds!(
    Table,
    View,
    MaterializedView,
    ForeignTable,
    Index,
    Sequence,
    Type,
    Domain,
    Function,
    Procedure,
    Aggregate,
    Trigger,
    Policy,
    Rule,
    Schema,
    Database,
    Extension,
    Column,
    Constraint,
    Role,
    Other,
);

pub(crate) fn severity(severity: Severity) -> wit::Severity {
    match severity {
        Severity::Low => wit::Severity::Low,
        Severity::Medium => wit::Severity::Medium,
        Severity::High => wit::Severity::High,
    }
}

pub(crate) fn from_severity(severity: wit::Severity) -> Severity {
    match severity {
        wit::Severity::Low => Severity::Low,
        wit::Severity::Medium => Severity::Medium,
        wit::Severity::High => Severity::High,
    }
}

pub(crate) fn from_description(description: wit::Description) -> Description {
    Description {
        name: description.name,
        version: description.version,
        summary: description.summary,
        rules: description.rules.into_iter().map(from_rule).collect(),
        capabilities: description.capabilities,
        settings_schema: description.settings_schema,
        properties: description.properties,
    }
}

fn from_rule(rule: wit::Rule) -> Rule {
    Rule {
        id: rule.id,
        summary: rule.summary,
        default_severity: from_severity(rule.default_severity),
        enabled_by_default: rule.enabled_by_default,
        needs_database: rule.needs_database,
        triggers: rule.triggers,
        explanation: rule.explanation,
        bad_example: rule.bad_example,
        good_example: rule.good_example,
    }
}
