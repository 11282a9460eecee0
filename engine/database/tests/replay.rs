//! A replay of scripts must equal what the server makes of them. The scripts beside this file hold the tricky statements;
//! real projects' migrations are tried where `TOLLGATE_REAL_POSTGRES` or `TOLLGATE_REAL_SQLITE` names a folder of them.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "replay/normal.rs"]
mod normal;

use std::path::{Path, PathBuf};

use tollgate_database::{ConnectOptions, Database, Target};
use tollgate_schema::Schema;
use tollgate_schema::difference::{Options, Texts, compare, in_other_words};
use tollgate_sql::Dialect;

use normal::Normaliser;

/// A script and what to call it.
struct Step {
    name: String,
    text: String,
}

/// The steps of a file: each begins with a line `-- step: name`.
fn steps(text: &str) -> Vec<Step> {
    let parts = text.split("-- step: ").skip(1);
    parts
        .map(|part| {
            let (name, text) = part.split_once('\n').unwrap();
            Step {
                name: name.to_owned(),
                text: text.to_owned(),
            }
        })
        .collect()
}

/// The migrations of the folder that `variable` names.
fn real(variable: &str) -> Option<Vec<Step>> {
    let Some(folder) = std::env::var_os(variable).map(PathBuf::from) else {
        println!("skipped: {variable} names no folder of migrations");
        return None;
    };
    let mut folders: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.retain(|path| path.join("migration.sql").is_file());
    folders.sort();
    let step = |path: &PathBuf| Step {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: std::fs::read_to_string(path.join("migration.sql")).unwrap(),
    };
    Some(folders.iter().map(step).collect())
}

/// What a connected database holds now.
fn read(url: &str) -> Schema {
    let target = Target::parse(url, Path::new(".")).unwrap();
    let options = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    let mut database = Database::connect(&target, &options).unwrap();
    Schema::over(database.catalog().unwrap(), database.context())
}

/// Differences between a replay and the database behind `url`.
fn differences(replayed: &Schema, url: &str, normaliser: Option<&Normaliser>) -> Vec<String> {
    let normalise = |place: tollgate_schema::difference::Place<'_>, text: &str| match normaliser {
        Some(normaliser) => normaliser.normal(place, text),
        None => text.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let options = Options {
        left: "replay",
        right: "server",
        normalise: &normalise,
        privileges: normaliser.is_some(),
        ..Options::default()
    };
    compare(replayed, &read(url), &options)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// The same as it is told without asking a server what an expression means, and texts compared as well.
fn differences_in_words(replayed: &Schema, url: &str) -> Vec<String> {
    let dialect = replayed.context().dialect;
    let options = Options {
        left: "replay",
        right: "server, in other words",
        normalise: &|place, text| in_other_words(dialect, place, text),
        statements: false,
        texts: Texts::Written,
        ..Options::default()
    };
    let found = compare(replayed, &read(url), &options).unwrap();
    found.iter().map(ToString::to_string).collect()
}

/// Replays and runs step by step; after every `every`th and the last the two must be equal.
fn follow(
    dialect: Dialect,
    steps: &[Step],
    every: usize,
    url: &str,
    normaliser: Option<&Normaliser>,
    run: &dyn Fn(&str) -> Result<String, String>,
) {
    let mut replayed: Option<Schema> = None;
    let mut report = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let script = tollgate_sql::parse(dialect, &step.text).unwrap_or_else(|error| panic!("{}: {error}", step.name));
        let replayed = replayed.get_or_insert_with(|| Schema::empty(read(url).context().clone()));
        replayed.apply_script(&script).unwrap();
        if let Err(error) = run(&step.text) {
            report.push(format!("{}: {error}", step.name));
            break;
        }
        if number % every == every - 1 || number + 1 == steps.len() {
            let mut found = differences(replayed, url, normaliser);
            found.extend(differences_in_words(replayed, url));
            report.extend(found.iter().map(|difference| format!("{}: {difference}", step.name)));
        }
        if report.len() > 60 {
            break;
        }
    }
    assert!(
        report.is_empty(),
        "the replay is not what the server made:\n{}",
        report.join("\n")
    );
}

fn follow_postgres(steps: &[Step], every: usize) {
    let database = tollgate_testing::postgres::cluster().database();
    let normaliser = Normaliser::connect(&database.url());
    let run = |sql: &str| database.try_psql(sql).map_err(|error| error.to_string());
    follow(
        Dialect::Postgres,
        steps,
        every,
        &database.url(),
        Some(&normaliser),
        &run,
    );
}

fn follow_sqlite(steps: &[Step], every: usize) {
    let file = tollgate_testing::sqlite_file();
    let run = |sql: &str| file.try_sqlite3(sql).map_err(|error| error.to_string());
    follow(Dialect::Sqlite, steps, every, &file.url(), None, &run);
}

#[test]
fn postgres_statements_do_to_the_replay_what_they_do_to_the_server() {
    follow_postgres(&steps(include_str!("replay/postgres.sql")), 1);
}

#[test]
fn sqlite_statements_do_to_the_replay_what_they_do_to_the_file() {
    follow_sqlite(&steps(include_str!("replay/sqlite.sql")), 1);
}

#[test]
fn real_postgres_migrations_replay_to_what_the_server_holds() {
    if let Some(steps) = real("TOLLGATE_REAL_POSTGRES") {
        follow_postgres(&steps, 10);
    }
}

#[test]
fn real_sqlite_migrations_replay_to_what_the_file_holds() {
    if let Some(steps) = real("TOLLGATE_REAL_SQLITE") {
        follow_sqlite(&steps, 1);
    }
}

#[test]
fn one_of_everything_replays_to_what_the_server_makes_of_it() {
    let text = include_str!("catalog/everything.sql");
    follow_postgres(
        &[Step {
            name: "everything".to_owned(),
            text: text.to_owned(),
        }],
        1,
    );
}
