//! Names of database objects as the server folds them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which server a script is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// PostgreSQL, parsed with the server's own grammar.
    Postgres,
    /// `SQLite`, parsed with the library's own grammar.
    Sqlite,
    /// `MySQL` and MariaDB, read from the statements' words.
    Mysql,
}

impl Dialect {
    /// The provider name that `migration_lock.toml` uses.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Sqlite => "sqlite",
            Self::Mysql => "mysql",
        }
    }

    /// An identifier written so that the server reads exactly `name`; quoted only where it has to be.
    pub fn quote_if_needed(self, name: &str) -> String {
        crate::quote::identifier(self, name)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
            Self::Mysql => "MySQL",
        })
    }
}

/// A possibly schema-qualified name, exactly as the server folds it (unquoted PostgreSQL names are lower case here).
///
/// On `SQLite` the schema is an attached database's name; `main` is written as `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectName {
    /// Schema, when the script names one (in a catalog: always, on PostgreSQL).
    pub schema: Option<String>,
    /// The object's own name.
    pub name: String,
}

impl ObjectName {
    /// A name without a schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self {
            schema: None,
            name: name.into(),
        }
    }

    /// A schema-qualified name.
    pub fn qualified(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: Some(schema.into()),
            name: name.into(),
        }
    }

    /// The name as SQL, quoted where the dialect needs it.
    pub fn sql(&self, dialect: Dialect) -> String {
        match &self.schema {
            Some(schema) => format!(
                "{}.{}",
                dialect.quote_if_needed(schema),
                dialect.quote_if_needed(&self.name)
            ),
            None => dialect.quote_if_needed(&self.name),
        }
    }
}

/// For people: `schema.name` without quotes. Use [`ObjectName::sql`] for SQL.
impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
