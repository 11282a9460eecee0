//! The folder of migrations.

use insta::assert_snapshot;
use tollgate_tests::Project;

use crate::session::{blog, session, sqlite};

const COMMANDS: &[&str] = &["check", "deploy", "status"];

/// Each of them, and that none of them made a database.
fn refused(project: &Project) -> String {
    let seen = session(project, COMMANDS);
    assert!(!project.path().join("app.db").exists(), "nothing was to be made");
    seen
}

#[test]
fn no_folder() {
    assert_snapshot!(refused(&sqlite()), @"
    $ tollgate check
    status: 2
    -- stderr
    config::no-migrations

      × no folder of migrations was found
      help: looked for prisma/migrations, migrations; name it with --migrations or with `dir` under
            [migrations] in tollgate.toml


    $ tollgate deploy
    status: 2
    -- stderr
    config::no-migrations

      × no folder of migrations was found
      help: looked for prisma/migrations, migrations; name it with --migrations or with `dir` under
            [migrations] in tollgate.toml


    $ tollgate status
    status: 2
    -- stderr
    config::no-migrations

      × no folder of migrations was found
      help: looked for prisma/migrations, migrations; name it with --migrations or with `dir` under
            [migrations] in tollgate.toml
    ");
    let mut project = sqlite();
    project.set("TOLLGATE_MIGRATIONS_DIR", "db/migrations");
    assert_snapshot!(refused(&project), @"
    $ tollgate check
    status: 2
    -- stderr
    config::no-migrations

      × the folder of migrations db/migrations does not exist
      help: it is set by TOLLGATE_MIGRATIONS_DIR


    $ tollgate deploy
    status: 2
    -- stderr
    config::no-migrations

      × the folder of migrations db/migrations does not exist
      help: it is set by TOLLGATE_MIGRATIONS_DIR


    $ tollgate status
    status: 2
    -- stderr
    config::no-migrations

      × the folder of migrations db/migrations does not exist
      help: it is set by TOLLGATE_MIGRATIONS_DIR
    ");
}

#[test]
fn an_empty_folder() {
    let project = sqlite();
    std::fs::create_dir(project.path().join("migrations")).unwrap();
    assert_snapshot!(session(&project, COMMANDS), @"
    $ tollgate check
    status: 0
    -- stdout
    0 migrations checked: nothing found

    $ tollgate deploy
    status: 0
    -- stdout
    nothing to deploy: the database is up to date

    $ tollgate status
    status: 0
    -- stdout
    SQLite database app.db
    0 migrations: 0 applied; the database is up to date
    ");
}

#[test]
fn a_migration_without_its_file() {
    let project = sqlite();
    blog(&project);
    project
        .file("migrations/4_notes/notes.txt", "")
        .file("migrations/5_diesel/up.sql", "SELECT 1;");
    assert_snapshot!(refused(&project), @"
    $ tollgate check
    status: 2
    -- stderr
    folder

      × no migration.sql in migrations/4_notes, migrations/5_diesel
      help: migrations/5_diesel looks like a diesel migration: rename its up.sql to migration.sql
      the database now: nothing was changed


    $ tollgate deploy
    status: 2
    -- stderr
    folder

      × no migration.sql in migrations/4_notes, migrations/5_diesel
      help: migrations/5_diesel looks like a diesel migration: rename its up.sql to migration.sql
      the database now: nothing was changed


    $ tollgate status
    status: 2
    -- stderr
    folder

      × no migration.sql in migrations/4_notes, migrations/5_diesel
      help: migrations/5_diesel looks like a diesel migration: rename its up.sql to migration.sql
      the database now: nothing was changed
    ");
}

#[test]
fn two_names_that_differ_in_case() {
    let project = sqlite();
    blog(&project);
    project.migration("2_Posts", "SELECT 1;");
    assert_snapshot!(refused(&project), @"
    $ tollgate check
    status: 2
    -- stderr
    folder

      × the folders 2_Posts and 2_posts differ only in case
      help: rename one of them: on macOS and Windows they would be one folder
      the database now: nothing was changed


    $ tollgate deploy
    status: 2
    -- stderr
    folder

      × the folders 2_Posts and 2_posts differ only in case
      help: rename one of them: on macOS and Windows they would be one folder
      the database now: nothing was changed


    $ tollgate status
    status: 2
    -- stderr
    folder

      × the folders 2_Posts and 2_posts differ only in case
      help: rename one of them: on macOS and Windows they would be one folder
      the database now: nothing was changed
    ");
}

#[test]
fn another_provider() {
    let project = sqlite();
    blog(&project);
    project.file("migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    assert_snapshot!(session(&project, &["deploy", "status", "resolve --applied 1_users", "rollback --force"]), @"
    $ tollgate deploy
    status: 2
    -- stderr
    folder

      × migrations/migration_lock.toml says provider postgresql, but the database is SQLite
      help: use a URL of that provider, or change the file if the project has moved
      the database now: nothing was changed


    $ tollgate status
    status: 2
    -- stderr
    folder

      × migrations/migration_lock.toml says provider postgresql, but the database is SQLite
      help: use a URL of that provider, or change the file if the project has moved
      the database now: nothing was changed


    $ tollgate resolve --applied 1_users
    status: 2
    -- stderr
    folder

      × migrations/migration_lock.toml says provider postgresql, but the database is SQLite
      help: use a URL of that provider, or change the file if the project has moved
      the database now: nothing was changed


    $ tollgate rollback --force
    status: 2
    -- stderr
    folder

      × migrations/migration_lock.toml says provider postgresql, but the database is SQLite
      help: use a URL of that provider, or change the file if the project has moved
      the database now: nothing was changed
    ");
}
