//! Why a command ended early: one or more reports and the exit status. Every error becomes one of these at this edge.

use std::path::PathBuf;

use tollgate_engine::nearest::nearest;

use crate::again::with_flags;
use crate::config::ConfigError;
use crate::config::error::{Place, Problem, Weakened};
use crate::exit::Exit;
use crate::output::path::shown;
use crate::output::report::{Report, Snippet};
use crate::signal;

/// What a report says of a database that is as it was.
const UNCHANGED: &str = "nothing was changed";

/// An unsuccessful end.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    reports: Vec<Report>,
    finished: Vec<String>,
}

impl Failure {
    /// One report.
    pub fn new(exit: Exit, report: Report) -> Self {
        Self {
            exit,
            reports: vec![report],
            finished: Vec::new(),
        }
    }

    /// Several at once.
    pub fn several(exit: Exit, reports: Vec<Report>) -> Self {
        Self {
            exit,
            reports,
            finished: Vec::new(),
        }
    }

    /// The same with the migrations that were done before.
    #[must_use]
    pub fn finished(mut self, migrations: Vec<String>) -> Self {
        self.finished = migrations;
        self
    }

    /// The same, with this being true of the database.
    #[must_use]
    pub fn in_state(mut self, state: &str) -> Self {
        for report in &mut self.reports {
            report.database = Some(state.to_owned());
        }
        self
    }

    /// The same where this had been done before, and is still true of the database.
    #[must_use]
    pub fn after(mut self, done: &str) -> Self {
        for report in &mut self.reports {
            let state = report.database.take().filter(|state| state != UNCHANGED);
            report.database = Some(match state {
                Some(state) => format!("{done}; {state}"),
                None => done.to_owned(),
            });
        }
        self
    }

    /// A question that was not answered: there is nobody, which this reports, or whoever was asked ends the program.
    pub fn unanswered(nobody: Report) -> Self {
        if signal::interrupt().asked() == 0 {
            return Self::new(Exit::Usage, nobody);
        }
        let report = Report::error("interrupted", "interrupted before anything was done");
        Self::new(signal::exit(), report.database(UNCHANGED))
    }

    /// Migrations that were done before.
    pub fn done(&self) -> &[String] {
        &self.finished
    }

    /// The same; commands that it tells to run next get these flags.
    #[must_use]
    pub fn called_with(mut self, flags: &str) -> Self {
        for report in &mut self.reports {
            report.message = with_flags(&report.message, flags);
            for text in [&mut report.help, &mut report.database].into_iter().flatten() {
                *text = with_flags(text, flags);
            }
        }
        self
    }

    /// A file that could not be read or written.
    pub fn file(code: &'static str, doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let report = Report::error(code, format!("cannot {doing} {}: {error}", shown(path)));
        Self::new(Exit::Failed, report)
    }

    /// What the shell gets.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What went wrong.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let message = error.to_string();
        let reports = match error {
            ConfigError::Invalid { problems, .. } => problems.into_iter().map(of_problem).collect(),
            ConfigError::Unreadable { .. } => vec![
                Report::error("config::unreadable", message)
                    .help("name another one with --config, or `tollgate init` writes one"),
            ],
            ConfigError::Variable { .. } => vec![Report::error("config::variable", message)],
            ConfigError::NoEnvironment { name, known, file } => vec![no_environment(message, &name, &known, file)],
            ConfigError::Unset { variable, place, looked_at, .. } => {
                vec![at(Report::error("config::unset", message), place, "named here").help(unset(&variable, &looked_at))]
            }
            ConfigError::NoDatabase => vec![Report::error("config::no-database", message).help(
                "set DATABASE_URL (also in .env), pass --database-url, or write `url` under [database] in tollgate.toml",
            )],
            ConfigError::NoMigrations { looked_at } => vec![Report::error("config::no-migrations", message).help(format!(
                "looked for {}; name it with --migrations or with `dir` under [migrations] in tollgate.toml",
                list(&looked_at)
            ))],
            ConfigError::MissingMigrations { named_by, by_file, .. } => {
                let new = if by_file { "; `tollgate new NAME` makes it, with a first migration" } else { "" };
                vec![Report::error("config::no-migrations", message).help(format!("it is set by {named_by}{new}"))]
            }
            ConfigError::Plugin { place, help, .. } => {
                vec![at(Report::error("config::plugin", message), place, "here").help(help)]
            },
            ConfigError::Circle { place, .. } => {
                vec![at(Report::error("config::circle", message), place, "extended here")]
            }
            ConfigError::NoBundle { place, .. } => {
                vec![at(Report::error("config::bundle", message), Some(place), "extended here")
                    .help("paths in `extends` start from the folder of the file that has them")]
            }
            ConfigError::BundleRegistry { place, .. } => {
                vec![at(Report::error("config::bundle", message), Some(place), "an address")
                    .help("keep a copy of it in the repository, or beside it, and name that: `extends = [\"../db-rules/bundle.toml\"]`")]
            }
            ConfigError::Weakened(all) => all.into_iter().map(weakened).collect(),
            ConfigError::NoCurrentFolder(_) => vec![Report::error("config::folder", message)],
        };
        Self::several(Exit::Usage, reports)
    }
}

fn of_problem(problem: Problem) -> Report {
    let Problem {
        code,
        message,
        place,
        label,
        help,
    } = problem;
    let report = at(Report::error(code, message), Some(place), &label);
    match help {
        Some(help) => report.help(help),
        None => report,
    }
}

fn weakened(weakened: Weakened) -> Report {
    let report = Report::error("config::enforced", weakened.message()).help(weakened.help());
    at(report, weakened.place, "laxer than what is enforced")
}

fn at(report: Report, place: Option<Place>, label: &str) -> Report {
    let Some(Place { file, span }) = place else {
        return report;
    };
    report.snippet(Snippet::new(shown(&file.path), file.text.clone()).label(span, label))
}

fn no_environment(message: String, name: &str, known: &[String], file: Option<PathBuf>) -> Report {
    let report = Report::error("config::no-environment", message);
    match (nearest(name, known.iter().map(String::as_str)), file) {
        (Some(near), _) => report.help(format!("did you mean {near}?")),
        (None, Some(file)) if known.is_empty() => {
            report.help(format!("{} has none; add [environments.{name}]", shown(&file)))
        }
        (None, Some(file)) => report.help(format!("{} has {}", shown(&file), known.join(", "))),
        (None, None) => report.help("environments are tables of tollgate.toml, and there is none here"),
    }
}

fn unset(variable: &str, looked_at: &[PathBuf]) -> String {
    let there: Vec<PathBuf> = looked_at.iter().filter(|path| path.is_file()).cloned().collect();
    if there.is_empty() {
        format!("set {variable} in the environment or in a .env file")
    } else {
        format!(
            "set {variable} in the environment or in a .env file ({} does not have it)",
            list(&there)
        )
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| shown(path)).collect::<Vec<_>>().join(", ")
}
