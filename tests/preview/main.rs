//! Migrations tried on a database that is made for it and removed afterwards.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod interrupted;
mod places;
mod trying;

use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_tests::{Outcome, Project};

/// What other policies have to say of these migrations is no matter here.
const QUIET: &str = "[plugins.safety]\nenabled = false\n\n[plugins.conventions]\nenabled = false\n";

/// A project with this in its configuration.
fn project(more: &str) -> Project {
    let project = Project::new();
    project.file("tollgate.toml", &format!("{more}\n{QUIET}"));
    project
}

/// A PostgreSQL database of a test's own, and a project on it.
struct Stage {
    database: TestDatabase<'static>,
    project: Project,
}

impl Stage {
    fn new() -> Self {
        let database = cluster().database();
        let mut project = project("");
        project.set("DATABASE_URL", &database.url());
        Self { database, project }
    }

    /// Everything that can be seen in the database itself: nothing, unless a test has put it there.
    fn seen(&self) -> String {
        self.database.psql(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname !~ '^pg_|^information_schema$' AND c.relkind IN ('r', 'v') ORDER BY 1",
        )
    }
}

/// Runs it, and takes what changes from run to run out of what it says.
fn preview(project: &Project, arguments: &[&str]) -> String {
    let arguments: Vec<&str> = ["preview"].iter().chain(arguments).copied().collect();
    text(&project.run(&arguments))
}

fn text(outcome: &Outcome) -> String {
    let text = outcome.to_string();
    let name = regex::Regex::new("tollgate_preview_[0-9a-f]{16}").unwrap();
    let folder = regex::Regex::new(r"[^\s]*/tollgate-preview-\w+/").unwrap();
    let text = name.replace_all(&text, "[scratch]");
    folder.replace_all(&text, "[scratch]/").into_owned()
}

/// The scratch databases that are on the server now.
fn scratch_databases(database: &TestDatabase<'_>) -> Vec<String> {
    let sql = "SELECT datname FROM pg_database WHERE datname LIKE 'tollgate\\_preview\\_%' ORDER BY 1";
    database.psql(sql).lines().map(str::to_owned).collect()
}
