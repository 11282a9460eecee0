//! Schemas over a base: capabilities to ask it, and a base that cannot answer.

use std::sync::Arc;

use serde_json::json;
use tollgate_host::types::Finding;
use tollgate_host::{FailureKind, PluginError, Subject};
use tollgate_schema::model::{Dependent, Function, Relation, Sequence, UserType};
use tollgate_schema::{Base, BaseError, Context, ProbeError, Schema};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName};

use crate::support::{SCRIPT, call, host, messages, request, shown};

/// Knows one table and counts its rows; or has lost its server.
struct Counter {
    table: Option<Relation>,
}

impl Counter {
    fn nothing<T: Default>(&self) -> Result<T, BaseError> {
        match self.table {
            Some(_) => Ok(T::default()),
            None => Err(BaseError {
                message: "the server closed the connection".to_owned(),
                help: None,
            }),
        }
    }
}

impl Base for Counter {
    fn complete(&self) -> bool {
        true
    }
    fn schemas(&self) -> Result<Vec<String>, BaseError> {
        self.nothing()
    }
    fn relation_names(&self) -> Result<Vec<ObjectName>, BaseError> {
        self.nothing::<()>().map(|()| vec![ObjectName::bare("t")])
    }
    fn names(&self, _: ObjectKind) -> Result<Vec<ObjectName>, BaseError> {
        self.nothing()
    }
    fn prefetch(&self, _: &[ObjectName]) -> Result<(), BaseError> {
        self.nothing()
    }
    fn relation(&self, _: &ObjectName) -> Result<Option<Relation>, BaseError> {
        self.nothing::<()>().map(|()| self.table.clone())
    }
    fn index_owner(&self, _: &ObjectName) -> Result<Option<ObjectName>, BaseError> {
        self.nothing()
    }
    fn user_type(&self, _: &ObjectName) -> Result<Option<UserType>, BaseError> {
        self.nothing()
    }
    fn sequence(&self, _: &ObjectName) -> Result<Option<Sequence>, BaseError> {
        self.nothing()
    }
    fn functions(&self, _: &ObjectName) -> Result<Vec<Function>, BaseError> {
        self.nothing()
    }
    fn extensions(&self) -> Result<Vec<(String, String)>, BaseError> {
        self.nothing()
    }
    fn referencing(&self, _: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        self.nothing()
    }
    fn dependents(&self, _: ObjectKind, _: &ObjectName) -> Result<Vec<Dependent>, BaseError> {
        self.nothing()
    }
    fn count_rows(&self, _: &ObjectName, limit: u64) -> Result<u64, ProbeError> {
        Ok(limit.min(7))
    }
    fn count_values(&self, _: &ObjectName, _: &str, _: u64) -> Result<u64, ProbeError> {
        Err(ProbeError::TimedOut)
    }
    fn count_nulls(&self, _: &ObjectName, _: &str, _: u64) -> Result<u64, ProbeError> {
        Err(ProbeError::UnknownObject)
    }
    fn count_duplicates(&self, _: &ObjectName, columns: &[String], _: u64) -> Result<u64, ProbeError> {
        Err(ProbeError::Other(format!(
            "permission denied for {}",
            columns.join(", ")
        )))
    }
}

fn ask(mode: &str, granted: &[&str]) -> Result<Vec<Finding>, PluginError> {
    let mut request = request("misbehave", json!({ "mode": mode }));
    request.granted = granted.iter().map(|&name| name.to_owned()).collect();
    let plugin = host().load(&request).unwrap();
    let withheld = if granted.is_empty() {
        vec!["catalog.probe"]
    } else {
        Vec::new()
    };
    assert_eq!(plugin.withheld().collect::<Vec<_>>(), withheld);
    assert_eq!(plugin.granted().collect::<Vec<_>>(), granted);
    let mut question = call(Dialect::Sqlite, "CREATE TABLE u (b text);", SCRIPT);
    let table = (mode == "probe").then(|| {
        let replayed = call(Dialect::Sqlite, "CREATE TABLE t (a integer);", "SELECT 1;").subject;
        Relation::clone(&replayed.before().relation(&ObjectName::bare("t")).unwrap().unwrap())
    });
    let before = Schema::over(Arc::new(Counter { table }), Context::new(Dialect::Sqlite));
    let asked = &question.subject;
    question.subject = Subject::new(asked.migration().clone(), before, asked.after().clone());
    plugin.check(&question)
}

#[test]
fn rows_are_counted_for_those_who_may() {
    insta::assert_snapshot!(messages(&ask("probe", &["catalog.probe"]).unwrap()), @r#"rows: Ok(7), values: Err(ProbeError::TimedOut), nulls: Err(ProbeError::UnknownObject), duplicates: Err(ProbeError::Other("permission denied for a"))"#);
}

#[test]
fn using_what_was_not_granted_is_what_a_failure_is_about() {
    let error = ask("probe", &[]).unwrap_err();
    assert_eq!(error.kind, FailureKind::RefusedCapability);
    assert!(!error.retryable);
    insta::assert_snapshot!(shown(&error), @r#"
    plugin `misbehave` failed (refused-capability): used the capability `catalog.probe`, which it was not given: cannot count rows
        help: If you trust the plugin with it, add `catalog.probe` to its `grant` in the configuration.
    "#);
}

#[test]
fn a_catalog_that_cannot_be_read_is_a_named_failure() {
    let error = ask("names", &[]).unwrap_err();
    assert_eq!(error.kind, FailureKind::Failed);
    assert!(error.retryable);
    insta::assert_snapshot!(error, @"plugin `misbehave` failed (failed): the catalog could not be read: the server closed the connection");
}
