//! INSERT, REPLACE, UPDATE and DELETE, and the copy that a table rebuild makes.

use syntaqlite::any::AnyNodeId;
use syntaqlite::nodes::{
    ColumnRef, ConflictAction, CreateTableStmt, DeleteStmt, Expr, InsertKeyword, InsertStmt, JoinType, ResultColumn,
    Select, SelectStmt, TableRef, TableSource, UpdateStmt,
};

use crate::name::ObjectName;
use crate::operation::{Operation, RowChange};

use super::expression::column_names;
use super::tree::{Tree, items, without_duplicates};

/// Rows that a statement copies from one table to another.
#[derive(Debug)]
pub(super) struct Copy {
    /// Table they come from.
    pub(super) from: ObjectName,
    /// Table they go to.
    pub(super) into: ObjectName,
    /// Columns of the target, where the statement names them.
    pub(super) columns: Vec<String>,
    /// What the query gives, in order: a column's name or an expression's text; `*` for all columns.
    pub(super) values: Vec<String>,
    /// No row can be left out.
    pub(super) all_rows: bool,
}

/// INSERT and REPLACE.
pub(super) fn insert<'a>(tree: Tree<'a>, insert: InsertStmt<'a>) -> Operation {
    let from_query = insert
        .source()
        .is_some_and(|source| !matches!(source, Select::ValuesClause(_)));
    Operation::Insert(RowChange {
        table: target(tree, insert.table()),
        filtered: from_query,
        columns: column_names(tree, insert.columns()),
        reads: reads(tree, insert.node_id(), insert.table()),
    })
}

/// UPDATE.
pub(super) fn update<'a>(tree: Tree<'a>, update: UpdateStmt<'a>) -> Operation {
    let mut columns = Vec::new();
    for clause in items(update.setlist()) {
        match clause.columns() {
            Some(list) => columns.extend(column_names(tree, Some(list))),
            None => columns.extend(tree.identifier(clause.node_id(), "column")),
        }
    }
    Operation::Update(RowChange {
        table: target(tree, update.table()),
        filtered: update.where_clause().is_some() || update.from_clause().is_some() || update.limit_clause().is_some(),
        columns: without_duplicates(columns),
        reads: reads(tree, update.node_id(), update.table()),
    })
}

/// DELETE.
pub(super) fn delete<'a>(tree: Tree<'a>, delete: DeleteStmt<'a>) -> Operation {
    Operation::Delete(RowChange {
        table: target(tree, delete.table()),
        filtered: delete.where_clause().is_some() || delete.limit_clause().is_some(),
        columns: Vec::new(),
        reads: reads(tree, delete.node_id(), delete.table()),
    })
}

/// INSERT INTO b SELECT … FROM a.
pub(super) fn copy_of_insert<'a>(tree: Tree<'a>, insert: InsertStmt<'a>) -> Option<Copy> {
    let Some(Select::SelectStmt(select)) = insert.source() else {
        return None;
    };
    // IGNORE and REPLACE may drop rows; so does REPLACE INTO. The other conflict clauses fail.
    let may_drop = insert.keyword() == InsertKeyword::Replace
        || matches!(
            insert.conflict_action(),
            ConflictAction::Ignore | ConflictAction::Replace
        )
        || insert.upsert().is_some_and(|clauses| !clauses.is_empty());
    let mut copy = copy_of_select(tree, select, target(tree, insert.table()))?;
    copy.columns = column_names(tree, insert.columns());
    copy.all_rows &= !may_drop && insert.with_ctes().is_none();
    Some(copy)
}

/// CREATE TABLE b AS SELECT … FROM a: the query's own names are the columns'.
pub(super) fn copy_of_create<'a>(tree: Tree<'a>, create: CreateTableStmt<'a>) -> Option<Copy> {
    let Some(Select::SelectStmt(select)) = create.as_select() else {
        return None;
    };
    let mut copy = copy_of_select(tree, select, tree.object(create.node_id(), "table_name"))?;
    let results = items(select.columns()).into_iter().zip(&copy.values);
    copy.columns = results
        .map(|(result, value)| result.alias().map_or_else(|| value.clone(), |alias| tree.name(alias)))
        .collect();
    Some(copy)
}

fn copy_of_select<'a>(tree: Tree<'a>, select: SelectStmt<'a>, into: ObjectName) -> Option<Copy> {
    let from = select.from_clause()?;
    let source = leftmost(from)?;
    let results = items(select.columns());
    let restricted = select.where_clause().is_some()
        || select.limit_clause().is_some()
        || select.flags().distinct()
        || select.groupby().is_some()
        || select.having().is_some();
    Some(Copy {
        from: tree.object(source.node_id(), "table_name"),
        into,
        columns: Vec::new(),
        values: results
            .into_iter()
            .map(|result| result_value(tree, source, result))
            .collect(),
        all_rows: !restricted,
    })
}

/// The table whose every row the source gives: the only one, or the one to the left of LEFT JOINs.
fn leftmost(source: TableSource<'_>) -> Option<TableRef<'_>> {
    match source {
        TableSource::TableRef(table) => Some(table),
        TableSource::JoinClause(join) if matches!(join.join_type(), JoinType::Left | JoinType::NaturalLeft) => {
            leftmost(join.left()?)
        }
        _ => None,
    }
}

/// The name of a column that is copied from `source`, or the expression it is made of.
fn result_value<'a>(tree: Tree<'a>, source: TableRef<'a>, result: ResultColumn<'a>) -> String {
    match result.expr() {
        None => "*".to_owned(),
        Some(Expr::ColumnRef(column)) if is_of(tree, source, column) => {
            tree.identifier(column.node_id(), "column").unwrap_or_default()
        }
        Some(expr) => tree.expression_text(expr).to_owned(),
    }
}

/// The column is not qualified by the name of another table.
fn is_of<'a>(tree: Tree<'a>, source: TableRef<'a>, column: ColumnRef<'a>) -> bool {
    let Some(qualifier) = tree.identifier(column.node_id(), "table") else {
        return true;
    };
    let name = source.alias().map_or_else(
        || tree.object(source.node_id(), "table_name").name,
        |alias| tree.name(alias),
    );
    qualifier.eq_ignore_ascii_case(&name)
}

/// The table whose rows change.
fn target<'a>(tree: Tree<'a>, table: Option<TableRef<'a>>) -> ObjectName {
    table.map_or_else(
        || ObjectName::bare(""),
        |table| tree.object(table.node_id(), "table_name"),
    )
}

/// Everything read, without the target itself (unless it is named once more).
fn reads<'a>(tree: Tree<'a>, statement: impl Into<AnyNodeId>, table: Option<TableRef<'a>>) -> Vec<ObjectName> {
    let target: Option<AnyNodeId> = table.map(|table| table.node_id().into());
    tree.reads_without(statement, target)
}
