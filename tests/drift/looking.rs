//! What drift says, and what does not count.

use insta::assert_snapshot;
use tollgate_tests::Project;

use super::Stage;

#[test]
fn a_database_that_is_as_its_migrations_make_it() {
    let stage = Stage::new();
    assert_snapshot!(stage.project.run(&["drift"]), @r#"
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    2 applied migrations compared: no drift
    -- stderr
    1 view compared by name; --on-scratch compares what they show
    "#);
    assert_snapshot!(stage.project.run(&["drift", "--on-scratch"]), @r#"
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    2 applied migrations compared: no drift
    "#);
}

#[test]
fn every_difference_is_said() {
    let stage = Stage::new();
    stage.database.psql(
        "ALTER TABLE users ADD COLUMN nickname text; ALTER TABLE users ALTER COLUMN email TYPE text; DROP INDEX users_email; \
         ALTER TABLE posts ALTER COLUMN title DROP NOT NULL; CREATE TABLE extra (id integer); \
         ALTER TABLE posts DROP CONSTRAINT posts_state_check; \
         ALTER TABLE posts ADD CONSTRAINT posts_state_check CHECK (state IN ('draft', 'published', 'gone')); \
         ALTER TYPE role ADD VALUE 'guest'; ALTER TABLE posts DISABLE TRIGGER touched; \
         CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$",
    );
    assert_snapshot!(stage.project.run(&["drift"]), @r#"
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    function public.touch()
      body: not as the migrations make it
    table public.extra: unexpected: no migration makes it
    table public.posts
      column title, not null: no (the migrations say yes)
      constraint posts_state_check, condition: `state = ANY (ARRAY['draft'::text, 'published'::text, 'gone'::text])` (the migrations say `state IN ('draft', 'published')`)
      trigger touched, enabled: no (the migrations say yes)
    table public.users
      column email, type: text (the migrations say character varying(200))
      column nickname: unexpected: no migration makes it
      index users_email: missing: the migrations make it
    type public.role
      values: (member, admin, guest) (the migrations say (member, admin))
    2 applied migrations compared: 9 differences in 5 objects; `tollgate drift --sql database` or `--sql migrations` prints the way back
    -- stderr
    1 view compared by name; --on-scratch compares what they show
    "#);
    let (replayed, scratch) = (
        stage.project.run(&["drift"]),
        stage.project.run(&["drift", "--on-scratch"]),
    );
    // The replay and the scratch database differ in their words alone.
    let objects = |text: &str| -> Vec<String> {
        let line = |line: &str| {
            let found = line.split(" (the migrations say").next().unwrap();
            found.replace("  definition:", "  body:")
        };
        text.lines().map(line).collect()
    };
    assert_eq!(objects(&replayed.stdout), objects(&scratch.stdout));
}

#[test]
fn a_view_that_shows_something_else_is_seen_on_a_scratch_database() {
    let stage = Stage::new();
    stage
        .database
        .psql("CREATE OR REPLACE VIEW published AS SELECT id, title FROM posts");
    assert_eq!(stage.project.run(&["drift"]).status, Some(0));
    assert_snapshot!(stage.project.run(&["drift", "--on-scratch"]), @r#"
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    view public.published
      query: not as the migrations make it
    2 applied migrations compared: 1 difference in 1 object; `tollgate drift --sql database` or `--sql migrations` prints the way back
    "#);
}

#[test]
fn what_is_ignored_does_not_count() {
    let stage = Stage::new();
    stage.database.psql(
        "CREATE TABLE tmp_a (id integer); CREATE EXTENSION btree_gist; CREATE SCHEMA auth; \
         CREATE TABLE auth.sessions (id integer); ALTER TABLE users ADD COLUMN legacy_id integer; \
         CREATE INDEX users_role ON users (role)",
    );
    let ignore = "[drift]\nignore = [\"public.tmp_*\", \"extension:btree_gist\", \"schema:auth\"]\n";
    stage
        .project
        .file("tollgate.toml", &format!("{ignore}\n{}", super::QUIET));
    let ignore = ["drift", "--ignore", "users.legacy_*"];
    assert_snapshot!(stage.project.run(&ignore), @r#"
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    table public.users
      index users_role: unexpected: no migration makes it
    2 applied migrations compared: 1 difference in 1 object, 5 ignored; `tollgate drift --sql database` or `--sql migrations` prints the way back
    -- stderr
    1 view compared by name; --on-scratch compares what they show
    "#);
    assert_eq!(stage.project.run(&["drift", "--ignore", "users"]).status, Some(0));
    assert_snapshot!(stage.project.run(&["drift", "--ignore", "thing:x"]), @"
    status: 2
    -- stderr
    drift::pattern

      × the pattern `thing:x` cannot be used: there is no kind of object called thing: there are
      │ schema, extension, type, sequence, function, table, view, materialized-view, foreign-table,
      │ column, constraint, index, trigger, policy
      help: write NAME or KIND:NAME, as in `public.tmp_*` or `extension:pg_stat_statements`
    ");
}

#[test]
fn what_a_replay_cannot_follow_is_uncertain() {
    let stage = Stage::new();
    stage.project.migration(
        "3_dynamic",
        "DO $$ BEGIN IF now() > '2020-01-01' THEN CREATE TABLE sometimes (id integer); END IF; END $$;\n",
    );
    stage.project.succeed(&["deploy"]);
    assert_snapshot!(stage.project.run(&["drift"]), @r#"
    status: 0
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    table public.sometimes: there; the migrations may make it
    uncertain: 1 difference may come from what a replay cannot follow; --on-scratch tells
    3 applied migrations compared: no certain drift
    -- stderr
    1 view compared by name; --on-scratch compares what they show
    "#);
    assert_eq!(stage.project.run(&["drift", "--on-scratch"]).status, Some(0));
}

#[test]
fn pending_migrations_are_no_drift_and_others_projects_neither() {
    let stage = Stage::new();
    stage.project.migration("3_later", "CREATE TABLE later (id integer);\n");
    stage.database.psql(
        "CREATE SCHEMA other; CREATE TABLE other.theirs (id integer); \
         CREATE TABLE other._prisma_migrations (LIKE public._prisma_migrations)",
    );
    assert_eq!(
        stage.project.run(&["drift"]).status,
        Some(0),
        "{}",
        stage.project.run(&["drift"])
    );
}

#[test]
fn edited_and_missing_migrations_are_pointed_out() {
    let stage = Stage::new();
    stage
        .project
        .file("migrations/1_users/migration.sql", "CREATE TABLE users (id integer);\n");
    std::fs::remove_dir_all(stage.project.path().join("migrations/2_posts")).unwrap();
    let outcome = stage.project.run(&["drift"]);
    assert_eq!(outcome.status, Some(5));
    assert_snapshot!(outcome.stderr, @"
    warning: 1_users: edited since it was applied: the database is compared with what the file makes now
    warning: 2_posts: applied but not in the folder: what it made looks like drift
    ");
}

#[test]
fn a_database_without_a_ledger_is_for_baseline() {
    let database = tollgate_testing::postgres::cluster().database();
    database.psql("CREATE TABLE a (id integer)");
    let mut project = Project::new();
    project.set("DATABASE_URL", &database.url());
    project.migration("1_a", "CREATE TABLE a (id integer);\n");
    assert_snapshot!(project.run(&["drift"]), @"
    status: 5
    -- stderr
    database-not-empty

      × the database is not empty and has no migrations ledger
      help: if it was made by the folder's first migrations, or is what they make, `tollgate baseline`
            records them; otherwise use an empty database
      the database now: nothing was changed
    ");
}

#[test]
fn the_document_says_everything() {
    let stage = Stage::new();
    stage
        .database
        .psql("ALTER TABLE users ADD COLUMN nickname text; DROP TABLE posts CASCADE");
    let outcome = stage.project.run(&["drift", "--format", "json"]);
    assert_eq!(outcome.status, Some(5));
    let document = outcome.json();
    let path = tollgate_tests::repository().join("engine/cli/schemas/drift.json");
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(document["same"], false);
    assert_eq!(document["for_database"]["steps"][0]["loses"], serde_json::Value::Null);
    let losses: Vec<&str> = document["for_database"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| step["loses"].as_str())
        .collect();
    assert_eq!(losses, ["all values of public.users.nickname"]);
}

#[test]
fn nothing_is_written_to_the_database() {
    let stage = Stage::new();
    let before = stage.database.psql("SELECT count(*) FROM tollgate.runs");
    stage
        .database
        .psql("ALTER ROLE CURRENT_USER SET default_transaction_read_only = off");
    stage.project.run(&["drift", "--on-scratch"]);
    assert_eq!(stage.database.psql("SELECT count(*) FROM tollgate.runs"), before);
    let scratch = stage
        .database
        .psql("SELECT count(*) FROM pg_database WHERE datname LIKE 'tollgate\\_preview\\_%'");
    assert_eq!(scratch.trim(), "0");
}

#[test]
fn an_interrupt_leaves_no_scratch_database() {
    use rustix::process::{Pid, Signal, kill_process};
    use tollgate_testing::postgres::{Cluster, Setup};
    let alone = Cluster::start(&Setup::default()).unwrap();
    let database = alone.database();
    let mut project = Project::new();
    project.file("tollgate.toml", super::QUIET);
    project.set("DATABASE_URL", &database.url());
    // Only on the scratch database, which has another name, it lasts.
    let wait = format!(
        "SELECT CASE WHEN current_database() <> '{}' THEN pg_sleep(3600) END;\n",
        database.name
    );
    project.migration("1_wait", &wait);
    project.succeed(&["deploy"]);
    let mut command = project.command(&["drift", "--on-scratch"]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let start = std::time::Instant::now();
    while database.psql(sleeps).trim() == "0" {
        assert!(start.elapsed().as_secs() < 60, "it never came to this");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    let outcome = project.outcome(&child.wait_with_output().unwrap());
    assert_snapshot!(outcome, @"
    status: 130
    -- stderr
    stopping
    interrupted

      × 1_wait: applying it was interrupted: statement 1 was cancelled
      the database now: the scratch database is gone; no other database was changed
    ");
    let scratch = "SELECT count(*) FROM pg_database WHERE datname LIKE 'tollgate\\_preview\\_%'";
    assert_eq!(database.psql(scratch).trim(), "0");
}

#[test]
fn sqlite_files_are_compared_too() {
    let mut project = Project::new();
    project.file("tollgate.toml", super::QUIET);
    project.set("DATABASE_URL", "file:./app.db");
    project.migration(
        "1_a",
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT NOT NULL);\nCREATE INDEX a_b ON a (b);\n",
    );
    project.migration(
        "2_c",
        "ALTER TABLE a ADD COLUMN c TEXT;\nCREATE VIEW v AS SELECT b FROM a;\n",
    );
    project.succeed(&["deploy"]);
    assert_eq!(project.run(&["drift"]).status, Some(0), "{}", project.run(&["drift"]));
    let change = "DROP INDEX a_b; ALTER TABLE a ADD COLUMN d INTEGER; CREATE TABLE e (x INTEGER);";
    sqlite(&project, change);
    assert_snapshot!(project.run(&["drift"]), @"
    status: 5
    -- stdout
    SQLite database app.db
    table a
      column d: unexpected: no migration makes it
      index a_b: missing: the migrations make it
    table e: unexpected: no migration makes it
    2 applied migrations compared: 3 differences in 2 objects; `tollgate drift --sql database` or `--sql migrations` prints the way back
    -- stderr
    1 view compared by name; --on-scratch compares what they show
    ");
    assert_eq!(project.run(&["drift", "--on-scratch"]).status, Some(5));
}

pub(crate) fn sqlite(project: &Project, sql: &str) {
    use std::io::Write as _;
    let mut shell = std::process::Command::new("sqlite3")
        .args(["-batch", "-bail"])
        .arg(project.path().join("app.db"))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success(), "{sql}");
}
