//! Real projects' migrations, and the real Prisma beside them. Opt-in: `TOLLGATE_REAL_POSTGRES` and
//! `TOLLGATE_REAL_SQLITE` name folders of migrations, `TOLLGATE_PRISMA` a program that runs Prisma's command line for the
//! project in the folder given first (`$TOLLGATE_PRISMA DIR migrate deploy`).

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tollgate_tests::Project;

use crate::outside::{Database, difference};
use crate::rollback::{Step, all_the_way_back, folder, project};

/// A real project: its migrations, and how to make a database for them.
struct Real {
    steps: Vec<Step>,
    database: fn() -> Database,
}

impl Real {
    fn postgres() -> Option<Self> {
        Self::named("TOLLGATE_REAL_POSTGRES", Database::postgres)
    }

    fn sqlite() -> Option<Self> {
        Self::named("TOLLGATE_REAL_SQLITE", Database::sqlite)
    }

    fn named(variable: &str, database: fn() -> Database) -> Option<Self> {
        let Some(path) = std::env::var_os(variable) else {
            println!("skipped: {variable} names no folder of migrations");
            return None;
        };
        Some(Self {
            steps: folder(&PathBuf::from(path)),
            database,
        })
    }

    /// What the server's own program makes of the same files.
    fn reference(&self) -> String {
        let database = (self.database)();
        for step in &self.steps {
            database.run(&step.sql);
        }
        database.schema()
    }

    /// Deployed completely, as everybody sees it.
    fn assert_deployed(&self, whole: &Project, database: &Database) {
        let (wanted, found) = (self.reference(), database.schema());
        assert!(wanted == found, "{}", difference(&wanted, &found));
        let status = json(&whole.succeed(&["status", "--format", "json"]).raw_stdout);
        let states: Vec<_> = status["migrations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["standing"])
            .collect();
        assert_eq!(states, vec!["applied"; self.steps.len()]);
        assert_eq!(deployed(whole), 0, "nothing is pending");
    }
}

/// The real Prisma, where there is one.
struct Prisma(PathBuf);

impl Prisma {
    fn find() -> Option<Self> {
        let found = std::env::var_os("TOLLGATE_PRISMA").map(|path| Self(path.into()));
        if found.is_none() {
            println!("skipped: TOLLGATE_PRISMA names no program that runs Prisma");
        }
        found
    }

    /// Runs `prisma migrate COMMAND`; its output.
    #[track_caller]
    fn migrate(&self, command: &str, project: &Project, database: &Database) -> String {
        let mut prisma = Command::new(&self.0);
        prisma
            .arg(project.path())
            .args(["migrate", command])
            .env("DATABASE_URL", database.url());
        let output = prisma.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "prisma migrate {command}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    #[track_caller]
    fn assert_up_to_date(&self, project: &Project, database: &Database) {
        let status = self.migrate("status", project, database);
        assert!(status.contains("Database schema is up to date!"), "{status}");
        let deploy = self.migrate("deploy", project, database);
        assert!(deploy.contains("No pending migrations to apply."), "{deploy}");
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Deploys; how many were applied.
#[track_caller]
fn deployed(project: &Project) -> usize {
    json(&project.succeed(&["deploy", "--format", "json"]).raw_stdout)["applied"]
        .as_array()
        .unwrap()
        .len()
}

/// Tollgate deploys, Prisma has nothing left to do.
fn deploy(real: &Real) {
    let database = (real.database)();
    let whole = project(&real.steps, &database);
    assert_eq!(deployed(&whole), real.steps.len());
    real.assert_deployed(&whole, &database);
    if let Some(prisma) = Prisma::find() {
        prisma.assert_up_to_date(&whole, &database);
    }
}

/// Prisma deploys, Tollgate has nothing left to do.
fn deploy_with_prisma(real: &Real) {
    let Some(prisma) = Prisma::find() else { return };
    let database = (real.database)();
    let whole = project(&real.steps, &database);
    prisma.migrate("deploy", &whole, &database);
    real.assert_deployed(&whole, &database);
    prisma.assert_up_to_date(&whole, &database);
}

/// One deploys the first half, the other the second.
fn deploy_in_halves(real: &Real, prisma_first: bool) {
    let Some(prisma) = Prisma::find() else { return };
    let database = (real.database)();
    let first = project(&real.steps[..real.steps.len() / 2], &database);
    let whole = project(&real.steps, &database);
    if prisma_first {
        prisma.migrate("deploy", &first, &database);
        assert_eq!(deployed(&whole), real.steps.len().div_ceil(2));
    } else {
        assert_eq!(deployed(&first), real.steps.len() / 2);
        prisma.migrate("deploy", &whole, &database);
    }
    real.assert_deployed(&whole, &database);
    prisma.assert_up_to_date(&whole, &database);
}

/// Taken back one by one, newest first; what cannot be says why.
fn take_back(real: &Real) {
    let journey = all_the_way_back(&real.steps, (real.database)(), false);
    println!("cannot be taken back: {:#?}", journey.irreversible);
    // Rows that migrations wrote may stand in the way of NOT NULL or of an enum without its value: that has to be said.
    let in_the_way = [
        "contains null values",
        "invalid input value for enum",
        "specified more than once",
    ];
    let wrong = journey
        .wrong
        .iter()
        .filter(|wrong| !in_the_way.iter().any(|reason| wrong.contains(reason)));
    let wrong: Vec<&str> = wrong.map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    let stuck = journey.wrong.len() + journey.irreversible.len();
    assert!(
        stuck * 100 <= real.steps.len(),
        "{stuck} cannot be taken back: more than one in a hundred"
    );
}

#[test]
fn tollgate_deploys_postgres_as_psql_does() {
    Real::postgres().iter().for_each(deploy);
}

#[test]
fn tollgate_deploys_sqlite_as_the_shell_does() {
    Real::sqlite().iter().for_each(deploy);
}

#[test]
fn tollgate_knows_what_prisma_deployed_on_postgres() {
    Real::postgres().iter().for_each(deploy_with_prisma);
}

#[test]
fn tollgate_knows_what_prisma_deployed_on_sqlite() {
    Real::sqlite().iter().for_each(deploy_with_prisma);
}

#[test]
fn halves_go_together_on_postgres() {
    let Some(real) = Real::postgres() else { return };
    for prisma_first in [true, false] {
        deploy_in_halves(&real, prisma_first);
    }
}

#[test]
fn halves_go_together_on_sqlite() {
    let Some(real) = Real::sqlite() else { return };
    for prisma_first in [true, false] {
        deploy_in_halves(&real, prisma_first);
    }
}

/// The bundled policy stops what destroys data, whichever database is behind it, and changes nothing.
#[test]
fn the_bundled_policy_blocks_a_real_project() {
    let Some(real) = Real::postgres() else { return };
    let database = (real.database)();
    let whole = project(&real.steps, &database);
    whole.file("tollgate.toml", "");
    let empty = database.schema();
    let outcome = whole.run(&["deploy", "--format", "json"]);
    assert_eq!(outcome.status, Some(3), "{outcome}");
    assert_eq!(database.schema(), empty);
}

#[test]
fn real_postgres_migrations_go_back() {
    Real::postgres().iter().for_each(take_back);
}

#[test]
fn real_sqlite_migrations_go_back() {
    Real::sqlite().iter().for_each(take_back);
}
