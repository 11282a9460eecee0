//! What migrations really lock and write anew, on a database that nobody needs, next to what was predicted.
//!
//! Every statement runs in a transaction of its own, whatever its file says: locks that an earlier statement holds would
//! hide those of a later one. BEGIN, COMMIT and the like are left out for the same reason. A difference says something
//! about Tollgate's predictions, not about the migration.

mod compare;

use std::collections::BTreeSet;
use std::path::PathBuf;

use tollgate_database::{ConnectOptions, Database, Interrupt, Observation, Scratch, ScratchOptions, Start, Target};
use tollgate_schema::Schema;
use tollgate_schema::locks::TableLock;
use tollgate_sql::operation::{ObjectKind, Operation};
use tollgate_sql::{Dialect, Script, Statement};

use crate::error::Error;
use crate::explain::{self, ExplainedStatement};
use crate::folder::{Folder, MigrationFile};
use crate::nearest::nearest_migration;
use crate::plan::{self, ReadMigration};

pub use compare::Difference;

/// Where to trace, and what.
#[derive(Debug, Clone)]
pub struct TraceOptions {
    /// The server on which the scratch database is made.
    pub place: Target,
    /// The migrations that are looked at; all when this and `loose` are empty. The others are applied all the same.
    pub only: BTreeSet<String>,
    /// Files outside of the folder, looked at after all of it.
    pub loose: Vec<MigrationFile>,
    /// Ends the run early.
    pub interrupt: Interrupt,
}

/// One migration, as it ran.
#[derive(Debug, Clone)]
pub struct TracedMigration {
    /// Its name.
    pub name: String,
    /// Its statements in order, up to one that failed.
    pub statements: Vec<TracedStatement>,
    /// Why it did not go through.
    pub failure: Option<String>,
}

/// One statement: predicted, and seen.
#[derive(Debug, Clone)]
pub struct TracedStatement {
    /// What it is, and what was predicted.
    pub explained: ExplainedStatement,
    /// What was seen. `None`: it controls transactions, and was not run.
    pub seen: Option<Observation>,
    /// Where the two do not agree.
    pub differences: Vec<Difference>,
}

impl TracedMigration {
    /// Everything was as predicted.
    pub fn agrees(&self) -> bool {
        self.statements.iter().all(|statement| statement.differences.is_empty())
    }
}

/// Applies a folder's migrations to a scratch database and looks at what each statement does. `tell` hears of each
/// migration that was looked at, in order; one that fails is the last.
///
/// # Errors
/// The scratch database cannot be made or asked, a script cannot be read, a name in `only` is not in the folder, a migration
/// that is not looked at fails, or the run was asked to stop.
pub fn trace(folder: &Folder, options: &TraceOptions, tell: &mut dyn FnMut(TracedMigration)) -> Result<(), Error> {
    let names = || folder.migrations.iter().map(|migration| migration.name.as_str());
    if let Some(name) = options.only.iter().find(|name| folder.find(name).is_none()) {
        return Err(Error::NotFound {
            migration: name.clone(),
            similar: nearest_migration(name, names()),
        });
    }
    folder.expect_dialect(options.place.dialect())?;
    let _at_work = options.interrupt.work();
    let scratch = Scratch::create(&options.place, &scratch_options(options))?;
    let traced = trace_on(scratch.target(), folder, options, tell);
    let removed = scratch.remove();
    traced?;
    Ok(removed?)
}

fn scratch_options(options: &TraceOptions) -> ScratchOptions {
    ScratchOptions {
        start: Start::Empty,
        schema: options.place.schema().map(str::to_owned),
        folder: PathBuf::new(),
        application_name: "tollgate check --trace".to_owned(),
    }
}

fn trace_on(
    target: &Target,
    folder: &Folder,
    options: &TraceOptions,
    tell: &mut dyn FnMut(TracedMigration),
) -> Result<(), Error> {
    let connect = ConnectOptions {
        create_missing: true,
        application_name: "tollgate check --trace".to_owned(),
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(target, &connect)?;
    let mut schema = Schema::empty(database.context());
    for (migration, wanted) in read(folder, options, target.dialect())? {
        go_on(options, &migration.input.name)?;
        if wanted {
            let traced = trace_script(
                &mut database,
                &schema,
                &migration.input.name,
                migration.script(),
                &options.interrupt,
            )?;
            let failed = traced.failure.is_some();
            // What is cancelled fails, and that is not the migration's fault.
            go_on(options, &migration.input.name)?;
            tell(traced);
            if failed {
                return Ok(());
            }
        } else {
            for statement in to_run(migration.script()) {
                database.run_alone(&text_of(migration.script(), statement), &options.interrupt)?;
            }
        }
        database.end_script()?;
        schema.apply_script(migration.script())?;
        schema.settle();
    }
    Ok(())
}

/// What is run, in order, up to the last that is looked at; and whether it is.
fn read(folder: &Folder, options: &TraceOptions, dialect: Dialect) -> Result<Vec<(ReadMigration, bool)>, Error> {
    let whole = options.only.is_empty() && options.loose.is_empty();
    let wanted = |name: &String| whole || options.only.contains(name);
    let last = folder.migrations.iter().rposition(|migration| wanted(&migration.name));
    let end = match last {
        _ if !options.loose.is_empty() => folder.migrations.len(),
        Some(last) => last + 1,
        None => 0,
    };
    let of_folder = plan::read_scripts(folder, 0..end, dialect)?;
    let loose: Vec<_> = options.loose.iter().enumerate().collect();
    let loose = plan::read_files(&loose, dialect)?;
    let of_folder = of_folder.into_iter().map(|migration| {
        let wanted = wanted(&migration.input.name);
        (migration, wanted)
    });
    Ok(of_folder
        .chain(loose.into_iter().map(|migration| (migration, true)))
        .collect())
}

fn go_on(options: &TraceOptions, next: &str) -> Result<(), Error> {
    if options.interrupt.asked() == 0 {
        return Ok(());
    }
    Err(Error::Interrupted {
        finished: Vec::new(),
        next: Some(next.to_owned()),
        taking_back: false,
    })
}

/// Runs one script, statement by statement. `before` is the schema that the database has.
///
/// # Errors
/// The predictions cannot be made. A statement that fails is part of the answer.
pub fn trace_script(
    database: &mut Database,
    before: &Schema,
    name: &str,
    script: &Script,
    interrupt: &Interrupt,
) -> Result<TracedMigration, Error> {
    let mut traced = TracedMigration {
        name: name.to_owned(),
        statements: Vec::new(),
        failure: None,
    };
    for (explained, statement) in explain::statements(before, script)?.into_iter().zip(&script.statements) {
        if is_control(statement) {
            traced.statements.push(TracedStatement {
                explained,
                seen: None,
                differences: Vec::new(),
            });
            continue;
        }
        let sql = text_of(script, statement);
        let observed = if statement.transactional {
            database.observe(&sql, interrupt)
        } else {
            let tables = explained.known_locks().iter().filter(|lock| is_table(lock));
            let tables: Vec<_> = tables.map(|lock| (lock.relation.clone(), lock.mode)).collect();
            database.observe_outside(&sql, &tables, interrupt)
        };
        match observed {
            Ok(seen) => {
                let differences = compare::differences(explained.known_locks(), &seen, statement);
                traced.statements.push(TracedStatement {
                    explained,
                    seen: Some(seen),
                    differences,
                });
            }
            Err(error) => {
                traced.failure = Some(format!("line {}: {error}", explained.line));
                return Ok(traced);
            }
        }
    }
    Ok(traced)
}

/// What LOCK TABLE can hold.
fn is_table(lock: &TableLock) -> bool {
    matches!(lock.kind, ObjectKind::Table)
}

fn to_run(script: &Script) -> impl Iterator<Item = &Statement> {
    script.statements.iter().filter(|statement| !is_control(statement))
}

fn is_control(statement: &Statement) -> bool {
    let control = |operation: &Operation| match operation {
        Operation::Transaction(_) => true,
        Operation::SetParameter {
            name, pragma: false, ..
        } => name.starts_with("transaction"),
        _ => false,
    };
    statement.effects.iter().any(|effect| control(&effect.operation))
}

/// The statement as it is run: what holds until the end of a transaction would be gone before the next one.
fn text_of(script: &Script, statement: &Statement) -> String {
    let text = statement.span.of(&script.text);
    let any = |wanted: fn(&Operation) -> bool| statement.effects.iter().any(|effect| wanted(&effect.operation));
    let words: Vec<&str> = text.split_whitespace().collect();
    let says = |at: usize, word: &str| words.get(at).is_some_and(|known| known.eq_ignore_ascii_case(word));
    if any(|operation| matches!(operation, Operation::SetParameter { local: true, .. })) && says(1, "local") {
        return [&words[..1], &words[2..]].concat().join(" ");
    }
    if any(|operation| matches!(operation, Operation::CreateTable(table) if table.temporary)) {
        return without_on_commit(text);
    }
    text.to_owned()
}

/// The text of CREATE TEMPORARY TABLE with nothing that happens at the end of a transaction.
fn without_on_commit(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    for clause in ["on commit drop", "on commit delete rows"] {
        if let Some(at) = lower.find(clause) {
            return format!("{}{}", &text[..at], &text[at + clause.len()..]);
        }
    }
    text.to_owned()
}
