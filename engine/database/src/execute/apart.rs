//! Statements that the server runs only outside a transaction: one by one, each on record while it runs.

use std::time::Duration;

use crate::error::{DatabaseError, ServerError};
use crate::execute::indexes::{self, Remains};
use crate::execute::rebuilds::{self, Remnant};
use crate::execute::run::Run;
use crate::execute::{ExecuteEvent, Problem, outside, session};

impl Run<'_> {
    /// A statement that the server runs only outside a transaction.
    pub(super) fn alone(&mut self, index: usize) -> Result<(), Problem> {
        // A catalog's snapshot is an older transaction: CREATE INDEX CONCURRENTLY would wait for ourselves for ever.
        self.database.end_catalogs();
        if self.is_there_already(index)? {
            self.left = true;
            return Ok(self.record_apart(false, index + 1)?);
        }
        self.database.check_guard()?;
        self.mark_in_flight(index, true)?;
        let mut attempt = 1;
        while let Err(error) = self.statement_apart(index) {
            if self.in_doubt == Some(index) && outside::was_done(&self.script.statements[index], &error) {
                break;
            }
            let clean = !error.connection_lost && self.clean_up(index);
            let again = clean && attempt <= self.options.retries && session::worth_retrying(&error);
            let problem = self.refused(index, error, attempt);
            let mut problem = self.name_blockers(problem).after(&self.options.interrupt);
            attempt += 1;
            if again {
                match self.wait(attempt, &problem) {
                    Ok(()) => continue,
                    Err(interrupted) => problem = interrupted,
                }
            }
            if clean {
                self.mark_none_in_flight()?;
            } else {
                self.left = true;
                self.in_doubt = Some(index);
                if let Problem::Interrupted { goes_on, .. } = &mut problem {
                    *goes_on = outside::is_repeatable(&self.script.statements[index]);
                }
            }
            return Err(problem);
        }
        self.left = true;
        Ok(self.record_apart(false, index + 1)?)
    }

    /// The statement, and after it a session that what is recorded is safe in.
    fn statement_apart(&mut self, index: usize) -> Result<(), ServerError> {
        let result = self.statement_outside(index);
        if self.database.may_be_cancelled(&self.options.interrupt) {
            let _ = self.database.reconnect();
        }
        result
    }

    /// The statement under the limits that hold here, too.
    fn statement_outside(&mut self, index: usize) -> Result<(), ServerError> {
        let Some((set, reset)) = session::limits_outside(self.script, index, self.pragmas, self.options) else {
            return self.statement(index);
        };
        self.database.connection.run(&set)?;
        let result = self.statement(index);
        // Where that fails, the session is lost, or put back at the end.
        let _ = self.database.connection.run(&reset);
        result
    }

    fn mark_none_in_flight(&mut self) -> Result<(), DatabaseError> {
        let progress = self.progress(self.done, None);
        self.database.keep(&progress)
    }

    /// Before an index is built again: what an earlier attempt built is dropped when it is invalid, and kept when the
    /// attempt had come to its end without being able to say so.
    fn is_there_already(&mut self, index: usize) -> Result<bool, DatabaseError> {
        if self.in_doubt == Some(index) {
            self.drop_remnants(index, None)?;
        }
        let Some(create) = indexes::built_concurrently(&self.script.statements[index]) else {
            return Ok(false);
        };
        if !self.again {
            return Ok(false);
        }
        match indexes::remains_after_builds(&mut self.database.connection, create)? {
            Remains::Valid => Ok(self.in_doubt == Some(index)),
            Remains::Invalid { sql, name } => {
                indexes::drop_invalid(&mut self.database.connection, &sql, None)?;
                (self.events)(ExecuteEvent::InvalidIndexDropped { index: name });
                Ok(false)
            }
            Remains::Nothing | Remains::Building => Ok(false),
        }
    }

    /// Drops what a concurrent REINDEX that did not come to its end has left. Says whether the statement is one.
    fn drop_remnants(&mut self, index: usize, limit: Option<Duration>) -> Result<bool, DatabaseError> {
        let Some(rebuild) = rebuilds::rebuilt_concurrently(&self.script.statements[index]) else {
            return Ok(false);
        };
        for Remnant { sql, name } in rebuilds::remnants(&mut self.database.connection, rebuild)? {
            indexes::drop_invalid(&mut self.database.connection, &sql, limit)?;
            (self.events)(ExecuteEvent::InvalidIndexDropped { index: name });
        }
        Ok(true)
    }

    /// After a statement failed outside a transaction: whether nothing of it is left now.
    fn clean_up(&mut self, index: usize) -> bool {
        let limit = (self.options.interrupt.asked() > 0).then_some(indexes::PATIENCE);
        match self.drop_remnants(index, limit) {
            Ok(false) => {}
            Ok(true) => return true,
            Err(_) => return false,
        }
        let statement = &self.script.statements[index];
        if let Some(create) = indexes::built_concurrently(statement) {
            return match indexes::remains(&mut self.database.connection, create) {
                Ok(Remains::Invalid { sql, name }) => {
                    let dropped = indexes::drop_invalid(&mut self.database.connection, &sql, limit).is_ok();
                    if dropped {
                        (self.events)(ExecuteEvent::InvalidIndexDropped { index: name });
                    }
                    dropped
                }
                // A valid one was there before: that is why the statement failed.
                Ok(Remains::Nothing | Remains::Valid) => create.name.is_some(),
                Ok(Remains::Building) | Err(_) => false,
            };
        }
        outside::leaves_nothing(statement)
    }
}
