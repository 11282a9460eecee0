//! Why a migration could not be applied or taken back, and what the database is like now.

use tollgate_sql::{Position, Script, Span};

use crate::error::{DatabaseError, ServerError};
use crate::execute::groups::control;
use crate::interrupt::Interrupt;
use crate::ledger::INTERRUPTED;
use crate::sessions::LockHolder;
use crate::sqlite::connect::{is_busy, is_interrupted};

/// A migration could not be applied or taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("migration \"{migration}\" failed: {problem}")]
pub struct ExecuteError {
    /// Folder name.
    pub migration: String,
    /// What went wrong.
    pub problem: Box<Problem>,
    /// What the database is like now.
    pub state: DatabaseState,
    /// The line on which each statement of its file begins. Empty: the file was not looked at.
    pub lines: Vec<usize>,
    /// The COMMIT of the file that the server refused.
    pub commit: Option<Span>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The server refused a statement of the file.
    #[error("{}{error}", lost(error))]
    Statement {
        /// Which, from zero.
        index: usize,
        /// Where: the place the server points at, or the whole statement.
        span: Span,
        /// What the server said.
        error: ServerError,
        /// Where that is, and how it was tried.
        about: Box<Circumstances>,
    },
    /// The server refused to commit: a deferred constraint, usually.
    #[error("{}the transaction could not be committed: {error}", lost(error))]
    Commit {
        /// The statements of the transaction, from zero: first and last.
        statements: (usize, usize),
        /// What the server said.
        error: ServerError,
        /// Who stood in the way, as far as that could be seen.
        blockers: Vec<LockHolder>,
    },
    /// An earlier attempt is unfinished, and it is not certain that nothing of it is in the database.
    #[error("an earlier attempt is unfinished")]
    Unfinished {
        /// What is known of it.
        leftovers: super::Leftovers,
    },
    /// The file was changed before the place where an earlier attempt stopped.
    #[error("{} in the database and changed in the file since", first(*statements))]
    Changed {
        /// How many.
        statements: usize,
        /// Where the first of them that was changed begins, where that is known.
        place: Option<(Span, Position)>,
    },
    /// The lock was gone before it could begin.
    #[error("the migration lock was lost")]
    LockLost,
    /// It is not applied, so it cannot be taken back.
    #[error("it is not applied")]
    NotApplied,
    /// The run was asked to stop.
    #[error("interrupted{}", cancelled_statement(*cancelled))]
    Interrupted {
        /// The statement that was cancelled for it, from zero.
        cancelled: Option<usize>,
        /// The next attempt goes on by itself. `false`: what the cancelled statement has left is for a person to see.
        goes_on: bool,
    },
    /// Something other than a statement of the file.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Where a statement failed, and how it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// Where the place is that the error points at.
    pub position: Position,
    /// Attempts that were made.
    pub attempts: u32,
    /// Who stood in the way of the last one, as far as that could be seen.
    pub blockers: Vec<LockHolder>,
}

/// What the database is like after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseState {
    /// As it was before: nothing of the migration is in it.
    Unchanged,
    /// Some statements are in.
    Partly {
        /// Statements before this one are in, counted from zero.
        done: usize,
        /// This one failed outside a transaction and may have left something.
        in_doubt: Option<usize>,
    },
    /// The connection was lost at a moment at which both is possible.
    Unknown,
}

impl Problem {
    /// The server refused to commit these statements.
    pub(crate) fn commit(statements: (usize, usize), error: ServerError) -> Self {
        Self::Commit {
            statements,
            error,
            blockers: Vec::new(),
        }
    }

    /// The part of the file that is in the database was changed, first statement `first`.
    pub(crate) fn changed(script: &Script, statements: usize, first: Option<usize>) -> Self {
        let place = first.and_then(|index| script.statements.get(index)).map(|statement| {
            let position = Position::of(&script.text, statement.span.start);
            (statement.span, position)
        });
        Self::Changed { statements, place }
    }

    /// What the server said, when it was the server.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Statement { error, .. }
            | Self::Commit { error, .. }
            | Self::Database(DatabaseError::Server { error, .. }) => Some(error),
            _ => None,
        }
    }

    /// The connection was lost: the server has not said what became of the statement.
    pub fn is_lost(&self) -> bool {
        self.server().is_some_and(|error| error.connection_lost)
    }

    /// Who stood in the way of the last attempt.
    pub fn blockers(&self) -> &[LockHolder] {
        match self {
            Self::Statement { about, .. } => &about.blockers,
            Self::Commit { blockers, .. } => blockers,
            _ => &[],
        }
    }

    /// The run stopped between two statements.
    pub(crate) fn interrupted() -> Self {
        Self::Interrupted {
            cancelled: None,
            goes_on: true,
        }
    }

    /// The same, once a run was asked to stop: a statement that the server cancelled has not failed then, and one that was
    /// kept waiting was not run.
    pub(crate) fn after(self, interrupt: &Interrupt) -> Self {
        if interrupt.asked() == 0 {
            return self;
        }
        let ended = |of: fn(&ServerError) -> bool| self.server().is_some_and(of);
        let cancelled = ended(|error| error.is(CANCELLED) || is_interrupted(error));
        match self {
            Self::Statement { index, .. } if cancelled => Self::Interrupted {
                cancelled: Some(index),
                goes_on: true,
            },
            _ if cancelled || ended(is_busy) => Self::interrupted(),
            other => other,
        }
    }
}

/// `query_canceled`: by a request, or by a time limit.
const CANCELLED: &str = "57014";

impl ExecuteError {
    pub(crate) fn new(migration: &str, problem: impl Into<Problem>, state: DatabaseState) -> Self {
        Self {
            migration: migration.to_owned(),
            problem: Box::new(problem.into()),
            state,
            lines: Vec::new(),
            commit: None,
        }
    }

    /// The same with the lines of its file.
    #[must_use]
    pub(crate) fn of(mut self, script: &Script) -> Self {
        self.lines = script.lines();
        if let Problem::Commit { statements, .. } = &*self.problem {
            let last = script.statements.get(statements.1);
            self.commit = last
                .filter(|statement| control(statement).is_some())
                .map(|statement| statement.span);
        }
        self
    }

    /// What the server said, when it was the server.
    pub fn server(&self) -> Option<&ServerError> {
        self.problem.server()
    }

    /// The connection was lost, and what is in the database is known for certain: another attempt goes on from there.
    pub fn can_go_on(&self) -> bool {
        let certain = matches!(
            self.state,
            DatabaseState::Unchanged | DatabaseState::Partly { in_doubt: None, .. }
        );
        certain && self.problem.is_lost()
    }

    /// SQLSTATE.
    pub fn sqlstate(&self) -> Option<&str> {
        self.server()?.sqlstate.as_deref()
    }

    /// The failed statement, from zero.
    pub fn statement(&self) -> Option<usize> {
        match &*self.problem {
            Problem::Statement { index, .. } => Some(*index),
            _ => None,
        }
    }

    /// Where to point in the file.
    pub fn span(&self) -> Option<Span> {
        match &*self.problem {
            Problem::Statement { span, .. } => Some(*span),
            Problem::Changed { place, .. } => place.map(|(span, _)| span),
            Problem::Commit { .. } => self.commit,
            _ => None,
        }
    }

    /// What to say at that place.
    pub fn label(&self) -> String {
        match &*self.problem {
            Problem::Changed { .. } => "this was something else when it was run".to_owned(),
            problem => problem.to_string(),
        }
    }

    /// DETAIL.
    pub fn detail(&self) -> Option<&str> {
        self.server()?.more.detail.as_deref()
    }

    /// HINT.
    pub fn hint(&self) -> Option<&str> {
        self.server()?.more.hint.as_deref()
    }

    /// What the database is like now and what to do, in a sentence or two.
    pub fn help(&self) -> String {
        if let Problem::Changed { statements, .. } = &*self.problem {
            return format!(
                "put the {} of the file back as it was and resume, or bring the database to the state you want by hand and \
                 use resolve",
                if *statements == 1 {
                    "first statement".to_owned()
                } else {
                    format!("first {statements} statements")
                }
            );
        }
        match &self.state {
            DatabaseState::Unchanged => match &*self.problem {
                Problem::NotApplied => "the database is as it was before".to_owned(),
                Problem::Interrupted { .. } => {
                    "nothing of it is in the database: run the command again, it starts from the beginning".to_owned()
                }
                Problem::Unfinished { .. } => {
                    "look at what the database holds of it, then use resolve --applied or resolve --rolled-back"
                        .to_owned()
                }
                _ => "nothing of it is in the database: mend the cause and run the command again".to_owned(),
            },
            DatabaseState::Partly { done, .. }
                if matches!(
                    &*self.problem,
                    Problem::Interrupted { goes_on: true, .. } | Problem::LockLost
                ) =>
            {
                format!(
                    "{} of its statements {} in the database: run the command again, it goes on from there",
                    done,
                    if *done == 1 { "is" } else { "are" }
                )
            }
            DatabaseState::Partly { done, in_doubt } => {
                let doubt = in_doubt.map_or_else(String::new, |index| {
                    format!(
                        " statement {} ran outside a transaction and may have left something behind;",
                        index + 1
                    )
                });
                format!(
                    "{} of its statements {} in the database;{doubt} mend the cause and resume, or use resolve",
                    done,
                    if *done == 1 { "is" } else { "are" }
                )
            }
            DatabaseState::Unknown => {
                "the connection was lost; run the command again, it finds out what is in the database".to_owned()
            }
        }
    }
}

fn cancelled_statement(index: Option<usize>) -> String {
    index.map_or_else(String::new, |index| format!(": statement {} was cancelled", index + 1))
}

/// Says of a lost connection that it is one: the words of drivers do not always.
fn lost(error: &ServerError) -> &'static str {
    if error.connection_lost {
        "the connection was lost: "
    } else {
        ""
    }
}

fn first(statements: usize) -> String {
    if statements == 1 {
        "its first statement is".to_owned()
    } else {
        format!("its first {statements} statements are")
    }
}

/// The text for the ledger's `logs`, as Prisma words it.
pub(crate) fn logs(migration: &str, problem: &Problem, notices: Option<&str>) -> String {
    if matches!(problem, Problem::Interrupted { .. }) {
        return format!("{INTERRUPTED}\n\nMigration name: {migration}\n\n{problem}\n");
    }
    let (error, place) = match problem {
        Problem::Statement {
            index, about, error, ..
        } => (
            Some(error),
            format!(
                "Statement {} at line {}, column {}",
                index + 1,
                about.position.line,
                about.position.column
            ),
        ),
        Problem::Commit { error, .. } => (Some(error), "COMMIT".to_owned()),
        _ => (None, String::new()),
    };
    let code = error.and_then(|error| error.sqlstate.as_deref()).unwrap_or("none");
    let mut text = format!(
        "A migration failed to apply. New migrations cannot be applied before the error is recovered from. Read more about \
         how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve\n\n\
         Migration name: {migration}\n\nDatabase error code: {code}\n\nDatabase error:\nERROR: {problem}\n"
    );
    if let Some(error) = error {
        for (title, line) in [
            ("DETAIL", &error.more.detail),
            ("HINT", &error.more.hint),
            ("CONTEXT", &error.more.context),
        ] {
            if let Some(line) = line {
                text.extend([title, ": ", line, "\n"]);
            }
        }
    }
    if !place.is_empty() {
        text.extend(["\n", &place, "\n"]);
    }
    if let Some(notices) = notices {
        text.extend(["\n", notices]);
    }
    text
}
