//! What a statement loses that no other statement brings back.

use tollgate_sql::operation::{ObjectKind, Operation};
use tollgate_sql::{Dialect, ObjectName};

use crate::schema::Schema;

/// What goes with each statement, in words; `None`: nothing. `columns` are those that go, which a rebuild of an `SQLite`
/// table does not copy.
pub(super) fn of(
    dialect: Dialect,
    current: &Schema,
    statements: &[String],
    columns: &[(&ObjectName, &str)],
) -> Vec<Option<String>> {
    // Together, because the DROP TABLE of a rebuild loses nothing.
    let whole = tollgate_sql::parse(dialect, &format!("{};", statements.join(";\n"))).ok();
    let Some(script) = whole.filter(|script| script.statements.len() == statements.len()) else {
        return statements.iter().map(|_| None).collect();
    };
    let of_statement = |statement: &tollgate_sql::Statement| {
        let rebuilt = statement.part_of.is_some();
        let losses: Vec<String> = statement
            .effects
            .iter()
            .filter_map(|effect| match &effect.operation {
                Operation::Drop(drop) if rebuilt && drop.kind == ObjectKind::Table => not_copied(&drop.name, columns),
                operation => of_operation(current, operation),
            })
            .collect();
        (!losses.is_empty()).then(|| losses.join("; "))
    };
    script.statements.iter().map(of_statement).collect()
}

fn not_copied(table: &ObjectName, columns: &[(&ObjectName, &str)]) -> Option<String> {
    let gone: Vec<String> = columns
        .iter()
        .filter(|(of, _)| of.name.eq_ignore_ascii_case(&table.name))
        .map(|(_, column)| format!("{table}.{column}"))
        .collect();
    (!gone.is_empty()).then(|| format!("all values of {}", gone.join(", ")))
}

fn of_operation(current: &Schema, operation: &Operation) -> Option<String> {
    match operation {
        Operation::Drop(drop) => match drop.kind {
            ObjectKind::Table => {
                // What is made on the way has not been there before.
                let known = current.relation(&drop.name).ok().flatten()?;
                Some(format!("all rows of {}", known.name))
            }
            ObjectKind::MaterializedView => Some(format!("the rows of {}, which a refresh brings back", drop.name)),
            ObjectKind::Sequence => Some(format!("the position of {}", drop.name)),
            _ => None,
        },
        Operation::DropColumn { table, column, .. } => Some(format!("all values of {table}.{column}")),
        Operation::AlterColumnType { table, column, .. } => {
            Some(format!("what of {table}.{column} the new type cannot hold"))
        }
        _ => None,
    }
}
