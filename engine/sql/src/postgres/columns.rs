//! Column definitions and constraints.

use pg_query::NodeEnum;
use pg_query::protobuf::{ColumnDef, ConstrType, Constraint, Node, Token};

use super::names::{self, boxed, inner, non_empty, strings};
use super::reader::Reader;
use super::source::offset;
use super::types;
use crate::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, DataType, Generated, Identity, ReferentialAction,
    SequenceOptions,
};

/// An absent type, as in `CREATE TABLE … OF type (column WITH OPTIONS …)`.
fn no_type() -> DataType {
    DataType {
        schema: None,
        name: String::new(),
        modifiers: Vec::new(),
        dimensions: 0,
    }
}

/// `a` is ALWAYS, `d` BY DEFAULT.
pub(super) fn identity(code: &str) -> Identity {
    if code == "a" {
        Identity::Always
    } else {
        Identity::ByDefault
    }
}

/// Options of a sequence. NO MINVALUE and NO MAXVALUE have the value `none`, RESTART without a value the empty one.
pub(super) fn sequence_options(nodes: &[Node]) -> SequenceOptions {
    let option = |element: &pg_query::protobuf::DefElem| {
        let value = names::value(element).unwrap_or_else(|| match element.defname.as_str() {
            "minvalue" | "maxvalue" => "none".to_owned(),
            "restart" => String::new(),
            _ => "true".to_owned(),
        });
        (element.defname.clone(), value)
    };
    names::elements(nodes)
        .filter(|element| !matches!(element.defname.as_str(), "owned_by" | "as" | "generated"))
        .map(option)
        .collect()
}

fn action(code: &str) -> ReferentialAction {
    match code {
        "r" => ReferentialAction::Restrict,
        "c" => ReferentialAction::Cascade,
        "n" => ReferentialAction::SetNull,
        "d" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}

fn contype(constraint: &Constraint) -> ConstrType {
    ConstrType::try_from(constraint.contype).unwrap_or(ConstrType::Undefined)
}

impl Reader<'_> {
    /// A column and the constraints written beside it. `end` bounds its tokens.
    pub(super) fn column(&self, it: &ColumnDef, end: usize) -> (ColumnDefinition, Vec<ConstraintDefinition>) {
        let range = self.source.clause(self.source.token_at(offset(it.location)), end);
        let serial = it.type_name.as_ref().and_then(types::serial);
        let data_type = match (serial, &it.type_name) {
            (Some(name), _) => DataType {
                name: name.to_owned(),
                ..no_type()
            },
            (None, Some(name)) => types::data_type(name),
            (None, None) => no_type(),
        };
        let mut column = ColumnDefinition {
            name: it.colname.clone(),
            data_type,
            serial: serial.is_some(),
            not_null: serial.is_some() || it.is_not_null,
            default: None,
            generated: None,
            identity: None,
            sequence_options: Vec::new(),
            collation: it.coll_clause.as_ref().map(|clause| names::qualified(&clause.collname)),
            options: storage_options(it),
        };
        let mut constraints = Vec::new();
        for (constraint, clause) in self.located(it, range) {
            self.column_constraint(constraint, clause, &mut column, &mut constraints);
        }
        (column, constraints)
    }

    /// The constraints of a column with their tokens: each ends where the next one, or COLLATE, begins.
    fn located<'n>(&self, it: &'n ColumnDef, range: (usize, usize)) -> Vec<(&'n Constraint, (usize, usize))> {
        let nodes: Vec<&Constraint> = it
            .constraints
            .iter()
            .filter_map(|node| match inner(node) {
                Some(NodeEnum::Constraint(constraint)) => Some(&**constraint),
                _ => None,
            })
            .collect();
        let collate = it.coll_clause.as_ref().map(|clause| clause.location);
        let starts: Vec<i32> = nodes
            .iter()
            .map(|constraint| constraint.location)
            .chain(collate)
            .collect();
        let end_of = |location: i32| {
            let next = starts.iter().filter(|start| **start > location).min();
            next.map_or(range.1, |start| self.source.token_at(offset(*start)))
        };
        nodes
            .into_iter()
            .map(|constraint| {
                let start = self.source.token_at(offset(constraint.location));
                (constraint, (start, end_of(constraint.location)))
            })
            .collect()
    }

    fn column_constraint(
        &self,
        it: &Constraint,
        range: (usize, usize),
        column: &mut ColumnDefinition,
        constraints: &mut Vec<ConstraintDefinition>,
    ) {
        match contype(it) {
            ConstrType::ConstrNotnull => column.not_null = true,
            ConstrType::ConstrDefault => {
                let start = self
                    .source
                    .find(range, Token::Default)
                    .map_or(range.0, |index| index + 1);
                column.default = self.expression(it.raw_expr.as_deref(), (start, range.1));
            }
            ConstrType::ConstrIdentity => {
                column.identity = Some(identity(&it.generated_when));
                column.not_null = true;
                column.sequence_options = sequence_options(&it.options);
            }
            ConstrType::ConstrGenerated => {
                let inside = self.source.inside(range).unwrap_or(range);
                let stored = it.generated_kind != "v";
                column.generated = self
                    .expression(it.raw_expr.as_deref(), inside)
                    .map(|expression| Generated { expression, stored });
            }
            ConstrType::ConstrAttrDeferrable => last(constraints, |constraint| constraint.deferrable = true),
            ConstrType::ConstrAttrNotDeferrable => last(constraints, |constraint| constraint.deferrable = false),
            ConstrType::ConstrAttrDeferred => last(constraints, |constraint| {
                constraint.deferrable = true;
                constraint.initially_deferred = true;
            }),
            ConstrType::ConstrAttrImmediate => {
                last(constraints, |constraint| constraint.initially_deferred = false);
            }
            _ => constraints.extend(self.constraint(it, range, Some(&column.name))),
        }
    }

    /// A key, foreign key, check or exclusion; `None` for what is a property of a column. `column` is the one it is
    /// written beside.
    pub(super) fn constraint(
        &self,
        it: &Constraint,
        range: (usize, usize),
        column: Option<&str>,
    ) -> Option<ConstraintDefinition> {
        let of_column = || column.map(|name| vec![name.to_owned()]);
        let using_index = non_empty(&it.indexname);
        let kind = match contype(it) {
            ConstrType::ConstrPrimary => ConstraintKind::PrimaryKey {
                columns: of_column().unwrap_or_else(|| strings(&it.keys)),
                include: strings(&it.including),
                using_index,
            },
            ConstrType::ConstrUnique => ConstraintKind::Unique {
                columns: of_column().unwrap_or_else(|| strings(&it.keys)),
                include: strings(&it.including),
                nulls_not_distinct: it.nulls_not_distinct,
                using_index,
            },
            ConstrType::ConstrForeign => ConstraintKind::ForeignKey {
                columns: of_column().unwrap_or_else(|| strings(&it.fk_attrs)),
                references: names::relation_of(it.pktable.as_ref()),
                referenced_columns: strings(&it.pk_attrs),
                on_update: action(&it.fk_upd_action),
                on_delete: action(&it.fk_del_action),
                on_delete_columns: strings(&it.fk_del_set_cols),
                match_full: it.fk_matchtype == "f",
            },
            ConstrType::ConstrCheck => {
                let start = self.source.find(range, Token::Check).unwrap_or(range.0);
                let inside = self.source.inside((start, range.1)).unwrap_or(range);
                ConstraintKind::Check {
                    expression: self.expression(it.raw_expr.as_deref(), inside)?,
                }
            }
            ConstrType::ConstrExclusion => self.exclusion(it, range),
            ConstrType::ConstrNotnull => {
                let column = of_column().unwrap_or_else(|| strings(&it.keys)).pop()?;
                ConstraintKind::NotNull { column }
            }
            _ => return None,
        };
        Some(ConstraintDefinition {
            name: non_empty(&it.conname),
            kind,
            deferrable: it.deferrable,
            initially_deferred: it.initdeferred,
            not_valid: it.skip_validation,
            no_inherit: it.is_no_inherit,
            of_column: column.is_some(),
        })
    }

    fn exclusion(&self, it: &Constraint, range: (usize, usize)) -> ConstraintKind {
        let start = self
            .source
            .find(range, Token::Exclude)
            .map_or(range.0, |index| index + 1);
        let mut end = range.1;
        let attributes = [Token::Deferrable, Token::Initially, Token::Not];
        if let Some(index) = self.source.find_any((start, end), &attributes) {
            end = index;
        }
        let column = |pair: &Node| match inner(pair) {
            Some(NodeEnum::List(list)) => match list.items.first().and_then(inner) {
                Some(NodeEnum::IndexElem(element)) => non_empty(&element.name),
                _ => None,
            },
            _ => None,
        };
        ConstraintKind::Exclude {
            columns: it.exclusions.iter().filter_map(column).collect(),
            definition: self.source.slice((start, end)).to_owned(),
        }
    }

    /// The type, USING and COLLATE of ALTER COLUMN … TYPE.
    pub(super) fn new_type(it: &ColumnDef) -> (DataType, Option<crate::name::ObjectName>) {
        let data_type = it.type_name.as_ref().map_or_else(no_type, types::data_type);
        (
            data_type,
            it.coll_clause.as_ref().map(|clause| names::qualified(&clause.collname)),
        )
    }
}

fn last(constraints: &mut [ConstraintDefinition], change: impl FnOnce(&mut ConstraintDefinition)) {
    if let Some(constraint) = constraints.last_mut() {
        change(constraint);
    }
}

fn storage_options(it: &ColumnDef) -> Vec<(String, String)> {
    let mut options = Vec::new();
    for (name, value) in [("storage", &it.storage_name), ("compression", &it.compression)] {
        if !value.is_empty() {
            options.push((name.to_owned(), value.clone()));
        }
    }
    options.extend(names::options(&it.fdwoptions));
    options
}

/// The constraint inside a node.
pub(super) fn as_constraint(node: Option<&Node>) -> Option<&Constraint> {
    match boxed(node)? {
        NodeEnum::Constraint(constraint) => Some(constraint),
        _ => None,
    }
}
