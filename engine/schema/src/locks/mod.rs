//! What a statement locks, reads whole and writes anew. Computed from the operation, the schema just before it and the
//! server's version; nothing is asked of a server.
//!
//! PostgreSQL's manual ("Explicit Locking", "ALTER TABLE") and `AlterTableGetLockLevel` are the source. Two things are
//! left out on purpose: relations that the statement itself creates, because nobody else sees them before it is
//! committed, and locks on indexes that only come with their table's. A clause behind a condition counts as if it ran.
//!
//! `SQLite` has one lock for the whole database, so there every statement that writes has the same answer.

mod alter;
mod constraint;
mod drop;
mod families;
mod footprint;
mod mode;
mod object;
mod partition;
mod rows;
mod types;

use std::sync::{Arc, OnceLock};

use tollgate_sql::operation::{ObjectKind, Operation};
use tollgate_sql::{Dialect, ObjectName, Script, Statement};

use crate::base::BaseError;
use crate::schema::Schema;
use families::Families;
use footprint::Footprint;

pub use mode::LockMode;

/// What a statement does to one relation while it runs. The lock lasts until the transaction ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLock {
    /// The relation, with its schema on PostgreSQL; on `SQLite` the database, `main`.
    pub relation: ObjectName,
    /// Table, view, materialized view, foreign table, index or sequence; database on `SQLite`.
    pub kind: ObjectKind,
    /// The strongest mode that the statement takes on it.
    pub mode: LockMode,
    /// Every row is read before the statement ends: to test a constraint, to build an index.
    pub scans: bool,
    /// Every row is written anew, and so is every index of the table.
    pub rewrites: bool,
}

/// What each statement of one script locks, worked out for the first who asks and kept for all others: clones share it.
#[derive(Debug, Clone, Default)]
pub struct Locks(Arc<OnceLock<Result<Vec<Vec<TableLock>>, BaseError>>>);

impl Locks {
    /// See [`of_script`]. Whoever asks for one value has to name the same schema and script each time.
    ///
    /// # Errors
    /// When the base cannot answer.
    pub fn of(&self, before: &Schema, script: &Script) -> Result<&[Vec<TableLock>], BaseError> {
        let kept = self.0.get_or_init(|| of_script(before, script));
        kept.as_deref().map_err(Clone::clone)
    }

    /// Applies a script to a schema and works out on the way what it locks, so that it is not replayed once more for that.
    ///
    /// # Errors
    /// When the base cannot answer for the script itself. That it cannot for a lock is said by [`Locks::of`].
    pub fn while_applying(schema: &mut Schema, script: &Script) -> Result<Self, BaseError> {
        let families = Families::default();
        let first = script.statements.first().map(|first| of_one(schema, first, &families));
        let mut found: Result<Vec<_>, BaseError> = first.into_iter().collect();
        schema.apply_each(script, |index, schema| {
            families.after(&script.statements[index]);
            if let (Ok(all), Some(next)) = (&mut found, script.statements.get(index + 1)) {
                match of_one(schema, next, &families) {
                    Ok(locks) => all.push(locks),
                    Err(error) => found = Err(error),
                }
            }
            Ok(())
        })?;
        Ok(Self(Arc::new(OnceLock::from(found))))
    }
}

/// What each statement of a script locks: one list a statement, each in the order in which the server meets the
/// relations. `before` is the schema that the script starts from.
///
/// # Errors
/// When the base cannot answer.
pub fn of_script(before: &Schema, script: &Script) -> Result<Vec<Vec<TableLock>>, BaseError> {
    let mut all = Vec::with_capacity(script.statements.len());
    let families = Families::default();
    if let Some(first) = script.statements.first() {
        all.push(of_one(before, first, &families)?);
    }
    if script.statements.len() < 2 {
        return Ok(all);
    }
    before.clone().apply_each(script, |index, schema| {
        families.after(&script.statements[index]);
        if let Some(next) = script.statements.get(index + 1) {
            all.push(of_one(schema, next, &families)?);
        }
        Ok(())
    })?;
    Ok(all)
}

/// What one statement locks; `schema` is what there is just before it.
///
/// # Errors
/// When the base cannot answer.
pub fn of_statement(schema: &Schema, statement: &Statement) -> Result<Vec<TableLock>, BaseError> {
    of_one(schema, statement, &Families::default())
}

fn of_one(schema: &Schema, statement: &Statement, families: &Families) -> Result<Vec<TableLock>, BaseError> {
    match schema.context().dialect {
        Dialect::Postgres => {
            let mut footprint = Footprint::new(schema, families);
            for effect in &statement.effects {
                footprint.add(&effect.operation)?;
            }
            footprint.finish()
        }
        Dialect::Sqlite => Ok(sqlite(statement)),
        // Nothing is known of its scripts yet.
        Dialect::Mysql => Ok(Vec::new()),
    }
}

/// Whoever writes to an `SQLite` database is alone in that, and others can read until it commits.
fn sqlite(statement: &Statement) -> Vec<TableLock> {
    let writes = |operation: &Operation| match operation {
        Operation::Transaction(_) | Operation::SetParameter { .. } => false,
        Operation::Other(other) => !matches!(other.tag.as_str(), "attach" | "detach" | "explain"),
        _ => true,
    };
    if !statement.effects.iter().any(|effect| writes(&effect.operation)) {
        return Vec::new();
    }
    let rewrites = |operation: &Operation| matches!(operation, Operation::Other(other) if other.tag == "vacuum");
    vec![TableLock {
        relation: ObjectName::bare("main"),
        kind: ObjectKind::Database,
        mode: LockMode::Exclusive,
        scans: false,
        rewrites: statement.effects.iter().any(|effect| rewrites(&effect.operation)),
    }]
}
