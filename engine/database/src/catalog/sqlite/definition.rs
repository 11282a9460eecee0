//! What only the stored statement tells: names of constraints, checks, collations, generated columns.

use tollgate_schema::model::{Constraint, ConstraintRule};
use tollgate_sql::operation::{
    ConstraintDefinition, ConstraintKind, CreateIndex, CreateTable, CreateView, Operation, ReferentialAction,
};
use tollgate_sql::{Dialect, ObjectName};

use super::picture::{ColumnRow, ForeignKeyRow, Picture};
use crate::catalog::text::unwrapped;

/// The operations of a stored statement; none when our grammar does not understand what an older or newer SQLite stored.
fn operations(sql: &str) -> Vec<Operation> {
    let script = tollgate_sql::parse(Dialect::Sqlite, sql);
    let statements = script.map(|script| script.statements).unwrap_or_default();
    statements
        .into_iter()
        .flat_map(|statement| statement.effects)
        .map(|effect| effect.operation)
        .collect()
}

pub(super) fn table(sql: &str) -> Option<CreateTable> {
    operations(sql).into_iter().find_map(|operation| match operation {
        Operation::CreateTable(table) => Some(*table),
        _ => None,
    })
}

pub(super) fn view(sql: &str) -> Option<CreateView> {
    operations(sql).into_iter().find_map(|operation| match operation {
        Operation::CreateView(view) => Some(*view),
        _ => None,
    })
}

pub(super) fn index(sql: &str) -> Option<CreateIndex> {
    operations(sql).into_iter().find_map(|operation| match operation {
        Operation::CreateIndex(index) => Some(*index),
        _ => None,
    })
}

/// The constraints of a parsed CREATE TABLE, in its order.
pub(super) fn constraints(table: &CreateTable) -> Vec<Constraint> {
    table.constraints.iter().filter_map(constraint).collect()
}

fn constraint(written: &ConstraintDefinition) -> Option<Constraint> {
    let rule = match written.kind.clone() {
        ConstraintKind::PrimaryKey { columns, include, .. } => ConstraintRule::PrimaryKey { columns, include },
        ConstraintKind::Unique {
            columns,
            include,
            nulls_not_distinct,
            ..
        } => ConstraintRule::Unique {
            columns,
            include,
            nulls_not_distinct,
        },
        ConstraintKind::ForeignKey {
            columns,
            references,
            referenced_columns,
            on_update,
            on_delete,
            on_delete_columns,
            match_full,
        } => ConstraintRule::ForeignKey {
            columns,
            references: ObjectName::bare(references.name),
            referenced_columns,
            on_update,
            on_delete,
            on_delete_columns,
            match_full,
        },
        ConstraintKind::Check { expression } => ConstraintRule::Check {
            expression: unwrapped(&expression.text),
            columns: expression.columns,
            no_inherit: written.no_inherit,
        },
        ConstraintKind::Exclude { columns, definition } => ConstraintRule::Exclude { definition, columns },
        ConstraintKind::NotNull { .. } => return None,
    };
    Some(Constraint {
        name: written.name.clone().unwrap_or_default(),
        rule,
        deferrable: written.deferrable,
        initially_deferred: written.initially_deferred,
        validated: true,
        comment: None,
    })
}

/// The constraints that pragmas tell, for a statement that could not be parsed: keys without names, no checks.
pub(super) fn constraints_of_pragmas(picture: &Picture, table: &str) -> Vec<Constraint> {
    let mut rules = Vec::new();
    let mut primary: Vec<&ColumnRow> = picture
        .columns
        .get(table)
        .into_iter()
        .flatten()
        .filter(|column| column.pk > 0)
        .collect();
    primary.sort_by_key(|column| column.pk);
    if !primary.is_empty() {
        let columns = primary.into_iter().map(|column| column.name.clone()).collect();
        rules.push(ConstraintRule::PrimaryKey {
            columns,
            include: Vec::new(),
        });
    }
    for index in picture
        .indexes
        .get(table)
        .into_iter()
        .flatten()
        .filter(|index| index.origin == "u")
    {
        let keys = picture.keys.get(&super::key(&index.name)).into_iter().flatten();
        let columns = keys.filter_map(|key| key.name.clone()).collect();
        rules.push(ConstraintRule::Unique {
            columns,
            include: Vec::new(),
            nulls_not_distinct: false,
        });
    }
    let foreign: &[ForeignKeyRow] = picture.foreign_keys.get(table).map_or(&[], Vec::as_slice);
    rules.extend(foreign.chunk_by(|left, right| left.id == right.id).map(foreign_key));
    let plain = |rule| Constraint {
        name: String::new(),
        rule,
        deferrable: false,
        initially_deferred: false,
        validated: true,
        comment: None,
    };
    rules.into_iter().map(plain).collect()
}

fn foreign_key(rows: &[ForeignKeyRow]) -> ConstraintRule {
    ConstraintRule::ForeignKey {
        columns: rows.iter().map(|row| row.column_name.clone()).collect(),
        references: ObjectName::bare(rows.first().map_or("", |row| &row.referenced)),
        referenced_columns: rows.iter().filter_map(|row| row.referenced_column.clone()).collect(),
        on_update: action(rows.first().map_or("", |row| &row.on_update)),
        on_delete: action(rows.first().map_or("", |row| &row.on_delete)),
        on_delete_columns: Vec::new(),
        match_full: false,
    }
}

fn action(words: &str) -> ReferentialAction {
    match words {
        "RESTRICT" => ReferentialAction::Restrict,
        "CASCADE" => ReferentialAction::Cascade,
        "SET NULL" => ReferentialAction::SetNull,
        "SET DEFAULT" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}
