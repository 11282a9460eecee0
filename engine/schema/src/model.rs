//! The catalog as plain data: what a database contains, in the words the server prints.
//!
//! A catalog read from a server and one replayed from scripts use the same types, so that they can be compared. Types are
//! named as PostgreSQL's `format_type` prints them; expressions are text, and two texts may mean the same.
//!
//! What both sides keep to, so that a comparison sees no difference where there is none:
//! - Names that other names are looked up by are qualified on PostgreSQL ([`ObjectName::schema`] is set) and bare on
//!   `SQLite`. Types, collations and operator classes of `pg_catalog` are bare; other types and collations are qualified;
//!   operator classes are always bare.
//! - An expression stands without a pair of parentheses around the whole of it: `a > 0`, not `(a > 0)`.
//! - Lists whose order means nothing (constraints, indexes, triggers, policies, rules, grants, options) are ordered by name
//!   in bytes. `SQLite` constraints stay in the order of the CREATE TABLE statement, because most have no name.
//! - An extension's own members are not in the lists of names, though a lookup by name may find them.

use serde::{Deserialize, Serialize};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::{DataType, Identity, ObjectKind, ReferentialAction, SequenceOptions, Volatility};

use crate::list::List;

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the SQL word")]
pub enum RelationKind {
    Table,
    PartitionedTable,
    View,
    MaterializedView,
    ForeignTable,
}

/// A table, view or the like, with everything that belongs to it and goes when it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own in the catalog"
)]
pub struct Relation {
    /// Name: always with its schema on PostgreSQL, never on `SQLite`.
    pub name: ObjectName,
    /// What it is.
    pub kind: RelationKind,
    /// Columns in order.
    pub columns: List<Column>,
    /// Keys, foreign keys, checks, exclusions. Ordered by name when read from a server.
    pub constraints: List<Constraint>,
    /// Indexes, those behind constraints included.
    pub indexes: List<Index>,
    /// Triggers (not the internal ones of foreign keys, nor the copies that a partition has of its parent's).
    pub triggers: Vec<Trigger>,
    /// Row-level security policies.
    pub policies: Vec<PolicyModel>,
    /// Rewrite rules other than a view's own: name and full definition.
    pub rules: Vec<(String, String)>,
    /// Privileges granted beyond the owner's.
    pub grants: Vec<Privilege>,
    /// Owner, where the catalog knows it.
    pub owner: Option<String>,
    /// COMMENT ON it.
    pub comment: Option<String>,
    /// Row-level security is on.
    pub row_security: bool,
    /// Row-level security also holds for the owner.
    pub force_row_security: bool,
    /// UNLOGGED.
    pub unlogged: bool,
    /// TEMPORARY.
    pub temporary: bool,
    /// The key of a partitioned table, as printed after PARTITION BY.
    pub partition_key: Option<String>,
    /// Parent and bound of a partition.
    pub partition_of: Option<(ObjectName, String)>,
    /// Parents by INHERITS.
    pub inherits: Vec<ObjectName>,
    /// Storage parameters.
    pub options: Vec<(String, String)>,
    /// Tablespace, when not the default.
    pub tablespace: Option<String>,
    /// Table access method when not `heap`; the module of a `SQLite` virtual table.
    pub access_method: Option<String>,
    /// `default`, `full`, `nothing`, `index:NAME`; `default` on `SQLite` and for what has no rows.
    pub replica_identity: String,
    /// `SQLite`: WITHOUT ROWID.
    pub without_rowid: bool,
    /// `SQLite`: STRICT.
    pub strict: bool,
    /// A view's query, as the server prints it or as written, without a closing semicolon.
    pub query: Option<String>,
    /// The relations a view's query reads.
    pub reads: Vec<ObjectName>,
    /// The statement that made it, where only that recreates it faithfully (`SQLite`: what `sqlite_master` holds; views).
    pub definition: Option<String>,
    /// Planner's estimate of rows; `None` when never analysed or not connected.
    pub estimated_rows: Option<u64>,
    /// Bytes on disk with indexes and TOAST.
    pub bytes: Option<u64>,
    /// A replay could not follow something that may have changed it: say "may", not "is".
    pub uncertain: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type.
    pub data_type: DataType,
    /// NOT NULL, from whatever source (declaration, primary key, identity). On `SQLite` what `PRAGMA table_info` says: a
    /// primary key implies it only in WITHOUT ROWID tables, and in STRICT tables unless the column is the rowid.
    pub not_null: bool,
    /// Default expression as text.
    pub default: Option<String>,
    /// Generated column: expression and whether it is stored.
    pub generated: Option<(String, bool)>,
    /// Identity.
    pub identity: Option<Identity>,
    /// Sequence that a serial or identity column owns.
    pub sequence: Option<ObjectName>,
    /// Collation when not the type's default.
    pub collation: Option<ObjectName>,
    /// COMMENT ON it.
    pub comment: Option<String>,
    /// Column privileges.
    pub grants: Vec<Privilege>,
    /// Storage, compression, statistics target and attribute options when not the default, in lower case:
    /// `("storage", "external")`, `("compression", "lz4")`, `("statistics", "500")`, `("n_distinct", "-0.5")`.
    pub options: Vec<(String, String)>,
}

/// A named constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Name as the server has it. `SQLite` constraints may have none: empty.
    pub name: String,
    /// What it demands.
    pub rule: ConstraintRule,
    /// DEFERRABLE.
    pub deferrable: bool,
    /// INITIALLY DEFERRED.
    pub initially_deferred: bool,
    /// All rows have been checked (not NOT VALID).
    pub validated: bool,
    /// COMMENT ON it.
    pub comment: Option<String>,
}

/// What a constraint demands. On PostgreSQL the index behind a key has the constraint's name; on `SQLite` it is
/// `sqlite_autoindex_TABLE_N`, and the rowid (INTEGER PRIMARY KEY) has none. Referenced columns that the script leaves out
/// are those of the primary key on PostgreSQL; on `SQLite` they stay empty, because it looks them up when rows change.
/// An exclusion's definition is what follows the word EXCLUDE, without DEFERRABLE and INITIALLY DEFERRED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "fields are those of the SQL clause")]
pub enum ConstraintRule {
    PrimaryKey {
        columns: Vec<String>,
        include: Vec<String>,
    },
    Unique {
        columns: Vec<String>,
        include: Vec<String>,
        nulls_not_distinct: bool,
    },
    ForeignKey {
        columns: Vec<String>,
        references: ObjectName,
        referenced_columns: Vec<String>,
        on_update: ReferentialAction,
        on_delete: ReferentialAction,
        on_delete_columns: Vec<String>,
        match_full: bool,
    },
    Check {
        expression: String,
        columns: Vec<String>,
        no_inherit: bool,
    },
    Exclude {
        definition: String,
        columns: Vec<String>,
    },
}

impl ConstraintRule {
    /// Columns of the constrained table that it names.
    pub fn columns(&self) -> &[String] {
        match self {
            Self::PrimaryKey { columns, .. }
            | Self::Unique { columns, .. }
            | Self::ForeignKey { columns, .. }
            | Self::Check { columns, .. }
            | Self::Exclude { columns, .. } => columns,
        }
    }
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own in the catalog"
)]
pub struct Index {
    /// Name (it lives in its table's schema).
    pub name: String,
    /// Key parts.
    pub parts: Vec<IndexKey>,
    /// INCLUDE columns.
    pub include: Vec<String>,
    /// UNIQUE.
    pub unique: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// Stands behind a primary key.
    pub primary: bool,
    /// The constraint it stands behind; empty for a `SQLite` constraint without a name.
    pub constraint: Option<String>,
    /// Complete and usable; false after a failed CONCURRENTLY.
    pub valid: bool,
    /// Access method; `btree` on `SQLite`.
    pub method: String,
    /// WHERE condition.
    pub predicate: Option<String>,
    /// Storage parameters.
    pub options: Vec<(String, String)>,
    /// Tablespace when not the default.
    pub tablespace: Option<String>,
    /// The server's CREATE INDEX statement, when read from a server; the script's, when replayed on `SQLite`.
    pub definition: Option<String>,
    /// COMMENT ON it.
    pub comment: Option<String>,
    /// Bytes on disk.
    pub bytes: Option<u64>,
}

impl Index {
    /// Equal in everything that CREATE INDEX says.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let plain = |index: &Self| Self {
            definition: None,
            comment: None,
            bytes: None,
            ..index.clone()
        };
        plain(self) == plain(other)
    }
}

/// One key of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexKey {
    /// The column, when it is one.
    pub column: Option<String>,
    /// The expression, when it is not.
    pub expression: Option<String>,
    /// Operator class when not the default one.
    pub operator_class: Option<String>,
    /// Collation when not the column's.
    pub collation: Option<String>,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST (PostgreSQL's default with DESC); never on `SQLite`.
    pub nulls_first: bool,
}

/// A trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Name.
    pub name: String,
    /// Function it calls.
    pub function: Option<ObjectName>,
    /// Full CREATE TRIGGER statement.
    pub definition: String,
    /// It fires.
    pub enabled: bool,
    /// COMMENT ON it.
    pub comment: Option<String>,
}

/// A row-level security policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyModel {
    /// Name.
    pub name: String,
    /// PERMISSIVE rather than RESTRICTIVE.
    pub permissive: bool,
    /// `all`, `select`, `insert`, `update`, `delete`.
    pub command: String,
    /// Roles; `public` for everybody.
    pub roles: Vec<String>,
    /// USING.
    pub using: Option<String>,
    /// WITH CHECK.
    pub check: Option<String>,
    /// COMMENT ON it.
    pub comment: Option<String>,
}

/// Privileges of one role on one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Privilege {
    /// Grantee; `public` for PUBLIC.
    pub role: String,
    /// Privileges in lower case, ascending.
    pub privileges: Vec<String>,
    /// WITH GRANT OPTION.
    pub grantable: bool,
}

/// A user-defined type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserType {
    /// Name with schema.
    pub name: ObjectName,
    /// What it is made of.
    pub kind: TypeKind,
    /// COMMENT ON it.
    pub comment: Option<String>,
    /// Owner, where known.
    pub owner: Option<String>,
    /// A replay could not follow something that may have changed it.
    pub uncertain: bool,
}

/// What a user-defined type is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "fields are those of the SQL statement")]
pub enum TypeKind {
    Enum {
        values: Vec<String>,
    },
    Domain {
        base: DataType,
        not_null: bool,
        default: Option<String>,
        checks: Vec<(String, String)>,
        collation: Option<ObjectName>,
    },
    Composite {
        attributes: Vec<(String, DataType)>,
    },
    /// Range and base types: the full CREATE TYPE statement.
    Other {
        definition: String,
    },
}

/// A sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Name with schema.
    pub name: ObjectName,
    /// `integer`, `bigint`, `smallint`.
    pub data_type: String,
    /// Options that are not the defaults for its type and direction, in this order: `increment`, `minvalue`, `maxvalue`,
    /// `start`, `cache`, `cycle`.
    pub options: SequenceOptions,
    /// Table and column that own it.
    pub owned_by: Option<(ObjectName, String)>,
    /// Belongs to an identity column.
    pub identity: bool,
    /// Last value, when read from a server and ever used.
    pub last_value: Option<i64>,
    /// COMMENT ON it.
    pub comment: Option<String>,
}

/// A function, procedure or aggregate (one overload).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Name with schema.
    pub name: ObjectName,
    /// Which of the three.
    pub kind: ObjectKind,
    /// Input argument types as `format_type` prints them.
    pub arguments: Vec<String>,
    /// Return type as printed.
    pub returns: Option<String>,
    /// Language.
    pub language: String,
    /// Body, where the language has text.
    pub body: Option<String>,
    /// Declared volatility.
    pub volatility: Volatility,
    /// SECURITY DEFINER.
    pub security_definer: bool,
    /// Full CREATE statement.
    pub definition: String,
    /// COMMENT ON it.
    pub comment: Option<String>,
    /// Privileges beyond the default.
    pub grants: Vec<Privilege>,
}

/// An object that breaks when another one changes or goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependent {
    /// The dependent object (of a column, trigger or policy: its table).
    pub name: ObjectName,
    /// Column, constraint, trigger or policy name, where it is a part of `name`.
    pub member: Option<String>,
    /// What it is.
    pub kind: ObjectKind,
    /// The column of the object asked about that it needs; `None` when unknown or the whole object.
    pub column: Option<String>,
}
