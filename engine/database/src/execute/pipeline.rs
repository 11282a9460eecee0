//! A transaction of ours on a PostgreSQL server: once it has begun, all its statements and the commit are sent without
//! waiting for each other's answers. Two round trips a migration, however many statements it has.
//!
//! That is safe because the transaction is known to be open: what fails makes everything behind it fail as well, the
//! record and with it the commit included.

use std::time::Instant;

use crate::connection::Connection;
use crate::error::ServerError;
use crate::execute::groups::{Group, GroupKind};
use crate::execute::opening::Opening;
use crate::execute::run::Run;
use crate::execute::{ExecuteEvent, Problem, session};

impl Run<'_> {
    /// Whether a group's statements can be sent together.
    pub(super) fn can_be_sent_together(&self, group: &Group) -> bool {
        group.kind == GroupKind::Ours && self.database.connection.is_postgres()
    }

    /// Runs a transaction.
    pub(super) fn try_together(&mut self, group: &Group, carries: bool, attempt: u32) -> Result<(), Problem> {
        self.begin_guarded(group)?;
        self.go_on()?;
        let restores = carries && session::disturbs(self.script);
        let texts = self.texts(group, carries, restores);
        let failure = self.exchange(group, &texts);
        let commit = group.statements.len();
        match failure {
            Some((at, error)) if at < commit => Err(self.refused(group.statements[at], error, attempt)),
            Some((at, error)) if at == commit => Err(Problem::Commit {
                statements: (
                    group.statements.first().copied().unwrap_or(0),
                    group.statements.last().copied().unwrap_or(0),
                ),
                error,
            }),
            // It is in. Only putting the session back failed: that is tried again.
            Some(_) => Ok(()),
            None => {
                self.restored = carries;
                Ok(())
            }
        }
    }

    /// Writes what comes before the transaction and begins it. When this is answered, it is open.
    fn begin_guarded(&mut self, group: &Group) -> Result<(), Problem> {
        let first = group.statements.first().copied().unwrap_or(0);
        let (before, within) = self
            .opening
            .as_ref()
            .map_or(("", ""), |opening| (opening.before(), opening.within()));
        // What comes before it has asked already, a moment ago in the same message; then taking part is enough.
        let guard = if before.is_empty() {
            self.database.guard()
        } else {
            self.database.take_part()
        };
        let sql = format!(
            "{before} {};{guard}{}{within}",
            session::begin(self.script.dialect),
            session::limits(self.script, first, self.options),
        );
        let begun = self.database.connection.run(&sql);
        begun.map_err(|error| self.database.unguarded(error))?;
        self.opening.take_if(|opening| matches!(opening, Opening::Before(_)));
        Ok(())
    }

    /// The statements, the record with the commit, and what puts the session back.
    fn texts(&self, group: &Group, carries: bool, restores: bool) -> Vec<String> {
        let text = |index: &usize| self.script.statements[*index].span.of(&self.script.text).to_owned();
        let mut texts: Vec<String> = group.statements.iter().map(text).collect();
        texts.push(self.seal(carries, group.end()) + "COMMIT");
        texts.extend(restores.then(|| self.database.restoring()));
        texts
    }

    /// Sends everything and follows the answers. What failed first, and how.
    fn exchange(&mut self, group: &Group, texts: &[String]) -> Option<(usize, ServerError)> {
        let canceller = self.database.canceller();
        let Connection::Postgres(connection) = &mut self.database.connection else {
            return Some((0, ServerError::text("only PostgreSQL takes statements together")));
        };
        let (events, ran, interrupt) = (&mut *self.events, &mut self.ran, &self.options.interrupt);
        let statements = &group.statements;
        let mut failure = None;
        let mut cancelling = false;
        let mut began = Instant::now();
        events(ExecuteEvent::Statement { index: statements[0] });
        interrupt.running(canceller);
        connection.run_together(texts, &mut |at, answer, notices| {
            let statement = statements.get(at).copied();
            for notice in notices.into_iter().filter(|_| failure.is_none()) {
                events(ExecuteEvent::Notice { statement, notice });
            }
            match (answer, statement) {
                (Err(error), _) if failure.is_none() => failure = Some((at, error)),
                (Ok(()), Some(index)) if failure.is_none() => {
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
                _ => {}
            }
        });
        interrupt.running(None);
        failure
    }
}
