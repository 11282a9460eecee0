//! Data types and expressions.

use serde::{Deserialize, Serialize};

use crate::name::Dialect;

/// A data type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DataType {
    /// Schema of a user-defined type, where the script names it. Built-in types have none.
    pub schema: Option<String>,
    /// Base name as the server prints it: `integer`, `character varying`, `timestamp without time zone`, `my_enum`.
    /// On `SQLite` the declared type as the library prints it: as written (may be empty), but its six standard types in
    /// capitals and without quotes.
    pub name: String,
    /// What stands in parentheses: `["255"]`, `["10", "2"]`. Empty on `SQLite` (part of the name there).
    pub modifiers: Vec<String>,
    /// Array dimensions; 0 for a scalar.
    pub dimensions: u32,
}

impl DataType {
    /// The type as SQL, as the server prints it: modifiers in front of `with time zone` and `unsigned`, array brackets
    /// behind.
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
        let behind = match dialect {
            Dialect::Mysql => name.find(" unsigned"),
            Dialect::Postgres | Dialect::Sqlite => {
                name.find(" with time zone").or_else(|| name.find(" without time zone"))
            }
        };
        let (head, tail) = match behind {
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

impl Volatility {
    /// The less stable of both. What is certainly volatile outranks what may be.
    pub(crate) fn less_stable(self, other: Self) -> Self {
        let rank = |volatility| match volatility {
            Self::Immutable => 0,
            Self::Stable => 1,
            Self::Unknown => 2,
            Self::Volatile => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
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
