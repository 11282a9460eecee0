//! The SQL that turns one schema into another, run on real databases: after it there is no difference. Every step of the
//! scripts for the replay is taken forwards and back again.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use tollgate_database::{ConnectOptions, Database, Target};
use tollgate_schema::Schema;
use tollgate_schema::difference::{Difference, Options, Texts, compare};
use tollgate_schema::reconcile::{Reconciliation, Wanted, reconcile};

/// Name and text of each step of a file: they begin with a line `-- step: name`.
fn steps(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("-- step: ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

/// Everything that a database holds now.
fn picture(url: &str) -> Schema {
    let target = Target::parse(url, Path::new(".")).unwrap();
    let options = ConnectOptions {
        create_missing: true,
        ..ConnectOptions::default()
    };
    Database::connect(&target, &options).unwrap().picture().unwrap()
}

fn differences(left: &Schema, right: &Schema) -> Vec<Difference> {
    let options = Options {
        left: "what is wanted",
        right: "what there is",
        statements: false,
        texts: Texts::Printed,
        ..Options::default()
    };
    let mut found = compare(left, right, &options).unwrap();
    found.retain(|difference| !difference.text.starts_with("order of columns"));
    found
}

fn sql(reconciliation: &Reconciliation) -> String {
    let statements = reconciliation.steps.iter().map(|step| format!("{};\n", step.sql));
    statements.collect()
}

/// Runs SQL with the database's own shell.
type Run<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Turns what is at `url` into `wanted`, and says what did not work.
fn turn(url: &str, run: Run<'_>, wanted: &Schema, how: &str) -> Vec<String> {
    let current = picture(url);
    let found = differences(wanted, &current);
    let way = reconcile(wanted, &current, Wanted::Left, &found).unwrap();
    let mut trouble: Vec<String> = way.unable.iter().map(|text| format!("{how}: unable: {text}")).collect();
    let script = sql(&way);
    if let Err(error) = run(&script) {
        trouble.push(format!("{how}: {error}\nin:\n{script}"));
    }
    let left = differences(wanted, &picture(url));
    trouble.extend(
        left.iter()
            .map(|difference| format!("{how}: {difference}\nafter:\n{script}")),
    );
    trouble
}

/// Takes every step twice: on one database as it is written, on the other by what the difference says, forwards, back, and
/// forwards again.
fn follow(steps: &[(&str, &str)], urls: [&str; 2], run_first: Run<'_>, run_second: Run<'_>) -> String {
    let [first, second] = urls;
    let mut trouble = Vec::new();
    let mut before = picture(first);
    for (name, text) in steps {
        run_first(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let after = picture(first);
        trouble.extend(turn(second, run_second, &after, &format!("{name}, forwards")));
        trouble.extend(turn(second, run_second, &before, &format!("{name}, back")));
        trouble.extend(turn(second, run_second, &after, &format!("{name}, forwards again")));
        before = after;
    }
    trouble.join("\n")
}

#[test]
fn postgres_databases_are_turned_into_each_other() {
    let (one, other) = (
        tollgate_testing::postgres::cluster().database(),
        tollgate_testing::postgres::cluster().database(),
    );
    let first = |sql: &str| one.try_psql(sql).map_err(|error| error.to_string());
    let second = |sql: &str| other.try_psql(sql).map_err(|error| error.to_string());
    // An index of a partitioned table that its partitions have not is nothing that the model writes.
    let text = include_str!("replay/postgres.sql").replace("CREATE INDEX lone_ab ON ONLY lone (a, b);", "");
    let steps = steps(&text);
    let trouble = follow(&steps, [&one.url(), &other.url()], &first, &second);
    insta::assert_snapshot!(trouble, @"");
}

#[test]
fn sqlite_files_are_turned_into_each_other() {
    let (one, other) = (tollgate_testing::sqlite_file(), tollgate_testing::sqlite_file());
    let first = |sql: &str| one.try_sqlite3(sql).map_err(|error| error.to_string());
    let second = |sql: &str| other.try_sqlite3(sql).map_err(|error| error.to_string());
    let steps = steps(include_str!("replay/sqlite.sql"));
    let trouble = follow(&steps, [&one.url(), &other.url()], &first, &second);
    insta::assert_snapshot!(trouble, @"");
}
