//! A deploy that is killed in the middle, and deploys that start at the same moment.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tollgate_tests::Project;

use crate::outside::Database;
use crate::session::on;

/// How many times a deploy is killed on each database.
fn times() -> u32 {
    std::env::var("TOLLGATE_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(25)
}

/// Chosen anew each time; printed when a test fails, and given back in a variable.
fn seed() -> u64 {
    std::env::var("TOLLGATE_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(rand::random)
}

/// About thirty migrations: whole transactions, single statements outside of one, and both in one file.
fn migrations(project: &Project, database: &Database) {
    let outside = matches!(database, Database::Postgres(_));
    let index = |name: &str| {
        let how = if outside { "CONCURRENTLY " } else { "" };
        format!(
            "CREATE INDEX {how}{name} ON t0 ({});\n",
            if name.ends_with('0') { "a" } else { "b" }
        )
    };
    project.migration(
        "00_first",
        "CREATE TABLE t0 (id integer PRIMARY KEY, a text, b text);\nINSERT INTO t0 VALUES (1, 'x', 'y');\n",
    );
    for number in 1..30 {
        let table = format!("CREATE TABLE t{number} (id integer PRIMARY KEY, t0 integer REFERENCES t0 (id));\n");
        let rows = format!("INSERT INTO t{number} VALUES (1, 1), (2, 1);\n");
        let sql = match number % 3 {
            0 => table + &rows,
            1 => index(&format!("i{number}")),
            _ => table + &index(&format!("i{number}_0")) + &rows + &index(&format!("i{number}_1")),
        };
        project.migration(&format!("{number:02}_step"), &sql);
    }
}

/// Everything that a deploy should leave: schema, rows, and which migrations are recorded as applied.
fn outcome(database: &Database) -> (String, String, String) {
    let applied = database.run(
        "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL \
         ORDER BY migration_name",
    );
    (database.schema(), database.rows(), applied)
}

fn start(project: &Project) -> Child {
    let mut command = project.command(&["deploy"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn killed_anywhere(like: fn() -> Database) {
    let undisturbed = like();
    let project = on(&undisturbed);
    migrations(&project, &undisturbed);
    let started = Instant::now();
    project.succeed(&["deploy"]);
    let mut whole = started.elapsed();
    let expected = outcome(&undisturbed);
    assert_eq!(expected.2.lines().count(), 30);

    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let mut cut_off = 0;
    // A deploy that is done before it can be killed does not count; how long one takes depends on the machine's load.
    while cut_off < times() {
        let database = like();
        let project = on(&database);
        migrations(&project, &database);
        // Once or twice in the same deploy: the one that goes on can be killed as well.
        for round in 0..random.random_range(1..=2) {
            let after = whole.mul_f64(random.random_range(0.0..1.0));
            match kill_after(&project, after) {
                Killed::InTheMiddle => {
                    cut_off += 1;
                    whole = whole.mul_f64(1.05);
                }
                Killed::TooLate(took) => {
                    // What a second one had left to do says nothing about a whole deploy.
                    whole = if round == 0 { took } else { whole };
                    break;
                }
            }
        }
        let place = format!("kill number {cut_off}, TOLLGATE_TEST_SEED={seed}");
        let next = project.run(&["deploy"]);
        assert_eq!(next.status, Some(0), "{place}\n{next}");
        assert_eq!(outcome(&database), expected, "{place}\n{next}");
        assert_eq!(project.run(&["status"]).status, Some(0), "{place}");
    }
}

/// What became of an attempt to kill a deploy.
enum Killed {
    InTheMiddle,
    /// It was done after this time.
    TooLate(Duration),
}

fn kill_after(project: &Project, time: Duration) -> Killed {
    let mut child = start(project);
    let started = Instant::now();
    while started.elapsed() < time {
        std::thread::sleep(Duration::from_millis(1));
        if child.try_wait().unwrap().is_some() {
            return Killed::TooLate(started.elapsed());
        }
    }
    // SIGKILL.
    child.kill().unwrap();
    match child.wait().unwrap().code() {
        None => Killed::InTheMiddle,
        Some(_) => Killed::TooLate(started.elapsed()),
    }
}

#[test]
fn a_deploy_to_postgres_can_be_killed_anywhere() {
    killed_anywhere(Database::postgres);
}

#[test]
fn a_deploy_to_sqlite_can_be_killed_anywhere() {
    killed_anywhere(Database::sqlite);
}

fn all_at_once(database: &Database) {
    let projects: Vec<Project> = (0..8).map(|_| on(database)).collect();
    for project in &projects {
        migrations(project, database);
    }
    let children: Vec<Child> = projects.iter().map(start).collect();
    let mut applied: Vec<String> = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
        let names = stdout
            .lines()
            .filter_map(|line| line.strip_prefix("applied ")?.split(' ').next());
        applied.extend(names.map(str::to_owned));
    }
    applied.sort();
    let expected: Vec<String> = (0..30)
        .map(|number| {
            if number == 0 {
                "00_first".to_owned()
            } else {
                format!("{number:02}_step")
            }
        })
        .collect();
    assert_eq!(applied, expected, "each migration was applied by exactly one of them");
    assert_eq!(outcome(database).2.lines().collect::<Vec<_>>(), expected);
    assert_eq!(database.run("SELECT count(*) FROM _prisma_migrations").trim(), "30");
}

#[test]
fn eight_deploys_at_once_share_a_postgres_database() {
    all_at_once(&Database::postgres());
}

#[test]
fn eight_deploys_at_once_share_an_sqlite_database() {
    all_at_once(&Database::sqlite());
}
