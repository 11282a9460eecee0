//! Tests of one rule, by server.

use tollgate_plugin::Dialect;
use tollgate_plugin::rules::Rule;
use tollgate_plugin::testing::{self, Judge};

use crate::Destructive;

pub(crate) use tollgate_plugin::testing::{assert_ignores, assert_reports};

/// Tests of a rule on PostgreSQL.
pub(crate) fn postgres(rule: &Rule) -> Judge<Destructive> {
    testing::rule(rule).dialect(Dialect::Postgres)
}

/// Tests of a rule on `MySQL`.
pub(crate) fn mysql(rule: &Rule) -> Judge<Destructive> {
    testing::rule(rule).dialect(Dialect::Mysql)
}

/// Tests of a rule on `SQLite`.
pub(crate) fn sqlite(rule: &Rule) -> Judge<Destructive> {
    testing::rule(rule).dialect(Dialect::Sqlite)
}
