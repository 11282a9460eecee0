//! Where the scratch database is made, what it begins with, and what becomes of it.

use insta::assert_snapshot;
use tollgate_testing::postgres::{Cluster, Setup};

use super::{Stage, preview, scratch_databases};

#[test]
fn a_copy_has_what_is_applied_and_only_the_rest_is_tried() {
    let stage = Stage::new();
    stage.project.migration(
        "1_a",
        "CREATE TABLE a (id integer PRIMARY KEY);\nINSERT INTO a VALUES (1);\n",
    );
    stage.project.succeed(&["deploy"]);
    stage.project.migration(
        "2_b",
        "ALTER TABLE a ADD COLUMN note text;\nCREATE TABLE b (a integer REFERENCES a (id));\n",
    );
    let before = stage.database.psql("SELECT count(*) FROM tollgate.runs");
    assert_snapshot!(preview(&stage.project, &["--copy"]), @"
    status: 0
    -- stdout
    applied 2_b [duration], taken back [duration] (loses the rows written to b since; what was written to a.note since)
    1 migration checked: nothing found
    1 migration went through in [duration]
    ");
    assert_eq!(stage.database.psql("SELECT count(*) FROM tollgate.runs"), before);
    assert_eq!(
        stage.database.psql("SELECT count(*) FROM _prisma_migrations").trim(),
        "1"
    );
}

#[test]
fn a_copy_of_an_sqlite_file_brings_its_rows_along() {
    let mut project = super::project("");
    project.set("DATABASE_URL", "file:./app.db");
    project.migration(
        "1_a",
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT);\nINSERT INTO a VALUES (1, NULL);\n",
    );
    project.succeed(&["deploy"]);
    let before = std::fs::read(project.path().join("app.db")).unwrap();
    project.migration(
        "2_not_null",
        "CREATE TABLE new_a (id INTEGER PRIMARY KEY, b TEXT NOT NULL);\nINSERT INTO new_a SELECT id, b FROM a;\n\
         DROP TABLE a;\nALTER TABLE new_a RENAME TO a;\n",
    );
    assert_snapshot!(preview(&project, &["--copy"]), @r#"
    status: 1
    -- stdout
    failed 2_not_null
    1 migration checked: 1 blocking
    the preview failed
    -- stderr
    destructive::set-not-null

      × makes a.b required, but 1 row is without a value
       ╭─[migrations/2_not_null/migration.sql:1:1]
     1 │ CREATE TABLE new_a (id INTEGER PRIMARY KEY, b TEXT NOT NULL);
       · ──────────────────────────────┬─────────────────────────────
       ·                               ╰── high: blocks a deploy
     2 │ INSERT INTO new_a SELECT id, b FROM a;
       ╰────
      help: fill the column first, in a migration of its own where the table is large

    migration-failed

      × migration "2_not_null" failed: NOT NULL constraint failed: new_a.b
       ╭─[migrations/2_not_null/migration.sql:2:1]
     1 │ CREATE TABLE new_a (id INTEGER PRIMARY KEY, b TEXT NOT NULL);
     2 │ INSERT INTO new_a SELECT id, b FROM a;
       · ──────────────────┬──────────────────
       ·                   ╰── NOT NULL constraint failed: new_a.b
     3 │ DROP TABLE a;
       ╰────
      help: mend the data or the file, then run `tollgate preview`
      the database now: only the scratch database was changed
    "#);
    assert_eq!(std::fs::read(project.path().join("app.db")).unwrap(), before);
}

#[test]
fn a_template_brings_its_rows_along() {
    let stage = Stage::new();
    let template = tollgate_testing::postgres::cluster().database();
    template.psql("CREATE TABLE a (id integer, b text); INSERT INTO a VALUES (1, NULL)");
    template.psql(
        "CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, \
         finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, \
         started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)",
    );
    stage
        .project
        .migration("1_not_null", "ALTER TABLE a ALTER COLUMN b SET NOT NULL;\n");
    assert_snapshot!(preview(&stage.project, &["--template", &template.name]), @r#"
    status: 1
    -- stdout
    failed 1_not_null
    1 migration checked: 1 blocking
    the preview failed
    -- stderr
    destructive::set-not-null

      × makes a.b required, but 1 row is without a value
       ╭─[migrations/1_not_null/migration.sql:1:15]
     1 │ ALTER TABLE a ALTER COLUMN b SET NOT NULL;
       ·               ─────────────┬─────────────
       ·                            ╰── high: blocks a deploy
       ╰────
      help: fill the column first, in a migration of its own where the table is large

    migration-failed

      × migration "1_not_null" failed: column "b" of relation "a" contains null values
       ╭─[migrations/1_not_null/migration.sql:1:28]
     1 │ ALTER TABLE a ALTER COLUMN b SET NOT NULL;
       ·                            ┬
       ·                            ╰── column "b" of relation "a" contains null values
       ╰────
      help: SQLSTATE: 23502
            mend the data or the file, then run `tollgate preview`
      the database now: only the scratch database was changed
    "#);
}

#[test]
fn it_can_be_kept_and_is_named_without_a_password() {
    let alone = Cluster::start(&Setup::default()).unwrap();
    let database = alone.database();
    let mut project = super::project("");
    database.psql("ALTER ROLE tollgate_password CREATEDB");
    project.set("DATABASE_URL", &database.url_with_password());
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    let said = preview(&project, &["--keep"]);
    assert_snapshot!(said, @r#"
    status: 0
    -- stdout
    applied 1_a [duration], taken back [duration] (loses the rows written to a since)
    1 migration checked: nothing found
    kept: PostgreSQL database "[scratch]", schema "public" at 127.0.0.1:[port]
    1 migration went through in [duration]
    "#);
    assert_eq!(scratch_databases(&database).len(), 1);
    project.succeed(&["preview"]);
    assert_eq!(scratch_databases(&database).len(), 1);
}

#[test]
fn it_can_be_made_on_another_server() {
    let elsewhere = Cluster::start(&Setup::default()).unwrap();
    let other = elsewhere.database();
    let mut project = super::project("[preview]\nurl = \"env:PREVIEW_URL\"\n");
    // Nothing listens there, and nothing has to.
    project.set("DATABASE_URL", "postgresql://u@127.0.0.1:1/production");
    project.set("PREVIEW_URL", &other.url());
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    project.succeed(&["preview"]);
    assert!(scratch_databases(&other).is_empty());
}

#[test]
fn a_copy_can_be_made_on_another_server() {
    let elsewhere = Cluster::start(&Setup::default()).unwrap();
    let (source, other) = (tollgate_testing::postgres::cluster().database(), elsewhere.database());
    let mut project = super::project("[preview]\nurl = \"env:PREVIEW_URL\"\n");
    project.set("DATABASE_URL", &source.url());
    project.set("PREVIEW_URL", &other.url());
    project.migration(
        "1_a",
        "CREATE TABLE a (id integer PRIMARY KEY);\nCREATE VIEW v AS SELECT id FROM a;\n",
    );
    project.succeed(&["deploy"]);
    source.psql("CREATE COLLATION mine (locale = 'C'); CREATE ROLE only_there; GRANT SELECT ON a TO only_there");
    project.migration("2_b", "CREATE TABLE b (a integer REFERENCES a (id));\n");
    let said = preview(&project, &["--copy", "--skip-rollbacks"]);
    source.psql("DROP OWNED BY only_there; DROP ROLE only_there");
    assert_snapshot!(said, @r#"
    status: 0
    -- stdout
    applied 2_b [duration]
    1 migration checked: nothing found
    1 migration went through in [duration]
    -- stderr
    not copied: collation public.mine: Tollgate does not copy these
    not copied: privileges on table public.a: role "only_there" does not exist
    "#);
    assert!(scratch_databases(&other).is_empty());
}

#[test]
fn without_the_right_to_make_databases_it_says_what_to_do() {
    let stage = Stage::new();
    let role = format!("nobody_{}", stage.database.name);
    stage.database.psql(&format!("CREATE ROLE {role} LOGIN"));
    let mut project = super::project("");
    project.set("DATABASE_URL", &stage.database.url_as(&role, None));
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    let said = preview(&project, &[]);
    stage.database.psql(&format!("DROP ROLE {role}"));
    assert_snapshot!(said, @"
    status: 1
    -- stderr
    database

      × cannot create a scratch database: permission denied to create database
      help: give the role the right (ALTER ROLE … CREATEDB), or name a role or a server of its own for
            this: `[preview] url`
      the database now: nothing was changed
    ");
}

#[test]
fn notifiers_are_not_told() {
    let mut stage = Stage::new();
    let receiver = tollgate_tests::Receiver::start();
    stage.project.set("HOOK", receiver.url());
    let webhook = "[plugins.webhook.endpoints.webhook]\nurl = \"env:HOOK\"\nallow_private = true\n";
    stage
        .project
        .file("tollgate.toml", &format!("{webhook}\n{}", super::QUIET));
    stage.project.migration("1_a", "CREATE TABLE a (id integer);\n");
    stage.project.succeed(&["preview"]);
    assert!(receiver.received().is_empty());
}
