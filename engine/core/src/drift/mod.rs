//! `drift`: whether a database is what the migrations that are applied to it make, and if not, how to bring the two together.
//!
//! What they make comes from a replay of their files, or from a scratch database to which they are applied. The database is
//! only read.

mod expected;
mod ignore;

use std::collections::BTreeSet;
use std::path::PathBuf;

use tollgate_database::{ConnectOptions, Database, Target};
use tollgate_schema::Schema;
use tollgate_schema::difference::{self, Difference, Options, Sides, Subject, Texts};
use tollgate_schema::reconcile::{Reconciliation, Wanted, reconcile};
use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::error::Error;
use crate::event::{Event, Observer};
use crate::history::{Entry, History};
use crate::project::Project;

pub use ignore::{Pattern, PatternError};

/// How to look for drift.
#[derive(Debug, Clone, Default)]
pub struct DriftOptions {
    /// What is no drift.
    pub ignore: Vec<Pattern>,
    /// Make what the migrations make on a scratch database, instead of replaying them.
    pub on_scratch: Option<ScratchPlace>,
}

/// Where scratch databases are made.
#[derive(Debug, Clone)]
pub struct ScratchPlace {
    /// The server. `None`: the project's own.
    pub place: Option<Target>,
    /// The folder for `SQLite` files.
    pub folder: PathBuf,
}

/// What was found.
#[derive(Debug)]
pub struct DriftReport {
    /// Migrations that are applied.
    pub applied: usize,
    /// What differs; the left side is what the migrations make.
    pub drift: Vec<Difference>,
    /// What may differ: a replay could not follow what the migrations do to it.
    pub uncertain: Vec<Difference>,
    /// Objects of which a replay does not know what has become of them, and whose details were not compared.
    pub unfollowed: Vec<Subject>,
    /// Views that were only looked for: what they show can be compared on a scratch database alone.
    pub unread_views: usize,
    /// How many differences are ignored.
    pub ignored: usize,
    /// SQL that turns the database into what the migrations make.
    pub for_database: Reconciliation,
    /// SQL of a migration that makes what the database has.
    pub for_migrations: Reconciliation,
}

impl DriftReport {
    /// Nothing differs for certain.
    pub fn same(&self) -> bool {
        self.drift.is_empty()
    }
}

/// Compares the database with what its migrations make.
///
/// # Errors
/// The database or the scripts cannot be read, or there are tables and no ledger.
pub fn drift(project: &Project, options: &DriftOptions, observe: Observer<'_>) -> Result<DriftReport, Error> {
    project.folder.expect_dialect(project.target.dialect())?;
    let connect = ConnectOptions {
        read_only: true,
        application_name: "tollgate drift".to_owned(),
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(&project.target, &connect)?;
    let rows = database.ledger()?;
    if rows.is_none() && database.has_tables()? {
        return Err(Error::NotEmpty);
    }
    let history = History::of(&project.folder, rows.as_deref(), &mut database, false)?;
    let applied = applied(&history, observe);
    let expected = match &options.on_scratch {
        None => expected::replayed(project, &database.context(), &applied)?,
        Some(place) => expected::on_scratch(project, place, &applied, observe)?,
    };
    let found = database.picture()?;
    let others = other_projects(&mut database, project, &expected, &found)?;
    let printed = options.on_scratch.is_some();
    let mut sorted = Sorted::default();
    let unfollowed = if printed {
        Vec::new()
    } else {
        difference::uncertain(&expected)?
    };
    for difference in compare(&expected, &found, printed)? {
        let name = &difference.subject.name;
        if others
            .iter()
            .any(|schema| name.schema.as_deref() == Some(schema) || name.name == *schema)
        {
            continue;
        }
        if options.ignore.iter().any(|pattern| pattern.matches(&difference)) {
            sorted.ignored += 1;
        } else if is_uncertain(&expected, &unfollowed, &difference) {
            sorted.uncertain.push(difference);
        } else {
            sorted.drift.push(difference);
        }
    }
    let unread_views = if printed { 0 } else { views(&expected)? };
    let for_database = reconcile(&expected, &found, Wanted::Left, &sorted.drift)?;
    let for_migrations = reconcile(&expected, &found, Wanted::Right, &sorted.drift)?;
    Ok(DriftReport {
        applied: applied.len(),
        drift: sorted.drift,
        uncertain: sorted.uncertain,
        unfollowed,
        unread_views,
        ignored: sorted.ignored,
        for_database,
        for_migrations,
    })
}

#[derive(Default)]
struct Sorted {
    drift: Vec<Difference>,
    uncertain: Vec<Difference>,
    ignored: usize,
}

/// The migrations to compare with, in the order in which the database got them. What makes the comparison doubtful is said.
fn applied(history: &History, observe: Observer<'_>) -> Vec<usize> {
    let entries = history.applied();
    let mut warn = |pick: &dyn Fn(&&&Entry) -> bool, what: &str| {
        let names: Vec<&str> = entries.iter().filter(pick).map(|entry| entry.name.as_str()).collect();
        if !names.is_empty() {
            observe(Event::Warning(format!("{}: {what}", names.join(", "))));
        }
    };
    warn(
        &|entry| entry.edited,
        "edited since it was applied: the database is compared with what the file makes now",
    );
    warn(
        &|entry| entry.local.is_none(),
        "applied but not in the folder: what it made looks like drift",
    );
    let failed: Vec<&str> = history.failed().map(|entry| entry.name.as_str()).collect();
    if !failed.is_empty() {
        let names = failed.join(", ");
        observe(Event::Warning(format!(
            "{names}: failed and not resolved: what it has left looks like drift"
        )));
    }
    entries.iter().filter_map(|entry| entry.local).collect()
}

/// Schemas that other projects migrate: they have a ledger of their own, and nothing of ours is in them.
fn other_projects(
    database: &mut Database,
    project: &Project,
    expected: &Schema,
    found: &Schema,
) -> Result<Vec<String>, Error> {
    let ours: BTreeSet<String> = expected
        .relations()?
        .into_iter()
        .filter_map(|name| name.schema)
        .collect();
    let own = project.target.schema();
    let mut others = found.schemas()?;
    others.retain(|schema| Some(schema.as_str()) != own && !ours.contains(schema));
    Ok(database.schemas_with_ledger(&others)?)
}

fn compare(expected: &Schema, found: &Schema, printed: bool) -> Result<Vec<Difference>, Error> {
    let dialect = expected.context().dialect;
    let in_words = |place: difference::Place<'_>, text: &str| difference::in_other_words(dialect, place, text);
    let defaults = Options::default();
    let options = Options {
        left: "the migrations",
        right: "the database",
        normalise: if printed { defaults.normalise } else { &in_words },
        statements: false,
        texts: if printed { Texts::Printed } else { Texts::Written },
        ..Options::default()
    };
    let mut differences = difference::compare(expected, found, &options)?;
    // Every database has it at first, and who drops it misses nothing. The order of columns means nothing to whoever names
    // them.
    let public = |difference: &Difference| {
        difference.subject.kind == ObjectKind::Schema && difference.subject.name == ObjectName::bare("public")
    };
    differences.retain(|difference| !public(difference) && difference.property.as_deref() != Some("order of columns"));
    Ok(differences)
}

/// Whether the migrations may have made it so, in a way that a replay cannot follow.
fn is_uncertain(expected: &Schema, unfollowed: &[Subject], difference: &Difference) -> bool {
    let whole = difference.member.is_none();
    let named = unfollowed.iter().any(|subject| subject.name == difference.subject.name);
    named || (!expected.complete() && whole && difference.sides == Sides::OnlyRight)
}

fn views(schema: &Schema) -> Result<usize, Error> {
    let mut number = 0;
    for name in schema.relations()? {
        if schema.relation(&name)?.is_some_and(|relation| relation.query.is_some()) {
            number += 1;
        }
    }
    Ok(number)
}
