//! Running a file of rows: in one transaction, and without a word about it in the ledger.

use tollgate_sql::{Position, Script};

use crate::database::Database;
use crate::error::ServerError;
use crate::execute::pointing::{named, token};
use crate::execute::{Circumstances, DatabaseState, ExecuteError, Problem};
use crate::interrupt::Interrupt;

/// A file of rows.
#[derive(Debug, Clone, Copy)]
pub struct Seed<'a> {
    /// What to call it in errors.
    pub name: &'a str,
    /// The file, parsed.
    pub script: &'a Script,
    /// Statements from the beginning that run before the transaction: settings of the session.
    pub before: usize,
    /// Statements that do not run at all: the file's own BEGIN and COMMIT around everything else.
    pub without: &'a [usize],
    /// Ends it early.
    pub interrupt: &'a Interrupt,
}

impl Database {
    /// Runs it, all or nothing, and puts the session back afterwards.
    ///
    /// # Errors
    /// A statement or the commit is refused; then nothing of the file is in.
    pub fn seed(&mut self, seed: &Seed<'_>) -> Result<(), ExecuteError> {
        let before = self.wait_unless(Some(seed.interrupt.clone()));
        let result = self.run_seed(seed).map_err(|problem| problem.after(seed.interrupt));
        self.wait_unless(before);
        if result.is_err() {
            // Where there is no transaction this is refused, and where the connection is gone nothing is left of one.
            let _ = self.connection.run("ROLLBACK");
        }
        let restored = if self.may_be_cancelled(seed.interrupt) {
            self.reconnect().map(drop)
        } else {
            self.restore_session(true).or_else(|_| self.reconnect().map(drop))
        };
        result.map_err(|problem| {
            let lost = problem.server().is_some_and(|error| error.connection_lost);
            let state = if lost {
                DatabaseState::Unknown
            } else {
                DatabaseState::Unchanged
            };
            ExecuteError::new(seed.name, problem, state)
        })?;
        restored.map_err(|error| ExecuteError::new(seed.name, error, DatabaseState::Unchanged))
    }

    fn run_seed(&mut self, seed: &Seed<'_>) -> Result<(), Problem> {
        self.settle()?;
        let run = |database: &mut Self, index: usize| {
            if seed.interrupt.asked() > 0 {
                return Err(Problem::interrupted());
            }
            let text = seed.script.statements[index].span.of(&seed.script.text);
            let result = database.cancelled_by(seed.interrupt, None, |database| database.connection.run(text));
            result.map_err(|error| refused(seed.script, index, error))
        };
        let wanted = |index: &usize| !seed.without.contains(index);
        let (first, count) = (seed.before, seed.script.statements.len());
        for index in (0..first).filter(wanted) {
            run(self, index)?;
        }
        self.connection.run_own("begin to seed", "BEGIN")?;
        for index in (first..count).filter(wanted) {
            run(self, index)?;
        }
        let ended = self.connection.run("COMMIT");
        ended.map_err(|error| Problem::commit((first, count.saturating_sub(1)), error))
    }
}

fn refused(script: &Script, index: usize, error: ServerError) -> Problem {
    let whole = script.statements[index].span;
    let offset = error.position.or_else(|| named(whole.of(&script.text), &error.message));
    let span = offset.map_or(whole, |offset| token(&script.text, whole.start + offset, whole.end));
    Problem::Statement {
        index,
        span,
        error,
        about: Box::new(Circumstances {
            position: Position::of(&script.text, span.start),
            attempts: 1,
            blockers: Vec::new(),
        }),
    }
}
