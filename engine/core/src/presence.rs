//! How much of a migration is in a database, told by looking: its statements are replayed one by one, and the catalog is
//! compared with what there would be after each. Statements run in order, so what fits is a number of first statements.

mod facts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use tollgate_database::ledger::LedgerRow;
use tollgate_database::{Database, Leftovers};
use tollgate_schema::{BaseError, Schema};
use tollgate_sql::operation::ObjectKind;
use tollgate_sql::{Dialect, ObjectName, Script, Statement};

use crate::deploy::excerpt;
use crate::error::Error;
use crate::folder::Folder;
use crate::history::{Entry, History, Standing};
use crate::plan;
use crate::resolve::find;
use facts::{Fact, Seen, seen};

/// What was found of a migration.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// Its name.
    pub migration: String,
    /// Its file.
    pub path: PathBuf,
    /// What ledger and folder say.
    pub standing: Standing,
    /// How much of it is in.
    pub extent: Extent,
    /// What to record or do.
    pub proposal: Proposal,
    /// Its statements.
    pub statements: Vec<InspectedStatement>,
    /// What is there in a form that the file explains neither before nor after any of its statements.
    pub surprises: Vec<String>,
    /// The file is not the one that was started or applied.
    pub edited: bool,
    /// Started and not finished, although another attempt of it is recorded as applied.
    pub applied_before: bool,
    /// Of one that was started and not finished: how many statements are in by our own record.
    pub done: Option<usize>,
    /// Line of a statement that may have left something when it was cut off, and would run again.
    pub in_doubt: Option<usize>,
    /// Its folder is gone.
    pub missing: bool,
}

/// One statement of it.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedStatement {
    /// Line on which it starts, counted from 1.
    pub line: usize,
    /// Its first line, shortened.
    pub excerpt: String,
    /// Whether it is in the database.
    pub presence: Presence,
    /// It may be run again whatever became of it: IF NOT EXISTS, OR REPLACE, IF EXISTS.
    pub repeatable: bool,
}

/// Whether a statement's effect is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is.
    In,
    /// It is not.
    Out,
    /// The catalog does not tell: rows, privileges, what is made at run time.
    Untold,
}

/// How much of a migration is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Everything that can be seen.
    All,
    /// Nothing that can be seen.
    None,
    /// Some first statements.
    Partly,
    /// Some statements, but not the first ones: somebody had a hand in it.
    Mixed,
    /// Nothing of it can be seen in a catalog.
    Untold,
}

/// What is to be done about a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proposal {
    /// Nothing: it is applied.
    Nothing,
    /// Record it as applied.
    Applied,
    /// Record it as rolled back.
    RolledBack,
    /// The next deploy does what is to be done.
    Deploy,
    /// A deploy goes on after what is in.
    Resume,
    /// Somebody has to bring the database to one state or the other first.
    ByHand,
}

impl Inspection {
    /// Of a migration whose folder is gone there is nothing to look for.
    fn unseen(name: &str, standing: Standing, applied_before: bool, leftovers: Option<&Leftovers>) -> Self {
        let done = leftovers.and_then(Leftovers::done);
        let proposal = match standing {
            Standing::Failed | Standing::Interrupted if applied_before => Proposal::RolledBack,
            Standing::Failed | Standing::Interrupted if done.is_some_and(|done| done > 0) => Proposal::ByHand,
            Standing::Failed | Standing::Interrupted => Proposal::RolledBack,
            _ => Proposal::Nothing,
        };
        Self {
            migration: name.to_owned(),
            path: PathBuf::new(),
            standing,
            extent: Extent::Untold,
            proposal,
            statements: Vec::new(),
            surprises: Vec::new(),
            edited: false,
            applied_before,
            done,
            in_doubt: None,
            missing: true,
        }
    }
}

/// After how many replayed statements every object's state is still worth comparing one by one.
const MOST_STATES: usize = 50_000;

/// Looks how much of the migration `name` is in the database. `recorded_before` are names that count as applied although
/// the ledger does not say so yet.
///
/// # Errors
/// Neither folder nor ledger has it, a script cannot be read, or the catalog cannot be.
pub(crate) fn inspect(
    folder: &Folder,
    history: &History,
    database: &mut Database,
    name: &str,
    recorded_before: &[&str],
) -> Result<Inspection, Error> {
    let Some(entry) = history.find(name) else {
        find(folder, name)?;
        return Ok(Inspection::unseen(name, Standing::Pending, false, None));
    };
    let leftovers = match (&entry.row, entry.standing) {
        (Some(row), Standing::Failed | Standing::Interrupted) => Some(database.leftovers(row)?),
        _ => None,
    };
    let Some(local) = entry.local else {
        let leftovers = leftovers.as_ref();
        return Ok(Inspection::unseen(
            name,
            entry.standing,
            entry.applied_before,
            leftovers,
        ));
    };
    let dialect = database.context().dialect;
    let before = before(history, entry, recorded_before);
    let mut schema = Schema::empty(database.context());
    for migration in plan::read_scripts(folder, before, dialect)? {
        schema.apply_script(migration.script())?;
    }
    let read = plan::read_scripts(folder, [local], dialect)?;
    let script = &**read[0].script();
    let connected = Schema::over(database.catalog()?, database.context());
    connected.prefetch(&[script]);
    let mut comparison = Comparison::of(script, schema, &connected)?;
    comparison.trust(leftovers.as_ref());
    let extent = comparison.extent();
    comparison.explain();
    let file = &folder.migrations[local];
    let edited = |row: &LedgerRow| file.is_edited_since(&row.checksum);
    let in_doubt = leftovers.as_ref().and_then(Leftovers::in_doubt);
    Ok(Inspection {
        migration: name.to_owned(),
        path: file.path.clone(),
        standing: entry.standing,
        extent,
        proposal: propose(entry, extent, leftovers.as_ref()),
        statements: comparison.statements(script),
        surprises: comparison.surprises,
        // A file whose attempt was rolled back may be mended.
        edited: entry.standing != Standing::RolledBack && entry.row.as_ref().is_some_and(edited),
        applied_before: entry.applied_before,
        done: leftovers.as_ref().and_then(Leftovers::done),
        in_doubt: in_doubt.and_then(|index| script.lines().get(index).copied()),
        missing: false,
    })
}

/// The migrations that came before: those that are applied, in their order; without a ledger those that sort before.
fn before(history: &History, entry: &Entry, recorded_before: &[&str]) -> Vec<usize> {
    let mut applied = history.applied();
    applied.extend(recorded_before.iter().filter_map(|name| history.find(name)));
    if applied.is_empty() {
        let earlier = history.entries.iter().take_while(|other| other.name != entry.name);
        return earlier.filter_map(|other| other.local).collect();
    }
    let others = applied.into_iter().filter(|other| other.name != entry.name);
    others.filter_map(|other| other.local).collect()
}

fn propose(entry: &Entry, extent: Extent, leftovers: Option<&Leftovers>) -> Proposal {
    match (entry.standing, extent) {
        (Standing::Applied, _) => Proposal::Nothing,
        // What is in is what the attempt before has made.
        (Standing::Failed, _) if entry.applied_before => Proposal::RolledBack,
        (Standing::Interrupted, _) => Proposal::Deploy,
        (_, Extent::All) => Proposal::Applied,
        (Standing::Failed, Extent::None) => Proposal::RolledBack,
        (_, Extent::None) => Proposal::Deploy,
        (Standing::Failed, Extent::Partly) if matches!(leftovers, Some(Leftovers::Partly { .. })) => Proposal::Resume,
        _ => Proposal::ByHand,
    }
}

/// A fact at some moment.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    /// A replay could not follow the object.
    Unknown,
    /// There is no such thing.
    Absent,
    /// It is this.
    Present(Fact),
}

impl Value {
    /// The property in words.
    fn what(&self) -> Option<&str> {
        match self {
            Self::Present(fact) => Some(&fact.what),
            Self::Unknown | Self::Absent => None,
        }
    }
}

/// What each object of a script is like before it and after each of its statements, beside what it is in the database.
struct Comparison {
    /// Numbers of first statements after which the objects were looked at.
    steps: Vec<usize>,
    /// Those after which everything that can be seen is as it is in the database. Empty: there is no such number.
    fitting: BTreeSet<usize>,
    /// Something could be seen at all.
    told: bool,
    /// What each statement's own facts say, used where no number of first statements fits.
    own: BTreeMap<usize, Presence>,
    surprises: Vec<String>,
    /// Of each statement, what of it is not in: the property, and what it is instead.
    lacking: BTreeMap<usize, Vec<(String, Option<String>)>>,
    statements: usize,
}

impl Comparison {
    fn of(script: &Script, mut schema: Schema, connected: &Schema) -> Result<Self, BaseError> {
        let names = objects(script, &schema);
        let number = script.statements.len();
        let coarse = number.saturating_mul(names.len()) > MOST_STATES;
        let look = |schema: &Schema| {
            names
                .iter()
                .map(|name| seen(schema, name))
                .collect::<Result<Vec<_>, _>>()
        };
        let mut steps = vec![0];
        let mut states = vec![look(&schema)?];
        schema.apply_each(script, |index, schema| {
            if !coarse || index + 1 == number {
                steps.push(index + 1);
                states.push(look(schema)?);
            }
            Ok(())
        })?;
        let found = look(connected)?;
        let mut comparison = Self {
            fitting: steps.iter().copied().collect(),
            steps,
            told: false,
            own: BTreeMap::new(),
            surprises: Vec::new(),
            lacking: BTreeMap::new(),
            statements: number,
        };
        for (object, found) in found.iter().enumerate() {
            let states: Vec<&Seen> = states.iter().map(|state| &state[object]).collect();
            comparison.object(&states, found);
        }
        Ok(comparison)
    }

    /// Compares one object: `states` are what it is like after each step.
    fn object(&mut self, states: &[&Seen], found: &Seen) {
        let Seen::Known(found) = found else { return };
        let known = states.iter().filter_map(|state| match state {
            Seen::Known(facts) => Some(facts),
            Seen::Unknown => None,
        });
        let keys: BTreeSet<&String> = known.flat_map(BTreeMap::keys).collect();
        for key in keys {
            let value = |facts: &BTreeMap<String, Fact>| facts.get(key).cloned().map_or(Value::Absent, Value::Present);
            let values: Vec<Value> = states
                .iter()
                .map(|state| match state {
                    Seen::Known(facts) => value(facts),
                    Seen::Unknown => Value::Unknown,
                })
                .collect();
            self.fact(key, &values, &value(found));
        }
    }

    /// Compares one fact.
    fn fact(&mut self, key: &str, values: &[Value], found: &Value) {
        let mut distinct: Vec<_> = values.iter().filter(|value| **value != Value::Unknown).collect();
        distinct.dedup();
        if distinct.len() < 2 {
            return;
        }
        if !values.contains(found) {
            if let Value::Present(Fact {
                what,
                value,
                loose: false,
            }) = found
            {
                self.surprises.push(format!("{what} is {value}"));
            }
            return;
        }
        self.told = true;
        let steps = self.steps.iter().zip(values);
        let fits = |value: &Value| value == found || *value == Value::Unknown;
        let fitting: BTreeSet<usize> = steps.filter(|(_, value)| fits(value)).map(|(step, _)| *step).collect();
        self.fitting.retain(|step| fitting.contains(step));
        let what = values.iter().find_map(Value::what).unwrap_or(key);
        for (at, pair) in values.windows(2).enumerate() {
            let [before, after] = pair else { continue };
            let says = match (before == found, after == found) {
                _ if before == after || pair.contains(&Value::Unknown) => continue,
                (_, true) => Presence::In,
                (true, false) => Presence::Out,
                (false, false) => continue,
            };
            self.says(self.steps[at + 1], says, what, found);
        }
    }

    /// Notes what one fact says of the statement whose step this is.
    fn says(&mut self, step: usize, says: Presence, what: &str, found: &Value) {
        if says == Presence::Out {
            let state = match found {
                Value::Present(fact) => Some(fact.value.clone()),
                Value::Absent | Value::Unknown => None,
            };
            self.lacking.entry(step).or_default().push((what.to_owned(), state));
        }
        let presence = self.own.entry(step).or_insert(says);
        if *presence != says {
            *presence = Presence::Untold;
        }
    }

    /// Takes our own record of an attempt into account, as far as the catalog does not contradict it.
    fn trust(&mut self, leftovers: Option<&Leftovers>) {
        let numbers: BTreeSet<usize> = match leftovers {
            Some(Leftovers::Nothing) => [0].into(),
            Some(Leftovers::Interrupted { done } | Leftovers::Partly { done, in_doubt: None }) => [*done].into(),
            Some(Leftovers::Partly { done, .. }) => [*done, done + 1].into(),
            Some(Leftovers::Unknown) | None => return,
        };
        let both: BTreeSet<usize> = self.fitting.intersection(&numbers).copied().collect();
        if !both.is_empty() {
            self.fitting = both;
            self.told = true;
        }
    }

    /// Where no number of first statements fits, says what of a statement is not in although other parts of it are.
    fn explain(&mut self) {
        if !self.fitting.is_empty() {
            return;
        }
        for (step, lacking) in &self.lacking {
            if self.own.get(step) != Some(&Presence::Untold) {
                continue;
            }
            // Of a column that is not there, nobody wonders about the type.
            let part = |what: &str| {
                lacking
                    .iter()
                    .any(|(whole, _)| whole != what && what.ends_with(whole.as_str()))
            };
            let texts = lacking
                .iter()
                .filter(|(what, _)| !part(what))
                .map(|(what, state)| match state.as_deref() {
                    None => format!("{what} is not there"),
                    Some(state) => format!("{what} is {state}"),
                });
            self.surprises.extend(texts);
        }
    }

    fn extent(&self) -> Extent {
        let (Some(&first), Some(&last)) = (self.fitting.first(), self.fitting.last()) else {
            return Extent::Mixed;
        };
        if !self.told {
            return Extent::Untold;
        }
        match (first, last) {
            (0, last) if last == self.statements => Extent::Untold,
            (0, _) => Extent::None,
            (_, last) if last == self.statements => Extent::All,
            _ => Extent::Partly,
        }
    }

    fn presence(&self, index: usize) -> Presence {
        let step = index + 1;
        match (self.fitting.first(), self.fitting.last()) {
            (Some(&first), _) if step <= first => Presence::In,
            (_, Some(&last)) if step > last => Presence::Out,
            (Some(_), _) => Presence::Untold,
            (None, _) => self.own.get(&step).copied().unwrap_or(Presence::Untold),
        }
    }

    fn statements(&self, script: &Script) -> Vec<InspectedStatement> {
        let one = |(statement, line): (&Statement, usize)| {
            let text = statement.span.of(&script.text);
            InspectedStatement {
                line,
                excerpt: excerpt(text),
                presence: self.presence(statement.index),
                repeatable: repeatable(text),
            }
        };
        script.statements.iter().zip(script.lines()).map(one).collect()
    }
}

/// Every object that the script names, resolved.
fn objects(script: &Script, schema: &Schema) -> Vec<ObjectName> {
    let names = script.statements.iter().flat_map(Statement::objects);
    let resolved = names.map(|name| {
        let mut name = schema.resolve(ObjectKind::Table, &name);
        if schema.context().dialect == Dialect::Sqlite {
            name.name = name.name.to_lowercase();
        }
        name
    });
    resolved.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Whether the statement says itself that it may find its work done.
fn repeatable(statement: &str) -> bool {
    let text = statement.to_uppercase();
    let head: Vec<&str> = text.split_whitespace().take(12).collect();
    let head = head.join(" ");
    ["IF NOT EXISTS", "IF EXISTS", "OR REPLACE"]
        .iter()
        .any(|phrase| head.contains(phrase))
}
