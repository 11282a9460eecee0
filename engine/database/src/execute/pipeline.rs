//! A transaction of ours on a PostgreSQL server: everything that belongs to it is sent without waiting for answers. One
//! round trip a migration, however many statements it has.
//!
//! What must never happen is that a statement runs although the transaction has not begun. So what opens the transaction
//! goes in one message with the first statement, of which the server runs nothing behind an error, and every later message
//! first asks for something that exists only inside a transaction. What fails in the transaction makes everything behind
//! it fail as well, the record and with it the commit included; these go in one message with the last statement. (All of
//! them in a single message would be cheaper still. But the server answers a message only at its end: there would be no
//! progress, and no statement between which to stop.)

use std::time::Instant;

use crate::connection::Connection;
use crate::error::ServerError;
use crate::execute::groups::{Group, GroupKind};
use crate::execute::run::Run;
use crate::execute::watch::Waiting;
use crate::execute::{Durability, ExecuteEvent, Problem, session};
use crate::postgres::client::Answer;
use crate::postgres::connection::Heard;
use crate::query_text::FROM_HERE;

/// Outside a transaction the server refuses this; inside it does nothing.
const INSIDE: &str = "SAVEPOINT tollgate;RELEASE SAVEPOINT tollgate;";

/// One message: something of ours, a statement of the file's, and again something of ours.
struct Message {
    text: String,
    /// Where the statement is.
    own: std::ops::Range<usize>,
    /// How many statements the first part has.
    before: usize,
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Before,
    Own,
    After,
}

/// How far a transaction came that did not come through.
struct Failure {
    /// Which message.
    at: usize,
    /// Which part of it.
    part: Part,
    error: ServerError,
}

impl Message {
    fn new(ours: &str, then: &str, after: &str) -> Self {
        // The statement may end with a comment.
        let end = if after.is_empty() { "" } else { "\n;" };
        let start = ours.len() + FROM_HERE.len();
        Self {
            text: format!("{ours}{FROM_HERE}{then}{end}{after}"),
            own: start..start + then.len(),
            before: statements_in(ours),
        }
    }

    /// Which part the server was at when it had done so many statements.
    fn part(&self, completed: usize) -> Part {
        match completed.checked_sub(self.before) {
            None => Part::Before,
            Some(0) => Part::Own,
            Some(_) => Part::After,
        }
    }

    /// In which part a failure lies, and where in the statement the server points.
    fn locate(&self, at: usize, answer: Answer, mut error: ServerError) -> Failure {
        let pointed = error.position.filter(|position| self.own.contains(position));
        error.position = pointed.map(|position| position - self.own.start);
        // Syntax is read before anything of the message runs. Of a message that the server did not come to answer it is not
        // known how far it came.
        let own = pointed.is_some() || error.connection_lost;
        let part = if own { Part::Own } else { self.part(answer.completed) };
        Failure { at, part, error }
    }
}

/// Statements in SQL of ours, each of which ends with a semicolon.
fn statements_in(sql: &str) -> usize {
    let mut quote = None;
    let mut count = 0;
    let mut empty = true;
    // What counts is ASCII, of which no other character has a byte.
    for byte in sql.bytes() {
        match quote {
            Some(open) if byte == open => quote = None,
            None if matches!(byte, b'\'' | b'"') => quote = Some(byte),
            None if byte == b';' => {
                count += usize::from(!empty);
                empty = true;
                continue;
            }
            _ => {}
        }
        empty &= byte.is_ascii_whitespace();
    }
    count
}

impl Run<'_> {
    /// Whether a group's statements can be sent together.
    pub(super) fn can_be_sent_together(&self, group: &Group) -> bool {
        group.kind == GroupKind::Ours && self.database.connection.is_postgres()
    }

    /// Runs a transaction.
    pub(super) fn try_together(&mut self, group: &Group, carries: bool, attempt: u32) -> Result<(), Problem> {
        self.go_on()?;
        let prepared = self.database.prepare_repeated();
        prepared.map_err(|error| self.refused(group.statements[0], error, attempt))?;
        let restores = carries && session::disturbs(self.script);
        let failure = self.carry_out(group, carries, restores);
        let commit = |error| {
            let first = group.statements.first().copied().unwrap_or(0);
            Problem::commit((first, group.statements.last().copied().unwrap_or(0)), error)
        };
        match failure {
            Some(Failure {
                at: 0,
                part: Part::Before,
                error,
            }) => Err(self.database.unguarded(error).into()),
            // It is in. Only putting the session back failed: that is tried again.
            Some(failure) if failure.at == group.statements.len() => Ok(()),
            Some(Failure {
                part: Part::After,
                error,
                ..
            }) => Err(commit(error)),
            Some(Failure { at, error, .. }) => Err(self.refused(group.statements[at], error, attempt)),
            None => {
                self.restored = carries;
                Ok(())
            }
        }
    }

    /// Sends the transaction; once more in full, when what it relies on was not prepared any longer.
    fn carry_out(&mut self, group: &Group, carries: bool, restores: bool) -> Option<Failure> {
        let ran = self.ran;
        let failure = self.exchange(group, &self.messages(group, carries, restores))?;
        if failure.part == Part::Own || !self.database.has_lost_prepared(&failure.error) {
            return Some(failure);
        }
        // Nothing of it is in.
        let _ = self.database.connection.run("ROLLBACK");
        self.ran = ran;
        self.exchange(group, &self.messages(group, carries, restores))
    }

    /// The beginning of the transaction.
    fn head(&self, group: &Group, carries: bool) -> String {
        let first = group.statements.first().copied().unwrap_or(0);
        let begin = session::begin(self.script.dialect);
        let mut limits = session::limits(self.script, first, self.options);
        if carries && self.atomic && self.durability == Durability::WithTheNext {
            limits += session::WITHOUT_WAITING;
        }
        if session::sets_transaction(self.script, &group.statements) {
            // Nothing may be asked in a transaction before its isolation level is set.
            let guard = self.database.lasting_guard();
            format!("{begin};{guard}COMMIT;{begin};{limits}")
        } else {
            let guard = self.database.short_guard();
            format!("{begin};{guard}{limits}")
        }
    }

    /// The statements, with the last one the record and the commit, and what puts the session back.
    fn messages(&self, group: &Group, carries: bool, restores: bool) -> Vec<Message> {
        let head = self.head(group, carries);
        let seal = self.seal(carries, group.end()) + "COMMIT";
        let last = group.statements.len() - 1;
        let message = |(number, index): (usize, &usize)| {
            let text = self.script.statements[*index].span.of(&self.script.text);
            let ours = if number == 0 { head.as_str() } else { INSIDE };
            Message::new(ours, text, if number == last { &seal } else { "" })
        };
        let mut messages: Vec<Message> = group.statements.iter().enumerate().map(message).collect();
        messages.extend(restores.then(|| Message::new("", &self.database.restoring(), "")));
        messages
    }

    /// Sends everything and follows the answers. What failed first.
    fn exchange(&mut self, group: &Group, messages: &[Message]) -> Option<Failure> {
        let canceller = self.database.canceller();
        let mut waiting = Waiting::start(self.database, self.options.lock_timeout);
        let (events, ran, interrupt) = (&mut *self.events, &mut self.ran, &self.options.interrupt);
        let statements = &group.statements;
        let mut failure = None;
        let mut cancelling = false;
        let mut began = Instant::now();
        let Connection::Postgres(connection) = &mut self.database.connection else {
            // Only groups for PostgreSQL get here.
            return None;
        };
        events(ExecuteEvent::Statement { index: statements[0] });
        interrupt.running(canceller);
        let texts: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
        connection.run_together(&texts, &mut |Heard { at, said, answered }| {
            let statement = statements.get(at).copied();
            for (completed, notice) in said.into_iter().filter(|_| failure.is_none()) {
                let statement = statement.filter(|_| messages[at].part(completed) != Part::After);
                events(ExecuteEvent::Notice { statement, notice });
            }
            let Some((answer, error)) = answered else {
                if failure.is_none() {
                    waiting.look(statement, events);
                }
                return;
            };
            waiting.begin();
            match (error, statement) {
                _ if failure.is_some() => {}
                (Some(error), _) => failure = Some(messages[at].locate(at, answer, error)),
                (None, Some(index)) => {
                    *ran += 1;
                    events(ExecuteEvent::StatementDone {
                        index,
                        elapsed: began.elapsed(),
                    });
                    began = Instant::now();
                    if let Some(&index) = statements.get(at + 1) {
                        events(ExecuteEvent::Statement { index });
                        if interrupt.asked() > 0 && !cancelling {
                            cancelling = true;
                            // The next statement ends where it begins, and the transaction with it. That no request gets
                            // through in time only means that the migration is finished first.
                            let interrupt = interrupt.clone();
                            std::thread::spawn(move || interrupt.cancel());
                        }
                    }
                }
                (None, None) => {}
            }
        });
        interrupt.running(None);
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_ours_are_counted() {
        for (sql, count) in [
            ("", 0),
            ("BEGIN;", 1),
            ("BEGIN; ;SET LOCAL a = 'x;y''z;';COMMIT;BEGIN;", 4),
            ("INSERT INTO \"a;b\" VALUES (';');", 1),
            (INSIDE, 2),
        ] {
            assert_eq!(statements_in(sql), count, "{sql}");
        }
    }
}
