//! `MySQL` and MariaDB: what they do in a way of their own.
//!
//! An index belongs to its table, so two tables may have one of the same name; a unique constraint is its index; a foreign
//! key makes an index where none serves; nothing goes along with a table or column that is dropped.

use tollgate_sql::operation::{
    ConstraintDefinition, ConstraintKind, CreateIndex, CreateTable, Drop, ObjectKind, Operation,
};
use tollgate_sql::{Dialect, ObjectName};

use crate::base::BaseError;
use crate::context::Folding;
use crate::model::{Constraint, ConstraintRule, Index, Relation};
use crate::schema::{ColumnOrigin, Schema};
use crate::text::mentions_column;

const FOLDING: Folding = Folding(Dialect::Mysql);

/// The name of every primary key and of its index.
const PRIMARY: &str = "PRIMARY";

/// Option of an index that a foreign key has made: one that serves as well takes its place without a word.
const OF_FOREIGN_KEY: &str = "of foreign key";

impl Schema {
    pub(crate) fn is_mysql(&self) -> bool {
        self.dialect() == Dialect::Mysql
    }

    /// Applies an operation that these servers understand in their own way; `false` where they do not.
    pub(super) fn apply_mysql(&mut self, operation: &Operation) -> Result<bool, BaseError> {
        use Operation as O;
        match operation {
            O::CreateTable(table) if !table.like.is_empty() => self.create_table_like(table)?,
            O::CreateIndex(index) => self.create_table_index(index)?,
            O::DropColumn { table, column, .. } => self.drop_plain_column(table, column)?,
            O::DropNotNull { table, column } => return self.is_in_primary_key(table, column),
            O::AddIdentity {
                table,
                column,
                identity,
                ..
            } => self.alter_column(table, column, &|known| {
                known.identity = Some(*identity);
                known.not_null = true;
            })?,
            O::DropIdentity { table, column, .. } => {
                self.alter_column(table, column, &|known| known.identity = None)?;
            }
            O::DropConstraint { table, name, .. } => {
                self.alter(table, |relation| drop_member(relation, name, false))?;
            }
            O::Drop(drop) => return self.drop_plainly(drop),
            O::Rename {
                kind: ObjectKind::Index,
                from,
                on: Some(table),
                to,
                ..
            } => self.alter(table, |relation| rename_index(relation, &from.name, to))?,
            O::Rename {
                kind: ObjectKind::Table,
                from,
                to,
                ..
            } => self.rename_plain_table(from, to)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Names that the server has made of the table's name follow it.
    fn rename_plain_table(&mut self, from: &ObjectName, to: &str) -> Result<(), BaseError> {
        self.rename(ObjectKind::Table, from, None, None, to)?;
        let renamed = ObjectName {
            schema: from.schema.clone(),
            name: to.to_owned(),
        };
        self.alter(&renamed, |relation| {
            for constraint in &mut relation.constraints {
                for kind in ["_ibfk_", "_chk_"] {
                    let number = constraint.name.strip_prefix(&format!("{}{kind}", from.name));
                    if let Some(number) = number.filter(|number| number.parse::<u32>().is_ok()) {
                        constraint.name = format!("{to}{kind}{number}");
                    }
                }
            }
        })
    }

    /// A database that holds nothing of that name, as far as the migrations say, is the one that names without a database
    /// mean: it has a name too, which only the connection tells.
    pub(crate) fn in_its_database(&self, name: &ObjectName) -> Result<ObjectName, BaseError> {
        let bare = ObjectName::bare(&name.name);
        let is_bare = self.get(name)?.is_none() && self.get(&bare)?.is_some();
        Ok(if is_bare { bare } else { name.clone() })
    }

    /// CREATE TABLE … LIKE: columns and indexes, but no foreign keys.
    fn create_table_like(&mut self, table: &CreateTable) -> Result<(), BaseError> {
        let plain = CreateTable {
            like: Vec::new(),
            ..table.clone()
        };
        self.create_table(&plain)?;
        let name = self.find(ObjectKind::Table, &table.name)?;
        for (source, _) in &table.like {
            let source = self.find(ObjectKind::Table, source)?;
            let Some(source) = self.get(&source)? else {
                self.edit(&name, |relation| relation.uncertain = true)?;
                continue;
            };
            self.edit(&name, |relation| {
                relation.columns.clone_from(&source.columns);
                relation.indexes = source
                    .indexes
                    .iter()
                    .map(|index| Index {
                        options: without_mark(&index.options),
                        ..index.clone()
                    })
                    .collect();
                let foreign = |constraint: &&Constraint| !matches!(constraint.rule, ConstraintRule::ForeignKey { .. });
                relation.constraints = source.constraints.iter().filter(foreign).cloned().collect();
            })?;
        }
        Ok(())
    }

    fn create_table_index(&mut self, create: &CreateIndex) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, &create.table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(());
        };
        let mut index = self.index_of(create, &relation);
        index.name = match &create.name {
            Some(name) if has_index(&relation, name) => return Ok(()),
            Some(name) => name.clone(),
            None => index_name(&relation, &index),
        };
        self.edit(&table, |relation| add_index(relation, index))?;
        Ok(())
    }

    /// An index shrinks by a column that goes, and goes with its last.
    fn drop_plain_column(&mut self, table: &ObjectName, column: &str) -> Result<(), BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let has = |relation: &Relation| relation.columns.iter().any(|known| FOLDING.same(&known.name, column));
        if !self.get(&table)?.is_some_and(|relation| has(&relation)) {
            return Ok(());
        }
        self.edit(&table, |relation| {
            relation.columns.retain(|known| !FOLDING.same(&known.name, column));
            for index in &mut relation.indexes {
                let is_it = |name: &String| FOLDING.same(name, column);
                index.parts.retain(|part| !part.column.as_ref().is_some_and(is_it));
            }
            relation.indexes.retain(|index| !index.parts.is_empty());
            let name = relation.name.name.clone();
            relation
                .constraints
                .retain_mut(|constraint| outlives(constraint, &name, column));
        })?;
        let origin = self.origin_mut(&table);
        origin.columns.remove(column);
        origin.columns.insert(column.to_owned(), ColumnOrigin::Unknown);
        Ok(())
    }

    fn is_in_primary_key(&self, table: &ObjectName, column: &str) -> Result<bool, BaseError> {
        let table = self.find(ObjectKind::Table, table)?;
        let Some(relation) = self.get(&table)? else {
            return Ok(false);
        };
        Ok(relation.constraints.iter().any(|constraint| match &constraint.rule {
            ConstraintRule::PrimaryKey { columns, .. } => FOLDING.contains(columns, column),
            _ => false,
        }))
    }

    /// DROP of tables, views, indexes and databases; `false` for other objects.
    fn drop_plainly(&mut self, drop: &Drop) -> Result<bool, BaseError> {
        match (drop.kind, &drop.on) {
            (ObjectKind::Table | ObjectKind::View, _) => {
                let name = self.find(ObjectKind::Table, &drop.name)?;
                if self.get(&name)?.is_some() {
                    self.forget(&name);
                }
            }
            (ObjectKind::Index, Some(table)) => {
                self.alter(table, |relation| drop_member(relation, &drop.name.name, true))?;
            }
            (ObjectKind::Database, _) => {
                for name in self.relations()? {
                    if name.schema.as_deref() == Some(&drop.name.name) {
                        self.forget(&name);
                    }
                }
                // It may be the one that names without a database mean.
                self.dynamic();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Adds a constraint, with the index that it is or makes.
    pub(super) fn declare_mysql(
        &mut self,
        table: &ObjectName,
        definition: &ConstraintDefinition,
        rule: ConstraintRule,
    ) -> Result<(), BaseError> {
        let Some(relation) = self.get(table)? else {
            return Ok(());
        };
        let inline = definition.of_column && matches!(definition.kind, ConstraintKind::ForeignKey { .. });
        if inline && !self.honours_inline_references() {
            return Ok(());
        }
        let name = self.constraint_name_here(&relation, definition, &rule);
        if relation
            .constraints
            .iter()
            .any(|known| FOLDING.same(&known.name, &name))
        {
            return Ok(());
        }
        let index = index_of_key(&relation, &name, &rule, definition.name.is_some());
        let constraint = Constraint {
            name,
            rule,
            deferrable: false,
            initially_deferred: false,
            validated: true,
            comment: None,
        };
        self.edit(table, |relation| {
            if let ConstraintRule::PrimaryKey { columns, .. } = &constraint.rule {
                for column in &mut relation.columns {
                    column.not_null |= FOLDING.contains(columns, &column.name);
                }
            }
            if let Some(index) = index {
                add_index(relation, index);
            }
            relation.constraints.push(constraint);
        })?;
        Ok(())
    }

    /// REFERENCES beside a column makes a foreign key on MariaDB from 10.5 and `MySQL` from 9.0; before, it is read and
    /// forgotten.
    fn honours_inline_references(&self) -> bool {
        match self.context().server_version {
            Some((major, minor, _)) => (major, minor) >= (10, 5) || major == 9,
            None => false,
        }
    }

    fn is_mariadb(&self) -> bool {
        self.context().server_version.is_some_and(|(major, ..)| major >= 10)
    }

    /// The name a constraint gets: its own, or the one that the server makes.
    fn constraint_name_here(
        &self,
        relation: &Relation,
        definition: &ConstraintDefinition,
        rule: &ConstraintRule,
    ) -> String {
        if matches!(rule, ConstraintRule::PrimaryKey { .. }) {
            return PRIMARY.to_owned();
        }
        if let Some(name) = &definition.name {
            return name.clone();
        }
        let table = &relation.name.name;
        let free = |prefix: &str| {
            let names = (1..).map(|number| format!("{prefix}{number}"));
            let is_free = |name: &String| !relation.constraints.iter().any(|known| FOLDING.same(&known.name, name));
            names.into_iter().find(is_free).unwrap_or_default()
        };
        match rule {
            ConstraintRule::ForeignKey { .. } => free(&format!("{table}_ibfk_")),
            ConstraintRule::Check { .. } if self.is_mariadb() => free("CONSTRAINT_"),
            ConstraintRule::Check { .. } => free(&format!("{table}_chk_")),
            _ => index_name(relation, &Index::on_columns("", rule.columns())),
        }
    }
}

/// The index that a key is, or the one that a foreign key makes unless another serves it.
fn index_of_key(relation: &Relation, name: &str, rule: &ConstraintRule, named: bool) -> Option<Index> {
    let mut index = Index::on_columns(name, rule.columns());
    match rule {
        ConstraintRule::PrimaryKey { .. } => {
            index.unique = true;
            index.primary = true;
            index.constraint = Some(PRIMARY.to_owned());
        }
        ConstraintRule::Unique { .. } => index.unique = true,
        ConstraintRule::ForeignKey { columns, .. } => {
            if relation.indexes.iter().any(|known| begins_with(known, columns)) {
                return None;
            }
            if !named {
                index.name = index_name(relation, &index);
            }
            index.options.push((OF_FOREIGN_KEY.to_owned(), name.to_owned()));
        }
        ConstraintRule::Check { .. } | ConstraintRule::Exclude { .. } => return None,
    }
    Some(index)
}

/// The name of an index that the script leaves unnamed: its first column's, numbered where that is taken.
fn index_name(relation: &Relation, index: &Index) -> String {
    let first = index.parts.first().and_then(|part| part.column.as_deref());
    let base = first.unwrap_or("functional_index");
    if !has_index(relation, base) && !FOLDING.same(base, PRIMARY) {
        return base.to_owned();
    }
    let mut names = (2..).map(|number| format!("{base}_{number}"));
    names.find(|name| !has_index(relation, name)).unwrap_or_default()
}

fn has_index(relation: &Relation, name: &str) -> bool {
    relation.indexes.iter().any(|known| FOLDING.same(&known.name, name))
}

/// The index finds rows by these columns.
fn begins_with(index: &Index, columns: &[String]) -> bool {
    index.method == "btree"
        && index.parts.len() >= columns.len()
        && index.parts.iter().zip(columns).all(|(part, column)| {
            let is_it = |name: &String| FOLDING.same(name, column);
            part.column.as_ref().is_some_and(is_it)
        })
}

/// Adds an index. One that a foreign key has made goes where the new one serves that too.
fn add_index(relation: &mut Relation, index: Index) {
    relation.indexes.retain(|known| {
        let of_foreign_key = known.options.iter().any(|(option, _)| option == OF_FOREIGN_KEY);
        let columns: Vec<String> = known.parts.iter().filter_map(|part| part.column.clone()).collect();
        !(of_foreign_key && begins_with(&index, &columns))
    });
    relation.indexes.push(index);
}

fn without_mark(options: &[(String, String)]) -> Vec<(String, String)> {
    let kept = options.iter().filter(|(option, _)| option != OF_FOREIGN_KEY);
    kept.cloned().collect()
}

/// What is left of a constraint without a column; `false` when nothing is.
fn outlives(constraint: &mut Constraint, table: &str, column: &str) -> bool {
    match &mut constraint.rule {
        ConstraintRule::PrimaryKey { columns, .. } | ConstraintRule::Unique { columns, .. } => {
            columns.retain(|name| !FOLDING.same(name, column));
            !columns.is_empty()
        }
        ConstraintRule::Check { expression, .. } => !mentions_column(Dialect::Mysql, expression, table, column),
        rule => !FOLDING.contains(rule.columns(), column),
    }
}

/// Takes an index and the key that it is away, or (`index_only` is false) a constraint of whatever kind.
fn drop_member(relation: &mut Relation, name: &str, index_only: bool) {
    let is_key =
        |rule: &ConstraintRule| matches!(rule, ConstraintRule::PrimaryKey { .. } | ConstraintRule::Unique { .. });
    let named = |known: &str| FOLDING.same(known, name);
    let found = relation.constraints.iter().find(|known| named(&known.name));
    let stays = found.is_some_and(|found| !is_key(&found.rule));
    relation
        .constraints
        .retain(|known| !named(&known.name) || (index_only && !is_key(&known.rule)));
    // The index of a foreign key stays when the key goes.
    if index_only || !stays {
        relation.indexes.retain(|known| !named(&known.name));
    }
}

fn rename_index(relation: &mut Relation, from: &str, to: &str) {
    for index in relation
        .indexes
        .iter_mut()
        .filter(|index| FOLDING.same(&index.name, from))
    {
        to.clone_into(&mut index.name);
    }
    for constraint in &mut relation.constraints {
        let unique = matches!(constraint.rule, ConstraintRule::Unique { .. });
        if unique && FOLDING.same(&constraint.name, from) {
            to.clone_into(&mut constraint.name);
        }
    }
}
