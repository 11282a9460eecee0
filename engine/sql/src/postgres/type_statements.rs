//! CREATE TYPE, CREATE DOMAIN and what alters them.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterDomainStmt, AlterEnumStmt, CreateDomainStmt, Token};

use super::alter::cascades;
use super::columns::as_constraint;
use super::names::{self, inner, non_empty, strings};
use super::reader::Reader;
use super::source::offset;
use super::types;
use crate::operation::{ConstraintKind, DataType, DomainChange, Operation};

impl Reader<'_> {
    pub(super) fn type_statement(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::CreateEnumStmt(it) => {
                let name = names::qualified(&it.type_name);
                self.push(Operation::CreateEnum {
                    name,
                    values: strings(&it.vals),
                });
            }
            NodeEnum::AlterEnumStmt(it) => self.alter_enum(it),
            NodeEnum::CreateDomainStmt(it) => self.create_domain(it),
            NodeEnum::AlterDomainStmt(it) => self.alter_domain(it),
            NodeEnum::CompositeTypeStmt(it) => {
                let attributes = it.coldeflist.iter().filter_map(|node| match inner(node) {
                    Some(NodeEnum::ColumnDef(definition)) => Some(self.column(definition, self.range.1).0),
                    _ => None,
                });
                let attributes = attributes.collect();
                self.push(Operation::CreateComposite {
                    name: names::relation_of(it.typevar.as_ref()),
                    attributes,
                });
            }
            NodeEnum::CreateRangeStmt(it) => {
                let (name, definition) = (names::qualified(&it.type_name), self.text());
                self.push(Operation::CreateOtherType { name, definition });
            }
            _ => {}
        }
    }

    fn alter_enum(&mut self, it: &AlterEnumStmt) {
        let name = names::qualified(&it.type_name);
        if !it.old_val.is_empty() {
            self.push(Operation::RenameEnumValue {
                name,
                from: it.old_val.clone(),
                to: it.new_val.clone(),
            });
            return;
        }
        let neighbour = non_empty(&it.new_val_neighbor);
        let (before, after) = if it.new_val_is_after {
            (None, neighbour)
        } else {
            (neighbour, None)
        };
        self.push(Operation::AddEnumValue {
            name,
            value: it.new_val.clone(),
            if_not_exists: it.skip_if_new_val_exists,
            before,
            after,
        });
    }

    fn create_domain(&mut self, it: &CreateDomainStmt) {
        let mut not_null = false;
        let mut default = None;
        let mut constraints = Vec::new();
        let nodes: Vec<_> = it
            .constraints
            .iter()
            .filter_map(|node| as_constraint(Some(node)))
            .collect();
        for constraint in &nodes {
            let later = nodes
                .iter()
                .map(|other| other.location)
                .filter(|at| *at > constraint.location)
                .min();
            let end = later.map_or(self.range.1, |at| self.source.token_at(offset(at)));
            let range = (self.source.token_at(offset(constraint.location)), end);
            match pg_query::protobuf::ConstrType::try_from(constraint.contype) {
                Ok(pg_query::protobuf::ConstrType::ConstrNotnull) => not_null = true,
                Ok(pg_query::protobuf::ConstrType::ConstrDefault) => {
                    let start = self
                        .source
                        .find(range, Token::Default)
                        .map_or(range.0, |index| index + 1);
                    default = self.expression(constraint.raw_expr.as_deref(), (start, end));
                }
                _ => constraints.extend(self.constraint(constraint, range, None)),
            }
        }
        self.push(Operation::CreateDomain {
            name: names::qualified(&it.domainname),
            data_type: it.type_name.as_ref().map_or_else(
                || DataType {
                    schema: None,
                    name: String::new(),
                    modifiers: Vec::new(),
                    dimensions: 0,
                },
                types::data_type,
            ),
            not_null,
            default,
            constraints,
            collation: it.coll_clause.as_ref().map(|clause| names::qualified(&clause.collname)),
        });
    }

    fn alter_domain(&mut self, it: &AlterDomainStmt) {
        let change = match it.subtype.as_str() {
            "T" => {
                let start = self
                    .source
                    .find(self.range, Token::Default)
                    .map_or(self.range.0, |index| index + 1);
                DomainChange::SetDefault(self.expression(it.def.as_deref(), (start, self.range.1)))
            }
            "N" => DomainChange::SetNotNull(false),
            "O" => DomainChange::SetNotNull(true),
            "C" => match self.domain_constraint(it) {
                Some(change) => change,
                None => return,
            },
            "X" => DomainChange::DropConstraint {
                name: it.name.clone(),
                if_exists: it.missing_ok,
                cascade: cascades(it.behavior),
            },
            _ => DomainChange::ValidateConstraint(it.name.clone()),
        };
        self.push(Operation::AlterDomain {
            name: names::qualified(&it.type_name),
            change,
        });
    }

    fn domain_constraint(&self, it: &AlterDomainStmt) -> Option<DomainChange> {
        let constraint = as_constraint(it.def.as_deref())?;
        let range = (self.source.token_at(offset(constraint.location)), self.range.1);
        let definition = self.constraint(constraint, range, Some("value"))?;
        if let ConstraintKind::NotNull { .. } = definition.kind {
            return Some(DomainChange::SetNotNull(true));
        }
        Some(DomainChange::AddConstraint(Box::new(
            crate::operation::ConstraintDefinition {
                of_column: false,
                ..definition
            },
        )))
    }
}
