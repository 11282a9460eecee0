//! The engine's errors as reports.

use tollgate_engine::plan::{ScriptError, ScriptProblem};
use tollgate_engine::{Error, ErrorKind};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::path::{shortened, shown};
use crate::output::report::{Report, Snippet};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Error::Emptied(inner) = error {
            let state = Error::state_after_reset(&inner);
            return Self::from(*inner).in_state(&state);
        }
        let exit = exit(error.kind());
        if let Error::Scripts(errors) = &error {
            return Self::several(exit, errors.iter().map(script).collect());
        }
        // The source names the migration, too.
        let message = match &error {
            Error::Execution {
                migration,
                source,
                taking_back,
                ..
            } if error.kind() == ErrorKind::Interrupted => {
                let what = if *taking_back { "taking it back" } else { "applying it" };
                format!("{migration}: {what} was {}", source.problem)
            }
            Error::Execution {
                migration,
                source,
                taking_back: true,
                ..
            } => format!("taking {migration} back failed: {}", source.problem),
            Error::Execution { source, .. } => source.to_string(),
            other => other.to_string(),
        };
        let mut report = Report::error(error.code(), shortened(&message)).database(error.state());
        let help: Vec<String> = said_by_server(&error).into_iter().chain(error.help()).collect();
        if !help.is_empty() {
            report = report.help(shortened(&help.join("\n")));
        }
        if let Some(snippet) = snippet(&error) {
            report = report.snippet(snippet);
        }
        Self::new(exit, report).finished(error.finished().to_vec())
    }
}

/// What a server adds to its message about a statement: SQLSTATE, detail, hint, where inside a function.
fn said_by_server(error: &Error) -> Vec<String> {
    let server = match error {
        Error::Execution { source, .. } => source.server(),
        Error::Seed(error) => error.server(),
        _ => None,
    };
    let Some(server) = server else {
        return Vec::new();
    };
    let parts = [
        ("SQLSTATE", &server.sqlstate),
        ("detail", &server.more.detail),
        ("hint", &server.more.hint),
        ("context", &server.more.context),
    ];
    let said = |(name, text): (&str, &Option<String>)| text.as_ref().map(|text| format!("{name}: {text}"));
    parts.into_iter().filter_map(said).collect()
}

fn exit(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Failed => Exit::Failed,
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::Blocked => Exit::Blocked,
        ErrorKind::Locked => Exit::Locked,
        ErrorKind::Unexpected => Exit::Unexpected,
        ErrorKind::Interrupted => crate::signal::exit(),
    }
}

fn script(error: &ScriptError) -> Report {
    let problem = &error.problem;
    let code = match problem {
        ScriptProblem::Parse(_) => "script::syntax",
        ScriptProblem::Suppression(_) => "script::suppression",
        ScriptProblem::Pragma(_) => "script::pragma",
    };
    let span = problem.span();
    let snippet = Snippet::new(shown(&error.path), error.text.clone()).label(span.start..span.end, problem.message());
    let report = Report::error(code, format!("{} cannot be read", error.migration))
        .snippet(snippet)
        .database("nothing was changed");
    match problem.help() {
        Some(help) => report.help(help),
        None => report,
    }
}

/// The place in a script that an error is about.
fn snippet(error: &Error) -> Option<Snippet> {
    match error {
        Error::Execution { script, source, .. } => {
            let (path, text) = script.as_deref()?;
            let span = source.span()?;
            let label = source.label();
            Some(Snippet::new(shown(path), text.clone()).label(span.start..span.end, label))
        }
        Error::Seed(error) => {
            let span = error.span()?;
            Some(
                Snippet::new(error.file.name.clone(), error.file.text.clone())
                    .label(span.start..span.end, error.problem.to_string()),
            )
        }
        Error::RollbackScript {
            path, text, problem, ..
        } => {
            let span = problem.span();
            Some(
                Snippet::new(shown(std::path::Path::new(path)), text.clone())
                    .label(span.start..span.end, problem.message()),
            )
        }
        _ => None,
    }
}
