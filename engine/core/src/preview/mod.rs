//! `preview`: what the migrations do, seen on a database that nobody needs: made for it, and removed afterwards.
//!
//! Migrations are applied and taken back by the same code as on any other database. The database that they are meant for is
//! only read, and only where it is copied.

mod judge;
mod trial;

use std::path::PathBuf;
use std::time::Instant;

use tollgate_database::{Database, DatabaseError, Interrupt, Scratch, ScratchOptions, Start, Target};
use tollgate_host::types::Outcome;

use crate::check::CheckedMigration;
use crate::error::{Error, ErrorKind, milliseconds};
use crate::event::{Event, Observer};
use crate::project::Project;
use crate::rollback::{RollbackPlan, Source};

use trial::Trial;

pub(crate) use trial::untold;

/// Where and how to preview.
#[derive(Debug, Clone)]
pub struct PreviewOptions {
    /// The server on which the database is made. `None`: the project's own.
    pub place: Option<Target>,
    /// What it begins with.
    pub start: Start,
    /// Where `SQLite` files are made.
    pub folder: PathBuf,
    /// Leave it there.
    pub keep: bool,
    /// Take each migration back, and apply it again.
    pub take_back: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct PreviewReport {
    /// The server, the database's name included.
    pub target: String,
    /// The database's name, or its file.
    pub database: String,
    /// It is still there.
    pub kept: bool,
    /// Databases of dead runs that were removed.
    pub leftovers: Vec<String>,
    /// What the source of a copy has besides.
    pub not_copied: Vec<String>,
    /// What the policies say of the migrations.
    pub checked: Vec<CheckedMigration>,
    /// The migrations that were tried, in order.
    pub migrations: Vec<PreviewedMigration>,
    /// Those that were not, because one before them did not go through.
    pub not_tried: Vec<String>,
    /// How long all of it took, in milliseconds.
    pub duration_ms: u64,
}

/// How one migration went.
#[derive(Debug)]
pub struct PreviewedMigration {
    /// Its name.
    pub name: String,
    /// How long applying it took, in milliseconds, or why it could not be applied.
    pub applied: Result<u64, Box<Error>>,
    /// How taking it back went. `None`: it was not tried.
    pub taken_back: Option<TriedRollback>,
}

/// How a migration was taken back.
#[derive(Debug)]
pub struct TriedRollback {
    /// What was to be run, where there is something.
    pub plan: Option<RollbackPlan>,
    /// How it went.
    pub result: RollbackResult,
}

/// How taking a migration back went.
#[derive(Debug)]
pub enum RollbackResult {
    /// The schema is what it was before, and so are the rows, unless the plan says that they cannot be.
    Restored {
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// It went through, and something is not what it was before.
    Differs {
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// Where the schema differs.
        schema: Vec<String>,
        /// Tables whose rows differ although the plan promises to lose nothing.
        rows: Vec<String>,
    },
    /// There is no way back, and why.
    Irreversible(String),
    /// It failed.
    Failed(Box<Error>),
    /// It went through, and then the migration could not be applied again.
    NotAgain(Box<Error>),
}

impl TriedRollback {
    /// What the plan promises: `None` for a `down.sql`, of which only its author knows.
    pub fn promise(&self) -> Option<Outcome> {
        let plan = self.plan.as_ref()?;
        (plan.source != Source::DownFile).then(|| plan.outcome())
    }

    /// Nothing is wrong with it that the plan does not say itself.
    pub fn is_good(&self) -> bool {
        match &self.result {
            RollbackResult::Restored { .. } | RollbackResult::Irreversible(_) => true,
            RollbackResult::Differs { .. } | RollbackResult::NotAgain(_) => {
                matches!(self.promise(), Some(Outcome::Lossy(_)))
            }
            RollbackResult::Failed(_) => false,
        }
    }
}

impl PreviewedMigration {
    /// It went through, and back as promised.
    pub fn is_good(&self) -> bool {
        let back = self.taken_back.as_ref();
        self.applied.is_ok() && back.is_none_or(TriedRollback::is_good)
    }
}

impl PreviewReport {
    /// Everything went through, and back as promised.
    pub fn succeeded(&self) -> bool {
        self.not_tried.is_empty() && self.migrations.iter().all(PreviewedMigration::is_good)
    }

    /// A deploy would be blocked.
    pub fn blocked(&self) -> bool {
        self.checked.iter().any(|checked| checked.judgement.blocked())
    }
}

/// Applies the migrations to a scratch database and takes each back. `tell` hears of each when it is done.
///
/// # Errors
/// The scratch database cannot be made, a script cannot be read, or the run was asked to stop. A migration that fails is no
/// error: the report says so. Whatever happens, the scratch database is removed, unless it is to be kept.
pub fn preview(
    project: &Project,
    options: &PreviewOptions,
    tell: &mut dyn FnMut(&PreviewedMigration),
    observe: Observer<'_>,
) -> Result<PreviewReport, Error> {
    let started = Instant::now();
    project.folder.expect_dialect(project.target.dialect())?;
    // Nobody needs a database for a script that cannot be read.
    let all = 0..project.folder.migrations.len();
    crate::plan::read_scripts(&project.folder, all, project.target.dialect())?;
    project.settings.go_on()?;
    let interrupt: &Interrupt = &project.settings.execute.interrupt;
    let at_work = interrupt.work();
    let place = options.place.as_ref().unwrap_or(&project.target);
    let make = || Scratch::create(place, &scratch_options(project, options));
    let mut scratch = make()?;
    let mut report = PreviewReport {
        target: scratch.target().describe(),
        database: scratch.name(),
        kept: false,
        leftovers: scratch.removed_leftovers().to_vec(),
        not_copied: scratch.not_copied().to_vec(),
        checked: Vec::new(),
        migrations: Vec::new(),
        not_tried: Vec::new(),
        duration_ms: 0,
    };
    let result = run(project, options, (&mut scratch, &make), &mut report, tell, observe);
    (report.target, report.database) = (scratch.target().describe(), scratch.name());
    let interrupted = result
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::Interrupted);
    let ended = if options.keep && !interrupted {
        report.kept = true;
        scratch.keep().map(drop)
    } else {
        scratch.remove()
    };
    drop(at_work);
    if let (Err(_), Err(error)) = (&result, &ended) {
        // Why it ended early matters more.
        observe(Event::Warning(error.to_string()));
    }
    result?;
    ended?;
    report.duration_ms = milliseconds(started.elapsed());
    Ok(report)
}

fn scratch_options(project: &Project, options: &PreviewOptions) -> ScratchOptions {
    ScratchOptions {
        start: options.start.clone(),
        schema: project.target.schema().map(str::to_owned),
        folder: options.folder.clone(),
        application_name: "tollgate preview".to_owned(),
    }
}

/// A scratch database, and how to get another one.
type Renewed<'a> = (&'a mut Scratch, &'a dyn Fn() -> Result<Scratch, DatabaseError>);

fn run(
    project: &Project,
    options: &PreviewOptions,
    (scratch, make): Renewed<'_>,
    report: &mut PreviewReport,
    tell: &mut dyn FnMut(&PreviewedMigration),
    observe: Observer<'_>,
) -> Result<(), Error> {
    let mut trial = Trial::new(project, scratch.target());
    let pending = trial.pending(project, observe)?;
    report.checked = judge::judge(project, &options.start, scratch.target(), &pending)?;
    observe(Event::Judged(report.checked.clone()));
    for (index, name) in pending.iter().enumerate() {
        project.settings.go_on()?;
        observe(Event::Applying {
            migration: name.clone(),
            number: index + 1,
            of: pending.len(),
        });
        let tried = trial.one(name, options.take_back, observe)?;
        let (applied, spoilt) = (tried.migration.applied.is_ok(), tried.spoilt);
        tell(&tried.migration);
        report.migrations.push(tried.migration);
        if !applied {
            report.not_tried = pending[index + 1..].to_vec();
            break;
        }
        if spoilt && index + 1 < pending.len() {
            // What comes next must not suffer from it: it begins on a database without the attempt.
            *scratch = make()?;
            trial = Trial::new(project, scratch.target());
            trial.catch_up(name, observe)?;
        }
    }
    project.settings.go_on()
}

/// Opens the scratch database, which the first migration may have to make.
fn connect(target: &Target) -> Result<Database, Error> {
    let options = tollgate_database::ConnectOptions {
        create_missing: true,
        application_name: "tollgate preview".to_owned(),
        read_only: false,
    };
    Ok(Database::connect(target, &options)?)
}
