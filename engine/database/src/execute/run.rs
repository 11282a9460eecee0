//! The one way in which scripts are run: groups of statements, each committed together with the record of it.

use std::collections::BTreeSet;
use std::time::Instant;

use tollgate_sql::operation::{Operation, TransactionControl};
use tollgate_sql::{Position, Script};

use crate::database::Database;
use crate::error::{DatabaseError, ServerError};
use crate::execute::applied::applied_part;
use crate::execute::groups::{Group, GroupKind, control, only_settings, plan};
use crate::execute::opening::Opening;
use crate::execute::pointing::{named, token};
use crate::execute::watch::{Waiting, Watch};
use crate::execute::{
    Circumstances, Durability, ExecuteEvent, ExecuteOptions, Pragmas, Problem, Transactions, blockers, outside, session,
};
use crate::postgres::connection::Notice;
use crate::state::progress::{Direction, Progress};

/// A script on its way into the database.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that have nothing to do with each other"
)]
pub(crate) struct Run<'a> {
    pub database: &'a mut Database,
    pub script: &'a Script,
    pub direction: Direction,
    /// The ledger row it is recorded in.
    pub row: String,
    pub options: &'a ExecuteOptions,
    /// What the file says itself; its limits are in the options already.
    pub pragmas: Pragmas,
    pub durability: Durability,
    pub events: &'a mut dyn FnMut(ExecuteEvent),
    /// Statements that are in.
    pub done: usize,
    /// A statement of an earlier attempt that may be in.
    pub in_doubt: Option<usize>,
    /// There was an earlier attempt.
    pub again: bool,
    /// Something of it is committed.
    pub left: bool,
    /// What the ledger is told when the script begins, as long as that is not written.
    pub opening: Option<Opening>,
    /// There is a record of its progress, to be forgotten at the end.
    pub followed: bool,
    /// Statements run by this attempt.
    pub ran: usize,
    /// Statements that ran outside a transaction.
    pub outside: Vec<usize>,
    /// The record was committed together with every statement.
    pub atomic: bool,
    /// PostgreSQL: its progress is on record.
    pub tracked: bool,
    /// The session is as it was before.
    pub restored: bool,
    /// Somebody stood in the way of the last attempt.
    blocked: bool,
    finished: bool,
}

/// How a group ended.
enum Step {
    Done,
    /// These have to run outside a transaction; nothing of the group is in.
    Alone(Vec<usize>),
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        database: &'a mut Database,
        script: &'a Script,
        direction: Direction,
        row: String,
        options: &'a ExecuteOptions,
        events: &'a mut dyn FnMut(ExecuteEvent),
    ) -> Self {
        Self {
            database,
            script,
            direction,
            row,
            options,
            pragmas: Pragmas::default(),
            durability: Durability::Now,
            events,
            done: 0,
            in_doubt: None,
            again: false,
            left: false,
            opening: None,
            followed: true,
            ran: 0,
            outside: Vec::new(),
            atomic: true,
            tracked: true,
            restored: false,
            blocked: false,
            finished: false,
        }
    }

    /// Runs everything that is not in yet, and records it as finished.
    pub(crate) fn all(&mut self) -> Result<(), Problem> {
        self.stays_here()?;
        // What an earlier attempt found out about its statement in doubt holds for this one, too.
        let mut alone: BTreeSet<usize> = self.in_doubt.into_iter().collect();
        self.database.wait_for_locks(self.options.lock_timeout)?;
        self.repeat_settings()?;
        'planned: loop {
            let mut groups = plan(self.script, &alone, self.pragmas.transactions);
            // An earlier attempt may have found statements that have to run alone: what stood before them is in.
            for group in groups.iter_mut().filter(|group| group.kind == GroupKind::Ours) {
                group.statements.retain(|index| *index >= self.done);
            }
            let carrier = self.carrier(&groups);
            let committing = groups.iter().filter(|group| group.kind != GroupKind::Session).count();
            self.atomic = committing <= 1 && carrier.is_some();
            let commits_inside = groups.iter().any(|group| group.commits_inside);
            if committing > 0 && (!self.atomic || commits_inside) {
                self.open()?;
            }
            for (number, group) in groups.iter().enumerate() {
                // Settings of what is in have been repeated.
                if group.end() <= self.done {
                    continue;
                }
                if !self.finished {
                    self.go_on()?;
                }
                match self.group(group, carrier == Some(number))? {
                    Step::Done => {}
                    Step::Alone(statements) => {
                        alone.extend(statements);
                        continue 'planned;
                    }
                }
            }
            break;
        }
        if !self.finished {
            self.record_apart(true, self.script.statements.len())?;
        }
        Ok(())
    }

    /// Stops here when the run was asked to. What is open is rolled back then.
    pub(super) fn go_on(&self) -> Result<(), Problem> {
        match self.options.interrupt.asked() {
            0 => Ok(()),
            _ => Err(Problem::interrupted()),
        }
    }

    /// The group whose transaction holds the record that everything is in; `None`: the record follows at the end.
    fn carrier(&self, groups: &[Group]) -> Option<usize> {
        let last = groups.iter().rposition(|group| group.kind != GroupKind::Session)?;
        let only_switches_follow = groups[last + 1..]
            .iter()
            .all(|group| group.statements.iter().all(|index| self.sets(*index, "foreign_keys")));
        let carries = matches!(groups[last].kind, GroupKind::Ours | GroupKind::Own);
        (carries && only_switches_follow).then_some(last)
    }

    fn sets(&self, index: usize, parameter: &str) -> bool {
        self.script.statements[index].effects.iter().any(|effect| {
            matches!(&effect.operation, Operation::SetParameter { name, .. } if name.eq_ignore_ascii_case(parameter))
        })
    }

    /// A resumed script needs the session settings of the part that is in already.
    fn repeat_settings(&mut self) -> Result<(), Problem> {
        for index in 0..self.done.min(self.script.statements.len()) {
            if only_settings(&self.script.statements[index]) {
                self.send(index).map_err(|error| self.refused(index, error, 1))?;
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &Group, carries: bool) -> Result<Step, Problem> {
        match group.kind {
            GroupKind::Session => {
                let index = group.statements[0];
                self.statement(index).map_err(|error| self.refused(index, error, 1))?;
                Ok(Step::Done)
            }
            GroupKind::Alone => self.alone(group.statements[0]).map(|()| Step::Done),
            GroupKind::Ours | GroupKind::Own | GroupKind::OwnDiscarded => self.transaction(group, carries),
        }
    }

    /// A transaction, tried again when a lock timeout or the like ends it.
    fn transaction(&mut self, group: &Group, carries: bool) -> Result<Step, Problem> {
        if group.commits_inside {
            self.mark_in_flight(group.statements[0], false)?;
        }
        let mut attempt = 1;
        loop {
            let problem = match self.attempt(group, carries, attempt) {
                Ok(()) => break,
                Err(problem) => problem,
            };
            // It may be over already; that it cannot be rolled back says nothing new.
            let _ = self.database.connection.run("ROLLBACK");
            self.database.forget_prepared_by(self.script);
            if let Some(statements) = self.must_run_alone(group, &problem) {
                return Ok(Step::Alone(statements));
            }
            let problem = self.name_blockers(problem);
            let again = !group.commits_inside && attempt <= self.options.retries;
            match problem.server() {
                Some(error) if again && session::worth_retrying(error) => {
                    attempt += 1;
                    self.wait(attempt, &problem)?;
                }
                _ if group.commits_inside => return Err(self.leave_in_doubt(group.statements[0], problem)),
                _ => return Err(problem),
            }
        }
        self.committed(group, carries)?;
        Ok(Step::Done)
    }

    fn attempt(&mut self, group: &Group, carries: bool, attempt: u32) -> Result<(), Problem> {
        let watch = if self.blocked {
            Watch::start(self.database, self.options.lock_timeout)
        } else {
            None
        };
        let tried = if self.can_be_sent_together(group) {
            self.try_together(group, carries, attempt)
        } else {
            let before = self.database.wait_unless(Some(self.options.interrupt.clone()));
            let tried = self.try_transaction(group, carries, attempt);
            self.database.wait_unless(before);
            tried
        };
        let seen = watch.map(Watch::end).unwrap_or_default();
        tried.map_err(|mut problem| {
            match &mut problem {
                Problem::Statement { about, .. } => about.blockers = seen,
                Problem::Commit { blockers, .. } => *blockers = seen,
                _ => {}
            }
            problem
        })
    }

    /// Statement by statement: the file's own transactions, and ours on `SQLite`.
    fn try_transaction(&mut self, group: &Group, carries: bool, attempt: u32) -> Result<(), Problem> {
        let first = group.statements.first().copied().unwrap_or(0);
        let last = group.statements.last().copied().unwrap_or(0);
        let limits = session::limits(self.script, first, self.options);
        let ours = group.kind == GroupKind::Ours;
        // A transaction that is prepared would keep what it took for itself, and may not take what the session has.
        let ends = control(&self.script.statements[last]);
        let asks =
            !session::sets_transaction(self.script, &group.statements) && ends != Some(&TransactionControl::Prepared);
        if !asks {
            self.database.check_guard()?;
        }
        let within = self.database.guard_if(asks) + &limits;
        if ours {
            let begin = format!("{}; {within}", session::begin(self.script.dialect));
            self.database.connection.run_own("begin a transaction", &begin)?;
        }
        for &index in &group.statements {
            self.go_on()?;
            let ends = !ours && index == last;
            if ends && group.kind == GroupKind::Own {
                let record = self.seal(carries, group.end());
                self.database.connection.run_own("record the migration", &record)?;
            }
            self.statement(index).map_err(|error| {
                if ends {
                    Problem::commit((first, last), error)
                } else {
                    self.refused(index, error, attempt)
                }
            })?;
            if !ours && index == first && !within.is_empty() {
                let begun = self.database.connection.run(&within);
                begun.map_err(|error| self.database.unguarded(error))?;
            }
        }
        if ours {
            let end = format!("{} COMMIT", self.seal(carries, group.end()));
            let ended = self.database.connection.run(&end);
            ended.map_err(|error| Problem::commit((first, last), error))?;
        }
        Ok(())
    }

    /// Statements that write the record of a transaction into it. In a transaction that the server has given up without
    /// an error, they fail: nothing is ever recorded that is not kept.
    pub(super) fn seal(&self, carries: bool, end: usize) -> String {
        // Only what may have taken another role, or could have, needs the way back; and it may have forgotten statements.
        if session::disturbs(self.script) {
            self.database.as_ourselves(&self.record(carries, end, None))
        } else {
            self.record(carries, end, self.database.prepared_record())
        }
    }

    /// Statements that record how far it came, or that it is done. `prepared`: see [`NewRow::applied`].
    fn record(&self, finished: bool, end: usize, prepared: Option<String>) -> String {
        let written = match &self.opening {
            Some(Opening::Row(row)) if finished => return row.applied(prepared),
            Some(Opening::Row(row)) => row.begun(),
            _ => String::new(),
        };
        let progress = self.progress(end, None);
        written + &self.database.record(self.direction, finished, self.tracked, &progress)
    }

    fn committed(&mut self, group: &Group, carries: bool) -> Result<(), Problem> {
        let end = group.end();
        self.left |= group
            .statements
            .iter()
            .any(|index| !only_settings(&self.script.statements[*index]));
        if group.kind == GroupKind::OwnDiscarded {
            return Ok(self.record_apart(false, end)?);
        }
        self.done = end;
        self.finished |= carries;
        self.tracked |= !carries;
        self.opening = None;
        Ok(self.follow(carries)?)
    }

    /// After a commit: the same where the state is kept elsewhere.
    fn follow(&mut self, finished: bool) -> Result<(), DatabaseError> {
        if !self.followed {
            return Ok(());
        }
        let progress = self.progress(self.done, None);
        let followed = self.database.follow(&progress, finished);
        // It is in and recorded: nobody asks any more how far it came.
        if finished { Ok(()) } else { followed }
    }

    /// Writes a record in a transaction of its own.
    pub(super) fn record_apart(&mut self, finished: bool, end: usize) -> Result<(), DatabaseError> {
        let record = self.record(finished, end, None);
        self.tracked |= !finished;
        // What was recorded before has asked for the lock already.
        let guard = self.database.guard_if(self.opening.is_some());
        let sql = format!("BEGIN; {guard} {} COMMIT", self.database.as_ourselves(&record));
        // What it records is in: it is waited for, however long that takes.
        if let Err(error) = self.run_own_waiting(end.saturating_sub(1), "record the migration", &sql) {
            let _ = self.database.connection.run("ROLLBACK");
            return Err(error);
        }
        self.opening = None;
        self.done = end;
        self.finished |= finished;
        self.follow(finished)
    }

    pub(super) fn progress(&self, done: usize, in_flight: Option<usize>) -> Progress {
        Progress {
            row: self.row.clone(),
            direction: self.direction,
            done,
            digest: applied_part(self.script, done),
            in_flight,
            repeatable: in_flight.is_some_and(|index| outside::is_repeatable(&self.script.statements[index])),
        }
    }

    pub(super) fn mark_in_flight(&mut self, index: usize, outside: bool) -> Result<(), DatabaseError> {
        if outside {
            self.outside.push(index);
        }
        self.tracked = true;
        let progress = self.progress(self.done, Some(index));
        self.database.keep(&progress)
    }

    /// A statement outside a transaction, or a transaction that commits in its middle, has not come to its end, and may have
    /// left something.
    pub(super) fn leave_in_doubt(&mut self, index: usize, mut problem: Problem) -> Problem {
        self.left = true;
        self.in_doubt = Some(index);
        if let Problem::Interrupted { goes_on, .. } = &mut problem {
            *goes_on = outside::is_repeatable(&self.script.statements[index]);
        }
        problem
    }

    /// Statements of a rolled-back group that the server takes only outside a transaction, when that was the problem.
    fn must_run_alone(&self, group: &Group, problem: &Problem) -> Option<Vec<usize>> {
        let Problem::Statement { index, error, .. } = problem else {
            return None;
        };
        if group.kind != GroupKind::Ours || self.pragmas.transactions == Some(Transactions::Whole) {
            return None;
        }
        if session::refuses_transaction(error) {
            return Some(vec![*index]);
        }
        // 55P04: a new enum value can be used only once it is committed.
        let adds_value = |index: &usize| {
            self.script.statements[*index]
                .effects
                .iter()
                .any(|effect| matches!(effect.operation, Operation::AddEnumValue { .. }))
        };
        let additions: Vec<usize> = group.statements.iter().copied().filter(adds_value).collect();
        (error.is("55P04") && !additions.is_empty()).then_some(additions)
    }

    /// The same problem with who stood in the way, where somebody did. Who keeps a commit waiting is seen at the next attempt.
    pub(super) fn name_blockers(&mut self, mut problem: Problem) -> Problem {
        self.blocked = problem.server().is_some_and(session::is_blocked);
        if let Problem::Statement {
            index, error, about, ..
        } = &mut problem
            && self.blocked
            && about.blockers.is_empty()
        {
            let statement = &self.script.statements[*index];
            about.blockers = blockers::find(&mut self.database.connection, statement, error);
        }
        problem
    }

    /// Waits before another attempt, unless the run is asked to stop.
    pub(super) fn wait(&mut self, attempt: u32, problem: &Problem) -> Result<(), Problem> {
        self.go_on()?;
        let delay = session::pause(attempt);
        (self.events)(ExecuteEvent::Retrying {
            attempt,
            delay,
            reason: problem.to_string(),
            blockers: problem.blockers().to_vec(),
        });
        self.options.interrupt.sleep(delay);
        self.go_on()
    }

    pub(super) fn statement(&mut self, index: usize) -> Result<(), ServerError> {
        (self.events)(ExecuteEvent::Statement { index });
        let start = Instant::now();
        self.send(index)?;
        self.ran += 1;
        (self.events)(ExecuteEvent::StatementDone {
            index,
            elapsed: start.elapsed(),
        });
        Ok(())
    }

    /// Sends exactly the bytes of the file, so that positions of errors count in it.
    fn send(&mut self, index: usize) -> Result<(), ServerError> {
        let text = self.script.statements[index].span.of(&self.script.text);
        let limit = if self.outside.contains(&index) {
            self.pragmas.statement_timeout
        } else {
            self.options.statement_timeout
        };
        let mut waiting = Waiting::start(self.database, self.waits_at_most(index));
        let events = &mut *self.events;
        let mut tell = |said: Vec<Notice>| {
            for notice in said {
                let statement = Some(index);
                events(ExecuteEvent::Notice { statement, notice });
            }
            waiting.look(Some(index), events);
        };
        // Only the statements of the file are cancelled, not what records them.
        let run = |database: &mut Database| database.connection.run_telling(text, &mut tell);
        self.database.cancelled_by(&self.options.interrupt, limit, run)
    }

    pub(super) fn refused(&self, index: usize, error: ServerError, attempts: u32) -> Problem {
        let whole = self.script.statements[index].span;
        let text = &self.script.text;
        let offset = error.position.or_else(|| named(whole.of(text), &error.message));
        let span = offset.map_or(whole, |offset| token(text, whole.start + offset, whole.end));
        Problem::Statement {
            index,
            span,
            error,
            about: Box::new(Circumstances {
                position: Position::of(&self.script.text, span.start),
                attempts,
                blockers: Vec::new(),
            }),
        }
    }
}
