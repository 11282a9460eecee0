//! Visits the children of a raw parse node, so that each question about a tree is one short closure.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    JsonAggConstructor, JsonBehavior, JsonValueExpr, Node, ReturningClause, SelectStmt, WindowDef, WithClause,
};

use super::names::inner;

type Visit<'a, 'f> = &'f mut dyn FnMut(&'a NodeEnum);

fn list<'a>(nodes: &'a [Node], visit: Visit<'a, '_>) {
    for node in nodes.iter().filter_map(inner) {
        visit(node);
    }
}

fn maybe<'a>(node: Option<&'a Node>, visit: Visit<'a, '_>) {
    if let Some(node) = node.and_then(inner) {
        visit(node);
    }
}

/// Calls `visit` for `node` and everything below it, parents first.
pub(super) fn each<'a>(node: &'a NodeEnum, visit: &mut dyn FnMut(&'a NodeEnum)) {
    visit(node);
    children(node, &mut |child| each(child, visit));
}

/// Calls `visit` for each node directly below `node`, in the order written where the tree keeps it.
pub(super) fn children<'a>(node: &'a NodeEnum, visit: Visit<'a, '_>) {
    match node {
        NodeEnum::List(it) => list(&it.items, visit),
        NodeEnum::NamedArgExpr(it) => maybe(it.arg.as_deref(), visit),
        NodeEnum::BoolExpr(it) => list(&it.args, visit),
        NodeEnum::SubLink(it) => {
            maybe(it.testexpr.as_deref(), visit);
            maybe(it.subselect.as_deref(), visit);
        }
        NodeEnum::CollateExpr(it) => maybe(it.arg.as_deref(), visit),
        NodeEnum::CollateClause(it) => maybe(it.arg.as_deref(), visit),
        NodeEnum::CaseExpr(it) => {
            maybe(it.arg.as_deref(), visit);
            list(&it.args, visit);
            maybe(it.defresult.as_deref(), visit);
        }
        NodeEnum::CaseWhen(it) => {
            maybe(it.expr.as_deref(), visit);
            maybe(it.result.as_deref(), visit);
        }
        NodeEnum::RowExpr(it) => list(&it.args, visit),
        NodeEnum::CoalesceExpr(it) => list(&it.args, visit),
        NodeEnum::MinMaxExpr(it) => list(&it.args, visit),
        NodeEnum::NullTest(it) => maybe(it.arg.as_deref(), visit),
        NodeEnum::BooleanTest(it) => maybe(it.arg.as_deref(), visit),
        NodeEnum::AExpr(it) => {
            maybe(it.lexpr.as_deref(), visit);
            maybe(it.rexpr.as_deref(), visit);
        }
        NodeEnum::TypeCast(it) => maybe(it.arg.as_deref(), visit),
        NodeEnum::FuncCall(it) => {
            list(&it.args, visit);
            list(&it.agg_order, visit);
            maybe(it.agg_filter.as_deref(), visit);
            window(it.over.as_deref(), visit);
        }
        NodeEnum::AIndirection(it) => {
            maybe(it.arg.as_deref(), visit);
            list(&it.indirection, visit);
        }
        NodeEnum::AIndices(it) => {
            maybe(it.lidx.as_deref(), visit);
            maybe(it.uidx.as_deref(), visit);
        }
        NodeEnum::AArrayExpr(it) => list(&it.elements, visit),
        NodeEnum::ResTarget(it) => {
            list(&it.indirection, visit);
            maybe(it.val.as_deref(), visit);
        }
        NodeEnum::MultiAssignRef(it) => maybe(it.source.as_deref(), visit),
        NodeEnum::SortBy(it) => maybe(it.node.as_deref(), visit),
        NodeEnum::WindowDef(it) => window(Some(it), visit),
        NodeEnum::GroupingSet(it) => list(&it.content, visit),
        NodeEnum::GroupingFunc(it) => list(&it.args, visit),
        NodeEnum::DefElem(it) => maybe(it.arg.as_deref(), visit),
        NodeEnum::IndexElem(it) => maybe(it.expr.as_deref(), visit),
        NodeEnum::RawStmt(it) => maybe(it.stmt.as_deref(), visit),
        NodeEnum::ReturnStmt(it) => maybe(it.returnval.as_deref(), visit),
        _ => from_items(node, visit),
    }
}

/// FROM items, and on to statements.
fn from_items<'a>(node: &'a NodeEnum, visit: Visit<'a, '_>) {
    match node {
        NodeEnum::JoinExpr(it) => {
            maybe(it.larg.as_deref(), visit);
            maybe(it.rarg.as_deref(), visit);
            maybe(it.quals.as_deref(), visit);
        }
        NodeEnum::RangeSubselect(it) => maybe(it.subquery.as_deref(), visit),
        NodeEnum::RangeFunction(it) => list(&it.functions, visit),
        NodeEnum::RangeTableSample(it) => {
            maybe(it.relation.as_deref(), visit);
            list(&it.args, visit);
            maybe(it.repeatable.as_deref(), visit);
        }
        NodeEnum::RangeTableFunc(it) => {
            maybe(it.docexpr.as_deref(), visit);
            maybe(it.rowexpr.as_deref(), visit);
            list(&it.columns, visit);
        }
        NodeEnum::RangeTableFuncCol(it) => {
            maybe(it.colexpr.as_deref(), visit);
            maybe(it.coldefexpr.as_deref(), visit);
        }
        NodeEnum::CommonTableExpr(it) => maybe(it.ctequery.as_deref(), visit),
        _ => statements(node, visit),
    }
}

fn statements<'a>(node: &'a NodeEnum, visit: Visit<'a, '_>) {
    match node {
        NodeEnum::SelectStmt(it) => select(it, visit),
        NodeEnum::InsertStmt(it) => {
            with(it.with_clause.as_ref(), visit);
            maybe(it.select_stmt.as_deref(), visit);
            if let Some(conflict) = &it.on_conflict_clause {
                list(&conflict.target_list, visit);
                maybe(conflict.where_clause.as_deref(), visit);
            }
            returning(it.returning_clause.as_ref(), visit);
        }
        NodeEnum::UpdateStmt(it) => {
            with(it.with_clause.as_ref(), visit);
            list(&it.target_list, visit);
            list(&it.from_clause, visit);
            maybe(it.where_clause.as_deref(), visit);
            returning(it.returning_clause.as_ref(), visit);
        }
        NodeEnum::DeleteStmt(it) => {
            with(it.with_clause.as_ref(), visit);
            list(&it.using_clause, visit);
            maybe(it.where_clause.as_deref(), visit);
            returning(it.returning_clause.as_ref(), visit);
        }
        NodeEnum::MergeStmt(it) => {
            with(it.with_clause.as_ref(), visit);
            maybe(it.source_relation.as_deref(), visit);
            maybe(it.join_condition.as_deref(), visit);
            list(&it.merge_when_clauses, visit);
            returning(it.returning_clause.as_ref(), visit);
        }
        NodeEnum::MergeWhenClause(it) => {
            maybe(it.condition.as_deref(), visit);
            list(&it.target_list, visit);
            list(&it.values, visit);
        }
        _ => documents(node, visit),
    }
}

/// XML and JSON expressions.
fn documents<'a>(node: &'a NodeEnum, visit: Visit<'a, '_>) {
    match node {
        NodeEnum::XmlExpr(it) => {
            list(&it.named_args, visit);
            list(&it.args, visit);
        }
        NodeEnum::XmlSerialize(it) => maybe(it.expr.as_deref(), visit),
        NodeEnum::JsonIsPredicate(it) => maybe(it.expr.as_deref(), visit),
        NodeEnum::JsonFuncExpr(it) => {
            json(it.context_item.as_deref(), visit);
            maybe(it.pathspec.as_deref(), visit);
            list(&it.passing, visit);
            behaviour(it.on_empty.as_deref(), visit);
            behaviour(it.on_error.as_deref(), visit);
        }
        NodeEnum::JsonTable(it) => {
            json(it.context_item.as_deref(), visit);
            list(&it.passing, visit);
        }
        NodeEnum::JsonValueExpr(it) => json(Some(it), visit),
        NodeEnum::JsonArgument(it) => json(it.val.as_deref(), visit),
        NodeEnum::JsonKeyValue(it) => {
            maybe(it.key.as_deref(), visit);
            json(it.value.as_deref(), visit);
        }
        NodeEnum::JsonParseExpr(it) => json(it.expr.as_deref(), visit),
        NodeEnum::JsonScalarExpr(it) => maybe(it.expr.as_deref(), visit),
        NodeEnum::JsonSerializeExpr(it) => json(it.expr.as_deref(), visit),
        NodeEnum::JsonObjectConstructor(it) => list(&it.exprs, visit),
        NodeEnum::JsonArrayConstructor(it) => list(&it.exprs, visit),
        NodeEnum::JsonArrayQueryConstructor(it) => maybe(it.query.as_deref(), visit),
        NodeEnum::JsonObjectAgg(it) => {
            if let Some(argument) = it.arg.as_deref() {
                maybe(argument.key.as_deref(), visit);
                json(argument.value.as_deref(), visit);
            }
            aggregate(it.constructor.as_deref(), visit);
        }
        NodeEnum::JsonArrayAgg(it) => {
            json(it.arg.as_deref(), visit);
            aggregate(it.constructor.as_deref(), visit);
        }
        _ => {}
    }
}

fn json<'a>(value: Option<&'a JsonValueExpr>, visit: Visit<'a, '_>) {
    maybe(value.and_then(|value| value.raw_expr.as_deref()), visit);
}

fn behaviour<'a>(behaviour: Option<&'a JsonBehavior>, visit: Visit<'a, '_>) {
    maybe(behaviour.and_then(|behaviour| behaviour.expr.as_deref()), visit);
}

fn aggregate<'a>(constructor: Option<&'a JsonAggConstructor>, visit: Visit<'a, '_>) {
    if let Some(constructor) = constructor {
        maybe(constructor.agg_filter.as_deref(), visit);
        list(&constructor.agg_order, visit);
        window(constructor.over.as_deref(), visit);
    }
}

fn window<'a>(definition: Option<&'a WindowDef>, visit: Visit<'a, '_>) {
    if let Some(definition) = definition {
        list(&definition.partition_clause, visit);
        list(&definition.order_clause, visit);
        maybe(definition.start_offset.as_deref(), visit);
        maybe(definition.end_offset.as_deref(), visit);
    }
}

fn returning<'a>(clause: Option<&'a ReturningClause>, visit: Visit<'a, '_>) {
    if let Some(clause) = clause {
        list(&clause.exprs, visit);
    }
}

fn with<'a>(clause: Option<&'a WithClause>, visit: Visit<'a, '_>) {
    if let Some(clause) = clause {
        list(&clause.ctes, visit);
    }
}

/// The children of a SELECT; of a set operation those of its arms, which the tree does not wrap in nodes.
fn select<'a>(it: &'a SelectStmt, visit: Visit<'a, '_>) {
    with(it.with_clause.as_ref(), visit);
    for arm in [it.larg.as_deref(), it.rarg.as_deref()].into_iter().flatten() {
        select(arm, visit);
    }
    list(&it.distinct_clause, visit);
    list(&it.target_list, visit);
    list(&it.from_clause, visit);
    maybe(it.where_clause.as_deref(), visit);
    list(&it.group_clause, visit);
    maybe(it.having_clause.as_deref(), visit);
    list(&it.window_clause, visit);
    list(&it.values_lists, visit);
    list(&it.sort_clause, visit);
    maybe(it.limit_offset.as_deref(), visit);
    maybe(it.limit_count.as_deref(), visit);
}
