//! Migrations on real servers, there and back: after each rollback the database is what it was before that migration,
//! the order of columns aside; where the plan calls itself lossless, so are the rows.

use serde_json::Value;
use tollgate_tests::Project;

use crate::outside::{Database, difference};

/// A migration.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) sql: String,
}

/// The steps of a file: each begins with a line `-- step: name`.
fn steps(text: &str) -> Vec<Step> {
    let parts = text.split("-- step: ").skip(1).enumerate();
    parts
        .map(|(number, part)| {
            let (name, sql) = part.split_once('\n').unwrap();
            Step {
                name: format!("{number:03}_{}", name.trim().replace(' ', "_")),
                sql: sql.to_owned(),
            }
        })
        .collect()
}

/// The migrations of a folder, in order.
pub(crate) fn folder(path: &std::path::Path) -> Vec<Step> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.join("migration.sql").is_file()).collect();
    folders.sort();
    let step = |path: &std::path::PathBuf| Step {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        sql: std::fs::read_to_string(path.join("migration.sql")).unwrap(),
    };
    folders.iter().map(step).collect()
}

fn example(name: &str) -> Vec<Step> {
    folder(
        &tollgate_tests::repository()
            .join("examples")
            .join(name)
            .join("migrations"),
    )
}

/// A project with these migrations, no policy, and this database.
pub(crate) fn project(steps: &[Step], database: &Database) -> Project {
    let mut project = Project::new();
    for step in steps {
        project.migration(&step.name, &step.sql);
    }
    project.file("tollgate.toml", "[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n");
    project.set("DATABASE_URL", &database.url());
    project
}

/// Schema and rows before each step and after the last, as the server's own program makes them.
fn reference(steps: &[Step], like: &Database) -> Vec<(String, String)> {
    let database = like.another();
    let look = || (database.schema(), database.rows());
    let mut seen = vec![look()];
    for step in steps {
        database.run(&step.sql);
        seen.push(look());
    }
    seen
}

/// What became of one rollback.
enum Back {
    /// It was taken back by this SQL; what is said to be lost, nothing where it is empty.
    Taken { lost: String, sql: String },
    /// It cannot be, for this reason.
    Irreversible(String),
    /// The server refused the plan.
    Failed(String),
}

/// Takes the newest migration back.
fn back(project: &Project) -> Back {
    let outcome = project.run(&["rollback", "--force", "--format", "json"]);
    let document: Value =
        serde_json::from_str(&outcome.raw_stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    if outcome.status == Some(0) {
        let plan = &document["plans"][0];
        let sql = plan["sql"].as_array().unwrap().iter().map(|sql| sql.as_str().unwrap());
        return Back::Taken {
            lost: plan["reason"].as_str().unwrap_or_default().to_owned(),
            sql: sql.collect::<Vec<_>>().join(";\n"),
        };
    }
    let error = &document["errors"][0];
    let message = error["message"].as_str().unwrap().to_owned();
    if error["code"] == "irreversible" {
        return Back::Irreversible(message);
    }
    let plan = project.run(&["rollback", "--dry-run"]);
    Back::Failed(format!("{message}\n{plan}"))
}

/// What a whole journey showed.
#[derive(Default)]
pub(crate) struct Journey {
    /// Migrations that did not come back as they should, and in what.
    pub(crate) wrong: Vec<String>,
    /// Migrations that cannot be taken back, and why.
    pub(crate) irreversible: Vec<String>,
}

impl Journey {
    fn compare(&mut self, step: &Step, sql: &str, wanted: &str, found: &str) {
        if wanted != found {
            let difference = difference(wanted, found);
            self.wrong.push(format!(
                "== {}\n{}\n-- taken back with\n{sql}\n-- differs in\n{difference}",
                step.name, step.sql
            ));
        }
    }
}

/// Each migration by itself: deployed, and taken back in a copy of the database.
pub(crate) fn each_there_and_back(steps: &[Step], database: &Database) -> Journey {
    let reference = reference(steps, database);
    let there = project(steps, database);
    let mut journey = Journey::default();
    for (number, step) in steps.iter().enumerate() {
        there.succeed(&["deploy", "--to", &step.name]);
        let copy = database.copy();
        match back(&project(&steps[..=number], &copy)) {
            Back::Irreversible(why) => journey.irreversible.push(why),
            Back::Failed(why) => journey.wrong.push(format!("== {}\n{why}", step.name)),
            Back::Taken { lost, sql } => {
                let (schema, rows) = &reference[number];
                journey.compare(step, &sql, schema, &copy.schema());
                if lost.is_empty() {
                    journey.compare(step, &sql, rows, &copy.rows());
                }
            }
        }
    }
    if let (Some(step), Some((wanted, _))) = (steps.last(), reference.last()) {
        journey.compare(step, "(nothing)", wanted, &database.schema());
    }
    journey
}

/// All deployed at once, then taken back one by one, with the plans kept at deploy time or with new ones.
pub(crate) fn all_the_way_back(steps: &[Step], mut database: Database, forget_plans: bool) -> Journey {
    let reference = reference(steps, &database);
    let mut journey = Journey::default();
    let mut upto = steps.len();
    while upto > 0 {
        let project = project(&steps[..upto], &database);
        project.succeed(&["deploy"]);
        if forget_plans {
            database.forget_plans();
        }
        loop {
            if upto == 0 {
                return journey;
            }
            upto -= 1;
            let step = &steps[upto];
            match back(&project) {
                Back::Taken { lost, sql } => {
                    let (wanted, found) = (&reference[upto].0, database.schema());
                    if *wanted != found {
                        // A view that was written with `*` says so when it comes back with other columns.
                        if !lost.contains("the columns that * stood for") {
                            journey.compare(step, &sql, wanted, &found);
                        }
                        break;
                    }
                }
                Back::Irreversible(why) => break journey.irreversible.push(why),
                Back::Failed(why) => break journey.wrong.push(format!("== {}\n{why}", step.name)),
            }
        }
        // What is before it is tried on a new database.
        database = database.another();
    }
    journey
}

/// Both ways, with plans and without. These and no others cannot be taken back.
fn try_all_ways(steps: &[Step], database: fn() -> Database, irreversible: &[&str]) {
    let ways: [&(dyn Fn() -> Journey + Sync); 3] = [
        &|| each_there_and_back(steps, &database()),
        &|| all_the_way_back(steps, database(), false),
        &|| all_the_way_back(steps, database(), true),
    ];
    let journeys = std::thread::scope(|scope| {
        let running = ways.map(|way| scope.spawn(way));
        running.map(|way| way.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    for mut journey in journeys {
        assert!(journey.wrong.is_empty(), "{}", journey.wrong.join("\n"));
        journey.irreversible.sort();
        assert_eq!(journey.irreversible, irreversible);
    }
}

#[test]
fn the_quickstart_goes_back() {
    try_all_ways(&example("quickstart"), Database::sqlite, &[]);
}

#[test]
fn the_postgres_example_goes_back() {
    try_all_ways(&example("postgres"), Database::postgres, &[]);
}

#[test]
fn postgres_migrations_of_every_kind_go_back() {
    let irreversible = [
        "037_a_serial_column_dropped cannot be taken back: the values of members.id are gone, and the primary key needs them",
        "085_storage_and_statistics cannot be taken back: no rollback generator knows how to undo every statement",
    ];
    try_all_ways(
        &steps(include_str!("rollback/postgres.sql")),
        Database::postgres,
        &irreversible,
    );
}

#[test]
fn sqlite_migrations_of_every_kind_go_back() {
    try_all_ways(&steps(include_str!("rollback/sqlite.sql")), Database::sqlite, &[]);
}
