//! Keys, foreign keys, checks and exclusions.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::{ConstraintDefinition, ConstraintKind, ObjectKind};

use crate::base::BaseError;
use crate::model::{Constraint, ConstraintRule, Index, Relation, RelationKind};
use crate::names;
use crate::schema::Schema;
use crate::text::bare;

impl Schema {
    pub(super) fn add_constraint(
        &mut self,
        table: &ObjectName,
        definition: &ConstraintDefinition,
    ) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let (before, kind) = (relation.constraints.clone(), relation.kind);
        drop(relation);
        self.declare_constraint(&table, definition)?;
        let Some(after) = self.get(&table)? else { return Ok(()) };
        let new = |constraint: &&Constraint| !before.iter().any(|known| known.name == constraint.name);
        let Some(added) = after.constraints.iter().find(new).cloned() else {
            return Ok(());
        };
        let check = matches!(&added.rule, ConstraintRule::Check { no_inherit: false, .. });
        let everywhere = kind == RelationKind::PartitionedTable;
        drop(after);
        if check || everywhere {
            for child in self.children(&table)? {
                if check {
                    self.inherit_columns(&child, &table)?;
                }
                if everywhere {
                    self.inherit_keys(&child, &table)?;
                }
            }
        }
        Ok(())
    }

    /// Adds a constraint, with the index and the NOT NULL it implies, to a relation that exists.
    pub(super) fn declare_constraint(
        &mut self,
        table: &ObjectName,
        definition: &ConstraintDefinition,
    ) -> Result<(), BaseError> {
        let Some(relation) = self.get(table)? else {
            return Ok(());
        };
        if let ConstraintKind::NotNull { column } = &definition.kind {
            return self.set_not_null(table, column, true);
        }
        let Some(rule) = self.rule(&relation, definition)? else {
            return Ok(());
        };
        if self.is_sqlite() {
            return self.declare_sqlite(table, definition, rule);
        }
        if self.is_mysql() {
            return self.declare_mysql(table, definition, rule);
        }
        let name = match (&definition.name, &definition.kind) {
            (Some(name), _) => name.clone(),
            (
                None,
                ConstraintKind::PrimaryKey {
                    using_index: Some(index),
                    ..
                }
                | ConstraintKind::Unique {
                    using_index: Some(index),
                    ..
                },
            ) => index.clone(),
            _ => self.constraint_name(&relation, &rule, None)?,
        };
        if relation.constraints.iter().any(|known| known.name == name) {
            return Ok(());
        }
        let index = self.key_index(&relation, definition, &rule, &name);
        let constraint = Constraint {
            name: name.clone(),
            rule: rule.clone(),
            deferrable: definition.deferrable,
            initially_deferred: definition.initially_deferred,
            validated: !definition.not_valid,
            comment: None,
        };
        // What somebody else still holds would be copied.
        drop(relation);
        self.edit(table, |relation| {
            if let ConstraintRule::PrimaryKey { columns, .. } = &rule {
                for column in relation
                    .columns
                    .iter_mut()
                    .filter(|column| columns.contains(&column.name))
                {
                    column.not_null = true;
                }
            }
            match index {
                KeyIndex::New(index) => relation.indexes.push(*index),
                KeyIndex::Existing(existing) => {
                    for index in relation.indexes.iter_mut().filter(|index| index.name == existing) {
                        name.clone_into(&mut index.name);
                        index.constraint = Some(name.clone());
                        index.primary = matches!(rule, ConstraintRule::PrimaryKey { .. });
                        index.definition = None;
                    }
                }
                KeyIndex::None => {}
            }
            relation.constraints.push(constraint);
        })?;
        Ok(())
    }

    /// The model's form of what a constraint demands; `None` when USING INDEX names no index.
    fn rule(
        &self,
        relation: &Relation,
        definition: &ConstraintDefinition,
    ) -> Result<Option<ConstraintRule>, BaseError> {
        Ok(Some(match &definition.kind {
            ConstraintKind::PrimaryKey {
                columns,
                include,
                using_index,
            } => {
                let Some((columns, include, _)) = key_columns(relation, columns, include, using_index.as_deref())
                else {
                    return Ok(None);
                };
                ConstraintRule::PrimaryKey { columns, include }
            }
            ConstraintKind::Unique {
                columns,
                include,
                nulls_not_distinct,
                using_index,
            } => {
                let Some((columns, include, distinct)) =
                    key_columns(relation, columns, include, using_index.as_deref())
                else {
                    return Ok(None);
                };
                ConstraintRule::Unique {
                    columns,
                    include,
                    nulls_not_distinct: *nulls_not_distinct || distinct,
                }
            }
            ConstraintKind::ForeignKey {
                columns,
                references,
                referenced_columns,
                on_update,
                on_delete,
                on_delete_columns,
                match_full,
            } => {
                let references = self.find(ObjectKind::Table, references)?;
                let referenced_columns = if referenced_columns.is_empty() && !self.is_sqlite() {
                    self.get(&references)?
                        .and_then(|found| primary_key(&found))
                        .unwrap_or_default()
                } else {
                    referenced_columns.clone()
                };
                ConstraintRule::ForeignKey {
                    columns: columns.clone(),
                    references,
                    referenced_columns,
                    on_update: *on_update,
                    on_delete: *on_delete,
                    on_delete_columns: on_delete_columns.clone(),
                    match_full: *match_full,
                }
            }
            ConstraintKind::Check { expression } => ConstraintRule::Check {
                expression: bare(&expression.text).to_owned(),
                columns: expression.columns.clone(),
                no_inherit: definition.no_inherit,
            },
            ConstraintKind::Exclude { columns, definition } => ConstraintRule::Exclude {
                definition: definition.clone(),
                columns: columns.clone(),
            },
            ConstraintKind::NotNull { .. } => return Ok(None),
        }))
    }

    /// The name PostgreSQL makes for a constraint of `relation` that the script leaves unnamed. `except` is a
    /// constraint's own present name.
    pub(super) fn constraint_name(
        &self,
        relation: &Relation,
        rule: &ConstraintRule,
        except: Option<&str>,
    ) -> Result<String, BaseError> {
        let table = &relation.name.name;
        let schema = &relation.name.schema;
        let columns = names::addition(rule.columns().iter().map(String::as_str));
        let indexed = |name: &str| -> Result<bool, BaseError> {
            let object = ObjectName {
                schema: schema.clone(),
                name: name.to_owned(),
            };
            Ok(except != Some(name) && (self.taken(&object)? || self.constraint_taken(relation, name)))
        };
        let named = |name: &str| -> Result<bool, BaseError> {
            Ok(except != Some(name) && self.constraint_taken(relation, name))
        };
        match rule {
            ConstraintRule::PrimaryKey { .. } => names::choose(table, None, "pkey", indexed),
            ConstraintRule::Unique { columns, include, .. } => {
                let all = names::addition(columns.iter().chain(include).map(String::as_str));
                names::choose(table, Some(&all), "key", indexed)
            }
            ConstraintRule::Exclude { definition, columns } => {
                let all = names::addition(
                    super::exclude::exclude_columns(definition, columns)
                        .iter()
                        .map(String::as_str),
                );
                names::choose(table, Some(&all), "excl", indexed)
            }
            ConstraintRule::ForeignKey { .. } => names::choose(table, Some(&columns), "fkey", named),
            ConstraintRule::Check { columns, .. } => {
                let only = match columns.as_slice() {
                    [column] => Some(column.as_str()),
                    _ => None,
                };
                names::choose(table, only, "check", named)
            }
        }
    }

    /// Whether a constraint of this name is known in the relation's schema.
    fn constraint_taken(&self, relation: &Relation, name: &str) -> bool {
        let has = |other: &Relation| {
            other.name.schema == relation.name.schema && other.constraints.iter().any(|known| known.name == name)
        };
        has(relation) || self.with_member(name).any(|other| has(other))
    }

    fn key_index(
        &self,
        relation: &Relation,
        definition: &ConstraintDefinition,
        rule: &ConstraintRule,
        name: &str,
    ) -> KeyIndex {
        let using = match &definition.kind {
            ConstraintKind::PrimaryKey { using_index, .. } | ConstraintKind::Unique { using_index, .. } => {
                using_index.clone()
            }
            _ => None,
        };
        if let Some(existing) = using {
            return KeyIndex::Existing(existing);
        }
        match rule {
            ConstraintRule::PrimaryKey { columns, include } | ConstraintRule::Unique { columns, include, .. } => {
                let mut index = Index::on_columns(name, columns);
                index.include.clone_from(include);
                index.unique = true;
                index.primary = matches!(rule, ConstraintRule::PrimaryKey { .. });
                index.constraint = Some(name.to_owned());
                index.nulls_not_distinct = matches!(
                    rule,
                    ConstraintRule::Unique {
                        nulls_not_distinct: true,
                        ..
                    }
                );
                KeyIndex::New(Box::new(index))
            }
            ConstraintRule::Exclude { definition, columns } => KeyIndex::New(Box::new(super::exclude::exclude_index(
                self, relation, name, definition, columns,
            ))),
            _ => KeyIndex::None,
        }
    }

    pub(super) fn drop_constraint(&mut self, table: &ObjectName, name: &str) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let Some(constraint) = relation.constraints.iter().find(|known| known.name == name).cloned() else {
            return self.drop_not_null_constraint(&relation, name);
        };
        // Foreign keys lean on the key they point at and go with it (CASCADE).
        if let ConstraintRule::PrimaryKey { columns, .. } | ConstraintRule::Unique { columns, .. } = &constraint.rule {
            self.drop_leaning(&relation, columns, name)?;
        }
        self.edit(&table, |relation| {
            relation.constraints.retain(|known| known.name != name);
            relation
                .indexes
                .retain(|index| index.constraint.as_deref() != Some(name));
        })?;
        let inherited =
            relation.kind == RelationKind::PartitionedTable || matches!(constraint.rule, ConstraintRule::Check { .. });
        if inherited {
            for child in self.children(&table)? {
                let copies = self.get(&child)?.and_then(|child| {
                    child
                        .constraints
                        .iter()
                        .find(|known| known.name == name || known.rule == constraint.rule)
                        .map(|c| c.name.clone())
                });
                if let Some(copy) = copies {
                    self.drop_constraint(&child, &copy)?;
                }
            }
        }
        Ok(())
    }

    /// PostgreSQL 18 keeps NOT NULL as a constraint; only its made-up name can be told from here.
    fn drop_not_null_constraint(&mut self, relation: &Relation, name: &str) -> Result<(), BaseError> {
        if self.context().older_than(18) {
            return Ok(());
        }
        let named = |column: &str| names::object_name(&relation.name.name, Some(column), "not_null") == name;
        match relation.columns.iter().find(|column| named(&column.name)) {
            Some(column) => self.set_not_null(&relation.name, &column.name.clone(), false),
            None => Ok(()),
        }
    }

    /// Removes foreign keys that point at exactly these columns of `relation`, unless another key than `except` serves.
    pub(super) fn drop_leaning(
        &mut self,
        relation: &Relation,
        columns: &[String],
        except: &str,
    ) -> Result<(), BaseError> {
        let same =
            |other: &[String]| other.len() == columns.len() && other.iter().all(|column| columns.contains(column));
        let others = relation.indexes.iter().any(|index| {
            index.unique
                && index.name != except
                && index.predicate.is_none()
                && same(
                    &index
                        .parts
                        .iter()
                        .filter_map(|part| part.column.clone())
                        .collect::<Vec<_>>(),
                )
        });
        if others || self.is_sqlite() {
            return Ok(());
        }
        for (table, foreign) in self.referencing(&relation.name)? {
            if matches!(&foreign.rule, ConstraintRule::ForeignKey { referenced_columns, .. } if same(referenced_columns))
            {
                self.edit(&table, |relation| {
                    relation.constraints.retain(|known| known.name != foreign.name);
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn validate_constraint(&mut self, table: &ObjectName, name: &str) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        for table in std::iter::once(table.clone()).chain(self.children(&table)?) {
            self.edit(&table, |relation| {
                for constraint in relation.constraints.iter_mut().filter(|known| known.name == name) {
                    constraint.validated = true;
                }
            })?;
        }
        Ok(())
    }

    pub(super) fn alter_constraint(
        &mut self,
        table: &ObjectName,
        name: &str,
        deferrable: bool,
        deferred: bool,
    ) -> Result<(), BaseError> {
        self.alter(table, |relation| {
            for constraint in relation.constraints.iter_mut().filter(|known| known.name == name) {
                constraint.deferrable = deferrable || deferred;
                constraint.initially_deferred = deferred;
            }
        })
    }

    pub(super) fn rename_constraint(&mut self, table: &ObjectName, from: &str, to: &str) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let check = relation
            .constraints
            .iter()
            .any(|known| known.name == from && matches!(known.rule, ConstraintRule::Check { .. }));
        let children = if check { self.children(&table)? } else { Vec::new() };
        for table in std::iter::once(table).chain(children) {
            self.edit(&table, |relation| rename_constraint(relation, from, to))?;
        }
        Ok(())
    }
}

/// Renames a constraint and the index behind it.
pub(super) fn rename_constraint(relation: &mut Relation, from: &str, to: &str) {
    for constraint in relation.constraints.iter_mut().filter(|known| known.name == from) {
        to.clone_into(&mut constraint.name);
    }
    for index in relation
        .indexes
        .iter_mut()
        .filter(|index| index.constraint.as_deref() == Some(from))
    {
        if relation.replica_identity == format!("index:{}", index.name) {
            relation.replica_identity = format!("index:{to}");
        }
        to.clone_into(&mut index.name);
        index.constraint = Some(to.to_owned());
        index.definition = None;
    }
}

/// Where the index behind a key comes from.
enum KeyIndex {
    New(Box<Index>),
    Existing(String),
    None,
}

/// Columns, INCLUDE columns and NULLS NOT DISTINCT of a key, from the index it uses where it uses one.
fn key_columns(
    relation: &Relation,
    columns: &[String],
    include: &[String],
    using: Option<&str>,
) -> Option<(Vec<String>, Vec<String>, bool)> {
    let Some(using) = using else {
        return Some((columns.to_vec(), include.to_vec(), false));
    };
    let index = relation.indexes.iter().find(|index| index.name == using)?;
    let columns = index.parts.iter().filter_map(|part| part.column.clone()).collect();
    Some((columns, index.include.clone(), index.nulls_not_distinct))
}

/// Columns of a relation's primary key.
pub(crate) fn primary_key(relation: &Relation) -> Option<Vec<String>> {
    relation
        .constraints
        .iter()
        .find_map(|constraint| match &constraint.rule {
            ConstraintRule::PrimaryKey { columns, .. } => Some(columns.clone()),
            _ => None,
        })
}
