//! What is predicted of statements, held against what PostgreSQL does: locks, reads from end to end, new files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod examples;

use tollgate_database::{ConnectOptions, Database};
use tollgate_engine::trace::{TracedStatement, trace_script};
use tollgate_engine::{Interrupt, LockMode, Target};
use tollgate_schema::Schema;
use tollgate_sql::Dialect;

use cases::{Case, SINCE_17};

/// Everything that a case before has left.
const CLEAN: &str = "DO $$ DECLARE name text; BEGIN \
     FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP \
     EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP; END $$; CREATE SCHEMA public;";

fn connect(url: &str) -> Database {
    let target = Target::parse(url, std::path::Path::new(".")).unwrap();
    Database::connect(&target, &ConnectOptions::default()).unwrap()
}

/// Those that the server knows.
fn cases(database: &Database) -> impl Iterator<Item = &'static Case> + use<> {
    let newer: &[Case] = if database.server().version.0 >= 17 {
        SINCE_17
    } else {
        &[]
    };
    cases::all().chain(newer)
}

/// Runs the case: its statements, predicted and seen. Servers older than 15 do not know all of them.
fn run(database: &mut Database, case: &Case, wrong: &mut Vec<String>) -> Vec<TracedStatement> {
    let old = database.server().version.0 < 15;
    let run = |database: &mut Database, sql: &str| database.run_alone(sql, &Interrupt::default());
    run(database, CLEAN).unwrap();
    let setup = format!("{}\n{}", cases::COMMON, case.before);
    if let Err(error) = run(database, &setup) {
        assert!(old, "{}: {error}", case.statement);
        return Vec::new();
    }
    let mut schema = Schema::empty(database.context());
    schema
        .apply_script(&tollgate_sql::parse(Dialect::Postgres, &setup).unwrap())
        .unwrap();
    schema.settle();
    let script = tollgate_sql::parse(Dialect::Postgres, case.statement)
        .unwrap_or_else(|error| panic!("{}: {error}", case.statement));
    let traced = trace_script(database, &schema, "case", &script, &Interrupt::default()).unwrap();
    if let Some(failure) = traced.failure.filter(|_| !old) {
        wrong.push(format!("{}\n    fails: {failure}", case.statement));
    }
    traced.statements
}

#[test]
fn locks_and_rewrites_are_as_predicted() {
    let cluster = tollgate_testing::postgres::cluster();
    let test = cluster.database();
    let mut database = connect(&test.url());
    let mut wrong = Vec::new();
    for case in cases(&database) {
        for statement in run(&mut database, case, &mut wrong) {
            for difference in &statement.differences {
                wrong.push(format!("{}\n    {difference}", case.statement));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn tables_that_are_read_whole_are_as_predicted() {
    let cluster = tollgate_testing::postgres::cluster();
    let test = cluster.database();
    let mut database = connect(&test.url());
    let mut wrong = Vec::new();
    for case in cases(&database).filter(|case| !case.queries) {
        for statement in run(&mut database, case, &mut wrong) {
            if !statement.explained.transactional {
                continue;
            }
            let seen = statement.seen.unwrap_or_default();
            for lock in statement
                .explained
                .known_locks()
                .iter()
                .filter(|lock| lock.mode > LockMode::RowExclusive)
            {
                if lock.kind == tollgate_sql::operation::ObjectKind::Index {
                    continue;
                }
                let read = seen.read.contains(&lock.relation);
                if read != lock.scans {
                    let word = if read { "was read" } else { "was not read" };
                    wrong.push(format!("{}\n    {} {word}", case.statement, lock.relation));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}
