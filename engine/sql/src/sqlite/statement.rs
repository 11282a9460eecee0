//! One statement: its span, what it does, and whether it can run inside a transaction.

use syntaqlite::nodes::{
    AnalyzeOrReindexOp, AnalyzeOrReindexStmt, CreateIndexStmt, CreateTriggerStmt, CreateViewStmt, DropObjectType,
    DropStmt, NullsOrder, OrderingTerm, SortOrder, Stmt, TemporaryQualifier,
};

use crate::name::ObjectName;
use crate::operation::{
    CreateIndex, CreateTrigger, CreateView, Drop, IndexPart, ObjectKind, Operation, OtherOperation, TransactionControl,
};
use crate::script::{Effect, Span, Statement};

use super::expression::{column_names, column_of, expression};
use super::rows::Copy;
use super::tree::{Tree, items};
use super::{alter, pragma, rows, table, transaction};

/// A statement, and the rows it copies from one table into another, which only a table rebuild asks about.
pub(super) struct Read {
    pub(super) statement: Statement,
    pub(super) copy: Option<Copy>,
}

/// Reads one statement; `None` when there is nothing between two semicolons.
pub(super) fn read(tree: Tree<'_>, index: usize) -> Option<Read> {
    let span = tree.span()?;
    let root: Option<Stmt<'_>> = tree.node(tree.root());
    let effects: Vec<Effect> = root
        .map(|root| operations(tree, root, span))
        .unwrap_or_default()
        .into_iter()
        .map(|(span, operation)| Effect {
            span,
            operation,
            conditional: false,
        })
        .collect();
    let transactional = effects.iter().all(|effect| runs_in_transaction(&effect.operation));
    let copy = match root {
        Some(Stmt::InsertStmt(insert)) => rows::copy_of_insert(tree, insert),
        Some(Stmt::CreateTableStmt(create)) => rows::copy_of_create(tree, create),
        _ => None,
    };
    Some(Read {
        statement: Statement {
            index,
            span,
            effects,
            transactional,
            part_of: None,
        },
        copy,
    })
}

/// What the statement does, and where it says so.
fn operations<'a>(tree: Tree<'a>, statement: Stmt<'a>, whole: Span) -> Vec<(Span, Operation)> {
    let operation = match statement {
        Stmt::AlterTableStmt(alter) => return alter::alter_table(tree, alter, whole).into_iter().collect(),
        Stmt::CreateTableStmt(create) => Operation::CreateTable(Box::new(table::create_table(tree, create))),
        Stmt::CreateVirtualTableStmt(create) => {
            Operation::CreateTable(Box::new(table::create_virtual_table(tree, create)))
        }
        Stmt::CreateIndexStmt(create) => create_index(tree, create),
        Stmt::CreateViewStmt(create) => create_view(tree, create),
        Stmt::CreateTriggerStmt(create) => create_trigger(tree, create),
        Stmt::DropStmt(drop) => drop_object(tree, drop),
        Stmt::InsertStmt(insert) => rows::insert(tree, insert),
        Stmt::UpdateStmt(update) => rows::update(tree, update),
        Stmt::DeleteStmt(delete) => rows::delete(tree, delete),
        Stmt::TransactionStmt(control) => transaction::transaction(control),
        Stmt::SavepointStmt(control) => transaction::savepoint(tree, control),
        Stmt::PragmaStmt(pragma) => match pragma::pragma(tree, pragma) {
            Some(operation) => operation,
            None => return Vec::new(),
        },
        Stmt::AnalyzeOrReindexStmt(statement) => analyze_or_reindex(tree, statement),
        Stmt::AttachStmt(attach) => other(
            "attach",
            attach.db_name().map(|name| ("schema", tree.expression_text(name))),
        ),
        Stmt::DetachStmt(detach) => other(
            "detach",
            detach.db_name().map(|name| ("schema", tree.expression_text(name))),
        ),
        Stmt::VacuumStmt(vacuum) => other(
            "vacuum",
            vacuum.filename().map(|file| ("into", tree.expression_text(file))),
        ),
        Stmt::SelectStmt(_)
        | Stmt::CompoundSelect(_)
        | Stmt::ValuesClause(_)
        | Stmt::WithClause(_)
        | Stmt::ExplainStmt(_) => return Vec::new(),
    };
    let mut operations = vec![(whole, operation)];
    operations.extend(rewritten_schema(tree, &operations[0].1).map(|operation| (whole, operation)));
    operations
}

/// Writing to the schema table by hand (PRAGMA `writable_schema`) changes objects in a way that cannot be followed.
fn rewritten_schema(tree: Tree<'_>, operation: &Operation) -> Option<Operation> {
    let (Operation::Insert(rows) | Operation::Update(rows) | Operation::Delete(rows)) = operation else {
        return None;
    };
    let table = rows.table.name.to_ascii_lowercase();
    let is_schema = [
        "sqlite_master",
        "sqlite_schema",
        "sqlite_temp_master",
        "sqlite_temp_schema",
    ]
    .contains(&table.as_str());
    is_schema.then(|| Operation::Dynamic {
        text: tree.statement_text().to_owned(),
    })
}

fn create_index<'a>(tree: Tree<'a>, create: CreateIndexStmt<'a>) -> Operation {
    let name = tree.object(create.node_id(), "index_name");
    let table = tree.identifier(create.node_id(), "table_name").unwrap_or_default();
    let parts = items(create.columns());
    Operation::CreateIndex(Box::new(CreateIndex {
        name: Some(name.name),
        table: ObjectName {
            schema: name.schema,
            name: table,
        },
        parts: parts.into_iter().map(|part| index_part(tree, part)).collect(),
        include: Vec::new(),
        unique: create.is_unique(),
        nulls_not_distinct: false,
        concurrently: false,
        if_not_exists: create.if_not_exists(),
        only: false,
        method: "btree".to_owned(),
        predicate: create.where_clause().map(|condition| expression(tree, condition)),
        options: Vec::new(),
        tablespace: None,
    }))
}

fn index_part<'a>(tree: Tree<'a>, part: OrderingTerm<'a>) -> IndexPart {
    let column = part.expr().and_then(|expr| column_of(tree, expr));
    let expression = match &column {
        Some(_) => None,
        None => part.expr().map(|expr| tree.expression_text(expr).to_owned()),
    };
    let (column, collation) = column.map_or((None, None), |(column, collation)| (Some(column), collation));
    IndexPart {
        column,
        expression,
        operator_class: None,
        collation,
        descending: part.sort_order() == SortOrder::Desc,
        nulls_first: match part.nulls_order() {
            NullsOrder::None => None,
            NullsOrder::First => Some(true),
            NullsOrder::Last => Some(false),
        },
    }
}

fn create_view<'a>(tree: Tree<'a>, create: CreateViewStmt<'a>) -> Operation {
    let name = tree.object(create.node_id(), "view_name");
    Operation::CreateView(Box::new(CreateView {
        materialized: false,
        or_replace: false,
        if_not_exists: create.if_not_exists(),
        temporary: table::is_temporary(create.temporary(), &name),
        columns: column_names(tree, create.column_names()),
        query: create
            .select()
            .map(|select| tree.text_of(select.node_id()).to_owned())
            .unwrap_or_default(),
        reads: create
            .select()
            .map(|select| tree.reads(select.node_id()))
            .unwrap_or_default(),
        definition: tree.statement_text().to_owned(),
        name,
    }))
}

/// CREATE TRIGGER. What its body does happens when it fires, not now.
fn create_trigger<'a>(tree: Tree<'a>, create: CreateTriggerStmt<'a>) -> Operation {
    let name = tree.object(create.node_id(), "trigger_name");
    let mut table = tree.qualified(create.table());
    // A temporary trigger may watch a table of any schema; any other stands in its table's schema.
    if create.temporary() == TemporaryQualifier::None && table.schema.is_none() {
        table.schema.clone_from(&name.schema);
    }
    Operation::CreateTrigger(Box::new(CreateTrigger {
        name: name.name,
        table,
        or_replace: false,
        if_not_exists: create.if_not_exists(),
        function: None,
        definition: tree.statement_text().to_owned(),
    }))
}

fn drop_object<'a>(tree: Tree<'a>, drop: DropStmt<'a>) -> Operation {
    Operation::Drop(Drop {
        kind: match drop.object_type() {
            DropObjectType::Table => ObjectKind::Table,
            DropObjectType::Index => ObjectKind::Index,
            DropObjectType::View => ObjectKind::View,
            DropObjectType::Trigger => ObjectKind::Trigger,
        },
        other_kind: None,
        name: tree.qualified(drop.target()),
        on: None,
        arguments: None,
        if_exists: drop.if_exists(),
        cascade: false,
        concurrently: false,
    })
}

fn analyze_or_reindex<'a>(tree: Tree<'a>, statement: AnalyzeOrReindexStmt<'a>) -> Operation {
    let tag = match statement.kind() {
        AnalyzeOrReindexOp::Analyze => "analyze",
        AnalyzeOrReindexOp::Reindex => "reindex",
    };
    let named = tree.identifier(statement.node_id(), "target_name").is_some();
    let objects = if named {
        vec![tree.object(statement.node_id(), "target_name")]
    } else {
        Vec::new()
    };
    Operation::Other(OtherOperation {
        tag: tag.to_owned(),
        objects,
        details: Vec::new(),
    })
}

fn other(tag: &str, detail: Option<(&str, &str)>) -> Operation {
    let details = detail
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Operation::Other(OtherOperation {
        tag: tag.to_owned(),
        objects: Vec::new(),
        details,
    })
}

/// VACUUM and BEGIN are refused inside a transaction; of some pragmas see [`pragma::works_in_transaction`].
fn runs_in_transaction(operation: &Operation) -> bool {
    match operation {
        Operation::Transaction(control) => *control != TransactionControl::Begin,
        Operation::SetParameter { name, pragma: true, .. } => pragma::works_in_transaction(name),
        Operation::Other(other) if other.tag == "pragma" => other
            .details
            .iter()
            .all(|(key, value)| key != "name" || pragma::works_in_transaction(value)),
        Operation::Other(other) => other.tag != "vacuum",
        _ => true,
    }
}
