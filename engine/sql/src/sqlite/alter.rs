//! ALTER TABLE: one clause a statement.

use syntaqlite::nodes::{AlterOp, AlterTableStmt};

use crate::operation::{AddColumn, ObjectKind, Operation};
use crate::script::Span;

use super::table::column;
use super::tree::Tree;

/// What the clause does and where it stands.
pub(super) fn alter_table<'a>(tree: Tree<'a>, alter: AlterTableStmt<'a>, whole: Span) -> Option<(Span, Operation)> {
    let table = tree.qualified(alter.target());
    let old = alter.old_name().map(|name| tree.name(name));
    let new = alter.new_name().map(|name| tree.name(name));
    let operation = match alter.op() {
        AlterOp::RenameTable => Operation::Rename {
            kind: ObjectKind::Table,
            from: table,
            on: None,
            arguments: None,
            to: new?,
        },
        AlterOp::RenameColumn => Operation::RenameColumn {
            table,
            from: old?,
            to: new?,
        },
        AlterOp::DropColumn => Operation::DropColumn {
            table,
            column: old?,
            if_exists: false,
            cascade: false,
        },
        AlterOp::AddColumn => {
            let (column, constraints) = column(tree, alter.column()?);
            Operation::AddColumn(Box::new(AddColumn {
                table,
                column,
                constraints,
                if_not_exists: false,
            }))
        }
    };
    Some((clause(tree, alter, whole), operation))
}

/// From the word after the table's name to the end.
fn clause<'a>(tree: Tree<'a>, alter: AlterTableStmt<'a>, whole: Span) -> Span {
    let name_end = alter
        .target()
        .and_then(|target| tree.span_of(target.node_id()))
        .map_or(whole.start, |span| span.end);
    let start = tree
        .tokens()
        .map(|token| token.start)
        .find(|start| *start >= name_end)
        .unwrap_or(whole.start);
    Span::new(start, whole.end)
}
