//! A transaction of ours on a PostgreSQL server: everything that belongs to it is sent without waiting for answers. One
//! round trip a migration, however many statements it has.
//!
//! What must never happen is that a statement runs although the transaction has not begun. So what opens the transaction
//! goes in one message with the first statement, of which the server runs nothing behind an error, and every later message
//! first asks for something that exists only inside a transaction. What fails in the transaction makes everything behind
//! it fail as well, the record and with it the commit included.

use std::time::Instant;

use crate::connection::Connection;
use crate::error::ServerError;
use crate::execute::groups::{Group, GroupKind};
use crate::execute::opening::Opening;
use crate::execute::run::Run;
use crate::execute::{ExecuteEvent, Problem, session};
use crate::postgres::client::Answer;

/// Outside a transaction the server refuses this; inside it does nothing.
const INSIDE: &str = "SAVEPOINT tollgate;RELEASE SAVEPOINT tollgate;";

/// One message: something of ours, then something of the file's or of ours.
struct Message {
    text: String,
    /// Where the second part begins.
    own: usize,
    /// How many statements the first part has.
    before: usize,
}

/// How far a transaction came that did not come through.
struct Failure {
    /// Which message.
    at: usize,
    /// In its second part, or further.
    inside: bool,
    error: ServerError,
}

impl Message {
    fn new(ours: &str, then: &str) -> Self {
        Self {
            text: format!("{ours}{then}"),
            own: ours.len(),
            before: statements_in(ours),
        }
    }

    /// Whether a failure lies in the second part, and where in it the server points.
    fn locate(&self, at: usize, answer: Answer, mut error: ServerError) -> Failure {
        let pointed = error.position.and_then(|position| position.checked_sub(self.own));
        error.position = pointed;
        Failure {
            at,
            // Syntax is read before anything of the message runs.
            inside: pointed.is_some() || answer.completed >= self.before,
            error,
        }
    }
}

/// Statements in SQL of ours, each of which ends with a semicolon.
fn statements_in(sql: &str) -> usize {
    let mut quote = None;
    let mut count = 0;
    let mut empty = true;
    for c in sql.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c == ';' => {
                count += usize::from(!empty);
                empty = true;
                continue;
            }
            _ => {}
        }
        empty &= c.is_whitespace();
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
        let restores = carries && session::disturbs(self.script);
        let messages = self.messages(group, carries, restores);
        let (first, failure) = self.exchange(group, &messages);
        let opened = self
            .opening
            .as_ref()
            .map_or(0, |opening| statements_in(opening.before()));
        if first.completed >= opened {
            // It was in a transaction of its own, which is committed.
            self.opening.take_if(|opening| matches!(opening, Opening::Before(_)));
        }
        let commit = group.statements.len();
        match failure {
            Some(failure) if failure.at == 0 && !failure.inside => Err(self.database.unguarded(failure.error).into()),
            Some(failure) if failure.at < commit => {
                Err(self.refused(group.statements[failure.at], failure.error, attempt))
            }
            Some(failure) if failure.at == commit => Err(Problem::Commit {
                statements: (
                    group.statements.first().copied().unwrap_or(0),
                    group.statements.last().copied().unwrap_or(0),
                ),
                error: failure.error,
            }),
            // It is in. Only putting the session back failed: that is tried again.
            Some(_) => Ok(()),
            None => {
                self.restored = carries;
                Ok(())
            }
        }
    }

    /// What is recorded before the transaction, and its beginning.
    fn head(&self, group: &Group) -> String {
        let first = group.statements.first().copied().unwrap_or(0);
        let (before, within) = self
            .opening
            .as_ref()
            .map_or(("", ""), |opening| (opening.before(), opening.within()));
        let begin = session::begin(self.script.dialect);
        let limits = session::limits(self.script, first, self.options);
        let guard = self.database.guard();
        // What comes before it has asked already, a moment ago in the same message; then taking part is enough.
        match (
            before.is_empty(),
            session::sets_transaction(self.script, &group.statements),
        ) {
            (false, false) => format!("{before}{begin};{}{limits}{within}", self.database.take_part()),
            (true, false) => format!("{begin};{guard}{limits}{within}"),
            // Nothing may be asked in a transaction before its isolation level is set.
            (false, true) => format!("{before}{begin};{limits}{within}"),
            (true, true) => format!("{begin};{guard}COMMIT;{begin};{limits}{within}"),
        }
    }

    /// The statements, the record with the commit, and what puts the session back.
    fn messages(&self, group: &Group, carries: bool, restores: bool) -> Vec<Message> {
        let head = self.head(group);
        let text = |index: &usize| self.script.statements[*index].span.of(&self.script.text);
        let ours = |number| if number == 0 { head.as_str() } else { INSIDE };
        let mut messages: Vec<Message> = group
            .statements
            .iter()
            .enumerate()
            .map(|(number, index)| Message::new(ours(number), text(index)))
            .collect();
        messages.push(Message::new(INSIDE, &(self.seal(carries, group.end()) + "COMMIT")));
        messages.extend(restores.then(|| Message::new("", &self.database.restoring())));
        messages
    }

    /// Sends everything and follows the answers. The first one, and what failed first.
    fn exchange(&mut self, group: &Group, messages: &[Message]) -> (Answer, Option<Failure>) {
        let canceller = self.database.canceller();
        let (events, ran, interrupt) = (&mut *self.events, &mut self.ran, &self.options.interrupt);
        let statements = &group.statements;
        let mut first = Answer::default();
        let mut failure = None;
        let mut cancelling = false;
        let mut began = Instant::now();
        let Connection::Postgres(connection) = &mut self.database.connection else {
            // Only groups for PostgreSQL get here.
            return (first, None);
        };
        events(ExecuteEvent::Statement { index: statements[0] });
        interrupt.running(canceller);
        let texts: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
        connection.run_together(&texts, &mut |at, answer, error, notices| {
            if at == 0 {
                first = answer;
            }
            let statement = statements.get(at).copied();
            for notice in notices.into_iter().filter(|_| failure.is_none()) {
                events(ExecuteEvent::Notice { statement, notice });
            }
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
        (first, failure)
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
