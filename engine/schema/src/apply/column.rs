//! ADD COLUMN, DROP COLUMN and everything ALTER COLUMN can do.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{AddColumn, DataType, Expression, Identity, ObjectKind};

use crate::base::BaseError;
use crate::model::{Column, ConstraintRule, Index, Relation};
use crate::schema::{ColumnOrigin, Schema};
use crate::text::{bare, mentions_column};

impl Schema {
    pub(super) fn add_column(&mut self, add: &AddColumn) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, &add.table)?;
        let folding = self.folding();
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        if relation
            .columns
            .iter()
            .any(|column| folding.same(&column.name, &add.column.name))
        {
            return Ok(());
        }
        // What somebody else still holds would be copied.
        drop(relation);
        self.declare_column(&table, &add.column)?;
        let null = add.column.default.as_ref().is_none_or(|default| default.is_null)
            && add.column.generated.is_none()
            && !add.column.serial
            && add.column.identity.is_none();
        self.column_added(&table, &add.column.name, null);
        self.edit(&table, |relation| relation.definition = None)?;
        for constraint in &add.constraints {
            self.declare_constraint(&table, constraint)?;
        }
        for child in self.children(&table)? {
            self.inherit_columns(&child, &table)?;
            self.column_added(&child, &add.column.name, null);
            self.inherit_keys(&child, &table)?;
        }
        Ok(())
    }

    pub(super) fn drop_column(&mut self, table: &ObjectName, column: &str) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let folding = self.folding();
        let dialect = self.dialect();
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let Some(dropped) = relation
            .columns
            .iter()
            .find(|known| folding.same(&known.name, column))
            .cloned()
        else {
            return Ok(());
        };
        // Foreign keys of other tables that point at the column, and views that read it, go with CASCADE.
        for (other, foreign) in self.referencing(&table)? {
            let needs = matches!(&foreign.rule, ConstraintRule::ForeignKey { referenced_columns, .. } if folding.contains(referenced_columns, column));
            if needs && !self.is_sqlite() {
                self.edit(&other, |relation| {
                    relation.constraints.retain(|known| known.name != foreign.name);
                })?;
            }
        }
        if !self.is_sqlite() {
            self.drop_views_of_column(&relation, column)?;
            for sequence in self.owned_sequences(&table, Some(column), Some(&dropped))? {
                self.drop_sequence(&sequence)?;
            }
        }
        let generated: Vec<_> = relation
            .columns
            .iter()
            .filter(|other| {
                other
                    .generated
                    .as_ref()
                    .is_some_and(|(text, _)| mentions_column(dialect, text, &table.name, column))
            })
            .map(|other| other.name.clone())
            .collect();
        self.edit(&table, |relation| {
            let name = relation.name.name.clone();
            relation.definition = None;
            relation.columns.retain(|known| !folding.same(&known.name, column));
            relation
                .constraints
                .retain(|constraint| !folding.contains(constraint.rule.columns(), column));
            let kept: Vec<_> = relation
                .constraints
                .iter()
                .map(|constraint| constraint.name.clone())
                .collect();
            relation.indexes.retain(|index| {
                !index_uses(dialect, index, &name, column)
                    && index
                        .constraint
                        .as_ref()
                        .is_none_or(|constraint| kept.contains(constraint))
            });
            relation.policies.retain(|policy| {
                !policy
                    .using
                    .iter()
                    .chain(&policy.check)
                    .any(|text| mentions_column(dialect, text, &name, column))
            });
        })?;
        self.origin_mut(&table).columns.remove(column);
        self.origin_mut(&table)
            .columns
            .insert(column.to_owned(), ColumnOrigin::Unknown);
        for other in generated {
            self.drop_column(&table, &other)?;
        }
        for child in self.children(&table)? {
            // A column that comes from another parent too stays.
            if self.has_from_another(&child, &table, column)? {
                continue;
            }
            self.drop_column(&child, column)?;
        }
        Ok(())
    }

    /// Whether `child` takes `column` from a parent other than `table`.
    fn has_from_another(&self, child: &ObjectName, table: &ObjectName, column: &str) -> Result<bool, BaseError> {
        let Some(relation) = self.get(child)? else {
            return Ok(false);
        };
        for parent in relation.inherits.iter().filter(|parent| *parent != table) {
            if self
                .get(parent)?
                .is_some_and(|parent| parent.columns.iter().any(|known| known.name == column))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Views that surely read a column, and whatever reads those.
    fn drop_views_of_column(&mut self, relation: &Relation, column: &str) -> Result<(), BaseError> {
        for dependent in self.dependents(ObjectKind::Table, &relation.name)? {
            let view =
                matches!(dependent.kind, ObjectKind::View | ObjectKind::MaterializedView) && dependent.member.is_none();
            if !view {
                continue;
            }
            match &dependent.column {
                Some(read) if read == column => self.drop_relation(&dependent.name)?,
                Some(_) => {}
                // Which columns it reads cannot be told.
                None => {
                    self.edit(&dependent.name, |view| view.uncertain = true)?;
                }
            }
        }
        Ok(())
    }

    /// Changes a column, and the same column of partitions and inheriting tables.
    pub(super) fn alter_column(
        &mut self,
        table: &ObjectName,
        column: &str,
        change: &dyn Fn(&mut Column),
    ) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let folding = self.folding();
        let mut names = vec![table];
        while let Some(name) = names.pop() {
            self.edit(&name, |relation| {
                if let Some(column) = relation
                    .columns
                    .iter_mut()
                    .find(|known| folding.same(&known.name, column))
                {
                    change(column);
                }
            })?;
            names.extend(self.children(&name)?);
        }
        Ok(())
    }

    pub(super) fn alter_column_type(
        &mut self,
        table: &ObjectName,
        column: &str,
        to: &DataType,
        using: Option<&Expression>,
        collation: Option<&ObjectName>,
    ) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let data_type = self.canonical_type(to);
        self.alter_column(&table, column, &|known| {
            known.data_type = data_type.clone();
            known.collation = collation.cloned();
        })?;
        if using.is_some() && self.get(&table)?.is_some() {
            self.origin_mut(&table)
                .columns
                .insert(column.to_owned(), ColumnOrigin::Unknown);
        }
        // The sequence of an identity column follows; that of a serial does not.
        let identity = self.get(&table)?.and_then(|relation| {
            relation
                .columns
                .iter()
                .find(|known| known.name == column && known.identity.is_some())?
                .sequence
                .clone()
        });
        if let Some(name) = identity
            && let Some(sequence) = self.sequence(&name)?
        {
            let mut sequence = (*sequence).clone();
            sequence.data_type = data_type.name;
            self.put_sequence(sequence);
        }
        Ok(())
    }

    pub(super) fn set_not_null(&mut self, table: &ObjectName, column: &str, not_null: bool) -> Result<(), BaseError> {
        self.alter_column(table, column, &|known| known.not_null = not_null)
    }

    pub(super) fn set_default(
        &mut self,
        table: &ObjectName,
        column: &str,
        default: Option<&Expression>,
    ) -> Result<(), BaseError> {
        self.alter_column(table, column, &|known| {
            let kept = default.filter(|default| super::table::keeps_default(&known.data_type, default));
            known.default = kept.map(|default| bare(&default.text).to_owned());
        })
    }

    pub(super) fn add_identity(
        &mut self,
        table: &ObjectName,
        column: &str,
        identity: Identity,
        options: &[(String, String)],
    ) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let Some(known) = relation.columns.iter().find(|known| known.name == column) else {
            return Ok(());
        };
        let sequence = self.make_sequence(&table, column, &known.data_type.name, options, true)?;
        self.edit(&table, |relation| {
            for known in relation.columns.iter_mut().filter(|known| known.name == column) {
                known.identity = Some(identity);
                known.not_null = true;
                known.sequence = Some(sequence.clone());
            }
        })?;
        Ok(())
    }

    pub(super) fn alter_identity(
        &mut self,
        table: &ObjectName,
        column: &str,
        identity: Option<Identity>,
        options: &[(String, String)],
    ) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        if let Some(identity) = identity {
            self.alter_column(&table, column, &|known| known.identity = Some(identity))?;
        }
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let sequence = relation
            .columns
            .iter()
            .find(|known| known.name == column)
            .and_then(|known| known.sequence.clone());
        match sequence {
            Some(name) => self.alter_sequence(&name, options, None),
            None => Ok(()),
        }
    }

    pub(super) fn drop_identity(&mut self, table: &ObjectName, column: &str) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let Some(known) = relation
            .columns
            .iter()
            .find(|known| known.name == column && known.identity.is_some())
        else {
            return Ok(());
        };
        if let Some(sequence) = &known.sequence {
            self.forget_sequence(sequence);
        }
        self.alter_column(&table, column, &|known| {
            known.identity = None;
            known.sequence = None;
        })
    }

    pub(super) fn set_expression(
        &mut self,
        table: &ObjectName,
        column: &str,
        expression: &Expression,
    ) -> Result<(), BaseError> {
        self.alter_column(table, column, &|known| {
            let stored = known.generated.as_ref().is_none_or(|(_, stored)| *stored);
            known.generated = Some((bare(&expression.text).to_owned(), stored));
        })
    }

    pub(super) fn drop_expression(&mut self, table: &ObjectName, column: &str) -> Result<(), BaseError> {
        self.alter_column(table, column, &|known| known.generated = None)
    }

    pub(super) fn set_column_option(
        &mut self,
        table: &ObjectName,
        column: &str,
        option: &str,
        value: &str,
    ) -> Result<(), BaseError> {
        self.alter_column(table, column, &|known| {
            known.options.retain(|(name, _)| !name.eq_ignore_ascii_case(option));
            if !value.eq_ignore_ascii_case("default") && value != "-1" {
                known.options.push((option.to_lowercase(), value.to_lowercase()));
                known.options.sort();
            }
        })
    }
}

/// Whether an index has to do with a column: as a key, included, in an expression or in its condition.
pub(super) fn index_uses(dialect: tollgate_sql::Dialect, index: &Index, table: &str, column: &str) -> bool {
    let folding = crate::context::Folding(dialect);
    index
        .parts
        .iter()
        .any(|part| part.column.as_ref().is_some_and(|name| folding.same(name, column)))
        || folding.contains(&index.include, column)
        || index
            .parts
            .iter()
            .filter_map(|part| part.expression.as_ref())
            .chain(&index.predicate)
            .any(|text| mentions_column(dialect, text, table, column))
}
