//! What one table takes from another: INHERITS, PARTITION OF, ATTACH PARTITION, LIKE.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{Identity, ObjectKind};

use crate::base::BaseError;
use crate::model::{Column, Constraint, ConstraintRule, Index, Relation, RelationKind};
use crate::schema::Schema;
use crate::words::Wanted;

impl Schema {
    /// Columns, not-null marks and checks of a parent.
    pub(super) fn inherit_columns(&mut self, child: &ObjectName, parent: &ObjectName) -> Result<(), BaseError> {
        let Some(parent) = self.get(parent)? else {
            return self.edit(child, |relation| relation.uncertain = true).map(|_| ());
        };
        self.edit(child, |relation| {
            for column in &parent.columns {
                let inherited = Column {
                    identity: None,
                    sequence: None,
                    comment: None,
                    grants: Vec::new(),
                    // A serial's default is inherited; an identity is not (before 17).
                    ..column.clone()
                };
                if !relation.columns.iter().any(|known| known.name == column.name) {
                    relation.columns.push(inherited);
                }
            }
            for constraint in &parent.constraints {
                let inherited = matches!(&constraint.rule, ConstraintRule::Check { no_inherit: false, .. });
                if inherited && !relation.constraints.iter().any(|known| known.name == constraint.name) {
                    relation.constraints.push(Constraint {
                        comment: None,
                        ..constraint.clone()
                    });
                }
            }
        })?;
        Ok(())
    }

    /// Keys, foreign keys and indexes of a partitioned parent, under names of the child's own.
    pub(super) fn inherit_keys(&mut self, child: &ObjectName, parent: &ObjectName) -> Result<(), BaseError> {
        let Some(parent) = self
            .get(parent)?
            .filter(|parent| parent.kind == RelationKind::PartitionedTable)
        else {
            return Ok(());
        };
        self.copy_keys(child, &parent)?;
        for partition in self.children(child)? {
            self.inherit_keys(&partition, child)?;
        }
        Ok(())
    }

    fn copy_keys(&mut self, child: &ObjectName, parent: &Relation) -> Result<(), BaseError> {
        for index in &parent.indexes {
            let constraint = parent
                .constraints
                .iter()
                .find(|constraint| index.constraint.as_ref() == Some(&constraint.name));
            self.copy_index(child, index, constraint, true)?;
        }
        for constraint in &parent.constraints {
            if !matches!(constraint.rule, ConstraintRule::ForeignKey { .. }) {
                continue;
            }
            let Some(relation) = self.get(child)? else {
                return Ok(());
            };
            if relation.constraints.iter().any(|known| known.rule == constraint.rule) {
                continue;
            }
            let mut copied = Constraint {
                comment: None,
                ..constraint.clone()
            };
            if relation.constraints.iter().any(|known| known.name == copied.name) {
                copied.name = self.constraint_name(&relation, &copied.rule, None)?;
            }
            self.edit(child, |relation| relation.constraints.push(copied))?;
        }
        Ok(())
    }

    /// Copies an index (and the key it stands behind) to another table, under a name made for that table. With
    /// `attach` an equal index that is there already serves.
    fn copy_index(
        &mut self,
        table: &ObjectName,
        index: &Index,
        constraint: Option<&Constraint>,
        attach: bool,
    ) -> Result<(), BaseError> {
        let Some(relation) = self.get(table)? else {
            return Ok(());
        };
        let serves = |known: &&Index| {
            known.parts == index.parts
                && known.unique == index.unique
                && known.predicate == index.predicate
                && known.method == index.method
                && known.include == index.include
                && (constraint.is_none() || known.constraint.is_some())
        };
        if attach && relation.indexes.iter().any(|known| serves(&known)) {
            return Ok(());
        }
        let mut copied = Index {
            name: String::new(),
            constraint: None,
            comment: index.comment.clone().filter(|_| !attach),
            bytes: None,
            definition: None,
            ..index.clone()
        };
        copied.name = match constraint {
            Some(constraint) => self.constraint_name(&relation, &constraint.rule, None)?,
            None => self.index_name(&relation.name, &copied)?,
        };
        let key = constraint.map(|constraint| Constraint {
            name: copied.name.clone(),
            comment: None,
            ..constraint.clone()
        });
        copied.constraint = key.as_ref().map(|key| key.name.clone());
        self.edit(table, |relation| {
            relation.indexes.push(copied);
            relation.constraints.extend(key);
        })?;
        Ok(())
    }

    /// LIKE source INCLUDING options.
    pub(super) fn copy_like(
        &mut self,
        table: &ObjectName,
        source: &ObjectName,
        options: &[String],
    ) -> Result<(), BaseError> {
        let Some(source) = self.get(source)? else {
            return self.edit(table, |relation| relation.uncertain = true).map(|_| ());
        };
        let on = |option: &str| {
            options
                .iter()
                .any(|known| known.eq_ignore_ascii_case(option) || known.eq_ignore_ascii_case("all"))
        };
        for column in &source.columns {
            let identity = column.identity.filter(|_| on("identity"));
            let mut copied = Column {
                default: column.default.clone().filter(|_| on("defaults")),
                generated: column.generated.clone().filter(|_| on("generated")),
                identity,
                sequence: None,
                comment: column.comment.clone().filter(|_| on("comments")),
                grants: Vec::new(),
                options: if on("storage") || on("compression") {
                    column.options.clone()
                } else {
                    Vec::new()
                },
                ..column.clone()
            };
            if identity.is_some_and(|identity| identity != Identity::Autoincrement) {
                let options = match &column.sequence {
                    Some(sequence) => self
                        .sequence(sequence)?
                        .map(|sequence| sequence.options.clone())
                        .unwrap_or_default(),
                    None => Vec::new(),
                };
                copied.sequence =
                    Some(self.make_sequence(table, &column.name, &column.data_type.name, &options, true)?);
            }
            self.edit(table, |relation| relation.columns.push(copied))?;
        }
        if on("constraints") {
            let checks: Vec<_> = source
                .constraints
                .iter()
                .filter(|c| matches!(c.rule, ConstraintRule::Check { .. }))
                .cloned()
                .collect();
            self.edit(table, |relation| {
                relation.constraints.extend(checks.into_iter().map(|check| Constraint {
                    comment: check.comment.clone().filter(|_| on("comments")),
                    ..check
                }));
            })?;
        }
        if on("indexes") {
            for index in &source.indexes {
                let constraint = source
                    .constraints
                    .iter()
                    .find(|constraint| index.constraint.as_ref() == Some(&constraint.name));
                let copied = Index {
                    comment: index.comment.clone().filter(|_| on("comments")),
                    ..index.clone()
                };
                self.copy_index(table, &copied, constraint, false)?;
            }
        }
        Ok(())
    }

    pub(super) fn attach_partition(
        &mut self,
        table: &ObjectName,
        partition: &ObjectName,
        bound: &str,
    ) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let partition = self.find(ObjectKind::Table, partition)?;
        let Some(parent) = self.get(&table)? else { return Ok(()) };
        if self.descends_from(&table, &partition)? {
            return Ok(());
        }
        self.edit(&partition, |relation| {
            relation.partition_of = Some((table.clone(), bound.to_owned()));
            // A primary key of the parent makes its columns NOT NULL here too.
            for column in &mut relation.columns {
                let key = |constraint: &Constraint| matches!(&constraint.rule, ConstraintRule::PrimaryKey { columns, .. } if columns.contains(&column.name));
                column.not_null |= parent.constraints.iter().any(key);
            }
        })?;
        self.inherit_keys(&partition, &table)
    }

    pub(super) fn detach_partition(&mut self, partition: &ObjectName) -> Result<(), BaseError> {
        self.alter(partition, |relation| relation.partition_of = None)
    }

    pub(super) fn inherit(&mut self, table: &ObjectName, parent: &ObjectName, inherit: bool) -> Result<(), BaseError> {
        let parent = self.find(ObjectKind::Table, parent)?;
        let child = self.find(ObjectKind::Table, table)?;
        if inherit && self.descends_from(&parent, &child)? {
            return Ok(());
        }
        self.alter(table, |relation| {
            relation.inherits.retain(|known| *known != parent);
            if inherit {
                relation.inherits.push(parent);
            }
        })
    }

    /// The table is the other one or takes after it: the server refuses to make it the other's parent.
    fn descends_from(&self, table: &ObjectName, other: &ObjectName) -> Result<bool, BaseError> {
        let mut waiting = vec![table.clone()];
        let mut seen = Vec::new();
        while let Some(name) = waiting.pop() {
            if name == *other {
                return Ok(true);
            }
            if seen.contains(&name) {
                continue;
            }
            if let Some(relation) = self.get(&name)? {
                waiting.extend(relation.partition_of.iter().map(|(parent, _)| parent.clone()));
                waiting.extend(relation.inherits.iter().cloned());
            }
            seen.push(name);
        }
        Ok(false)
    }

    /// Partitions and inheriting tables of a relation.
    pub(crate) fn children(&self, parent: &ObjectName) -> Result<Vec<ObjectName>, BaseError> {
        if self.is_sqlite() {
            return Ok(Vec::new());
        }
        let is_child = |relation: &crate::model::Relation| {
            relation.partition_of.as_ref().is_some_and(|(of, _)| of == parent) || relation.inherits.contains(parent)
        };
        let here = self.overlay.children.then(|| self.overlay.naming(Wanted::new(parent)));
        let mut children: Vec<_> = here
            .into_iter()
            .flatten()
            .filter(|relation| is_child(relation))
            .map(|relation| relation.name.clone())
            .collect();
        if let Some(base) = self.base_name(parent)? {
            for dependent in self.base.dependents(ObjectKind::Table, &base)? {
                let table = dependent.member.is_none()
                    && matches!(dependent.kind, ObjectKind::Table | ObjectKind::ForeignTable);
                let Some(name) = self
                    .current_name(&dependent.name)
                    .filter(|name| table && !children.contains(name))
                else {
                    continue;
                };
                if self.get(&name)?.is_some_and(|relation| is_child(&relation)) {
                    children.push(name);
                }
            }
        }
        Ok(children)
    }
}
