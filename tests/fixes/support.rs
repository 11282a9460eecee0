//! Projects to fix, and what is left of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_tests::{Project, repository};

/// The first migration: tables that are in use.
pub(crate) const TABLES: &str = "20260101000000_create_tables";
/// The one that is to be fixed.
pub(crate) const CHANGE: &str = "20260901120000_change_users";

/// The component of a bundled plugin, or of one that has been built from source.
fn component(name: &str) -> PathBuf {
    let file = format!("{name}.wasm");
    let folders = ["plugins/bundle", "target/guests/components"];
    let chosen = std::env::var_os("TOLLGATE_BUNDLE_DIR").map(PathBuf::from);
    let found = chosen
        .into_iter()
        .chain(folders.iter().map(|folder| repository().join(folder)))
        .map(|folder| folder.join(&file))
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("build it first: cargo run -p tollgate-build -- {name}"))
}

/// Columns, indexes and constraints as the server describes them.
pub(crate) const SCHEMA: &str = "\
    SELECT attrelid::regclass, attname, atttypid::regtype, atttypmod, attnotnull FROM pg_attribute \
        JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') \
        AND attnum > 0 AND NOT attisdropped ORDER BY attrelid::regclass::text, attnum; \
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1; \
    SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid; \
    SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint \
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2;";

/// A project without migrations. Only these policies judge.
pub(crate) fn empty() -> Project {
    let project = Project::new();
    for name in ["safety", "conventions"] {
        fs::copy(component(name), project.path().join(format!("{name}.wasm"))).unwrap();
    }
    project
        .file(
            "tollgate.toml",
            "[plugins.safety]\nsource = \"safety.wasm\"\n\n[plugins.conventions]\nsource = \"conventions.wasm\"\n\n\
             [plugins.destructive]\nenabled = false\n",
        )
        .file("migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    project
}

/// Two tables, and a migration with this script.
pub(crate) fn project(script: &str) -> Project {
    let project = empty();
    project
        .migration(
            TABLES,
            "CREATE TABLE users (id bigint PRIMARY KEY, email text);\n\
             CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, amount int);\n",
        )
        .migration(CHANGE, script);
    project
}

/// The same on a database that has the tables.
pub(crate) fn deployed(script: &str) -> (Project, TestDatabase<'static>) {
    let mut project = project(script);
    let database = cluster().database();
    project.set("DATABASE_URL", &database.url());
    project.succeed(&["deploy", "--to", TABLES]);
    (project, database)
}

/// `$ tollgate …` with its exit status, what it says of fixes, and no word of what is still found.
pub(crate) fn fix(project: &Project, arguments: &[&str]) -> String {
    let outcome = project.run(arguments);
    let stdout = outcome.stdout.lines().filter(|line| !line.contains(" checked: "));
    let mut about_fixes = false;
    let stderr = outcome.stderr.lines().filter(|line| {
        // A report begins with its code.
        if line.contains("::") && !line.starts_with(' ') {
            about_fixes = line.starts_with("fix::");
        }
        about_fixes && !line.trim().is_empty()
    });
    let mut text = format!(
        "$ tollgate {}\nstatus: {}\n",
        arguments.join(" "),
        outcome.status.unwrap_or(-1)
    );
    for line in stdout.chain(stderr) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Every script of the project, by the name of its migration.
pub(crate) fn scripts(project: &Project) -> BTreeMap<String, String> {
    let folders = fs::read_dir(project.path().join("migrations")).unwrap();
    folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path.join("migration.sql")).unwrap())
        })
        .collect()
}

/// The same as text, without the tables.
pub(crate) fn changed(project: &Project) -> String {
    let scripts = scripts(project);
    let shown = scripts.iter().filter(|(name, _)| *name != TABLES);
    shown.map(|(name, text)| format!("-- {name}\n{text}")).collect()
}
