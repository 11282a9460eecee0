//! CREATE TABLE in all its forms, views' queries, and CREATE SCHEMA with what is created inside it.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CreateForeignTableStmt, CreateSchemaStmt, CreateStmt, CreateTableAsStmt, IntoClause, ObjectType, Token,
};

use super::names::{self, boxed, inner, non_empty};
use super::reader::Reader;
use super::rows;
use super::source::offset;
use crate::name::ObjectName;
use crate::operation::{CreateTable, CreateView, Operation};

/// Options of LIKE by the bit that stands for each.
const LIKE_OPTIONS: [&str; 9] = [
    "comments",
    "compression",
    "constraints",
    "defaults",
    "generated",
    "identity",
    "indexes",
    "statistics",
    "storage",
];

/// A temporary table's schema is where it lands, not a schema of ours.
fn persistence(range: Option<&pg_query::protobuf::RangeVar>) -> (bool, bool) {
    let code = range.map_or("p", |range| range.relpersistence.as_str());
    (code == "t", code == "u")
}

impl Reader<'_> {
    pub(super) fn create_table(&mut self, it: &CreateStmt, foreign_server: Option<String>) {
        let mut table = CreateTable::bare(names::relation_of(it.relation.as_ref()));
        (table.temporary, table.unlogged) = persistence(it.relation.as_ref());
        table.if_not_exists = it.if_not_exists;
        table.foreign_server = foreign_server;
        table.options = names::options(&it.options);
        table.tablespace = non_empty(&it.tablespacename);
        table.access_method = non_empty(&it.access_method);
        self.table_elements(it, &mut table);
        let parents = it.inh_relations.iter().filter_map(|node| match inner(node) {
            Some(NodeEnum::RangeVar(range)) => Some(names::relation(range)),
            _ => None,
        });
        let mut parents: Vec<ObjectName> = parents.collect();
        if let Some(bound) = &it.partbound {
            let range = (self.source.token_at(offset(bound.location)), self.range.1);
            table.partition_of = parents.pop().map(|parent| (parent, self.partition_bound(range)));
        }
        table.inherits = parents;
        if let Some(key) = &it.partspec {
            let start = self.source.token_at(offset(key.location));
            // PARTITION BY strategy (…)
            let key = (start + 2, self.range.1);
            let open = self.source.find(key, Token::Ascii40).unwrap_or(key.0);
            table.partition_by = Some(
                self.source
                    .slice((key.0, self.source.past_bracket(open, key.1)))
                    .to_owned(),
            );
        }
        if let Some(of) = &it.of_typename {
            let parts = names::strings(&of.names);
            table.like.push((names::from_parts(&parts), vec!["of-type".to_owned()]));
        }
        self.push(Operation::CreateTable(Box::new(table)));
    }

    fn table_elements(&self, it: &CreateStmt, table: &mut CreateTable) {
        for element in it.table_elts.iter().filter_map(inner) {
            match element {
                NodeEnum::ColumnDef(definition) => {
                    let (column, constraints) = self.column(definition, self.range.1);
                    table.columns.push(column);
                    table.constraints.extend(constraints);
                }
                NodeEnum::Constraint(constraint) => {
                    let start = self.source.token_at(offset(constraint.location));
                    let range = self.source.clause(start, self.range.1);
                    table.constraints.extend(self.constraint(constraint, range, None));
                }
                NodeEnum::TableLikeClause(like) => {
                    let on = |(bit, name): (usize, &&str)| ((like.options >> bit) & 1 == 1).then(|| (*name).to_owned());
                    let options = LIKE_OPTIONS.iter().enumerate().filter_map(on).collect();
                    table.like.push((names::relation_of(like.relation.as_ref()), options));
                }
                _ => {}
            }
        }
    }

    /// `FOR VALUES …` or `DEFAULT` as written, found at the start of `range` or after it.
    pub(super) fn partition_bound(&self, range: (usize, usize)) -> String {
        let source = self.source;
        let start = (range.0.saturating_sub(3)..range.1)
            .find(|&index| {
                source.is(index, Token::Default)
                    || (source.is(index, Token::For) && source.is(index + 1, Token::Values))
            })
            .unwrap_or(range.0);
        if source.is(start, Token::Default) {
            return "DEFAULT".to_owned();
        }
        let past = |from: usize| {
            source
                .find((from, range.1), Token::Ascii40)
                .map(|open| source.past_bracket(open, range.1))
        };
        let mut end = past(start).unwrap_or(range.1);
        if source.is(end, Token::To) {
            end = past(end).unwrap_or(end);
        }
        source.slice((start, end)).to_owned()
    }

    pub(super) fn create_foreign_table(&mut self, it: &CreateForeignTableStmt) {
        if let Some(base) = &it.base_stmt {
            self.create_table(base, Some(it.servername.clone()));
            if let Some(Operation::CreateTable(table)) = self.effects.last_mut().map(|effect| &mut effect.operation) {
                table.options.extend(names::options(&it.options));
            }
        }
    }

    /// The tokens after the first AS outside brackets, without the closing `WITH [NO] DATA` or CHECK OPTION.
    fn query_range(&self) -> (usize, usize) {
        let start = self
            .source
            .find(self.range, Token::As)
            .map_or(self.range.0, |index| index + 1);
        let mut end = self.range.1;
        let data =
            self.source.is(end.saturating_sub(1), Token::DataP) || self.source.is(end.saturating_sub(1), Token::Option);
        if data {
            let with = (start..end).rev().find(|&index| self.source.is(index, Token::With));
            end = with.unwrap_or(end);
        }
        (start, end)
    }

    pub(super) fn create_table_as(&mut self, it: &CreateTableAsStmt) {
        let Some(into) = it.into.as_deref() else { return };
        let query = boxed(it.query.as_deref());
        let text = self.source.slice(self.query_range()).to_owned();
        if it.objtype == ObjectType::ObjectMatview as i32 {
            let view = CreateView {
                name: names::relation_of(into.rel.as_ref()),
                materialized: true,
                or_replace: false,
                if_not_exists: it.if_not_exists,
                temporary: false,
                columns: names::strings(&into.col_names),
                query: text,
                reads: query.map(rows::reads_with_functions).unwrap_or_default(),
                definition: self.text(),
            };
            self.push(Operation::CreateView(Box::new(view)));
            return;
        }
        if let Some(query) = query {
            self.modifying_ctes(query);
        }
        self.table_from_query(into, text, query, it.if_not_exists);
    }

    /// CREATE TABLE AS and SELECT INTO.
    pub(super) fn table_from_query(
        &mut self,
        into: &IntoClause,
        text: String,
        query: Option<&NodeEnum>,
        if_not_exists: bool,
    ) {
        let mut table = CreateTable::bare(names::relation_of(into.rel.as_ref()));
        (table.temporary, table.unlogged) = persistence(into.rel.as_ref());
        table.if_not_exists = if_not_exists;
        table.options = names::options(&into.options);
        table.tablespace = non_empty(&into.table_space_name);
        table.access_method = non_empty(&into.access_method);
        table.reads = query.map(rows::reads).unwrap_or_default();
        table.as_query = Some(text);
        self.push(Operation::CreateTable(Box::new(table)));
    }

    pub(super) fn create_view(&mut self, it: &pg_query::protobuf::ViewStmt) {
        let (temporary, _) = persistence(it.view.as_ref());
        let query = boxed(it.query.as_deref());
        let view = CreateView {
            name: names::relation_of(it.view.as_ref()),
            materialized: false,
            or_replace: it.replace,
            if_not_exists: false,
            temporary,
            columns: names::strings(&it.aliases),
            query: self.source.slice(self.query_range()).to_owned(),
            reads: query.map(rows::reads_with_functions).unwrap_or_default(),
            definition: self.text(),
        };
        self.push(Operation::CreateView(Box::new(view)));
    }

    /// What is created inside CREATE SCHEMA lands in that schema where it names none.
    pub(super) fn create_schema(&mut self, it: &CreateSchemaStmt) {
        let name = match it.schemaname.as_str() {
            "" => names::role(it.authrole.as_ref()),
            name => name.to_owned(),
        };
        self.push(Operation::CreateSchema {
            name: name.clone(),
            if_not_exists: it.if_not_exists,
        });
        for element in it.schema_elts.iter().filter_map(inner) {
            let first = self.effects.len();
            self.read(element);
            for effect in &mut self.effects[first..] {
                place(&mut effect.operation, &name);
            }
        }
    }
}

/// Puts a created object into `schema` where it names none.
fn place(operation: &mut Operation, schema: &str) {
    let name = match operation {
        Operation::CreateTable(table) => &mut table.name,
        Operation::CreateView(view) => &mut view.name,
        Operation::CreateIndex(index) => &mut index.table,
        Operation::CreateTrigger(trigger) => &mut trigger.table,
        Operation::CreateSequence { name, .. } => name,
        Operation::Grant(grant) => &mut grant.object,
        _ => return,
    };
    name.schema.get_or_insert_with(|| schema.to_owned());
}
