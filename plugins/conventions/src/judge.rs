//! Tests of one rule, by server.

use tollgate_plugin::Dialect;
use tollgate_plugin::rules::Rule;
use tollgate_plugin::testing::{self, Judge};

use crate::Conventions;

/// Tests of a rule on PostgreSQL.
pub(crate) fn postgres(rule: &Rule) -> Judge<Conventions> {
    testing::rule(rule).dialect(Dialect::Postgres)
}

/// Tests of a rule on `SQLite`.
pub(crate) fn sqlite(rule: &Rule) -> Judge<Conventions> {
    testing::rule(rule).dialect(Dialect::Sqlite)
}
