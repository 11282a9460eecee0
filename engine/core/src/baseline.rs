//! `baseline`: taking over a database that has tables and no ledger. What the migrations make is compared with what is
//! there, and those whose result is there are recorded as applied.

use std::collections::BTreeSet;

use serde::Serialize;
use tollgate_database::{ConnectOptions, Database};
use tollgate_schema::difference::{self, Difference, Options, Place, Texts};
use tollgate_schema::{BaseError, Schema};

use crate::deploy::take_lock;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::plan::{self, ReadMigration};
use crate::project::Project;
use crate::refusal::Refusal;
use crate::resolve::find;

/// Which migrations to record.
#[derive(Debug, Clone, Default)]
pub struct BaselineOptions {
    /// Up to this one. `None`: as many as the database has.
    pub to: Option<String>,
    /// Record them although the database differs.
    pub force: bool,
}

/// What a baseline recorded or would record.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BaselineReport {
    /// The migrations whose result is in the database, in order.
    pub migrations: Vec<String>,
    /// Those of them of which the catalog shows nothing: they change rows, privileges, or the query of a view.
    pub unclear: Vec<String>,
    /// Those after them, which the next deploy applies.
    pub pending: Vec<String>,
    /// What differs all the same; empty unless that was to be overlooked.
    pub differences: Vec<String>,
    /// Expressions and bodies of functions that are written in other words than in the migrations: they may mean the same.
    pub wording: Vec<String>,
    /// What is in the database and in no migration.
    pub unknown: Vec<String>,
    /// They are recorded now.
    pub recorded: bool,
}

/// Finds the migrations whose result is in the database, shows them to `confirm`, and records them when that says yes.
///
/// # Errors
/// The ledger has rows already, a script cannot be read, or the database is not what the migrations make.
pub fn baseline(
    project: &Project,
    options: &BaselineOptions,
    confirm: &mut dyn FnMut(&BaselineReport) -> bool,
    observe: Observer<'_>,
) -> Result<BaselineReport, Error> {
    let folder = &project.folder;
    folder.expect_dialect(project.target.dialect())?;
    if let Some(name) = &options.to {
        find(folder, name)?;
    }
    let read = plan::read_scripts(folder, 0..folder.migrations.len(), project.target.dialect())?;
    let mut database = Database::connect(&project.target, &ConnectOptions::default())?;
    refuse_used_ledger(&mut database)?;
    let connected = Schema::over(database.catalog()?, database.context());
    let scripts: Vec<_> = read.iter().map(|migration| &**migration.script()).collect();
    connected.prefetch(&scripts);
    let states = states(&read, Schema::empty(database.context()))?;
    let fit = choose(project, options, &states, &connected)?;
    let mut report = report(&read, &fit, &states)?;
    drop(connected);
    if !fit.fatal.is_empty() {
        if !options.force {
            return Err(Refusal::Differs {
                to: report.migrations.last().cloned().unwrap_or_default(),
                differences: fit.fatal,
            }
            .into());
        }
        report.differences = fit.fatal.iter().map(ToString::to_string).collect();
    }
    if !confirm(&report) {
        return Ok(report);
    }
    let _lock = take_lock(project, "baseline", &mut database, observe)?;
    // Somebody may have been faster while a person was asked.
    refuse_used_ledger(&mut database)?;
    let files = read[..fit.count]
        .iter()
        .map(|migration| &folder.migrations[migration.local]);
    let rows: Vec<_> = files.map(|file| (file.name.as_str(), file.checksum.as_str())).collect();
    database.mark_applied(&rows)?;
    for text in &report.differences {
        observe(Event::Warning(format!("recorded although it differs: {text}")));
    }
    report.recorded = true;
    Ok(report)
}

fn refuse_used_ledger(database: &mut Database) -> Result<(), Error> {
    match database.ledger()?.unwrap_or_default().len() {
        0 => Ok(()),
        rows => Err(Refusal::LedgerInUse { rows }.into()),
    }
}

/// What the database would be like after each number of first migrations.
fn states(read: &[ReadMigration], empty: Schema) -> Result<Vec<Schema>, BaseError> {
    let mut states = Vec::with_capacity(read.len() + 1);
    let mut schema = empty;
    states.push(schema.clone());
    plan::walk(&mut schema, read, |_, _, after| -> Result<(), BaseError> {
        states.push(after.clone());
        Ok(())
    })?;
    Ok(states)
}

/// How well the database fits a number of first migrations.
struct Fit {
    count: usize,
    /// What is missing or different, or there too early.
    fatal: Vec<Difference>,
    /// Texts that differ, of which only a person can say whether they mean the same.
    wording: Vec<Difference>,
    /// Objects that no migration makes.
    unknown: BTreeSet<String>,
}

impl Fit {
    /// The better, the smaller.
    fn rank(&self) -> (usize, usize) {
        (self.fatal.len(), self.wording.len())
    }
}

/// The number of first migrations that fits best; of several that fit alike, the greatest.
fn choose(project: &Project, options: &BaselineOptions, states: &[Schema], connected: &Schema) -> Result<Fit, Error> {
    let named = options.to.as_ref().and_then(|name| {
        let migrations = &project.folder.migrations;
        migrations.iter().position(|migration| migration.name == *name)
    });
    let mut best: Option<Fit> = None;
    // What is in the database only, whatever the migrations after the present number make.
    let mut unknown: Option<BTreeSet<String>> = None;
    for (count, state) in states.iter().enumerate().rev() {
        let structure = compare(state, connected, Compared::Structure)?;
        let (extra, mut fatal): (Vec<_>, Vec<_>) = structure
            .iter()
            .cloned()
            .partition(|difference| difference.text == ONLY_THERE);
        let extra_names: BTreeSet<String> = extra.iter().map(|extra| extra.object.clone()).collect();
        let known = unknown.get_or_insert_with(|| extra_names.clone());
        known.retain(|name| extra_names.contains(name));
        let early = extra.into_iter().filter(|extra| !known.contains(&extra.object));
        fatal.extend(early.map(|extra| Difference {
            text: "there already, though only a later migration makes it".to_owned(),
            ..extra
        }));
        let fits = fatal.is_empty();
        let wanted = named.is_none_or(|named| named + 1 == count);
        if wanted && best.as_ref().is_none_or(|best| fatal.len() <= best.fatal.len()) {
            let mut wording = compare(state, connected, Compared::Texts)?;
            wording.retain(|difference| !structure.contains(difference));
            let fit = Fit {
                count,
                fatal,
                wording,
                unknown: known.clone(),
            };
            if best.as_ref().is_none_or(|best| fit.rank() < best.rank()) {
                best = Some(fit);
            }
        }
        // Before a migration that is seen to be in, nothing fits better; the rest would only be read for nothing.
        if best
            .as_ref()
            .is_some_and(|best| named.is_some() || best.rank() == (0, 0) || (best.fatal.is_empty() && !fits))
        {
            break;
        }
    }
    match best {
        Some(fit) if fit.count > 0 => Ok(fit),
        _ => Err(Refusal::NothingThere.into()),
    }
}

/// What `difference` says of an object that only the right side has.
const ONLY_THERE: &str = "only in the database";

/// How an expression is compared.
type Normalise<'a> = &'a dyn Fn(Place<'_>, &str) -> String;

/// What is compared.
#[derive(Clone, Copy)]
enum Compared {
    /// What a script and a server say in the same words.
    Structure,
    /// Expressions, bodies of functions and statements of triggers, too: a server may print them in other words.
    Texts,
}

/// The differences that count. The order of columns means nothing to whoever names them.
fn compare(left: &Schema, right: &Schema, compared: Compared) -> Result<Vec<Difference>, BaseError> {
    let dialect = left.context().dialect;
    let words = |place: Place<'_>, text: &str| plain(&difference::in_other_words(dialect, place, text));
    let (normalise, texts): (Normalise<'_>, _) = match compared {
        Compared::Structure => (&|_, _| String::new(), Texts::None),
        Compared::Texts => (&words, Texts::Written),
    };
    let options = Options {
        left: "the migrations",
        right: "the database",
        normalise,
        statements: false,
        texts,
        ..Options::default()
    };
    let mut found = difference::compare(left, right, &options)?;
    found.retain(|difference| !difference.text.starts_with("order of columns"));
    Ok(found)
}

fn report(read: &[ReadMigration], fit: &Fit, states: &[Schema]) -> Result<BaselineReport, BaseError> {
    let names = |read: &[ReadMigration]| read.iter().map(|migration| migration.input.name.clone()).collect();
    let mut unclear = Vec::new();
    for (migration, pair) in read[..fit.count].iter().zip(states.windows(2)) {
        if let [before, after] = pair
            && compare(before, after, Compared::Texts)?.is_empty()
        {
            unclear.push(migration.input.name.clone());
        }
    }
    Ok(BaselineReport {
        migrations: names(&read[..fit.count]),
        unclear,
        pending: names(&read[fit.count..]),
        differences: Vec::new(),
        wording: fit.wording.iter().map(ToString::to_string).collect(),
        unknown: fit.unknown.iter().cloned().collect(),
        recorded: false,
    })
}

/// An expression without what a server adds when it prints one: casts, parentheses, white space, case outside quotes.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if next == '\'' {
            let end = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if let Some(cast) = rest.strip_prefix("::") {
            rest = behind_type(cast);
        } else {
            if !next.is_whitespace() && !"()\"".contains(next) {
                out.extend(next.to_lowercase());
            }
            rest = &rest[next.len_utf8()..];
        }
    }
    match out.strip_prefix("nextval'") {
        // A server says in which schema the sequence is only where it is not on the search path.
        Some(sequence) => format!("nextval'{}", sequence.rsplit('.').next().unwrap_or(sequence)),
        None if out == "now" => "current_timestamp".to_owned(),
        None => out,
    }
}

/// What follows the name of a type.
fn behind_type(text: &str) -> &str {
    // Names with a space in them; behind any other one, a space ends it.
    const LONG: [&str; 4] = [
        "character varying",
        "double precision",
        "timestamp without time zone",
        "timestamp with time zone",
    ];
    let end = LONG
        .iter()
        .find(|name| text.starts_with(**name))
        .map(|name| name.len())
        .or_else(|| text.find(|c: char| !(c.is_alphanumeric() || "_.\"".contains(c))))
        .unwrap_or(text.len());
    let mut rest = &text[end..];
    while let Some(less) = rest.strip_prefix("[]") {
        rest = less;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_compared_without_what_servers_add() {
        for (one, two) in [
            ("'draft'", "'draft'::text"),
            ("'draft'", "'draft'::character varying"),
            ("price > 0 AND price < 10", "((price > 0) AND (price < 10))"),
            ("now()", "CURRENT_TIMESTAMP"),
            ("status = 'New'", "((status)::text = 'New'::text)"),
            ("'{}'", "'{}'::text[]"),
            ("ARRAY['a', 'b']", "ARRAY['a'::text, 'b'::text]"),
            ("nextval('a_id_seq'::regclass)", "nextval('public.a_id_seq'::regclass)"),
            ("'it''s'", "'it''s'::text"),
        ] {
            assert_eq!(plain(one), plain(two));
        }
        for (one, two) in [("'a'", "'A'"), ("price > 0", "price > 1"), ("'a b'", "'ab'")] {
            assert_ne!(plain(one), plain(two));
        }
    }
}
