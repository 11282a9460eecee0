//! DROP, and what goes along.

use std::sync::Arc;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{Drop, ObjectKind};

use crate::base::BaseError;
use crate::class::Class;
use crate::model::{Column, ConstraintRule, Relation, TypeKind};
use crate::schema::Schema;
use crate::text::{mentions_object, mentions_regclass};

impl Schema {
    pub(super) fn apply_drop(&mut self, drop: &Drop) -> Result<(), BaseError> {
        match drop.kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable => {
                let name = self.find(ObjectKind::Table, &drop.name)?;
                if self.is_sqlite() {
                    self.drop_sqlite_relation(&name)
                } else {
                    self.drop_relation(&name)
                }
            }
            ObjectKind::Index => self.drop_index(&drop.name),
            ObjectKind::Sequence => {
                let name = self.find(ObjectKind::Sequence, &drop.name)?;
                self.drop_sequence(&name)
            }
            ObjectKind::Type | ObjectKind::Domain => {
                let name = self.find(ObjectKind::Type, &drop.name)?;
                self.drop_type(&name)
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => {
                self.drop_function(&drop.name, drop.arguments.as_deref())
            }
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => self.drop_member(drop),
            ObjectKind::Schema => self.drop_schema(&drop.name.name),
            ObjectKind::Extension => self.drop_extension(&drop.name.name),
            _ => Ok(()),
        }
    }

    /// A relation with all that cannot be without it: foreign keys of others, views, partitions, owned sequences.
    pub(super) fn drop_relation(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        if self.get(name)?.is_none() {
            return Ok(());
        }
        let dependents = self.dependents(ObjectKind::Table, name)?;
        let children = self.children(name)?;
        for sequence in self.owned_sequences(name, None, None)? {
            self.drop_sequence(&sequence)?;
        }
        for (table, foreign) in self.referencing(name)? {
            self.edit(&table, |relation| {
                relation.constraints.retain(|known| known.name != foreign.name);
            })?;
        }
        self.forget(name);
        for child in children {
            self.drop_relation(&child)?;
        }
        for dependent in dependents {
            match dependent.kind {
                ObjectKind::View | ObjectKind::MaterializedView if dependent.member.is_none() => {
                    self.drop_relation(&dependent.name)?;
                }
                ObjectKind::Policy => {
                    let member = dependent.member.unwrap_or_default();
                    self.edit(&dependent.name, |relation| {
                        relation.policies.retain(|policy| policy.name != member);
                    })?;
                }
                _ => {}
            }
        }
        // The row type goes too.
        self.drop_columns_of_type(name)?;
        self.drop_functions_of_type(name)
    }

    /// `SQLite` lets everything that names the table stay as it is.
    fn drop_sqlite_relation(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        if self.get(name)?.is_some() {
            self.forget(name);
        }
        Ok(())
    }

    fn drop_index(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        let Some(owner) = self.index_owner(name)? else {
            return Ok(());
        };
        let folding = self.folding();
        let Some(relation) = self.get(&owner)? else {
            return Ok(());
        };
        let dropped = relation
            .indexes
            .iter()
            .find(|index| folding.same(&index.name, &name.name))
            .cloned();
        // An index behind a constraint cannot be dropped.
        let Some(dropped) = dropped.filter(|index| index.constraint.is_none()) else {
            return Ok(());
        };
        if dropped.unique {
            let columns: Vec<_> = dropped.parts.iter().filter_map(|part| part.column.clone()).collect();
            self.drop_leaning(&relation, &columns, &dropped.name)?;
        }
        self.edit(&owner, |relation| {
            relation.indexes.retain(|index| index.name != dropped.name);
        })?;
        for child in self.children(&owner)? {
            let copy = self.get(&child)?.and_then(|child| {
                child
                    .indexes
                    .iter()
                    .find(|index| index.parts == dropped.parts && index.unique == dropped.unique)
                    .map(|i| i.name.clone())
            });
            self.edit(&child, |relation| {
                relation.indexes.retain(|index| Some(&index.name) != copy.as_ref());
            })?;
        }
        Ok(())
    }

    /// A sequence and the defaults that take from it.
    pub(super) fn drop_sequence(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        if self.sequence(name)?.is_none() {
            return Ok(());
        }
        for table in self.candidates(ObjectKind::Sequence, name)? {
            let Some(relation) = self.get(&table)? else { continue };
            let takes = |column: &Column| {
                column.sequence.as_ref() == Some(name)
                    || column
                        .default
                        .as_ref()
                        .is_some_and(|text| mentions_regclass(text, name))
            };
            if relation.columns.iter().any(takes) {
                self.edit(&table, |relation| {
                    for column in relation.columns.iter_mut().filter(|column| takes(column)) {
                        column.sequence = column.sequence.take().filter(|sequence| sequence != name);
                        column.default = column.default.take().filter(|text| !mentions_regclass(text, name));
                    }
                })?;
            }
        }
        self.forget_sequence(name);
        Ok(())
    }

    /// Sequences that a table owns, or one of its columns.
    pub(super) fn owned_sequences(
        &self,
        table: &ObjectName,
        column: Option<&str>,
        known: Option<&Column>,
    ) -> Result<Vec<ObjectName>, BaseError> {
        let relation = self.get(table)?;
        let columns = relation
            .iter()
            .flat_map(|relation| &relation.columns)
            .filter(|own| column.is_none_or(|column| own.name == column));
        let mut found: Vec<_> = columns
            .chain(known)
            .filter_map(|column| column.sequence.clone())
            .collect();
        for sequence in self.overlay.sequences.values().flatten() {
            let owned = sequence
                .owned_by
                .as_ref()
                .is_some_and(|(owner, of)| owner == table && column.is_none_or(|column| of == column));
            if owned {
                found.push(sequence.name.clone());
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// A type with the columns, domains and functions made of it.
    fn drop_type(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        if self.user_type(name)?.is_none() {
            return Ok(());
        }
        self.drop_columns_of_type(name)?;
        self.drop_functions_of_type(name)?;
        let made_of: Vec<_> = self
            .overlay
            .types
            .values()
            .flatten()
            .filter(|other| match &other.kind {
                TypeKind::Domain { base, .. } => self.is_type(base, name),
                TypeKind::Other { definition } => {
                    other.name != *name && mentions_object(self.dialect(), definition, name)
                }
                TypeKind::Enum { .. } | TypeKind::Composite { .. } => false,
            })
            .map(|other| other.name.clone())
            .collect();
        self.forget_type(name);
        for domain in made_of {
            self.drop_type(&domain)?;
        }
        Ok(())
    }

    fn drop_columns_of_type(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        for table in self.candidates(ObjectKind::Type, name)? {
            let Some(relation) = self.get(&table)? else { continue };
            let of_type: Vec<_> = relation
                .columns
                .iter()
                .filter(|column| self.is_type(&column.data_type, name))
                .map(|column| column.name.clone())
                .collect();
            for column in of_type {
                self.drop_column(&table, &column)?;
            }
            self.drop_texts_with(&relation, name)?;
        }
        Ok(())
    }

    /// Defaults that are cast to the type, and checks that name it, go with it. Only where a cast says so: any other
    /// word may be a column.
    fn drop_texts_with(&mut self, relation: &Relation, name: &ObjectName) -> Result<(), BaseError> {
        let dialect = self.dialect();
        let cast = |text: &String| crate::text::mentions_cast(dialect, text, name);
        let defaults = relation
            .columns
            .iter()
            .any(|column| column.default.as_ref().is_some_and(cast));
        let checks = relation
            .constraints
            .iter()
            .any(|c| matches!(&c.rule, ConstraintRule::Check { expression, .. } if cast(expression)));
        if !defaults && !checks {
            return Ok(());
        }
        self.edit(&relation.name, |relation| {
            for column in &mut relation.columns {
                column.default = column.default.take().filter(|text| !cast(text));
            }
            relation
                .constraints
                .retain(|c| !matches!(&c.rule, ConstraintRule::Check { expression, .. } if cast(expression)));
        })?;
        Ok(())
    }

    fn drop_functions_of_type(&mut self, name: &ObjectName) -> Result<(), BaseError> {
        let dialect = self.dialect();
        let uses = |function: &crate::model::Function| {
            function
                .arguments
                .iter()
                .chain(&function.returns)
                .any(|text| mentions_object(dialect, text, name))
        };
        let touched: Vec<_> = self
            .overlay
            .functions
            .iter()
            .filter(|(_, all)| all.iter().any(uses))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for function in touched {
            let mut overloads = self.functions(&function)?;
            overloads.retain(|function| !uses(function));
            self.put_functions(&function, overloads);
        }
        Ok(())
    }

    fn drop_function(&mut self, name: &ObjectName, arguments: Option<&[String]>) -> Result<(), BaseError> {
        let name = self.find(ObjectKind::Function, name)?;
        let mut overloads = self.functions(&name)?;
        let before = overloads.len();
        match arguments {
            Some(arguments) => {
                overloads.retain(|function| !super::routine::same_arguments(&function.arguments, arguments));
            }
            None if overloads.len() == 1 => overloads.clear(),
            // Which one is meant is not clear to the server either.
            None => {}
        }
        if overloads.len() == before {
            return Ok(());
        }
        let gone = overloads.is_empty();
        self.put_functions(&name, overloads);
        if !gone {
            return Ok(());
        }
        for dependent in self.dependents(ObjectKind::Function, &name)? {
            let member = dependent.member.unwrap_or_default();
            self.edit(&dependent.name, |relation| match dependent.kind {
                ObjectKind::Trigger => relation.triggers.retain(|trigger| trigger.name != member),
                ObjectKind::Policy => relation.policies.retain(|policy| policy.name != member),
                ObjectKind::Constraint => relation.constraints.retain(|constraint| constraint.name != member),
                ObjectKind::Index => relation.indexes.retain(|index| index.name != member),
                ObjectKind::Column => {
                    for column in relation.columns.iter_mut().filter(|column| column.name == member) {
                        column.default = None;
                    }
                }
                _ => {}
            })?;
        }
        Ok(())
    }

    /// A trigger, policy or rule. `SQLite` names a trigger without its table.
    fn drop_member(&mut self, drop: &Drop) -> Result<(), BaseError> {
        let folding = self.folding();
        let name = &drop.name.name;
        let tables = match &drop.on {
            Some(table) => vec![self.find(ObjectKind::Table, table)?],
            None => self.relations()?,
        };
        for table in tables {
            let Some(relation) = self.get(&table)? else { continue };
            let has = match drop.kind {
                ObjectKind::Trigger => relation
                    .triggers
                    .iter()
                    .any(|trigger| folding.same(&trigger.name, name)),
                ObjectKind::Policy => relation.policies.iter().any(|policy| policy.name == *name),
                _ => relation.rules.iter().any(|(rule, _)| rule == name),
            };
            if !has {
                continue;
            }
            let children = if drop.kind == ObjectKind::Trigger {
                self.children(&table)?
            } else {
                Vec::new()
            };
            for table in std::iter::once(table).chain(children) {
                self.edit(&table, |relation| match drop.kind {
                    ObjectKind::Trigger => relation.triggers.retain(|trigger| !folding.same(&trigger.name, name)),
                    ObjectKind::Policy => relation.policies.retain(|policy| policy.name != *name),
                    _ => relation.rules.retain(|(rule, _)| rule != name),
                })?;
            }
        }
        Ok(())
    }

    fn drop_schema(&mut self, schema: &str) -> Result<(), BaseError> {
        let inside = |name: &ObjectName| name.schema.as_deref() == Some(schema);
        for relation in self.relations()?.iter().filter(|name| inside(name)) {
            self.drop_relation(relation)?;
        }
        for sequence in self.sequence_names()?.iter().filter(|name| inside(name)) {
            self.drop_sequence(sequence)?;
        }
        for function in self.function_names()?.iter().filter(|name| inside(name)) {
            for overload in self.functions(function)? {
                self.drop_function(function, Some(&overload.arguments))?;
            }
        }
        for user_type in self.type_names()?.iter().filter(|name| inside(name)) {
            self.drop_type(user_type)?;
        }
        for (extension, _) in self.extensions()?.into_iter().filter(|(_, own)| own == schema) {
            self.drop_extension(&extension)?;
        }
        Arc::make_mut(&mut self.overlay.schemas).insert(schema.to_owned(), false);
        Ok(())
    }

    /// An extension takes its types, operator classes and functions along, and with CASCADE what is made of them.
    fn drop_extension(&mut self, name: &str) -> Result<(), BaseError> {
        if !self.has(Class::Extension, &ObjectName::bare(name))? {
            return Ok(());
        }
        Arc::make_mut(&mut self.overlay.extensions).insert(name.to_owned(), None);
        let Some(types) = super::object::extension_types(name) else {
            // What it brought is not known, so what goes with it is not either.
            self.overlay.incomplete = true;
            return Ok(());
        };
        for table in self.relations()? {
            let Some(relation) = self.get(&table)? else { continue };
            for column in relation
                .columns
                .iter()
                .filter(|column| types.contains(&column.data_type.name.as_str()))
            {
                self.drop_column(&table, &column.name)?;
            }
            let class = |class: &str| match name {
                "pg_trgm" => class.ends_with("_trgm_ops"),
                _ => false,
            };
            let leans = |index: &crate::model::Index| {
                index
                    .parts
                    .iter()
                    .any(|part| part.operator_class.as_deref().is_some_and(class))
            };
            if relation.indexes.iter().any(leans) {
                self.edit(&table, |relation| relation.indexes.retain(|index| !leans(index)))?;
            }
        }
        Ok(())
    }
}
