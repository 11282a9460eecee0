//! What a statement loses that no other statement brings back.

use tollgate_sql::operation::{DataType, ObjectKind, Operation};
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
        Operation::AlterColumnType { table, column, to, .. } => {
            let known = current.relation(table).ok().flatten();
            let columns = known.as_ref().map(|table| table.columns.as_slice()).unwrap_or_default();
            let from = columns.iter().find(|found| found.name == *column);
            // A value that an enum or a domain does not have stops the statement: nothing is lost.
            let held = to.schema.is_some() || from.is_some_and(|from| holds(to, &from.data_type));
            (!held).then(|| format!("what of {table}.{column} the new type cannot hold"))
        }
        _ => None,
    }
}

/// Whether one type holds every value of another.
fn holds(to: &DataType, from: &DataType) -> bool {
    const TEXTS: [&str; 3] = ["character varying", "text", "citext"];
    const NUMBERS: [&str; 4] = ["smallint", "integer", "bigint", "numeric"];
    if to.dimensions != from.dimensions {
        return false;
    }
    let rank = |list: &[&str], of: &DataType| list.iter().position(|name| *name == of.name);
    let wider = || match (to.modifiers.as_slice(), from.modifiers.as_slice()) {
        ([], _) => true,
        ([to], [from]) => matches!((to.parse::<u32>(), from.parse::<u32>()), (Ok(to), Ok(from)) if to >= from),
        (to, from) => to == from,
    };
    if to.name == "text" {
        return true;
    }
    if rank(&TEXTS, to).is_some() && rank(&TEXTS, from).is_some() {
        return wider();
    }
    match (rank(&NUMBERS, to), rank(&NUMBERS, from)) {
        (Some(to_rank), Some(from_rank)) if to_rank > from_rank => to.modifiers.is_empty(),
        (Some(to_rank), Some(from_rank)) if to_rank == from_rank => wider(),
        _ => to.name == "double precision" && from.name == "real",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_type(text: &str) -> DataType {
        let (name, modifiers) = text.split_once('(').unwrap_or((text, ""));
        let modifiers = modifiers
            .trim_end_matches(')')
            .split(',')
            .filter(|part| !part.is_empty());
        DataType {
            name: name.to_owned(),
            modifiers: modifiers.map(str::to_owned).collect(),
            schema: None,
            dimensions: 0,
        }
    }

    #[test]
    fn a_wider_type_loses_nothing() {
        for (to, from, expected) in [
            ("text", "character varying(10)", true),
            ("text", "integer", true),
            ("character varying(20)", "character varying(10)", true),
            ("character varying(10)", "character varying(20)", false),
            ("character varying(10)", "text", false),
            ("bigint", "integer", true),
            ("integer", "bigint", false),
            ("numeric", "integer", true),
            ("numeric(4,2)", "integer", false),
            ("numeric(10,2)", "numeric(10,2)", true),
            ("double precision", "real", true),
            ("date", "timestamp with time zone", false),
        ] {
            assert_eq!(holds(&data_type(to), &data_type(from)), expected, "{to} of {from}");
        }
    }
}
