//! Writes the SQL that takes a migration back: the inverse of every operation, last statement first.
//!
//! What was dropped is made again from the catalog as it was before. What cannot come back (rows, values, a position in
//! a sequence) is said, never hidden: an outcome is lossless only where schema and data return to what they were.

mod lives;
mod names;
mod undo;

use tollgate_plugin::{
    Catalog, Description, Dialect, Failure, Migration, NoSettings, Outcome, Rollback, RollbackRequest, RollbackStep,
    SettingsIssue,
};

use lives::Lives;
use undo::Context;

/// The generator.
pub struct Inverse;

impl Rollback for Inverse {
    type Settings = NoSettings;

    fn describe() -> Description {
        Description::new(
            "rollback",
            env!("CARGO_PKG_VERSION"),
            "Writes the inverse of every statement, from the catalog as it was before",
        )
    }

    fn configure(_: NoSettings) -> Result<Self, Vec<SettingsIssue>> {
        Ok(Self)
    }

    fn generate(
        &self,
        request: &RollbackRequest,
        migration: &Migration<'_>,
        before: &dyn Catalog,
        after: &dyn Catalog,
    ) -> Result<Vec<RollbackStep>, Failure> {
        if request.server.dialect == Dialect::Mysql {
            return Ok(declined(migration));
        }
        let lives = Lives::trace(migration.statements(), before, request.server.dialect);
        let context = Context::new(request, migration, before, after, &lives);
        Ok(migration
            .statements()
            .iter()
            .rev()
            .map(|statement| context.step(statement))
            .collect())
    }
}

/// MySQL's statements are written in other words than those below, and nobody has tried them there.
fn declined(migration: &Migration<'_>) -> Vec<RollbackStep> {
    let statements = migration.statements().iter().rev();
    statements
        .map(|statement| RollbackStep {
            undoes: statement.index,
            outcome: Outcome::Declined,
            sql: Vec::new(),
            transactional: true,
            preserve: Vec::new(),
        })
        .collect()
}

/// A step's outcome and SQL, before it is bound to a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Undo {
    outcome: Outcome,
    sql: Vec<String>,
    transactional: bool,
}

impl Undo {
    /// Nothing has to be done.
    fn nothing() -> Self {
        Self::sql(Vec::new())
    }

    /// SQL that brings everything back.
    fn sql(sql: Vec<String>) -> Self {
        Self {
            outcome: Outcome::Lossless,
            sql,
            transactional: true,
        }
    }

    /// One statement that brings everything back.
    fn one(sql: String) -> Self {
        Self::sql(vec![sql])
    }

    /// Nothing can be done.
    fn irreversible(why: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Irreversible(why.into()),
            sql: Vec::new(),
            transactional: true,
        }
    }

    /// Left to another generator.
    fn declined() -> Self {
        Self {
            outcome: Outcome::Declined,
            sql: Vec::new(),
            transactional: true,
        }
    }

    /// The same, but something stays lost.
    fn losing(mut self, what: impl Into<String>) -> Self {
        self.outcome = Outcome::Lossy(what.into());
        self
    }

    /// The same, outside a transaction.
    fn outside_transaction(mut self) -> Self {
        self.transactional = false;
        self
    }

    /// Both, `self` first: as bad as the worse of the two.
    fn then(mut self, next: Self) -> Self {
        self.outcome = match (self.outcome, next.outcome) {
            (Outcome::Irreversible(a), Outcome::Irreversible(b)) => Outcome::Irreversible(join(a, &b)),
            (worst @ Outcome::Irreversible(_), _) | (_, worst @ Outcome::Irreversible(_)) => worst,
            (Outcome::Declined, _) | (_, Outcome::Declined) => Outcome::Declined,
            (Outcome::Lossy(a), Outcome::Lossy(b)) => Outcome::Lossy(join(a, &b)),
            (worst @ Outcome::Lossy(_), _) | (_, worst @ Outcome::Lossy(_)) => worst,
            (Outcome::Lossless, Outcome::Lossless) => Outcome::Lossless,
        };
        self.sql.extend(next.sql);
        self.transactional &= next.transactional;
        if matches!(self.outcome, Outcome::Irreversible(_) | Outcome::Declined) {
            self.sql.clear();
        }
        self
    }
}

fn join(a: String, b: &str) -> String {
    if a == b { a } else { format!("{a}; {b}") }
}

tollgate_plugin::export_rollback!(Inverse);

#[cfg(test)]
mod tests;
