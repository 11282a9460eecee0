//! Statements that change or read rows, and what a query reads and calls.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CmdType, CopyStmt, DeleteStmt, InsertStmt, MergeStmt, Node, SelectStmt, UpdateStmt, WithClause, a_const,
};

use super::alter::cascades;
use super::names::{self, boxed, inner, strings};
use super::reader::Reader;
use super::source::offset;
use super::{builtins, walk};
use crate::name::ObjectName;
use crate::operation::{Operation, OtherOperation, RowChange, Volatility};

/// COPY … FROM stdin: the rows come from the client program.
pub(super) fn from_stdin(it: &CopyStmt) -> bool {
    it.is_from && !it.is_program && it.filename.is_empty()
}

/// Tables and views that `node` reads; names of its own CTEs left out.
pub(super) fn reads(node: &NodeEnum) -> Vec<ObjectName> {
    let mut found = Vec::new();
    collect_reads(node, &mut Vec::new(), &mut found);
    found
}

/// The same with the user-defined functions that `node` calls behind them.
pub(super) fn reads_with_functions(node: &NodeEnum) -> Vec<ObjectName> {
    let mut found = reads(node);
    walk::each(node, &mut |node| {
        if let NodeEnum::FuncCall(call) = node {
            let parts = strings(&call.funcname);
            let name = names::from_parts(&parts);
            if builtins::volatility(&parts) == Volatility::Unknown && !found.contains(&name) {
                found.push(name);
            }
        }
    });
    found
}

fn with_clause(node: &NodeEnum) -> Option<&WithClause> {
    match node {
        NodeEnum::SelectStmt(it) => it.with_clause.as_ref(),
        NodeEnum::InsertStmt(it) => it.with_clause.as_ref(),
        NodeEnum::UpdateStmt(it) => it.with_clause.as_ref(),
        NodeEnum::DeleteStmt(it) => it.with_clause.as_ref(),
        NodeEnum::MergeStmt(it) => it.with_clause.as_ref(),
        _ => None,
    }
}

/// `hidden` are the CTE names in scope: a CTE sees those before it, and with RECURSIVE all of its clause.
fn collect_reads(node: &NodeEnum, hidden: &mut Vec<String>, found: &mut Vec<ObjectName>) {
    if let NodeEnum::RangeVar(range) = node {
        let name = names::relation(range);
        let is_cte = name.schema.is_none() && hidden.contains(&name.name);
        if !is_cte && !found.contains(&name) {
            found.push(name);
        }
        return;
    }
    let outer = hidden.len();
    if let Some(with) = with_clause(node).filter(|with| with.recursive) {
        hidden.extend(with.ctes.iter().filter_map(cte_name));
    }
    walk::children(node, &mut |child| {
        collect_reads(child, hidden, found);
        if let NodeEnum::CommonTableExpr(cte) = child {
            hidden.push(cte.ctename.clone());
        }
    });
    if !matches!(node, NodeEnum::CommonTableExpr(_)) {
        hidden.truncate(outer);
    }
}

fn cte_name(node: &Node) -> Option<String> {
    match inner(node) {
        Some(NodeEnum::CommonTableExpr(cte)) => Some(cte.ctename.clone()),
        _ => None,
    }
}

/// Names that INSERT lists or UPDATE sets.
fn targets(nodes: &[Node]) -> Vec<String> {
    let name = |node: &Node| match inner(node) {
        Some(NodeEnum::ResTarget(target)) => Some(target.name.clone()),
        _ => None,
    };
    let mut names: Vec<String> = Vec::new();
    for name in nodes.iter().filter_map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A condition that can leave rows out: there is one, and it is not the constant TRUE.
fn restricts(condition: Option<&Node>) -> bool {
    match boxed(condition) {
        None => false,
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(a_const::Val::Boolval(value)) => !value.boolval,
            _ => true,
        },
        Some(NodeEnum::AExpr(comparison)) if strings(&comparison.name) == ["="] => {
            let sides = (boxed(comparison.lexpr.as_deref()), boxed(comparison.rexpr.as_deref()));
            match sides {
                (Some(left @ NodeEnum::AConst(_)), Some(right @ NodeEnum::AConst(_))) => {
                    names::literal(left) != names::literal(right)
                }
                _ => true,
            }
        }
        Some(_) => true,
    }
}

impl Reader<'_> {
    pub(super) fn rows(&mut self, node: &NodeEnum) {
        self.modifying_ctes(node);
        match node {
            NodeEnum::InsertStmt(it) => self.insert(node, it),
            NodeEnum::UpdateStmt(it) => self.update(node, it),
            NodeEnum::DeleteStmt(it) => self.delete(node, it),
            NodeEnum::MergeStmt(it) => self.merge(node, it),
            NodeEnum::SelectStmt(it) => self.select(node, it),
            NodeEnum::TruncateStmt(it) => {
                for table in it.relations.iter().filter_map(inner) {
                    self.push(Operation::Truncate {
                        table: names::object(Some(table)),
                        cascade: cascades(it.behavior),
                        restart_identity: it.restart_seqs,
                    });
                }
            }
            NodeEnum::CopyStmt(it) => self.copy(it),
            _ => {}
        }
    }

    /// INSERT, UPDATE, DELETE and MERGE inside WITH. The server runs them whatever the main query does.
    pub(super) fn modifying_ctes(&mut self, node: &NodeEnum) {
        let Some(with) = with_clause(node) else { return };
        for cte in with.ctes.iter().filter_map(inner) {
            let NodeEnum::CommonTableExpr(cte) = cte else { continue };
            let Some(query) = boxed(cte.ctequery.as_deref()) else {
                continue;
            };
            if matches!(query, NodeEnum::SelectStmt(_)) {
                self.modifying_ctes(query);
                continue;
            }
            let start = self.source.token_at(offset(cte.location));
            let statement = self.range;
            let whole = self.span;
            if let Some(query_range) = self.cte_query((start, statement.1)) {
                self.range = query_range;
                self.span = self.source.span(query_range);
            }
            self.rows(query);
            self.range = statement;
            self.span = whole;
        }
    }

    /// What stands in the parentheses after `name [(columns)] AS [[NOT] MATERIALIZED]`.
    fn cte_query(&self, range: (usize, usize)) -> Option<(usize, usize)> {
        let after = self.source.find(range, pg_query::protobuf::Token::As)?;
        self.source.inside((after, range.1))
    }

    /// What a statement reads besides the table it changes.
    fn sources(node: &NodeEnum) -> Vec<ObjectName> {
        reads(node)
    }

    fn insert(&mut self, node: &NodeEnum, it: &InsertStmt) {
        let from_query = matches!(
            boxed(it.select_stmt.as_deref()),
            Some(NodeEnum::SelectStmt(select)) if select.values_lists.is_empty()
        );
        self.push(Operation::Insert(RowChange {
            table: names::relation_of(it.relation.as_ref()),
            filtered: from_query,
            columns: targets(&it.cols),
            reads: Self::sources(node),
        }));
    }

    fn update(&mut self, node: &NodeEnum, it: &UpdateStmt) {
        self.push(Operation::Update(RowChange {
            table: names::relation_of(it.relation.as_ref()),
            filtered: restricts(it.where_clause.as_deref()) || !it.from_clause.is_empty(),
            columns: targets(&it.target_list),
            reads: Self::sources(node),
        }));
    }

    fn delete(&mut self, node: &NodeEnum, it: &DeleteStmt) {
        self.push(Operation::Delete(RowChange {
            table: names::relation_of(it.relation.as_ref()),
            filtered: restricts(it.where_clause.as_deref()) || !it.using_clause.is_empty(),
            columns: Vec::new(),
            reads: Self::sources(node),
        }));
    }

    /// MERGE is as many changes as it has kinds of WHEN.
    fn merge(&mut self, node: &NodeEnum, it: &MergeStmt) {
        for clause in it.merge_when_clauses.iter().filter_map(inner) {
            let NodeEnum::MergeWhenClause(clause) = clause else {
                continue;
            };
            let change = RowChange {
                table: names::relation_of(it.relation.as_ref()),
                filtered: true,
                columns: targets(&clause.target_list),
                reads: Self::sources(node),
            };
            match CmdType::try_from(clause.command_type) {
                Ok(CmdType::CmdInsert) => self.push(Operation::Insert(change)),
                Ok(CmdType::CmdUpdate) => self.push(Operation::Update(change)),
                Ok(CmdType::CmdDelete) => self.push(Operation::Delete(RowChange {
                    columns: Vec::new(),
                    ..change
                })),
                _ => {}
            }
        }
    }

    fn select(&mut self, node: &NodeEnum, it: &SelectStmt) {
        if let Some(into) = it.into_clause.as_deref() {
            let text = self.text();
            self.table_from_query(into, text, Some(node), false);
        }
        self.calls(node);
    }

    /// What the functions do that a query calls: sequences and settings it changes, and one [`Operation::Dynamic`] when
    /// any of them is not the server's own.
    pub(super) fn calls(&mut self, node: &NodeEnum) {
        let mut unknown = false;
        let mut operations = Vec::new();
        walk::each(node, &mut |node| {
            let NodeEnum::FuncCall(call) = node else { return };
            let parts = strings(&call.funcname);
            let name = parts.last().map_or("", String::as_str);
            if builtins::volatility(&parts) == Volatility::Unknown {
                unknown = true;
            } else if name == "set_config" {
                operations.extend(set_config(&call.args));
            } else if builtins::has_side_effect(name) {
                operations.push(side_effect(name, &call.args));
            }
        });
        for operation in operations {
            self.push(operation);
        }
        if unknown {
            let text = self.text();
            self.push(Operation::Dynamic { text });
        }
    }

    fn copy(&mut self, it: &CopyStmt) {
        if let Some(query) = boxed(it.query.as_deref()) {
            self.rows(query);
        }
        let table = names::relation_of(it.relation.as_ref());
        if from_stdin(it) {
            self.push(Operation::Other(OtherOperation {
                tag: "copy-from-stdin".to_owned(),
                objects: vec![table],
                details: Vec::new(),
            }));
        } else if it.is_from {
            self.push(Operation::Insert(RowChange {
                table,
                filtered: false,
                columns: strings(&it.attlist),
                reads: Vec::new(),
            }));
        } else {
            let objects = if it.relation.is_some() { vec![table] } else { Vec::new() };
            self.push(Operation::Other(OtherOperation {
                tag: "copy-to".to_owned(),
                objects,
                details: Vec::new(),
            }));
        }
    }
}

/// `set_config('search_path', '', false)` is SET as a function; `pg_dump` writes it.
fn set_config(arguments: &[Node]) -> Option<Operation> {
    let text = |index: usize| arguments.get(index).and_then(inner).map(names::literal);
    let name = text(0)?.to_ascii_lowercase();
    let local = text(2).is_some_and(|value| value == "true" || value == "t");
    Some(Operation::SetParameter {
        name,
        value: text(1),
        local,
        pragma: false,
    })
}

/// A call of a built-in that changes something, with the sequence it names.
fn side_effect(name: &str, arguments: &[Node]) -> Operation {
    let sequence = match arguments.first().and_then(inner) {
        Some(node @ (NodeEnum::AConst(_) | NodeEnum::TypeCast(_))) if matches!(name, "nextval" | "setval") => {
            relation_from_text(&names::literal(node))
        }
        _ => None,
    };
    Operation::Other(OtherOperation {
        tag: "call-function".to_owned(),
        objects: sequence.into_iter().collect(),
        details: vec![("function".to_owned(), name.to_owned())],
    })
}

/// A relation named inside a string, as `regclass` reads it.
fn relation_from_text(text: &str) -> Option<ObjectName> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                parts.last_mut()?.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            other if quoted => parts.last_mut()?.push(other),
            other => parts.last_mut()?.extend(other.to_lowercase()),
        }
    }
    (parts.iter().all(|part| !part.is_empty())).then(|| names::from_parts(&parts))
}
