//! Writing names in SQL. Everything is quoted: that is right in every dialect and for every name.

use tollgate_plugin::{Dialect, ObjectName};

/// Quotes names for one dialect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names(pub(crate) Dialect);

impl Names {
    /// `"name"`.
    pub(crate) fn one(self, name: &str) -> String {
        let quote = if self.0 == Dialect::Mysql { '`' } else { '"' };
        let doubled = name.replace(quote, &format!("{quote}{quote}"));
        format!("{quote}{doubled}{quote}")
    }

    /// `"schema"."name"`.
    pub(crate) fn object(self, name: &ObjectName) -> String {
        match &name.schema {
            Some(schema) => format!("{}.{}", self.one(schema), self.one(&name.name)),
            None => self.one(&name.name),
        }
    }

    /// `'text'`.
    pub(crate) fn literal(text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }
}
