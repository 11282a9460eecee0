//! Other objects: views, functions, triggers, policies, and what is done to any object.

use serde::{Deserialize, Serialize};

use super::{Operation, Volatility};
use crate::name::ObjectName;

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
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the statement")]
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
