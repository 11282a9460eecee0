//! What a user types and sees: several commands in one project, on either database.

use tollgate_tests::Project;

use crate::outside::Database;

/// A project on this database, with nothing in it.
pub(crate) fn on(database: &Database) -> Project {
    let mut project = Project::new();
    project.set("DATABASE_URL", &database.url());
    project
}

/// A project on an `SQLite` file of its own, `app.db`.
pub(crate) fn sqlite() -> Project {
    let mut project = Project::new();
    project.set("DATABASE_URL", "file:./app.db");
    project
}

/// `$ tollgate …` and what came of it, command by command.
pub(crate) fn session(project: &Project, commands: &[&str]) -> String {
    let run = |command: &&str| {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        format!("$ tollgate {command}\n{}\n", project.run(&arguments))
    };
    commands.iter().map(run).collect()
}

/// The same journey on both databases, which must look the same but for the name of the database and of its schema.
#[track_caller]
pub(crate) fn both(journey: impl Fn(&Project, &Database) -> String) -> String {
    let [sqlite, postgres] = each(journey);
    let postgres = postgres.replace("\"public\".", "").replace("public.", "");
    assert_eq!(sqlite, postgres, "SQLite (left) and PostgreSQL (right) differ");
    sqlite
}

/// The same journey on an empty database of `SQLite` and on one of PostgreSQL.
pub(crate) fn each(journey: impl Fn(&Project, &Database) -> String) -> [String; 2] {
    [Database::sqlite(), Database::postgres()].map(|database| {
        // The file is there only after something was written to it.
        database.run("VACUUM;");
        let text = journey(&on(&database), &database);
        text.replace("SQLite database [folder]/test.db", "THE DATABASE")
            .replace(
                "PostgreSQL database \"[database]\", schema \"public\" at 127.0.0.1:[port]",
                "THE DATABASE",
            )
    })
}

/// A row in each table of [`blog`].
pub(crate) const ROWS: &str = "INSERT INTO users (id, email) VALUES (1, 'a@example.com');\n\
                               INSERT INTO posts (id, author, title) VALUES (1, 1, 'First');\n";

/// The configuration that asks no policy.
pub(crate) const NO_POLICY: &str = "[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n[plugins.conventions]\nenabled = false\n";

/// An application's first migrations, for either database.
pub(crate) fn blog(project: &Project) {
    project
        .migration(
            "1_users",
            "CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL);\n",
        )
        .migration(
            "2_posts",
            "CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES users (id), title text);\n\
             CREATE INDEX posts_author ON posts (author);\n",
        )
        .migration("3_views", "CREATE VIEW titles AS SELECT title FROM posts;\n");
}

/// A migration that loses a table.
pub(crate) const DROP: &str = "-- Nobody reads it.\nDROP VIEW titles;\nDROP TABLE posts;\n";

/// Names of the tables, without ledger and Tollgate's own.
pub(crate) fn tables(database: &Database) -> String {
    let sql = match database {
        Database::Postgres(_) => {
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
             AND relname <> '_prisma_migrations' ORDER BY 1"
        }
        Database::Sqlite(_) => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '_prisma_migrations' ORDER BY 1"
        }
    };
    database.run(sql).lines().collect::<Vec<_>>().join(" ")
}

/// The ledger: name, applied, rolled back, steps, as Prisma's own command would find it.
pub(crate) fn ledger(database: &Database) -> String {
    database.run(
        "SELECT migration_name || ' ' || CASE WHEN rolled_back_at IS NOT NULL THEN 'rolled back' \
         WHEN finished_at IS NOT NULL THEN 'applied' ELSE 'unfinished' END || ' ' || \
         CAST(applied_steps_count AS text) FROM _prisma_migrations ORDER BY started_at, migration_name",
    )
}

/// Writes a ledger row as Prisma does when it has applied a migration.
pub(crate) fn applied_by_prisma(project: &Project, database: &Database, name: &str) {
    let script = std::fs::read_to_string(project.path().join(format!("migrations/{name}/migration.sql"))).unwrap();
    database.run(&script);
    insert_row(database, name, &checksum(&script), true);
}

/// A row of the ledger, finished or not; the ledger is made when it is not there.
pub(crate) fn insert_row(database: &Database, name: &str, checksum: &str, finished: bool) {
    let (table, now) = match database {
        Database::Postgres(_) => (
            "CREATE TABLE IF NOT EXISTS _prisma_migrations (id varchar(36) PRIMARY KEY NOT NULL, \
             checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, \
             rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), \
             applied_steps_count integer NOT NULL DEFAULT 0);",
            "clock_timestamp()",
        ),
        Database::Sqlite(_) => (
            "CREATE TABLE IF NOT EXISTS \"_prisma_migrations\" (\"id\" TEXT PRIMARY KEY NOT NULL, \"checksum\" TEXT NOT \
             NULL, \"finished_at\" DATETIME, \"migration_name\" TEXT NOT NULL, \"logs\" TEXT, \"rolled_back_at\" DATETIME, \
             \"started_at\" DATETIME NOT NULL DEFAULT current_timestamp, \"applied_steps_count\" INTEGER UNSIGNED NOT NULL \
             DEFAULT 0);",
            "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
        ),
    };
    let (finished, steps) = if finished { (now, 1) } else { ("NULL", 0) };
    database.run(&format!(
        "{table}\nINSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, \
         applied_steps_count) VALUES ('{name}', '{checksum}', {finished}, '{name}', {now}, {steps});"
    ));
}

/// What Prisma records of a script.
pub(crate) fn checksum(script: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(script.as_bytes()))
}
