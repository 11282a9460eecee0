//! What a schema has to know about its server to resolve names.

use std::borrow::Cow;

use tollgate_sql::{Dialect, ObjectName};

/// Which server a schema belongs to and where it looks for unqualified names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The server's dialect.
    pub dialect: Dialect,
    /// Major, minor, patch, where known.
    pub server_version: Option<(u32, u32, u32)>,
    /// Schemas of unqualified names, first match wins; objects are created in the first. Empty on `SQLite`
    /// and `MySQL`.
    pub search_path: Vec<String>,
}

impl Context {
    /// The context of a server of which nothing but its dialect is known.
    pub fn new(dialect: Dialect) -> Self {
        let search_path = match dialect {
            Dialect::Postgres => vec!["public".to_owned()],
            Dialect::Sqlite | Dialect::Mysql => Vec::new(),
        };
        Self {
            dialect,
            server_version: None,
            search_path,
        }
    }

    /// The same with another search path.
    #[must_use]
    pub fn with_search_path(mut self, path: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.search_path = path.into_iter().map(Into::into).collect();
        self
    }

    /// Whether the server is known to be older than `major`.
    pub(crate) fn older_than(&self, major: u32) -> bool {
        self.server_version.is_some_and(|(actual, ..)| actual < major)
    }
}

/// How a dialect compares names: PostgreSQL exactly (the parser has folded them), `SQLite` without regard to case, `MySQL`
/// tables exactly and everything inside of them without regard to case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folding(pub Dialect);

impl Folding {
    /// Whether two identifiers name the same column, index or constraint.
    pub fn same(self, left: &str, right: &str) -> bool {
        match self.0 {
            Dialect::Sqlite | Dialect::Mysql => left.eq_ignore_ascii_case(right),
            Dialect::Postgres => left == right,
        }
    }

    /// Whether two resolved object names are the same.
    pub fn same_object(self, left: &ObjectName, right: &ObjectName) -> bool {
        match self.0 {
            Dialect::Sqlite => left.name.eq_ignore_ascii_case(&right.name) && self.key(left) == self.key(right),
            Dialect::Postgres | Dialect::Mysql => left.name == right.name && left.schema == right.schema,
        }
    }

    /// The key under which an object is kept.
    pub fn key(self, name: &ObjectName) -> Cow<'_, ObjectName> {
        match self.0 {
            Dialect::Sqlite => {
                let schema = name.schema.as_ref().map(|schema| schema.to_ascii_lowercase());
                Cow::Owned(ObjectName {
                    schema: schema.filter(|schema| schema != "main"),
                    name: name.name.to_ascii_lowercase(),
                })
            }
            Dialect::Postgres | Dialect::Mysql => Cow::Borrowed(name),
        }
    }

    /// What is the same for all spellings of one name.
    pub fn name(self, name: &str) -> Cow<'_, str> {
        match self.0 {
            Dialect::Sqlite | Dialect::Mysql => Cow::Owned(name.to_ascii_lowercase()),
            Dialect::Postgres => Cow::Borrowed(name),
        }
    }

    /// Where `name` stands among `names`.
    pub fn position(self, names: &[String], name: &str) -> Option<usize> {
        names.iter().position(|other| self.same(other, name))
    }

    /// Whether `names` has `name`.
    pub fn contains(self, names: &[String], name: &str) -> bool {
        self.position(names, name).is_some()
    }

    /// Replaces `from` by `to` wherever it stands in `names`.
    pub fn replace(self, names: &mut [String], from: &str, to: &str) {
        for name in names.iter_mut().filter(|name| self.same(name, from)) {
            to.clone_into(name);
        }
    }
}
