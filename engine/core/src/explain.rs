//! What a script's statements do, and what they lock while they do it.

use tollgate_schema::locks::{self, TableLock};
use tollgate_schema::{Context, Schema};
use tollgate_sql::operation::{ObjectKind, Operation, TransactionControl};
use tollgate_sql::{Dialect, ObjectName, Script, Statement};

use crate::deploy::excerpt;
use crate::error::Error;
use crate::folder::{Folder, MigrationFile};
use crate::nearest::nearest_migration;
use crate::plan;

/// One statement, explained.
#[derive(Debug, Clone)]
pub struct ExplainedStatement {
    /// Line on which it starts, counted from 1.
    pub line: usize,
    /// Its text on one line, shortened.
    pub excerpt: String,
    /// Runs inside a transaction.
    pub transactional: bool,
    /// What it does, one entry a clause: `add column users.age`.
    pub does: Vec<String>,
    /// What it locks, reads whole and writes anew. What it creates itself is left out. `None` where that is not known: on
    /// MySQL, whose locks depend on the storage engine and on the algorithm that the server chooses.
    pub locks: Option<Vec<TableLock>>,
}

impl ExplainedStatement {
    /// The locks that are known: none where they are not told.
    pub fn known_locks(&self) -> &[TableLock] {
        self.locks.as_deref().unwrap_or_default()
    }
}

/// Which script to explain.
#[derive(Debug, Clone, Copy)]
pub enum Explained<'a> {
    /// A migration of the folder, by its name, on the schema that the earlier ones make.
    Migration(&'a str),
    /// A file outside of it, on the schema that the whole folder makes.
    File(&'a MigrationFile),
}

/// Explains a script. Without a folder nothing is known of the schema.
///
/// # Errors
/// Scripts that do not parse; a name that is not in the folder.
pub fn explain(
    folder: Option<&Folder>,
    context: Context,
    what: Explained<'_>,
) -> Result<Vec<ExplainedStatement>, Error> {
    let dialect = context.dialect;
    let earlier = match (folder, what) {
        (None, _) => 0..0,
        (Some(folder), Explained::File(_)) => 0..folder.migrations.len(),
        (Some(folder), Explained::Migration(name)) => 0..position(folder, name)?,
    };
    let mut schema = match folder {
        Some(_) => Schema::empty(context),
        None => Schema::unknown(context),
    };
    if let Some(folder) = folder {
        for migration in plan::read_scripts(folder, earlier, dialect)? {
            schema.apply_script(migration.script())?;
        }
    }
    schema.settle();
    let read = match (what, folder) {
        (Explained::File(file), _) => plan::read_files(&[(0, file)], dialect)?,
        (Explained::Migration(name), Some(folder)) => {
            let at = position(folder, name)?;
            plan::read_scripts(folder, at..=at, dialect)?
        }
        (Explained::Migration(name), None) => return Err(unknown(name, None)),
    };
    let mut explained = Vec::new();
    for migration in &read {
        explained.extend(statements(&schema, migration.script())?);
    }
    Ok(explained)
}

fn position(folder: &Folder, name: &str) -> Result<usize, Error> {
    let position = folder.migrations.iter().position(|migration| migration.name == name);
    position.ok_or_else(|| unknown(name, Some(folder)))
}

fn unknown(name: &str, folder: Option<&Folder>) -> Error {
    let names = folder.into_iter().flat_map(|folder| &folder.migrations);
    Error::NotFound {
        migration: name.to_owned(),
        similar: nearest_migration(name, names.map(|migration| migration.name.as_str())),
    }
}

/// The statements of a script that starts from `before`.
pub(crate) fn statements(before: &Schema, script: &Script) -> Result<Vec<ExplainedStatement>, Error> {
    let locks = locks::of_script(before, script)?;
    let explained = script
        .statements
        .iter()
        .zip(script.lines())
        .zip(locks)
        .map(|((statement, line), locks)| ExplainedStatement {
            line,
            excerpt: excerpt(statement.span.of(&script.text)),
            transactional: statement.transactional,
            does: does(statement, script.dialect),
            locks: (script.dialect != Dialect::Mysql).then_some(locks),
        });
    Ok(explained.collect())
}

/// What a statement does, a clause each. MySQL's MODIFY says all of a column anew: that is one thing, not five.
fn does(statement: &Statement, dialect: Dialect) -> Vec<String> {
    let mut redefined = None;
    let mut told = Vec::with_capacity(statement.effects.len());
    for effect in &statement.effects {
        let words = match &effect.operation {
            Operation::AlterColumnType { table, column, to, .. } if dialect == Dialect::Mysql => {
                redefined = Some(effect.span);
                format!("define column {table}.{column} anew: {}", to.sql(dialect))
            }
            operation if redefined == Some(effect.span) && is_of_column(operation) => continue,
            operation => describe(operation),
        };
        told.push(if effect.conditional {
            format!("perhaps: {words}")
        } else {
            words
        });
    }
    told
}

/// A property that a column's definition says or leaves out.
fn is_of_column(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::SetNotNull { .. }
            | Operation::DropNotNull { .. }
            | Operation::SetDefault { .. }
            | Operation::DropDefault { .. }
            | Operation::AddIdentity { .. }
            | Operation::DropIdentity { .. }
            | Operation::SetExpression { .. }
    )
}

/// A clause in a few words: what is done, to what.
fn describe(operation: &Operation) -> String {
    use Operation as O;
    let of = |words: &str, name: &ObjectName| format!("{words} {name}");
    let column = |words: &str, table: &ObjectName, column: &str| format!("{words} {table}.{column}");
    match operation {
        O::AddColumn(add) => column("add column", &add.table, &add.column.name),
        O::DropColumn {
            table, column: name, ..
        } => column("drop column", table, name),
        O::RenameColumn { table, from, to } => format!("rename column {table}.{from} to {to}"),
        O::AlterColumnType {
            table, column: name, ..
        } => column("change the type of", table, name),
        O::SetNotNull { table, column: name } => column("set NOT NULL on", table, name),
        O::DropNotNull { table, column: name } => column("drop NOT NULL of", table, name),
        O::SetDefault {
            table, column: name, ..
        } => column("set the default of", table, name),
        O::DropDefault { table, column: name } => column("drop the default of", table, name),
        O::AddConstraint { table, constraint } => match &constraint.name {
            Some(name) => format!("add constraint {name} to {table}"),
            None => format!("add a constraint to {table}"),
        },
        O::DropConstraint { table, name, .. } => format!("drop constraint {name} of {table}"),
        O::ValidateConstraint { table, name } => format!("validate constraint {name} of {table}"),
        O::CreateTable(table) => of("create table", &table.name),
        O::CreateIndex(index) => match &index.name {
            Some(name) => format!("create index {name} on {}", index.table),
            None => of("create an index on", &index.table),
        },
        O::CreateView(view) => of("create view", &view.name),
        O::CreateFunction(function) => of("create function", &function.name),
        O::CreateTrigger(trigger) => format!("create trigger {} on {}", trigger.name, trigger.table),
        O::CreateSchema { name, .. } => format!("create schema {name}"),
        O::CreateExtension { name, .. } => format!("create extension {name}"),
        O::Drop(drop) => match &drop.on {
            Some(table) => format!("drop {} {} of {table}", kind(drop.kind), drop.name),
            None => format!("drop {} {}", kind(drop.kind), drop.name),
        },
        O::Rename { kind: of, from, to, .. } => format!("rename {} {from} to {to}", kind(*of)),
        O::SetSchema { kind: of, name, to, .. } => format!("move {} {name} to schema {to}", kind(*of)),
        O::Insert(change) => of("insert into", &change.table),
        O::Update(change) => of("update", &change.table),
        O::Delete(change) => of("delete from", &change.table),
        O::Transaction(control) => match control {
            TransactionControl::Savepoint(name) => format!("savepoint {name}"),
            TransactionControl::Release(name) => format!("release savepoint {name}"),
            TransactionControl::RollbackTo(name) => format!("roll back to savepoint {name}"),
            TransactionControl::Begin => "begin a transaction".to_owned(),
            TransactionControl::Commit => "commit the transaction".to_owned(),
            TransactionControl::Rollback => "roll the transaction back".to_owned(),
            TransactionControl::Prepared => "prepare a transaction, or end a prepared one".to_owned(),
        },
        O::SetParameter { name, .. } => format!("set {name}"),
        O::Dynamic { .. } => "run SQL that is made at run time and cannot be seen".to_owned(),
        O::Other(other) => named(&other.tag, operation),
        other => named(&tag(other), operation),
    }
}

fn named(tag: &str, operation: &Operation) -> String {
    let words = tag.replace('-', " ");
    let objects: Vec<String> = operation.objects().iter().map(ToString::to_string).collect();
    if objects.is_empty() {
        words
    } else {
        format!("{words} {}", objects.join(", "))
    }
}

/// The operation's name as it is written in documents.
fn tag(operation: &Operation) -> String {
    match serde_json::to_value(operation) {
        Ok(serde_json::Value::Object(fields)) => fields.keys().next().cloned().unwrap_or_default(),
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// An object's kind in the words of SQL.
pub(crate) fn kind(kind: ObjectKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name.replace('-', " "),
        _ => String::new(),
    }
}
