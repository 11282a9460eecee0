//! `seed`: SQL files with rows, each in one transaction of its own. No ledger knows of them.

use std::path::PathBuf;
use std::time::Instant;

use tollgate_database::{ConnectOptions, Database, ExecuteError, LockError, Problem, Seed};
use tollgate_sql::operation::{Operation, TransactionControl};
use tollgate_sql::{ParseError, Script, Span, Statement};

use crate::deploy::take_lock;
use crate::error::{Error, count};
use crate::event::{Event, Observer};
use crate::failed;
use crate::project::Project;

/// A file to run.
#[derive(Debug, Clone)]
pub struct SeedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called in what is shown.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// A seed file that did not come through.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.name)]
pub struct SeedError {
    /// The file.
    pub file: SeedFile,
    /// What is wrong.
    pub problem: SeedProblem,
    /// Files of this run that are in.
    pub finished: usize,
}

/// What is wrong with a seed file.
#[derive(Debug, thiserror::Error)]
pub enum SeedProblem {
    /// It does not parse.
    #[error("{}", .0.message)]
    Parse(#[from] ParseError),
    /// It cannot run in one transaction.
    #[error("a seed file runs in one transaction, and this statement cannot be part of it")]
    NotOneTransaction {
        /// The statement.
        span: Span,
    },
    /// The server refused it, or the run was asked to stop in the middle of it.
    #[error("{}", .0.problem)]
    Execution(Box<ExecuteError>),
    /// The run was asked to stop before it.
    #[error("interrupted before this file")]
    Interrupted,
    /// The lock was gone before it could begin.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl SeedError {
    /// Where to point in the file.
    pub fn span(&self) -> Option<Span> {
        match &self.problem {
            SeedProblem::Parse(error) => Some(error.span),
            SeedProblem::NotOneTransaction { span } => Some(*span),
            SeedProblem::Execution(error) => error.span(),
            SeedProblem::Interrupted | SeedProblem::Lock(_) => None,
        }
    }

    /// What the server said, when it was the server.
    pub fn server(&self) -> Option<&tollgate_database::ServerError> {
        match &self.problem {
            SeedProblem::Execution(error) => error.server(),
            _ => None,
        }
    }

    /// It was not refused: the run was asked to stop.
    pub(crate) fn is_interrupted(&self) -> bool {
        match &self.problem {
            SeedProblem::Interrupted => true,
            SeedProblem::Execution(error) => matches!(&*error.problem, Problem::Interrupted { .. }),
            _ => false,
        }
    }

    pub(crate) fn state(&self) -> String {
        let before = match self.finished {
            0 => String::new(),
            1 => "the file before it is in; ".to_owned(),
            done => format!("the {} before it are in; ", count(done, "file")),
        };
        match &self.problem {
            SeedProblem::Execution(error) if lost_at_the_end(error) => {
                format!("{before}the connection was lost, and whether this file is in cannot be known now")
            }
            SeedProblem::Execution(_) => format!("{before}nothing of this file was kept"),
            _ if self.finished > 0 => format!("{before}nothing of this file was run"),
            _ => "nothing was changed".to_owned(),
        }
    }

    pub(crate) fn help(&self) -> Option<String> {
        match &self.problem {
            SeedProblem::Parse(error) => error.help.clone(),
            SeedProblem::NotOneTransaction { .. } => {
                Some("leave it out, or run the file by a command of your own: `[seed] command`".to_owned())
            }
            _ if self.is_interrupted() => Some("run the command again: it runs all files".to_owned()),
            SeedProblem::Interrupted => None,
            SeedProblem::Lock(error) => error.help(),
            SeedProblem::Execution(error) => Some(next_step(error)),
        }
    }
}

/// It may be in: what was lost is the answer to the commit.
fn lost_at_the_end(error: &ExecuteError) -> bool {
    error.problem.is_lost() && matches!(&*error.problem, Problem::Commit { .. })
}

/// What to do about a file that was refused.
fn next_step(error: &ExecuteError) -> String {
    let again = "`tollgate seed` runs all files again";
    if error.sqlstate() == Some("57014") {
        return format!("give it more time: SET LOCAL statement_timeout = '30min' at the top of the file; {again}");
    }
    match (&*error.problem, failed::why(error)) {
        (Problem::Database(error), None) => error.help().unwrap_or_else(|| again.to_owned()),
        (_, Some(cause)) => format!("{cause}; {again}"),
        (_, None) if error.server().is_some_and(failed::breaks_constraint) => {
            format!("mend the file; rows that are there already are best met by ON CONFLICT DO NOTHING; {again}")
        }
        (_, None) => format!("mend the file; {again}"),
    }
}

/// A file that has been read, and how it is run.
struct Ready<'a> {
    file: &'a SeedFile,
    script: Script,
    before: usize,
    without: Vec<usize>,
}

/// Reads files of rows and runs none.
///
/// # Errors
/// A file cannot be read as SQL, or cannot run in one transaction.
pub fn check_seed(project: &Project, files: &[SeedFile]) -> Result<(), Error> {
    files.iter().try_for_each(|file| read(project, file).map(drop))
}

/// Runs files of rows in this order, each in one transaction. Everything is read before anything runs.
///
/// # Errors
/// A file cannot be read or is refused; the files before it are in.
pub fn seed(project: &Project, files: &[SeedFile], observe: Observer<'_>) -> Result<(), Error> {
    let ready: Result<Vec<_>, Error> = files.iter().map(|file| read(project, file)).collect();
    let ready = ready?;
    if ready.is_empty() {
        return Ok(());
    }
    let mut database = Database::connect(&project.target, &ConnectOptions::default())?;
    let mut lock = take_lock(project, "seed", &mut database, observe)?;
    for (finished, ready) in ready.iter().enumerate() {
        let interrupt = &project.settings.execute.interrupt;
        if interrupt.asked() > 0 {
            return Err(refused(ready.file, SeedProblem::Interrupted, finished));
        }
        lock.check()
            .map_err(|error| refused(ready.file, SeedProblem::Lock(error), finished))?;
        let began = Instant::now();
        let unit = Seed {
            name: &ready.file.name,
            script: &ready.script,
            before: ready.before,
            without: &ready.without,
            interrupt,
        };
        database
            .seed(&unit)
            .map_err(|error| refused(ready.file, SeedProblem::Execution(Box::new(error)), finished))?;
        observe(Event::Seeded {
            file: ready.file.name.clone(),
            took: began.elapsed(),
        });
    }
    Ok(())
}

fn refused(file: &SeedFile, problem: SeedProblem, finished: usize) -> Error {
    Error::Seed(Box::new(SeedError {
        file: file.clone(),
        problem,
        finished,
    }))
}

fn read<'a>(project: &Project, file: &'a SeedFile) -> Result<Ready<'a>, Error> {
    let script =
        tollgate_sql::parse(project.target.dialect(), &file.text).map_err(|error| refused(file, error.into(), 0))?;
    let (before, without) = arrange(&script).map_err(|problem| refused(file, problem, 0))?;
    Ok(Ready {
        file,
        script,
        before,
        without,
    })
}

/// Settings at the top run before the transaction, where `SQLite` minds them; a BEGIN after them and a COMMIT at the end
/// are ours to send. Everything else has to be fit for a transaction.
fn arrange(script: &Script) -> Result<(usize, Vec<usize>), SeedProblem> {
    let statements = &script.statements;
    let before = statements.iter().take_while(|statement| is_setting(statement)).count();
    let mut without = Vec::new();
    let begins = statements
        .get(before)
        .is_some_and(|first| is(first, &TransactionControl::Begin));
    let ends = statements
        .last()
        .is_some_and(|last| is(last, &TransactionControl::Commit));
    if begins && ends {
        without = vec![before, statements.len() - 1];
    }
    for (index, statement) in statements.iter().enumerate().skip(before) {
        let control = statement
            .effects
            .iter()
            .any(|effect| matches!(effect.operation, Operation::Transaction(_)));
        if !without.contains(&index) && (control || !statement.transactional) {
            return Err(SeedProblem::NotOneTransaction { span: statement.span });
        }
    }
    Ok((before, without))
}

fn is_setting(statement: &Statement) -> bool {
    let pragma = |operation: &Operation| matches!(operation, Operation::SetParameter { pragma: true, .. });
    !statement.effects.is_empty() && statement.effects.iter().all(|effect| pragma(&effect.operation))
}

fn is(statement: &Statement, control: &TransactionControl) -> bool {
    let wanted = |operation: &Operation| matches!(operation, Operation::Transaction(found) if found == control);
    statement.effects.iter().any(|effect| wanted(&effect.operation))
}
