//! The contract's values, with what makes them handy to write and to read.
//!
//! All of them are plain Rust data generated from `wit/`; only [`crate::Migration`] and [`crate::Catalog`] stand for
//! something that the engine keeps.

use std::fmt;

pub use crate::bindings::catalog::{Column, Constraint, Dependent, Index, ProbeError, RelationKind};
pub use crate::bindings::notifier::exports::tollgate::plugin::notifier::{
    Applied, Awaiting, Checked, Event, Failed, Finished, LockWait, OtherEvent, Run, Verdict,
};
pub use crate::bindings::rollback::exports::tollgate::plugin::rollback::{
    Outcome, Request as RollbackRequest, Step as RollbackStep,
};
pub use crate::bindings::script::{
    AddedColumn, AddedConstraint, Change, ColumnDefault, ColumnDefinition, ColumnRename, ColumnTypeChange, Comment,
    ConstraintDefinition, ConstraintKind, Created, CreatedIndex, CreatedTable, Dropped, DroppedColumn, Effect,
    EnumDefinition, EnumRebuild, EnumValue, EnumValueRename, Expression, Identity, IdentityChange, IndexKey, LockMode,
    NamedConstraint, Operation, OtherOperation, Parameter, Partition, PrivilegeChange, Rename, RowChange, SchemaChange,
    Statement, TableLock, TableRebuild, Toggle, Truncation, Volatility,
};
pub use crate::bindings::types::{
    Applicability, ColumnName, Description, Dialect, Edit, Failure, Finding, Label, ObjectKind, ObjectName,
    Rule as RuleDescription, Server, SettingsIssue, Severity, Span, Suggestion,
};

impl Span {
    /// The spanned part of a migration's text; empty where the span does not fit.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

impl ObjectName {
    /// A name without a schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self {
            schema: None,
            name: name.into(),
        }
    }

    /// A name in a schema.
    pub fn qualified(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: Some(schema.into()),
            name: name.into(),
        }
    }

    /// The name as people write it where the schema is the usual one: `public` and `main` are left out.
    pub fn short(&self) -> String {
        match self.schema.as_deref() {
            None | Some("public" | "main") => self.name.clone(),
            Some(schema) => format!("{schema}.{}", self.name),
        }
    }
}

/// For people, without quotes: `schema.name`.
impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

impl ColumnName {
    /// Column `column` of `table`.
    pub fn new(table: ObjectName, column: impl Into<String>) -> Self {
        Self {
            table,
            column: column.into(),
        }
    }
}

/// For people: `table.column`.
impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table.short(), self.column)
    }
}

/// The SQL word in lower case, with spaces: `materialized view`.
impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
            Self::Index => "index",
            Self::Sequence => "sequence",
            Self::Type => "type",
            Self::Domain => "domain",
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::Aggregate => "aggregate",
            Self::Trigger => "trigger",
            Self::Policy => "policy",
            Self::Rule => "rule",
            Self::Schema => "schema",
            Self::Database => "database",
            Self::Extension => "extension",
            Self::Column => "column",
            Self::Constraint => "constraint",
            Self::Role => "role",
            Self::Other => "object",
        })
    }
}

impl LockMode {
    /// Nobody can even read meanwhile.
    pub fn blocks_reads(self) -> bool {
        self == Self::AccessExclusive
    }

    /// Nobody can write meanwhile.
    pub fn blocks_writes(self) -> bool {
        self >= Self::Share
    }
}

/// PostgreSQL's own words: `ACCESS EXCLUSIVE`.
impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        })
    }
}

/// The words of an error message: `primary key`, `foreign key`.
impl fmt::Display for ConstraintKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrimaryKey => "primary key",
            Self::Unique => "unique constraint",
            Self::ForeignKey => "foreign key",
            Self::Check => "check constraint",
            Self::Exclude => "exclusion constraint",
            Self::NotNull => "not-null constraint",
        })
    }
}

/// The server's own spelling: `PostgreSQL`.
impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Sqlite => "SQLite",
        })
    }
}

impl Server {
    /// The server is known to be of this major version or newer.
    pub fn at_least(&self, major: u32) -> bool {
        self.version.is_some_and(|(known, _, _)| known >= major)
    }

    /// The server is known to be older than this major version.
    pub fn older_than(&self, major: u32) -> bool {
        self.version.is_some_and(|(known, _, _)| known < major)
    }
}

impl Index {
    /// The key's columns, when every part of it is a plain column.
    pub fn key_columns(&self) -> Option<Vec<&str>> {
        key_columns(&self.keys)
    }
}

impl CreatedIndex {
    /// The key's columns, when every part of it is a plain column.
    pub fn key_columns(&self) -> Option<Vec<&str>> {
        key_columns(&self.keys)
    }
}

fn key_columns(keys: &[IndexKey]) -> Option<Vec<&str>> {
    keys.iter()
        .map(|key| match key {
            IndexKey::Column(column) => Some(column.as_str()),
            IndexKey::Expression(_) => None,
        })
        .collect()
}

impl Failure {
    /// The plugin cannot do its job, and the same call will fail again.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retryable: false,
        }
    }

    /// The plugin cannot do its job now, but the same call may succeed later.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retryable: true,
        }
    }
}

impl SettingsIssue {
    /// What is wrong with the setting at a JSON Pointer such as `/allowed_schemas/0`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl Suggestion {
    /// Replaces or inserts text so that the finding is gone; a person has to agree.
    pub fn manual(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self {
            title: title.into(),
            edits,
            applicability: Applicability::Manual,
        }
    }

    /// The same, safe to do without asking.
    pub fn automatic(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self {
            title: title.into(),
            edits,
            applicability: Applicability::Automatic,
        }
    }
}

impl Edit {
    /// Puts `text` in place of what stands at `at`.
    pub fn replace(at: Span, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }

    /// Puts `text` before byte `offset`.
    pub fn insert(offset: u32, text: impl Into<String>) -> Self {
        Self {
            at: Span {
                start: offset,
                end: offset,
            },
            text: text.into(),
        }
    }
}

impl Finding {
    /// A finding of `rule` about the whole script; say more with the methods below.
    pub fn new(rule: impl Into<String>, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            severity,
            message: message.into(),
            statement: None,
            at: None,
            labels: Vec::new(),
            help: None,
            suggestions: Vec::new(),
            properties: Vec::new(),
        }
    }

    /// Points at one clause of a statement.
    pub fn at(&mut self, statement: u32, span: Span) -> &mut Self {
        self.statement = Some(statement);
        self.at = Some(span);
        self
    }

    /// Another level than the rule's own.
    pub fn severity(&mut self, severity: Severity) -> &mut Self {
        self.severity = severity;
        self
    }

    /// Points at a second place, with a few words.
    pub fn label(&mut self, at: Span, text: impl Into<String>) -> &mut Self {
        self.labels.push(Label { at, text: text.into() });
        self
    }

    /// What to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// A change to the script that mends it.
    pub fn suggest(&mut self, suggestion: Suggestion) -> &mut Self {
        self.suggestions.push(suggestion);
        self
    }

    /// A machine-readable extra for JSON output.
    pub fn property(&mut self, key: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.properties.push((key.into(), value.into()));
        self
    }
}
