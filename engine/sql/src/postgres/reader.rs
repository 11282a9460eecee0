//! Reads one statement: which part of this module knows it, and where its effects go.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, ObjectType};

use super::expressions;
use super::grammar;
use super::source::Source;
use crate::operation::{Expression, Operation};
use crate::script::{Effect, Span, Statement};

/// The statement being read and what was found so far.
pub(super) struct Reader<'a> {
    pub source: &'a Source<'a>,
    /// The statement's tokens.
    pub range: (usize, usize),
    /// Where effects go that are the whole statement.
    pub span: Span,
    pub effects: Vec<Effect>,
    /// A body turned out to control transactions itself.
    pub transactional: bool,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a Source<'a>, range: (usize, usize)) -> Self {
        Self {
            source,
            range,
            span: source.span(range),
            effects: Vec::new(),
            transactional: true,
        }
    }

    /// The whole statement does this.
    pub fn push(&mut self, operation: Operation) {
        self.effects.push(Effect {
            span: self.span,
            operation,
            conditional: false,
        });
    }

    /// A clause of the statement does this.
    pub fn push_at(&mut self, range: (usize, usize), operation: Operation) {
        self.effects.push(Effect {
            span: self.source.span(range),
            operation,
            conditional: false,
        });
    }

    /// The statement as written.
    pub fn text(&self) -> String {
        self.source.slice(self.range).to_owned()
    }

    /// An expression that stands in `range`.
    pub fn expression(&self, node: Option<&Node>, range: (usize, usize)) -> Option<Expression> {
        Some(expressions::expression(node?.node.as_ref()?, self.source.slice(range)))
    }

    /// Finds the effects of `node`.
    pub fn read(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::CreateStmt(it) => self.create_table(it, None),
            NodeEnum::CreateForeignTableStmt(it) => self.create_foreign_table(it),
            NodeEnum::CreateTableAsStmt(it) => self.create_table_as(it),
            NodeEnum::CreateSchemaStmt(it) => self.create_schema(it),
            NodeEnum::AlterTableStmt(it) => self.alter_table(it),
            NodeEnum::IndexStmt(it) => self.create_index(it),
            NodeEnum::CreateEnumStmt(_)
            | NodeEnum::AlterEnumStmt(_)
            | NodeEnum::CreateDomainStmt(_)
            | NodeEnum::AlterDomainStmt(_)
            | NodeEnum::CompositeTypeStmt(_)
            | NodeEnum::CreateRangeStmt(_) => self.type_statement(node),
            NodeEnum::ViewStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
            | NodeEnum::CreateTrigStmt(_)
            | NodeEnum::RuleStmt(_)
            | NodeEnum::CreateSeqStmt(_)
            | NodeEnum::AlterSeqStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::AlterPolicyStmt(_)
            | NodeEnum::CreateExtensionStmt(_) => self.other_object(node),
            NodeEnum::DropStmt(_)
            | NodeEnum::DropdbStmt(_)
            | NodeEnum::DropRoleStmt(_)
            | NodeEnum::DropTableSpaceStmt(_)
            | NodeEnum::DropSubscriptionStmt(_)
            | NodeEnum::DropUserMappingStmt(_)
            | NodeEnum::RenameStmt(_)
            | NodeEnum::AlterObjectSchemaStmt(_)
            | NodeEnum::AlterOwnerStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::GrantStmt(_) => self.any_object(node),
            NodeEnum::SelectStmt(_)
            | NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_)
            | NodeEnum::TruncateStmt(_)
            | NodeEnum::CopyStmt(_) => self.rows(node),
            NodeEnum::CreateFunctionStmt(it) => self.create_function(it),
            NodeEnum::DefineStmt(it) if it.kind == ObjectType::ObjectAggregate as i32 => self.create_aggregate(it),
            NodeEnum::DefineStmt(it) if it.kind == ObjectType::ObjectType as i32 => {
                let (name, definition) = (super::names::qualified(&it.defnames), self.text());
                self.push(Operation::CreateOtherType { name, definition });
            }
            NodeEnum::DoStmt(it) => self.do_block(it),
            NodeEnum::CallStmt(_) | NodeEnum::ExecuteStmt(_) => {
                let text = self.text();
                self.push(Operation::Dynamic { text });
            }
            NodeEnum::ExplainStmt(it) => {
                if super::names::flag(&it.options, "analyze")
                    && let Some(query) = super::names::boxed(it.query.as_deref())
                {
                    self.read(query);
                }
            }
            NodeEnum::TransactionStmt(it) => self.transaction(it),
            NodeEnum::VariableSetStmt(it) => self.set_parameter(it),
            _ => self.other(node),
        }
    }
}

/// Bodies within bodies beyond this are not looked into: nobody writes them, and a stack is finite.
const MAX_DEPTH: u8 = 8;

/// The statements of a function's body or of dynamic SQL; `None` where the grammar refuses it.
pub(super) fn nested(text: &str, depth: u8) -> Option<Vec<Statement>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let source = Source::new(text, depth);
    grammar::with_room(&source.tokens, || super::statements(&source)).ok()
}
