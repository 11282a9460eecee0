//! Constraints: what a new one reads, and who is on its other side.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ConstraintDefinition, ConstraintKind, ObjectKind};

use super::LockMode as L;
use super::footprint::{Clause, Footprint, Work};
use crate::base::BaseError;
use crate::model::{Constraint, ConstraintRule, Relation};

impl Footprint<'_> {
    pub(super) fn add_constraint(
        &mut self,
        table: &ObjectName,
        constraint: &ConstraintDefinition,
    ) -> Result<(), BaseError> {
        let work = self.work_of_constraint(table, constraint, false)?;
        match &constraint.kind {
            ConstraintKind::ForeignKey { .. } => {
                self.clause(table, Clause::recursing(L::ShareRowExclusive).with(work))?;
            }
            ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => {
                let primary = matches!(constraint.kind, ConstraintKind::PrimaryKey { .. });
                // A primary key makes its columns NOT NULL, in all partitions; an index alone locks them as CREATE INDEX,
                // until 18.
                let nullable = self.at_least(18) || (primary && self.any_nullable(table, columns)?);
                self.clause(
                    table,
                    Clause {
                        recurses: nullable,
                        ..Clause::new(L::AccessExclusive).with(work)
                    },
                )?;
                let name = self.schema.find(ObjectKind::Table, table)?;
                for partition in self.descendants_of_partitioned(&name)? {
                    self.lock(&partition, L::Share, work)?;
                }
            }
            _ => self.clause(table, Clause::recursing(L::AccessExclusive).with(work))?,
        }
        self.other_side(constraint)
    }

    /// The table that a new foreign key points at gets triggers.
    pub(super) fn other_side(&mut self, constraint: &ConstraintDefinition) -> Result<(), BaseError> {
        let ConstraintKind::ForeignKey { references, .. } = &constraint.kind else {
            return Ok(());
        };
        let name = self.schema.find(ObjectKind::Table, references)?;
        self.lock(&name, L::ShareRowExclusive, Work::None)?;
        for partition in self.descendants_of_partitioned(&name)? {
            self.lock(&partition, L::ShareRowExclusive, Work::None)?;
        }
        Ok(())
    }

    /// What a new constraint has to look at. `trusted`: a foreign key is known to hold.
    pub(super) fn work_of_constraint(
        &self,
        table: &ObjectName,
        constraint: &ConstraintDefinition,
        trusted: bool,
    ) -> Result<Work, BaseError> {
        let scans = match &constraint.kind {
            _ if constraint.not_valid => false,
            ConstraintKind::PrimaryKey {
                using_index: Some(index),
                ..
            } => match self.relation(table)? {
                Some(relation) => !all_not_null(&relation, index),
                None => true,
            },
            ConstraintKind::Unique { using_index, .. } => using_index.is_none(),
            ConstraintKind::ForeignKey { .. } => !trusted,
            ConstraintKind::PrimaryKey { .. } | ConstraintKind::Check { .. } | ConstraintKind::Exclude { .. } => true,
            ConstraintKind::NotNull { column } => !self.column(table, column)?.is_some_and(|column| column.not_null),
        };
        Ok(if scans { Work::Scan } else { Work::None })
    }

    pub(super) fn drop_constraint(&mut self, table: &ObjectName, name: &str, cascade: bool) -> Result<(), BaseError> {
        self.clause(table, Clause::recursing(L::AccessExclusive))?;
        let Some((relation, constraint)) = self.constraint(table, name)? else {
            return Ok(());
        };
        match &constraint.rule {
            ConstraintRule::ForeignKey { references, .. } => {
                self.lock(references, L::AccessExclusive, Work::None)?;
                for partition in self.descendants_of_partitioned(references)? {
                    self.lock(&partition, L::AccessExclusive, Work::None)?;
                }
            }
            ConstraintRule::PrimaryKey { columns, .. } | ConstraintRule::Unique { columns, .. } if cascade => {
                self.keys_to(&relation.name, Some(columns))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Foreign keys to a table, or to these columns of it, go or are made anew: the tables that have them.
    pub(super) fn keys_to(&mut self, table: &ObjectName, columns: Option<&[String]>) -> Result<(), BaseError> {
        for (referencing, constraint) in self.schema.referencing(table)? {
            let ConstraintRule::ForeignKey { referenced_columns, .. } = &constraint.rule else {
                continue;
            };
            if columns.is_none_or(|columns| referenced_columns.iter().all(|column| columns.contains(column))) {
                self.lock(&referencing, L::AccessExclusive, Work::None)?;
            }
        }
        Ok(())
    }

    pub(super) fn validate_constraint(&mut self, table: &ObjectName, name: &str) -> Result<(), BaseError> {
        let found = self.constraint(table, name)?.map(|(_, constraint)| constraint);
        let done = found.as_ref().is_some_and(|constraint| constraint.validated);
        let work = if done { Work::None } else { Work::Scan };
        let foreign = matches!(
            found.as_ref().map(|constraint| &constraint.rule),
            Some(ConstraintRule::ForeignKey { .. })
        );
        let clause = Clause {
            recurses: !foreign,
            ..Clause::new(L::ShareUpdateExclusive).with(work)
        };
        self.clause(table, clause)?;
        if let Some(ConstraintRule::ForeignKey { references, .. }) = found.map(|constraint| constraint.rule)
            && !done
        {
            self.lock(&references, L::RowShare, Work::None)?;
        }
        Ok(())
    }

    fn any_nullable(&self, table: &ObjectName, columns: &[String]) -> Result<bool, BaseError> {
        for column in columns {
            if !self.column(table, column)?.is_some_and(|column| column.not_null) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn constraint(
        &self,
        table: &ObjectName,
        name: &str,
    ) -> Result<Option<(std::sync::Arc<Relation>, Constraint)>, BaseError> {
        let relation = self.relation(table)?;
        Ok(relation.and_then(|relation| {
            let found = relation
                .constraints
                .iter()
                .find(|constraint| constraint.name == name)
                .cloned();
            found.map(|constraint| (relation, constraint))
        }))
    }
}

/// Every key column of an index is NOT NULL already.
fn all_not_null(relation: &Relation, index: &str) -> bool {
    let Some(index) = relation.indexes.iter().find(|known| known.name == index) else {
        return false;
    };
    let not_null = |name: &String| {
        relation
            .columns
            .iter()
            .any(|column| column.name == *name && column.not_null)
    };
    index
        .parts
        .iter()
        .all(|part| part.column.as_ref().is_some_and(not_null))
}

/// Whether a condition that holds for every row says that a column has no nulls: `column IS NOT NULL`, alone or joined to
/// others by AND.
pub(super) fn excludes_null(condition: &str, column: &str) -> bool {
    let quoted = format!("\"{}\"", column.replace('"', "\"\""));
    let words = condition.replace(['(', ')'], " ");
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut alternatives = words.split(|word| word.eq_ignore_ascii_case("or"));
    // Under an OR nothing is certain.
    let (Some(only), None) = (alternatives.next(), alternatives.next()) else {
        return false;
    };
    only.split(|word| word.eq_ignore_ascii_case("and"))
        .any(|part| match part {
            [name, is, not, null] => {
                (*name == column || *name == quoted)
                    && is.eq_ignore_ascii_case("is")
                    && not.eq_ignore_ascii_case("not")
                    && null.eq_ignore_ascii_case("null")
            }
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::excludes_null;

    #[test]
    fn conditions_that_exclude_null() {
        for (condition, wanted) in [
            ("a IS NOT NULL", true),
            ("(a is not null)", true),
            ("((a IS NOT NULL) AND (b > 0))", true),
            ("\"a\" IS NOT NULL", true),
            ("a IS NOT NULL OR b", false),
            ("a > 0", false),
            ("ab IS NOT NULL", false),
        ] {
            assert_eq!(excludes_null(condition, "a"), wanted, "{condition}");
        }
    }
}
