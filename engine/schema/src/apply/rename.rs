//! RENAME TO, RENAME COLUMN and SET SCHEMA.

use std::sync::Arc;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::base::BaseError;
use crate::class::Class;
use crate::model::{ConstraintRule, Relation, RelationKind};
use crate::schema::{ColumnOrigin, Schema};
use crate::text;

impl Schema {
    pub(super) fn rename(
        &mut self,
        kind: ObjectKind,
        from: &ObjectName,
        on: Option<&ObjectName>,
        arguments: Option<&[String]>,
        to: &str,
    ) -> Result<(), BaseError> {
        match kind {
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
                let Some(table) = on else { return Ok(()) };
                self.alter(table, |relation| rename_member(relation, kind, &from.name, to))
            }
            ObjectKind::Constraint => match on {
                Some(table) => self.rename_constraint(table, &from.name, to),
                None => Ok(()),
            },
            ObjectKind::Column => match on {
                Some(table) => self.rename_column(table, &from.name, to),
                None => Ok(()),
            },
            ObjectKind::Schema => self.rename_schema(&from.name, to),
            _ => self.relocate(kind, from, arguments, &|found| ObjectName {
                schema: found.schema.clone(),
                name: to.to_owned(),
            }),
        }
    }

    pub(super) fn set_schema(
        &mut self,
        kind: ObjectKind,
        name: &ObjectName,
        arguments: Option<&[String]>,
        to: &str,
    ) -> Result<(), BaseError> {
        if kind == ObjectKind::Extension {
            if self.has(Class::Extension, name)? {
                Arc::make_mut(&mut self.overlay.extensions).insert(name.name.clone(), Some(to.to_owned()));
            }
            return Ok(());
        }
        self.relocate(kind, name, arguments, &|found| ObjectName::qualified(to, &found.name))
    }

    /// Moves whatever the name means. ALTER TABLE also takes views, indexes and sequences.
    fn relocate(
        &mut self,
        kind: ObjectKind,
        name: &ObjectName,
        arguments: Option<&[String]>,
        target: &dyn Fn(&ObjectName) -> ObjectName,
    ) -> Result<(), BaseError> {
        match Class::of(kind) {
            Class::Function => {
                let from = self.find(kind, name)?;
                self.move_function(&from, &target(&from), arguments)
            }
            Class::Type => {
                let from = self.find(kind, name)?;
                self.move_type(&from, &target(&from))
            }
            Class::Relation | Class::Index | Class::Sequence => {
                let relation = self.find(ObjectKind::Table, name)?;
                if self.get(&relation)?.is_some() {
                    return self.move_relation(&relation, &target(&relation));
                }
                let sequence = self.find(ObjectKind::Sequence, name)?;
                if self.sequence(&sequence)?.is_some() {
                    return self.move_sequence(&sequence, &target(&sequence));
                }
                match self.index_owner(name)? {
                    Some(owner) => self.rename_index(&owner, &name.name, &target(name).name),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn rename_index(&mut self, owner: &ObjectName, from: &str, to: &str) -> Result<(), BaseError> {
        if self.taken(&ObjectName {
            schema: owner.schema.clone(),
            name: to.to_owned(),
        })? {
            return Ok(());
        }
        self.edit(owner, |relation| {
            let constraint = relation
                .indexes
                .iter()
                .find(|index| index.name == from)
                .and_then(|index| index.constraint.clone());
            if let Some(constraint) = constraint {
                super::constraint::rename_constraint(relation, &constraint, to);
                return;
            }
            for index in relation.indexes.iter_mut().filter(|index| index.name == from) {
                to.clone_into(&mut index.name);
                index.definition = None;
            }
            if relation.replica_identity == format!("index:{from}") {
                relation.replica_identity = format!("index:{to}");
            }
        })?;
        Ok(())
    }

    pub(super) fn rename_column(&mut self, table: &ObjectName, from: &str, to: &str) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let folding = self.folding();
        let Some(relation) = self.get(&table)? else {
            return self.rename_attribute(&table, from, to);
        };
        let has = |name: &str| relation.columns.iter().any(|column| folding.same(&column.name, name));
        if !has(from) || (has(to) && !folding.same(from, to)) {
            return Ok(());
        }
        let candidates = self.candidates(ObjectKind::Table, &table)?;
        let dialect = self.dialect();
        self.edit(&table, |relation| rename_own_column(dialect, relation, from, to))?;
        let known = self.origin_mut(&table).columns.remove(from);
        let origin = known.unwrap_or_else(|| ColumnOrigin::Renamed(from.to_owned()));
        self.origin_mut(&table).columns.insert(to.to_owned(), origin);
        for name in candidates {
            self.follow_column(&name, &relation, from, to)?;
        }
        for sequence in self.overlay.sequences.values().flatten().cloned().collect::<Vec<_>>() {
            if sequence
                .owned_by
                .as_ref()
                .is_some_and(|(owner, column)| *owner == table && column == from)
            {
                let mut sequence = (*sequence).clone();
                sequence.owned_by = Some((table.clone(), to.to_owned()));
                self.put_sequence(sequence);
            }
        }
        for child in self.children(&table)? {
            self.rename_column(&child, from, to)?;
        }
        Ok(())
    }

    /// Foreign keys and views of `name` follow a column of `of` that has another name.
    fn follow_column(&mut self, name: &ObjectName, of: &Relation, from: &str, to: &str) -> Result<(), BaseError> {
        let Some(relation) = self.get(name)? else { return Ok(()) };
        let folding = self.folding();
        let dialect = self.dialect();
        let points = |rule: &ConstraintRule| {
            matches!(rule, ConstraintRule::ForeignKey { references, referenced_columns, .. }
                if folding.same_object(references, &of.name) && folding.contains(referenced_columns, from))
        };
        let reads = relation.reads.iter().any(|read| self.reads(read, &of.name));
        if !reads && !relation.constraints.iter().any(|constraint| points(&constraint.rule)) {
            return Ok(());
        }
        self.edit(name, |relation| {
            for constraint in relation
                .constraints
                .iter_mut()
                .filter(|constraint| points(&constraint.rule))
            {
                if let ConstraintRule::ForeignKey { referenced_columns, .. } = &mut constraint.rule {
                    folding.replace(referenced_columns, from, to);
                }
            }
            if reads && relation.kind != RelationKind::Table {
                // Behind an alias the column has another qualifier; without the grammar its text cannot be changed
                // safely. The view's own columns keep their names.
                let bare = relation.query.as_deref().is_some_and(|query| !query.contains('.'));
                let renamed = |text: &str| text::rename_column(dialect, text, &of.name.name, from, to);
                if bare {
                    super::relocate::replace(&mut relation.query, renamed);
                }
                relation.definition = None;
            }
        })?;
        Ok(())
    }

    fn rename_attribute(&mut self, name: &ObjectName, from: &str, to: &str) -> Result<(), BaseError> {
        let Some(user_type) = self.user_type(name)? else {
            return Ok(());
        };
        let mut changed = (*user_type).clone();
        if let crate::model::TypeKind::Composite { attributes } = &mut changed.kind {
            for (attribute, _) in attributes.iter_mut().filter(|(attribute, _)| attribute == from) {
                to.clone_into(attribute);
            }
        }
        self.put_type(changed);
        Ok(())
    }

    fn rename_schema(&mut self, from: &str, to: &str) -> Result<(), BaseError> {
        if !self.has(Class::Schema, &ObjectName::bare(from))? {
            return Ok(());
        }
        let inside = |name: &ObjectName| name.schema.as_deref() == Some(from);
        let moved = |name: &ObjectName| ObjectName::qualified(to, &name.name);
        Arc::make_mut(&mut self.overlay.schemas).insert(to.to_owned(), true);
        for name in self.relations()?.iter().filter(|name| inside(name)) {
            self.move_relation(name, &moved(name))?;
        }
        for name in self.sequence_names()?.iter().filter(|name| inside(name)) {
            self.move_sequence(name, &moved(name))?;
        }
        for name in self.type_names()?.iter().filter(|name| inside(name)) {
            self.move_type(name, &moved(name))?;
        }
        for name in self.function_names()?.iter().filter(|name| inside(name)) {
            self.move_function(name, &moved(name), None)?;
        }
        for (extension, schema) in self.extensions()? {
            if schema == from {
                Arc::make_mut(&mut self.overlay.extensions).insert(extension, Some(to.to_owned()));
            }
        }
        Arc::make_mut(&mut self.overlay.schemas).insert(from.to_owned(), false);
        Ok(())
    }
}

fn rename_member(relation: &mut Relation, kind: ObjectKind, from: &str, to: &str) {
    match kind {
        ObjectKind::Trigger => {
            for trigger in relation.triggers.iter_mut().filter(|trigger| trigger.name == from) {
                to.clone_into(&mut trigger.name);
                let (from, to) = (ObjectName::bare(from), ObjectName::bare(to));
                if let Some(definition) =
                    text::rename_object(tollgate_sql::Dialect::Postgres, &trigger.definition, &from, &to, false)
                {
                    trigger.definition = definition;
                }
            }
        }
        ObjectKind::Policy => {
            for policy in relation.policies.iter_mut().filter(|policy| policy.name == from) {
                to.clone_into(&mut policy.name);
            }
        }
        _ => {
            for (rule, _) in relation.rules.iter_mut().filter(|(rule, _)| rule == from) {
                to.clone_into(rule);
            }
        }
    }
}

/// Renames a column wherever its own table names it.
fn rename_own_column(dialect: tollgate_sql::Dialect, relation: &mut Relation, from: &str, to: &str) {
    let folding = crate::context::Folding(dialect);
    let table = relation.name.name.clone();
    for column in relation
        .columns
        .iter_mut()
        .filter(|column| folding.same(&column.name, from))
    {
        to.clone_into(&mut column.name);
    }
    for constraint in &mut relation.constraints {
        match &mut constraint.rule {
            ConstraintRule::PrimaryKey { columns, include } | ConstraintRule::Unique { columns, include, .. } => {
                folding.replace(columns, from, to);
                folding.replace(include, from, to);
            }
            ConstraintRule::ForeignKey {
                columns,
                on_delete_columns,
                ..
            } => {
                folding.replace(columns, from, to);
                folding.replace(on_delete_columns, from, to);
            }
            ConstraintRule::Check { columns, .. } | ConstraintRule::Exclude { columns, .. } => {
                folding.replace(columns, from, to);
            }
        }
    }
    for index in &mut relation.indexes {
        folding.replace(&mut index.include, from, to);
        for part in &mut index.parts {
            if part.column.as_ref().is_some_and(|column| folding.same(column, from)) {
                part.column = Some(to.to_owned());
            }
        }
    }
    super::relocate::stale(relation);
    if relation.kind == RelationKind::View || relation.kind == RelationKind::MaterializedView {
        // Renaming a view's column changes what it is called, not what the query reads.
        return;
    }
    let changed = |text: &str| text::rename_column(dialect, text, &table, from, to);
    super::relocate::rewrite_texts(relation, &changed);
}
