//! Whether a column's new type means that every row is written anew.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{DataType, Expression, ObjectKind};

use super::LockMode as L;
use super::footprint::{Clause, Footprint, Work};
use crate::base::BaseError;
use crate::model::{ConstraintRule, Relation, TypeKind};
use crate::text::mentions_column;

impl Footprint<'_> {
    pub(super) fn change_type(
        &mut self,
        table: &ObjectName,
        column: &str,
        to: &DataType,
        using: Option<&Expression>,
        collation: Option<&ObjectName>,
    ) -> Result<(), BaseError> {
        let work = self.work_of_type(table, column, to, using, collation)?;
        self.clause(table, Clause::recursing(L::AccessExclusive).with(work))?;
        let Some(relation) = self.relation(table)? else {
            return Ok(());
        };
        // Foreign keys from and to the column are dropped and made anew.
        self.lock_referenced_by(&relation, column)?;
        for (referencing, constraint) in self.schema.referencing(&relation.name)? {
            if let ConstraintRule::ForeignKey { referenced_columns, .. } = &constraint.rule
                && referenced_columns.iter().any(|key| key == column)
            {
                let scan = if work == Work::Rewrite { Work::Scan } else { Work::None };
                self.lock(&referencing, L::AccessExclusive, scan)?;
            }
        }
        let identity = relation
            .columns
            .iter()
            .find(|known| known.name == column && known.identity.is_some());
        if let Some(sequence) = identity.and_then(|column| column.sequence.as_ref()) {
            self.lock_as(ObjectKind::Sequence, sequence, L::ShareRowExclusive, Work::None);
        }
        Ok(())
    }

    fn work_of_type(
        &self,
        table: &ObjectName,
        column: &str,
        to: &DataType,
        using: Option<&Expression>,
        collation: Option<&ObjectName>,
    ) -> Result<Work, BaseError> {
        let Some(relation) = self.relation(table)? else {
            return Ok(Work::Rewrite);
        };
        let Some(found) = relation.columns.iter().find(|known| known.name == column) else {
            return Ok(Work::Rewrite);
        };
        if using.is_some_and(|using| !is_column_itself(&using.text, column))
            || !self.keeps_bytes(&found.data_type, to)?
        {
            return Ok(Work::Rewrite);
        }
        let tested = relation.constraints.iter().any(|constraint| {
            matches!(&constraint.rule, ConstraintRule::Check { columns, .. } if columns.iter().any(|name| name == column))
        });
        let collated = collation != found.collation.as_ref();
        Ok(if tested || has_index_to_build(&relation, column, collated) {
            Work::Scan
        } else {
            Work::None
        })
    }

    /// Whether every value of one type is one of the other as it lies there.
    fn keeps_bytes(&self, from: &DataType, to: &DataType) -> Result<bool, BaseError> {
        if from == to {
            return Ok(true);
        }
        if let Some(base) = self.domain_base(to)? {
            return Ok(!self.has_constraints(to)? && self.keeps_bytes(from, &base)?);
        }
        if let Some(base) = self.domain_base(from)? {
            // The domain hides the length, so that the server cannot see that the new one is looser.
            return Ok(to.modifiers.is_empty() && self.keeps_bytes(&base, to)?);
        }
        if self.same_user_type(from, to)? {
            return Ok(true);
        }
        Ok(from.schema.is_none() && loosens(from, to))
    }

    fn domain_base(&self, data_type: &DataType) -> Result<Option<DataType>, BaseError> {
        if data_type.dimensions > 0 {
            return Ok(None);
        }
        let found = self.schema.user_type(&type_name(data_type))?;
        Ok(found.and_then(|found| match &found.kind {
            TypeKind::Domain { base, .. } => Some(base.clone()),
            _ => None,
        }))
    }

    fn same_user_type(&self, from: &DataType, to: &DataType) -> Result<bool, BaseError> {
        if from.name != to.name || from.dimensions != to.dimensions || from.modifiers != to.modifiers {
            return Ok(false);
        }
        let (Some(from), Some(to)) = (
            self.schema.user_type(&type_name(from))?,
            self.schema.user_type(&type_name(to))?,
        ) else {
            return Ok(false);
        };
        Ok(from.name == to.name)
    }
}

fn type_name(data_type: &DataType) -> ObjectName {
    ObjectName {
        schema: data_type.schema.clone(),
        name: data_type.name.clone(),
    }
}

/// Whether the USING expression is the column, perhaps cast.
fn is_column_itself(text: &str, column: &str) -> bool {
    let quoted = format!("\"{}\"", column.replace('"', "\"\""));
    let text = text.trim();
    let text = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
        .unwrap_or(text);
    let (operand, cast) = text.split_once("::").unwrap_or((text, ""));
    let operand = operand.trim();
    let operand = operand
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
        .unwrap_or(operand);
    (operand == quoted || operand.eq_ignore_ascii_case(column)) && !cast.contains("::")
}

/// Indexes that the server cannot keep as they are: their collation changes, or their expressions are computed anew.
fn has_index_to_build(relation: &Relation, column: &str, collated: bool) -> bool {
    let mentions = |text: &String| mentions_column(tollgate_sql::Dialect::Postgres, text, &relation.name.name, column);
    relation.indexes.iter().any(|index| {
        let computed = index
            .parts
            .iter()
            .filter_map(|part| part.expression.as_ref())
            .chain(&index.predicate);
        let keyed = index.parts.iter().any(|part| part.column.as_deref() == Some(column));
        // An index with an expression or a condition anywhere is built anew when any column of it changes.
        let complex = index.predicate.is_some() || index.parts.iter().any(|part| part.expression.is_some());
        computed.into_iter().any(mentions) || (keyed && (collated || complex))
    })
}

/// Pairs of built-in types (and citext) that the server calls binary coercible.
const COERCIBLE: [(&str, &str); 12] = [
    ("character varying", "text"),
    ("text", "character varying"),
    ("citext", "text"),
    ("text", "citext"),
    ("citext", "character varying"),
    ("character varying", "citext"),
    ("cidr", "inet"),
    ("xml", "text"),
    ("xml", "character varying"),
    ("integer", "oid"),
    ("oid", "integer"),
    ("bit", "bit varying"),
];

/// Whether a built-in type takes every value of another as it lies there: the same with a looser limit, or one that the
/// server calls binary coercible. From `timestamp` to `timestamptz` that is so only in a session whose time zone is UTC,
/// which nobody knows beforehand.
fn loosens(from: &DataType, to: &DataType) -> bool {
    // Arrays are converted one element at a time.
    if from.dimensions > 0 || to.dimensions > 0 || to.schema.is_some() {
        return from == to;
    }
    let number = |at: usize, of: &DataType| of.modifiers.get(at).and_then(|text| text.trim().parse::<i64>().ok());
    let unlimited = to.modifiers.is_empty();
    if from.name == to.name {
        return match to.name.as_str() {
            "character varying" | "bit varying" => {
                unlimited || matches!((number(0, from), number(0, to)), (Some(from), Some(to)) if to >= from)
            }
            "numeric" => {
                let scale = |of: &DataType| number(1, of).unwrap_or(0);
                unlimited
                    || matches!((number(0, from), number(0, to)), (Some(old), Some(new)) if new >= old)
                        && scale(from) == scale(to)
            }
            name if name.starts_with("timestamp ") || name.starts_with("time ") || name.starts_with("interval") => {
                number(0, to).unwrap_or(6) >= number(0, from).unwrap_or(6)
            }
            _ => from.modifiers == to.modifiers,
        };
    }
    unlimited && COERCIBLE.contains(&(from.name.as_str(), to.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::is_column_itself;

    #[test]
    fn a_using_clause_that_only_names_the_column() {
        for (text, wanted) in [
            ("a", true),
            ("\"a\"", true),
            ("a::text", true),
            ("(a)::text", true),
            ("\"a\"::varchar(20)", true),
            ("a::int::text", false),
            ("lower(a)", false),
            ("b", false),
        ] {
            assert_eq!(is_column_itself(text, "a"), wanted, "{text}");
        }
    }
}
