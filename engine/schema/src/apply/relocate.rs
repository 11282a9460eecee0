//! Moving objects: a new name or another schema, and everything that has to follow.

use std::sync::Arc;

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::base::BaseError;
use crate::model::{ConstraintRule, Relation, TypeKind, UserType};
use crate::schema::{Origin, Schema};
use crate::text;

impl Schema {
    /// Gives a relation another name. Keys of others, views, sequences and children follow.
    pub(super) fn move_relation(&mut self, from: &ObjectName, to: &ObjectName) -> Result<(), BaseError> {
        let Some(relation) = self.get(from)? else { return Ok(()) };
        let folding = self.folding();
        let only_case = folding.same_object(from, to);
        if !only_case && self.taken(to)? {
            return Ok(());
        }
        let candidates = self.candidates(ObjectKind::Table, from)?;
        let sequences = if self.is_sqlite() {
            Vec::new()
        } else {
            self.owned_sequences(from, None, None)?
        };
        let key = self.key(from);
        let base = self.base_name(from)?;
        let origin = self.overlay.origins.get(&*key).cloned().unwrap_or_else(|| {
            Arc::new(Origin {
                base,
                ..Origin::default()
            })
        });
        let empty = self.overlay.empty.contains(&*key);
        self.forget(from);
        let mut moved = relation;
        Arc::make_mut(&mut moved).name = to.clone();
        stale(Arc::make_mut(&mut moved));
        if self.is_sqlite() {
            rename_automatic_indexes(Arc::make_mut(&mut moved), from, to);
        }
        let new_key = Arc::new(self.key(to).into_owned());
        self.keep(Arc::clone(&new_key), moved);
        Arc::make_mut(&mut self.overlay.origins).insert(Arc::clone(&new_key), origin);
        if empty {
            Arc::make_mut(&mut self.overlay.empty).insert(new_key);
        }
        for name in candidates
            .into_iter()
            .map(|name| if name == *from { to.clone() } else { name })
            .filter(|name| !self.overlay.legacy_alter || name == to)
            .collect::<Vec<_>>()
        {
            self.follow_relation(&name, from, to)?;
        }
        for name in sequences {
            let Some(sequence) = self.sequence(&name)? else {
                continue;
            };
            let mut sequence = (*sequence).clone();
            sequence.owned_by = sequence.owned_by.map(|(_, column)| (to.clone(), column));
            self.put_sequence(sequence);
            if from.schema != to.schema {
                self.move_sequence(
                    &name,
                    &ObjectName {
                        schema: to.schema.clone(),
                        name: name.name.clone(),
                    },
                )?;
            }
        }
        self.move_type_uses(from, to)
    }

    /// Changes what one relation says about another that moved.
    fn follow_relation(&mut self, name: &ObjectName, from: &ObjectName, to: &ObjectName) -> Result<(), BaseError> {
        let Some(relation) = self.get(name)? else { return Ok(()) };
        let folding = self.folding();
        let same = |other: &ObjectName| folding.same_object(other, from);
        let reads = relation.reads.iter().any(|read| self.reads(read, from));
        let dialect = self.dialect();
        let policy = |policy: &crate::model::PolicyModel| {
            policy
                .using
                .iter()
                .chain(&policy.check)
                .any(|text| text::mentions_object(dialect, text, from))
        };
        let touches = reads
            || relation.inherits.iter().any(same)
            || relation.partition_of.as_ref().is_some_and(|(parent, _)| same(parent))
            || relation
                .constraints
                .iter()
                .any(|c| matches!(&c.rule, ConstraintRule::ForeignKey { references, .. } if same(references)))
            || relation.policies.iter().any(policy)
            || (folding.same_object(name, to) && !relation.triggers.is_empty());
        if !touches {
            return Ok(());
        }
        let qualify = !self.visible(to);
        let read: Vec<_> = relation.reads.iter().map(|read| self.reads(read, from)).collect();
        let postgres = !self.is_sqlite();
        self.edit(name, |relation| {
            for constraint in &mut relation.constraints {
                if let ConstraintRule::ForeignKey { references, .. } = &mut constraint.rule
                    && same(references)
                {
                    *references = to.clone();
                }
            }
            for parent in relation.inherits.iter_mut().filter(|parent| same(parent)) {
                *parent = to.clone();
            }
            if let Some((parent, _)) = relation.partition_of.as_mut().filter(|(parent, _)| same(parent)) {
                *parent = to.clone();
            }
            for (read, _) in relation.reads.iter_mut().zip(&read).filter(|(_, follows)| **follows) {
                *read = to.clone();
            }
            let renamed = |text: &str| text::rename_object(dialect, text, from, to, qualify);
            if !postgres {
                relation.definition = None;
            }
            if reads {
                replace(&mut relation.query, renamed);
                // Whether every mention of the word is the table cannot be told without the grammar.
                relation.definition = if postgres {
                    relation.definition.take().map(|text| renamed(&text).unwrap_or(text))
                } else {
                    None
                };
            }
            for policy in &mut relation.policies {
                replace(&mut policy.using, renamed);
                replace(&mut policy.check, renamed);
            }
            if postgres && folding.same_object(&relation.name, to) {
                for trigger in &mut relation.triggers {
                    trigger.definition = renamed(&trigger.definition).unwrap_or_else(|| trigger.definition.clone());
                }
            }
        })?;
        Ok(())
    }

    /// Gives a sequence another name. Columns that take from it follow.
    pub(super) fn move_sequence(&mut self, from: &ObjectName, to: &ObjectName) -> Result<(), BaseError> {
        let Some(sequence) = self.sequence(from)? else {
            return Ok(());
        };
        if self.taken(to)? {
            return Ok(());
        }
        let candidates = self.candidates(ObjectKind::Sequence, from)?;
        let mut moved = (*sequence).clone();
        moved.name = to.clone();
        self.forget_sequence(from);
        self.put_sequence(moved);
        let qualify = !self.visible(to);
        for name in candidates {
            let Some(relation) = self.get(&name)? else { continue };
            let takes = |column: &crate::model::Column| {
                column.sequence.as_ref() == Some(from)
                    || column
                        .default
                        .as_ref()
                        .is_some_and(|text| text::mentions_regclass(text, from))
            };
            if !relation.columns.iter().any(takes) {
                continue;
            }
            self.edit(&name, |relation| {
                for column in relation.columns.iter_mut().filter(|column| takes(column)) {
                    if column.sequence.as_ref() == Some(from) {
                        column.sequence = Some(to.clone());
                    }
                    replace(&mut column.default, |text| {
                        text::rename_regclass(text, from, to, qualify)
                    });
                }
            })?;
        }
        Ok(())
    }

    /// Gives a type another name. Columns, domains, defaults and functions follow.
    pub(super) fn move_type(&mut self, from: &ObjectName, to: &ObjectName) -> Result<(), BaseError> {
        let Some(user_type) = self.user_type(from)? else {
            return Ok(());
        };
        if self.user_type(to)?.is_some() {
            return Ok(());
        }
        let mut moved = (*user_type).clone();
        moved.name = to.clone();
        self.forget_type(from);
        self.put_type(moved);
        self.move_type_uses(from, to)
    }

    fn move_type_uses(&mut self, from: &ObjectName, to: &ObjectName) -> Result<(), BaseError> {
        if self.is_sqlite() {
            return Ok(());
        }
        let qualify = !self.visible(to);
        for name in self.candidates(ObjectKind::Type, from)? {
            let Some(relation) = self.get(&name)? else { continue };
            let typed: Vec<_> = relation
                .columns
                .iter()
                .map(|column| self.is_type(&column.data_type, from))
                .collect();
            let dialect = self.dialect();
            if !typed.contains(&true) && !texts(&relation).any(|text| text::mentions_cast(dialect, text, from)) {
                continue;
            }
            self.edit(&name, |relation| {
                for (column, _) in relation.columns.iter_mut().zip(&typed).filter(|(_, typed)| **typed) {
                    column.data_type.name.clone_from(&to.name);
                    column.data_type.schema.clone_from(&to.schema);
                }
                rewrite_texts(relation, &|text| text::rename_cast(dialect, text, from, to, qualify));
            })?;
        }
        self.move_type_in_types(from, to)?;
        self.move_type_in_functions(from, to)
    }

    fn move_type_in_types(&mut self, from: &ObjectName, to: &ObjectName) -> Result<(), BaseError> {
        let made_of = |user_type: &UserType| match &user_type.kind {
            TypeKind::Domain { base, .. } => self.is_type(base, from),
            TypeKind::Composite { attributes } => attributes.iter().any(|(_, of)| self.is_type(of, from)),
            TypeKind::Enum { .. } | TypeKind::Other { .. } => false,
        };
        let mut users: Vec<_> = self.overlay.types.values().flatten().cloned().collect();
        for kind in [ObjectKind::Type, ObjectKind::Domain] {
            for name in self.base.names(kind)? {
                if !self.overlay.types.contains_key(&name) {
                    users.extend(self.user_type(&name)?);
                }
            }
        }
        users.retain(|user_type| made_of(user_type));
        for user in users {
            let mut changed = (*user).clone();
            let parts: Vec<_> = match &mut changed.kind {
                TypeKind::Domain { base, .. } => vec![base],
                TypeKind::Composite { attributes } => attributes.iter_mut().map(|(_, data_type)| data_type).collect(),
                TypeKind::Enum { .. } | TypeKind::Other { .. } => continue,
            };
            for data_type in parts {
                if self.is_type(data_type, from) {
                    data_type.name.clone_from(&to.name);
                    data_type.schema.clone_from(&to.schema);
                }
            }
            self.put_type(changed);
        }
        Ok(())
    }

    fn move_type_in_functions(&mut self, from: &ObjectName, to: &ObjectName) -> Result<(), BaseError> {
        let dialect = self.dialect();
        let mentions = |text: &String| text::mentions_object(dialect, text, from);
        let touched: Vec<_> = self
            .overlay
            .functions
            .iter()
            .filter(|(_, all)| {
                all.iter()
                    .any(|function| function.arguments.iter().chain(&function.returns).any(mentions))
            })
            .map(|(name, _)| Arc::clone(name))
            .collect();
        let qualify = !self.visible(to);
        for name in touched {
            let mut overloads = self.functions(&name)?;
            for text in overloads
                .iter_mut()
                .flat_map(|function| function.arguments.iter_mut().chain(&mut function.returns))
            {
                if let Some(renamed) = text::rename_object(dialect, text, from, to, qualify) {
                    *text = renamed;
                }
            }
            self.put_functions(&name, overloads);
        }
        Ok(())
    }

    /// Gives functions another name: all overloads, or the one with these arguments. Triggers follow.
    pub(super) fn move_function(
        &mut self,
        from: &ObjectName,
        to: &ObjectName,
        arguments: Option<&[String]>,
    ) -> Result<(), BaseError> {
        let (mut moved, kept): (Vec<_>, Vec<_>) = self.functions(from)?.into_iter().partition(|function| {
            arguments.is_none_or(|wanted| super::routine::same_arguments(&function.arguments, wanted))
        });
        if moved.is_empty() {
            return Ok(());
        }
        for function in &mut moved {
            function.name = to.clone();
            if let Some(renamed) =
                text::rename_object(self.dialect(), &function.definition, from, to, !self.visible(to))
            {
                function.definition = renamed;
            }
        }
        let callers = self.candidates(ObjectKind::Function, from)?;
        self.put_functions(from, kept);
        moved.extend(self.functions(to)?);
        self.put_functions(to, moved);
        for name in callers {
            let Some(relation) = self.get(&name)? else { continue };
            let calls = |function: &ObjectName| {
                function.name == from.name && (function.schema.is_none() || function.schema == from.schema)
            };
            if relation
                .triggers
                .iter()
                .any(|trigger| trigger.function.as_ref().is_some_and(calls))
            {
                let (dialect, qualify) = (self.dialect(), !self.visible(to));
                self.edit(&name, |relation| {
                    for trigger in relation
                        .triggers
                        .iter_mut()
                        .filter(|trigger| trigger.function.as_ref().is_some_and(calls))
                    {
                        trigger.function = Some(to.clone());
                        if let Some(renamed) = text::rename_object(dialect, &trigger.definition, from, to, qualify) {
                            trigger.definition = renamed;
                        }
                    }
                })?;
            }
        }
        Ok(())
    }
}

/// Statements kept as text name the table and its columns: they are not what the server has any more.
pub(super) fn stale(relation: &mut Relation) {
    relation.definition = None;
    for index in &mut relation.indexes {
        index.definition = None;
    }
}

/// `SQLite` names the indexes behind keys after their table, and keeps doing so.
fn rename_automatic_indexes(relation: &mut Relation, from: &ObjectName, to: &ObjectName) {
    let prefix = format!("sqlite_autoindex_{}_", from.name.to_ascii_lowercase());
    for index in &mut relation.indexes {
        if index.name.to_ascii_lowercase().starts_with(&prefix) {
            index.name = format!("sqlite_autoindex_{}_{}", to.name, &index.name[prefix.len()..]);
        }
    }
}

/// Replaces a text where `change` has another.
pub(super) fn replace(text: &mut Option<String>, change: impl Fn(&str) -> Option<String>) {
    if let Some(changed) = text.as_deref().and_then(change) {
        *text = Some(changed);
    }
}

/// Every expression that a relation keeps as text.
pub(crate) fn texts(relation: &Relation) -> impl Iterator<Item = &String> {
    let columns = relation.columns.iter().flat_map(|column| {
        column
            .default
            .iter()
            .chain(column.generated.as_ref().map(|(text, _)| text))
    });
    let checks = relation
        .constraints
        .iter()
        .filter_map(|constraint| match &constraint.rule {
            ConstraintRule::Check { expression, .. } => Some(expression),
            ConstraintRule::Exclude { definition, .. } => Some(definition),
            _ => None,
        });
    let indexes = relation.indexes.iter().flat_map(|index| {
        index
            .parts
            .iter()
            .filter_map(|part| part.expression.as_ref())
            .chain(&index.predicate)
    });
    let policies = relation
        .policies
        .iter()
        .flat_map(|policy| policy.using.iter().chain(&policy.check));
    columns
        .chain(checks)
        .chain(indexes)
        .chain(policies)
        .chain(&relation.query)
}

/// Changes every expression of a relation for which `change` has another text.
pub(super) fn rewrite_texts(relation: &mut Relation, change: &dyn Fn(&str) -> Option<String>) {
    for column in &mut relation.columns {
        replace(&mut column.default, change);
        if let Some((text, _)) = &mut column.generated
            && let Some(changed) = change(text)
        {
            *text = changed;
        }
    }
    for constraint in &mut relation.constraints {
        if let ConstraintRule::Check { expression: text, .. } | ConstraintRule::Exclude { definition: text, .. } =
            &mut constraint.rule
            && let Some(changed) = change(text)
        {
            *text = changed;
        }
    }
    for index in &mut relation.indexes {
        for part in &mut index.parts {
            replace(&mut part.expression, change);
        }
        replace(&mut index.predicate, change);
        index.definition = None;
    }
    for policy in &mut relation.policies {
        replace(&mut policy.using, change);
        replace(&mut policy.check, change);
    }
}
