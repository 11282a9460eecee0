//! What a policy may see, all of it, written into findings.

use crate::exports::tollgate::plugin::policy::Request;
use crate::finding;
use crate::tollgate::plugin::catalog::{ProbeError, Snapshot};
use crate::tollgate::plugin::script::Migration;
use crate::tollgate::plugin::types::{ColumnName, Failure, Finding, ObjectKind, ObjectName};

/// The call, every statement and every effect of the migration, each as a finding.
pub fn everything(request: &Request, migration: &Migration, before: &Snapshot, after: &Snapshot) -> Vec<Finding> {
    let mut seen = vec![
        finding("seen", &format!("{request:?}")),
        finding(
            "seen",
            &format!("{} {} down: {:?}", migration.name(), migration.checksum(), migration.down()),
        ),
        finding("seen", &format!("complete: {} {}", before.complete(), after.complete())),
    ];
    for statement in migration.statements() {
        for effect in statement.effects {
            seen.push(Finding {
                statement: Some(statement.index),
                at: Some(effect.at),
                ..finding("seen", &format!("{:?}, conditional: {}", effect.operation, effect.conditional))
            });
        }
    }
    for change in migration.changes() {
        seen.push(finding("seen", &format!("{change:?}")));
    }
    seen
}

/// Every relation of both snapshots, and what else they know by name.
pub fn names(before: &Snapshot, after: &Snapshot) -> Vec<Finding> {
    let mut seen = Vec::new();
    for (moment, snapshot) in [("before", before), ("after", after)] {
        for name in snapshot.relations() {
            let say = |text: String| finding("seen", &format!("{moment}: {text}"));
            seen.push(say(format!("{:?}", snapshot.relation(&name))));
            seen.push(say(format!(
                "{} known empty: {}, exists: {:?}, referencing: {:?}, dependents: {:?}",
                name.name,
                snapshot.known_empty(&name),
                snapshot.exists(ObjectKind::Table, &name),
                snapshot.referencing(&name),
                snapshot.dependents(ObjectKind::Table, &name),
            )));
            seen.push(say(format!(
                "{}: {:?}, {:?}, {:?}, {:?}, {:?}",
                name.name,
                snapshot.columns(&name),
                snapshot.indexes(&name),
                snapshot.constraints(&name),
                snapshot.triggers(&name),
                snapshot.policies(&name),
            )));
            for index in snapshot.indexes(&name) {
                let index = ObjectName { schema: name.schema.clone(), name: index.name };
                seen.push(say(format!("{} is of {:?}", index.name, snapshot.index_owner(&index))));
            }
        }
        let mood = ObjectName { schema: None, name: "mood".to_owned() };
        let mood = snapshot.resolve(ObjectKind::Type, &mood);
        seen.push(finding("seen", &format!("{moment}: {mood:?} {:?}", snapshot.enum_values(&mood))));
    }
    seen
}

/// What recreates the tables of `before`, and what turns those of `after` back into them.
pub fn ddl(before: &Snapshot, after: &Snapshot) -> Vec<Finding> {
    let mut seen = Vec::new();
    for name in before.relations() {
        seen.push(finding("seen", &format!("ddl: {:?}", before.ddl(ObjectKind::Table, &name))));
        for column in before.columns(&name) {
            let of = ColumnName { table: name.clone(), column: column.name.clone() };
            assert_eq!(format!("{:?}", before.column(&of)), format!("{:?}", Some(&column)));
            let ddl = before.member_ddl(ObjectKind::Column, &name, &column.name);
            seen.push(finding("seen", &format!("{}: {ddl:?}", column.name)));
        }
        seen.push(finding("seen", &format!("restore: {:?}", before.restore_table(&name, after))));
    }
    seen
}

pub fn probe(before: &Snapshot) -> Result<Vec<Finding>, Failure> {
    let name = ObjectName { schema: None, name: "t".to_owned() };
    let column = ColumnName { table: name.clone(), column: "a".to_owned() };
    let rows = before.count_rows(&name, 10);
    if let Err(ProbeError::Denied) = rows {
        return Err(Failure { message: "cannot count rows".to_owned(), retryable: true });
    }
    Ok(vec![finding(
        "seen",
        &format!(
            "rows: {rows:?}, values: {:?}, nulls: {:?}, duplicates: {:?}",
            before.count_values(&column, 10),
            before.count_nulls(&column, 10),
            before.count_duplicates(&name, &["a".to_owned()], 10),
        ),
    )])
}
