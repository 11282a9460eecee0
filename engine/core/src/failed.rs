//! A script that failed while it ran, in words: what of it is in the database now, and the command that goes on.

use tollgate_database::{DatabaseState, ExecuteError, Problem, ServerError, way_out};

use crate::error::count;
use crate::shell::quoted;

/// What a migration that failed has left.
pub(crate) fn left(failed: &ExecuteError, taking_back: bool) -> String {
    let name = &failed.migration;
    match (&failed.state, taking_back) {
        (DatabaseState::Unchanged, false) => "nothing of it is in the database".to_owned(),
        (DatabaseState::Unchanged, true) => format!("{name} is applied as it was; nothing of its rollback was kept"),
        (DatabaseState::Partly { done, in_doubt }, false) => in_the_database(failed, *done, *in_doubt),
        (DatabaseState::Partly { done, in_doubt }, true) => format!(
            "{name} is recorded as applied; of its rollback {}",
            in_the_database(failed, *done, *in_doubt)
        ),
        (DatabaseState::Unknown, false) => {
            "the connection was lost, and whether it is in the database cannot be known now".to_owned()
        }
        (DatabaseState::Unknown, true) => {
            format!("the connection was lost, and whether {name} is out of the database cannot be known now")
        }
    }
}

/// `the first 3 of 7 statements are in, up to line 12`, and which one may have left something.
fn in_the_database(failed: &ExecuteError, done: usize, in_doubt: Option<usize>) -> String {
    let of = match failed.lines.len() {
        0 => count(done, "statement"),
        all => format!("{done} of {}", count(all, "statement")),
    };
    let line = |index: usize| failed.lines.get(index);
    let mut text = match done {
        0 => "none of its statements is in".to_owned(),
        1 if failed.lines.len() > 1 => format!("the first of {} statements is in", failed.lines.len()),
        1 => "its statement is in".to_owned(),
        _ => format!("the first {of} are in"),
    };
    if let Some(line) = done.checked_sub(1).and_then(line) {
        text += &format!(", up to line {line}");
    }
    if let Some(index) = in_doubt {
        text += &match line(index) {
            Some(line) => format!("; the one on line {line} may have left something"),
            None => format!("; statement {} may have left something", index + 1),
        };
    }
    text
}

/// What to do next.
pub(crate) fn next_step(failed: &ExecuteError, taking_back: bool) -> String {
    let again = if taking_back {
        "run the command again"
    } else {
        "run `tollgate deploy`"
    };
    let cause = why(failed).unwrap_or_else(|| {
        match &*failed.problem {
            Problem::Statement { error, .. } if !taking_back && breaks_constraint(error) => "mend the data or the file",
            Problem::Statement { .. } if !taking_back => "mend the file",
            _ => "mend the cause",
        }
        .to_owned()
    });
    match (&*failed.problem, &failed.state) {
        (Problem::Interrupted { .. }, DatabaseState::Unchanged) => format!("{again}: it does the rest"),
        (Problem::Interrupted { goes_on: true, .. } | Problem::LockLost, DatabaseState::Partly { .. }) => {
            format!("{again}: it goes on after what is in")
        }
        (Problem::Database(error), DatabaseState::Unchanged) if failed.server().is_none() && error.help().is_some() => {
            error.help().unwrap_or_default()
        }
        (Problem::Statement { .. } | Problem::Commit { .. } | Problem::Database(_), DatabaseState::Unchanged) => {
            let tries = match &*failed.problem {
                Problem::Statement { about, .. } if !about.blockers.is_empty() => format!(
                    "; this was attempt {}: deploy.statement_lock_timeout_ms and deploy.retries say how long it tries",
                    about.attempts
                ),
                _ => String::new(),
            };
            format!("{cause}, then {again}{tries}")
        }
        (Problem::Changed { .. }, _) => changed(failed, taking_back),
        (_, DatabaseState::Unknown) => format!(
            "{again} once the server answers: it reads the ledger, finds out what is in the database and goes on from there"
        ),
        (_, DatabaseState::Partly { .. }) if taking_back || failed.can_go_on() => {
            format!("{cause}, then {again}: it goes on after what is in")
        }
        (_, DatabaseState::Partly { done, in_doubt }) => go_on(failed, *done, *in_doubt, &cause),
        _ => failed.help(),
    }
}

/// What to do about the cause, where more is known than that the statement failed.
pub(crate) fn why(failed: &ExecuteError) -> Option<String> {
    let error = failed.server()?;
    if error.connection_lost {
        return Some("wait until the server answers".to_owned());
    }
    let blockers = failed.problem.blockers();
    if !blockers.is_empty() {
        return Some(way_out(blockers));
    }
    match error.sqlstate.as_deref() {
        Some("55P03") => Some("wait until the session that holds the lock is done".to_owned()),
        Some("57014") | None if error.message.contains("statement timeout") => Some(
            "give it more time, with `-- tollgate:timeout 30min` above the first statement of the file or with \
             deploy.statement_timeout_ms"
                .to_owned(),
        ),
        None if error.message.contains("database is locked") => {
            Some("another program is writing to the database: wait for its end".to_owned())
        }
        // Nothing is wrong with the file.
        _ => error.cure().map(str::to_owned),
    }
}

/// Rows are not as a constraint wants them: those that were there before, or the file's.
pub(crate) fn breaks_constraint(error: &ServerError) -> bool {
    match error.sqlstate.as_deref() {
        Some(code) => code.starts_with("23"),
        None => error.message.contains("constraint failed"),
    }
}

fn go_on(failed: &ExecuteError, done: usize, in_doubt: Option<usize>, cause: &str) -> String {
    let name = quoted(&failed.migration);
    let line = |index: usize| failed.lines.get(index);
    let kept = done.checked_sub(1).and_then(line);
    let again = in_doubt.and_then(line);
    let care: Vec<String> = kept
        .map(|line| format!("what stands up to line {line} must stay as it is"))
        .into_iter()
        .chain(again.map(|line| format!("line {line} runs again, so undo first what it has left")))
        .collect();
    let care = if care.is_empty() {
        String::new()
    } else {
        format!(" ({})", care.join("; "))
    };
    format!(
        "{cause}{care} and go on with `tollgate deploy --resume`; or finish or undo it by hand and record that with \
         `tollgate resolve --applied {name}` or `tollgate resolve --rolled-back {name}`"
    )
}

/// The part of the file that is in the database is not what it was.
fn changed(failed: &ExecuteError, taking_back: bool) -> String {
    let name = quoted(&failed.migration);
    if taking_back {
        return "put that part of the file back as it was and run the command again, or bring the database to the state \
                that you want by hand"
            .to_owned();
    }
    format!(
        "put that part of the file back as it was and go on with `tollgate deploy --resume`; or finish or undo it by hand \
         and record that with `tollgate resolve --applied {name}` or `tollgate resolve --rolled-back {name}`"
    )
}
