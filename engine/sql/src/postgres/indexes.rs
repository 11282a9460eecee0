//! CREATE INDEX.

use pg_query::NodeEnum;
use pg_query::protobuf::{IndexElem, IndexStmt, Node, SortByDir, SortByNulls, Token};

use super::names::{self, inner, non_empty, strings};
use super::reader::Reader;
use super::source::offset;
use crate::operation::{CreateIndex, IndexPart, Operation};

impl Reader<'_> {
    pub(super) fn create_index(&mut self, it: &IndexStmt) {
        let after_table = match &it.relation {
            Some(table) => self.source.past_name(self.source.token_at(offset(table.location))),
            None => self.range.0,
        };
        let rest = (after_table, self.range.1);
        let keys = self.source.inside(rest).unwrap_or(rest);
        let parts = self.source.split_commas(keys);
        let elements = it.index_params.iter().filter_map(element);
        let parts = elements
            .zip(parts)
            .map(|(element, range)| self.index_part(element, range))
            .collect();
        let predicate = self
            .source
            .find((keys.1, self.range.1), Token::Where)
            .and_then(|index| self.expression(it.where_clause.as_deref(), (index + 1, self.range.1)));
        let index = CreateIndex {
            name: non_empty(&it.idxname),
            table: names::relation_of(it.relation.as_ref()),
            parts,
            include: it
                .index_including_params
                .iter()
                .filter_map(element)
                .map(|it| it.name.clone())
                .collect(),
            unique: it.unique,
            nulls_not_distinct: it.nulls_not_distinct,
            concurrently: it.concurrent,
            if_not_exists: it.if_not_exists,
            only: it.relation.as_ref().is_some_and(|table| !table.inh),
            method: non_empty(&it.access_method).unwrap_or_else(|| "btree".to_owned()),
            predicate,
            options: names::options(&it.options),
            tablespace: non_empty(&it.table_space),
        };
        self.push(Operation::CreateIndex(Box::new(index)));
    }

    fn index_part(&self, it: &IndexElem, range: (usize, usize)) -> IndexPart {
        let expression = it.expr.is_some().then(|| self.key_expression(range));
        IndexPart {
            column: non_empty(&it.name),
            expression,
            operator_class: operator_class(it),
            collation: non_empty(&strings(&it.collation).join(".")),
            descending: it.ordering == SortByDir::SortbyDesc as i32,
            nulls_first: match SortByNulls::try_from(it.nulls_ordering) {
                Ok(SortByNulls::SortbyNullsFirst) => Some(true),
                Ok(SortByNulls::SortbyNullsLast) => Some(false),
                _ => None,
            },
        }
    }

    /// `(expression)` without its parentheses, or a function call.
    fn key_expression(&self, range: (usize, usize)) -> String {
        if self.source.is(range.0, Token::Ascii40) {
            let end = self.source.past_bracket(range.0, range.1);
            return self.source.slice((range.0 + 1, end - 1)).to_owned();
        }
        let end = match self.source.find(range, Token::Ascii40) {
            Some(open) => self.source.past_bracket(open, range.1),
            None => range.0 + 1,
        };
        self.source.slice((range.0, end)).to_owned()
    }
}

fn element(node: &Node) -> Option<&IndexElem> {
    match inner(node) {
        Some(NodeEnum::IndexElem(element)) => Some(element),
        _ => None,
    }
}

/// The operator class with its parameters.
fn operator_class(it: &IndexElem) -> Option<String> {
    let name = non_empty(&strings(&it.opclass).join("."))?;
    if it.opclassopts.is_empty() {
        return Some(name);
    }
    let options = names::options(&it.opclassopts)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"));
    Some(format!("{name} ({})", options.collect::<Vec<_>>().join(", ")))
}
