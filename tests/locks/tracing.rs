//! `check --trace`: real locks on a scratch database, next to the predictions.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tollgate_testing::postgres::{TestDatabase, cluster};
use tollgate_tests::{Outcome, Project};

/// What policies find is not what these tests are about.
const NO_POLICIES: &str = "[plugins.destructive]\nenabled = false\n[plugins.safety]\nenabled = false\n\
     [plugins.conventions]\nenabled = false\n";

/// A project on a server; of the database that its URL names nothing is used.
fn project(database: &TestDatabase<'_>) -> Project {
    let mut project = Project::new();
    project.set("DATABASE_URL", &database.url());
    project.file("tollgate.toml", NO_POLICIES);
    project.file("migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    project.migration(
        "20260101000000_init",
        "CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(20));\n\
         CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);\n",
    );
    project
}

/// What was printed of the trace, behind what `check` prints.
fn traced(outcome: &Outcome) -> String {
    let lines = outcome.stdout.lines();
    let from =
        |line: &&str| !line.starts_with("traced ") && !line.starts_with("failed ") && !line.starts_with("traced, ");
    let lines: Vec<&str> = lines.skip_while(from).collect();
    format!("status: {:?}\n{}\n", outcome.status, lines.join("\n"))
}

#[test]
fn locks_are_seen_and_as_predicted() {
    let database = cluster().database();
    let project = project(&database);
    project.migration(
        "20260102000000_more",
        "BEGIN;\n\
         ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id);\n\
         ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();\n\
         COMMIT;\n\
         CREATE INDEX CONCURRENTLY users_email ON users (email);\n\
         UPDATE users SET email = lower(email) WHERE id < 10;\n",
    );
    insta::assert_snapshot!(traced(&project.run(&["check", "--trace", "20260102000000_more"])), @"
    status: Some(0)
    traced 20260102000000_more
      line 2: ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES …
        SHARE ROW EXCLUSIVE on table users: others can read, nobody else can write
        SHARE ROW EXCLUSIVE on table orders: others can read, nobody else can write; reads every row
      line 3: ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid()
        ACCESS EXCLUSIVE on table users: nobody else can read or write; writes every row anew
      line 5: CREATE INDEX CONCURRENTLY users_email ON users (email) (outside of transactions)
        SHARE UPDATE EXCLUSIVE on table users: others can read and write, nobody else can alter it; reads every row
      line 6: UPDATE users SET email = lower(email) WHERE id < 10
        ROW EXCLUSIVE on table users: others can read and write
    4 statements traced, all as predicted
    ");
    let document = project.run(&["check", "--trace", "--format", "json"]).json();
    assert_eq!(document["trace"]["differences"], 0);
    let statement = &document["trace"]["migrations"][1]["statements"][2];
    let rewritten = serde_json::json!(["public.users", "public.users_pkey"]);
    assert_eq!(statement["rewritten"], rewritten);
    assert_eq!(statement["locks"][0]["mode"], "ACCESS EXCLUSIVE");
    let schema = std::fs::read(tollgate_tests::repository().join("engine/cli/schemas/check.json")).unwrap();
    assert!(jsonschema::is_valid(
        &serde_json::from_slice(&schema).unwrap(),
        &document
    ));
    // Nothing is left of it, and the database itself was not touched.
    assert_eq!(
        database
            .psql("SELECT count(*) FROM pg_class WHERE relname = 'users'")
            .trim(),
        "0"
    );
}

#[test]
fn a_prediction_that_is_wrong_is_shown_as_tollgates_mistake() {
    let database = cluster().database();
    let project = project(&database);
    // In UTC the two types of timestamps are the same bytes, and nobody knows a session's time zone beforehand.
    project.migration(
        "20260102000000_zone",
        "CREATE TABLE seen (at timestamp);\nSET timezone = 'UTC';\nALTER TABLE seen ALTER COLUMN at TYPE timestamptz;\n",
    );
    let outcome = project.run(&["check", "--trace", "20260102000000_zone"]);
    insta::assert_snapshot!(traced(&outcome), @"
    status: Some(0)
    traced, not as predicted 20260102000000_zone
      line 1: CREATE TABLE seen (at timestamp)
        kept nobody waiting
      line 2: SET timezone = 'UTC'
        kept nobody waiting
      line 3: ALTER TABLE seen ALTER COLUMN at TYPE timestamptz
        ACCESS EXCLUSIVE on table seen: nobody else can read or write; reads every row
        not as predicted: public.seen was predicted to be written anew and was not
    ");
    let warning = outcome.stderr.lines().last().unwrap_or_default();
    insta::assert_snapshot!(warning, @"warning: 3 statements traced; 1 not as predicted: that is a mistake in Tollgate's predictions, please report it with the statement");
}

#[test]
fn a_migration_that_fails() {
    let database = cluster().database();
    let project = project(&database);
    project.migration(
        "20260102000000_bad",
        "ALTER TABLE users ADD COLUMN city text;\nALTER TABLE nobody ADD COLUMN x int;\n",
    );
    project.migration("20260103000000_after", "ALTER TABLE users ADD COLUMN street text;\n");
    let outcome = project.run(&["check", "--trace"]);
    insta::assert_snapshot!(traced(&outcome), @r#"
    status: Some(1)
    traced 20260101000000_init
      line 1: CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(20))
        kept nobody waiting
      line 2: CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint)
        kept nobody waiting
    failed 20260102000000_bad
      line 1: ALTER TABLE users ADD COLUMN city text
        ACCESS EXCLUSIVE on table users: nobody else can read or write
      line 2: failed to run the statement: relation "nobody" does not exist
    3 statements traced, all as predicted
    "#);
}

#[test]
fn what_holds_for_a_transaction_holds_for_the_script() {
    let database = cluster().database();
    let project = project(&database);
    project.migration(
        "20260102000000_backfill",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\n\
         SET LOCAL search_path TO public;\n\
         CREATE TEMP TABLE known ON COMMIT DROP AS SELECT id FROM users;\n\
         UPDATE orders SET user_id = 1 WHERE user_id IN (SELECT id FROM known);\n",
    );
    project.migration(
        "20260103000000_again",
        "CREATE TEMP TABLE known (id int) ON COMMIT DELETE ROWS;\n",
    );
    let outcome = project.run(&["check", "--trace", "20260102000000_backfill", "20260103000000_again"]);
    insta::assert_snapshot!(traced(&outcome), @"
    status: Some(0)
    traced 20260102000000_backfill
      line 2: SET LOCAL search_path TO public
        kept nobody waiting
      line 3: CREATE TEMP TABLE known ON COMMIT DROP AS SELECT id FROM users
        kept nobody waiting
      line 4: UPDATE orders SET user_id = 1 WHERE user_id IN (SELECT id FROM known)
        ROW EXCLUSIVE on table orders: others can read and write
    traced 20260103000000_again
      line 1: CREATE TEMP TABLE known (id int) ON COMMIT DELETE ROWS
        kept nobody waiting
    4 statements traced, all as predicted
    ");
}

#[test]
fn a_file_outside_of_the_folder_comes_after_all_of_it() {
    let database = cluster().database();
    let project = project(&database);
    project.file("idea.sql", "COMMENT ON TABLE users IS 'Everybody.';\n");
    insta::assert_snapshot!(traced(&project.run(&["check", "--trace", "idea.sql"])), @"
    status: Some(0)
    traced idea
      line 1: COMMENT ON TABLE users IS 'Everybody.'
        SHARE UPDATE EXCLUSIVE on table users: others can read and write, nobody else can alter it
    1 statement traced, all as predicted
    ");
}

#[test]
fn sqlite_has_nothing_to_look_at() {
    let mut project = Project::new();
    project.set("DATABASE_URL", "file:app.db");
    project.file("migrations/migration_lock.toml", "provider = \"sqlite\"\n");
    project.migration("20260101000000_init", "CREATE TABLE users (id integer PRIMARY KEY);\n");
    let outcome = project.run(&["check", "--trace"]);
    assert_eq!(outcome.status, Some(2));
    insta::assert_snapshot!(outcome.stderr, @"
    check::trace

      × --trace is for PostgreSQL
      help: SQLite has one lock, for the whole database: there is nothing to look at
    ");
}

#[test]
fn an_interrupted_trace_leaves_nothing_behind() {
    let database = cluster().database();
    let project = project(&database);
    project.migration("20260102000000_slow", "SELECT pg_sleep(4711);\n");
    let mut command = project.command(&["check", "--trace"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(4711)'";
    while database.psql(asked).trim() == "0" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let outcome = project.outcome(&child.wait_with_output().unwrap());
    assert_eq!(outcome.status, Some(130), "{outcome}");
    assert!(outcome.stderr.contains("the scratch database is gone"), "{outcome}");
    assert_eq!(database.psql(asked).trim(), "0");
}
