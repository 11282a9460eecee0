//! ALTER TABLE and what else alters one relation, clause by clause.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{AddColumn, DataType, ObjectKind, Operation, Volatility};

use super::LockMode as L;
use super::footprint::{Clause, Footprint, Work};
use crate::base::BaseError;
use crate::model::{Column, ConstraintRule, Relation, TypeKind};

impl Footprint<'_> {
    /// Whether the operation is one of these.
    pub(super) fn alter(&mut self, operation: &Operation) -> Result<bool, BaseError> {
        use Operation as O;
        match operation {
            O::AddColumn(add) => self.add_column(add)?,
            O::DropColumn {
                table, column, cascade, ..
            } => self.drop_column(table, column, *cascade)?,
            O::AlterColumnType {
                table,
                column,
                to,
                using,
                collation,
            } => self.change_type(table, column, to, using.as_ref(), collation.as_ref())?,
            O::SetNotNull { table, column } => {
                let work = self.work_of_not_null(table, column)?;
                self.clause(table, Clause::recursing(L::AccessExclusive).with(work))?;
            }
            O::DropNotNull { table, .. }
            | O::SetDefault { table, .. }
            | O::DropDefault { table, .. }
            | O::DropExpression { table, .. }
            | O::RenameColumn { table, .. }
            | O::RenameConstraint { table, .. } => self.clause(table, Clause::recursing(L::AccessExclusive))?,
            O::SetExpression { table, column, .. } => {
                let stored = self.column(table, column)?.and_then(|column| column.generated);
                let work = if stored.is_none_or(|(_, stored)| stored) {
                    Work::Rewrite
                } else {
                    Work::None
                };
                self.clause(table, Clause::recursing(L::AccessExclusive).with(work))?;
            }
            O::AddIdentity { table, .. } => self.clause(table, self.identity_clause())?,
            O::AlterIdentity { table, column, .. } => {
                self.clause(table, self.identity_clause())?;
                self.sequence_of(table, column, L::ShareRowExclusive)?;
            }
            O::DropIdentity { table, column, .. } => {
                self.clause(table, self.identity_clause())?;
                self.sequence_of(table, column, L::AccessExclusive)?;
            }
            O::SetColumnOption { table, option, .. } => self.clause(table, column_option(option))?,
            O::AddConstraint { table, constraint } => self.add_constraint(table, constraint)?,
            O::DropConstraint {
                table, name, cascade, ..
            } => self.drop_constraint(table, name, *cascade)?,
            O::ValidateConstraint { table, name } => self.validate_constraint(table, name)?,
            O::AlterConstraint { table, .. } => self.clause(table, Clause::new(L::AccessExclusive))?,
            O::RowSecurity { table, .. } | O::ForceRowSecurity { table, .. } | O::ReplicaIdentity { table, .. } => {
                self.clause(table, Clause::new(L::AccessExclusive))?;
            }
            O::EnableTrigger { table, .. } => self.clause(table, Clause::recursing(L::ShareRowExclusive))?,
            _ => return self.alter_storage(operation),
        }
        Ok(true)
    }

    /// Since 17 partitions have their table's identity columns.
    fn identity_clause(&self) -> Clause {
        Clause {
            recurses: self.at_least(17),
            ..Clause::new(L::AccessExclusive)
        }
    }

    /// Where and how the rows are kept, and who owns them.
    fn alter_storage(&mut self, operation: &Operation) -> Result<bool, BaseError> {
        use Operation as O;
        match operation {
            O::SetLogged { table, logged } => {
                let same = self
                    .relation(table)?
                    .is_some_and(|relation| relation.unlogged != *logged);
                let work = if same { Work::None } else { Work::Rewrite };
                self.clause(table, Clause::new(L::AccessExclusive).with(work))?;
                // Since 15 the sequences of its columns change with it.
                if !self.older_than(15) && !same {
                    self.sequences_of(table, L::AccessExclusive)?;
                }
            }
            O::SetAccessMethod { table, method } => {
                let current = self.relation(table)?.map(|relation| relation.access_method.clone());
                let same = current.is_some_and(|current| current.as_deref().unwrap_or("heap") == method);
                let work = if same { Work::None } else { Work::Rewrite };
                self.clause(table, Clause::new(L::AccessExclusive).with(work))?;
            }
            O::SetTablespace { kind, name, tablespace } => {
                let same = self
                    .tablespace_of(*kind, name)?
                    .is_some_and(|current| current == *tablespace);
                let work = if same { Work::None } else { Work::Rewrite };
                let clause = Clause::new(L::AccessExclusive).with(work);
                self.alter_kind(*kind, name, clause)?;
            }
            O::SetStorageParameters { kind, name, parameters } => {
                let gentle = parameters.iter().all(|(name, _)| is_gentle(name));
                let mode = if gentle {
                    L::ShareUpdateExclusive
                } else {
                    L::AccessExclusive
                };
                self.alter_kind(*kind, name, Clause::new(mode))?;
            }
            O::SetOwner { kind, name, .. } | O::SetSchema { kind, name, .. } => {
                self.alter_kind(*kind, name, Clause::new(L::AccessExclusive))?;
                if *kind == ObjectKind::Table {
                    self.sequences_of(name, L::AccessExclusive)?;
                }
            }
            O::Rename { kind, from, on, .. } => self.rename(*kind, from, on.as_ref())?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Where an index or a table lies, by the usual name of the default place.
    fn tablespace_of(&self, kind: ObjectKind, name: &ObjectName) -> Result<Option<String>, BaseError> {
        let table = match kind {
            ObjectKind::Index => self.schema.index_owner(name)?,
            _ => Some(name.clone()),
        };
        let relation = match table {
            Some(table) => self.relation(&table)?,
            None => None,
        };
        let place = relation.and_then(|relation| {
            if kind == ObjectKind::Index {
                let index = relation.indexes.iter().find(|index| index.name == name.name);
                index.map(|index| index.tablespace.clone())
            } else {
                Some(relation.tablespace.clone())
            }
        });
        Ok(place.map(|place| place.unwrap_or_else(|| "pg_default".to_owned())))
    }

    /// A clause for an object that may be a relation, an index or a sequence; others are not locked as tables are.
    fn alter_kind(&mut self, kind: ObjectKind, name: &ObjectName, clause: Clause) -> Result<(), BaseError> {
        match kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable => {
                self.clause(name, clause)
            }
            ObjectKind::Index => {
                let index = self.index_name(name)?;
                self.lock_as(ObjectKind::Index, &index, clause.mode, clause.work);
                Ok(())
            }
            ObjectKind::Sequence => {
                let sequence = self.schema.find(ObjectKind::Sequence, name)?;
                self.lock_as(ObjectKind::Sequence, &sequence, clause.mode, Work::None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn rename(&mut self, kind: ObjectKind, from: &ObjectName, on: Option<&ObjectName>) -> Result<(), BaseError> {
        if let Some(table) = on {
            let reaches_partitions = kind == ObjectKind::Trigger && !self.older_than(15);
            let clause = Clause {
                recurses: reaches_partitions,
                ..Clause::new(L::AccessExclusive)
            };
            return self.clause(table, clause);
        }
        let mode = if kind == ObjectKind::Index && !self.older_than(12) {
            L::ShareUpdateExclusive
        } else {
            L::AccessExclusive
        };
        self.alter_kind(kind, from, Clause::new(mode))
    }

    fn add_column(&mut self, add: &AddColumn) -> Result<(), BaseError> {
        let known = self.column(&add.table, &add.column.name)?.is_some();
        let mut work = Work::None;
        if !(known && add.if_not_exists) {
            work = self.work_of_new_column(add)?;
            for constraint in &add.constraints {
                // Without a default the new column is null everywhere, and the server knows that a foreign key holds.
                let trusted = add.column.default.is_none();
                work = work.max(self.work_of_constraint(&add.table, constraint, trusted)?);
                self.other_side(constraint)?;
            }
        }
        self.clause(&add.table, Clause::recursing(L::AccessExclusive).with(work))
    }

    /// Since 11 a default that is the same for every row is kept in the catalog.
    fn work_of_new_column(&self, add: &AddColumn) -> Result<Work, BaseError> {
        let column = &add.column;
        let varies = |volatility| matches!(volatility, Volatility::Volatile | Volatility::Unknown);
        let stored = column.generated.as_ref().is_some_and(|generated| generated.stored);
        let default_varies = column
            .default
            .as_ref()
            .is_some_and(|default| varies(default.volatility));
        if stored || column.serial || column.identity.is_some() || default_varies {
            return Ok(Work::Rewrite);
        }
        if self.has_constraints(&column.data_type)? {
            return Ok(Work::Rewrite);
        }
        // Without a default it fails, unless there is no row.
        let unfilled = column.not_null && column.default.is_none();
        Ok(if unfilled { Work::Scan } else { Work::None })
    }

    /// Whether a type is a domain that not every value fits in, or is based on one.
    pub(super) fn has_constraints(&self, data_type: &DataType) -> Result<bool, BaseError> {
        let mut data_type = data_type.clone();
        // A domain cannot be based on itself; the bound is for what was read of a broken catalog.
        for _ in 0..32 {
            let name = ObjectName {
                schema: data_type.schema.clone(),
                name: data_type.name.clone(),
            };
            let Some(found) = self.schema.user_type(&name)? else {
                return Ok(false);
            };
            match &found.kind {
                TypeKind::Domain {
                    not_null, checks, base, ..
                } => {
                    if *not_null || !checks.is_empty() {
                        return Ok(true);
                    }
                    data_type = base.clone();
                }
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Foreign keys from a column go with it, and take their lock on the other table, too.
    pub(super) fn lock_referenced_by(&mut self, relation: &Relation, column: &str) -> Result<(), BaseError> {
        for constraint in &relation.constraints {
            if let ConstraintRule::ForeignKey {
                columns, references, ..
            } = &constraint.rule
                && columns.iter().any(|key| key == column)
            {
                self.lock(references, L::AccessExclusive, Work::None)?;
            }
        }
        Ok(())
    }

    fn drop_column(&mut self, table: &ObjectName, column: &str, cascade: bool) -> Result<(), BaseError> {
        self.clause(table, Clause::recursing(L::AccessExclusive))?;
        let Some(relation) = self.relation(table)? else {
            return Ok(());
        };
        self.lock_referenced_by(&relation, column)?;
        self.sequence_of(table, column, L::AccessExclusive)?;
        if cascade {
            let mut dependents = self.schema.dependents(ObjectKind::Table, &relation.name)?;
            dependents.retain(|dependent| dependent.column.as_deref() == Some(column));
            self.drop_dependents(dependents)?;
        }
        Ok(())
    }

    /// SET NOT NULL looks at every row, unless the column is known to have no nulls already.
    fn work_of_not_null(&self, table: &ObjectName, column: &str) -> Result<Work, BaseError> {
        let Some(relation) = self.relation(table)? else {
            return Ok(Work::Scan);
        };
        let known = relation
            .columns
            .iter()
            .any(|known| known.name == column && known.not_null);
        let proven = !self.older_than(12)
            && relation.constraints.iter().any(|constraint| match &constraint.rule {
                ConstraintRule::Check {
                    expression, no_inherit, ..
                } => constraint.validated && !no_inherit && super::constraint::excludes_null(expression, column),
                _ => false,
            });
        Ok(if known || proven { Work::None } else { Work::Scan })
    }

    /// A column of a table that the script names.
    pub(super) fn column(&self, table: &ObjectName, column: &str) -> Result<Option<Column>, BaseError> {
        let relation = self.relation(table)?;
        Ok(relation.and_then(|relation| relation.columns.iter().find(|known| known.name == column).cloned()))
    }

    fn sequence_of(&mut self, table: &ObjectName, column: &str, mode: L) -> Result<(), BaseError> {
        if let Some(sequence) = self.column(table, column)?.and_then(|column| column.sequence) {
            self.lock_as(ObjectKind::Sequence, &sequence, mode, Work::None);
        }
        Ok(())
    }

    /// The sequences that a table's columns own.
    pub(super) fn sequences_of(&mut self, table: &ObjectName, mode: L) -> Result<(), BaseError> {
        let Some(relation) = self.relation(table)? else {
            return Ok(());
        };
        for sequence in relation.columns.iter().filter_map(|column| column.sequence.as_ref()) {
            self.lock_as(ObjectKind::Sequence, sequence, mode, Work::None);
        }
        Ok(())
    }

    /// The name of an index with its schema.
    pub(super) fn index_name(&self, name: &ObjectName) -> Result<ObjectName, BaseError> {
        let owner = self.schema.index_owner(name)?;
        Ok(match owner {
            Some(owner) => ObjectName {
                schema: owner.schema,
                name: name.name.clone(),
            },
            None => self.schema.find(ObjectKind::Index, name)?,
        })
    }
}

fn column_option(option: &str) -> Clause {
    match option {
        "statistics" => Clause::recursing(L::ShareUpdateExclusive),
        "storage" => Clause::recursing(L::AccessExclusive),
        "compression" => Clause::new(L::AccessExclusive),
        _ => Clause::new(L::ShareUpdateExclusive),
    }
}

/// Storage parameters that can change while others write.
fn is_gentle(parameter: &str) -> bool {
    const GENTLE: [&str; 10] = [
        "fillfactor",
        "toast_tuple_target",
        "parallel_workers",
        "log_autovacuum_min_duration",
        "vacuum_index_cleanup",
        "vacuum_truncate",
        "vacuum_max_eager_freeze_failure_rate",
        "deduplicate_items",
        "vacuum_cleanup_index_scale_factor",
        "oids",
    ];
    let parameter = parameter.strip_prefix("toast.").unwrap_or(parameter);
    parameter.starts_with("autovacuum_") || GENTLE.contains(&parameter)
}
