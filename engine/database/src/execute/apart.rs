//! Statements that the server runs only outside a transaction: one by one, each on record while it runs.

use std::time::Duration;

use crate::database::Database;
use crate::error::{DatabaseError, ServerError};
use crate::execute::detaching::{self, Stage};
use crate::execute::indexes::{self, Remains};
use crate::execute::rebuilds::{self, Remnant};
use crate::execute::run::Run;
use crate::execute::watch::Waiting;
use crate::execute::{ExecuteEvent, Problem, outside, session};

impl Run<'_> {
    /// A statement that the server runs only outside a transaction.
    pub(super) fn alone(&mut self, index: usize) -> Result<(), Problem> {
        // A catalog's snapshot is an older transaction: CREATE INDEX CONCURRENTLY would wait for ourselves for ever.
        self.database.end_catalogs();
        self.database.check_guard()?;
        if !self.is_there_already(index)? {
            self.run_alone(index)?;
        }
        self.left = true;
        let recorded = self.record_apart(false, index + 1);
        recorded.map_err(|error| self.leave_in_doubt(index, error.into()))
    }

    /// Runs it, tried again when a lock timeout or the like ends it.
    fn run_alone(&mut self, index: usize) -> Result<(), Problem> {
        self.mark_in_flight(index, true)?;
        let mut attempt = 1;
        while let Err(error) = self.statement_apart(index) {
            if self.in_doubt == Some(index) && outside::was_done(&self.script.statements[index], &error) {
                return Ok(());
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
                self.in_doubt = None;
                return Err(problem);
            }
            return Err(self.leave_in_doubt(index, problem));
        }
        Ok(())
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

    /// Before a statement is run again: what an earlier attempt built is dropped when it is invalid, and kept when the
    /// attempt had come to its end without being able to say so.
    fn is_there_already(&mut self, index: usize) -> Result<bool, DatabaseError> {
        if self.in_doubt == Some(index) {
            self.drop_remnants(index, None)?;
            if self.finish_detaching(index)? {
                return Ok(true);
            }
        }
        let Some(create) = indexes::built_concurrently(&self.script.statements[index]) else {
            return Ok(false);
        };
        // IF NOT EXISTS would be content with what somebody else's attempt has left.
        if !self.again && !create.if_not_exists {
            return Ok(false);
        }
        match indexes::remains_after_builds(&mut self.database.connection, create)? {
            Remains::Valid => Ok(self.in_doubt == Some(index)),
            Remains::Invalid { sql, name } => {
                self.drop_invalid(index, &sql, None)?;
                (self.events)(ExecuteEvent::InvalidIndexDropped { index: name });
                Ok(false)
            }
            Remains::Nothing | Remains::Building => Ok(false),
        }
    }

    /// Drops an invalid index without blocking anybody. It waits for those who work on its table, at most as long as `limit`
    /// says; with one, the session has to be put back afterwards.
    fn drop_invalid(&mut self, index: usize, sql: &str, limit: Option<Duration>) -> Result<(), DatabaseError> {
        let doing = "drop an invalid index";
        if let Some(limit) = limit {
            let set = format!("SET lock_timeout = {}", limit.as_millis());
            self.database.connection.run_own(doing, &set)?;
        }
        self.run_own_waiting(index, doing, &format!("DROP INDEX CONCURRENTLY IF EXISTS {sql}"))
    }

    /// Drops what a concurrent REINDEX that did not come to its end has left. Says whether the statement is one.
    fn drop_remnants(&mut self, index: usize, limit: Option<Duration>) -> Result<bool, DatabaseError> {
        let Some(rebuild) = rebuilds::rebuilt_concurrently(&self.script.statements[index]) else {
            return Ok(false);
        };
        for Remnant { sql, name } in rebuilds::remnants(&mut self.database.connection, rebuild)? {
            self.drop_invalid(index, &sql, limit)?;
            (self.events)(ExecuteEvent::InvalidIndexDropped { index: name });
        }
        Ok(true)
    }

    /// A partition that an earlier attempt has begun to detach concurrently. Says whether it is detached now.
    fn finish_detaching(&mut self, index: usize) -> Result<bool, DatabaseError> {
        let Some(detach) = detaching::detached_concurrently(&self.script.statements[index]) else {
            return Ok(false);
        };
        match detaching::stage(&mut self.database.connection, detach)? {
            Stage::Attached => Ok(false),
            Stage::Pending => {
                let sql = detach.finalize();
                let mut waiting = Waiting::start(self.database, None);
                let events = &mut *self.events;
                let mut tell = |_| waiting.look(Some(index), events);
                let finish = |database: &mut Database| database.connection.run_telling(&sql, &mut tell);
                let finished = self.database.cancelled_by(&self.options.interrupt, None, finish);
                finished.map_err(|error| {
                    let doing = "finish detaching a partition that an earlier attempt began to detach";
                    DatabaseError::server(doing, error)
                })?;
                Ok(true)
            }
            Stage::Detached => Ok(true),
        }
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
        if let Some(detach) = detaching::detached_concurrently(statement) {
            // One that is none is why the statement failed.
            return detaching::stage(&mut self.database.connection, detach).is_ok_and(|stage| stage != Stage::Pending);
        }
        if let Some(create) = indexes::built_concurrently(statement) {
            return match indexes::remains(&mut self.database.connection, create) {
                Ok(Remains::Invalid { sql, name }) => {
                    let dropped = self.drop_invalid(index, &sql, limit).is_ok();
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
