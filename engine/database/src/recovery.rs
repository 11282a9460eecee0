//! Applying and taking back one migration: what an earlier attempt left, the run itself, what is recorded when it fails.

use std::time::Instant;

use crate::database::Database;
use crate::error::DatabaseError;
use crate::execute::applied::first_change;
use crate::execute::notices::Log;
use crate::execute::opening::{NewRow, Opening};
use crate::execute::run::Run;
use crate::execute::{
    Applied, DatabaseState, ExecuteError, ExecuteEvent, ExecuteOptions, Leftovers, Migration, Problem, RollbackRequest,
    RolledBack, error::logs, session,
};
use crate::interrupt::Interrupt;
use crate::ledger::{LedgerRow, store};
use crate::lost::Fate;
use crate::state::progress::Direction;

/// Where to begin.
struct Start {
    row: String,
    done: usize,
    in_doubt: Option<usize>,
    again: bool,
    /// See [`Run::tracked`].
    tracked: bool,
    /// See [`Run::opening`].
    opening: Option<Opening>,
}

impl Start {
    /// Has a run begin here.
    fn hand_to(&mut self, run: &mut Run<'_>) {
        run.done = self.done;
        run.in_doubt = self.in_doubt;
        run.again = self.again;
        run.tracked = self.tracked;
        run.left = self.done > 0;
        run.followed = self.opening.is_none();
        run.opening = self.opening.take();
    }
}

impl Database {
    /// Applies one migration and records it.
    ///
    /// A script whose statements all may run in a transaction is applied together with its ledger row, or not at all.
    /// Otherwise its progress is recorded statement by statement.
    pub fn apply(
        &mut self,
        migration: &Migration<'_>,
        options: &ExecuteOptions,
        events: &mut dyn FnMut(ExecuteEvent),
    ) -> Result<Applied, ExecuteError> {
        let began = Instant::now();
        let options = &migration.pragmas.over(options);
        let mut log = Log::new(migration.script);
        let mut events = |event: ExecuteEvent| {
            log.hear(&event);
            events(event);
        };
        let unchanged = |problem: Problem| ExecuteError::new(migration.name, problem, DatabaseState::Unchanged);
        self.settle().map_err(|error| unchanged(error.into()))?;
        self.create_ledger().map_err(|error| unchanged(error.into()))?;
        self.prepare_state().map_err(|error| unchanged(error.into()))?;
        let mut start = match self.start(migration, options) {
            Ok(start) => start,
            Err(error) => {
                if error.problem.is_lost() {
                    // For whoever tries again.
                    let _ = self.reconnect();
                }
                return Err(error.of(migration.script));
            }
        };
        events(ExecuteEvent::Started {
            statements: migration.script.statements.len(),
            already_done: start.done,
        });

        let mut run = Run::new(
            self,
            migration.script,
            Direction::Up,
            start.row.clone(),
            options,
            &mut events,
        );
        run.pragmas = migration.pragmas;
        run.durability = migration.durability;
        start.hand_to(&mut run);
        let result = run.all().map_err(|problem| problem.after(&options.interrupt));
        let applied = Applied {
            row: start.row,
            statements: run.ran,
            elapsed: began.elapsed(),
            atomic: run.atomic && start.done == 0,
            outside_transaction: std::mem::take(&mut run.outside),
        };
        let mut after = After::of(&mut run);
        after.notices = log.text();
        self.conclude(
            migration.name,
            migration.script,
            Direction::Up,
            &applied.row,
            result,
            &after,
        )?;
        Ok(Applied {
            elapsed: began.elapsed(),
            ..applied
        })
    }

    /// Takes one migration back: runs the SQL and marks its newest applied row, in one transaction where the server
    /// allows it.
    pub fn roll_back(
        &mut self,
        request: &RollbackRequest<'_>,
        options: &ExecuteOptions,
        events: &mut dyn FnMut(ExecuteEvent),
    ) -> Result<RolledBack, ExecuteError> {
        let began = Instant::now();
        let options = &request.pragmas.over(options);
        self.settle()
            .map_err(|error| ExecuteError::new(request.name, error, DatabaseState::Unchanged))?;
        let start = self.start_back(request, options).map_err(|problem| match problem {
            Problem::Unfinished {
                leftovers: Leftovers::Partly { done, in_doubt },
            } => ExecuteError::new(request.name, problem, DatabaseState::Partly { done, in_doubt }),
            Problem::Changed { statements: done, .. } => {
                ExecuteError::new(request.name, problem, DatabaseState::Partly { done, in_doubt: None })
            }
            problem => ExecuteError::new(request.name, problem, DatabaseState::Unchanged),
        });
        let mut start = start.map_err(|error| error.of(request.script))?;
        events(ExecuteEvent::Started {
            statements: request.script.statements.len(),
            already_done: start.done,
        });

        let mut run = Run::new(
            self,
            request.script,
            Direction::Down,
            start.row.clone(),
            options,
            events,
        );
        run.pragmas = request.pragmas;
        start.hand_to(&mut run);
        let result = run.all().map_err(|problem| problem.after(&options.interrupt));
        let (statements, atomic) = (run.ran, run.atomic && start.done == 0);
        let after = After::of(&mut run);
        self.conclude(
            request.name,
            request.script,
            Direction::Down,
            &start.row,
            result,
            &after,
        )?;
        Ok(RolledBack {
            row: start.row,
            statements,
            elapsed: began.elapsed(),
            atomic,
        })
    }

    /// Deals with earlier attempts.
    fn start(&mut self, migration: &Migration<'_>, options: &ExecuteOptions) -> Result<Start, ExecuteError> {
        let fail = |problem: Problem, state| ExecuteError::new(migration.name, problem, state);
        let database = |error: DatabaseError| fail(error.into(), DatabaseState::Unchanged);
        let rows = self.rows_before(migration.name).map_err(database)?;
        let again = rows.iter().any(|row| !row.is_applied());
        let mut void = Vec::new();
        for row in rows.into_iter().filter(LedgerRow::is_failed) {
            let leftovers = self.leftovers(&row).map_err(database)?;
            match leftovers {
                Leftovers::Nothing => void.push(row.id),
                Leftovers::Interrupted { done } => return self.resume(migration, row, done),
                Leftovers::Partly { done, .. } if options.resume => return self.resume(migration, row, done),
                Leftovers::Partly { done, in_doubt } => {
                    return Err(fail(
                        Problem::Unfinished { leftovers },
                        DatabaseState::Partly { done, in_doubt },
                    ));
                }
                Leftovers::Unknown => return Err(fail(Problem::Unfinished { leftovers }, DatabaseState::Unchanged)),
            }
        }
        let known = self.row_in_run(migration.name).filter(|_| !again);
        let follows = known.is_some();
        let id = known.unwrap_or_else(store::new_id);
        let row = NewRow::new(&self.place, &id, migration.name, migration.checksum, void, follows);
        Ok(Start {
            row: id,
            done: 0,
            in_doubt: None,
            again,
            tracked: false,
            opening: Some(Opening::Row(row)),
        })
    }

    /// Goes on with an attempt, provided that what is in is still what the file says.
    fn resume(&mut self, migration: &Migration<'_>, row: LedgerRow, done: usize) -> Result<Start, ExecuteError> {
        let fail = |problem: Problem, in_doubt| {
            ExecuteError::new(migration.name, problem, DatabaseState::Partly { done, in_doubt })
        };
        let progress = self
            .progress(&row.id, Direction::Up)
            .map_err(|error| fail(error.into(), None))?;
        let in_doubt = progress
            .as_ref()
            .and_then(|progress| progress.in_flight)
            .filter(|index| *index >= done);
        let script = migration.script;
        let changed = match progress.filter(|progress| progress.done == done) {
            Some(progress) => first_change(&progress.digest, script, done).map(Some),
            // The ledger's count is ahead of the sidecar: the crash fell between the two, and there is no digest of the
            // part that is in. Then the whole file has to be as it was.
            None => (row.checksum != migration.checksum).then_some(None),
        };
        if let Some(first) = changed {
            return Err(fail(Problem::changed(script, done, first), in_doubt));
        }
        let sql = self.place.restart(&row.id, migration.checksum);
        self.connection
            .run_own("record that the migration goes on", &sql)
            .map_err(|error| fail(error.into(), in_doubt))?;
        Ok(Start {
            row: row.id,
            done,
            in_doubt,
            again: true,
            tracked: true,
            opening: None,
        })
    }

    fn start_back(&mut self, request: &RollbackRequest<'_>, options: &ExecuteOptions) -> Result<Start, Problem> {
        let Some(rows) = self.ledger()? else {
            return Err(Problem::NotApplied);
        };
        let applied = rows
            .into_iter()
            .rfind(|row| row.migration_name == request.name && row.is_applied());
        let applied = applied.ok_or(Problem::NotApplied)?;
        self.prepare_state()?;
        let progress = self.progress_back(&applied)?;
        let row = applied.id;
        let Some(progress) = progress else {
            return Ok(Start {
                row,
                done: 0,
                in_doubt: None,
                again: false,
                tracked: true,
                // The ledger has nothing to say before the end.
                opening: Some(Opening::Nothing),
            });
        };
        let done = progress.done;
        if let Some(first) = first_change(&progress.digest, request.script, done).filter(|_| done > 0) {
            return Err(Problem::changed(request.script, done, Some(first)));
        }
        // What is in is what the SQL still says, so going on is safe, but for a statement whose fate is unknown.
        if progress.in_flight.is_some() && !progress.repeatable && !options.resume {
            let leftovers = Leftovers::Partly {
                done,
                in_doubt: progress.in_flight,
            };
            return Err(Problem::Unfinished { leftovers });
        }
        Ok(Start {
            row,
            done,
            in_doubt: progress.in_flight,
            again: true,
            tracked: true,
            opening: None,
        })
    }

    /// Puts the session back and, after a failure, records what is left.
    fn conclude(
        &mut self,
        name: &str,
        script: &tollgate_sql::Script,
        direction: Direction,
        row: &str,
        result: Result<(), Problem>,
        after: &After,
    ) -> Result<(), ExecuteError> {
        let Err(problem) = result else {
            // It is applied and recorded; a session that cannot be put back shows when it is used next.
            let restored = after.restored || self.restore_session(session::disturbs(script)).is_ok();
            self.forget_prepared_by(script);
            if self.may_be_cancelled(&after.interrupt) || !restored {
                let _ = self.reconnect();
            }
            self.keep_notices(row, after);
            return Ok(());
        };
        let fail = |problem, state| Err(ExecuteError::new(name, problem, state).of(script));
        let mut state = after.state();
        if problem.is_lost() {
            match self.after_loss(name, direction, row, &after.interrupt) {
                Fate::Done => {
                    self.keep_notices(row, after);
                    return Ok(());
                }
                // The row stays as a crash would leave it: the next attempt goes on from there.
                Fate::Left(known @ DatabaseState::Partly { in_doubt: None, .. }) => return fail(problem, known),
                Fate::Left(known) => state = known,
                Fate::Unknown => return fail(problem, DatabaseState::Unknown),
            }
        } else {
            let restored = if self.may_be_cancelled(&after.interrupt) {
                self.reconnect()
            } else {
                self.forget_prepared_by(script);
                let restored = self.restore_session(true).map(|()| true);
                restored.or_else(|_| self.reconnect())
            };
            if !restored.unwrap_or(false) {
                return fail(problem, DatabaseState::Unknown);
            }
        }
        // When this cannot be written, the row stays as a crash would leave it, and the next run finds out. What is in the
        // database is known all the same: the lost session is over, and the ledger has been read since.
        let _ = self.record_failure(name, direction, row, &problem, &state, after);
        fail(problem, state)
    }

    /// Keeps what the server said while the migration was applied. It is in already: a crash before this is on the disk
    /// loses nothing but words.
    fn keep_notices(&mut self, row: &str, after: &After) {
        if let Some(notices) = &after.notices {
            let note = self.place.note(row, notices);
            let sql = if self.connection.is_postgres() {
                format!("BEGIN; {} {note}; COMMIT", session::WITHOUT_WAITING)
            } else {
                note
            };
            if self.connection.run(&sql).is_err() {
                let _ = self.connection.run("ROLLBACK");
            }
        }
    }

    /// Whether a request to cancel a statement may still be on its way, and would hit what comes after it on the same
    /// connection. Behind a pooler a new connection may well be the same session.
    pub(crate) fn may_be_cancelled(&self, interrupt: &Interrupt) -> bool {
        interrupt.asked() > 0 && self.connection.is_postgres() && !self.is_pooled()
    }

    fn record_failure(
        &mut self,
        name: &str,
        direction: Direction,
        row: &str,
        problem: &Problem,
        state: &DatabaseState,
        after: &After,
    ) -> Result<(), DatabaseError> {
        let unchanged = *state == DatabaseState::Unchanged;
        let mut sql = match &after.opening {
            Some(Opening::Row(row)) => self.guard() + &row.begun(),
            _ => String::new(),
        };
        // Where a migration stands that was stopped between two statements is on record already, and logs would say that it
        // failed.
        let stopped = matches!(problem, Problem::Interrupted { goes_on: true, .. } | Problem::LockLost);
        let goes_on = !unchanged && stopped;
        if direction == Direction::Up && !goes_on {
            sql += &(self.place.fail(row, &logs(name, problem, after.notices.as_deref())) + ";");
            if unchanged {
                sql += &(self.place.roll_back(row) + ";");
            }
        }
        let forget = if unchanged { self.forgetting(row) } else { String::new() };
        if self.connection.is_postgres() {
            sql += &forget;
            if !sql.is_empty() {
                // Whoever has locked the ledger may be why it failed, and keeps nobody waiting for more than words.
                sql = format!("SET LOCAL lock_timeout = {RECORD_PATIENCE}; {sql}");
            }
        }
        if !sql.is_empty() {
            let written = self
                .connection
                .run_own("record the failure", &format!("BEGIN; {sql} COMMIT"));
            if written.is_err() {
                let _ = self.connection.run("ROLLBACK");
            }
            written?;
        }
        if unchanged && after.followed && !self.connection.is_postgres() {
            self.state_connection().run_own("record the failure", &forget)?;
        }
        Ok(())
    }
}

/// How long the record of a failure may wait for a lock, in milliseconds.
const RECORD_PATIENCE: u32 = 5_000;

/// How far a failed run came.
struct After {
    done: usize,
    left: bool,
    in_doubt: Option<usize>,
    /// See [`Run::opening`].
    opening: Option<Opening>,
    /// See [`Run::followed`].
    followed: bool,
    /// See [`Run::restored`].
    restored: bool,
    /// Ends waiting.
    interrupt: Interrupt,
    /// What the server said.
    notices: Option<String>,
}

impl After {
    /// How far a run came, with nothing said by the server.
    fn of(run: &mut Run<'_>) -> Self {
        Self {
            done: run.done,
            left: run.left,
            in_doubt: run.in_doubt,
            opening: run.opening.take(),
            followed: run.followed,
            restored: run.restored,
            interrupt: run.options.interrupt.clone(),
            notices: None,
        }
    }

    fn state(&self) -> DatabaseState {
        // An earlier attempt's statement in doubt may be in by now.
        let in_doubt = self.in_doubt.filter(|index| *index >= self.done);
        if self.left || in_doubt.is_some() {
            DatabaseState::Partly {
                done: self.done,
                in_doubt,
            }
        } else {
            DatabaseState::Unchanged
        }
    }
}
