//! Constraints.

use std::fmt::Write as _;

use crate::model::{Constraint, ConstraintRule, Index, Relation};
use crate::render::write::{action, identifier, identifiers, parameters};

use super::{DIALECT, alter, comment};

pub(super) fn is_foreign_key(constraint: &Constraint) -> bool {
    matches!(constraint.rule, ConstraintRule::ForeignKey { .. })
}

/// Whether CREATE TABLE can hold it: foreign keys wait for other tables, and NOT VALID exists only in ALTER TABLE.
pub(super) fn fits_create_table(constraint: &Constraint) -> bool {
    !is_foreign_key(constraint) && constraint.validated
}

/// `CONSTRAINT name …`.
pub(super) fn definition(relation: &Relation, constraint: &Constraint) -> String {
    let mut text = format!(
        "CONSTRAINT {} {}",
        identifier(DIALECT, &constraint.name),
        rule(relation, constraint)
    );
    if constraint.deferrable {
        text.push_str(if constraint.initially_deferred {
            " DEFERRABLE INITIALLY DEFERRED"
        } else {
            " DEFERRABLE"
        });
    }
    if !constraint.validated {
        text.push_str(" NOT VALID");
    }
    text
}

/// `ALTER TABLE … ADD CONSTRAINT …`.
pub(super) fn add(relation: &Relation, constraint: &Constraint) -> String {
    format!("{} ADD {}", alter(relation), definition(relation, constraint))
}

/// The same and the comments on it and on its index.
pub(super) fn add_with_comment(relation: &Relation, constraint: &Constraint) -> Vec<String> {
    let mut statements = vec![add(relation, constraint)];
    statements.extend(comments(relation, constraint));
    statements
}

/// COMMENT ON CONSTRAINT, and ON INDEX for the index behind it.
pub(super) fn comments(relation: &Relation, constraint: &Constraint) -> Vec<String> {
    let mut statements = Vec::new();
    if let Some(text) = &constraint.comment {
        let name = identifier(DIALECT, &constraint.name);
        statements.push(comment(
            &format!("CONSTRAINT {name} ON {}", relation.name.sql(DIALECT)),
            text,
        ));
    }
    if let Some(index) = index_behind(relation, constraint) {
        statements.extend(super::index::index_comment(relation, index));
    }
    statements
}

fn index_behind<'a>(relation: &'a Relation, constraint: &Constraint) -> Option<&'a Index> {
    relation
        .indexes
        .iter()
        .find(|index| index.constraint.as_ref() == Some(&constraint.name))
}

fn rule(relation: &Relation, constraint: &Constraint) -> String {
    match &constraint.rule {
        ConstraintRule::PrimaryKey { columns, include } => {
            format!(
                "PRIMARY KEY ({}){}",
                identifiers(DIALECT, columns),
                index_clauses(relation, constraint, include)
            )
        }
        ConstraintRule::Unique {
            columns,
            include,
            nulls_not_distinct,
        } => {
            let nulls = if *nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
            let clauses = index_clauses(relation, constraint, include);
            format!("UNIQUE{nulls} ({}){clauses}", identifiers(DIALECT, columns))
        }
        ConstraintRule::Check {
            expression, no_inherit, ..
        } => {
            format!("CHECK ({expression}){}", if *no_inherit { " NO INHERIT" } else { "" })
        }
        ConstraintRule::Exclude { definition, .. } => format!("EXCLUDE {definition}"),
        ConstraintRule::ForeignKey {
            columns,
            references,
            referenced_columns,
            on_update,
            on_delete,
            on_delete_columns,
            match_full,
        } => {
            use tollgate_sql::operation::ReferentialAction::NoAction;
            let mut text = format!(
                "FOREIGN KEY ({}) REFERENCES {}",
                identifiers(DIALECT, columns),
                references.sql(DIALECT)
            );
            if !referenced_columns.is_empty() {
                let _ = write!(text, " ({})", identifiers(DIALECT, referenced_columns));
            }
            if *match_full {
                text.push_str(" MATCH FULL");
            }
            if *on_update != NoAction {
                let _ = write!(text, " ON UPDATE {}", action(*on_update));
            }
            if *on_delete != NoAction {
                let _ = write!(text, " ON DELETE {}", action(*on_delete));
                if !on_delete_columns.is_empty() {
                    let _ = write!(text, " ({})", identifiers(DIALECT, on_delete_columns));
                }
            }
            text
        }
    }
}

/// INCLUDE, storage parameters and tablespace of the index behind a key.
fn index_clauses(relation: &Relation, constraint: &Constraint, include: &[String]) -> String {
    let mut text = String::new();
    if !include.is_empty() {
        let _ = write!(text, " INCLUDE ({})", identifiers(DIALECT, include));
    }
    if let Some(index) = index_behind(relation, constraint) {
        if !index.options.is_empty() {
            let _ = write!(text, " WITH ({})", parameters(&index.options));
        }
        if let Some(tablespace) = &index.tablespace {
            let _ = write!(text, " USING INDEX TABLESPACE {}", identifier(DIALECT, tablespace));
        }
    }
    text
}
