//! What a statement does, in all the detail that replaying it on a catalog needs.
//!
//! Types are named as the server prints them (`character varying(255)`, not `VARCHAR(255)`); expressions are kept as
//! text. The plugin contract's `operation` is a smaller view of these.

use serde::{Deserialize, Serialize};

use crate::name::{Dialect, ObjectName};

/// A data type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DataType {
    /// Schema of a user-defined type, where the script names it. Built-in types have none.
    pub schema: Option<String>,
    /// Base name as the server prints it: `integer`, `character varying`, `timestamp without time zone`, `my_enum`.
    /// On `SQLite` the declared type exactly as written (may be empty).
    pub name: String,
    /// What stands in parentheses: `["255"]`, `["10", "2"]`. Empty on `SQLite` (part of the name there).
    pub modifiers: Vec<String>,
    /// Array dimensions; 0 for a scalar.
    pub dimensions: u32,
}

impl DataType {
    /// The type as SQL, as the server prints it: modifiers in front of `with time zone`, array brackets behind.
    pub fn sql(&self, dialect: Dialect) -> String {
        let mut text = match &self.schema {
            Some(schema) => format!("{}.", dialect.quote_if_needed(schema)),
            None => String::new(),
        };
        let printed_as_is = dialect != Dialect::Postgres || (self.schema.is_none() && is_printed_as_is(&self.name));
        let name = if printed_as_is {
            self.name.clone()
        } else {
            dialect.quote_if_needed(&self.name)
        };
        let (head, tail) = match name.find(" with time zone").or_else(|| name.find(" without time zone")) {
            Some(at) if printed_as_is => name.split_at(at),
            _ => (name.as_str(), ""),
        };
        text.push_str(head);
        if !self.modifiers.is_empty() {
            text.push('(');
            text.push_str(&self.modifiers.join(","));
            text.push(')');
        }
        text.push_str(tail);
        text.push_str(&"[]".repeat(self.dimensions as usize));
        text
    }
}

/// Built-in PostgreSQL types whose printed name is more than one plain identifier or a keyword.
fn is_printed_as_is(name: &str) -> bool {
    const NAMES: [&str; 19] = [
        "\"char\"",
        "bigint",
        "bit",
        "bit varying",
        "boolean",
        "character",
        "character varying",
        "double precision",
        "integer",
        "interval",
        "json",
        "numeric",
        "real",
        "smallint",
        "time with time zone",
        "time without time zone",
        "timestamp with time zone",
        "timestamp without time zone",
        "xml",
    ];
    NAMES.contains(&name) || name.starts_with("interval ") || name.ends_with("%TYPE")
}

/// When an expression gives another value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Volatility {
    /// Constants and pure functions.
    Immutable,
    /// One value a statement: `now()`.
    Stable,
    /// A new value each row: `random()`, `gen_random_uuid()`, `nextval()`.
    Volatile,
    /// Calls a function we do not know.
    Unknown,
}

/// An expression, kept as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Expression {
    /// As written in the script.
    pub text: String,
    /// The expression is the literal NULL (possibly cast).
    pub is_null: bool,
    /// Whether it is the same for every row.
    pub volatility: Volatility,
    /// Columns it names, in order of appearance, without duplicates.
    pub columns: Vec<String>,
}

/// Options of a sequence or identity column, as written: `("increment", "5")`, `("cycle", "true")`.
pub type SequenceOptions = Vec<(String, String)>;

/// A column as CREATE TABLE or ADD COLUMN declares it. Its constraints stand in [`CreateTable::constraints`] or
/// [`AddColumn::constraints`]; `not_null` and the default are properties of the column itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDefinition {
    /// Column name.
    pub name: String,
    /// Declared type; `serial` has become `integer` here.
    pub data_type: DataType,
    /// Declared `smallserial`, `serial` or `bigserial`.
    pub serial: bool,
    /// NOT NULL is written (or implied by serial, identity). PRIMARY KEY implies it too, but only through the constraint.
    pub not_null: bool,
    /// DEFAULT, where one is written.
    pub default: Option<Expression>,
    /// GENERATED ALWAYS AS (expression).
    pub generated: Option<Generated>,
    /// GENERATED … AS IDENTITY; `SQLite`'s AUTOINCREMENT is [`Identity::Autoincrement`].
    pub identity: Option<Identity>,
    /// Options of the identity's sequence.
    pub sequence_options: SequenceOptions,
    /// COLLATE, where written.
    pub collation: Option<ObjectName>,
    /// STORAGE or COMPRESSION and the like, as written.
    pub options: Vec<(String, String)>,
}

/// A generated column's expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// What it computes.
    pub expression: Expression,
    /// STORED rather than VIRTUAL.
    pub stored: bool,
}

/// How an identity column takes its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// GENERATED ALWAYS.
    Always,
    /// GENERATED BY DEFAULT.
    ByDefault,
    /// `SQLite` AUTOINCREMENT.
    Autoincrement,
}

/// A table or column constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstraintDefinition {
    /// Name, where the script gives one.
    pub name: Option<String>,
    /// What it demands.
    pub kind: ConstraintKind,
    /// DEFERRABLE.
    pub deferrable: bool,
    /// INITIALLY DEFERRED.
    pub initially_deferred: bool,
    /// NOT VALID: existing rows are not scanned.
    pub not_valid: bool,
    /// NO INHERIT.
    pub no_inherit: bool,
    /// Written beside a column rather than on its own.
    pub of_column: bool,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConstraintKind {
    /// PRIMARY KEY (columns), or USING INDEX.
    PrimaryKey {
        /// Key columns; empty with `using_index`.
        columns: Vec<String>,
        /// INCLUDE columns.
        include: Vec<String>,
        /// USING INDEX name.
        using_index: Option<String>,
    },
    /// UNIQUE (columns), or USING INDEX.
    Unique {
        /// Key columns; empty with `using_index`.
        columns: Vec<String>,
        /// INCLUDE columns.
        include: Vec<String>,
        /// NULLS NOT DISTINCT.
        nulls_not_distinct: bool,
        /// USING INDEX name.
        using_index: Option<String>,
    },
    /// FOREIGN KEY (columns) REFERENCES.
    ForeignKey {
        /// Referencing columns.
        columns: Vec<String>,
        /// Referenced table.
        references: ObjectName,
        /// Referenced columns; empty when the script leaves them to the primary key.
        referenced_columns: Vec<String>,
        /// ON UPDATE.
        on_update: ReferentialAction,
        /// ON DELETE.
        on_delete: ReferentialAction,
        /// ON DELETE SET NULL (columns).
        on_delete_columns: Vec<String>,
        /// MATCH FULL.
        match_full: bool,
    },
    /// CHECK (expression).
    Check {
        /// The condition.
        expression: Expression,
    },
    /// EXCLUDE …
    Exclude {
        /// Columns named as plain columns.
        columns: Vec<String>,
        /// Everything after the word EXCLUDE, as written.
        definition: String,
    },
    /// NOT NULL as a named constraint (PostgreSQL 18).
    NotNull {
        /// The column.
        column: String,
    },
}

/// What a foreign key does when the referenced row changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferentialAction {
    /// NO ACTION.
    NoAction,
    /// RESTRICT.
    Restrict,
    /// CASCADE.
    Cascade,
    /// SET NULL.
    SetNull,
    /// SET DEFAULT.
    SetDefault,
}

/// CREATE TABLE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTable {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Columns in order.
    pub columns: Vec<ColumnDefinition>,
    /// Column and table constraints, in the order written.
    pub constraints: Vec<ConstraintDefinition>,
    /// TEMPORARY.
    pub temporary: bool,
    /// UNLOGGED.
    pub unlogged: bool,
    /// INHERITS (…).
    pub inherits: Vec<ObjectName>,
    /// LIKE sources with the options that are on: `("t", ["defaults", "indexes"])`.
    pub like: Vec<(ObjectName, Vec<String>)>,
    /// PARTITION BY, as written after those words.
    pub partition_by: Option<String>,
    /// PARTITION OF parent and the bound as written (`FOR VALUES …` or `DEFAULT`).
    pub partition_of: Option<(ObjectName, String)>,
    /// CREATE TABLE … AS: the query's text. Its columns may be unknown to us.
    pub as_query: Option<String>,
    /// Tables and views the query reads.
    pub reads: Vec<ObjectName>,
    /// `SQLite`: WITHOUT ROWID.
    pub without_rowid: bool,
    /// `SQLite`: STRICT.
    pub strict: bool,
    /// WITH (…) storage parameters.
    pub options: Vec<(String, String)>,
    /// TABLESPACE.
    pub tablespace: Option<String>,
    /// USING access method, or the module of a `SQLite` virtual table.
    pub access_method: Option<String>,
    /// `CREATE FOREIGN TABLE … SERVER name`.
    pub foreign_server: Option<String>,
}

/// CREATE INDEX.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateIndex {
    /// Name, where given; PostgreSQL makes one otherwise.
    pub name: Option<String>,
    /// Table.
    pub table: ObjectName,
    /// Key parts in order.
    pub parts: Vec<IndexPart>,
    /// INCLUDE columns.
    pub include: Vec<String>,
    /// UNIQUE.
    pub unique: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// CONCURRENTLY.
    pub concurrently: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// ON ONLY.
    pub only: bool,
    /// USING method; `btree` where nothing is written.
    pub method: String,
    /// WHERE condition.
    pub predicate: Option<Expression>,
    /// WITH (…) storage parameters.
    pub options: Vec<(String, String)>,
    /// TABLESPACE.
    pub tablespace: Option<String>,
}

/// One key of an index.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IndexPart {
    /// The column, when the key is a plain column.
    pub column: Option<String>,
    /// The expression's text, when it is not.
    pub expression: Option<String>,
    /// Operator class, where written.
    pub operator_class: Option<String>,
    /// COLLATE, where written.
    pub collation: Option<String>,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST / LAST, where written.
    pub nulls_first: Option<bool>,
}

/// ADD COLUMN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddColumn {
    /// Table.
    pub table: ObjectName,
    /// The column.
    pub column: ColumnDefinition,
    /// Constraints written beside it.
    pub constraints: Vec<ConstraintDefinition>,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
}

/// Kinds of objects that DROP, RENAME, COMMENT, SET SCHEMA, GRANT and OWNER TO can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the SQL word")]
pub enum ObjectKind {
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
    /// Anything else; [`Drop::other_kind`] has the word.
    Other,
}

/// DROP of one object (a DROP that names three objects is three of these).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// What kind of object.
    pub kind: ObjectKind,
    /// The SQL word when `kind` is [`ObjectKind::Other`], lower case: `publication`.
    pub other_kind: Option<String>,
    /// Name. Of a trigger, policy or rule: that name; the table is in `on`.
    pub name: ObjectName,
    /// Table of a trigger, policy or rule.
    pub on: Option<ObjectName>,
    /// Argument types of a function, where written.
    pub arguments: Option<Vec<String>>,
    /// IF EXISTS.
    pub if_exists: bool,
    /// CASCADE.
    pub cascade: bool,
    /// CONCURRENTLY (indexes).
    pub concurrently: bool,
}

/// INSERT, UPDATE, DELETE, MERGE: also inside a CTE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// Table whose rows change.
    pub table: ObjectName,
    /// Has a WHERE clause (or USING/FROM join that restricts). For INSERT: rows come from a query.
    pub filtered: bool,
    /// Columns set, where written (INSERT columns, UPDATE SET).
    pub columns: Vec<String>,
    /// Tables and views read.
    pub reads: Vec<ObjectName>,
}

/// CREATE VIEW and CREATE MATERIALIZED VIEW.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateView {
    /// Name.
    pub name: ObjectName,
    /// MATERIALIZED.
    pub materialized: bool,
    /// OR REPLACE.
    pub or_replace: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// TEMPORARY.
    pub temporary: bool,
    /// Column names, where written.
    pub columns: Vec<String>,
    /// The query, as written.
    pub query: String,
    /// Tables, views and functions the query names.
    pub reads: Vec<ObjectName>,
    /// The whole statement, as written: what recreates the view.
    pub definition: String,
}

/// CREATE FUNCTION, PROCEDURE or AGGREGATE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateFunction {
    /// Name.
    pub name: ObjectName,
    /// Function, procedure or aggregate.
    pub kind: ObjectKind,
    /// OR REPLACE.
    pub or_replace: bool,
    /// Input argument types, normalised.
    pub arguments: Vec<String>,
    /// Return type, as written.
    pub returns: Option<String>,
    /// Language.
    pub language: String,
    /// Body text, for languages that have one.
    pub body: Option<String>,
    /// SECURITY DEFINER.
    pub security_definer: bool,
    /// SET clauses: parameter names.
    pub settings: Vec<String>,
    /// Declared volatility (PostgreSQL's default is volatile).
    pub volatility: Volatility,
    /// What a call of it may do, as far as the body can be read. Conditional by nature.
    pub body_operations: Vec<Operation>,
    /// The body could not be read to the end (other language, dynamic SQL).
    pub opaque: bool,
    /// The whole statement, as written.
    pub definition: String,
}

/// CREATE TRIGGER.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTrigger {
    /// Name.
    pub name: String,
    /// Table or view.
    pub table: ObjectName,
    /// OR REPLACE.
    pub or_replace: bool,
    /// IF NOT EXISTS (`SQLite`).
    pub if_not_exists: bool,
    /// Function it calls (PostgreSQL).
    pub function: Option<ObjectName>,
    /// The whole statement, as written.
    pub definition: String,
}

/// CREATE POLICY or ALTER POLICY.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// Table.
    pub table: ObjectName,
    /// PERMISSIVE (the default) rather than RESTRICTIVE.
    pub permissive: bool,
    /// `all`, `select`, `insert`, `update`, `delete`.
    pub command: String,
    /// Roles; `public` where none is written.
    pub roles: Vec<String>,
    /// USING expression, as written.
    pub using: Option<String>,
    /// WITH CHECK expression, as written.
    pub check: Option<String>,
}

/// GRANT or REVOKE of privileges on one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// GRANT rather than REVOKE.
    pub grant: bool,
    /// Kind of the object.
    pub kind: ObjectKind,
    /// The object; ALL … IN SCHEMA names the schema with kind [`ObjectKind::Schema`] and `all_in_schema`.
    pub object: ObjectName,
    /// ALL TABLES/SEQUENCES/FUNCTIONS IN SCHEMA.
    pub all_in_schema: bool,
    /// Privileges in lower case; empty for ALL.
    pub privileges: Vec<String>,
    /// Grantees; `public` for PUBLIC.
    pub roles: Vec<String>,
    /// WITH GRANT OPTION / GRANT OPTION FOR.
    pub grant_option: bool,
}

/// Everything else a statement can be. `objects` are what it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherOperation {
    /// Kebab-case tag, for example `create-publication`, `vacuum`, `cluster`, `lock-table`, `reindex`.
    pub tag: String,
    /// Objects named.
    pub objects: Vec<ObjectName>,
    /// Details by name, for example `("concurrently", "true")`, `("mode", "ACCESS EXCLUSIVE")`.
    pub details: Vec<(String, String)>,
}

/// Transaction control in a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the SQL word")]
pub enum TransactionControl {
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED.
    Prepared,
}

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
    /// ALTER CONSTRAINT … [NOT] DEFERRABLE.
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
    /// SET [LOCAL] name = value; a RESET has no value. `SQLite`: PRAGMA name = value, with `pragma`.
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
