//! `check --trace`: what the migrations really lock and write anew, on a scratch database.

use serde::Serialize;
use tollgate_engine::sql::Dialect;
use tollgate_engine::trace::{TraceOptions, TracedMigration, TracedStatement, trace};
use tollgate_engine::{LockMode, Scope, TableLock};

use super::targets::Selected;
use crate::command::preview;
use crate::config::Config;
use crate::engine::findings::count;
use crate::engine::footprints::{self, StatementDocument};
use crate::engine::preview::ended;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Ui;
use crate::output::report::Report;
use crate::output::style::{BAD, DIM, GOOD, NAME, WARN, paint};
use crate::signal;

/// What was seen.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TraceDocument {
    /// Everything went through.
    pub succeeded: bool,
    /// How often a prediction was wrong: that is a mistake of Tollgate, not of a migration.
    differences: usize,
    /// The migrations that were looked at, in order; one that failed is the last.
    migrations: Vec<TracedDocument>,
}

/// One migration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TracedDocument {
    /// Its name.
    name: String,
    /// Why it did not go through.
    failure: Option<String>,
    /// Its statements, up to one that failed.
    statements: Vec<SeenDocument>,
}

/// One statement, predicted and seen.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SeenDocument {
    /// What was predicted.
    predicted: StatementDocument,
    /// It was run; BEGIN, COMMIT and the like are not.
    run: bool,
    /// The locks that it held just before it was committed.
    locks: Vec<SeenLock>,
    /// Relations that lie in another file afterwards.
    rewritten: Vec<String>,
    /// Where the two do not agree.
    differences: Vec<String>,
}

/// A lock that was held.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SeenLock {
    /// The relation with its schema.
    relation: String,
    /// What it is.
    kind: footprints::ObjectKindName,
    /// PostgreSQL's mode: `ACCESS EXCLUSIVE`.
    mode: &'static str,
}

/// Runs the migrations that are judged on a scratch database, and prints what they do there.
pub fn run(config: &Config, selected: &Selected, ui: &Ui) -> Result<TraceDocument, Failure> {
    let target = project::target(config, ui)?;
    if target.dialect() != Dialect::Postgres {
        let report = Report::error("check::trace", "--trace is for PostgreSQL")
            .help("SQLite has one lock, for the whole database: there is nothing to look at");
        return Err(Failure::new(Exit::Usage, report));
    }
    let place = preview::place(config, ui, target.dialect())?.unwrap_or(target);
    let only = match &selected.scope {
        Scope::All => std::collections::BTreeSet::new(),
        Scope::Only(names) | Scope::Added { names, .. } => names.clone(),
    };
    let mut document = TraceDocument {
        succeeded: true,
        differences: 0,
        migrations: Vec::new(),
    };
    // Nothing was added, so there is nothing to look at: no names mean all of them.
    if only.is_empty() && selected.loose.is_empty() && !selected.is_whole_folder() {
        return Ok(document);
    }
    let options = TraceOptions {
        place,
        only,
        loose: selected.loose.iter().map(|loose| loose.file.clone()).collect(),
        interrupt: signal::interrupt(),
    };
    let mut tell = |migration: TracedMigration| {
        show(ui, &migration);
        document.add(&migration);
    };
    trace(&selected.folder, &options, &mut tell).map_err(ended)?;
    summary(ui, &document);
    Ok(document)
}

impl TraceDocument {
    fn add(&mut self, migration: &TracedMigration) {
        self.succeeded &= migration.failure.is_none();
        let statements: Vec<_> = migration.statements.iter().map(SeenDocument::of).collect();
        self.differences += statements.iter().map(|seen| seen.differences.len()).sum::<usize>();
        self.migrations.push(TracedDocument {
            name: migration.name.clone(),
            failure: migration.failure.clone(),
            statements,
        });
    }
}

impl SeenDocument {
    fn of(statement: &TracedStatement) -> Self {
        let seen = statement.seen.clone().unwrap_or_default();
        Self {
            predicted: StatementDocument::from(&statement.explained),
            run: statement.seen.is_some(),
            locks: seen
                .locks
                .iter()
                .map(|lock| SeenLock {
                    relation: lock.relation.to_string(),
                    kind: footprints::kind(lock.kind),
                    mode: lock.mode.words(),
                })
                .collect(),
            rewritten: seen.rewritten.iter().map(ToString::to_string).collect(),
            differences: statement.differences.iter().map(ToString::to_string).collect(),
        }
    }
}

fn show(ui: &Ui, migration: &TracedMigration) {
    let result = match (&migration.failure, migration.agrees()) {
        (Some(_), _) => paint(BAD, "failed"),
        (None, true) => paint(GOOD, "traced"),
        (None, false) => paint(WARN, "traced, not as predicted"),
    };
    ui.line(format!("{result} {}", paint(NAME, &migration.name)));
    for statement in &migration.statements {
        show_statement(ui, statement);
    }
    if let Some(failure) = &migration.failure {
        ui.line(format!("  {}", paint(BAD, failure)));
    }
}

/// What a statement held that others may have to wait for, and what was not as predicted.
fn show_statement(ui: &Ui, statement: &TracedStatement) {
    let Some(seen) = &statement.seen else { return };
    footprints::head(ui, &statement.explained);
    let predicted = |lock: &TableLock, name| lock.relation == name;
    let mut quiet = true;
    for lock in &seen.locks {
        // Indexes come with their tables, and readers keep nobody waiting.
        let named = statement
            .explained
            .known_locks()
            .iter()
            .find(|known| predicted(known, lock.relation.clone()));
        if lock.mode <= LockMode::RowShare || (named.is_none() && footprints::kind(lock.kind) == "index") {
            continue;
        }
        quiet = false;
        let shown = TableLock {
            relation: lock.relation.clone(),
            kind: lock.kind,
            mode: lock.mode,
            // A read from end to end leaves no trace that does not depend on the planner.
            scans: named.is_some_and(|known| known.scans),
            rewrites: seen.rewritten.contains(&lock.relation),
        };
        footprints::show_lock(ui, &shown);
    }
    if quiet {
        ui.line(format!("    {}", paint(DIM, "kept nobody waiting")));
    }
    for difference in &statement.differences {
        ui.line(format!("    {} {difference}", paint(WARN, "not as predicted:")));
    }
}

fn summary(ui: &Ui, document: &TraceDocument) {
    let statements = document.migrations.iter().flat_map(|migration| &migration.statements);
    let traced = format!(
        "{} traced",
        count(statements.filter(|seen| seen.run).count(), "statement")
    );
    if document.differences == 0 {
        ui.line(format!("{traced}, all as predicted"));
    } else {
        ui.warn(format!(
            "{traced}; {} not as predicted: that is a mistake in Tollgate's predictions, please report it with the statement",
            document.differences
        ));
    }
}
