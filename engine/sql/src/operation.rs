//! What a statement does, in all the detail that replaying it on a catalog needs.
//!
//! Types are named as the server prints them (`character varying(255)`, not `VARCHAR(255)`); expressions are kept as
//! text. The plugin contract's `operation` is a smaller view of these.

mod naming;
mod objects;
mod tables;
mod values;

use serde::{Deserialize, Serialize};

pub use objects::{
    CreateFunction, CreateTrigger, CreateView, Drop, Grant, ObjectKind, OtherOperation, Policy, RowChange,
    TransactionControl,
};
pub use tables::{
    AddColumn, ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateIndex, CreateTable, Generated, Identity,
    IndexPart, ReferentialAction,
};
pub use values::{DataType, Expression, SequenceOptions, Volatility};

use crate::name::ObjectName;

/// What a statement does to the schema, to rows, or to the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the fields are those of the SQL statement that names the variant"
)]
pub enum Operation {
    // Schemas
    CreateSchema {
        name: String,
        if_not_exists: bool,
    },
    // Tables
    CreateTable(Box<CreateTable>),
    AddColumn(Box<AddColumn>),
    DropColumn {
        table: ObjectName,
        column: String,
        if_exists: bool,
        cascade: bool,
    },
    RenameColumn {
        table: ObjectName,
        from: String,
        to: String,
    },
    AlterColumnType {
        table: ObjectName,
        column: String,
        to: DataType,
        using: Option<Expression>,
        collation: Option<ObjectName>,
    },
    SetNotNull {
        table: ObjectName,
        column: String,
    },
    DropNotNull {
        table: ObjectName,
        column: String,
    },
    SetDefault {
        table: ObjectName,
        column: String,
        default: Expression,
    },
    DropDefault {
        table: ObjectName,
        column: String,
    },
    AddIdentity {
        table: ObjectName,
        column: String,
        identity: Identity,
        options: SequenceOptions,
    },
    /// ALTER COLUMN … SET GENERATED / sequence options.
    AlterIdentity {
        table: ObjectName,
        column: String,
        identity: Option<Identity>,
        options: SequenceOptions,
    },
    DropIdentity {
        table: ObjectName,
        column: String,
        if_exists: bool,
    },
    /// SET EXPRESSION AS (…): rewrites the table.
    SetExpression {
        table: ObjectName,
        column: String,
        expression: Expression,
    },
    DropExpression {
        table: ObjectName,
        column: String,
        if_exists: bool,
    },
    /// SET STATISTICS, SET STORAGE, SET COMPRESSION, SET (options), as `(word, value)`.
    SetColumnOption {
        table: ObjectName,
        column: String,
        option: String,
        value: String,
    },
    AddConstraint {
        table: ObjectName,
        constraint: Box<ConstraintDefinition>,
    },
    DropConstraint {
        table: ObjectName,
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    ValidateConstraint {
        table: ObjectName,
        name: String,
    },
    RenameConstraint {
        table: ObjectName,
        from: String,
        to: String,
    },
    /// `ALTER CONSTRAINT … [NOT] DEFERRABLE`.
    AlterConstraint {
        table: ObjectName,
        name: String,
        deferrable: bool,
        initially_deferred: bool,
    },
    AttachPartition {
        table: ObjectName,
        partition: ObjectName,
        bound: String,
    },
    DetachPartition {
        table: ObjectName,
        partition: ObjectName,
        concurrently: bool,
        finalize: bool,
    },
    Inherit {
        table: ObjectName,
        parent: ObjectName,
        inherit: bool,
    },
    /// ENABLE/DISABLE ROW LEVEL SECURITY.
    RowSecurity {
        table: ObjectName,
        enable: bool,
    },
    /// FORCE / NO FORCE ROW LEVEL SECURITY.
    ForceRowSecurity {
        table: ObjectName,
        force: bool,
    },
    /// ENABLE/DISABLE TRIGGER; `name` is `None` for ALL and USER.
    EnableTrigger {
        table: ObjectName,
        name: Option<String>,
        enable: bool,
    },
    /// REPLICA IDENTITY: `default`, `full`, `nothing` or `index:NAME`.
    ReplicaIdentity {
        table: ObjectName,
        identity: String,
    },
    /// SET LOGGED / UNLOGGED.
    SetLogged {
        table: ObjectName,
        logged: bool,
    },
    SetTablespace {
        kind: ObjectKind,
        name: ObjectName,
        tablespace: String,
    },
    SetAccessMethod {
        table: ObjectName,
        method: String,
    },
    /// SET (…) / RESET (…): a reset has no value.
    SetStorageParameters {
        kind: ObjectKind,
        name: ObjectName,
        parameters: Vec<(String, Option<String>)>,
    },
    // Indexes
    CreateIndex(Box<CreateIndex>),
    /// ALTER INDEX parent ATTACH PARTITION child.
    AttachIndex {
        index: ObjectName,
        child: ObjectName,
    },
    // Types
    CreateEnum {
        name: ObjectName,
        values: Vec<String>,
    },
    AddEnumValue {
        name: ObjectName,
        value: String,
        if_not_exists: bool,
        before: Option<String>,
        after: Option<String>,
    },
    RenameEnumValue {
        name: ObjectName,
        from: String,
        to: String,
    },
    CreateDomain {
        name: ObjectName,
        data_type: DataType,
        not_null: bool,
        default: Option<Expression>,
        constraints: Vec<ConstraintDefinition>,
        collation: Option<ObjectName>,
    },
    AlterDomain {
        name: ObjectName,
        change: DomainChange,
    },
    CreateComposite {
        name: ObjectName,
        attributes: Vec<ColumnDefinition>,
    },
    /// ALTER TYPE … ADD/DROP/ALTER ATTRIBUTE, as written.
    AlterComposite {
        name: ObjectName,
        text: String,
    },
    /// CREATE TYPE … AS RANGE and base types, as written.
    CreateOtherType {
        name: ObjectName,
        definition: String,
    },
    // Views, functions, triggers, sequences
    CreateView(Box<CreateView>),
    RefreshView {
        name: ObjectName,
        concurrently: bool,
    },
    CreateFunction(Box<CreateFunction>),
    CreateTrigger(Box<CreateTrigger>),
    CreateRule {
        name: String,
        table: ObjectName,
        or_replace: bool,
        definition: String,
    },
    CreateSequence {
        name: ObjectName,
        if_not_exists: bool,
        temporary: bool,
        data_type: Option<String>,
        options: SequenceOptions,
        owned_by: Option<(ObjectName, String)>,
    },
    AlterSequence {
        name: ObjectName,
        options: SequenceOptions,
        owned_by: Option<Option<(ObjectName, String)>>,
    },
    CreatePolicy(Box<Policy>),
    AlterPolicy(Box<Policy>),
    CreateExtension {
        name: String,
        schema: Option<String>,
        if_not_exists: bool,
    },
    // Any object
    Drop(Drop),
    /// RENAME TO of a relation, index, sequence, type, function, schema, …
    Rename {
        kind: ObjectKind,
        from: ObjectName,
        on: Option<ObjectName>,
        arguments: Option<Vec<String>>,
        to: String,
    },
    SetSchema {
        kind: ObjectKind,
        name: ObjectName,
        arguments: Option<Vec<String>>,
        to: String,
    },
    SetOwner {
        kind: ObjectKind,
        name: ObjectName,
        owner: String,
    },
    /// COMMENT ON: `member` is the column, constraint, trigger or policy name of `name`; no `text` removes it.
    Comment {
        kind: ObjectKind,
        name: ObjectName,
        member: Option<String>,
        arguments: Option<Vec<String>>,
        text: Option<String>,
    },
    Grant(Grant),
    // Rows
    Insert(RowChange),
    Update(RowChange),
    Delete(RowChange),
    Truncate {
        table: ObjectName,
        cascade: bool,
        restart_identity: bool,
    },
    // Session and control
    Transaction(TransactionControl),
    /// `SET [LOCAL] name = value`; a RESET has no value. `SQLite`: PRAGMA name = value, with `pragma`.
    SetParameter {
        name: String,
        value: Option<String>,
        local: bool,
        pragma: bool,
    },
    /// SQL that is made at run time and cannot be seen: `EXECUTE format(…)`, an unknown function called by SELECT, a DO
    /// block in another language. `text` is what is visible of it.
    Dynamic {
        text: String,
    },
    Other(OtherOperation),
}

/// ALTER DOMAIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the SQL clause")]
pub enum DomainChange {
    SetDefault(Option<Expression>),
    SetNotNull(bool),
    AddConstraint(Box<ConstraintDefinition>),
    DropConstraint {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    RenameConstraint {
        from: String,
        to: String,
    },
    ValidateConstraint(String),
}
